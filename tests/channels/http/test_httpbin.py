"""Against a server nobody here wrote: httpbin under waitress, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from holdfast.model.attempt import FailureClass, Reply, Result
from holdfast.model.flow import BasicAuth, BearerAuth, Catalog, Endpoint, Recipient
from holdfast.model.policy import Policy
from holdfast.policy.failure import classify
from holdfast.policy.precedence import resolve

pytestmark = pytest.mark.slow
Send = Callable[..., Awaitable[Reply]]

SERVER = """
import socket, httpbin, waitress
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
waitress.serve(httpbin.app, sockets=[listener], threads=8)
"""


@pytest.fixture(scope="module")
def httpbin() -> Iterator[str]:
    """Yield the server's address."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Return the default policy."""
    recipient = Recipient(name="acme", endpoints=(Endpoint(url="https://p.example/"),))
    return resolve(Catalog(), flow=None, step=None, recipient=recipient)


def seen_by(reply: Reply) -> Any:
    """Return what httpbin says that it received."""
    return json.loads(reply.body)


async def test_it_receives_what_we_send(send: Send, httpbin: str) -> None:
    """A real framework parses our request: payload, key, message, attempt."""
    reply = await send(f"{httpbin}/post?a={{{{x}}}}", b'{"x": "1 &2"}')
    seen = seen_by(reply)
    assert (seen["data"], seen["json"], seen["args"]) == (
        '{"x": "1 &2"}',
        {"x": "1 &2"},
        {"a": "1 &2"},
    )
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert (headers["idempotency-key"], headers["webhook-id"]) == ("dlv_1", "msg_1")
    assert headers["holdfast-attempt"] == "2"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_method_carries_the_body(send: Send, httpbin: str, method: str) -> None:
    """Every method but GET has a body."""
    seen = seen_by(await send(f"{httpbin}/{method.lower()}", b'{"x":1}', method=method))
    assert seen["json"] == {"x": 1}


async def test_it_parses_our_forms(send: Send, httpbin: str) -> None:
    """A form arrives as fields, a GET form as query."""
    payload = '{"name": "Zo\u00eb & Co", "n": {"a": [1, true]}}'.encode()
    fields = {"name": "Zo\u00eb & Co", "n.a.0": "1", "n.a.1": "true"}
    assert seen_by(await send(f"{httpbin}/post", payload, body="form"))["form"] == fields
    reply = await send(f"{httpbin}/get", payload, body="form", method="GET")
    assert seen_by(reply)["args"] == fields


@pytest.mark.parametrize(
    ("status", "result", "failure_class", "retryable"),
    [
        (200, Result.SUCCESS, None, False),
        (204, Result.SUCCESS, None, False),
        (400, Result.FAILURE, FailureClass.DATA, False),
        (401, Result.ERROR, FailureClass.AUTH, False),
        (429, Result.ERROR, FailureClass.RATE_LIMIT, True),
        (500, Result.ERROR, FailureClass.SERVER, True),
        (503, Result.ERROR, FailureClass.SERVER, True),
    ],
)
async def test_statuses(
    send: Send,
    httpbin: str,
    policy: Policy,
    *,
    status: int,
    result: Result,
    failure_class: FailureClass | None,
    retryable: bool,
) -> None:
    """Statuses come through as facts and are classified by the table."""
    reply = await send(f"{httpbin}/status/{status}")
    assert (reply.status, reply.error, reply.maybe_received) == (status, None, False)
    outcome = classify(reply, policy)
    assert (outcome.result, outcome.failure_class) == (result, failure_class)
    assert outcome.retryable is retryable


async def test_a_flaky_partner(send: Send, httpbin: str) -> None:
    """One of 200 and 503 per send, over kept-alive connections, and never an error of ours."""
    replies = [await send(f"{httpbin}/status/200,503") for _ in range(40)]
    assert {reply.status for reply in replies} == {200, 503}
    assert all(reply.error is None for reply in replies)


async def test_a_slow_partner_is_in_doubt(send: Send, httpbin: str, policy: Policy) -> None:
    """/delay/3 with less patience: a time-out, possibly received, retryable."""
    reply = await send(f"{httpbin}/delay/3", total_timeout=0.5)
    assert (reply.error, reply.error_code) == (FailureClass.TIMEOUT, "ETIMEDOUT")
    assert reply.maybe_received
    outcome = classify(reply, policy)
    assert (outcome.failure_class, outcome.retryable) == (FailureClass.TIMEOUT, True)
    assert outcome.maybe_received


async def test_a_redirect_is_an_answer(send: Send, httpbin: str, policy: Policy) -> None:
    """The redirect is not followed, and it is no success."""
    reply = await send(f"{httpbin}/redirect-to?url=/get&status_code=302")
    assert (reply.status, reply.headers["location"]) == (302, "/get")
    assert classify(reply, policy).result is not Result.SUCCESS


async def test_a_drip_ends_with_the_total_timeout(send: Send, httpbin: str) -> None:
    """/drip keeps the read time-out quiet; the total one ends it, and the status is kept."""
    url = f"{httpbin}/drip?duration=8&numbytes=40&code=200"
    reply = await send(url, method="GET", total_timeout=1.0, read_timeout=0.9)
    assert (reply.error, reply.status) == (FailureClass.TIMEOUT, 200)
    assert reply.duration_ms < 5_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_packed_answers_are_unpacked(send: Send, httpbin: str, encoding: str) -> None:
    """A real server's compression is understood."""
    packed = {"gzip": "gzipped", "deflate": "deflated"}[encoding]
    assert seen_by(await send(f"{httpbin}/{encoding}", method="GET"))[packed] is True


async def test_authentication_is_accepted(send: Send, httpbin: str, policy: Policy) -> None:
    """Basic and bearer work; a wrong password is of class auth."""
    url = f"{httpbin}/basic-auth/user/p%3Ass"
    good = await send(url, method="GET", auth=BasicAuth("user", "p:ss"))
    bad = await send(url, method="GET", auth=BasicAuth("user", "wrong"))
    bearer = await send(f"{httpbin}/bearer", method="GET", auth=BearerAuth("t0k"))
    assert (good.status, bad.status) == (200, 401)
    assert classify(bad, policy).failure_class is FailureClass.AUTH
    assert seen_by(bearer)["token"] == "t0k"


async def test_a_chunked_answer(send: Send, httpbin: str) -> None:
    """/stream-bytes has no length; only what is captured is kept."""
    reply = await send(
        f"{httpbin}/stream-bytes/50000?chunk_size=100", method="GET", capture_bytes=1000
    )
    assert (reply.status, len(reply.body), reply.truncated) == (200, 1000, True)
