"""Indexes that have become loose are rebuilt, and only those."""

from holdfast.store import Pruned, Retention
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.store import REBUILD_MS
from holdfast.testing.postgres import PostgresServer
from holdfast.testing.store_suite.case import NOW

INDEX = "failure_buckets_pkey"


def fill(postgres: PostgresServer) -> None:
    """Add 300,000 entries, of those that are not there."""
    postgres.execute(
        "INSERT INTO holdfast.failure_buckets "
        "SELECT 'g1_' || number, 0, 1 FROM generate_series(1, 300000) AS number "
        "ON CONFLICT DO NOTHING"
    )


def loosen(postgres: PostgresServer) -> int:
    """Leave one entry of a hundred, as after an outage; return how many pages the index has."""
    fill(postgres)
    postgres.execute("DELETE FROM holdfast.failure_buckets WHERE right(group_id, 2) <> '00'")
    postgres.execute("VACUUM ANALYZE holdfast.failure_buckets")
    return pages(postgres)


def pages(postgres: PostgresServer) -> int:
    """Return how many pages the index has."""
    [(number,)] = postgres.rows(f"SELECT relpages FROM pg_class WHERE relname = '{INDEX}'")  # noqa: S608
    return int(number)


async def test_a_loose_index_is_rebuilt_once_an_hour(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    """With what keeps old things from piling up; what it holds stays."""
    assert loosen(postgres) > 1_000
    assert await store.prune(NOW, Retention()) == Pruned()
    assert pages(postgres) < 50
    assert postgres.execute("SELECT count(*) FROM holdfast.failure_buckets") == "3000"
    loose = loosen(postgres)
    await store.prune(NOW + REBUILD_MS - 1, Retention())
    assert pages(postgres) == loose
    await store.prune(NOW + REBUILD_MS, Retention())
    assert pages(postgres) < 50


async def test_what_is_dense_is_left_alone(postgres: PostgresServer, store: PostgresStore) -> None:
    """However large it is."""
    fill(postgres)
    postgres.execute("VACUUM ANALYZE holdfast.failure_buckets")
    file = f"SELECT pg_relation_filenode('holdfast.{INDEX}')"
    before = postgres.execute(file)
    await store.prune(NOW, Retention())
    assert postgres.execute(file) == before


async def test_what_a_broken_off_rebuild_left_is_removed(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    """Else every one would leave another, which every write keeps up; other indexes stay."""
    for name in (f"{INDEX}_ccnew", f"{INDEX}_ccold1", "somebody_elses"):
        postgres.execute(f"CREATE INDEX {name} ON holdfast.failure_buckets (bucket)")
    postgres.execute(
        "UPDATE pg_index SET indisvalid = false FROM pg_class "
        "WHERE oid = indexrelid AND relname ~ '_cc(new|old1)$'"
    )
    await store.prune(NOW, Retention())
    found = postgres.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'failure_buckets' ORDER BY 1"
    )
    assert found.splitlines() == ["failure_buckets_bucket", INDEX, "somebody_elses"]
