"""Backups of the embedded store while it runs, and a store made from one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw
import msgspec

from holdfast.errors import Conflict, StoreError, StoreMismatch
from holdfast.model.archive import Archive, Told
from holdfast.store import Note
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
from holdfast.stores.sqlite import opening
from holdfast.stores.sqlite.lock import FileLock
from holdfast.stores.sqlite.session import transaction, translated
from holdfast.stores.sqlite.sql import change, migrations, one

PAGES: Final = 256
"""Pages (of 4 KiB) that are copied in one step."""
POSITIONS: Final = 1 << 40
"""A restored store leaves out so many positions: nobody who read events of the lost store waits
below them. Three years at ten thousand events a second."""
_COPY: Final = 1 << 20


def backup(store: Path, path: Path, told: Told) -> Archive:
    """Copy a store, also one in use, as it stands at one instant; verify the copy.

    Commits go on beside it; the write-ahead log grows by what they write meanwhile.

    Raises:
        Conflict: `path` exists.
        StoreError: there is no store, or the copy cannot be written.
        StoreMismatch: the copy is not sound.
    """
    if not store.exists():
        raise StoreError(f"there is no store at {store}")
    with draft(path) as part, translated():
        with _opened(store) as source, _opened(part) as copy:
            _copied(source, copy, told)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without companions
            version, holding = _verified(copy, path, told)
        digest = sealed(part, path, told)
        size = part.stat().st_size
    return holding.archive(path, size, digest, version)


def key_check(path: Path) -> bytes | None:
    """Return the document that tells which keys a backup needs; None: it was never used.

    Raises:
        StoreMismatch: it is no backup of an embedded store.
    """
    if not path.is_file():
        raise StoreError(f"there is no backup at {path}")
    with translated(), _opened(path) as connection:
        _identified(connection, path)
        found = one(connection, "document", name="key_check")
    return None if found is None else found[1]


def restore(path: Path, store: Path, note: Note, told: Told) -> Archive:
    """Make a store from a backup; its next owner takes it over like one that crashed.

    Args:
        path: the backup, with its checksum beside it.
        store: where the store shall be; nothing may be there.
        note: a line for the audit journal.
        told: progress.

    Raises:
        Conflict: there is a store already.
        StoreBusy: a running Holdfast has it.
        StoreMismatch: the backup is damaged, foreign, or from a newer version.
    """
    if store.exists():
        raise Conflict(f"there is a store at {store}; a restore never replaces one: move it away")
    for left in _companions(store):
        raise Conflict(
            f"{left} belongs to the store that was there, and would be read into the new one: "
            "move it to where its store is"
        )
    lock = FileLock(store)
    with translated():
        lock.acquire()
    try:
        return _restored(path, store, note, told)
    finally:
        lock.release()


def _companions(store: Path) -> list[Path]:
    """Return what SQLite would take for a part of the store."""
    beside = [store.with_name(store.name + end) for end in ("-wal", "-journal")]
    return [path for path in beside if path.exists()]


def _restored(path: Path, store: Path, note: Note, told: Told) -> Archive:
    digest = checked(path, told)
    with draft(store) as part, translated():
        _filled(path, part, told)
        with _opened(part) as connection:
            version, holding = _verified(connection, path, told)
            with transaction(connection):
                change(connection, "begin_anew", epochs=EPOCHS)
                if not change(connection, "skip_positions", positions=POSITIONS):
                    change(connection, "first_position", positions=POSITIONS)
                for each in told_of(note, _paused(connection)):
                    values = msgspec.structs.asdict(each)
                    del values["account"]  # the store may be older than that
                    change(connection, "note_restore", **values)
    return holding.archive(path, path.stat().st_size, digest, version)


def _paused(connection: apsw.Connection) -> int:
    """Pause what ran and return how many those were; old backups know of no operations."""
    if not one(connection, "has_operations"):
        return 0
    return change(connection, "pause_operations", why=PAUSED)


def _copied(source: apsw.Connection, copy: apsw.Connection, told: Told) -> None:
    # The open transaction keeps one state in view; without it every commit of somebody else would
    # start the copy anew.
    source.execute("BEGIN")
    source.execute("SELECT 1 FROM owner").get  # noqa: B018  # the first read fixes the state
    with copy.backup("main", source, "main") as work:
        while not work.done:
            work.step(PAGES)
            told("copy", work.page_count - work.remaining, work.page_count)
    source.execute("ROLLBACK")


def _filled(path: Path, part: Path, told: Told) -> None:
    total = path.stat().st_size
    with path.open("rb") as source, part.open("wb") as target:
        while chunk := source.read(_COPY):
            target.write(chunk)
            told("copy", target.tell(), total)


def _verified(connection: apsw.Connection, path: Path, told: Told) -> tuple[int, Holding]:
    """Return schema version and content of a file that is sound."""
    told("verify", 0, 2)
    version = _identified(connection, path)
    trouble = connection.execute("PRAGMA integrity_check(1)").get
    if trouble != "ok":
        raise StoreMismatch(f"{path} is damaged: {trouble}")
    told("verify", 1, 2)
    holding = HOLDING.decode(one(connection, "holding"))
    holding.check(str(path))
    told("verify", 2, 2)
    return version, holding


def _identified(connection: apsw.Connection, path: Path) -> int:
    try:
        version = int(connection.pragma("user_version"))
        ours = connection.pragma("application_id") == opening.APPLICATION_ID
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StoreMismatch(f"{path} is no backup of an embedded store: {error}") from error
    if not ours or not version:
        raise StoreMismatch(f"{path} is no backup of an embedded store")
    if version > len(migrations()):
        raise StoreMismatch(
            f"{path} has schema version {version}, this program knows up to {len(migrations())}; "
            "use a newer Holdfast"
        )
    return version


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(opening.BUSY_MS)
    try:
        yield connection
    finally:
        connection.close()
