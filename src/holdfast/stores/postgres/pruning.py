"""Retention: what may go is looked up by a reader and removed in short transactions (C17)."""

import asyncpg

from holdfast.model.group import BUCKET_MS
from holdfast.stores.planning.stamping import STAMP_MS
from holdfast.stores.postgres.partitions import DAY_MS, Days
from holdfast.stores.postgres.sql import change, one, row


async def payloads(
    connection: asyncpg.Connection, before: int, start: int, limit: int
) -> tuple[list[str], int | None]:
    """Return messages accepted since `start` whose payload may go, and when the last one came."""
    found = await row(connection, "prunable_payloads", before=before, start=start, limit=limit)
    return ([], None) if found is None else (found[0] or [], found[1])


async def rows(connection: asyncpg.Connection, before: int, limit: int) -> list[str]:
    """Return messages that may go."""
    return await one(connection, "prunable_rows", before=before, limit=limit) or []


async def prune_payloads(connection: asyncpg.Connection, ids: list[str], before: int) -> int:
    """Remove payloads, but for those that somebody needs again meanwhile."""
    return int(await one(connection, "prune_payloads", ids=ids, before=before))


async def prune_rows(connection: asyncpg.Connection, ids: list[str], before: int) -> int:
    """Remove messages with their deliveries and count these as pruned."""
    return int(await one(connection, "prune_rows", ids=ids, before=before))


async def prune_events(connection: asyncpg.Connection, days: Days, before: int) -> int:
    """Drop the days that ended before, and snapshots that no kept event can name."""
    gone = await days.drop(connection, before)
    # A stamp may be an hour older than the last use.
    await change(connection, "prune_snapshots", before=before - before % DAY_MS - 2 * STAMP_MS)
    return gone


async def prune_keys(connection: asyncpg.Connection, before: int, limit: int) -> int:
    """Forget old keys."""
    return await change(connection, "prune_keys", before=before, limit=limit)


async def prune_groups(connection: asyncpg.Connection, before: int) -> None:
    """Forget groups that have nothing failing any more, and when they failed long ago."""
    await change(connection, "prune_groups", before=before)
    await change(connection, "prune_buckets", before=before // BUCKET_MS)


async def prune_operations(connection: asyncpg.Connection, before: int, limit: int) -> int:
    """Remove results of old operations, and then these."""
    results = await change(connection, "prune_results", before=before, limit=limit)
    return results + await change(connection, "prune_operations", before=before)
