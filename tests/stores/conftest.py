"""One PostgreSQL server per test process, an empty store per test."""

from collections.abc import Iterator

import pytest

from holdfast.testing.postgres import PostgresServer, running

EMPTY = """
DO $$ BEGIN
IF to_regclass('holdfast.owner') IS NOT NULL THEN
    TRUNCATE holdfast.messages, holdfast.deliveries, holdfast.attempts, holdfast.snapshots,
        holdfast.lanes, holdfast.workers, holdfast.counters, holdfast.notes, holdfast.documents,
        holdfast.search_tokens, holdfast.operations, holdfast.operation_results,
        holdfast.access_records, holdfast.failure_groups, holdfast.failure_buckets;
    UPDATE holdfast.owner SET epoch = 0, shift = 0;
END IF;
END $$
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the server as slow: it is another process."""
    for item in items:
        if isinstance(item, pytest.Function) and {"postgres", "pair"} & {*item.fixturenames}:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Return a running server that does not care for its disk; durability is proven elsewhere.

    Without autovacuum, whose transactions would hide the newest events for a moment.
    """
    with running(PostgresServer({"fsync": "off", "autovacuum": "off"})) as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """Return the address of a database without a store; what becomes of it is nobody's after."""
    yield postgres.empty()
    postgres.empty()


@pytest.fixture
def emptied(postgres: PostgresServer) -> str:
    """Return the address of a database whose store, if it has one, is empty: that is quicker."""
    postgres.execute(EMPTY)
    return postgres.url()
