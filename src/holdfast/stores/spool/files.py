"""The files of a spool: a contract so small that a simulated disk can keep it, and real ones."""

import os
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """Files in one folder. Each method raises `OSError` as the system does."""

    def names(self) -> list[str]:
        """Return the names of all files."""
        ...

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        ...

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """Return bytes of a file; -1: to its end."""
        ...

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, and make it when there is none; not durable yet."""
        ...

    def sync(self, name: str) -> None:
        """Make what was appended durable, also the file's name."""
        ...

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file."""
        ...

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, durably."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class RealFiles:
    """Files of a folder on this machine; one of them is open for writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: tuple[str, int] | None = None

    def names(self) -> list[str]:
        """Return the names of all files."""
        return [path.name for path in self.folder.iterdir() if path.is_file()]

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        return (self.folder / name).stat().st_size

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        """Return bytes of a file; -1: to its end."""
        with (self.folder / name).open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size) or b""

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, and make it when there is none; not durable yet."""
        file = self._writing(name)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]

    def sync(self, name: str) -> None:
        """Make what was appended durable, also the file's name."""
        os.fsync(self._writing(name))

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""
        os.truncate(self.folder / name, size)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._let_go(name)
        (self.folder / name).unlink()

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, durably."""
        self._let_go(name)
        (self.folder / name).rename(self.folder / new)
        sync_folder(self.folder)

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def _writing(self, name: str) -> int:
        if self._open is None or self._open[0] != name:
            self.close()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._open = (name, os.open(self.folder / name, flags, 0o600))
            sync_folder(self.folder)
        return self._open[1]

    def _let_go(self, name: str) -> None:
        if self._open is not None and self._open[0] == name:
            self.close()


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
