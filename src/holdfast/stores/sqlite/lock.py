"""The lock that makes one process the owner of a store."""

import fcntl
import os
from pathlib import Path

from holdfast.errors import StoreBusy


class FileLock:
    """An exclusive lock on `<store>.lock`, held until `release` or the end of the process.

    The kernel gives it back when the process dies, so nothing stale is ever left behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock; nothing happens when it is held already.

        Raises:
            StoreBusy: somebody else has it; the message names the file and the process.
        """
        if self._file is not None:
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise StoreBusy(f"{self._path} is locked by process {pid}; only one may run") from error
        except OSError:
            os.close(file)
            raise
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
