"""Which addresses may be reached: partners are on the public Internet unless an endpoint says so.

Without the guard anyone who may name a URL can read the machine's own services and the cloud's
metadata address through us. The ranges are the special-purpose registries of IANA (RFC 6890),
spelled out so that an update of Python cannot change what is refused.
"""

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Range = ipaddress.IPv4Network | ipaddress.IPv6Network


def _ranges(table: dict[str, str]) -> tuple[tuple[Range, str], ...]:
    return tuple((ipaddress.ip_network(net), word) for net, word in table.items())


_NEVER: Final = _ranges(
    {
        "0.0.0.0/8": "unspecified",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
        "::/128": "unspecified",
        "ff00::/8": "multicast",
    }
)
"""Nobody answers there over TCP; on Linux 0.0.0.0 is this machine."""

_PRIVATE: Final = _ranges(
    {
        "10.0.0.0/8": "private",
        "100.64.0.0/10": "carrier-grade NAT",
        "127.0.0.0/8": "loopback",
        "169.254.0.0/16": "link-local",
        "172.16.0.0/12": "private",
        "192.0.0.0/24": "protocol assignments",
        "192.0.2.0/24": "documentation",
        "192.88.99.0/24": "6to4 relay",
        "192.168.0.0/16": "private",
        "198.18.0.0/15": "benchmarking",
        "198.51.100.0/24": "documentation",
        "203.0.113.0/24": "documentation",
        "::1/128": "loopback",
        "64:ff9b:1::/48": "local NAT64",
        "100::/64": "discard",
        "2001::/23": "protocol assignments",
        "2001:db8::/32": "documentation",
        "3fff::/20": "documentation",
        "5f00::/16": "segment routing",
        "fc00::/7": "private",
        "fe80::/10": "link-local",
        "fec0::/10": "site-local",
    }
)

_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)


def refusal(address: str, *, allow_private: bool) -> str | None:
    """Return why this address must not be reached, or None when it may.

    IPv4 addresses inside IPv6 ones (mapped, compatible, translated, 6to4, NAT64, ISATAP) are judged
    as well: the machine or a translator near it may unwrap them.

    Args:
        address: an IP address; a zone (`%eth0`) is ignored.
        allow_private: the endpoint may reach private, loopback and link-local addresses.
    """
    try:
        outer = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return "not an IP address"
    for inner in (outer, *_embedded(outer)):
        word = _find(inner, _NEVER) or (None if allow_private else _find(inner, _PRIVATE))
        if word:
            return word
    return None


def _find(address: Address, table: tuple[tuple[Range, str], ...]) -> str | None:
    for network, word in table:
        if address.version == network.version and address in network:
            return word
    return None


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    number = int(address)
    found = []
    low = number & 0xFFFF_FFFF
    if number >> 32 == 0xFFFF or (number >> 32 == 0 and low > 1):  # mapped; compatible
        found.append(low)
    if number >> 32 == 0xFFFF_0000:  # translated, ::ffff:0:0:0/96 (RFC 2765)
        found.append(low)
    if number >> 32 == 0x0064_FF9B << 64:  # NAT64, 64:ff9b::/96
        found.append(low)
    if number >> 112 == 0x2002:  # 6to4
        found.append(number >> 80 & 0xFFFF_FFFF)
    if number >> 32 & 0xFFFF_FFFF in _ISATAP:
        found.append(low)
    return [ipaddress.IPv4Address(value) for value in found]
