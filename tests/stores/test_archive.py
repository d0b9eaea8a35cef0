"""Backups of both stores: one instant, verified, and a store made from one is a careful heir."""

import asyncio
import contextlib
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import apsw
import msgspec
import pytest

from holdfast.errors import Conflict, StoreError, StoreMismatch
from holdfast.model.archive import Archive
from holdfast.model.attempt import Result
from holdfast.model.delivery import Verb
from holdfast.model.lane import LaneState
from holdfast.model.operation import State
from holdfast.model.search import Search
from holdfast.store import Accept, EventQuery, Note, Snapshot, Store
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.address import parse
from holdfast.stores.sqlite import SqliteStore, archive, opening
from holdfast.stores.sqlite.sql import migrations
from holdfast.testing.postgres import PostgresServer
from holdfast.testing.store_suite.case import NOW, Case
from holdfast.testing.store_suite.operating import operation, saved

NOTE = Note(NOW, "ada", "restore", "store", "the disk is gone")


def _quiet(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total, (what, done, total)


class Place(Protocol):
    """A store that can be backed up, lost, and made again elsewhere."""

    async def open(self) -> Store:
        """Return the store; a new one the first time."""
        ...

    async def backup(self, path: Path) -> Archive:
        """Back it up, as another process would."""
        ...

    async def restore(self, path: Path) -> Archive:
        """Make it from a backup."""
        ...

    async def lose(self) -> None:
        """Lose it."""
        ...

    async def disturb(self) -> None:
        """Make its counters wrong."""
        ...

    async def age(self) -> None:
        """Make an empty store of the first version."""
        ...


class SqlitePlace:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self) -> Store:
        """Open it."""
        return SqliteStore.open(self.path, synchronous="OFF")

    async def backup(self, path: Path) -> Archive:
        """Copy it, in a thread."""
        return await asyncio.to_thread(archive.backup, self.path, path, _quiet)

    async def restore(self, path: Path) -> Archive:
        """Make the file."""
        return archive.restore(path, self.path, NOTE, _quiet)

    async def lose(self) -> None:
        """Remove the file and its companions."""
        for each in self.path.parent.glob(self.path.name + "*"):
            each.unlink()

    def _execute(self, statement: str) -> None:
        connection = apsw.Connection(str(self.path))
        connection.execute(statement).fetchall()
        connection.close()

    async def disturb(self) -> None:
        """Count one too many."""
        self._execute(
            "UPDATE counters SET created = created + 1, pending = pending + 1, normal = normal + 1"
        )

    async def age(self) -> None:
        """Apply the first migration only."""
        identity = f"PRAGMA application_id = {opening.APPLICATION_ID}; PRAGMA user_version = 1;"
        self._execute(f"PRAGMA journal_mode = WAL; {migrations()[0]} {identity}")


class PostgresPlace:
    """A database."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self.server = server
        self.address = parse(url)

    async def open(self) -> Store:
        """Open it."""
        return await PostgresStore.open(self.address)

    async def backup(self, path: Path) -> Archive:
        """Copy it, on a connection of its own."""
        return await PostgresStore.backup(self.address, path, NOW, _quiet)

    async def restore(self, path: Path) -> Archive:
        """Fill the database."""
        return await PostgresStore.restore(self.address, path, NOTE, _quiet)

    async def lose(self) -> None:
        """Drop the schema."""
        self.server.empty()

    async def disturb(self) -> None:
        """Count one too many."""
        self.server.execute(
            "UPDATE holdfast.counters SET created = created + 1, pending = pending + 1,"
            "normal = normal + 1"
        )

    async def age(self) -> None:
        """Apply the first migration only."""
        folder = Path(opening.__file__).parents[1] / "postgres" / "migrations"
        first = (folder / "0001_first.sql").read_text()
        self.server.execute(
            f"CREATE SCHEMA holdfast; {first}; UPDATE holdfast.version SET version = 1"  # noqa: S608
        )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a place for a store, of each kind."""
    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "holdfast.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return PostgresPlace(server, server.empty())


@pytest.fixture
async def case(place: Place) -> AsyncIterator[Case]:
    """Return the store of the place, owned; it is closed by whoever loses it, or here."""
    store = await place.open()
    yield Case(store, await store.join(NOW))
    with contextlib.suppress(RuntimeError):  # a test that lost it has closed it
        await store.close()


async def _filled(case: Case) -> None:
    """Put something of everything into a store."""
    await case.take(key="k", priority=9)
    await case.take_chain("north", "east")
    retried = await case.take()
    parts = (Snapshot("policy-1", b'{"a":1}'), Snapshot("context-1", b"{}"))
    await case.commit(snapshots=parts, lanes=(LaneState("north", paused="tea"),))
    await case.change(retried, Verb.RETRY, Result.ERROR, due_at=NOW + 5, attempt=1)
    await case.change(await case.take(), Verb.DIE, Result.FAILURE, code="HARD_FAILURE")
    await case.store.put_document("key_check", b"\x00sealed\xff", 0, NOW)


