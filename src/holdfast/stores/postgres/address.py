"""Where a database is: the URL as given, and what of it may be shown."""

from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from holdfast.errors import InvalidInput

SCHEMES: Final = ("postgresql", "postgres")
ALLOWED: Final = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"

TARGETS: Final = ("any", "primary", "read-write")


class Address(msgspec.Struct, frozen=True):
    """A database.

    Attributes:
        urls: one per host, with the password; never shown.
        label: the same without user, password and options.
        target: which of several hosts will do, one of `TARGETS`.
        prepared: statements are prepared once per connection; not behind every pooler.
    """

    urls: tuple[str, ...]
    label: str
    target: str = "read-write"
    prepared: bool = True

    def __repr__(self) -> str:
        return f"Address({self.label!r})"


def parse(url: str, *, prepared: bool = True) -> Address:
    """Return the address of a URL in the form of libpq.

    Raises:
        InvalidInput: it is none; the value is not repeated, as it may hold a password.
    """
    try:
        parts = urlsplit(url)
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise InvalidInput("store.url", "***", ALLOWED) from None
    hosts = parts.netloc.rpartition("@")[2] or ",".join(options.get("host", []))
    if parts.scheme not in SCHEMES or not hosts or parts.fragment:
        raise InvalidInput("store.url", "***", ALLOWED)
    label = f"postgresql://{hosts}{parts.path}"
    target = options.get("target_session_attrs", ["read-write"])[-1]
    if target not in TARGETS:
        raise InvalidInput("store.url: target_session_attrs", target, ", ".join(TARGETS))
    user, at, given = parts.netloc.rpartition("@")
    urls = [parts._replace(netloc=f"{user}{at}{host}").geturl() for host in given.split(",")]
    return Address(tuple(urls), label, target, prepared)
