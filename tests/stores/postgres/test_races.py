"""Two workers at once: what one changes between the look and the write of another is noticed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from holdfast.clock import SystemClock
from holdfast.errors import Conflict
from holdfast.model.attempt import Result
from holdfast.model.delivery import Status, Verb
from holdfast.model.search import Choice, Predicate, Search
from holdfast.store import Counts, EventQuery, Note
from holdfast.stores.postgres import PostgresStore, opening, searching, sql, writing
from holdfast.stores.postgres.address import parse
from holdfast.stores.postgres.hints import Listener
from holdfast.testing.postgres import PostgresServer
from holdfast.testing.store_suite.case import NOW, Case


@pytest.fixture
async def rival(case: Case, database: str) -> AsyncIterator[Case]:
    """Return the same store as another worker has it."""
    store = await PostgresStore.open(parse(database))
    yield Case(store, await store.join(NOW), case.ids)
    await store.close()


@pytest.mark.parametrize("verb", [Verb.SUCCEED, Verb.DIE])
async def test_a_follower_that_changes_meanwhile_is_looked_at_again(
    case: Case, rival: Case, monkeypatch: pytest.MonkeyPatch, verb: Verb
) -> None:
    """What was cancelled stays so, and is counted once."""
    first, second = await case.take_chain("north", "east")
    known, asked = writing._known, 0

    async def slow(*args: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            await rival.change(second, Verb.CANCEL, code="CANCELLED")
        return await known(*args)

    monkeypatch.setattr(writing, "_known", slow)
    result = Result.SUCCESS if verb is Verb.SUCCEED else Result.ERROR
    await case.apply(case.transition(first, verb, result))
    now = await case.get(second)
    assert (now.status, now.code) == (Status.DISCARDED, "CANCELLED")
    assert (await case.store.counts())["east"] == Counts(created=1, discarded=1)


async def test_a_page_and_its_end_are_of_one_state(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes into a walk between its two statements pushes nothing out of all pages."""
    rows = [await case.take() for _ in range(8)]
    for place in (0, 1, 2, 3, 4, 5, 7):
        code = "X" if place == 4 else "Y"
        rows[place] = await case.change(rows[place], Verb.DIE, code=code)
    floor, late = searching._floor, [rows[6]]

    async def slow(*args: Any) -> Any:
        found = await floor(*args)
        if late:
            await case.change(late.pop(), Verb.DIE, code="Y")
        return found

    monkeypatch.setattr(searching, "_floor", slow)
    where = Predicate((Choice("status", ("dead",)), Choice("code", ("X",))))
    found, below = [], None
    while True:
        page = await case.store.find(Search(where, below=below, limit=10, look=3))
        found += [each.id for each in page.deliveries]
        if (below := page.cursor) is None:
            break
    assert found == [rows[4].id]


async def test_a_strict_batch_is_strict_when_its_changes_touch_each_other(case: Case) -> None:
    """One that is refused leaves the others undone."""
    first, second = await case.take_chain("north", "east")
    await case.change(second, Verb.CANCEL)
    stale = case.transition(second, Verb.CANCEL, code="OTHER")
    with pytest.raises(Conflict):
        await case.commit(transitions=(case.transition(first, Verb.CANCEL), stale), strict=True)
    assert (await case.get(first)).status is Status.PENDING


async def test_a_listener_that_is_refused_keeps_no_connection(
    database: str, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a standby, which refuses LISTEN: it tries again and again."""
    tries = asyncio.Semaphore(0)

    async def refused(*_: Any) -> None:
        tries.release()
        raise asyncpg.ReadOnlySQLTransactionError("cannot execute LISTEN during recovery")

    monkeypatch.setattr(asyncpg.Connection, "add_listener", refused)
    listener = Listener(parse(database), SystemClock())
    asking = asyncio.create_task(listener.hints())
    for _ in range(3):
        await asyncio.wait_for(tries.acquire(), 30)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await listener.close()
    mine = "SELECT count(*) FROM pg_stat_activity WHERE query = '' AND datname = current_database()"
    async with asyncio.timeout(30):  # the server notices that a client has gone
        while await other.fetchval(mine) > 0:
            await SystemClock().pause(50)


async def test_a_lane_that_had_no_delivery_yet_is_free_after_a_restore(
    store: PostgresStore, postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    """Its owner was on no list of the heir, and it is not counted."""
    case = Case(store, await store.join(NOW))
    assert await store.acquire(case.epoch, ["quiet"])
    await PostgresStore.backup(parse(database), tmp_path / "b", NOW, lambda *_: None)
    note = Note(NOW, "ada", "restore", "store", "the disk is gone")
    url = postgres.empty()
    await PostgresStore.restore(parse(url), tmp_path / "b", note, lambda *_: None)
    heir = await PostgresStore.open(parse(url))
    case = Case(heir, await heir.join(NOW))
    await case.take(recipient="quiet")
    assert await heir.acquire(case.epoch, ["quiet"])
    await heir.close()


async def test_json_with_nul_that_was_written_before_is_mended(database: str) -> None:
    """A backslash before `u0000` is none."""
    connection = await asyncpg.connect(database)
    before = [step for step in sql.migrations() if step.name < "0021"]
    await opening.migrate(connection, scripts=before)
    body = r'{"state":"ended","a":"x\u0000\u0000","b":"\\u0000","c":"\\\u0000"}'
    await connection.execute(
        "INSERT INTO holdfast.operations VALUES ('o', 1, false, $1::json)", body
    )
    await opening.migrate(connection)
    found = msgspec.json.decode(await connection.fetchval("SELECT body FROM holdfast.operations"))
    assert found["a"] == "x\ufffd\ufffd"
    assert found["b"] == "\\u0000"
    assert found["c"] == "\\\ufffd"
    await connection.close()


async def test_an_event_with_nul_in_a_text_can_be_read(case: Case) -> None:
    """A partner may answer so."""
    delivery = await case.take()
    transition = case.transition(delivery, Verb.RETRY, Result.ERROR, reason="a\x00b")
    assert transition.attempt is not None
    told = msgspec.structs.replace(transition.attempt, failure_reason="a\x00b\\u0000")
    await case.apply(msgspec.structs.replace(transition, attempt=told))
    (event,) = await case.store.events(EventQuery(delivery_id=delivery.id))
    assert event.attempt.failure_reason == "a\ufffdb\\u0000"
