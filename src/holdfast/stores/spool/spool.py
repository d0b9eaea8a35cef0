"""`FileSpool`: the role of `holdfast.spool` in a folder on this machine."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from holdfast.errors import StoreError
from holdfast.spool import Spooled
from holdfast.store import Accept
from holdfast.stores.spool.files import RealFiles
from holdfast.stores.spool.journal import Journal
from holdfast.stores.spool.place import Slot, claim, is_volatile, prepare
from holdfast.vault import Vault

T = TypeVar("T")


class FileSpool:
    """A journal with a thread of its own, because every flush waits for the disk.

    Args:
        journal: what it holds.
        label: where it is.
        slot: given back at the end.
        inline: no thread: for loops in virtual time.
    """

    def __init__(
        self, journal: Journal, label: str, slot: Slot | None = None, *, inline: bool = False
    ) -> None:
        self._journal = journal
        self._slot = slot
        self._thread = None if inline else ThreadPoolExecutor(1, thread_name_prefix="spool")
        self.label = label
        self.found = journal.found
        self.refusal: str | None = None
        self.volatile = False

    @classmethod
    def open(
        cls, path: Path, group: str, vault: Vault, *, max_bytes: int, allow_volatile: bool
    ) -> Self:
        """Take a place of our own in a folder, and what dead processes have left there.

        Raises:
            StoreError: the folder cannot be used.
        """
        prepare(path)
        try:
            slot = claim(path, group)
            spool = cls(
                Journal(RealFiles(slot.folder), vault, max_bytes=max_bytes), str(path), slot
            )
        except OSError as error:
            raise StoreError(f"{path} cannot be used: {error.strerror}") from error
        spool.volatile = is_volatile(path)
        if spool.volatile and not allow_volatile:
            spool.refusal = (
                f"{path} does not outlive a restart of the machine; set spool.path to a disk, "
                "or spool.allow_volatile"
            )
        return spool

    @property
    def messages(self) -> int:
        """Return how many messages are in it."""
        return self._journal.messages

    @property
    def size(self) -> int:
        """Return its bytes on disk."""
        return self._journal.size

    @property
    def limit(self) -> int:
        """Return how many bytes it may have."""
        return self._journal.limit

    @property
    def kept(self) -> int:
        """Return how many files a person should look at."""
        return self._journal.kept

    async def append(self, accepts: Sequence[Accept]) -> list[int]:
        """Write messages durably; see `Spool.append`."""
        return await self._run(partial(self._journal.append, accepts))

    def at(self, place: int) -> Accept | None:
        """Return a message, None: it is not there any more, or damaged."""
        with contextlib.suppress(StoreError):
            return self._journal.at(place)
        return None

    async def oldest(self, count: int) -> list[Spooled]:
        """Return the oldest messages."""
        return await self._run(partial(self._journal.oldest, count))

    async def forget(self, places: Collection[int], refused: Collection[int] = ()) -> None:
        """Take away the oldest messages."""
        await self._run(partial(self._journal.forget, places, refused))

    async def close(self) -> None:
        """Close; an empty folder is removed."""
        if self._thread is not None:
            self._thread.shutdown()
        self._journal.close()
        if self._slot is not None:
            self._slot.release()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
