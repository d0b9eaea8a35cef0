"""Where requests go: names are resolved once, by us, vetted, and then connected to."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable

import pytest

from holdfast.channel import Request
from holdfast.channels.http import HttpChannel
from holdfast.channels.http.resolve import SystemLookup
from holdfast.clock import SystemClock
from holdfast.model.attempt import FailureClass, Reply
from holdfast.testing.clock import VirtualClock
from holdfast.testing.partner import Names, Partner, answer, deaf_port
from holdfast.testing.ports import free_port

Send = Callable[..., Awaitable[Reply]]
MakeRequest = Callable[..., Request]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "10.0.0.1",
        "0.0.0.0",
    ],
)
async def test_private_literals_are_refused(send: Send, host: str) -> None:
    """However an address is spelled, nothing goes on the wire without permission."""
    with Partner() as partner:
        reply = await send(f"http://{host}:{partner.port}/", allow_private=False)
    assert (reply.error, reply.error_code) == (FailureClass.CONFIGURATION, "ADDRESS_REFUSED")
    assert not reply.maybe_received
    assert partner.connections == 0


async def test_private_addresses_of_names_are_refused(send: Send, names: Names) -> None:
    """A public name for a private address does not help."""
    names.answers["inside.test"] = [["127.0.0.1", "::1"]]
    with Partner() as partner:
        reply = await send(partner.at("inside.test"), allow_private=False)
    assert reply.error_code == "ADDRESS_REFUSED"
    assert reply.error_message == (
        "inside.test is 127.0.0.1 (loopback); `allow_private` is not set"
    )
    assert partner.connections == 0


async def test_rebinding_is_useless(send: Send, names: Names) -> None:
    """The address that was vetted is the one that is connected to: there is no second look-up.

    Between the vetting and the connection the name changes to another address. Somebody listens
    there, and must not be reached; only the next send may ask again.
    """
    names.answers["rebind.test"] = [["127.0.0.2"], ["127.0.0.1"]]
    with Partner() as partner:
        first = await send(partner.at("rebind.test"))
        assert (first.error_code, len(names.asked), partner.connections) == ("ECONNREFUSED", 1, 0)
        second = await send(partner.at("rebind.test"), allow_private=False)
        assert (second.error_code, partner.connections) == ("ADDRESS_REFUSED", 0)


@pytest.mark.parametrize("host", ["pinned.test", "PINNED.test", "pinned.test.", "p\u00efnned.test"])
async def test_every_spelling_of_a_name_is_pinned(send: Send, names: Names, host: str) -> None:
    """Case, a final dot and other alphabets do not lead around the vetted address."""
    for name in ("pinned.test", "pinned.test.", "xn--pnned-cta.test"):
        names.answers[name] = [["127.0.0.1"]]
    with Partner() as partner:
        reply = await send(partner.at(host))
    assert reply.status == 200, names.asked
    assert len(partner.seen) == 1


async def test_a_name_without_address(send: Send, names: Names) -> None:
    """A name that does not resolve is a DNS error with the system's word for it."""
    names.answers["empty.test"] = [[]]
    gone = await send("http://gone.test/")
    empty = await send("http://empty.test/")
    assert (gone.error, gone.error_code) == (FailureClass.DNS, "EAI_NONAME")
    assert (empty.error, empty.error_code) == (FailureClass.DNS, "EAI_NODATA")
    assert not gone.maybe_received


async def test_a_name_server_that_is_silent(request_to: MakeRequest) -> None:
    """Resolving ends with the connect time-out; other names are not held up by it."""

    async def lookup(host: str, _: int) -> list[str]:
        if host == "slow.test":
            await asyncio.get_running_loop().create_future()
        return ["127.0.0.1"]

    channel = HttpChannel(SystemClock(), lookup=lookup)
    with Partner() as partner:
        slow = asyncio.create_task(
            channel.send(request_to(partner.at("slow.test"), connect_timeout=0.3))
        )
        fast = await channel.send(request_to(partner.at("fast.test")))
        reply = await slow
    await channel.close()
    assert fast.status == 200
    assert (reply.error, reply.error_code) == (FailureClass.DNS, "ETIMEDOUT")
    assert not reply.maybe_received


async def test_the_systems_resolver() -> None:
    """Real look-ups: an address, a name of this machine, and names that cannot exist."""
    lookup = SystemLookup()
    assert await lookup("127.0.0.1", 80) == ["127.0.0.1"]
    assert {"127.0.0.1", "::1"}.intersection(await lookup("localhost", 80))
    for host in ("nobody.invalid", "a" * 64 + ".test", "\u00e9" * 70):
        with pytest.raises(socket.gaierror):
            await lookup(host, 80)
    lookup.close()


async def test_names_are_looked_up_once_for_many(
    channel: HttpChannel, request_to: MakeRequest, names: Names
) -> None:
    """A hundred recipients on one host share one look-up, one client and its connections."""
    names.answers["shared.test"] = [["127.0.0.1"]]
    with Partner() as partner:
        requests = [request_to(partner.at("shared.test"), name=f"e{n}") for n in range(100)]
        replies = await asyncio.gather(*(channel.send(request) for request in requests))
        again = [await channel.send(request) for request in requests]
    assert all(reply.status == 200 for reply in (*replies, *again))
    assert names.asked == ["shared.test"]
    assert partner.connections <= 100
    assert again[0].network is not None
    assert again[0].network.dns_ms is None


