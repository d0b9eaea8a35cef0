"""A database that is ours and up to date: identity, migrations, settings that keep promise 1.

A migration has two phases. `pre` only adds, so it runs while programs of the version before are
up, and every start runs it. `post` takes away what only these needed; a person runs it when the
last of them is gone, and then they cannot come back.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import asyncpg

from holdfast.errors import StoreBusy, StoreMismatch
from holdfast.model.archive import Told
from holdfast.stores.postgres.sql import Migration, change, migrations, one, row

OLDEST: Final = 15
"""First major version of PostgreSQL that is supported."""
CLEANED_SINCE: Final = 4
"""The schema version in which the column `cleaned` came."""
LOCK_S: Final = 3
"""A migration waits no longer for a table: everybody would queue up behind it."""


class Schema(NamedTuple):
    """Where a database stands: migrations applied, and post phases applied; 0: no store yet."""

    version: int
    cleaned: int


class Step(NamedTuple):
    """One phase of a migration that is not applied yet."""

    number: int
    name: str
    phase: Literal["pre", "post"]
    script: str

    def __str__(self) -> str:
        return f"{self.name} ({self.phase})"


async def schema(connection: asyncpg.Connection) -> Schema:
    """Return where a database stands.

    Raises:
        StoreMismatch: a schema `holdfast` is there and is not ours.
    """
    found = await row(connection, "identity")
    if found is None or not found["named"]:
        return Schema(0, 0)
    if not found["ours"]:
        raise StoreMismatch("the database has a schema `holdfast` that is not a Holdfast store")
    version = await row(connection, "version")
    if version is None:
        raise StoreMismatch("the row in holdfast.version is missing")
    return Schema(version["version"], version["cleaned"])


def pending(
    at: Schema, *, post: bool = True, scripts: Sequence[Migration] | None = None
) -> list[Step]:
    """Return what is still to do: pre phases, then the post phases when these are asked for."""
    known = migrations() if scripts is None else scripts
    numbered = list(enumerate(known, start=1))
    before = [Step(n, each.name, "pre", each.pre) for n, each in numbered if n > at.version]
    after = [
        Step(n, each.name, "post", each.post)
        for n, each in numbered
        if each.post is not None and n > at.cleaned
    ]
    return [*before, *after] if post else before


async def migrate(
    connection: asyncpg.Connection,
    *,
    post: bool = False,
    told: Told = lambda *_: None,
    scripts: Sequence[Migration] | None = None,
) -> list[Step]:
    """Bring the schema up to date and return what was done; an empty database gets all of it.

    Args:
        connection: any.
        post: the post phases, too.
        told: progress.
        scripts: instead of the migrations of this version.

    Raises:
        StoreMismatch: the database is not ours, from a newer version, or would lose commits.
        StoreBusy: `post` was asked for and older programs are connected, or a table is in use.
    """
    await _check_server(connection)
    known = migrations() if scripts is None else scripts
    found = await schema(connection)
    _check_version(found, known)
    if not pending(found, post=post or not found.version, scripts=known):
        return []
    try:
        async with connection.transaction():
            return await _advance(connection, post=post, told=told, known=known)
    except asyncpg.LockNotAvailableError:
        raise StoreBusy(
            f"a long transaction has kept a table for {LOCK_S} s; nothing was changed, try again"
        ) from None


async def _advance(
    connection: asyncpg.Connection, *, post: bool, told: Told, known: Sequence[Migration]
) -> list[Step]:
    await alone(connection)
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_S}s'")
    found = await schema(connection)  # somebody else may have been quicker
    _check_version(found, known)
    if found.version == 0:
        await connection.execute("CREATE SCHEMA IF NOT EXISTS holdfast")
    steps = pending(found, post=post or not found.version, scripts=known)
    if found.version and any(step.phase == "post" for step in steps):
        await _check_programs(connection, len(known))
    for done, step in enumerate(steps):
        told(str(step), done, len(steps))
        await connection.execute(step.script)
    if steps:
        told("done", len(steps), len(steps))
        cleaned = len(known) if post or not found.version else found.cleaned
        await stand(connection, Schema(max(found.version, len(known)), cleaned))
    return steps


async def alone(connection: asyncpg.Connection) -> None:
    """Let nobody else change the schema until this transaction ends, however long it takes."""
    await connection.execute("SELECT pg_advisory_xact_lock(1212894277)")
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


async def stand(connection: asyncpg.Connection, at: Schema) -> None:
    """Write down where a database stands."""
    if at.version < CLEANED_SINCE:
        await change(connection, "stand_first", version=at.version)
    else:
        await change(connection, "stand", version=at.version, cleaned=at.cleaned)


def _check_version(found: Schema, known: Sequence[Migration]) -> None:
    """Refuse what a newer program has cleaned up; what it only added to is no harm."""
    if found.cleaned > len(known):
        raise StoreMismatch(
            f"the store has schema version {found.version} without what was before "
            f"{found.cleaned}, this program knows up to {len(known)}; use a newer Holdfast"
        )


async def _check_programs(connection: asyncpg.Connection, version: int) -> None:
    older = await one(connection, "older_programs", version=version)
    if older:
        raise StoreBusy(
            f"programs that need the old schema are connected: {', '.join(sorted(older))}; "
            "upgrade or stop them first"
        )


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