async def _lanes(store: Store) -> list[LaneState]:
    """Return the lanes but for when they were taken from their owner: a restore does that."""
    return [msgspec.structs.replace(each, stamp=0) for each in await store.lane_states()]


async def _content(store: Store) -> list[Any]:
    """Return everything a store tells."""
    deliveries = (await store.find(Search())).deliveries
    return [
        deliveries,
        [await store.message(each.message_id) for each in deliveries],
        await store.events(EventQuery(after=0)),
        await store.counts(),
        [each for each in await _lanes(store) if each != LaneState(each.recipient)],
        await store.document("key_check"),
        [note for note in await store.notes(None, 100) if note != NOTE],
    ]


async def test_what_was_there_is_there_again(place: Place, case: Case, tmp_path: Path) -> None:
    """Every delivery, message, event, counter, lane, document and audit line."""
    await _filled(case)
    before = await _content(case.store)
    done = await place.backup(tmp_path / "b")
    assert (done.messages, done.deliveries, done.pending, done.events) == (4, 5, 4, 2)
    await case.store.close()
    await place.lose()
    assert await place.restore(tmp_path / "b") == done
    store = await place.open()
    try:
        assert await _content(store) == before
        assert NOTE in await store.notes("store", 10)
    finally:
        await store.close()


async def test_the_heir_is_careful(place: Place, case: Case, tmp_path: Path) -> None:
    """However cleanly the store was left: what was due may have been sent since the backup."""
    await _filled(case)
    await case.store.leave(case.epoch)
    await place.backup(tmp_path / "b")
    for _ in range(5):
        last = await case.store.join(NOW)
    await case.store.close()
    await place.lose()
    await place.restore(tmp_path / "b")
    store = await place.open()
    try:
        ownership = await store.join(NOW)
        assert ownership.epoch > last.epoch
        if not ownership.shared:
            assert not ownership.clean
            return
        lanes = await store.acquire(ownership.epoch, ("east", "north"))
        assert [each.clean for each in lanes] == [False, False]
        assert all(each.state.stamp >= ownership.now - 60_000 for each in lanes)
        assert await store.owners() == dict.fromkeys(("east", "north"), ownership.epoch)
        assert [each.epoch for each in (await store.survey()).members] == [ownership.epoch]
    finally:
        await store.close()


async def test_operations_of_the_lost_store_wait_for_a_person(
    place: Place, case: Case, tmp_path: Path
) -> None:
    """What ran on after the backup is not known: they are paused, and the audit journal says so."""
    running = await saved(case, operation(1))
    paused = await saved(case, operation(2, state=State.PAUSED, why="ann: wait"))
    undoing = await saved(case, operation(3, state=State.UNDOING))
    await case.store.close()
    await place.backup(tmp_path / "b")
    await place.lose()
    await place.restore(tmp_path / "b")
    store = await place.open()
    found = await store.operation(running.id)
    assert found is not None
    assert (found.state, found.revision) == (State.PAUSED, running.revision + 1)
    assert found.why is not None
    assert "restored" in found.why
    assert await store.operation(paused.id) == paused
    assert await store.operations(active=True) == [undoing]
    (note, _) = await store.notes(NOTE.subject, 10)
    assert (note.action, note.detail) == ("operations_pause", "1")
    await store.close()


async def test_positions_go_on_above_those_that_were_lost(
    place: Place, case: Case, tmp_path: Path
) -> None:
    """Who read events that the backup has not goes on from there and misses nothing."""
    await _filled(case)
    await place.backup(tmp_path / "b")
    for _ in range(20):
        await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
    seen = max(event.position for event in await case.store.events(EventQuery()))
    await case.store.close()
    await place.lose()
    await place.restore(tmp_path / "b")
    store = await place.open()
    try:
        heir = Case(store, await store.join(NOW))
        heir.ids = case.ids  # else it would give the ids of the lost store again
        await heir.change(await heir.take(), Verb.SUCCEED, Result.SUCCESS)
        assert len(await store.events(EventQuery(after=seen))) == 1
    finally:
        await store.close()


async def test_it_is_one_instant_while_others_write(
    place: Place, case: Case, tmp_path: Path
) -> None:
    """Commits go on beside it; what was committed before is in it, and the sums hold."""
    payload = bytes(20_000)
    for _ in range(100):
        await _large(case, payload)
    backup = asyncio.ensure_future(place.backup(tmp_path / "b"))
    during = 0
    while not backup.done():
        await _large(case, payload)
        during += 1
        await asyncio.sleep(0)  # noqa: TID251  # let the backup get on
    done = await backup
    assert during > 1
    assert 100 <= done.messages < 100 + during
    assert done.deliveries == done.pending == done.messages


