"""The embedded store passes the conformance suite in each of its forms."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from holdfast.model.attempt import Result
from holdfast.model.delivery import Verb
from holdfast.model.worker import LEASE_MS
from holdfast.store import EventQuery, Store
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.clock import VirtualClock
from holdfast.testing.shared import SharedDatabase, SharedStore
from holdfast.testing.store_suite import LeasingSuite, OwningSuite, StoreSuite
from holdfast.testing.store_suite.case import NOW, Case
from holdfast.testing.store_suite.shelling import Shell, ShellSuite


class TestFile(StoreSuite, OwningSuite):
    """A file with its threads: what production uses."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        """Return a store in a new file; durability is proven elsewhere."""
        store = SqliteStore.open(tmp_path / "holdfast.db", synchronous="OFF")
        yield store
        await store.close()


class TestInline(StoreSuite, OwningSuite):
    """Memory, on the caller's thread: what simulations use."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        """Return a store over a connection that is ours."""
        connection = apsw.Connection(":memory:")
        store = SqliteStore.over(connection)
        yield store
        await store.close()
        connection.close()


@pytest.mark.slow
class TestMemory(StoreSuite, OwningSuite):
    """Memory behind one thread."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        """Return a store that is gone when it is closed."""
        store = SqliteStore.open(":memory:")
        yield store
        await store.close()


class TestShared(StoreSuite, LeasingSuite):
    """What simulations of several workers use."""

    @pytest.fixture
    def database(self) -> SharedDatabase:
        """Return an empty database."""
        return SharedDatabase(VirtualClock(NOW))

    @pytest.fixture
    async def store(self, database: SharedDatabase) -> Store:
        """Return the first worker's store."""
        return database.session()

    @pytest.fixture
    async def other(self, database: SharedDatabase) -> Store:
        """Return the second worker's store."""
        return database.session()

    async def lapse(self, store: Store) -> None:
        """Let time pass."""
        assert isinstance(store, SharedStore)
        clock = store.database.clock
        assert isinstance(clock, VirtualClock)
        clock.jump(LEASE_MS / 1000)


class TestShell(ShellSuite):
    """Beside a running owner, with another build of SQLite than ours: that of Python."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        """Return a store in a file that others can open."""
        store = SqliteStore.open(tmp_path / "holdfast.db", synchronous="OFF")
        yield store
        await store.close()

    @pytest.fixture
    def shell(self, tmp_path: Path) -> Shell:
        """Return what a plain shell does, which knows nothing of ours."""

        def shell(statement: str) -> str:
            with closing(sqlite3.connect(tmp_path / "holdfast.db")) as connection, connection:
                rows = connection.execute(statement).fetchall()
            told = [["" if value is None else str(value) for value in row] for row in rows]
            return "\n".join("|".join(row) for row in told)

        return shell


async def test_a_page_of_a_long_time_reads_few_bodies() -> None:
    """Events of a range are put in order by their positions alone."""
    connection = apsw.Connection(":memory:")
    store = SqliteStore.over(connection)
    case = Case(store, await store.join(NOW))
    for number in range(40):
        case.now = NOW + number
        await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
    connection.execute("UPDATE attempts SET excerpt = zeroblob(200000)")
    connection.status(apsw.SQLITE_DBSTATUS_CACHE_HIT, reset=True)
    assert len(await store.events(EventQuery(start=NOW, limit=2))) == 2
    pages, _ = connection.status(apsw.SQLITE_DBSTATUS_CACHE_HIT)
    assert pages < 400  # 49 of each event that is read
