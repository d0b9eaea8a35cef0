"""What an endpoint becomes before the first send, so that little is left to do per send.

A `Plan` holds everything that is the same for all sends to an endpoint. Mistakes of the
configuration are found here, once, and become the reply of every send.
"""

import base64
import re
from typing import Final, NamedTuple

import msgspec
from pyreqwest.http import Url

from holdfast import __version__
from holdfast.channel import Request
from holdfast.channels.http.body import body_renderer, content_type
from holdfast.channels.http.fault import Unsendable
from holdfast.channels.http.signature import secret_key, sign
from holdfast.channels.http.template import (
    Fields,
    Template,
    has_placeholders,
    in_header,
    in_url,
    without_placeholders,
)
from holdfast.model.flow import BasicAuth, BearerAuth, Endpoint

Header = tuple[str, str]

USER_AGENT: Final = f"holdfast/{__version__}"
_OURS: Final = frozenset(
    {"idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature", "holdfast-attempt"}
)
_CONNECTION: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
    }
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile("[\t\u0020-\u007e]*")
_AUTHORITY: Final = re.compile(r"^\s*[A-Za-z][A-Za-z0-9+.-]*:[/\\]*[^/\\?#]*")
_DOT_SEGMENTS: Final = frozenset({".", ".."})
_WINDOW: Final = 100
_WINDOW_MASK: Final = (1 << _WINDOW) - 1


class Target(NamedTuple):
    """The place a connection goes to."""

    scheme: str
    host: str
    """As it stands in the URL: lower case, punycode, IPv6 in brackets."""
    port: int
    literal: bool
    """The host is an IP address."""


class Prepared(NamedTuple):
    """One request, ready to be sent."""

    url: Url
    headers: list[Header]
    body: bytes | None


