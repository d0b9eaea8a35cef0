"""Connections that break: what is told, what is known afterwards, and how it comes back."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import StoreAway
from holdfast.lab.clock import VirtualClock
from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.store import Accept, EventQuery
from holdfast.stores.postgres import PostgresStore, session
from holdfast.stores.postgres.address import parse
from holdfast.stores.postgres.session import LAST_DELAY_MS, Backoff
from holdfast.testing.postgres import PostgresServer, running
from holdfast.testing.store_suite.case import NOW, Case


class Proxy:
    """Stands between a store and its server.

    Attributes:
        swallow: of the answers that come, this one is lost with its connection; None: none is.
    """

    def __init__(self, port: int) -> None:
        self.swallow: int | None = None
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        """Listen and return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Cut everything."""
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, back}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._asks(reader, back), self._answers(there, writer))
        for each in (writer, back):
            each.close()

    async def _asks(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 20):
            back.write(data)
        back.close()

    async def _answers(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await there.read(1 << 20):
            if self.swallow is not None:
                self.swallow -= 1
                if self.swallow == 0:
                    self.swallow = None
                    break
            writer.write(data)
        writer.close()


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[Proxy]:
    """Return a proxy before the server."""
    proxy = Proxy(postgres.port)
    yield proxy
    await proxy.close()


async def _until(check: Callable[[], Any]) -> Any:
    """Return what `check` returns once that is true."""
    for _ in range(1_000):
        if found := await check():
            return found
        await asyncio.sleep(0.02)  # noqa: TID251  # the server is another process
    raise AssertionError("it did not happen")


async def test_a_commit_whose_answer_is_lost_may_be_given_again(
    postgres: PostgresServer, database: str, proxy: Proxy
) -> None:
    """It was done; the same batch gets the answers it would have had, and nothing twice."""
    port = await proxy.start()
    url = database.replace(f":{postgres.port}/", f":{port}/")
    store = await PostgresStore.open(parse(url))
    case = Case(store, await store.join(NOW))
    for number in range(2):  # so that every statement is prepared: it is one answer then
        await case.commit(**_parts(case, await case.take(), f"k{number}"))
    delivery = await case.take()
    parts = _parts(case, delivery, "k")
    proxy.swallow = 2  # the first is what was looked up
    with pytest.raises(StoreAway):
        await case.commit(**parts)
    assert (await _until(lambda: _known(store, delivery.id))).status is Status.DELIVERED
    (accepted,), (applied,) = await _until(lambda: _tried(case, parts))
    assert (accepted.message_id, accepted.duplicate) == (parts["accepts"][0].message.id, False)
    assert applied.applied
    assert len(await store.events(EventQuery(delivery_id=delivery.id))) == 1
    assert len(await store.notes(delivery.id, 10)) == 1
    await store.close()


def _parts(case: Case, delivery: Delivery, key: str) -> dict[str, Any]:
    """Return a batch that accepts a message and settles a delivery."""
    message = case.message(key=key)
    return {
        "accepts": (Accept(message, (case.delivery(message),)),),
        "transitions": (case.transition(delivery, Verb.SUCCEED, Result.SUCCESS),),
    }


async def _known(store: PostgresStore, delivery_id: str) -> Delivery | None:
    try:
        return await store.get(delivery_id)
    except StoreAway:
        return None


async def _tried(case: Case, parts: dict[str, Any]) -> Any:
    try:
        return await case.commit(**parts)
    except StoreAway:
        return None


async def test_of_several_hosts_one_that_takes_writes_is_found(
    postgres: PostgresServer, database: str
) -> None:
    """A host that is down is passed over; without one that takes writes the store is away."""
    several = database.replace("@127.0.0.1:", "@127.0.0.1:1,127.0.0.1:")
    store = await PostgresStore.open(parse(several))
    assert await store.counts() == {}
    await store.close()
    postgres.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        with pytest.raises(StoreAway):
            await PostgresStore.open(parse(several))
    finally:
        reset = "ALTER DATABASE postgres RESET default_transaction_read_only"
        postgres.execute(reset, "template1")


async def test_a_host_that_swallows_packets_keeps_nobody_from_the_next(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each host has its own time limit, and the one that answered is asked first from then on."""
    monkeypatch.setattr(session, "CONNECT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        hosts = f"@127.0.0.1:{mute.getsockname()[1]},127.0.0.1:"
        store = await PostgresStore.open(parse(database.replace("@127.0.0.1:", hosts)))
        assert await store.counts() == {}
        assert store._doors[0]._backoff.host == database
        await store.close()


async def test_a_caller_who_is_cancelled_does_not_cut_a_commit_short(database: str) -> None:
    """Closing waits for it."""
    store = await PostgresStore.open(parse(database))
    case = Case(store, await store.join(NOW))
    message = case.message()
    commit = asyncio.ensure_future(case.commit(accepts=(Accept(message, ()),)))
    await asyncio.sleep(0)  # noqa: TID251  # the commit must have been handed over
    commit.cancel()
    await asyncio.gather(commit, return_exceptions=True)
    await store.close()
    again = await PostgresStore.open(parse(database))
    assert await again.message(message.id) == message
    await again.close()


def test_tries_become_rarer_up_to_a_bound() -> None:
    """While it is too early nobody waits for a connection: the answer comes at once."""
    clock = VirtualClock()
    backoff = Backoff(clock)
    backoff.check()
    delays = [backoff.failed("db is gone") for _ in range(8)]
    assert delays[:3] == [50, 100, 200]
    assert delays[-1] == LAST_DELAY_MS
    with pytest.raises(StoreAway, match="db is gone"):
        backoff.check()
    backoff.succeeded()
    backoff.check()


@pytest.fixture
def mortal() -> Iterator[PostgresServer]:
    """Return a server of its own that a test may end."""
    with running(PostgresServer()) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("way", ["stop", "crash"])
async def test_it_comes_back_with_its_server(mortal: PostgresServer, way: str) -> None:
    """Every call fails at once while it is away; then the same store goes on."""
    store = await PostgresStore.open(parse(mortal.url()), SystemClock())
    case = Case(store, await store.join(NOW))
    kept = await case.take()
    getattr(mortal, way)()
    for _ in range(3):
        with pytest.raises(StoreAway):
            await case.take()
        with pytest.raises(StoreAway):
            await store.counts()
    mortal.start()
    assert await _until(lambda: _tried(case, {"accepts": (Accept(case.message(), ()),)}))
    assert await case.get(kept) == kept
    await store.close()
