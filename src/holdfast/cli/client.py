"""Talks to the HTTP API and turns every expected trouble into one clear line and an exit code."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import msgspec
from pyreqwest.client import SyncClientBuilder
from pyreqwest.exceptions import ConnectError, PyreqwestError
from pyreqwest.request import SyncRequestBuilder

from holdfast.cli.complaint import REFUSED, UNREACHABLE, USAGE, Complaint

DEFAULT_URL: Final = "http://127.0.0.1:8420"
_ADVICE: Final = {
    401: "give --token, or set HOLDFAST_TOKEN",
    403: "use the address that `holdfast up` printed, or a token",
    507: "free disk space, or remove old data: holdfast purge --older-than 7d",
}
Query = Mapping[str, str | int | None]
_LONG: Final = timedelta(days=1)
"""So long a body may come in parts."""


class Problem(msgspec.Struct, frozen=True):
    """An answer of type application/problem+json, as far as people need it."""

    title: str = ""
    status: int = 0
    detail: str = ""
    code: str = ""
    field: str | None = None
    value: Any = None
    allowed: str | None = None
    known: list[str] | None = None

    def line(self) -> str:
        """Return one line: what is wrong, where, and what would be right."""
        text = self.detail or self.title or f"HTTP {self.status}"
        if self.field and self.field not in text:
            text = f"{self.field}: {text}"
        if self.allowed and self.allowed not in text:
            text += f"; allowed: {self.allowed}"
        if self.known and not all(name in text for name in self.known):
            text += f"; known: {', '.join(self.known)}"
        advice = None if self.code == "SELF_APPROVAL" else _ADVICE.get(self.status)
        return f"{text} ({advice})" if advice else text


class Page(msgspec.Struct):
    """One page of a list; items stay as they came, so that numbers lose nothing."""

    items: list[msgspec.Raw]
    next_cursor: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What came back: the status, the headers we use, and the bytes as they are."""

    status: int
    body: bytes
    retry_after_s: float | None = None
    cookie: str | None = None

    def json(self) -> Any:
        """Return the decoded body."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise Complaint(
                f"the answer is not JSON ({error}): is this Holdfast's API address?", REFUSED
            ) from error

    def page(self) -> Page:
        """Return the body as one page of a list."""
        try:
            return msgspec.json.decode(self.body, type=Page)
        except msgspec.DecodeError as error:
            raise Complaint(f"the answer is not a list of items: {error}", REFUSED) from error

    def problem(self) -> Problem:
        """Return the body as a problem; anything else is shown as it is, shortened."""
        try:
            found = msgspec.json.decode(self.body, type=Problem)
        except msgspec.DecodeError:
            found = Problem(detail=self.body[:200].decode("utf-8", "replace"))
        return msgspec.structs.replace(found, status=self.status)


class Api:
    """The API of one Holdfast, for commands that run, ask and end.

    Args:
        url: address of the API, such as `http://127.0.0.1:8420`.
        token: bearer token, or None.
        timeout_s: longest wait for one answer, or for the next part of a long one.
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 60.0) -> None:
        self.url = url.rstrip("/")
        parts = _parts(self.url)
        builder = SyncClientBuilder().timeout(timedelta(seconds=timeout_s))
        builder = builder.read_timeout(timedelta(seconds=timeout_s))
        builder = builder.connect_timeout(timedelta(seconds=10)).user_agent("holdfast-cli")
        builder = builder.follow_redirects(enable=False)
        if (parts.hostname or "") in {"127.0.0.1", "localhost", "::1"}:
            builder = builder.no_proxy()
        headers = {"Holdfast-Actor": actor()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._session: dict[str, str] = {}
        self._client = builder.default_headers(headers).build()
        try:
            self._client.get(self.url)  # only made, not sent: it judges the address
        except ValueError as error:  # such as a port of letters
            raise _bad_url(self.url) from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back the connections."""
        self._client.close()

    def sign_in(self, user: str, password: str) -> None:
        """Begin a session; what follows is asked in it.

        Raises:
            Complaint: not reachable, or refused.
        """
        body = msgspec.json.encode({"user": user, "password": password})
        answer = self._checked(self.try_post("/v1/session", body, content_type="application/json"))
        self._session = {"Cookie": answer.cookie or "", "Holdfast-Csrf": answer.json()["csrf"]}

    def get(self, path: str, query: Query | None = None) -> Answer:
        """Read something.

        Raises:
            Complaint: not reachable, or refused.
        """
        return self._checked(self.try_get(path, query))

    def try_get(self, path: str, query: Query | None = None) -> Answer:
        """Read something and return the answer whatever its status is."""
        return self._send(self._asking(path, query))

    def parts(self, path: str, query: Query | None = None) -> Iterator[bytes]:
        """Yield a body as it comes, without holding it.

        Raises:
            Complaint: not reachable, refused, or it broke off.
        """
        request = self._asking(path, query).timeout(_LONG)
        with self._reaching(), request.build_streamed() as response:
            reader = response.body_reader
            if response.status >= 300:
                self._checked(Answer(response.status, bytes(reader.bytes())))
            while (part := reader.read_chunk()) is not None:
                yield bytes(part)

    def delete(self, path: str) -> Answer:
        """End something.

        Raises:
            Complaint: not reachable, or refused.
        """
        return self._checked(self._send(self._client.delete(self.url + path)))

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Change something; members of `body` that are None are left out.

        Raises:
            Complaint: not reachable, or refused.
        """
        given = {name: value for name, value in body.items() if value is not None}
        return self._checked(
            self.try_post(path, msgspec.json.encode(given), content_type="application/json")
        )

    def put(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Set something.

        Raises:
            Complaint: not reachable, or refused.
        """
        request = self._client.put(self.url + path).header("Content-Type", "application/json")
        return self._checked(self._send(request.body_bytes(msgspec.json.encode(body))))

    def try_post(self, path: str, body: bytes, *, content_type: str) -> Answer:
        """Send bytes and return the answer whatever its status is."""
        request = self._client.post(self.url + path).header("Content-Type", content_type)
        return self._send(request.body_bytes(body))

    def pages(self, path: str, query: Query) -> Iterator[Page]:
        """Yield page after page, following `next_cursor`."""
        cursor: str | None = None
        while True:
            page = self.get(path, {**query, "cursor": cursor}).page()
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    def _checked(self, answer: Answer) -> Answer:
        if answer.status >= 400:
            raise Complaint(answer.problem().line(), REFUSED)
        if answer.status >= 300:
            raise Complaint(f"{self.url} redirects: give the API's own address as --url", REFUSED)
        return answer

    def _asking(self, path: str, query: Query | None) -> SyncRequestBuilder:
        given = [(name, str(value)) for name, value in (query or {}).items() if value is not None]
        return self._client.get(self.url + path).query(given)

    def _send(self, request: SyncRequestBuilder) -> Answer:
        with self._reaching():
            response = request.headers(self._session).build().send()
            return Answer(
                response.status,
                bytes(response.bytes()),
                _seconds(response.get_header("Retry-After")),
                (response.get_header("Set-Cookie") or "").partition(";")[0] or None,
            )

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except ConnectError as error:
            raise Complaint(
                f"nothing answers at {self.url}. Start it with: holdfast up "
                "(or say where it runs: --url, HOLDFAST_URL)",
                UNREACHABLE,
            ) from error
        except PyreqwestError as error:
            raise Complaint(f"{self.url} did not answer: {error.args[0]}", UNREACHABLE) from error


def segment(text: str) -> str:
    """Return `text` as one segment of a path."""
    return quote(text, safe="")


def actor() -> str:
    """Return who acts, for the audit journal: this machine's user."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return "cli"
    return f"cli:{name}" if name.isascii() and name.isprintable() else "cli"


def _parts(url: str) -> Any:
    try:
        parts = urlsplit(url)
    except ValueError as error:  # such as http://[::1
        raise _bad_url(url) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise _bad_url(url)
    return parts


def _bad_url(url: str) -> Complaint:
    return Complaint(f"--url: {url!r} is not allowed; allowed: http://HOST:PORT", USAGE)


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None
