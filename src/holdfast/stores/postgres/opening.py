"""A database that is ours and up to date: identity, migrations, settings that keep promise 1."""

from typing import Final

import asyncpg

from holdfast.errors import StoreMismatch
from holdfast.stores.postgres.sql import migrations, row

OLDEST: Final = 15
"""First major version of PostgreSQL that is supported."""


async def version(connection: asyncpg.Connection) -> int:
    """Return the schema version, 0 when there is none yet.

    Raises:
        StoreMismatch: a schema `holdfast` is there and is not ours.
    """
    found = await row(connection, "identity")
    if found is None or not found["named"]:
        return 0
    if not found["ours"]:
        raise StoreMismatch("the database has a schema `holdfast` that is not a Holdfast store")
    return int(await connection.fetchval("SELECT version FROM holdfast.version"))


async def migrate(connection: asyncpg.Connection) -> None:
    """Bring the schema up to date; an empty database gets all of it.

    Raises:
        StoreMismatch: the database is not ours, from a newer version, or would lose commits.
    """
    await _check_server(connection)
    scripts = migrations()
    if await version(connection) == len(scripts):
        return
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(1212894277)")
        found = await version(connection)
        if found > len(scripts):
            raise StoreMismatch(
                f"the store has schema version {found}, this program knows up to {len(scripts)}; "
                "use a newer Holdfast"
            )
        if found == 0:
            await connection.execute("CREATE SCHEMA IF NOT EXISTS holdfast")
        for script in scripts[found:]:
            await connection.execute(script)
        await connection.execute("UPDATE holdfast.version SET version = $1", len(scripts))


async def _check_server(connection: asyncpg.Connection) -> None:
    major = connection.get_server_version().major
    if major < OLDEST:
        raise StoreMismatch(f"PostgreSQL {major} is too old; needed: {OLDEST} or newer")
    if await connection.fetchval("SELECT current_setting('synchronous_commit')") == "off":
        raise StoreMismatch(
            "synchronous_commit is off for this user or database, so that a crash of the server "
            "would lose what was accepted; set it to on"
        )
    if await connection.fetchval("SELECT current_setting('server_encoding')") != "UTF8":
        raise StoreMismatch("the database must have the encoding UTF8")