async def _large(case: Case, payload: bytes) -> None:
    message = case.message(sealed=payload)
    await case.commit(accepts=(Accept(message, (case.delivery(message),)),))


async def test_nothing_is_overwritten(place: Place, case: Case, tmp_path: Path) -> None:
    """Neither a file that is there nor a store that was used."""
    await _filled(case)
    (tmp_path / "b").write_text("mine")
    with pytest.raises(Conflict, match="nothing is overwritten"):
        await place.backup(tmp_path / "b")
    assert (tmp_path / "b").read_text() == "mine"
    await place.backup(tmp_path / "c")
    before = await _content(case.store)
    await case.store.close()
    with pytest.raises(Conflict, match="never replaces"):
        await place.restore(tmp_path / "c")
    store = await place.open()
    assert await _content(store) == before
    await store.close()


async def test_a_log_that_was_left_behind_is_not_read_into_another_store(tmp_path: Path) -> None:
    """A killed process leaves it; who moved the store away may not have moved it as well."""
    path = tmp_path / "h.db"
    store = SqliteStore.open(path, synchronous="OFF", inline=True)
    await Case(store, await store.join(NOW)).take()
    archive.backup(path, tmp_path / "b", _quiet)
    await Case(store, await store.join(NOW)).take()
    store.abandon()  # its log stays
    path.rename(tmp_path / "lost.db")
    with pytest.raises(Conflict, match=r"h\.db-wal belongs to the store that was there"):
        archive.restore(tmp_path / "b", path, NOTE, _quiet)
    assert not path.exists()
    path.with_name("h.db-wal").rename(tmp_path / "lost.db-wal")
    assert archive.restore(tmp_path / "b", path, NOTE, _quiet).deliveries == 1


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _other_sum(path: Path) -> None:
    path.with_name("b.sha256").write_text("0" * 64 + "  b\n")


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (_flip, StoreMismatch, "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), StoreMismatch, "damaged"),
        (_other_sum, StoreMismatch, "damaged"),
        (lambda path: path.with_name("b.sha256").unlink(), StoreError, "cannot read"),
        (lambda path: path.unlink(), StoreError, "cannot read|no backup"),
    ],
)
async def test_a_damaged_backup_is_refused(  # noqa: PLR0917  # fixtures
    place: Place,
    case: Case,
    tmp_path: Path,
    damage: Callable[[Path], None],
    error: type[StoreError],
    words: str,
) -> None:
    """One bit, a missing end, another sum, no sum, no file: and no store is begun."""
    await _filled(case)
    await place.backup(tmp_path / "b")
    await case.store.close()
    await place.lose()
    damage(tmp_path / "b")
    with pytest.raises(error, match=words):
        await place.restore(tmp_path / "b")
    store = await place.open()
    assert (await store.join(NOW)).epoch == 1
    await store.close()


async def test_a_store_whose_sums_are_wrong_gives_no_backup(
    place: Place, case: Case, tmp_path: Path
) -> None:
    """Promise 2 is checked before anybody relies on the copy; no file is left behind."""
    await _filled(case)
    await place.disturb()
    with pytest.raises(StoreMismatch, match=r"counters of .*north.* differ"):
        await place.backup(tmp_path / "b")
    assert not list(tmp_path.glob("b*"))  # noqa: ASYNC240


async def test_an_older_backup_is_brought_up_to_date(place: Place, tmp_path: Path) -> None:
    """The schema of its time is made, filled, and migrated."""
    await place.age()
    done = await place.backup(tmp_path / "b")
    assert done.schema_version == 1
    await place.lose()
    await place.restore(tmp_path / "b")
    store = await place.open()
    heir = Case(store, await store.join(NOW))
    await heir.take()
    assert not (await store.counts())["north"].dead
    await store.close()


@pytest.mark.parametrize("content", [b"", b"no store at all", b"SQLite format 3\x00" + bytes(99)])
def test_foreign_files_are_no_backups(tmp_path: Path, content: bytes) -> None:
    """They are named, whatever they are."""
    path = tmp_path / "b"
    path.write_bytes(content)
    with pytest.raises(StoreMismatch, match="backup of an embedded store"):
        archive.key_check(path)
    with pytest.raises(StoreMismatch, match="backup of a database"):
        PostgresStore.key_check(path)


def test_a_backup_of_a_later_format_is_refused(tmp_path: Path) -> None:
    """It says which program it needs."""
    with zipfile.ZipFile(tmp_path / "b", "w") as file:
        file.writestr(
            "manifest.json",
            '{"format":"holdfast-postgres-backup-2","taken_at":1,"version":99,"cleaned":1,'
            '"epoch":1,"newest":1,"days":[],"key_check":null,"tables":{}}',
        )
    with pytest.raises(StoreMismatch, match="use a newer Holdfast"):
        PostgresStore.key_check(tmp_path / "b")
