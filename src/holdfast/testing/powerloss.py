"""A disk for SQLite that forgets what was not synced when the power fails.

    disk = Disk("before", fails_after=120)
    store = SqliteStore.open("holdfast.db", vfs=disk.name, inline=True)
    ...                              # commits, until `disk.failed()`
    after = disk.after_power_loss("after", rng)
    store = SqliteStore.open("holdfast.db", vfs=after.name, inline=True)

A disk must be kept as long as somebody uses it; SQLite knows only its name.
Everything is in memory, so a test can cut the power at any single write.
"""

import contextlib
import copy
import errno
import itertools
from collections.abc import Iterator
from random import Random
from typing import Final

import apsw

SECTOR: Final = 512
"""What a disk writes at once; larger writes may be torn."""

Pending = tuple[int, bytes] | int
"""A write (offset, data), or a new size."""


class _Medium:
    """One file: what is safe, what the program sees, and the difference as a list of changes."""

    def __init__(self, content: bytes = b"") -> None:
        self.safe = bytearray(content)
        self.seen = bytearray(content)
        self.pending: list[Pending] = []

    def change(self, pending: Pending) -> None:
        _change(self.seen, pending)
        self.pending.append(pending)

    def sync(self) -> None:
        self.safe[:] = self.seen
        self.pending.clear()

    def after_power_loss(self, rng: Random | None) -> bytes:
        content = bytearray(self.safe)
        if rng is not None:
            for pending in _torn(self.pending, rng):
                _change(content, pending)
        return bytes(content)


def _change(content: bytearray, pending: Pending) -> None:
    if isinstance(pending, int):
        del content[pending:]
        return
    offset, data = pending
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


