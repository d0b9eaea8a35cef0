"""What of the sections must fit together, and what a type cannot say."""

import ipaddress
import re
from typing import Final

from holdfast.config.sections import RetentionSettings, Server, StoreSettings
from holdfast.errors import InvalidInput

_DATABASE: Final = re.compile(r"postgres(ql)?://\S+$")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check(server: Server, keep: RetentionSettings, store: StoreSettings) -> None:
    """Refuse what the types could not.

    Raises:
        InvalidInput: names the place.
    """
    for number, address in enumerate(server.trusted_proxies):
        if not _is_network(address):
            place = f"server.trusted_proxies.{number}"
            raise InvalidInput(place, address, "an address or a network, such as 10.0.0.0/8")
    if store.url is not None and not _DATABASE.match(store.url):
        allowed = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        raise InvalidInput("store.url", "***", allowed)  # it may hold a password
    if store.url is not None and store.quota_bytes is not None:
        allowed = "none with store.url: the disk of the database's server decides"
        raise InvalidInput("store.quota_bytes", store.quota_bytes, allowed)
    if server.token is None and server.local_owner and not is_loopback(server.host):
        raise InvalidInput(
            "server.host",
            server.host,
            "127.0.0.1, ::1 or localhost without a token; to listen elsewhere set server.token "
            "(or HOLDFAST_TOKEN) to at least 8 characters, or make users and tokens and set "
            "server.local_owner = false",
        )
    if keep.audit_days < keep.rows_days:
        allowed = f"at least rows_days ({keep.rows_days})"
        raise InvalidInput("retention.audit_days", keep.audit_days, allowed)
    if keep.key_days < keep.payload_days:
        raise InvalidInput(
            "retention.key_days", keep.key_days, f"at least payload_days ({keep.payload_days})"
        )


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