class Plan:
    """How requests to one endpoint are built.

    Args:
        endpoint: whose plan it is.

    Raises:
        Unsendable: the endpoint cannot be used; the message names the field.
    """

    __slots__ = (
        "_fixed",
        "_fixed_url",
        "_keys",
        "_query_form",
        "_render",
        "_seen",
        "_silent",
        "_templated",
        "_url_empties",
        "_url_template",
        "endpoint",
        "target",
    )

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        sample = _parse_url(without_placeholders(endpoint.url, "x"))
        self.target = _target(endpoint.url, sample)
        templated = has_placeholders(endpoint.url)
        self._fixed_url = None if templated else sample
        self._url_template = Template(endpoint.url, lambda _: in_url)
        self._url_empties = _segments(without_placeholders(endpoint.url, "x")).count("")
        self._render = body_renderer(endpoint)
        self._query_form = endpoint.method == "GET" and endpoint.body == "form"
        self._fixed, self._templated = _headers(endpoint)
        self._keys = _keys(endpoint)
        self._silent = 0
        self._seen = 0

    def prepare(self, request: Request, at: int) -> Prepared:
        """Build the request of one send.

        Args:
            request: what to send.
            at: now, in ms since the epoch.

        Raises:
            Unsendable: a template cannot be filled; the message names the field.
        """
        try:
            return self._prepare(request, at)
        except (msgspec.DecodeError, UnicodeError):
            raise Unsendable("PAYLOAD_NOT_JSON", "the payload is not JSON") from None

    def _prepare(self, request: Request, at: int) -> Prepared:
        fields = Fields(request)
        body: bytes | None = request.payload if self._render is None else self._render(fields)
        url = self._fixed_url or self._filled_url(fields)
        if self.endpoint.method == "GET":
            if self._query_form and body:
                url = _with_query(url, body.decode())
            body = None
        timestamp = str(at // 1000)
        headers = [
            *self._fixed,
            ("idempotency-key", request.delivery_id),
            ("webhook-id", request.message_id),
            ("webhook-timestamp", timestamp),
            ("holdfast-attempt", str(request.attempt)),
        ]
        if self._templated:
            headers += [(name, template.fill(fields)) for name, template in self._templated]
        if self._keys:
            signed = sign(self._keys, request.message_id, timestamp, body or b"")
            headers.append(("webhook-signature", signed))
        return Prepared(url, headers, body)

    def _filled_url(self, fields: Fields) -> Url:
        text = self._url_template.fill(fields)
        segments = _segments(text)
        if _DOT_SEGMENTS.intersection(segments) or segments.count("") > self._url_empties:
            raise Unsendable(
                "URL_VALUE_REFUSED", "a field used in the URL's path is empty, '.' or '..'"
            )
        return _parse_url(text)

    def note(self, *, answered: bool) -> float:
        """Count a send; return the share of the last 100 that got no answer."""
        self._silent = (self._silent << 1 | (not answered)) & _WINDOW_MASK
        self._seen = min(self._seen + 1, _WINDOW)
        return self._silent.bit_count() / self._seen if self._silent else 0.0


def check_endpoint(endpoint: Endpoint) -> str | None:
    """Return what is wrong with an endpoint, naming the field, or None.

    Certificates and addresses are looked at when sending, as they change without us.
    """
    try:
        Plan(endpoint)
    except Unsendable as problem:
        return problem.fault.message
    return None


def _parse_url(text: str) -> Url:
    """Parse as the client does, so that what was vetted is what is reached."""
    try:
        return Url(text)
    except ValueError:
        raise Unsendable("URL_INVALID", "url: not an absolute http or https URL") from None


def _target(text: str, url: Url) -> Target:
    host, port = url.host_str, url.port_or_known_default
    if url.scheme not in {"http", "https"} or not host or port is None:
        raise Unsendable("URL_INVALID", "url: not an absolute http or https URL")
    if url.username or url.password:
        raise Unsendable("URL_INVALID", "url: holds a user or password; put them under `auth`")
    authority = _AUTHORITY.match(text)
    if has_placeholders(text) and (authority is None or "{{" in authority[0]):
        raise Unsendable("URL_INVALID", "url: placeholders are allowed after the host only")
    return Target(url.scheme, host, port, literal=url.domain is None)


def _segments(url: str) -> list[str]:
    """Return the parts between slashes; `%2e` counts as a dot, as it does for the client."""
    path = url.partition("?")[0].partition("#")[0]
    return path.lower().replace("%2e", ".").split("/")


def _with_query(url: Url, query: str) -> Url:
    both = f"{url.query_string}&{query}" if url.query_string else query
    return url.with_query_string(both)


def _headers(endpoint: Endpoint) -> tuple[list[Header], list[tuple[str, Template]]]:
    """Return the headers that are always the same, and those to be filled per send."""
    fixed = {"content-type": content_type(endpoint), "user-agent": USER_AGENT, "accept": "*/*"}
    templated: list[tuple[str, Template]] = []
    for name, value in endpoint.headers.items():
        _check_header(f"headers.{name}", name, without_placeholders(value, ""))
        fixed.pop(name.lower(), None)
        if has_placeholders(value):
            templated.append((name.lower(), Template(value, lambda _: in_header)))
        else:
            fixed[name.lower()] = value
    auth = _auth_header(endpoint)
    if auth is not None:
        taken = {name for name, _ in templated} | fixed.keys()
        if auth[0] in taken:
            raise Unsendable("HEADER_INVALID", f"auth: header {auth[0]!r} is also under `headers`")
        fixed[auth[0]] = auth[1]
    if endpoint.method == "GET":
        fixed.pop("content-type", None)
    return list(fixed.items()), templated


def _auth_header(endpoint: Endpoint) -> Header | None:
    auth = endpoint.auth
    if auth is None:
        return None
    if isinstance(auth, BasicAuth):
        pair = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
        return "authorization", f"Basic {pair}"
    if isinstance(auth, BearerAuth):
        _check_header("auth.token", "authorization", auth.token)
        return "authorization", f"Bearer {auth.token}"
    _check_header("auth.value", auth.name, auth.value)
    return auth.name.lower(), auth.value


def _check_header(field: str, name: str, value: str) -> None:
    """Refuse what would break the request; the message never shows the value."""
    lower = name.lower()
    if not _TOKEN.fullmatch(name):
        raise Unsendable("HEADER_INVALID", f"{field}: not a header name")
    if lower in _OURS:
        raise Unsendable("HEADER_INVALID", f"{field}: this header is ours to set")
    if lower in _CONNECTION:
        raise Unsendable("HEADER_INVALID", f"{field}: this header belongs to the connection")
    if not _VALUE.fullmatch(value):
        raise Unsendable("HEADER_INVALID", f"{field}: the value must be printable ASCII")


def _keys(endpoint: Endpoint) -> tuple[bytes, ...]:
    try:
        return tuple(secret_key(secret) for secret in endpoint.secrets)
    except ValueError as error:
        raise Unsendable("SECRET_INVALID", f"secrets: {error}") from None
