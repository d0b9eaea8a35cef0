"""The PostgreSQL store passes the conformance suite."""

from collections.abc import AsyncIterator

import pytest

from holdfast.store import Store
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.address import parse
from holdfast.testing.store_suite import StoreSuite
from holdfast.testing.store_suite.following import FollowingSuite
from holdfast.testing.store_suite.keeping import KeepingSuite


class TestPrepared(StoreSuite):
    """With prepared statements: what production uses."""

    @pytest.fixture
    async def store(self, emptied: str) -> AsyncIterator[Store]:
        """Return an empty store."""
        store = await PostgresStore.open(parse(emptied))
        yield store
        await store.close()


class TestUnprepared(FollowingSuite, KeepingSuite):
    """Without prepared statements, for poolers: the parts with the most varied statements."""

    @pytest.fixture
    async def store(self, emptied: str) -> AsyncIterator[Store]:
        """Return an empty store."""
        store = await PostgresStore.open(parse(emptied, prepared=False))
        yield store
        await store.close()
