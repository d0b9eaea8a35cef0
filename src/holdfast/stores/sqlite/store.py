"""`SqliteStore`: every role of `holdfast.store` on one SQLite file."""

import asyncio
import logging
import os
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Final, Self

import apsw

from holdfast.errors import StoreError
from holdfast.model.access import Record
from holdfast.model.alert import Alerted, AlertQuery, Critical, CriticalQuery
from holdfast.model.attempt import Event, Step
from holdfast.model.audit import EventSums, LineQuery
from holdfast.model.delivery import Delivery
from holdfast.model.group import Bucket, Counted, Group, Held
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER, Message
from holdfast.model.operation import Operation, Outcome, Result
from holdfast.model.search import Found, Search, Total
from holdfast.model.worker import UNNAMED, Ownership, Worker
from holdfast.people import Seal
from holdfast.roster import SoleWorker
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
from holdfast.stores.sqlite import (
    documents,
    grouping,
    opening,
    operating,
    owning,
    people,
    pruning,
    reading,
    searching,
)
from holdfast.stores.sqlite.lock import FileLock
from holdfast.stores.sqlite.session import Session, translated
from holdfast.stores.sqlite.sql import migration_names
from holdfast.stores.sqlite.writing import Writer
from holdfast.telemetry import LogEvent, log

WAL_PAGES: Final = 4_096
"""Size of the write-ahead log (16 MiB) from which it is carried over to the file."""


