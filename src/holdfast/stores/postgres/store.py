"""`PostgresStore`: every role of `holdfast.store` in one PostgreSQL database."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from asyncpg import Connection

from holdfast.clock import Clock, SystemClock
from holdfast.errors import Conflict
from holdfast.model.access import Record
from holdfast.model.alert import Alerted, AlertQuery, Critical, CriticalQuery
from holdfast.model.archive import Archive, Told
from holdfast.model.attempt import Event, Step
from holdfast.model.audit import EventSums, LineQuery
from holdfast.model.delivery import Delivery
from holdfast.model.group import Bucket, Counted, Group, Held
from holdfast.model.lane import LaneState
from holdfast.model.message import Message
from holdfast.model.operation import Operation, Outcome, Result
from holdfast.model.search import Found, Search, Total
from holdfast.model.worker import UNNAMED, Acquired, Hint, Load, Order, Ownership, Survey, Worker
from holdfast.people import Seal
from holdfast.shelf import Later, Space
from holdfast.store import (
    Batch,
    Committed,
    Counts,
    DuePage,
    DueQuery,
    EventQuery,
    Line,
    Lines,
    Note,
    Pruned,
    Retention,
)
from holdfast.stores.planning.looking import Look
from holdfast.stores.planning.operating import Page
from holdfast.stores.postgres import (
    archive,
    grouping,
    leases,
    opening,
    operating,
    people,
    pruning,
    reading,
    reindexing,
    searching,
)
from holdfast.stores.postgres.address import Address
from holdfast.stores.postgres.hints import Listener, notify
from holdfast.stores.postgres.partitions import Days
from holdfast.stores.postgres.session import Backoff, Session
from holdfast.stores.postgres.sql import one
from holdfast.stores.postgres.writing import Writer

T = TypeVar("T")

DOORS: Final = 3
"""Connections for the doors, whose questions may be long."""

LEASE_S: Final = 2.0
"""A renewal that is not answered is given up and tried on a new connection."""

LONG_S: Final = 86_400.0
"""A statement of a backup or a migration may take a day."""

KEEPER_S: Final = 600.0
"""What may go is looked up in tables that may be large; nobody waits for it."""

REBUILD_MS: Final = 3_600_000
"""So often it is looked for indexes that have become loose."""


class PostgresStore:
    """The store for several machines; made by `open`.

    Eight connections: one writes, one reads for the engine, some read for the doors, one looks for
    what may go, one renews the lease and asks after other workers, one listens. Each is opened when
    it is needed and again when it broke.
    """

    def __init__(self, address: Address, clock: Clock) -> None:
        self._address = address
        backoff = Backoff(clock)
        self._writer = Session(address, backoff)
        self._engine = Session(address, backoff)
        self._doors = tuple(Session(address, backoff) for _ in range(DOORS))
        self._keeper = Session(address, backoff, command_s=KEEPER_S)
        # What has failed elsewhere must not keep the lease waiting.
        self._leases = Session(address, Backoff(clock), command_s=LEASE_S)
        self._listener = Listener(address, clock)
        self._days = Days()
        self._look = Look()
        self._rebuilt_at = 0
        self._commits = Writer(self._days)
        self._writing: set[asyncio.Future[object]] = set()

    @classmethod
    async def open(cls, address: Address, clock: Clock | None = None) -> Self:
        """Connect and bring the schema up to date.

        Raises:
            StoreMismatch: the database is not ours, or from a newer version.
            StoreAway: the server cannot be reached.
            StoreError: it refuses us.
        """
        store = cls(address, clock or SystemClock())
        try:
            await store._keeper.run(opening.migrate)
        except BaseException:
            await store.close()
            raise
        return store

    @staticmethod
    async def version(address: Address) -> int:
        """Return the schema version of a database, 0 when it has no store yet.

        Raises:
            StoreMismatch: it has a schema of our name that is not ours.
            StoreAway: the server cannot be reached.
        """
        return (await _alone(address, opening.schema)).version

    @staticmethod
    async def replicated(address: Address) -> bool:
        """Tell whether what is answered is on a standby's disk, too, as the server is set up.

        Raises:
            StoreAway: the server cannot be reached.
        """
        return bool(await _alone(address, lambda connection: one(connection, "replicated")))

    @staticmethod
    async def migrate(address: Address, *, post: bool, told: Told) -> list[opening.Step]:
        """Bring a database to this version's schema, also beside programs that use it.

        Args:
            address: of the database.
            post: the post phases, too.
            told: progress.

        Raises:
            StoreMismatch: it is not ours, or from a newer version.
            StoreBusy: `post` was asked for and older programs are connected, or a table is in use.
            StoreAway: the server cannot be reached.
        """
        return await _alone(address, partial(opening.migrate, post=post, told=told))

    @staticmethod
    async def pending(address: Address) -> list[opening.Step]:
        """Return what `migrate` with `post` would do."""
        return opening.pending(await _alone(address, opening.schema))

    @staticmethod
    async def backup(address: Address, path: Path, now: int, told: Told) -> Archive:
        """Write what a database holds at one instant to a file; see `archive.backup`."""
        return await _alone(address, partial(archive.backup, path=path, now=now, told=told))

    @staticmethod
    def key_check(path: Path) -> bytes | None:
        """Return the document that tells which keys a backup needs; None: it was never used."""
        return archive.key_check(path)

    @staticmethod
    async def restore(address: Address, path: Path, note: Note, told: Told) -> Archive:
        """Fill a database that holds no store from a backup; see `archive.restore`."""
        return await _alone(address, partial(archive.restore, path=path, note=note, told=told))

    # Deliveries

    async def commit(self, batch: Batch) -> Committed:
        """Write a batch in one durable transaction."""
        return await self._written(partial(self._commits.commit, batch=batch))

    async def due(self, query: DueQuery) -> DuePage:
        """Return what a lane may send next: pending, `due_at <= now`, not excluded."""
        return await self._engine.run(partial(reading.due, query=query))

    async def due_lanes(self, among: Collection[str] | None = None) -> list[tuple[str, int]]:
        """Return recipients (of these) with pending deliveries, each with its lowest `due_at`."""
        return await self._engine.run(partial(reading.due_lanes, among=among))

    async def later(self, recipient: str, now: int, limit: int) -> Later:
        """Return what of a lane is due after `now`; no more than `limit` rows are looked at."""
        return await self._read(partial(reading.later, recipient=recipient, now=now, limit=limit))

    async def expired(self, now: int, limit: int) -> list[Delivery]:
        """Return pending deliveries whose `expires_at <= now`, earliest first."""
        return await self._engine.run(partial(reading.expired, now=now, limit=limit))

    async def get(self, delivery_id: str) -> Delivery | None:
        """Return one delivery."""
        return await self._read(partial(reading.get, delivery_id=delivery_id))

    async def message(self, message_id: str) -> Message | None:
        """Return one message."""
        return await self._read(partial(reading.message, message_id=message_id))

    async def find(self, search: Search) -> Found:
        """Return a page of deliveries by predicate, newest first (by id)."""
        return await self._read(partial(searching.find, search=search))

    async def count(self, search: Search) -> Total:
        """Return how many deliveries match of those that are looked at."""
        return await self._read(partial(searching.count, search=search))

    async def counts(self) -> dict[str, Counts]:
        """Return the counters by recipient."""
        return await self._read(reading.counts)

    async def prune(self, now: int, retention: Retention) -> Pruned:
        """Remove what may go; events go by whole days (UTC), however many they are.

        Once an hour indexes are rebuilt that have become loose.
        """
        limit = retention.limit
        payloads = await self._prune_payloads(retention.payloads, limit)
        gone_rows = await self._prune_rows(retention.rows, limit)
        gone_events = gone_keys = gone_operations = 0
        if retention.rows:
            gone_operations = await self._written(
                partial(pruning.prune_operations, before=retention.rows, limit=limit)
            )
        if retention.events:
            gone_events = await self._keeper.run(
                partial(pruning.prune_events, days=self._days, before=retention.events)
            )
            await self._written(partial(pruning.prune_groups, before=retention.events))
        if retention.keys:
            gone_keys = await self._written(
                partial(pruning.prune_keys, before=retention.keys, limit=limit)
            )
        if now >= self._rebuilt_at + REBUILD_MS:
            self._rebuilt_at = now
            await self._keeper.run(reindexing.rebuild)
        return Pruned(payloads, gone_rows, gone_events, gone_keys, gone_operations)

    async def space(self) -> Space:
        """Return what the database takes; free is `NEVER`: its server says when it is full."""
        return await self._read(reading.space)

    # Lanes

    async def join(self, now: int, worker: Worker = UNNAMED) -> Ownership:
        """Become a worker: get an epoch above all others, and a lease."""
        del now  # the server's clock counts
        return await self._leases.run(partial(leases.join, worker=worker))

    async def renew(self, epoch: int, load: Load, now: int) -> int:
        """Extend the lease and return store time; never waits for a commit."""
        del now
        return await self._leases.run(partial(leases.renew, epoch=epoch, load=load))

    async def leave(self, epoch: int) -> None:
        """Say goodbye: everything in flight is settled or given back."""
        await self._leases.run(partial(leases.leave, epoch=epoch))

    async def survey(self) -> Survey:
        """Return who is there and what waits without an owner."""
        return await self._engine.run(leases.survey)

    async def expel(self, epochs: Sequence[int]) -> tuple[int, ...]:
        """Take workers off the list whose lease has ended; return those that went."""
        return await self._engine.run(partial(leases.expel, epochs=epochs))

    async def acquire(self, epoch: int, recipients: Sequence[str]) -> list[Acquired]:
        """Become the owner of lanes that are free, or ours already; return those we got."""
        take = partial(leases.acquire, epoch=epoch, recipients=recipients)
        return await self._engine.run(take)

    async def owners(self) -> dict[str, int]:
        """Return the epoch of the owner of each lane that has one."""
        return await self._read(leases.owners)

    async def lane_states(self, among: Collection[str] | None = None) -> list[LaneState]:
        """Return every saved lane (of these)."""
        return await self._read(partial(reading.lane_states, among=among))

    async def order(self, order: Order) -> None:
        """Leave word for the owner of a lane."""
        await self._engine.run(partial(leases.order, order=order))

    async def take_orders(self, epoch: int, recipients: Collection[str]) -> list[Order]:
        """Take what was asked of lanes that are the worker's."""
        take = partial(leases.take_orders, epoch=epoch, recipients=recipients)
        return await self._engine.run(take)

    async def withdraw(self, order_id: str) -> bool:
        """Take an order back."""
        return await self._engine.run(partial(leases.withdraw, order_id=order_id))

    # Wakeup

    async def notify(self, hints: Sequence[Hint]) -> None:
        """Tell the other workers."""
        await self._engine.run(partial(notify, hints=hints))

    async def hints(self) -> tuple[Hint, ...]:
        """Wait for hints and return them; one says so when some may have been missed."""
        return await self._listener.hints()

    # Journal

    async def events(self, query: EventQuery) -> list[Event]:
        """Return retry events with their snapshots joined; positions follow commit order."""
        return await self._read(partial(reading.events, query=query))

    async def trail(self, after: int, limit: int) -> list[Step]:
        """Return what was tried after a position, oldest first."""
        return await self._read(partial(reading.trail, after=after, limit=limit))

    async def last_position(self) -> int:
        """Return the position up to which `trail` shows everything."""
        return await self._read(reading.last_position)

    async def unsealed(self, limit: int) -> list[Line]:
        """Return audit lines that are not in the chain, in the order in which they were written."""
        return await self._read(partial(people.unsealed, limit=limit))

    async def sealed(self, after: int, limit: int) -> list[Line]:
        """Return audit lines of the chain after a number, in order."""
        return await self._read(partial(people.sealed, after=after, limit=limit))

    async def summed(self, after: int, until: int, limit: int) -> EventSums:
        """Return sums of the first retry events after a position, none beyond another."""
        return await self._read(partial(people.summed, after=after, until=until, limit=limit))

    async def seal(self, seal: Seal) -> None:
        """Give audit lines their places, remove old ones, keep the state: all at once."""
        await self._written(partial(people.seal, seal=seal))

    async def notes(self, subject: str | None, limit: int) -> list[Note]:
        """Return audit lines about something, newest first; None: about anything."""
        found = await self.lines(LineQuery(subject=subject, limit=limit))
        return [line.note for line in found.lines]

    async def lines(self, query: LineQuery) -> Lines:
        """Return a page of audit lines by time."""
        return await self._read(partial(reading.lines, query=query))

    # Operations

    async def operations(
        self, *, below: str | None = None, limit: int = 100, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first, below an id; `active`: only those with work to do."""
        read = partial(operating.operations, below=below, limit=limit, active=active)
        return await self._read(read)

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation."""
        return await self._read(partial(operating.operation, operation_id=operation_id))

    async def results(
        self,
        operation_id: str,
        *,
        below: str | None = None,
        limit: int,
        opened: bool = False,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return results, newest delivery first, below an id; only of `OPEN`, or of some."""
        page = Page(below, limit, opened, tuple(outcomes))
        read = partial(operating.results, operation_id=operation_id, page=page)
        return await self._read(read)

    # Groups

    async def tallies(self, search: Search) -> list[Counted]:
        """Return the groups that were seen last, each with its failing deliveries that match."""
        return await self._read(partial(grouping.tallies, search=search))

    async def groups(self, ids: Collection[str]) -> list[Group]:
        """Return these groups."""
        return await self._read(partial(grouping.groups, ids=ids))

    async def returned(self) -> list[Group]:
        """Return groups that came back after they were resolved, of which nobody was told."""
        return await self._read(grouping.returned)

    async def judged(self) -> list[Group]:
        """Return groups whose failures a person judged."""
        return await self._read(grouping.judged)

    async def failures(
        self, ids: Collection[str], first: int, width: int
    ) -> dict[str, dict[int, Bucket]]:
        """Return how many tries of each group failed, by time."""
        return await self._read(partial(grouping.failures, ids=ids, first=first, width=width))

    async def alerts(self, query: AlertQuery) -> Alerted:
        """Return the groups that were new or came back last, the newest first."""
        return await self._read(partial(grouping.alerts, query=query))

    async def critical(self, query: CriticalQuery) -> Critical:
        """Return failing deliveries, by priority and id, the highest first, and their number."""
        return await self._read(partial(grouping.critical, query=query))

    async def assignees(self, account: str | None, limit: int) -> list[Held]:
        """Return who looks at dead deliveries, by name."""
        return await self._read(partial(grouping.assignees, account=account, limit=limit))

    # Registry

    async def record(self, kind: str, key: str) -> Record | None:
        """Return one record."""
        return await self._read(partial(people.record, kind=kind, key=key))

    async def records(self, kind: str, after: str, limit: int) -> list[Record]:
        """Return records of a kind by key, after a key."""
        return await self._read(partial(people.records, kind=kind, after=after, limit=limit))

    async def keep(self, record: Record | None, note: Note | None) -> None:
        """Write a record and the audit line of it, both or none."""
        await self._written(partial(people.keep, record=record, note=note))

    async def forget(self, kind: str, key: str) -> None:
        """Remove a record, if it is there."""
        await self._written(partial(people.forget, kind=kind, key=key))

    async def forget_old(self, now: int, limit: int) -> int:
        """Remove records whose `until` has passed; return their number."""
        return await self._written(partial(people.forget_old, now=now, limit=limit))

    async def document(self, name: str) -> tuple[int, bytes] | None:
        """Return (version, body), or None."""
        return await self._read(partial(reading.document, name=name))

    async def put_document(self, name: str, body: bytes, expected: int, now: int) -> int:
        """Write when the stored version is `expected` (0: absent) and return the new version."""
        values = {"name": name, "body": body, "expected": expected, "now": now}
        version: int | None = await self._written(partial(_put_document, values=values))
        if version is None:
            found = await self.document(name)
            raise Conflict(
                f"document {name} has version {found[0] if found else 0}, not {expected}"
            )
        return version

    async def close(self) -> None:
        """Close; commits under way finish first."""
        await asyncio.gather(*self._writing, return_exceptions=True)
        await self._listener.close()
        for session in (*self._doors, self._keeper, self._engine, self._writer, self._leases):
            await session.close()

    # Inside

    async def _read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        idle = (session for session in self._doors if not session.busy)
        return await next(idle, self._doors[0]).run(work)

    async def _written(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run on the writer's connection; a caller who is cancelled does not cut it short."""
        task = asyncio.ensure_future(self._writer.run(work))
        self._writing.add(task)  # type: ignore[arg-type]  # futures are not covariant
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(task)

    async def _prune_payloads(self, before: int, limit: int) -> int:
        if not before:
            return 0
        read = partial(pruning.payloads, before=before, start=self._look.start(before), limit=limit)
        ids, at = await self._keeper.run(read)
        self._look.ended(before, at if len(ids) == limit else None)
        remove = partial(pruning.prune_payloads, ids=ids, before=before)
        return await self._written(remove) if ids else 0

    async def _prune_rows(self, before: int, limit: int) -> int:
        if not before:
            return 0
        ids = await self._keeper.run(partial(pruning.rows, before=before, limit=limit))
        remove = partial(pruning.prune_rows, ids=ids, before=before)
        return await self._written(remove) if ids else 0


async def _alone(address: Address, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run on a connection of its own, however long it takes."""
    session = Session(address, Backoff(SystemClock()), command_s=LONG_S)
    try:
        return await session.run(work)
    finally:
        await session.close()


async def _put_document(connection: Connection, values: dict[str, object]) -> int | None:
    version: int | None = await one(connection, "put_document", **values)
    return version
