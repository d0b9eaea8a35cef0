"""The address guard: nothing but the public Internet unless an endpoint says so."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.channels.http.guard import refusal

V4_PRIVATE = [
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
]
NEVER = ["0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "ff02::1"]
V6_PRIVATE = ["::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "2001:db8::1"]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::5"]


@pytest.mark.parametrize("address", V4_PRIVATE + V6_PRIVATE)
def test_private_addresses_need_permission(address: str) -> None:
    """Private, loopback, link-local and documentation addresses are refused, or allowed by will."""
    assert refusal(address, allow_private=False)
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_a_partner(address: str) -> None:
    """Multicast, unspecified and reserved addresses are refused even with permission."""
    assert refusal(address, allow_private=False)
    assert refusal(address, allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    """What is routed on the Internet may be reached."""
    assert refusal(address, allow_private=False) is None


@pytest.mark.parametrize(
    "wrap",
    [
        lambda v4: f"::ffff:{v4}",
        lambda v4: f"::{v4}",
        lambda v4: f"64:ff9b::{v4}",
        lambda v4: str(ipaddress.IPv6Address(0x2002 << 112 | int(ipaddress.ip_address(v4)) << 80)),
        lambda v4: f"2606:4700::5efe:{v4}",
        lambda v4: f"2606:4700::200:5efe:{v4}",
    ],
    ids=["mapped", "compatible", "nat64", "6to4", "isatap", "isatap-global"],
)
@pytest.mark.parametrize("inner", ["127.0.0.1", "169.254.169.254", "10.1.2.3"])
def test_an_ipv4_address_cannot_hide_in_an_ipv6_one(wrap: object, inner: str) -> None:
    """Mapped, compatible, NAT64, 6to4 and ISATAP addresses are judged by what they carry."""
    assert callable(wrap)
    assert refusal(wrap(inner), allow_private=False)


@given(st.ip_addresses())
def test_what_python_calls_not_global_is_refused(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Our table leaves out nothing of Python's, apart from ranges IANA has opened since."""
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert refusal(str(address), allow_private=False)


@given(st.text(max_size=40))
def test_what_is_no_address_is_refused(text: str) -> None:
    """Garbage does not pass, whatever it looks like."""
    try:
        ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        assert refusal(text, allow_private=True) == "not an IP address"


def test_translated_addresses_are_judged() -> None:
    """IPv4-translated (RFC 2765) carries an IPv4 address like the others."""
    assert refusal("::ffff:0:127.0.0.1", allow_private=False) == "loopback"
    assert refusal("::ffff:0:8.8.8.8", allow_private=False) is None
