"""Nothing is retried below the lane (promise 4): what may have been sent is sent once.

The partner counts whole requests. A kept-alive connection that ends at a bad moment is where
clients and drivers like to try again on their own.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from holdfast.channel import Request
from holdfast.channels.http import HttpChannel
from holdfast.model.attempt import Reply
from holdfast.testing.partner import Act, Close, Partner, Reset, Script, Seen, answer, head

Send = Callable[..., Awaitable[Reply]]
BAD_ENDINGS: dict[str, list[Act]] = {
    "closed without an answer": [Close()],
    "reset without an answer": [Reset()],
    "closed inside the head": [b"HTTP/1.1 200 OK\r\nConte", Close()],
    "reset inside the head": [b"HTTP/1.1 200 OK\r\nConte", Reset()],
    "closed inside the body": [head("Content-Length: 10"), b"abc", Close()],
    "reset inside the body": [head("Content-Length: 10"), b"abc", Reset()],
}


def second_time(acts: list[Act]) -> Script:
    """Answer the first request of every connection well and the second one badly."""
    counts: Counter[int] = Counter()

    def script(seen: Seen) -> list[Act]:
        counts[seen.connection] += 1
        return [answer(200)] if counts[seen.connection] == 1 else acts

    return script


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
@pytest.mark.parametrize("ending", BAD_ENDINGS)
async def test_a_connection_that_ends_badly_is_not_a_second_send(
    send: Send, ending: str, method: str
) -> None:
    """Every second use of a kept-alive connection fails; no request arrives twice.

    Not even those that HTTP calls idempotent: other clients repeat them on their own. (Ten
    connections, or a few more when one is not back with the client before the next send.)
    """
    with Partner(second_time(BAD_ENDINGS[ending])) as partner:
        replies = [await send(partner, method=method) for _ in range(20)]
    assert len(partner.seen) == 20
    assert 10 <= partner.connections <= 15
    assert sum(reply.error is None for reply in replies) == partner.connections
    assert all(reply.maybe_received for reply in replies if reply.error is not None)


@pytest.mark.parametrize("act", [Close(), Reset()], ids=["close", "reset"])
async def test_a_connection_closed_while_idle_costs_at_most_that_send(send: Send, act: Act) -> None:
    """A partner that ends every connection after its answer gets each request once at most.

    When the client has noticed the end it uses a new connection: the request was never written
    to the old one. When it has not, the send is in doubt; it is not repeated.
    """
    with Partner(lambda _: [answer(200), act]) as partner:
        replies = [await send(partner) for _ in range(100)]
    good = sum(reply.error is None for reply in replies)
    assert good <= len(partner.seen) <= 100
    assert all(reply.maybe_received for reply in replies if reply.error is not None)


async def test_many_at_once_over_dying_connections_arrive_once_each(
    channel: HttpChannel, request_to: Callable[..., Request]
) -> None:
    """Under concurrency, too, the partner never sees one idempotency key twice."""
    with Partner(second_time([Reset()])) as partner:
        base = request_to(partner.url)
        requests = [
            Request(base.endpoint, b"{}", f"dlv_{n}", "msg_1", 0, "acme", "leads", "deliver")
            for n in range(300)
        ]
        for start in range(0, 300, 30):
            await asyncio.gather(*(channel.send(one) for one in requests[start : start + 30]))
    keys = Counter(seen.headers["idempotency-key"] for seen in partner.seen)
    assert max(keys.values()) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(send: Send, status: int) -> None:
    """Each hop would be a new recipient: a redirect is the answer."""
    with Partner() as other, Partner(lambda _: [answer(status, location=other.url)]) as partner:
        reply = await send(partner)
    assert (reply.status, reply.headers["location"]) == (status, other.url)
    assert (len(partner.seen), len(other.seen)) == (1, 0)


@pytest.mark.parametrize("status", [401, 408, 425, 429, 500, 502, 503, 504])
async def test_no_status_makes_the_client_try_again(send: Send, status: int) -> None:
    """408 and 401 are retried by many clients; here they are facts."""
    with Partner(lambda _: [answer(status, retry_after="0", connection="close")]) as partner:
        reply = await send(partner)
    assert (reply.status, reply.error) == (status, None)
    assert len(partner.seen) == 1


async def test_connections_are_reused(send: Send) -> None:
    """Keep-alive works, also when answers are chunked or have no body.

    The client takes a connection back on a thread of its own, so a send right after an answer may
    open another one; a kind of answer that always cost its connection would make five.
    """
    chunked = head("Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n"
    answers = [answer(200, b"ok"), chunked, b"HTTP/1.1 204 No\r\n\r\n", answer(503, b"x" * 5000)]
    with Partner(lambda seen: [answers[seen.number % 4]]) as partner:
        for _ in range(20):
            assert (await send(partner)).error is None
    assert 1 <= partner.connections < 5


async def test_no_cookie_is_kept(send: Send) -> None:
    """A partner's cookie does not come back to it."""
    with Partner(lambda _: [answer(200, set_cookie="a=b; Path=/")]) as partner:
        assert (await send(partner)).headers["set-cookie"] == "a=b; Path=/"
        await send(partner)
    assert all("cookie" not in seen.headers for seen in partner.seen)


async def test_a_send_is_cut_when_it_is_cancelled(send: Send) -> None:
    """The partner sees the connection end, so it can stop working for nobody."""
    with Partner(lambda _: [head("Content-Length: 10")]) as partner:
        task = asyncio.ensure_future(send(partner))
        while not partner.seen:
            await asyncio.wait({task}, timeout=0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        partner.script = lambda _: [answer(200)]
        reply = await send(partner)
    assert reply.error is None
    assert partner.connections == 2
