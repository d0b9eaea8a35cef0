"""The file itself: whose it is, who may have it, how large it gets, how it is read."""

import asyncio
import contextlib
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import msgspec
import pytest

from holdfast.errors import InvalidInput, StoreBusy, StoreFull, StoreMismatch
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.search import Search
from holdfast.store import Accept, Batch, Pruned, Retention
from holdfast.stores.planning.searching import AMONG, BY_GROUPS, WALKS
from holdfast.stores.sqlite import SqliteStore, opening, pruning
from holdfast.stores.sqlite.sql import Bulk, migrations, sql
from holdfast.stores.sqlite.store import WAL_PAGES
from holdfast.testing.store_suite.case import NOW, Case

QUERIES = Path(opening.__file__).parent / "queries"
QUOTA = 2_000_000
OWNER = """
import asyncio, sys
from pathlib import Path
from holdfast.stores.sqlite import SqliteStore
store = SqliteStore.open(Path(sys.argv[1]), inline=True)
asyncio.run(store.join(0))
print("owned", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a place for a store."""
    return tmp_path / "holdfast.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """Return a store with a quota."""
    store = SqliteStore.open(path, quota_bytes=QUOTA, synchronous="OFF")
    yield store
    await store.close()


@pytest.fixture
async def case(store: SqliteStore) -> Case:
    """Return the store, owned."""
    return Case(store, await store.join(NOW))


def _large(case: Case, size: int) -> Accept:
    message = case.message(sealed=bytes(size))
    return Accept(message, (case.delivery(message),))


async def test_a_store_that_is_opened_again_has_everything(path: Path) -> None:
    """Closing and opening changes nothing, with threads and without."""
    first = SqliteStore.open(path)
    delivery = await Case(first, await first.join(NOW)).take()
    await first.close()
    for inline in (True, False):
        store = SqliteStore.open(path, inline=inline)
        assert await store.get(delivery.id) == delivery
        await store.close()


async def test_a_simulated_crash_keeps_what_was_committed() -> None:
    """A store over the connection of an abandoned one goes on where that stood."""
    connection = apsw.Connection(":memory:")
    first = SqliteStore.over(connection)
    delivery = await Case(first, await first.join(NOW)).take()
    connection.execute("BEGIN; DELETE FROM deliveries")
    assert first.abandon() is connection
    second = SqliteStore.over(connection)
    assert await second.get(delivery.id) == delivery
    assert not (await second.join(NOW)).clean
    await second.close()
    connection.close()


async def test_a_second_owner_is_refused_until_the_first_is_gone(path: Path) -> None:
    """The error names the file and the process; closing gives the lock back."""
    first = SqliteStore.open(path)
    await first.join(NOW)
    with pytest.raises(StoreBusy, match=r"holdfast\.db\.lock is locked by process \d+"):
        SqliteStore.open(path)
    await first.close()
    second = SqliteStore.open(path)
    assert (await second.join(NOW)).epoch == 2
    await second.close()


@pytest.fixture
def owner(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Return another process that owns the store."""
    command = [sys.executable, "-c", OWNER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"owned\n"
        yield process
        process.kill()


@pytest.mark.slow
async def test_another_process_is_refused_and_a_dead_one_is_not_in_the_way(
    path: Path, owner: subprocess.Popen[bytes]
) -> None:
    """The lock goes with its process, however that ends."""
    with pytest.raises(StoreBusy, match=f"process {owner.pid};"):
        SqliteStore.open(path)
    owner.kill()
    owner.wait()
    store = SqliteStore.open(path)
    assert not (await store.join(NOW)).clean
    await store.close()


def test_foreign_files_are_refused_and_left_alone(path: Path) -> None:
    """Neither text nor the SQLite file of another program is touched."""
    path.write_text("these are not the rows you are looking for" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreMismatch, match=re.escape(str(path))):
        SqliteStore.open(path)
    assert path.read_bytes() == before
    path.unlink()
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (x); PRAGMA application_id = 7")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreMismatch, match="application id is 0x7"):
        SqliteStore.open(path)
    assert path.read_bytes() == before


async def test_a_newer_schema_is_refused(path: Path) -> None:
    """A downgrade never works on data it does not understand."""
    await SqliteStore.open(path).close()
    newer = apsw.Connection(str(path))
    newer.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    newer.close()
    with pytest.raises(StoreMismatch, match="newer"):
        SqliteStore.open(path)


@pytest.mark.parametrize("settings", [{"synchronous": "MAYBE"}, {"quota_bytes": 0}], ids=str)
def test_settings_out_of_range_are_refused(path: Path, settings: dict[str, object]) -> None:
    """The error names the setting, and no file is made."""
    with pytest.raises(InvalidInput, match=next(iter(settings))):
        SqliteStore.open(path, **settings)  # type: ignore[arg-type]
    assert not path.exists()


async def test_the_files_are_private(path: Path, case: Case) -> None:
    """Only the owner of the process may read them."""
    await case.take()
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def _shape(connection: apsw.Connection) -> list[tuple[str, ...]]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
    return [(kind, name, _plain(text or "")) for kind, name, text in rows]


def _plain(text: str) -> str:
    text = " ".join(re.sub(r"--.*", "", text).split())
    return re.sub(r" ([,)])", r"\1", text)  # a column that was added has a blank before its comma


def test_the_schema_is_what_the_migrations_make() -> None:
    """A new file gets `schema.sql`, an old one the migrations that it lacks."""
    migrated, whole = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    migrated.execute(migrations()[0])
    migrated.execute("PRAGMA user_version = 1")
    opening.migrate(migrated)
    opening.migrate(whole)
    assert _shape(migrated) == _shape(whole)
    for asked in ("SELECT * FROM owner", "PRAGMA user_version", "PRAGMA application_id"):
        assert list(migrated.execute(asked)) == list(whole.execute(asked))
    migrated.close()
    whole.close()


def test_what_was_resolved_before_causes_came_counts_as_resolved_once() -> None:
    """Only the last time is known of it, and whether it held."""
    scripts = migrations()
    at = next(n for n, script in enumerate(scripts) if "ADD COLUMN resolutions" in script)
    connection = apsw.Connection(":memory:")
    for script in scripts[:at]:
        connection.execute(script)
    for name, status, resolved, regressed in (
        ("a", "open", 0, 0), ("b", "resolved", 5, 4), ("c", "regressed", 5, 6),
    ):  # fmt: skip
        connection.execute(
            "INSERT INTO failure_groups (id, account, flow, step, recipient, failure_class, code,"
            " template, first_at, last_at, failures, status, resolved_at, regressed_at)"
            " VALUES (?, 'd', 'f', 's', 'r', 'data', '', '', 1, 1, 1, ?, ?, ?)",
            (name, status, resolved, regressed),
        )
    connection.execute(scripts[at])
    found = connection.execute("SELECT id, resolutions, regressions FROM failure_groups ORDER BY 1")
    assert list(found) == [("a", 0, 0), ("b", 1, 0), ("c", 1, 1)]
    connection.close()


def test_every_query_is_valid_and_explained() -> None:
    """Each file begins with a comment and fits the schema."""
    connection = apsw.Connection(":memory:")
    opening.migrate(connection)
    for file in sorted(QUERIES.glob("*.sql")):
        assert file.read_text().startswith("-- "), file.name
        for text in _texts(file):
            values = dict.fromkeys(re.findall(r":(\w+)", text), "[]")
            connection.execute("EXPLAIN " + text, values or (None,) * text.count("?"))
    connection.close()


def _texts(file: Path) -> list[str]:
    """Return a query in every form: of searches each walk, alone and with everything else."""
    names = set(re.findall(r"-- \?(\w+)$", file.read_text(), re.MULTILINE))
    if not names:
        return [sql(file.stem)]
    if "forward" in names:
        return _both_ways(file.stem, names - {"forward", "backward"})
    walks = {walk for walk, _ in WALKS}
    if not names & walks:
        return [sql(file.stem), sql(file.stem, frozenset(names))]
    rest = names - walks - {"deliveries", "page", "count", "grouped", *AMONG.values(), BY_GROUPS}
    few = {"by_id", "by_message", "by_parent"} if file.stem == "search_floor" else set()
    tally = {BY_GROUPS, "deliveries", "grouped"} if file.stem == "search" else set()
    more = (set[str](), rest | set(AMONG.values()))
    grouped = [sql(file.stem, frozenset(tally | each)) for each in more if tally]
    return grouped + [
        sql(file.stem, frozenset({walk, "by_token" if walk == "by_token" else "deliveries", *more}))
        for walk in walks - few
        for more in (("page",), ("count",), ("page", *rest), ("count", *rest))
    ]


def _both_ways(name: str, names: set[str]) -> list[str]:
    """Return a query in both directions, by each walk it has, alone and with everything else."""
    walks = {each for each in names if each.startswith("by_")}
    return [
        sql(name, frozenset({way, *walk, *rest}))
        for way in ("forward", "backward")
        for walk in ([{each} for each in walks] or [set[str]()])
        for rest in (set[str](), names - walks)
    ]


@pytest.mark.parametrize("name", ["search", "search_floor"])
def test_searches_walk_down_the_index_of_their_walk(name: str) -> None:
    """No form scans a table or walks twice, and only walks of a few rows sort what they find."""
    connection = apsw.Connection(":memory:")
    opening.migrate(connection)
    for text in _texts(QUERIES / f"{name}.sql"):
        values = dict.fromkeys(re.findall(r":(\w+)", text), "[]")
        steps = [step for *_, step in connection.execute("EXPLAIN QUERY PLAN " + text, values)]
        scans = [step for step in steps if re.match(r"SCAN (t|k|m|deliveries|messages)\b", step)]
        few = "message_id IN (SELECT value FROM json_each(:driver))" in text
        few = few or "group_rows" in text  # the groups themselves are few
        sorts = [step for step in steps if "ORDER BY" in step and "group_concat" not in step]
        assert (scans, sorts) == ([], sorts if few else []), (text, steps)
        assert sum(step.startswith("SEARCH t ") for step in steps) == 1, (text, steps)
    connection.close()


@pytest.mark.parametrize(
    "name",
    ["due", "due_lanes", "delivery_states", "expired", "later", "waiting"],
)
def test_no_frequent_query_scans_a_table(name: str) -> None:
    """Every table with as many rows as there are deliveries is reached by an index."""
    connection = apsw.Connection(":memory:")
    opening.migrate(connection)
    values = dict.fromkeys(re.findall(r":(\w+)", sql(name)), "[]")
    plan = connection.execute("EXPLAIN QUERY PLAN " + sql(name), values)
    scans = [
        step
        for *_, step in plan
        if re.match(r"SCAN (deliveries|messages|payloads|attempts|d|m)\b", step)
    ]
    assert scans == []
    connection.close()


FAILING = "f EXISTS USING COVERING INDEX deliveries_group"


@pytest.mark.parametrize(
    ("name", "scope", "walks"),
    [
        ("critical", (), ["t USING COVERING INDEX deliveries_failing (priority>?"]),
        ("critical_account", (), ["t USING COVERING INDEX deliveries_failing_account (account=?"]),
        ("alerts", (), ["g USING INDEX failure_groups_alert (<expr>>?", FAILING]),
        ("alerts", ("scope",), ["g USING INDEX failure_groups_account (account=?", FAILING]),
    ],
)
def test_the_overview_walks_down_an_index(
    name: str, scope: tuple[str, ...], walks: list[str]
) -> None:
    """No table is scanned, the walk is in the order that is wanted, and its rows tell enough."""
    connection = apsw.Connection(":memory:")
    opening.migrate(connection)
    text = sql(name, frozenset(scope))
    values = dict.fromkeys(re.findall(r":(\w+)", text), 1)
    plan = [step for *_, step in connection.execute("EXPLAIN QUERY PLAN " + text, values)]
    assert not [
        step for step in plan if re.match(r"SCAN (t|g|d|r|deliveries|failure_groups)\b", step)
    ]
    for walk in walks:
        assert sum(step.startswith(f"SEARCH {walk}") for step in plan) == 1, plan
    connection.close()


@pytest.mark.parametrize("number", [0, 1, 2, 8, 9, 33, 127, 500, 3000])
def test_bulk_statements_write_exactly_their_rows(number: int) -> None:
    """Padding leaves no trace, whatever the number."""
    connection = apsw.Connection(":memory:")
    opening.migrate(connection)
    rows = [(f"r{each}", "{}") for each in range(number)]
    assert Bulk("save_lanes").run(connection, rows) == number
    found = connection.execute("SELECT recipient, body FROM lanes").fetchall()
    assert sorted(found) == sorted(rows)
    connection.close()


async def test_the_quota_refuses_and_room_is_found_again_without_reopening(
    store: SqliteStore, case: Case
) -> None:
    """Removed payloads leave pages that are free again, inside the file."""
    taken = []
    while (await store.space()).free > 150_000:
        member = _large(case, 100_000)
        await case.commit(accepts=(member,))
        taken.append(member.deliveries[0])
    with pytest.raises(StoreFull):
        await case.commit(accepts=(_large(case, 300_000),))
    full = await store.space()
    assert full.used <= QUOTA
    assert full.free < 200_000
    for delivery in taken:
        await case.change(delivery, Verb.SUCCEED)
    await store.prune(NOW, Retention(payloads=NOW + 1))
    assert (await store.space()).free > 1_000_000
    await case.commit(accepts=(_large(case, 100_000),))


async def _taken(case: Case, number: int, size: int) -> list[Delivery]:
    """Accept messages of one size and deliver them."""
    members = tuple(_large(case, size) for _ in range(number))
    await case.commit(accepts=members)
    deliveries = [member.deliveries[0] for member in members]
    await case.commit(transitions=tuple(case.transition(d, Verb.SUCCEED) for d in deliveries))
    return deliveries


async def test_purged_small_payloads_give_their_room_back(path: Path) -> None:
    """Of 3,000 payloads of 500 bytes at least half the bytes are free again, under a quota."""
    store = SqliteStore.open(path, quota_bytes=20_000_000, synchronous="OFF")
    case = Case(store, await store.join(NOW))
    for _ in range(10):
        await _taken(case, 300, 500)
    full = await store.space()
    while (await store.prune(NOW, Retention(payloads=NOW + 1))).payloads:
        pass
    after = await store.space()
    assert after.free - full.free >= 3_000 * 500 // 2
    assert after.free - full.free == full.used - after.used
    await store.close()


@pytest.mark.parametrize("size", [300, 500, 5_000])
async def test_a_store_full_of_small_payloads_accepts_again_after_a_purge(
    store: SqliteStore, case: Case, size: int
) -> None:
    """With the quota used up, a purge makes room for as many payload bytes as half of the old."""
    number = 0
    with contextlib.suppress(StoreFull):
        while True:
            await _taken(case, 50, size)
            number += 50
    assert number * size > QUOTA // 5
    with contextlib.suppress(StoreFull):
        for _ in range(number):
            await case.commit(accepts=(_large(case, size),))
    with pytest.raises(StoreFull):
        await case.commit(accepts=(_large(case, 100_000),))
    while (await store.prune(NOW, Retention(payloads=NOW + 1))).payloads:
        pass
    again = _large(case, number * size // 2)
    await case.commit(accepts=(again,))
    assert await store.message(again.message.id) == again.message


async def test_payloads_go_with_their_rows(store: SqliteStore, case: Case) -> None:
    """A key that is kept has no payload; who gets the place of a removed message gets only that."""
    keyed = case.message(key="k", sealed=bytes(500))
    plain = _large(case, 500)
    await case.commit(accepts=(Accept(keyed, (case.delivery(keyed),)), plain))
    for delivery in (await store.find(Search())).deliveries:
        await case.change(delivery, Verb.SUCCEED)
    assert await store.prune(NOW, Retention(rows=NOW + 1)) == Pruned(rows=2)
    assert await store.message(plain.message.id) is None
    assert await store.message(keyed.id) == msgspec.structs.replace(keyed, sealed=None)
    bare = case.message(sealed=None)
    await case.commit(accepts=(Accept(bare, (case.delivery(bare),)),))
    assert await store.message(bare.id) == bare
    assert await store.prune(NOW, Retention(payloads=NOW + 1, keys=NOW + 1)) == Pruned(keys=1)


async def test_a_purge_survives_what_was_removed_from_outside(
    path: Path, store: SqliteStore, case: Case
) -> None:
    """Payloads that are gone are not looked for again and again, and others still go."""
    for _ in range(5):
        await case.change(await case.take(), Verb.SUCCEED)
    waits = await case.take()
    with contextlib.closing(sqlite3.connect(path)) as shell, shell:
        shell.execute("DELETE FROM payloads WHERE place <= 3 OR place = 6")
    total = 0
    while gone := (await store.prune(NOW, Retention(payloads=NOW + 1, limit=2))).payloads:
        total += gone
    assert total == 5
    (found,) = (await case.due()).waiting
    assert (found.delivery.id, found.message.sealed) == (waits.id, None)
    assert (await store.prune(NOW, Retention(rows=NOW + 1))).rows == 5


async def test_what_is_pending_again_since_it_was_looked_up_is_not_pruned(path: Path) -> None:
    """Retention reads first and removes later; a redrive in between keeps payload and rows."""
    store = SqliteStore.open(path, inline=True)
    case = Case(store, await store.join(NOW))
    dead = await case.change(await case.take(), Verb.DIE)
    connection = store.abandon()
    places, _ = pruning.payloads(connection, NOW + 1, 0, 10)
    assert places == pruning.rows(connection, NOW + 1, 10)
    assert len(places) == 1
    await case.change(dead, Verb.REDRIVE)
    assert pruning.prune_payloads(connection, places, NOW + 1) == 0
    assert pruning.prune_rows(connection, places, NOW + 1) == 0
    assert pruning.payloads(connection, NOW + 1, 0, 10) == ([], None)
    assert pruning.rows(connection, NOW + 1, 10) == []
    await store.close()


async def test_the_log_stays_bounded_under_a_steady_load(path: Path) -> None:
    """It is carried over beside the commits and begun anew."""
    store = SqliteStore.open(path, synchronous="OFF")
    case = Case(store, await store.join(NOW))
    largest = written = 0
    while written < 8 * WAL_PAGES * 4096:
        await case.commit(accepts=(_large(case, 500_000),))
        written += 500_000
        largest = max(largest, path.with_name("holdfast.db-wal").stat().st_size)
    assert largest < written / 2
    await store.close()


async def test_readers_do_not_wait_for_a_writer(path: Path, store: SqliteStore, case: Case) -> None:
    """While a foreign transaction holds the write lock, every question is answered."""
    delivery = await case.take()
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE; DELETE FROM deliveries")
    commit = asyncio.create_task(case.take())
    assert await store.get(delivery.id) == delivery
    assert len((await case.due()).waiting) == 1
    assert await store.due_lanes() == [("north", NOW)]
    assert not commit.done()
    other.execute("ROLLBACK")
    other.close()
    await commit


async def test_commits_under_way_finish_before_closing(path: Path) -> None:
    """What was asked for before `close` is on disk afterwards."""
    store = SqliteStore.open(path)
    case = Case(store, await store.join(NOW))
    member = _large(case, 10)
    commit = asyncio.create_task(store.commit(Batch(case.epoch, NOW, accepts=(member,))))
    await asyncio.sleep(0)  # noqa: TID251  # the commit must have been handed over
    await store.close()
    assert (await commit).accepts[0].message_id == member.message.id
    again = SqliteStore.open(path, inline=True)
    assert await again.message(member.message.id) == member.message
    await again.close()
