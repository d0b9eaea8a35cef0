"""The PostgreSQL store passes the conformance suite."""

from collections.abc import AsyncIterator

import pytest

from holdfast.store import Store
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.address import parse
from holdfast.testing.store_suite import StoreSuite


class TestPrepared(StoreSuite):
    """With prepared statements: what production uses."""

    @pytest.fixture
    async def store(self, database: str) -> AsyncIterator[Store]:
        """Return a store in a new database."""
        store = await PostgresStore.open(parse(database))
        yield store
        await store.close()
