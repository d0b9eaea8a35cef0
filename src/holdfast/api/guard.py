"""Who may talk to us: a bearer token, or on loopback the right Host and Origin.

Without a token every program of this machine may use the API, but no web page may: a page that
rebinds its name to 127.0.0.1 shows in `Host`, one that posts across sites shows in `Origin`.
"""

import hmac
from collections.abc import Mapping
from typing import Final

from holdfast.api.problem import Refused
from holdfast.config import Server

Headers = Mapping[bytes, bytes]
"""Header names in lower case, as ASGI gives them."""

_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")


class Guard:
    """Turns away who may not.

    Args:
        server: the token and the names under which we may be reached.
    """

    def __init__(self, server: Server) -> None:
        self._token = server.token.encode() if server.token else None
        own = f"[{server.host}]" if ":" in server.host else server.host
        self._hosts = {name.lower() for name in (*_LOCAL, own, *server.allowed_hosts)}

    def check(self, headers: Headers) -> None:
        """Raise `Refused` unless the request may pass."""
        if self._token is not None:
            self._check_token(headers.get(b"authorization", b""))
            return
        host = headers.get(b"host", b"").decode("latin-1").lower()
        self._check_host(host)
        if (origin := headers.get(b"origin")) is not None:
            self._check_origin(origin.decode("latin-1").lower(), host)

    def _check_token(self, given: bytes) -> None:
        scheme, _, token = given.partition(b" ")
        good = hmac.compare_digest(token.strip(), self._token or b"")
        if not good or scheme.lower() != b"bearer":
            what = "is wrong" if given else "is missing"
            raise Refused(
                401,
                "UNAUTHORIZED",
                f"the bearer token {what}; send the header Authorization: Bearer TOKEN",
                field="authorization",
                headers={"WWW-Authenticate": "Bearer"},
            )

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


def _name(authority: str) -> str:
    """Return host without port; IPv6 addresses keep their brackets."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]
