"""Partners that misbehave: every send ends in time, in bounded memory, as facts."""

import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable

import pytest

from holdfast.channels.http.channel import HEADER_MAX
from holdfast.model.attempt import FailureClass, Reply
from holdfast.testing.partner import (
    Act,
    Close,
    Drip,
    Partner,
    Pause,
    Reset,
    Silence,
    answer,
    bomb,
    deaf_port,
    head,
)
from holdfast.testing.ports import free_port

pytestmark = pytest.mark.slow

Send = Callable[..., Awaitable[Reply]]
MIB = 1 << 20

TIMEOUT, CONNECT, PROTOCOL = FailureClass.TIMEOUT, FailureClass.CONNECT, FailureClass.PROTOCOL
SMALL = "Content-Length: 10"
CASES: dict[str, tuple[list[Act], FailureClass | None, str | None, int | None]] = {
    # name: (what the partner does, error, code, status)
    "never answers": ([Silence()], TIMEOUT, "ETIMEDOUT", None),
    "stops inside the head": ([b"HTTP/1.1 200 OK\r\nA", Silence()], TIMEOUT, "ETIMEDOUT", None),
    "drips the head": ([b"HTTP/1.1 200 OK\r\nA: ", Drip(b"a", 0.05)], TIMEOUT, "ETIMEDOUT", None),
    "drips the body": ([head(), Drip(b"a", 0.05)], TIMEOUT, "ETIMEDOUT", 200),
    "stops inside the body": ([head(SMALL), b"abc", Silence()], TIMEOUT, "ETIMEDOUT", 200),
    "drips empty chunks": (
        [head("Transfer-Encoding: chunked"), Drip(b"1\r\na\r\n", 0.05)],
        TIMEOUT,
        "ETIMEDOUT",
        200,
    ),
    "closes without an answer": ([Close()], CONNECT, "ECONNRESET", None),
    "resets without an answer": ([Reset()], CONNECT, "ECONNRESET", None),
    "closes inside the body": ([head(SMALL), b"abc", Close()], PROTOCOL, "BODY_INCOMPLETE", 200),
    "resets inside the body": (
        [head(SMALL), b"abc", Pause(0.1), Reset()],
        PROTOCOL,
        "ECONNRESET",
        200,
    ),
    "closes inside a chunk": (
        [head("Transfer-Encoding: chunked"), b"5\r\nab", Close()],
        PROTOCOL,
        "BODY_INCOMPLETE",
        200,
    ),
    "sends a bad chunk size": (
        [head("Transfer-Encoding: chunked"), b"zz\r\nab"],
        PROTOCOL,
        "BODY_INVALID",
        200,
    ),
    "sends bad gzip": (
        [head("Content-Encoding: gzip", SMALL), b"abcdefghij"],
        PROTOCOL,
        "BODY_INVALID",
        200,
    ),
    "sends garbage": ([b"\x00\x01\x02 what?\r\n\r\n"], PROTOCOL, "ANSWER_INVALID", None),
    "sends no status": ([b"HTTP/1.1 abc\r\n\r\n"], PROTOCOL, "ANSWER_INVALID", None),
    "sends HTTP/0.9": ([b"<html>hello</html>", Close()], PROTOCOL, "ANSWER_INVALID", None),
    "sends a bad header": ([head("a\x00b: c")], PROTOCOL, "ANSWER_INVALID", None),
    "sends two lengths": (
        [head(SMALL, "Content-Length: 11"), bytes(11)],
        PROTOCOL,
        "ANSWER_INVALID",
        None,
    ),
    "floods with headers": (
        [head(*[f"X-{n}: {n}" for n in range(2000)])],
        PROTOCOL,
        "ANSWER_INVALID",
        None,
    ),
    "sends an endless header": (
        [b"HTTP/1.1 200 OK\r\nA: ", Drip(bytes([97]) * MIB)],
        PROTOCOL,
        "ANSWER_INVALID",
        None,
    ),
    "changes the protocol": (
        [b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello"],
        PROTOCOL,
        "UPGRADE_UNEXPECTED",
        101,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_hostile_answers_are_facts(send: Send, name: str) -> None:
    """Class, code and status are as they should be, and the request is in doubt."""
    acts, error, code, status = CASES[name]
    with Partner(lambda _: acts) as partner:
        reply = await send(partner, total_timeout=0.6, read_timeout=0.5)
    assert (reply.error, reply.error_code, reply.status) == (error, code, status)
    assert reply.maybe_received
    assert reply.error_message
    assert reply.duration_ms < 5_000
    assert reply.network is not None
    assert (reply.network.errno, reply.network.error_share) == (code, float(status is None))
    assert len(partner.seen) == 1


async def test_what_came_of_a_broken_body_is_kept(send: Send) -> None:
    """The start of a body that broke off helps whoever looks into it."""
    with Partner(lambda _: [head(SMALL), b"abc", Pause(0.1), Close()]) as partner:
        reply = await send(partner)
    assert (reply.body, reply.truncated) == (b"abc", False)


async def test_silence_is_bounded_by_the_read_timeout(send: Send) -> None:
    """A partner that goes silent ends the send long before the total time-out."""
    with Partner(lambda _: [Silence()]) as partner:
        reply = await send(partner, read_timeout=0.2, total_timeout=60.0)
    assert (reply.error, reply.maybe_received) == (TIMEOUT, True)
    assert 150 < reply.duration_ms < 5_000


@pytest.mark.parametrize(
    "timeouts",
    [{"connect_timeout": 0.3}, {"read_timeout": 0.5}, {"total_timeout": 1.0}],
    ids=["connect", "read", "total"],
)
async def test_a_connection_that_is_not_made_leaves_no_doubt(
    send: Send, timeouts: dict[str, float]
) -> None:
    """Whichever time-out is the shortest: nothing was written, so nothing is in doubt."""
    with deaf_port() as port:
        reply = await send(f"http://127.0.0.1:{port}/", **timeouts)
    assert (reply.error, reply.error_code) == (TIMEOUT, "ETIMEDOUT")
    assert not reply.maybe_received


async def test_nobody_listens(send: Send) -> None:
    """A refused connection is certain, and known by its code (S5.38)."""
    reply = await send(f"http://127.0.0.1:{free_port()}/")
    assert (reply.error, reply.error_code) == (CONNECT, "ECONNREFUSED")
    assert not reply.maybe_received


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
async def test_a_gibibyte_costs_what_is_captured(send: Send, *, declared: bool) -> None:
    """Of 1 GiB only `capture_bytes` are read; the connection is dropped."""
    lines = ["Content-Length: 1073741824"] if declared else ["Connection: close"]
    with Partner(lambda _: [head(*lines), Drip(bytes(MIB), times=1024)]) as partner:
        tracemalloc.start()
        reply = await send(partner, capture_bytes=100_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert partner.gone.wait(5)
    assert (reply.status, reply.error) == (200, None)
    assert (len(reply.body), reply.truncated) == (100_000, True)
    assert peak < 8 * MIB


async def test_an_absurd_length_is_not_allocated(send: Send) -> None:
    """A declared length of nine exabytes is only a number."""
    with Partner(lambda _: [head("Content-Length: 9000000000000000000"), b"abc"]) as partner:
        reply = await send(partner, total_timeout=0.3)
    assert (reply.error, reply.body) == (TIMEOUT, b"abc")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_unpacked_as_far_as_it_is_captured(send: Send, encoding: str) -> None:
    """64 MiB of zeros in 64 KiB: only the first thousand bytes come out."""
    data = bomb(64) if encoding == "gzip" else zlib.compress(bytes(64 * MIB))
    with Partner(lambda _: [answer(200, data, content_encoding=encoding)]) as partner:
        reply = await send(partner, capture_bytes=1000)
    assert (reply.status, reply.error) == (200, None)
    assert (reply.body, reply.truncated) == (bytes(1000), True)


async def test_gzip_is_unpacked(send: Send) -> None:
    """A compressed answer is read as what it says, whether we asked for that or not."""
    data = gzip.compress(b'{"outcome": "success"}')
    with Partner(lambda _: [answer(200, data, content_encoding="gzip")]) as partner:
        reply = await send(partner)
    assert (reply.body, reply.truncated) == (b'{"outcome": "success"}', False)


@pytest.mark.parametrize(
    ("size", "truncated"), [(0, False), (99, False), (100, False), (101, True)]
)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
async def test_truncated_means_longer_than_captured(
    send: Send, size: int, *, truncated: bool, declared: bool
) -> None:
    """The flag is exact at the border."""
    body = bytes(size)
    acts: list[Act] = (
        [answer(200, body)] if declared else [head("Connection: close"), body, Close()]
    )
    with Partner(lambda _: acts) as partner:
        reply = await send(partner, capture_bytes=100)
    assert (reply.body, reply.truncated, reply.error) == (body[:100], truncated, None)


@pytest.mark.parametrize("status", [100, 102, 103])
async def test_interim_answers_are_passed_over(send: Send, status: int) -> None:
    """Any number of 1xx answers may come before the answer."""
    interim = f"HTTP/1.1 {status} Interim\r\nLink: x\r\n\r\n".encode()
    with Partner(lambda _: [interim * 20 + answer(200, b"ok")]) as partner:
        reply = await send(partner)
    assert (reply.status, reply.body, reply.error) == (200, b"ok", None)


async def test_interim_answers_for_ever_end_in_time(send: Send) -> None:
    """A partner that only ever says 100 Continue is a time-out."""
    with Partner(lambda _: [Drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02)]) as partner:
        reply = await send(partner, total_timeout=0.5)
    assert (reply.error, reply.status, reply.maybe_received) == (TIMEOUT, None, True)


async def test_an_answer_before_the_request_is_no_answer(send: Send) -> None:
    """What a partner says before it was asked cannot be about our request."""
    with Partner(greet=[answer(200, b"too early")]) as partner:
        replies = [await send(partner) for _ in range(3)]
    assert all(reply.status in {None, 200} for reply in replies)
    assert all(reply.maybe_received for reply in replies if reply.error is not None)


async def test_extra_bytes_do_not_become_the_next_answer(send: Send) -> None:
    """A second answer to one request must not be taken for the answer to the next one."""
    script = [answer(200, b"mine") + answer(200, b"smuggled")]
    with Partner(lambda _: script) as partner:
        replies = [await send(partner) for _ in range(10)]
    assert all(reply.body == b"mine" for reply in replies if reply.error is None)
    assert any(reply.error is None for reply in replies)


async def test_odd_headers_are_survived(send: Send) -> None:
    """Latin-1 values are left empty, long ones cut, repeated ones joined; names are lower case."""
    lines = ("X-Name: caf\u00e9", f"X-Long: {'a' * 9000}", "X-Two: 1", "x-two: 2", SMALL)
    raw = "\r\n".join(("HTTP/1.1 200 OK", *lines, "", "")).encode("latin-1")
    with Partner(lambda _: [raw + bytes(10)]) as partner:
        reply = await send(partner)
    assert reply.headers == {
        "x-name": "",
        "x-long": "a" * HEADER_MAX,
        "x-two": "1, 2",
        "content-length": "10",
    }


async def test_odd_statuses_are_facts(send: Send) -> None:
    """What the number means is for the classifier."""
    with Partner(lambda seen: [answer(599 + 400 * (seen.number % 2))]) as partner:
        assert [(await send(partner)).status for _ in range(2)] == [999, 599]
