"""Backups of a database: our tables at one instant in one file, and a store made from one.

The file is a ZIP: `manifest.json` and one member per table in the text form of COPY, so it needs
no program of PostgreSQL's and is read by every version of it.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

import asyncpg
import msgspec

from holdfast.errors import Conflict, StoreError, StoreMismatch
from holdfast.model.archive import Archive, Told
from holdfast.store import Note
from holdfast.stores import rows
from holdfast.stores.archive import (
    EPOCHS,
    HOLDING,
    PAUSED,
    Holding,
    checked,
    draft,
    sealed,
    told_of,
)
from holdfast.stores.postgres import opening
from holdfast.stores.postgres.partitions import existing
from holdfast.stores.postgres.sql import change, columns, migrations, one, row

TRANSACTIONS: Final = 1 << 32
"""A restored store leaves out the positions of so many transactions: nobody who read events of the
lost store waits below them. A year at 136 a second."""
_FORMAT: Final = "holdfast-postgres-backup-1"
_MANIFEST: Final = "manifest.json"
_ORDER: Final = {"notes": " ORDER BY place"}
_CHUNK: Final = 1 << 20
_KEY_CHECK: Final = "key_check"


class Member(msgspec.Struct, frozen=True):
    """One table: its columns in the order of the file, and how many rows it has."""

    columns: list[str]
    rows: int


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself.

    Attributes:
        format: of the file.
        taken_at: ms since the epoch.
        version: schema version.
        cleaned: post phases that were applied.
        epoch: of the last owner.
        newest: transaction of the newest event.
        days: partitions of the events, counted from 1970.
        key_check: the document that tells which keys are needed; None: never used.
        tables: by name.
    """

    format: str
    taken_at: int
    version: int
    cleaned: int
    epoch: int
    newest: int
    days: list[int]
    key_check: bytes | None
    tables: dict[str, Member]


async def backup(connection: asyncpg.Connection, path: Path, now: int, told: Told) -> Archive:
    """Write what a database holds at one instant to a file, beside those who use it; verify it.

    Nobody waits for it; dead rows stay until it has ended, as for any long reader.

    Raises:
        Conflict: `path` exists.
        StoreMismatch: there is no store, or it is not sound.
        StoreError: the file cannot be written.
    """
    if (await opening.schema(connection)).version == 0:
        raise StoreMismatch("the database holds no store")
    with draft(path) as part:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            # Before the first read, which fixes what is seen: no day is dropped meanwhile.
            await _lock(connection)
            manifest, holding = await _described(connection, now)
            holding.check("the database")
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
                manifest = await _copied(connection, file, manifest, told)
                file.writestr(_MANIFEST, msgspec.json.encode(manifest))
        _verified(part, told)
        digest = sealed(part, path, told)
        size = part.stat().st_size
    return holding.archive(path, size, digest, manifest.version)


def key_check(path: Path) -> bytes | None:
    """Return the document that tells which keys a backup needs; None: it was never used.

    Raises:
        StoreMismatch: it is no backup of a database.
    """
    with _opened(path) as file:
        return _manifest(file, path).key_check


async def restore(connection: asyncpg.Connection, path: Path, note: Note, told: Told) -> Archive:
    """Fill a database from a backup, wholly or not at all.

    Its next owner takes it over like one that crashed.

    Raises:
        Conflict: the database holds a store that was used.
        StoreMismatch: the backup is damaged, foreign, or from a newer version.
    """
    digest, size = checked(path, told), path.stat().st_size  # noqa: ASYNC240  # nothing else runs
    with _opened(path) as file:
        manifest = _manifest(file, path)
        async with connection.transaction():
            await opening.alone(connection)
            await connection.execute("SET LOCAL enable_seqscan = on")
            await _emptied(connection)
            await _made(connection, manifest)
            await _filled(connection, file, manifest, told)
            await opening.migrate(connection, told=told)
            after = manifest.newest + TRANSACTIONS
            await one(connection, "begin_anew", epoch=manifest.epoch + EPOCHS, after=after)
            paused = await change(connection, "pause_operations", why=PAUSED)
            lines = [rows.note_row(each) for each in told_of(note, paused)]
            line = columns(Note.__struct_fields__, lines)
            await change(connection, "append_notes", **line)
            holding = HOLDING.decode(await one(connection, "holding"))
            holding.check(str(path))
    return holding.archive(path, size, digest, manifest.version)


async def _lock(connection: asyncpg.Connection) -> None:
    names = ", ".join(f"holdfast.{name}" for name in await one(connection, "tables"))
    await connection.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
    await connection.execute("SET LOCAL enable_seqscan = on")
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


