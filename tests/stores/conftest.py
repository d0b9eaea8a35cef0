"""One PostgreSQL server per test process, an empty store per test."""

from collections.abc import Iterator

import pytest

from holdfast.testing.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Return a running server that does not care for its disk; durability is proven elsewhere.

    Without autovacuum, whose transactions would hide the newest events for a moment.
    """
    server = PostgresServer({"fsync": "off", "autovacuum": "off"})
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """Return the address of a database without a store."""
    return postgres.empty()
