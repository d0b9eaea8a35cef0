"""Rebuilds indexes that have become loose.

An entry comes with a failure and goes with the success: what stays of an outage is pages with an
entry here and there, which nothing but a rebuild brings together again. A rebuild reads the table
once and keeps nobody from it (https://www.postgresql.org/docs/current/sql-reindex.html).
"""

from typing import Final

import asyncpg

from holdfast.stores.postgres.sql import many

PAGES: Final = 1_000
"""Smaller indexes are quick however loose they are."""
WIDTH: Final = 1_000
"""Bytes for each entry; the widest index takes 300 when half of its pages is empty."""


async def rebuild(connection: asyncpg.Connection) -> list[str]:
    """Rebuild what is loose and not small; return the names.

    What an earlier rebuild left that was broken off is removed first.
    """
    for (name,) in await many(connection, "broken_indexes"):
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    loose = [name for (name,) in await many(connection, "loose_indexes", pages=PAGES, width=WIDTH)]
    for name in loose:
        await connection.execute(f"REINDEX INDEX CONCURRENTLY {name}")
    return loose
