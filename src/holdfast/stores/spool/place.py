"""Where the spool may be: a private folder on a disk that outlives the machine's restart."""

import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from holdfast.errors import StoreError
from holdfast.stores.spool.files import sync_folder
from holdfast.stores.spool.journal import NAME, name_of

SLOTS: Final = 64
"""Most processes of one store on one machine that have a spool."""
LOCK: Final = "lock"
_VOLATILE: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_MOUNTS: Final = Path("/proc/self/mountinfo")


def prepare(path: Path) -> None:
    """Make a folder with mode 0700, or refuse one that others may enter or have planted.

    Raises:
        StoreError: it cannot be made, is no folder of ours, or is not private.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror}") from error
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{path} is no folder")
    if found.st_uid != os.geteuid():
        raise StoreError(f"{path} belongs to user {found.st_uid}, not to us")
    if mode & 0o077:
        raise StoreError(f"{path} has mode {mode:04o}; allowed: 0700. Run: chmod 700 {path}")


def is_volatile(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Tell whether what is written there is gone when the machine restarts: tmpfs and its like.

    Where the system does not say it (other than Linux) the answer is no.
    """
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return False
    kind, longest = "", -1
    target = path.resolve()
    for line in lines:
        before, _, after = line.partition(" - ")
        mounted = Path(before.split(" ")[4].encode().decode("unicode_escape"))
        length = len(mounted.parts)
        if length >= longest and target.is_relative_to(mounted):
            kind, longest = after.split(" ")[0], length
    return kind in _VOLATILE


def segments(path: Path) -> dict[str, int]:
    """Return the files of all processes, by their place in the folder, with their bytes."""
    found = [each for each in path.glob("*/*") if NAME.fullmatch(each.name)]
    return {str(each.relative_to(path)): each.stat().st_size for each in found}


class Slot:
    """A folder that is this process's alone as long as it lives."""

    def __init__(self, folder: Path, file: int) -> None:
        self.folder = folder
        self._file = file

    def release(self) -> None:
        """Let others have it; an empty one is removed."""
        if [path.name for path in self.folder.iterdir()] == [LOCK]:
            (self.folder / LOCK).unlink()
            self.folder.rmdir()
        os.close(self._file)


def claim(path: Path, group: str) -> Slot:
    """Return the first free slot of a group, with what dead processes of it have left in others.

    Args:
        path: a prepared folder.
        group: names the store and its keys; spools of different ones do not mix.

    Raises:
        StoreError: there is none, or a folder is not ours.
    """
    own: Slot | None = None
    for number in range(SLOTS):
        folder = path / f"{group}-{number}"
        if own is not None and not folder.exists():
            continue
        slot = _lock(folder)
        if slot is None:
            continue
        if own is None:
            own = slot
        else:
            _adopt(own.folder, slot.folder)
            slot.release()
    if own is None:
        raise StoreError(f"{SLOTS} processes use {path} already")
    return own


def _lock(folder: Path) -> Slot | None:
    """Return the slot when no living process has it."""
    prepare(folder)
    path = folder / LOCK
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
            return Slot(folder, file)  # else whoever had it has removed it just now
    except BlockingIOError:
        pass
    os.close(file)
    return None


def _adopt(own: Path, other: Path) -> None:
    """Move the segments of a process that is gone into our folder, behind what is there."""
    mine = [int(found[1]) for path in own.iterdir() if (found := NAME.fullmatch(path.name))]
    number = max(mine, default=0)
    theirs = [found for path in other.iterdir() if (found := NAME.fullmatch(path.name))]
    for found in sorted(theirs, key=lambda found: int(found[1])):
        number += 1
        (other / found[0]).rename(own / (name_of(number, found[2]) + (found[3] or "")))
    if theirs:
        sync_folder(own)
        sync_folder(other)