def _torn(pending: list[Pending], rng: Random) -> list[Pending]:
    """Return a random half of the sectors, in any order: a disk may reorder between syncs."""
    pieces: list[Pending] = []
    for each in pending:
        if isinstance(each, int):
            pieces.append(each)
            continue
        offset, data = each
        starts = range(0, len(data), SECTOR)
        pieces += [(offset + start, data[start : start + SECTOR]) for start in starts]
    return rng.sample(pieces, len(pieces) // 2)


class Disk(apsw.VFS):
    """A SQLite file system in memory, registered under `name`.

    Args:
        name: what `vfs=` is given; unique in the process.
        contents: files to begin with.
        fails_after: how many writes, truncations and syncs happen before the power fails. The
            next one is an I/O error; all later ones seem to succeed, so that a test can close
            what it opened, but leave no trace. None: never.
        capacity: bytes that all files together may have; more is "disk full". None: no limit.

    Attributes:
        operations: how many writes, truncations and syncs have happened.
    """

    def __init__(
        self,
        name: str,
        contents: dict[str, bytes] | None = None,
        *,
        fails_after: int | None = None,
        capacity: int | None = None,
    ) -> None:
        self.name = name
        self.fails_after = fails_after
        self.capacity = capacity
        self.operations = 0
        self._remains: dict[str, _Medium] | None = None
        self._unnamed = itertools.count(1)
        self._media = {path: _Medium(content) for path, content in (contents or {}).items()}
        super().__init__(name, base="")  # randomness, sleep and time are those of the default

    def files(self) -> "DiskFiles":
        """Return the disk as the spool sees it."""
        return DiskFiles(self)

    def names(self) -> list[str]:
        """Return the names of all files."""
        return list(self._media)

    def rename(self, name: str, new: str) -> None:
        """Give a file another name."""
        self._media[new] = self._media.pop(name)

    def spoil(self, name: str, offset: int, data: bytes) -> None:
        """Write over what is safe on the disk, as bad sectors would."""
        medium = self._media[name]
        for content in (medium.safe, medium.seen):
            _change(content, (offset, data))

    def after_power_loss(self, name: str, rng: Random | None = None) -> "Disk":
        """Return the disk as the next process finds it.

        Args:
            name: of the new disk; the old one goes on serving those who have it open.
            rng: chooses the unsynced sectors that made it to the disk; None: none did.
        """
        media = self._media if self._remains is None else self._remains
        contents = {path: each.after_power_loss(rng) for path, each in media.items()}
        return Disk(name, contents)

    def failed(self) -> bool:
        """Tell whether the power has failed; what is acknowledged afterwards does not count."""
        return self._remains is not None

    def operate(self, grows_by: int = 0) -> None:
        """Count an operation and fail it when the power fails or the disk is full."""
        self.operations += 1
        due = self.fails_after is not None and self.operations > self.fails_after
        if due and not self.failed():
            self._remains = copy.deepcopy(self._media)
            raise apsw.IOError("the power failed")
        used = sum(len(each.seen) for each in self._media.values())
        if grows_by > 0 and self.capacity is not None and used + grows_by > self.capacity:
            raise apsw.FullError("no space is left on the disk")

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802  # SQLite's name
        """Tell whether a file exists."""
        del flags
        return pathname in self._media

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802  # as above
        """Remove a file."""
        del syncdir
        self._media.pop(filename, None)

    def xFullPathname(self, name: str) -> str:  # noqa: N802  # as above
        """Return the name: there are no folders."""
        return name

    def xOpen(  # type: ignore[override]  # noqa: N802  # apsw takes any object with the methods
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> "_File":
        """Open a file, and make it when it is not there."""
        flags[1] = flags[0]
        if name is None:
            path = f"unnamed-{next(self._unnamed)}"
        else:
            path = name if isinstance(name, str) else name.filename()
        return _File(self, self._media.setdefault(path, _Medium()))


class _File:
    """An open file; there is one process, so locks always succeed."""

    def __init__(self, disk: Disk, medium: _Medium) -> None:
        self._disk = disk
        self._medium = medium

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802  # SQLite's names
        return bytes(self._medium.seen[offset : offset + amount])

    def xWrite(self, data: bytes | bytearray | memoryview, offset: int) -> None:  # noqa: N802
        content = bytes(data)
        self._disk.operate(offset + len(content) - len(self._medium.seen))
        self._medium.change((offset, content))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.operate()
        self._medium.change(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        del flags
        self._disk.operate()
        self._medium.sync()

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._medium.seen)

    def xLock(self, level: int) -> None:  # noqa: N802
        del level

    def xUnlock(self, level: int) -> None:  # noqa: N802
        del level

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return 0

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: N802
        del op, ptr
        return False

    def xClose(self) -> None:  # noqa: N802
        pass


class DiskFiles:
    """`stores.spool.files.Files` on such a disk; its errors are those of the system."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def names(self) -> list[str]:
        """Return the names of all files."""
        return self._disk.names()

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        return self._file(name).xFileSize()

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """Return bytes of a file; -1: to its end."""
        if name not in self._disk.names():
            raise FileNotFoundError(errno.ENOENT, "no such file", name)
        file = self._file(name)
        return file.xRead(file.xFileSize() if size < 0 else size, offset)

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, and make it when there is none."""
        file = self._file(name)
        with _as_the_system_does():
            file.xWrite(data, file.xFileSize())

    def sync(self, name: str) -> None:
        """Make what was appended durable."""
        with _as_the_system_does():
            self._file(name).xSync(0)

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        with _as_the_system_does():
            self._file(name).xTruncate(size)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._disk.xDelete(name, True)  # noqa: FBT003  # SQLite's signature

    def rename(self, name: str, new: str) -> None:
        """Give a file another name."""
        self._disk.rename(name, new)

    def close(self) -> None:
        """Close what is open: nothing is."""

    def _file(self, name: str) -> _File:
        return self._disk.xOpen(name, [0, 0])


@contextlib.contextmanager
def _as_the_system_does() -> Iterator[None]:
    try:
        yield
    except apsw.FullError as error:
        raise OSError(errno.ENOSPC, str(error)) from error
    except apsw.IOError as error:
        raise OSError(errno.EIO, str(error)) from error