class SqliteStore(SoleWorker):
    """The embedded store; made by `open` or `over`.

    Four connections, each with its thread, so that none waits for another: one writes, one reads
    for the engine, one reads for the doors (whose questions may be long), one carries the
    write-ahead log over and looks for what may be pruned. Inline, one connection does everything
    on the caller's thread.
    """

    def __init__(
        self,
        writer: Session,
        readers: tuple[Session, Session, Session] | None = None,
        *,
        path: Path | None = None,
        quota_bytes: int | None = None,
        lock: FileLock | None = None,
    ) -> None:
        self._writer = writer
        self._engine, self._doors, self._keeper = readers or (writer, writer, writer)
        self._path = path
        self._quota = quota_bytes
        self._lock = lock
        self._commits = Writer()
        self._look = Look()
        self._log_pages = 0
        self._log_carried = 0
        self._checkpoint: asyncio.Task[None] | None = None
        self._borrowed = False
        writer.connection.set_wal_hook(self._log_grew)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        synchronous: opening.Synchronous = "FULL",
        quota_bytes: int | None = None,
        inline: bool = False,
        vfs: str | None = None,
    ) -> Self:
        """Open a store, or make a new one.

        Args:
            path: the file, or `:memory:`.
            synchronous: `FULL` keeps promise 1; anything less is for tests.
            quota_bytes: the most the file may grow to; None: the disk is the limit.
            inline: run everything on the caller's thread.
            vfs: name of a registered SQLite file system; then one connection does everything.

        A file is locked before it is looked at, so that a second process cannot even migrate it.

        Raises:
            StoreBusy: another process has it open.
            StoreMismatch: the file is not ours, or from a newer version.
            StoreError: it cannot be opened.
        """
        name = str(path)
        if vfs is not None or name == opening.MEMORY:
            return cls._connected(name, synchronous, quota_bytes, inline=inline, vfs=vfs)
        lock = FileLock(Path(path))
        with translated():
            lock.acquire()
        try:
            return cls._connected(name, synchronous, quota_bytes, inline=inline, lock=lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _connected(
        cls,
        name: str,
        synchronous: opening.Synchronous,
        quota_bytes: int | None,
        *,
        inline: bool,
        vfs: str | None = None,
        lock: FileLock | None = None,
    ) -> Self:
        with translated():
            writer = opening.writer(name, synchronous=synchronous, quota_bytes=quota_bytes, vfs=vfs)
            session = Session(writer, inline=inline)
            if vfs is not None or name == opening.MEMORY:
                return cls(session, quota_bytes=quota_bytes)
            if inline:
                return cls(session, path=Path(name), quota_bytes=quota_bytes, lock=lock)
            readers = (
                Session(opening.reader(name), inline=False),
                Session(opening.reader(name), inline=False),
                Session(opening.keeper(name, synchronous), inline=False),
            )
        return cls(session, readers, path=Path(name), quota_bytes=quota_bytes, lock=lock)

    @classmethod
    def over(cls, connection: apsw.Connection) -> Self:
        """Return an inline store over a connection that outlives it (simulations of a crash)."""
        with translated():
            opening.migrate(connection)
        store = cls(Session(connection, inline=True))
        store._borrowed = True
        return store

    @staticmethod
    def version(path: Path) -> int:
        """Return the schema version of a file, 0 when there is none yet."""
        with translated():
            return opening.version(path)

    @staticmethod
    def pending(path: Path) -> list[str]:
        """Return the migrations that opening a file would apply."""
        return list(migration_names()[opening.version(path) :])

    @staticmethod
    def saved_lanes(path: Path) -> list[LaneState]:
        """Return the lanes as a file has them, without opening the store; none without a file.

        Raises:
            StoreError: the file cannot be read.
        """
        with translated():
            connection = opening.looked_into(path)
            if connection is None:
                return []
            try:
                return reading.lane_states(connection)
            finally:
                connection.close()

    def abandon(self) -> apsw.Connection:
        """Let go as a killed process would and return the connection; only of inline stores."""
        connection = self._writer.connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if self._lock is not None:
            self._lock.release()
        return connection

    # Deliveries

    async def commit(self, batch: Batch) -> Committed:
        """Write a batch in one durable transaction."""
        done = await self._writer.run(partial(self._commits.commit, batch=batch))
        self._bound_log()
        return done

    async def due(self, query: DueQuery) -> DuePage:
        """Return what a lane may send next: pending, `due_at <= now`, not excluded."""
        return await self._engine.run(partial(reading.due, query=query))

    async def due_lanes(self, among: Collection[str] | None = None) -> list[tuple[str, int]]:
        """Return recipients (of these) with pending deliveries, each with its lowest `due_at`."""
        found = await self._engine.run(reading.due_lanes)
        return found if among is None else [each for each in found if each[0] in among]

    async def later(self, recipient: str, now: int, limit: int) -> Later:
        """Return what of a lane is due after `now`; no more than `limit` rows are looked at."""
        read = partial(reading.later, recipient=recipient, now=now, limit=limit)
        return await self._doors.run(read)

    async def expired(self, now: int, limit: int) -> list[Delivery]:
        """Return pending deliveries whose `expires_at <= now`, earliest first."""
        return await self._engine.run(partial(reading.expired, now=now, limit=limit))

    async def get(self, delivery_id: str) -> Delivery | None:
        """Return one delivery."""
        return await self._doors.run(partial(reading.get, delivery_id=delivery_id))

    async def message(self, message_id: str) -> Message | None:
        """Return one message."""
        return await self._doors.run(partial(reading.message, message_id=message_id))

    async def find(self, search: Search) -> Found:
        """Return a page of deliveries by predicate, newest first (by id)."""
        return await self._doors.run(partial(searching.find, search=search))

    async def count(self, search: Search) -> Total:
        """Return how many deliveries match of those that are looked at."""
        return await self._doors.run(partial(searching.count, search=search))

    async def counts(self) -> dict[str, Counts]:
        """Return the counters by recipient."""
        return await self._doors.run(reading.counts)

    async def prune(self, now: int, retention: Retention) -> Pruned:
        """Remove what may go, at most `limit` of each kind; call again while something went."""
        del now  # the instants of `retention` say it all
        limit = retention.limit
        payloads = await self._prune_payloads(retention.payloads, limit)
        gone_rows = await self._prune_rows(retention.rows, limit)
        gone_events = gone_keys = gone_operations = 0
        if retention.rows:
            gone_operations = await self._writer.run(
                partial(pruning.prune_operations, before=retention.rows, limit=limit)
            )
        if retention.events:
            gone_events = await self._writer.run(
                partial(pruning.prune_events, before=retention.events, limit=limit)
            )
            await self._writer.run(partial(pruning.prune_groups, before=retention.events))
        if retention.keys:
            gone_keys = await self._writer.run(
                partial(pruning.prune_keys, before=retention.keys, limit=limit)
            )
        self._bound_log()
        return Pruned(payloads, gone_rows, gone_events, gone_keys, gone_operations)

    async def space(self) -> Space:
        """Return the room left; pages that were freed inside the file count as free."""
        return await self._doors.run(self._space)

    # Lanes

    async def join(self, now: int, worker: Worker = UNNAMED) -> Ownership:
        """Become the owner of all lanes: raise the epoch, mark the store as in use."""
        del worker  # there is no other whom it would interest
        return await self._writer.run(partial(owning.acquire, now=now))

    async def lane_states(self, among: Collection[str] | None = None) -> list[LaneState]:
        """Return every saved lane (of these)."""
        states = await self._engine.run(reading.lane_states)
        return [each for each in states if among is None or each.recipient in among]

    async def leave(self, epoch: int) -> None:
        """Say goodbye: everything in flight is settled or given back."""
        await self._writer.run(partial(owning.release, epoch=epoch))

    # Journal

    async def events(self, query: EventQuery) -> list[Event]:
        """Return retry events with their snapshots joined; positions follow commit order."""
        return await self._doors.run(partial(reading.events, query=query))

    async def trail(self, after: int, limit: int) -> list[Step]:
        """Return what was tried after a position, oldest first."""
        return await self._doors.run(partial(reading.trail, after=after, limit=limit))

    async def last_position(self) -> int:
        """Return the position up to which `trail` shows everything."""
        return await self._doors.run(reading.last_position)

    async def notes(self, subject: str | None, limit: int) -> list[Note]:
        """Return audit lines about something, newest first; None: about anything."""
        found = await self.lines(LineQuery(subject=subject, limit=limit))
        return [line.note for line in found.lines]

    async def lines(self, query: LineQuery) -> Lines:
        """Return a page of audit lines by time."""
        return await self._doors.run(partial(reading.lines, query=query))

    async def unsealed(self, limit: int) -> list[Line]:
        """Return audit lines that are not in the chain, in the order in which they were written."""
        return await self._doors.run(partial(people.unsealed, limit=limit))

    async def sealed(self, after: int, limit: int) -> list[Line]:
        """Return audit lines of the chain after a number, in order."""
        return await self._doors.run(partial(people.sealed, after=after, limit=limit))

    async def summed(self, after: int, until: int, limit: int) -> EventSums:
        """Return sums of the first retry events after a position, none beyond another."""
        return await self._doors.run(partial(people.summed, after=after, until=until, limit=limit))

    async def seal(self, seal: Seal) -> None:
        """Give audit lines their places, remove old ones, keep the state: all at once."""
        await self._writer.run(partial(people.seal, seal=seal))

    # Operations

    async def operations(
        self, *, below: str | None = None, limit: int = 100, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first, below an id; `active`: only those with work to do."""
        read = partial(operating.operations, below=below, limit=limit, active=active)
        return await self._doors.run(read)

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation."""
        return await self._doors.run(partial(operating.operation, operation_id=operation_id))

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
        return await self._doors.run(read)

    # People

    async def record(self, kind: str, key: str) -> Record | None:
        """Return one record."""
        return await self._doors.run(partial(people.record, kind=kind, key=key))

    async def records(self, kind: str, after: str, limit: int) -> list[Record]:
        """Return records of a kind by key, after a key."""
        read = partial(people.records, kind=kind, after=after, limit=limit)
        return await self._doors.run(read)

    async def keep(self, record: Record | None, note: Note | None) -> None:
        """Write a record and the audit line of it, both or none."""
        await self._writer.run(partial(people.keep, record=record, note=note))

    async def forget(self, kind: str, key: str) -> None:
        """Remove a record, if it is there."""
        await self._writer.run(partial(people.forget, kind=kind, key=key))

    async def forget_old(self, now: int, limit: int) -> int:
        """Remove records whose `until` has passed; return their number."""
        return await self._writer.run(partial(people.forget_old, now=now, limit=limit))

    # Groups

    async def tallies(self, search: Search) -> list[Counted]:
        """Return the groups that were seen last, each with its failing deliveries that match."""
        return await self._doors.run(partial(grouping.tallies, search=search))

    async def groups(self, ids: Collection[str]) -> list[Group]:
        """Return these groups."""
        return await self._doors.run(partial(grouping.groups, ids=ids))

    async def returned(self) -> list[Group]:
        """Return groups that came back after they were resolved, of which nobody was told."""
        return await self._engine.run(grouping.returned)

    async def judged(self) -> list[Group]:
        """Return groups whose failures a person judged."""
        return await self._engine.run(grouping.judged)

    async def failures(
        self, ids: Collection[str], first: int, width: int
    ) -> dict[str, dict[int, Bucket]]:
        """Return how many tries of each group failed, by time."""
        read = partial(grouping.failures, ids=ids, first=first, width=width)
        return await self._doors.run(read)

    async def alerts(self, query: AlertQuery) -> Alerted:
        """Return the groups that were new or came back last, the newest first."""
        return await self._doors.run(partial(grouping.alerts, query=query))

    async def critical(self, query: CriticalQuery) -> Critical:
        """Return failing deliveries, by priority and id, the highest first, and their number."""
        return await self._doors.run(partial(grouping.critical, query=query))

    async def assignees(self, account: str | None, limit: int) -> list[Held]:
        """Return who looks at dead deliveries, by name."""
        return await self._doors.run(partial(grouping.assignees, account=account, limit=limit))

    # Registry

    async def document(self, name: str) -> tuple[int, bytes] | None:
        """Return (version, body), or None."""
        return await self._doors.run(partial(documents.read, name=name))

    async def put_document(self, name: str, body: bytes, expected: int, now: int) -> int:
        """Write when the stored version is `expected` (0: absent) and return the new version."""
        work = partial(documents.put, name=name, body=body, expected=expected, now=now)
        return await self._writer.run(work)

    async def close(self) -> None:
        """Close; commits under way finish first."""
        if self._checkpoint is not None:
            await self._checkpoint
        if not self._borrowed:
            for session in (self._engine, self._doors, self._keeper):
                if session is not self._writer:
                    await session.close()
            await self._writer.close()
        if self._lock is not None:
            self._lock.release()

    # Inside

    async def _prune_payloads(self, before: int, limit: int) -> int:
        if not before:
            return 0
        read = partial(pruning.payloads, before=before, start=self._look.start(before), limit=limit)
        places, at = await self._keeper.run(read)
        self._look.ended(before, at if len(places) == limit else None)
        remove = partial(pruning.prune_payloads, places=places, before=before)
        return await self._writer.run(remove) if places else 0

    async def _prune_rows(self, before: int, limit: int) -> int:
        if not before:
            return 0
        places = await self._keeper.run(partial(pruning.rows, before=before, limit=limit))
        remove = partial(pruning.prune_rows, places=places, before=before)
        return await self._writer.run(remove) if places else 0

    def _space(self, connection: apsw.Connection) -> Space:
        page = connection.pragma("page_size")
        idle = connection.pragma("freelist_count") * page
        used = connection.pragma("page_count") * page - idle
        free = NEVER if self._quota is None else max(0, self._quota - used)
        if self._path is not None:
            disk = os.statvfs(opening.folder_of(str(self._path)))
            free = min(free, disk.f_bavail * disk.f_frsize + idle)
        return Space(used, free)

    def _log_grew(self, connection: apsw.Connection, name: str, pages: int) -> int:
        del connection, name
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _bound_log(self) -> None:
        """See to it that the write-ahead log is carried over once it is large."""
        pages = self._log_pages
        if pages < self._log_carried:
            self._log_carried = 0  # it was begun anew
        # While a long reader keeps it from being begun anew, asking at every commit would not help.
        due = max(WAL_PAGES, self._log_carried + WAL_PAGES // 4)
        if pages >= due and self._checkpoint is None:
            self._log_carried = pages
            self._checkpoint = asyncio.create_task(self._carry_over())

    async def _carry_over(self) -> None:
        # The keeper does the bulk beside the commits. The writer, for whom little is left, then
        # carries the rest, and so the next commit can begin the log anew.
        try:
            for session in (self._keeper, self._writer):
                await session.run(_checkpoint)
        except StoreError as error:
            # Nothing is lost: the log stays longer, and a later commit asks again.
            log(LogEvent.STORE_ERROR, logging.WARNING, error=str(error))
        finally:
            self._checkpoint = None


def _checkpoint(connection: apsw.Connection) -> None:
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
