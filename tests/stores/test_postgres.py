"""The PostgreSQL store passes the conformance suite."""

from collections.abc import AsyncIterator

import pytest

from holdfast.store import Store
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.address import parse
from holdfast.testing.postgres import PostgresServer
from holdfast.testing.store_suite import LeasingSuite, StoreSuite
from holdfast.testing.store_suite.following import FollowingSuite
from holdfast.testing.store_suite.keeping import KeepingSuite
from holdfast.testing.store_suite.shelling import Shell, ShellSuite

UP_FOR_A_WHILE = """
SELECT pg_sleep(greatest(0, 10.1 - extract(epoch FROM now() - pg_postmaster_start_time())))
"""


class Leases(LeasingSuite):
    """Two stores over one database."""

    @pytest.fixture(autouse=True)
    def server(self, postgres: PostgresServer) -> None:
        """Keep the server at hand."""
        self.postgres = postgres

    @pytest.fixture
    async def other(self, store: Store, emptied: str) -> AsyncIterator[Store]:
        """Return the second worker's store."""
        del store  # it has made the schema
        other = await PostgresStore.open(parse(emptied))
        yield other
        await other.close()

    async def lapse(self, store: Store) -> None:
        """Set every lease to long ago, on a server that has been up for longer than a lease."""
        del store
        self.postgres.execute(UP_FOR_A_WHILE)
        self.postgres.execute("UPDATE holdfast.workers SET lease_until = 0")


class TestPrepared(StoreSuite, Leases):
    """With prepared statements: what production uses."""

    @pytest.fixture
    async def store(self, emptied: str) -> AsyncIterator[Store]:
        """Return an empty store."""
        store = await PostgresStore.open(parse(emptied))
        yield store
        await store.close()


class TestUnprepared(FollowingSuite, KeepingSuite, Leases):
    """Without prepared statements, for poolers: the parts with the most varied statements."""

    @pytest.fixture
    async def store(self, emptied: str) -> AsyncIterator[Store]:
        """Return an empty store."""
        store = await PostgresStore.open(parse(emptied, prepared=False))
        yield store
        await store.close()


class TestShell(ShellSuite):
    """By psql, as a user whose name is that of the schema."""

    @pytest.fixture
    async def store(self, emptied: str) -> AsyncIterator[Store]:
        """Return an empty store."""
        store = await PostgresStore.open(parse(emptied))
        yield store
        await store.close()

    @pytest.fixture
    def shell(self, postgres: PostgresServer) -> Shell:
        """Return what psql does."""
        return postgres.execute
