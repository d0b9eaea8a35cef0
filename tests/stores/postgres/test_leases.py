"""Workers in a database: what waits for what, and what was there before there were workers."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from holdfast.model.delivery import Status, Verb
from holdfast.model.message import NEVER
from holdfast.model.worker import Hint, Load
from holdfast.store import Pruned, Retention
from holdfast.stores.postgres import PostgresStore, hints, opening, sql
from holdfast.stores.postgres.address import parse
from holdfast.testing.postgres import PostgresServer
from holdfast.testing.store_suite.case import DAY, NOW, Case

LATER = NOW + 10 * DAY


async def _until(check: Callable[[], Any]) -> Any:
    """Return what `check` returns once that is true."""
    for _ in range(500):
        if found := await check():
            return found
        await asyncio.sleep(0.02)  # noqa: TID251  # the server is another process
    raise AssertionError("it did not happen")


async def _waits(other: asyncpg.Connection) -> None:
    """Return once a statement of somebody else waits for a row that we have locked."""
    await _until(lambda: other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_a_renewal_does_not_wait_for_a_commit(case: Case, other: asyncpg.Connection) -> None:
    """Promise 3 hangs on it: a long commit must not cost the lease."""
    async with other.transaction():
        await other.execute("SELECT 1 FROM holdfast.workers FOR KEY SHARE")  # as a commit does
        await asyncio.wait_for(case.store.renew(case.epoch, Load(1), NOW), 60)


async def test_taking_a_worker_off_the_list_waits_for_its_commit(
    case: Case, other: asyncpg.Connection
) -> None:
    """What it had begun to write before is there before others take its lanes."""
    await other.execute("UPDATE holdfast.workers SET lease_until = 0, lease_ms = 1")
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT 1 FROM holdfast.workers FOR KEY SHARE")
    expel = asyncio.ensure_future(case.store.expel((case.epoch,)))
    await _waits(other)
    assert not expel.done()
    await transaction.commit()
    assert await expel == (case.epoch,)


async def test_a_renewal_in_the_last_moment_counts(case: Case, other: asyncpg.Connection) -> None:
    """Who waits to take a worker off looks again when it is its turn."""
    await other.execute("UPDATE holdfast.workers SET lease_until = 0, lease_ms = 1")
    transaction = other.transaction()
    await transaction.start()
    await other.execute("UPDATE holdfast.workers SET lease_until = $1", NEVER)
    expel = asyncio.ensure_future(case.store.expel((case.epoch,)))
    await _waits(other)
    await transaction.commit()
    assert await expel == ()


async def test_of_two_takers_the_second_sees_the_first(
    case: Case, other: asyncpg.Connection, database: str
) -> None:
    """Also one whose statement began before the other worker had even joined."""
    newer = await PostgresStore.open(parse(database))
    await case.take()
    await other.execute("INSERT INTO holdfast.lanes VALUES ('north', '{\"recipient\":\"north\"}')")
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT 1 FROM holdfast.lanes FOR UPDATE")
    slow = asyncio.ensure_future(case.store.acquire(case.epoch, ("north",)))
    await _waits(other)
    joined = await newer.join(NOW)
    await other.execute("UPDATE holdfast.lanes SET owner = $1", joined.epoch)
    await transaction.commit()
    assert await slow == []
    assert await newer.owners() == {"north": joined.epoch}
    await newer.close()


async def test_a_server_that_was_away_gives_its_workers_time(
    postgres: PostgresServer, case: Case, other: asyncpg.Connection
) -> None:
    """Nobody could renew meanwhile: a lease counts anew from when the server was started."""
    age = float(postgres.execute("SELECT extract(epoch FROM now() - pg_postmaster_start_time())"))
    longer = round((age + 60) * 1000)
    await other.execute("UPDATE holdfast.workers SET lease_until = 0, lease_ms = $1", longer)
    assert await case.store.expel((case.epoch,)) == ()
    await other.execute("UPDATE holdfast.workers SET lease_ms = 1")
    assert await case.store.expel((case.epoch,)) == (case.epoch,)


async def test_hints_go_on_when_the_connection_breaks(
    store: PostgresStore, other: asyncpg.Connection
) -> None:
    """The listener says that some may have been missed, and hears the next."""
    assert Hint(missed=True) in await asyncio.wait_for(store.hints(), 60)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    )
    assert Hint(missed=True) in await asyncio.wait_for(store.hints(), 60)
    heard = asyncio.ensure_future(_heard(store, "north"))
    async with asyncio.timeout(30):
        while not heard.done():
            await store.notify((Hint("north", "dlv_1"),))
            await asyncio.sleep(0.05)  # noqa: TID251  # the listener is on its way
    assert Hint("north", "dlv_1") in heard.result()


async def _heard(store: PostgresStore, name: str) -> set[Hint]:
    heard: set[Hint] = set()
    while name not in {hint.recipient for hint in heard}:
        heard |= set(await store.hints())
    return heard


def test_hints_fit_into_a_notification() -> None:
    """However long the names are, and however many there are."""
    told = [Hint("x" * 200, f"dlv_{number:032x}") for number in range(500)]
    payloads = list(hints._payloads(told))
    assert all(len(each.encode()) < 8_000 for each in payloads)
    assert len(payloads) > 10
    assert list(hints._payloads([])) == []


@pytest.mark.parametrize("clean", [True, False])
async def test_what_one_process_owned_is_taken_over(database: str, *, clean: bool) -> None:
    """A store from before workers: what was not released cleanly may have been sent."""
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE SCHEMA holdfast")
    await connection.execute(sql.migrations()[0].pre)
    await connection.execute("UPDATE holdfast.version SET version = 1")
    await connection.execute("UPDATE holdfast.owner SET epoch = 7, clean = $1", clean)
    await connection.execute(
        "INSERT INTO holdfast.counters (recipient, created, pending, normal) "
        "VALUES ('north', 1, 1, 1)"
    )
    await opening.migrate(connection)
    await connection.close()
    store = await PostgresStore.open(parse(database))
    joined = await store.join(NOW)
    assert joined.epoch == 9
    assert (await store.survey()).free == ("north",)
    (got,) = await store.acquire(joined.epoch, ("north",))
    assert got.clean is clean
    assert (got.state.stamp > 0) is not clean
    await store.close()


@pytest.mark.parametrize("kind", ["rows", "payloads"])
async def test_pruning_sees_what_another_worker_brings_back(
    case: Case, other: asyncpg.Connection, kind: str
) -> None:
    """A delivery that is redriven while its message is about to go keeps it."""
    dead = await case.change(await case.take(), Verb.DIE)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("UPDATE holdfast.deliveries SET status = 'pending', ended_at = 0")
    prune = asyncio.ensure_future(case.store.prune(LATER, Retention(**{kind: LATER})))
    await _waits(other)
    await other.execute("UPDATE holdfast.counters SET pending = 1, normal = 1, dead = 0")
    await transaction.commit()
    assert await prune == Pruned()
    assert (await case.get(dead)).status is Status.PENDING
    message = await case.store.message(dead.message_id)
    assert message is not None
    assert message.sealed is not None