async def test_names_are_looked_up_again_after_a_while(
    request_to: MakeRequest, names: Names
) -> None:
    """A partner that moves is followed within seconds."""
    clock = VirtualClock()  # moved by hand, on a real event loop
    channel = HttpChannel(clock, lookup=names)
    names.answers["moves.test"] = [["127.0.0.1"], ["127.0.0.2"]]
    with Partner() as partner:
        request = request_to(partner.at("moves.test"))
        first = await channel.send(request)
        clock.jump(6.0)
        second = await channel.send(request)
    await channel.close()
    assert (first.status, second.error_code) == (200, "ECONNREFUSED")
    assert len(names.asked) >= 2


async def test_the_next_address_is_tried_when_one_refuses(send: Send, names: Names) -> None:
    """A name with a dead address first still delivers, and the live one is remembered."""
    names.answers["two.test"] = [["127.0.0.9", "127.0.0.1"]]
    with Partner() as partner:
        replies = [await send(partner.at("two.test")) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert len(partner.seen) == 3
    assert replies[0].network is not None
    assert replies[0].network.error_share == 0.0


async def test_all_addresses_refuse(send: Send, names: Names) -> None:
    """Each address is tried once; then the send has failed."""
    names.answers["dead.test"] = [[f"127.0.0.{n}" for n in range(2, 9)]]
    reply = await send(f"http://dead.test:{free_port()}/")
    assert (reply.error, reply.error_code) == (FailureClass.CONNECT, "ECONNREFUSED")


async def test_a_deaf_address_is_left_for_the_next_send(send: Send, names: Names) -> None:
    """A connection time-out costs one send; the next one tries another address."""
    names.answers["deaf.test"] = [["127.0.0.1", "127.0.0.2"]]
    with deaf_port() as port, Partner(address=("127.0.0.2", port)) as partner:
        first = await send(partner.at("deaf.test"), connect_timeout=0.2)
        second = await send(partner.at("deaf.test"), connect_timeout=0.2)
    assert (first.error, first.maybe_received) == (FailureClass.TIMEOUT, False)
    assert (second.status, len(partner.seen)) == (200, 1)


async def test_the_environments_proxy_is_ignored(
    monkeypatch: pytest.MonkeyPatch, send: Send
) -> None:
    """`HTTP_PROXY` and its kin are for other programs."""
    with Partner() as proxy, Partner() as partner:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.at("127.0.0.1"))
        reply = await send(partner)
    assert reply.status == 200
    assert (proxy.connections, len(partner.seen)) == (0, 1)


async def test_the_endpoints_proxy_is_used(send: Send, names: Names) -> None:
    """A configured proxy gets the request; the proxy resolves the name."""
    with Partner(lambda _: [answer(200, b"by proxy")]) as proxy:
        reply = await send("http://partner.test/x", proxy=f"http://u:p@127.0.0.1:{proxy.port}")
    assert reply.body == b"by proxy"
    assert proxy.seen[0].target == "http://partner.test/x"
    assert proxy.seen[0].headers["proxy-authorization"] == "Basic dTpw"
    assert names.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254"])
async def test_a_proxy_does_not_lead_around_the_guard(send: Send, names: Names, host: str) -> None:
    """Addresses and the proxy's own machine are vetted although the proxy would connect."""
    names.answers["localhost"] = [["127.0.0.1"]]
    with Partner() as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        reply = await send(f"http://{host}/", proxy=url, allow_private=False)
    assert reply.error_code == "ADDRESS_REFUSED"
    assert proxy.connections == 0


async def test_a_proxy_that_opens_no_tunnel(send: Send) -> None:
    """HTTPS through a proxy that says no: nothing was sent."""
    with Partner(lambda _: [answer(403)]) as proxy:
        reply = await send("https://partner.test/", proxy=f"http://127.0.0.1:{proxy.port}")
    assert (reply.error, reply.error_code) == (FailureClass.CONNECT, "PROXY_REFUSED")
    assert not reply.maybe_received


async def test_secrets_never_reach_a_reply(send: Send) -> None:
    """Whatever goes wrong, no message holds the URL's query, the proxy's or the endpoint's keys."""
    secret = "hunter2"
    fields = {"headers": {"X-Key": secret}, "proxy": f"http://u:{secret}@127.0.0.1:1"}
    with Partner(lambda _: [b"garbage\r\n\r\n"]) as partner:
        replies = [
            await send(f"{partner.url}?token={secret}"),
            await send(f"http://127.0.0.1:{free_port()}/?token={secret}"),
            await send(f"http://gone.test/?token={secret}"),
            await send(f"http://partner.test/?token={secret}", **fields),
            await send(f"ftp://partner.test/?token={secret}"),
            await send("http://127.0.0.1/", proxy=f"nonsense {secret}"),
        ]
    for reply in replies:
        assert reply.error is not None
        assert reply.error_message
        assert secret not in reply.error_message


async def test_closing_ends_waiting_for_names(request_to: MakeRequest) -> None:
    """A send that waits for a name server is cut as well, without doubt."""
    waiting = asyncio.Event()

    async def lookup(_: str, __: int) -> list[str]:
        waiting.set()
        await asyncio.get_running_loop().create_future()
        return []

    channel = HttpChannel(SystemClock(), lookup=lookup)
    task = asyncio.create_task(channel.send(request_to("http://slow.test/")))
    await waiting.wait()
    await channel.close()
    reply = await task
    assert (reply.error, reply.error_code) == (FailureClass.CANCELLED, "CHANNEL_CLOSED")
    assert not reply.maybe_received


async def test_no_thread_outlives_the_channel(request_to: MakeRequest) -> None:
    """Closing gives back the threads of look-ups and of certificates."""
    channel = HttpChannel(SystemClock())
    with Partner() as partner:
        assert (await channel.send(request_to(partner.at("localhost")))).status == 200
        await channel.close()
        mine = [t for t in threading.enumerate() if t.name.startswith("holdfast-")]
        for thread in mine:
            thread.join(5)
    assert not [t for t in mine if t.is_alive()]
