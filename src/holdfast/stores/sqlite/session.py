"""One connection and the thread that uses it."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import apsw

from holdfast.errors import StoreBusy, StoreError, StoreFull

T = TypeVar("T")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except apsw.FullError as error:
        raise StoreFull(f"no space is left in the store: {error}") from error
    except apsw.BusyError as error:
        raise StoreBusy(f"another process keeps the store busy: {error}") from error
    except apsw.Error as error:
        if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE:
            # So says SQLite when not even the index of its write-ahead log fits on the disk.
            raise StoreFull(f"no space is left on the store's disk: {error}") from error
        raise StoreError(f"{type(error).__name__}: {error}") from error


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Run a durable transaction; whatever goes wrong undoes it wholly."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has undone it by itself after some errors, such as a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Let several queries see one state."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")  # it has changed nothing


class Session:
    """Runs functions on a connection, one after the other, in the order of the calls.

    Args:
        connection: used by nobody else while the session lives.
        inline: on the caller's thread, without threads.
    """

    def __init__(self, connection: apsw.Connection, *, inline: bool) -> None:
        self.connection = connection
        self._thread = None if inline else ThreadPoolExecutor(1, "holdfast-store")

    async def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """Return what `work` returns; a call that is cancelled is done nevertheless."""
        if self._thread is None:
            return self._guarded(work)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._guarded, work)

    async def close(self) -> None:
        """Close after the work that was given before.

        Raises:
            StoreError: not all could be carried over to the file; the next opening does that.
        """
        try:
            await self.run(_close)
        finally:
            if self._thread is not None:
                self._thread.shutdown()

    def _guarded(self, work: Callable[[apsw.Connection], T]) -> T:
        with translated():
            return work(self.connection)


def _close(connection: apsw.Connection) -> None:
    try:
        connection.close()
    except apsw.Error:
        connection.close(force=True)
        raise
