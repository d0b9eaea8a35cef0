"""Who may run the lanes of a database: one process, which holds a lock on a connection of its own.

The lock gives the second process a clear answer; what keeps the first one's data safe is the
epoch, which every commit compares. The lock lives as long as an open transaction that does nothing
else: unlike a session's lock it also works behind a pooler, and it goes when its process does.
"""

import asyncio
import contextlib
from typing import Any, Final

import asyncpg

from holdfast.clock import Clock
from holdfast.errors import StoreBusy, StoreError, StoreLost
from holdfast.store import Ownership
from holdfast.stores.postgres.address import Address
from holdfast.stores.postgres.session import LAST_DELAY_MS, Backoff, connect, translated
from holdfast.stores.postgres.sql import one, row

LOCK: Final = 0x484F4C44
"""`HOLD` in ASCII; locks belong to a database."""


class OwnerLock:
    """The lock of one database; taken again by itself when its connection breaks.

    Args:
        address: of the database.
        clock: for the pauses between tries.
        backoff: knows which host answered last.
    """

    def __init__(self, address: Address, clock: Clock, backoff: Backoff) -> None:
        self._address = address
        self._clock = clock
        self._backoff = backoff
        self._connection: asyncpg.Connection | None = None
        self._watch: asyncio.Task[None] | None = None

    async def take(self) -> None:
        """Take the lock; nothing happens when it is held already.

        Raises:
            StoreBusy: another process has it.
            StoreAway: the server cannot be reached.
        """
        if self._connection is not None and not self._connection.is_closed():
            return
        connection = await connect(self._address, self._backoff)
        try:
            with translated(self._address.label):
                await self._lock(connection)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        connection.add_termination_listener(self._broken)

    async def release(self) -> None:
        """Give the lock back and stop watching it."""
        connection, self._connection = self._connection, None
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if connection is not None and not connection.is_closed():
            connection.remove_termination_listener(self._broken)
            with contextlib.suppress(StoreError), translated(self._address.label):
                await connection.execute("ROLLBACK")
                await connection.close()

    async def _lock(self, connection: asyncpg.Connection) -> None:
        await connection.execute(f"BEGIN; {_PATIENT}; {_ALIVE}")
        if connection.get_server_version().major >= _TRANSACTION_TIMEOUT_SINCE:
            await connection.execute("SET LOCAL transaction_timeout = 0")
        if not await one(connection, "take_lock", lock=LOCK):
            holder = await row(connection, "lock_holder", lock=LOCK)
            raise StoreBusy(f"{self._address.label} is in use{_named(holder)}; only one may run")

    def _broken(self, connection: Any) -> None:
        if connection is self._connection:
            self._watch = asyncio.ensure_future(self._retake())

    async def _retake(self) -> None:
        """Try until it is ours again. Meanwhile the epoch alone protects the data."""
        backoff = Backoff(self._clock)
        while True:
            try:
                return await self.take()
            except StoreBusy:
                delay = LAST_DELAY_MS
            except StoreError as error:
                delay = backoff.failed(str(error))
            await self._clock.pause(delay)


_PATIENT: Final = "SET LOCAL idle_in_transaction_session_timeout = 0"
_ALIVE: Final = (
    "SET LOCAL tcp_keepalives_idle = 5; SET LOCAL tcp_keepalives_interval = 2; "
    "SET LOCAL tcp_keepalives_count = 3"
)
"""The server notices within about ten seconds that our machine is gone, and frees the lock."""
_TRANSACTION_TIMEOUT_SINCE: Final = 17


def _named(holder: asyncpg.Record | None) -> str:
    if holder is None:
        return ""
    return f" by {holder['name'] or 'a process'} at {holder['place']} since {holder['since']}"


async def acquire(connection: asyncpg.Connection) -> Ownership:
    """Raise the epoch and mark the store as in use."""
    found = await row(connection, "acquire")
    if found is None:
        raise StoreError("the owner's row is missing")
    return Ownership(found["epoch"], clean=found["clean"])


async def release(connection: asyncpg.Connection, epoch: int) -> None:
    """Say goodbye.

    Raises:
        StoreLost: somebody else owns the store.
    """
    if await one(connection, "release", epoch=epoch) is None:
        raise StoreLost(f"epoch {epoch} is old: somebody else owns the store")
