"""Who asks: a bearer token, a session's cookie, or on loopback the right Host and Origin.

Without a token every program of this machine may use the API, but no web page may: a page that
rebinds its name to 127.0.0.1 shows in `Host`, one that posts across sites shows in `Origin`.
A cookie comes with every request of the browser, so a change needs a header besides, which only
our own page can know (CSRF).
"""

import hashlib
import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final

from holdfast.access.desk import Desk
from holdfast.api.problem import Refused
from holdfast.config import Server, is_loopback
from holdfast.model.access import Means, Principal, Role

Headers = Mapping[bytes, bytes]
"""Header names in lower case, as ASGI gives them."""

CSRF_HEADER: Final = "Holdfast-Csrf"
BACKGROUND_HEADER: Final = "Holdfast-Background"
"""An open page asks by itself: that is no use of the session."""
_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")
_SAFE: Final = frozenset({"GET", "HEAD"})
_CONFIGURED: Final = Principal(
    name="api", kind=Means.CONFIGURED, role=Role.SUPER_ADMIN, key="configured"
)
_OWNER: Final = Principal(name="api", kind=Means.OWNER, role=Role.SUPER_ADMIN, key="owner")


class Guard:
    """Tells who asks, and turns away whom nobody knows.

    Args:
        server: the token and the names under which we may be reached.
        desk: knows users and tokens of the store.
    """

    def __init__(self, server: Server, desk: Desk) -> None:
        self._desk = desk
        self._token = server.token.encode() if server.token else None
        self.open = self._token is None and server.local_owner and is_loopback(server.host)
        """Whoever shows nothing is the owner."""
        own = f"[{server.host}]" if ":" in server.host else server.host
        self._hosts = {name.lower() for name in (*_LOCAL, own, *server.allowed_hosts)}

    async def identify(self, method: str, headers: Headers) -> Principal:
        """Return who asks, or raise `Refused`."""
        given = headers.get(b"authorization")
        if given is not None and not (self.open and not given):
            return await self._by_token(given)
        secret = session_secret(headers)
        if secret is not None:
            return await self._by_cookie(method, headers, secret)
        if not self.open:
            raise _unknown("is missing")
        self.check_page(headers)
        return _OWNER

    def check_page(self, headers: Headers) -> None:
        """Refuse a web page of somebody else: by `Host` and `Origin`."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.open:
            self._check_host(host)
        if (origin := headers.get(b"origin")) is not None:
            self._check_origin(origin.decode("latin-1").lower(), host)

    async def _by_token(self, given: bytes) -> Principal:
        scheme, _, rest = given.partition(b" ")
        secret = rest.strip()
        if scheme.lower() != b"bearer":
            raise _unknown("is wrong")
        if self._token is not None and hmac.compare_digest(secret, self._token):
            return _CONFIGURED
        found = await self._desk.by_token(secret.decode("utf-8", "surrogateescape"))
        if found is None:
            raise _unknown("is wrong")
        return found

    async def _by_cookie(self, method: str, headers: Headers, secret: str) -> Principal:
        used = method not in _SAFE or BACKGROUND_HEADER.lower().encode() not in headers
        found = await self._desk.by_session(secret, used=used)
        if found is None:
            raise Refused(
                401,
                "SESSION_ENDED",
                "the session has ended; sign in again",
                field="cookie",
                headers={"Set-Cookie": cookie(headers, None)},
            )
        if method not in _SAFE:
            self.check_page(headers)
            shown = headers.get(CSRF_HEADER.lower().encode(), b"")
            if not hmac.compare_digest(shown, csrf(secret).encode()):
                raise Refused(
                    403,
                    "CSRF",
                    f"a change with a session's cookie needs the header {CSRF_HEADER}, as "
                    "GET /v1/session gives it",
                    field=CSRF_HEADER.lower(),
                )
        return found

    def _check_host(self, host: str) -> None:
        if _name(host) not in self._hosts:
            raise Refused(
                403,
                "HOST_NOT_ALLOWED",
                f"the request is for host {host!r}; add it to server.allowed_hosts if it is ours",
                field="host",
                value=host,
                allowed=", ".join(sorted(self._hosts)),
            )

    def _check_origin(self, origin: str, host: str) -> None:
        _, _, authority = origin.partition("://")
        if authority != host and _name(authority) not in self._hosts - set(_LOCAL):
            raise Refused(
                403,
                "ORIGIN_NOT_ALLOWED",
                f"a web page of {origin!r} may not use this API without a token",
                field="origin",
                value=origin,
                allowed=f"http://{host}",
            )


def session_secret(headers: Headers) -> str | None:
    """Return the secret that the browser's cookie holds, None: there is none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return None
    found = jar.get(_cookie_name(headers))
    return found.value if found is not None and found.value else None


def cookie(headers: Headers, secret: str | None) -> str:
    """Return the value of `Set-Cookie` that gives a secret to the browser, or (None) takes it.

    It ends with the browser; scripts cannot read it, no other site makes the browser send it.
    """
    name = _cookie_name(headers)
    kept = f"{name}={secret or ''}; Path=/; HttpOnly; SameSite=Strict"
    if name.startswith("__Host-"):
        kept += "; Secure"
    return kept if secret else f"{kept}; Max-Age=0"


def csrf(secret: str) -> str:
    """Return what a change must carry besides the cookie: a page of another site cannot read it."""
    return hashlib.sha256(b"csrf:" + secret.encode("utf-8", "surrogateescape")).hexdigest()


def _cookie_name(headers: Headers) -> str:
    """Return the cookie's name: `Secure` off loopback, where only TLS may carry it.

    Cookies do not tell ports apart; two Holdfasts of one machine must not end each other's session.
    """
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if _name(host) not in _LOCAL:
        return "__Host-holdfast"
    port = host.rpartition(":")[2]
    return f"holdfast_{port}" if port.isdecimal() else "holdfast"


def _unknown(what: str) -> Refused:
    return Refused(
        401,
        "UNAUTHORIZED",
        f"the bearer token {what}; send the header Authorization: Bearer TOKEN, or sign in",
        field="authorization",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _name(authority: str) -> str:
    """Return host without port; IPv6 addresses keep their brackets."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]
