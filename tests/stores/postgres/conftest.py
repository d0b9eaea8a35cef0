"""A store in a database of its own, the same with a worker, and a connection beside it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.address import parse
from holdfast.testing.store_suite.case import NOW, Case


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    """Return a store in a new database."""
    store = await PostgresStore.open(parse(database))
    yield store
    await store.close()


@pytest.fixture
async def case(store: PostgresStore) -> Case:
    """Return the store, owned."""
    return Case(store, await store.join(NOW))


@pytest.fixture
async def other(database: str, store: PostgresStore) -> AsyncIterator[asyncpg.Connection]:
    """Return a connection of somebody else."""
    del store
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()