async def _described(connection: asyncpg.Connection, now: int) -> tuple[Manifest, Holding]:
    found = await opening.schema(connection)
    standing = await row(connection, "standing")
    document = await row(connection, "document", name=_KEY_CHECK)
    if standing is None:
        raise StoreMismatch("the owner's row is missing")
    manifest = Manifest(
        _FORMAT,
        now,
        found.version,
        found.cleaned,
        standing["epoch"],
        standing["newest"],
        await existing(connection),
        None if document is None else document["body"],
        {},
    )
    return manifest, HOLDING.decode(await one(connection, "holding"))


async def _copied(
    connection: asyncpg.Connection, file: zipfile.ZipFile, manifest: Manifest, told: Told
) -> Manifest:
    tables = {}
    names = await one(connection, "tables")
    for number, name in enumerate(names):
        told(f"copy {name}", number, len(names))
        written = await one(connection, "columns", table=name)
        query = f"SELECT {', '.join(written)} FROM holdfast.{name}{_ORDER.get(name, '')}"  # noqa: S608  # our names
        with file.open(f"{name}.copy", "w", force_zip64=True) as member:
            said = await connection.copy_from_query(
                query, output=cast("BinaryIO", member), format="text"
            )
        tables[name] = Member(written, int(said.rpartition(" ")[2]))
    told("copy", len(names), len(names))
    return msgspec.structs.replace(manifest, tables=tables)


def _verified(part: Path, told: Told) -> None:
    """Read the whole file again and count its rows.

    Raises:
        StoreMismatch: it is not what was written.
    """
    with _opened(part) as file:
        manifest = _manifest(file, part)
        for number, (name, member) in enumerate(manifest.tables.items()):
            told("verify", number, len(manifest.tables))
            with file.open(f"{name}.copy") as source:
                _counted(cast("BinaryIO", source), member.rows, name)
    told("verify", len(manifest.tables), len(manifest.tables))


def _counted(source: BinaryIO, expected: int, name: str) -> None:
    """Read to the end, which checks the member's sum; one line is one row."""
    lines = 0
    while chunk := source.read(_CHUNK):
        lines += chunk.count(b"\n")
    if lines != expected:
        raise StoreMismatch(f"the backup holds {lines} rows of {name}, not {expected}")


async def _emptied(connection: asyncpg.Connection) -> None:
    """Make room: what is there may be a store only if it was never used."""
    if (await opening.schema(connection)).version == 0:
        return
    if await one(connection, "ever_used"):
        raise Conflict(
            "the database holds a store; a restore never replaces one: take an empty database"
        )
    await connection.execute("DROP SCHEMA holdfast CASCADE")


async def _made(connection: asyncpg.Connection, manifest: Manifest) -> None:
    """Make the schema as it was when the backup was taken."""
    await connection.execute("CREATE SCHEMA IF NOT EXISTS holdfast")
    for number, each in enumerate(migrations()[: manifest.version], start=1):
        await connection.execute(each.pre)
        if each.post is not None and number <= manifest.cleaned:
            await connection.execute(each.post)
    await opening.stand(connection, opening.Schema(manifest.version, manifest.cleaned))
    await one(connection, "open_days", days=manifest.days)


async def _filled(
    connection: asyncpg.Connection, file: zipfile.ZipFile, manifest: Manifest, told: Told
) -> None:
    known = await one(connection, "tables")
    if sorted(manifest.tables) != known:
        raise StoreMismatch(f"the backup holds {sorted(manifest.tables)}, not {known}")
    for number, (name, member) in enumerate(manifest.tables.items()):
        told(f"fill {name}", number, len(manifest.tables))
        with file.open(f"{name}.copy") as source:
            said = await connection.copy_to_table(
                name,
                schema_name="holdfast",
                source=cast("BinaryIO", source),
                columns=member.columns,
                format="text",
            )
        if int(said.rpartition(" ")[2]) != member.rows:
            raise StoreMismatch(f"{name}: {said} instead of {member.rows} rows")
    told("fill", len(manifest.tables), len(manifest.tables))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as file:
            yield file
    except FileNotFoundError as error:
        raise StoreError(f"there is no backup at {path}") from error
    except zipfile.BadZipFile as error:
        raise StoreMismatch(f"{path} is no sound backup of a database: {error}") from error


def _manifest(file: zipfile.ZipFile, path: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode(file.read(_MANIFEST), type=Manifest)
    except (KeyError, msgspec.MsgspecError) as error:
        raise StoreMismatch(f"{path} is no backup of a database: {error}") from error
    if manifest.format != _FORMAT or manifest.version > len(migrations()):
        raise StoreMismatch(
            f"{path} is a {manifest.format} of schema version {manifest.version}, this program "
            f"knows {_FORMAT} up to {len(migrations())}; use a newer Holdfast"
        )
    return manifest
