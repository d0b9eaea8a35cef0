"""Connections: settings, identity of the file, migrations."""

import os
from pathlib import Path
from typing import Final, Literal

import apsw

from holdfast.errors import InvalidInput, StoreMismatch
from holdfast.stores.sqlite.session import transaction
from holdfast.stores.sqlite.sql import migrations, schema

Synchronous = Literal["FULL", "NORMAL", "OFF"]

APPLICATION_ID: Final = 0x484F4C44
"""`HOLD` in ASCII: tells our files from other SQLite files."""
MEMORY: Final = ":memory:"
BUSY_MS: Final = 5_000
_WRITER_CACHE_KIB: Final = 65_536
_READER_CACHE_KIB: Final = 65_536
_SYNCHRONOUS: Final = ("FULL", "NORMAL", "OFF")


def writer(
    path: str, *, synchronous: Synchronous, quota_bytes: int | None, vfs: str | None
) -> apsw.Connection:
    """Return a connection that may write, to a file that is ours and up to date.

    Raises:
        InvalidInput: a setting is out of range.
        StoreMismatch: the file is not ours, or from a newer version.
    """
    if synchronous not in _SYNCHRONOUS:
        raise InvalidInput("synchronous", synchronous, ", ".join(_SYNCHRONOUS))
    if quota_bytes is not None and quota_bytes < 1:
        raise InvalidInput("quota_bytes", quota_bytes, "None or at least 1")
    if path != MEMORY and vfs is None:
        _create_private(path)
    connection = apsw.Connection(path, vfs=vfs)
    try:
        if vfs is not None:
            # Without shared memory SQLite can use a write-ahead log only if it is alone.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        _check_identity(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        migrate(connection)
        if quota_bytes is not None:
            pages = max(1, quota_bytes // connection.pragma("page_size"))
            connection.execute(f"PRAGMA max_page_count = {pages}")
    except BaseException:
        connection.close()
        raise
    return connection


def reader(path: str) -> apsw.Connection:
    """Return a connection that only reads."""
    connection = apsw.Connection(path)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA query_only = 1")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


def keeper(path: str, synchronous: Synchronous) -> apsw.Connection:
    """Return a connection that carries the write-ahead log over to the file."""
    connection = apsw.Connection(path)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    return connection


def version(path: Path) -> int:
    """Return the schema version of a file, 0 when there is none yet."""
    if not path.exists():
        return 0
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(connection.pragma("user_version"))
    finally:
        connection.close()


def looked_into(path: Path) -> apsw.Connection | None:
    """Return a connection that only looks, beside an owner; None: no file of this version."""
    if version(path) != len(migrations()):
        return None
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_MS)
    return connection


def migrate(connection: apsw.Connection) -> None:
    """Bring the schema up to date; a new file gets the whole of it at once.

    Raises:
        StoreMismatch: a newer version wrote the file.
    """
    scripts = migrations()
    if connection.pragma("user_version") == len(scripts):
        return
    with transaction(connection):
        version = connection.pragma("user_version")
        if version > len(scripts):
            raise StoreMismatch(
                f"the store has schema version {version}, this program knows up to {len(scripts)}; "
                "use a newer Holdfast"
            )
        for script in scripts[version:] if version else (schema(),):
            connection.execute(script)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(scripts)}")


def _create_private(path: str) -> None:
    # SQLite gives its other files the mode of the main one.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreMismatch(f"cannot open the store {path}: {error.strerror}") from error


def _check_identity(connection: apsw.Connection, path: str) -> None:
    connection.set_busy_timeout(BUSY_MS)
    try:
        found = connection.pragma("application_id")
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StoreMismatch(f"{path} is not a Holdfast store: {error}") from error
    if found != APPLICATION_ID and (found != 0 or tables):
        raise StoreMismatch(
            f"{path} is not a Holdfast store: its application id is {found:#x}, "
            f"ours is {APPLICATION_ID:#x}"
        )


def folder_of(path: str) -> Path:
    """Return the folder whose disk holds the store."""
    return Path(path).absolute().parent
