"""The embedded store passes the conformance suite in each of its forms."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from holdfast.store import Store
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.store_suite import StoreSuite


class TestFile(StoreSuite):
    """A file with its threads: what production uses."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        """Return a store in a new file; durability is proven elsewhere."""
        store = SqliteStore.open(tmp_path / "holdfast.db", synchronous="OFF")
        yield store
        await store.close()


class TestInline(StoreSuite):
    """Memory, on the caller's thread: what simulations use."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        """Return a store over a connection that is ours."""
        connection = apsw.Connection(":memory:")
        store = SqliteStore.over(connection)
        yield store
        await store.close()
        connection.close()


class TestMemory(StoreSuite):
    """Memory behind one thread."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        """Return a store that is gone when it is closed."""
        store = SqliteStore.open(":memory:")
        yield store
        await store.close()
