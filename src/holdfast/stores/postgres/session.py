"""One connection that comes back by itself, and what its errors mean."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.exceptions import ClientConfigurationError

from holdfast.clock import Clock
from holdfast.errors import StoreAway, StoreError, StoreFull
from holdfast.stores.postgres.address import Address
from holdfast.stores.postgres.sql import migrations

T = TypeVar("T")

CONNECT_S: Final = 5.0
COMMAND_S: Final = 20.0
"""A statement that takes longer is given up, with its connection: the server may be gone."""
FIRST_DELAY_MS: Final = 50.0
LAST_DELAY_MS: Final = 2_000.0
_SYNC_WAIT: Final = "SyncRepWaitForLSN"
_GAVE_UP: Final = "the wait for its standby was cancelled"

_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""The server is gone, going, full of clients, or a standby that takes no writes."""


@contextmanager
def translated(label: str) -> Iterator[None]:
    """Turn the driver's errors into ours. Details are left out: they quote rows."""
    try:
        yield
    except (asyncpg.DataError, ClientConfigurationError) as error:
        raise StoreError(f"{label}: {_said(error).partition(':')[0]}") from None
    except asyncpg.DiskFullError as error:
        raise StoreFull(f"no space is left on the disk of {label}: {_said(error)}") from None
    except _AWAY as error:
        raise StoreAway(f"{label} cannot be reached: {_said(error)}") from None
    except asyncpg.PostgresError as error:
        raise StoreError(f"{label}: {type(error).__name__}: {_said(error)}") from None


def _said(error: BaseException) -> str:
    """Return the message alone: what the driver adds to it may quote rows."""
    plain = isinstance(error, OSError) or not error.args
    return (str(error) if plain else str(error.args[0])) or type(error).__name__


class Backoff:
    """When to try again to reach a server; shared by its sessions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._delay = 0.0
        self._next = float("-inf")
        self._why = ""
        self.host = ""
        """The URL that answered last, of several."""

    def check(self) -> None:
        """Refuse at once while it is too early for another try.

        Raises:
            StoreAway: the last try failed a moment ago.
        """
        if self._clock.monotonic() < self._next:
            raise StoreAway(self._why)

    def failed(self, why: str) -> float:
        """Note a failure and return the delay before the next try, in ms."""
        self._delay = min(max(FIRST_DELAY_MS, 2 * self._delay), LAST_DELAY_MS)
        self._next = self._clock.monotonic() + self._delay
        self._why = why
        return self._delay

    def succeeded(self) -> None:
        """Note that it answers."""
        self._delay = 0.0
        self._next = float("-inf")


class Session:
    """Runs work on one connection, one after the other; opens it when there is none.

    Args:
        address: of the database.
        backoff: of the server.
        command_s: longest time of a statement.
    """

    def __init__(self, address: Address, backoff: Backoff, *, command_s: float = COMMAND_S) -> None:
        self._command_s = command_s
        self._address = address
        self._backoff = backoff
        self._connection: asyncpg.Connection | None = None
        self._alone = False
        """The server has committed without its standby, which it says in a warning only."""
        self._lock = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Tell whether somebody uses it."""
        return self._lock.locked()

    async def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Return what `work` returns.

        Raises:
            StoreAway: the server cannot be reached, or went away meanwhile: nobody knows
                whether the work was done.
            StoreFull: its disk is full.
            StoreError: anything else.
        """
        async with self._lock:
            connection = await self._open()
            self._alone = False
            try:
                with translated(self._address.label):
                    done = await work(connection)
                    if self._alone:
                        raise TimeoutError(_GAVE_UP)
                    return done
            except StoreAway:
                connection.terminate()
                raise

    async def close(self) -> None:
        """Close after the work that was given before."""
        async with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and not connection.is_closed():
                try:
                    await connection.close(timeout=CONNECT_S)
                except (*_AWAY, asyncpg.PostgresError):
                    connection.terminate()

    async def _open(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._backoff.check()
            try:
                self._connection = await connect(
                    self._address, self._backoff, command_s=self._command_s
                )
            except StoreError as error:
                self._backoff.failed(str(error))
                raise
            self._connection.add_log_listener(self._warned)
            self._backoff.succeeded()
        return self._connection

    def _warned(self, connection: object, message: asyncpg.PostgresLogMessage) -> None:
        """Hear that a commit did not wait for the standby: a fail-over could still lose it.

        That happens when the statement is cancelled, by a person or `statement_timeout`. The text
        is in the server's language, the name of its function is not.
        """
        del connection
        if getattr(message, "server_source_function", "") == _SYNC_WAIT:
            self._alone = True


async def connect(
    address: Address, backoff: Backoff, *, command_s: float = COMMAND_S
) -> asyncpg.Connection:
    """Return a new connection to a host that takes writes: that of the last time, or another.

    The driver has one time limit for all hosts; one that swallows packets would use it up.

    Raises:
        StoreAway: none of the hosts can be reached, or takes writes.
        StoreError: one refuses us.
    """
    trouble = StoreAway(f"{address.label} has no host")
    for url in sorted(address.urls, key=lambda url: url != backoff.host):
        try:
            with translated(address.label):
                connection = await _connected(url, address, command_s)
        except StoreAway as error:
            trouble = error
        else:
            backoff.host = url
            return connection
    raise trouble


async def _connected(url: str, address: Address, command_s: float) -> asyncpg.Connection:
    return await asyncpg.connect(
        url,
        timeout=CONNECT_S,
        command_timeout=command_s,
        statement_cache_size=_STATEMENTS if address.prepared else 0,
        max_cacheable_statement_size=0,
        max_cached_statement_lifetime=0,
        server_settings=_SETTINGS if address.prepared else _POOLED_SETTINGS,
        target_session_attrs=SessionAttribute(address.target),
    )


_STATEMENTS: Final = 500
_POOLED_SETTINGS: Final = {"application_name": f"holdfast/{len(migrations())}"}
"""The name tells which schema version this program knows. A pooler refuses most other settings."""
_SETTINGS: Final = {
    **_POOLED_SETTINGS,
    # Every query has its index. Without this a statement that was planned on empty tables would
    # go on scanning them when they are large.
    "enable_seqscan": "off",
    # The default prices a row of an index as a turn of a disk, and a walk through every pending
    # delivery then seems cheaper than the index of one lane.
    "random_page_cost": "1.1",
    "jit": "off",
    # A worker that hangs, or whose machine is gone, keeps no transaction open for long: others wait
    # for it before they take its lanes.
    "idle_in_transaction_session_timeout": "5000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
