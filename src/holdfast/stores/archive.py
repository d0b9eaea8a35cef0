"""What the backups of every store share: how a file comes to be, and its checksum beside it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from holdfast.errors import Conflict, StoreError, StoreMismatch
from holdfast.model.archive import Archive, Told
from holdfast.store import Note

EPOCHS: Final = 1_000_000
"""A restored store begins so many epochs later than its backup: a process that is left of the lost
store has an old one, whatever happened after the backup."""
PAUSED: Final = "the store was restored from a backup: look at what was done since, then resume"
"""Why the operations of a restored store wait."""
_CHUNK: Final = 1 << 20


class Holding(msgspec.Struct, frozen=True, array_like=True):
    """What a store holds, as `holding.sql` returns it; `off`: recipients whose sums are wrong."""

    messages: int
    deliveries: int
    pending: int
    events: int
    off: list[str]

    def archive(self, path: Path, size: int, digest: str, version: int) -> Archive:
        """Return what is said of a backup that holds this."""
        held = (self.messages, self.deliveries, self.pending, self.events)
        return Archive(str(path), size, digest, version, *held)

    def check(self, what: str) -> None:
        """Refuse a store whose counters are not what its deliveries are (promise 2).

        Raises:
            StoreMismatch: some differ; the message names the recipients.
        """
        if self.off:
            names = ", ".join(self.off[:10])
            raise StoreMismatch(f"{what}: the counters of {names} differ from its deliveries")


def told_of(note: Note, paused: int) -> list[Note]:
    """Return the audit lines of a restore: its own, and that operations were paused."""
    if not paused:
        return [note]
    pause = Note(note.at, "engine", "operations_pause", note.subject, PAUSED, str(paused))
    return [note, pause]


HOLDING: Final = msgspec.json.Decoder(Holding)


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Give a place to write to, for our eyes only; it becomes `path` when all went well.

    Raises:
        Conflict: something is there already.
        StoreError: the folder cannot be written.
    """
    if path.exists():
        raise Conflict(f"{path} exists; nothing is overwritten, choose another name")
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"cannot write {part}: {error.strerror}") from error
    try:
        yield part
        _sync(part)
        part.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def sealed(part: Path, path: Path, told: Told) -> str:
    """Write the checksum of a draft beside what it becomes, durably, and return it."""
    digest = _digest(part, told)
    beside = _beside(path)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{digest}  {path.name}\n")
        file.flush()
        os.fsync(file.fileno())
    return digest


def checked(path: Path, told: Told) -> str:
    """Return the checksum of a backup after comparing it with the one beside it.

    Raises:
        StoreError: one of the files cannot be read.
        StoreMismatch: they differ.
    """
    try:
        expected = _beside(path).read_text(encoding="ascii").split()[:1]
        digest = _digest(path, told)
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {path} with its checksum: {error}") from error
    if expected != [digest]:
        raise StoreMismatch(f"{path} is damaged: its checksum is not that of {_beside(path)}")
    return digest


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _digest(path: Path, told: Told) -> str:
    total, done = path.stat().st_size, 0
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            told("checksum", done, total)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
