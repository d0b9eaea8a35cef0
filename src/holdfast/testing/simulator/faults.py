"""What can go wrong around an engine, and a store that lets it go wrong."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import StrEnum
from typing import Final, TypeVar

from holdfast.clock import Clock
from holdfast.errors import HoldfastError, StoreAway, StoreError, StoreFull
from holdfast.model.alert import Alerted, AlertQuery, Critical, CriticalQuery
from holdfast.model.attempt import Event, Step
from holdfast.model.audit import LineQuery
from holdfast.model.delivery import Delivery
from holdfast.model.group import Bucket, Counted, Group, Held
from holdfast.model.lane import LaneState
from holdfast.model.message import Message
from holdfast.model.operation import Operation, Outcome, Result
from holdfast.model.search import Found, Search, Total
from holdfast.model.worker import UNNAMED, Acquired, Hint, Load, Order, Ownership, Survey, Worker
from holdfast.shelf import Later, Space
from holdfast.store import (
    Batch,
    Committed,
    Counts,
    DuePage,
    DueQuery,
    EventQuery,
    Lines,
    Note,
    Pruned,
    Retention,
    Store,
)
from holdfast.testing.channel import elapse

T = TypeVar("T")

ROOM: Final = 1 << 40
"""Free bytes of a store that is not full."""
SLOW_MS: Final = 2_000
PATIENCE_MS: Final = 5_000
"""How long a worker waits for a store that does not answer."""


class Fault(StrEnum):
    """The kinds of trouble. Rates are per second, per commit, per read, per call or per message.

    `ALONE` and `TOGETHER` in `world` say which of them strike one worker, and several.
    """

    CRASH = "crash"
    """The process ends at a random instant (per second)."""
    CRASH_AFTER_COMMIT = "crash after commit"
    """The process ends when a commit is on disk and nobody was told (per commit)."""
    POISON = "poison payload"
    """A payload ends the process that sends it (per message; counted per crash)."""
    RESTART = "graceful restart"
    """The process is stopped and started (per second)."""
    ZOMBIE = "zombie"
    """A new owner takes over while the old one goes on (per second)."""
    AMBIGUOUS = "ambiguous commit"
    """Everything was written, an error is raised (per commit)."""
    FAILED = "failed commit"
    """Nothing was written, an error is raised (per commit)."""
    BAD_ROW = "bad row"
    """One member makes every commit that holds it fail, for a while (per commit)."""
    FULL = "store full"
    """No commit fits for some seconds (per second)."""
    SLOW = "slow commit"
    """A commit takes up to two seconds (per commit)."""
    READ = "failed read"
    """A read of the engine raises an error (per read)."""
    WAKE_UP = "lost wake-up"
    """A lane is not looked at although something about it changed (per call)."""
    FORWARD = "clock jumps forward"
    """The wall clock is set forward (per second)."""
    BACK = "clock jumps back"
    """The wall clock is set back (per second)."""
    ENDLESS = "endless send"
    """A send does not end by itself (by the partner's troubles)."""
    LEFT = "caller gone"
    """A caller does not wait for the answer (per call)."""
    JOIN = "worker joins"
    """One more worker is started (per second)."""
    LEAVE = "worker leaves"
    """A worker is stopped gracefully and not started again (per second)."""
    PAUSE = "paused process"
    """A process stops for a while, often for longer than its lease, and goes on (per second)."""
    CUT = "worker cut off"
    """One worker does not reach the store for a while (per second)."""
    AWAY = "store away"
    """No worker reaches the store for a while (per second)."""
    ANSWER = "lost answer"
    """What was asked about workers and lanes is done; the answer is late, or lost (per call)."""
    SKEW = "clock skew"
    """A machine's clocks are wrong by minutes to days (per process)."""


CRASHES: Final = (Fault.CRASH, Fault.CRASH_AFTER_COMMIT, Fault.POISON)
"""The kinds that end a process at once."""


class Faults:
    """Draws faults and counts those that struck.

    Args:
        rates: of the kinds that may strike; the others never do.
        rng: draws.
    """

    def __init__(self, rates: dict[Fault, float], rng: random.Random) -> None:
        self.rates = rates
        self.rng = rng
        self.struck: Counter[Fault] = Counter()
        self.full_until = 0.0
        """The store has no room before this instant of the monotonic clock, in ms."""
        self.away_until = 0.0
        """Nobody reaches the store before this instant."""
        self.on = True

    def strikes(self, fault: Fault) -> bool:
        """Draw whether a fault strikes now, and count it when it does."""
        rate = self.rates.get(fault)
        if rate is None or not self.on or self.rng.random() >= rate:
            return False
        self.struck[fault] += 1
        return True

    def end(self) -> None:
        """From now on nothing goes wrong any more."""
        self.on = False
        self.full_until = self.away_until = 0.0


class FaultyStore:
    """A store between the engine and the real one: slow, failing, and cut off by a crash.

    Args:
        inner: the real store; inline, so that each of its calls happens at one instant.
        faults: what goes wrong.
        clock: virtual time.
        commit_ms: most that passes before, and after, a commit.
        read_ms: most that passes before, and after, a read.
        observe: told of every commit that was written, before anybody else.
        owned: told of every epoch that was taken.
        acquired: told of every lane that was acquired, with the epoch.
        die: ends the process; does not return.
        failed: told of a bug: the real store raised what no store may raise.
    """

    def __init__(
        self,
        inner: Store,
        faults: Faults,
        clock: Clock,
        *,
        commit_ms: int,
        read_ms: int,
        observe: Callable[[Batch, Committed], None],
        owned: Callable[[int], None],
        acquired: Callable[[int, Acquired], None],
        die: Callable[[Fault], Awaitable[None]],
        failed: Callable[[Exception], None],
    ) -> None:
        self.inner = inner
        self.dead = False
        self.released = False
        """The owner has said that nothing is left open."""
        self.away_until = 0.0
        """It does not reach the real store before this instant of the monotonic clock, in ms."""
        self._faults = faults
        self._clock = clock
        self._commit_ms = commit_ms
        self._read_ms = read_ms
        self._observe = observe
        self._owned = owned
        self._acquired = acquired
        self._die = die
        self._failed = failed
        self._bad: dict[str, int] = {}

    async def commit(self, batch: Batch) -> Committed:
        """Write a batch, or fail in one of the ways that a database has."""
        slow = self._faults.strikes(Fault.SLOW)
        await self._pass(SLOW_MS if slow else self._commit_ms)
        self._refuse(batch)
        try:
            committed = await self.write(batch)
        except Exception as error:
            if not isinstance(error, HoldfastError):
                self._failed(error)
            raise
        self._observe(batch, committed)
        if self._faults.strikes(Fault.CRASH_AFTER_COMMIT):
            await self._die(Fault.CRASH_AFTER_COMMIT)
        await self._pass(self._commit_ms)
        if self._faults.strikes(Fault.AMBIGUOUS):
            raise StoreError("the connection broke; the fate of the commit is unknown")
        return committed

    async def write(self, batch: Batch) -> Committed:
        """Hand a batch to the real store."""
        return await self.inner.commit(batch)

    def _refuse(self, batch: Batch) -> None:
        """Fail before anything is written."""
        if self._clock.monotonic() < self._faults.full_until:
            raise StoreFull("no space is left")
        if self._faults.strikes(Fault.FAILED):
            raise StoreError("nothing was written")
        members = [each.message.id for each in batch.accepts]
        members += [each.after.id for each in batch.transitions]
        if members and self._faults.strikes(Fault.BAD_ROW):
            self._bad[self._faults.rng.choice(members)] = self._faults.rng.randint(2, 4)
        for member in members:
            if self._bad.get(member, 0) > 0 and self._faults.on:
                self._bad[member] -= 1
                raise StoreError(f"bad row {member}")

    async def _pass(self, longest_ms: int) -> None:
        """Let a little time pass, and go no further when the process has ended meanwhile."""
        if self.dead:
            raise asyncio.CancelledError
        await elapse(self._faults.rng.random() * longest_ms)
        if self.dead:
            raise asyncio.CancelledError
        if self._clock.monotonic() < self._back_at():
            await self._out_of_reach()

    def _back_at(self) -> float:
        """Return until when the real store is out of reach."""
        return max(self.away_until, self._faults.away_until)

    async def _out_of_reach(self) -> None:
        """Wait for an answer that comes late, or not at all."""
        waits = self._faults.rng.choice((0, 100, PATIENCE_MS))
        await elapse(min(waits, self._back_at() - self._clock.monotonic()))
        if self.dead:
            raise asyncio.CancelledError
        if self._clock.monotonic() < self._back_at():
            raise StoreAway("the store cannot be reached")

    async def _ask(self, ask: Callable[[], Awaitable[T]], *, fails: bool = True) -> T:
        """Ask for something about workers and lanes; the answer may be late, or get lost."""
        answer = await self._read(ask, fails=fails)
        if self._faults.strikes(Fault.ANSWER):
            await self._pass(PATIENCE_MS)
            if self._faults.rng.random() < 0.5:
                raise StoreError("the connection broke; it may have been done")
        return answer

    async def _read(self, read: Callable[[], Awaitable[T]], *, fails: bool = True) -> T:
        """Read with some time before and after."""
        await self._pass(self._read_ms)
        if fails and self._faults.strikes(Fault.READ):
            raise StoreError("disk I/O error")
        value = await read()
        await self._pass(self._read_ms)
        return value

    async def due(self, query: DueQuery) -> DuePage:
        """Return what a lane may send next."""
        return await self._read(lambda: self.inner.due(query))

    async def due_lanes(self, among: Collection[str] | None = None) -> list[tuple[str, int]]:
        """Return the recipients with pending deliveries, each with its lowest `due_at`."""
        return await self._read(lambda: self.inner.due_lanes(among))

    async def later(self, recipient: str, now: int, limit: int) -> Later:
        """Return what of a lane is due after `now`."""
        return await self._read(lambda: self.inner.later(recipient, now, limit))

    async def expired(self, now: int, limit: int) -> list[Delivery]:
        """Return pending deliveries whose time ran out."""
        return await self._read(lambda: self.inner.expired(now, limit))

    async def get(self, delivery_id: str) -> Delivery | None:
        """Return one delivery."""
        return await self._read(lambda: self.inner.get(delivery_id))

    async def message(self, message_id: str) -> Message | None:
        """Return one message."""
        return await self._read(lambda: self.inner.message(message_id))

    async def find(self, search: Search) -> Found:
        """Return deliveries by predicate."""
        return await self._read(lambda: self.inner.find(search))

    async def count(self, search: Search) -> Total:
        """Return how many deliveries match."""
        return await self._read(lambda: self.inner.count(search))

    async def counts(self) -> dict[str, Counts]:
        """Return the counters by recipient."""
        return await self._read(self.inner.counts)

    async def prune(self, now: int, retention: Retention) -> Pruned:
        """Remove what may go."""
        return await self._read(lambda: self.inner.prune(now, retention))

    async def space(self) -> Space:
        """Return the room left: none while the store is full."""
        await self._pass(self._read_ms)
        full = self._clock.monotonic() < self._faults.full_until
        return Space(0, 0 if full else ROOM)

    async def join(self, now: int, worker: Worker = UNNAMED) -> Ownership:
        """Become a worker."""
        return await self._ask(lambda: self._join(now, worker), fails=False)

    async def _join(self, now: int, worker: Worker) -> Ownership:
        ownership = await self.inner.join(now, worker)
        self._owned(ownership.epoch)
        return ownership

    async def renew(self, epoch: int, load: Load, now: int) -> int:
        """Extend the lease."""
        return await self._ask(lambda: self.inner.renew(epoch, load, now))

    async def survey(self) -> Survey:
        """Return who is there."""
        return await self._read(self.inner.survey)

    async def expel(self, epochs: Sequence[int]) -> tuple[int, ...]:
        """Take workers off the list."""
        return await self._ask(lambda: self.inner.expel(epochs))

    async def acquire(self, epoch: int, recipients: Sequence[str]) -> list[Acquired]:
        """Become the owner of lanes."""
        return await self._ask(lambda: self._acquire(epoch, recipients))

    async def _acquire(self, epoch: int, recipients: Sequence[str]) -> list[Acquired]:
        got = await self.inner.acquire(epoch, recipients)
        for each in got:
            self._acquired(epoch, each)
        return got

    async def owners(self) -> dict[str, int]:
        """Return who owns what."""
        return await self._read(self.inner.owners)

    async def notify(self, hints: Sequence[Hint]) -> None:
        """Tell the others, or lose it."""
        if not self._faults.strikes(Fault.WAKE_UP):
            await self.inner.notify(hints)

    async def hints(self) -> tuple[Hint, ...]:
        """Wait for hints; while the store is out of reach they are missed."""
        while True:
            heard = await self.inner.hints()
            if self.dead:
                raise asyncio.CancelledError
            if self._clock.monotonic() >= self._back_at():
                return heard

    async def lane_states(self, among: Collection[str] | None = None) -> list[LaneState]:
        """Return every saved lane (of these)."""
        return await self._read(lambda: self.inner.lane_states(among))

    async def order(self, order: Order) -> None:
        """Leave word for the owner of a lane."""
        await self._ask(lambda: self.inner.order(order))

    async def take_orders(self, epoch: int, recipients: Collection[str]) -> list[Order]:
        """Take what was asked of lanes."""
        return await self._ask(lambda: self.inner.take_orders(epoch, recipients))

    async def withdraw(self, order_id: str) -> bool:
        """Take an order back."""
        return await self._ask(lambda: self.inner.withdraw(order_id))

    async def leave(self, epoch: int) -> None:
        """Say goodbye."""
        await self._ask(lambda: self.inner.leave(epoch), fails=False)
        self.released = True

    async def events(self, query: EventQuery) -> list[Event]:
        """Return retry events."""
        return await self._read(lambda: self.inner.events(query))

    async def trail(self, after: int, limit: int) -> list[Step]:
        """Return what was tried after a position."""
        return await self._read(lambda: self.inner.trail(after, limit))

    async def last_position(self) -> int:
        """Return the position up to which `trail` shows everything."""
        return await self._read(self.inner.last_position)

    async def notes(self, subject: str | None, limit: int) -> list[Note]:
        """Return audit lines."""
        return await self._read(lambda: self.inner.notes(subject, limit))

    async def lines(self, query: LineQuery) -> Lines:
        """Return audit lines."""
        return await self._read(lambda: self.inner.lines(query))

    async def operations(
        self, *, below: str | None = None, limit: int = 100, active: bool = False
    ) -> list[Operation]:
        """Return operations."""
        return await self._read(
            lambda: self.inner.operations(below=below, limit=limit, active=active)
        )

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation."""
        return await self._read(lambda: self.inner.operation(operation_id))

    async def results(
        self,
        operation_id: str,
        *,
        below: str | None = None,
        limit: int,
        opened: bool = False,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return results of an operation."""
        return await self._read(
            lambda: self.inner.results(
                operation_id, below=below, limit=limit, opened=opened, outcomes=outcomes
            )
        )

    async def tallies(self, search: Search) -> list[Counted]:
        """Return groups with their failing deliveries."""
        return await self._read(lambda: self.inner.tallies(search))

    async def groups(self, ids: Collection[str]) -> list[Group]:
        """Return these groups."""
        return await self._read(lambda: self.inner.groups(ids))

    async def returned(self) -> list[Group]:
        """Return groups that came back."""
        return await self._read(self.inner.returned)

    async def judged(self) -> list[Group]:
        """Return groups whose failures a person judged."""
        return await self._read(self.inner.judged)

    async def failures(
        self, ids: Collection[str], first: int, width: int
    ) -> dict[str, dict[int, Bucket]]:
        """Return failures by time."""
        return await self._read(lambda: self.inner.failures(ids, first, width))

    async def alerts(self, query: AlertQuery) -> Alerted:
        """Return groups that were new or came back last."""
        return await self._read(lambda: self.inner.alerts(query))

    async def critical(self, query: CriticalQuery) -> Critical:
        """Return failing deliveries of a priority or above."""
        return await self._read(lambda: self.inner.critical(query))

    async def assignees(self, account: str | None, limit: int) -> list[Held]:
        """Return who looks at dead deliveries."""
        return await self._read(lambda: self.inner.assignees(account, limit))

    async def document(self, name: str) -> tuple[int, bytes] | None:
        """Return a document."""
        return await self._read(lambda: self.inner.document(name))

    async def put_document(self, name: str, body: bytes, expected: int, now: int) -> int:
        """Write a document."""
        return await self._read(lambda: self.inner.put_document(name, body, expected, now))

    async def close(self) -> None:
        """Close the real store."""
        await self.inner.close()
