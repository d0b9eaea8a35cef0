"""The one writer: everything that queued up while the last commit ran goes into the next.

No timers: batches grow with load by themselves (group commit). What a commit refuses as a whole
is tried member by member, so that one bad row does not fail its neighbours.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from holdfast.clock import Clock
from holdfast.engine import journal
from holdfast.engine.round import Aside, OnAccepted, OnApplied, Round
from holdfast.errors import StoreAway, StoreError, StoreFull, StoreLost
from holdfast.model.lane import LaneState
from holdfast.store import (
    Accept,
    Applied,
    Batch,
    Committed,
    Note,
    Snapshot,
    Store,
    Transition,
)
from holdfast.telemetry import LogEvent, log

BATCH_MAX: Final = 2_000
"""Most accepts and most transitions in one transaction, so that a commit stays short."""
HOUR_MS: Final = 3_600_000
RETRY_MS: Final = 500
"""Pause before refused settlements are written again."""


class Writer:
    """Collects changes and commits them in batches; results come back through callbacks.

    Args:
        store: where to.
        clock: time of the batches.
        epoch: of this owner; a later owner makes every commit fail.
        on_lost: called with the epoch when this worker is not on the list any more.
        on_dead: called with the reason when a bug has ended it: nothing is written any more.
        on_commit: called after the answers of a commit were given.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        epoch: int,
        *,
        on_lost: Callable[[int], None],
        on_dead: Callable[[StoreError], None],
        on_commit: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._epoch = epoch
        self._on_lost = on_lost
        self._on_dead = on_dead
        self._on_commit = on_commit
        self._queue = Round()
        self._written: set[str] = set()
        self._hour = -1
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._asking: set[asyncio.Future[Applied]] = set()
        self._ended: StoreError | None = None
        """Why nothing is written any more."""
        self.comes_back = False
        """A worker that lost its place gets another one (`adopt`), and the rest is written then."""
        self._adopted = asyncio.Event()
        self._adopted.set()
        self._lives = 0
        self._resting = asyncio.Event()
        self._resting.set()
        """No commit is under way."""
        self.full = False
        """The store has no room: settlements wait, nothing new is sent."""
        self.away = False
        """The store cannot be reached: settlements wait."""
        self._under_way: list[tuple[Accept, OnAccepted]] = []
        self._began: float | None = None
        self.commits = 0
        self.committed = 0

    @property
    def waiting(self) -> int:
        """Return how many accepts are queued."""
        return len(self._queue.accepts)

    @property
    def ended(self) -> bool:
        """Tell whether nothing is written any more."""
        return self._ended is not None

    @property
    def commit_ms(self) -> float:
        """Return how long the commit under way, or the wait for a new epoch, has taken so far."""
        return 0.0 if self._began is None else self._clock.monotonic() - self._began

    @property
    def idle(self) -> bool:
        """Tell whether nothing is queued or being written."""
        return self._idle.is_set()

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="writer")

    async def stop(self) -> bool:
        """Write what is queued, unless the store refuses it; tell whether all is on disk."""
        if self._task is None:
            return True
        self._stopping = True
        if self._adopted.is_set():  # else nothing can be written
            await self._idle.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        return not self._queue.transitions and not self._queue.aside.lanes

    async def flush(self) -> None:
        """Return when the lanes and audit lines queued so far are written.

        Not when nothing is queued any more: under load that may never be.

        Raises:
            StoreError: the writer ended before that.
        """
        self._check_open()
        if not self.idle:
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.aside.flushing.append(written)
            await written

    def _check_open(self) -> None:
        if self._ended is not None:
            raise self._ended

    def accept(self, accept: Accept, done: OnAccepted) -> None:
        """Queue a message; `done` gets the answer after the commit.

        Raises:
            StoreError: the writer has ended.
        """
        self._check_open()
        self._queue.accepts.append((accept, done))
        self._stir()

    def give_up(self, error: StoreAway) -> None:
        """Answer who waits for a message; those of the commit under way are so again by its end."""
        if not self.away:
            self._complain(error)
        self.away = True
        waiting = (*self._under_way, *self._queue.accepts)
        self._under_way, self._queue.accepts = [], []
        for _, done in waiting:
            done(error)

    def apply(self, transition: Transition, done: OnApplied) -> None:
        """Queue a change of a delivery; `done` gets the answer after the commit."""
        self._queue.transitions.append((transition, done))
        self._stir()

    async def change(
        self, transition: Transition, landed: Callable[[], None] | None = None
    ) -> Applied:
        """Apply a change and return the answer; `landed` is called with it when it was applied.

        At once, that is: before anything is sent that the commit let go.

        Raises:
            StoreError: the writer ended before it was written.
        """
        self._check_open()
        answer: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self._asking.add(answer)
        answer.add_done_callback(self._asking.discard)

        def done(applied: Applied) -> None:
            if applied.applied and landed is not None:
                landed()
            if not answer.done():
                answer.set_result(applied)

        self.apply(transition, done)
        return await answer

    def save_lane(
        self,
        state: LaneState,
        landed: Callable[[], None] | None = None,
        notes: Iterable[Note] = (),
    ) -> None:
        """Queue a lane's state, which a newer one replaces; `landed` is called after the commit.

        A worker that loses its place before that drops all three.
        """
        aside = self._queue.aside
        aside.lanes[state.recipient] = state
        aside.lane_notes += notes
        if landed is not None:
            aside.landed.append(landed)
        self._stir()

    def release_lane(self, state: LaneState, landed: Callable[[], None], *, offered: bool) -> None:
        """Queue a lane's last state, which makes it free; `offered`: another should take it."""
        self._queue.aside.released[state.recipient] = offered
        self.save_lane(state, landed)

    def lose(self) -> None:
        """Stop writing until there is a new epoch; what is queued may then only be put on record.

        Accepts are no owner's, nor are audit lines but those of lanes: they are kept as they are.
        """
        self._adopted.clear()
        self._lives += 1
        self._disown()

    def _disown(self) -> None:
        self._queue.disown()

    async def adopt(self, epoch: int) -> None:
        """Go on writing under a new epoch, once the last commit under the old one has ended."""
        await self._resting.wait()
        self._epoch = epoch
        self._adopted.set()
        self._wake.set()

    def lane_changed(self, before: LaneState, after: LaneState) -> None:
        """Queue a lane's new state, with audit lines when a gate opened or closed."""
        self.save_lane(after, notes=journal.lane_notes(before, after, self._clock.now()))

    def note(self, note: Note) -> None:
        """Queue an audit line."""
        self._queue.aside.notes.append(note)
        self._stir()

    def snapshot(self, snapshot: Snapshot) -> None:
        """Queue a value that events refer to; each is written once."""
        if snapshot.id not in self._written:
            self._queue.snapshots.setdefault(snapshot.id, snapshot)

    def _stir(self) -> None:
        if self._ended is None:  # else nobody would ever set it again: `stop` and `flush` hang
            self._idle.clear()
            self._wake.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._has_epoch()
                    written = await self._next_round()
                    if self._stopping and not written:  # what is left stays unsettled
                        self._end(StoreError("Holdfast is stopping, and the store does not write"))
                        return
                self._idle.set()
                self._queue.aside.flushed()
        except StoreLost as error:
            self._end(error)
            self._on_lost(self._epoch)
        except Exception as error:
            self._died(error)
            raise
        finally:
            self._end(StoreError("the writer has stopped"))

    def _died(self, error: Exception) -> None:
        """Let nobody believe that something is still written: the process must end."""
        told = f"{type(error).__name__}: {error}"
        log(LogEvent.LOOP_ERROR, logging.CRITICAL, loop="writer", error=told)
        died = StoreError(f"a bug ended the writer, nothing is written any more: {told}")
        self._end(died)
        self._on_dead(died)

    async def _has_epoch(self) -> None:
        """Wait for an epoch; for those who wait for an answer it is as if a commit took so long."""
        if not self._adopted.is_set():
            self._began = self._clock.monotonic()
            await self._adopted.wait()
            self._began = None

    async def _next_round(self) -> bool:
        """Write what is queued; a worker that comes back keeps it when its epoch is refused."""
        lives = self._lives
        self._resting.clear()
        try:
            return await self._round()
        except StoreLost:
            if not self.comes_back:
                raise
            self.lose()
            self._on_lost(self._epoch)
            return not self._stopping
        finally:
            if lives != self._lives:  # what the round put back was the old life's
                self._disown()
            self._under_way = []
            self._resting.set()

    def _end(self, error: StoreError) -> None:
        """Tell everybody who waits that nothing is written any more."""
        if self._ended is None:
            self._ended = error
            accepts, self._queue.accepts = self._queue.accepts, []
            for _, done in accepts:
                done(error)
            for answer in tuple(self._asking):
                if not answer.done():
                    answer.set_exception(error)
            self._queue.aside.flushed(error)
        self._idle.set()

    async def _round(self) -> bool:
        """Take what is queued and write it; put back what could not be written.

        Tells whether all of it is written.
        """
        taken = self._queue.take(BATCH_MAX)
        self._under_way = taken.accepts
        try:
            written = await self._write(taken)
        except BaseException:  # who waits for it gets an answer from the next epoch, or the end
            self._queue.put_back(taken)
            raise
        if not written:
            self._queue.put_back(taken)
        self._on_commit()
        if not (written or self._stopping):
            await self._clock.pause(RETRY_MS)
        return written

    async def _write(self, taken: Round) -> bool:
        """Commit a round; tell whether all of it is written, else the rest is still in it."""
        now = self._clock.now()
        self._remember(taken.snapshots, now)
        try:
            committed = await self._commit(taken.batch(self._epoch, now))
        except StoreError as error:
            self._written.difference_update(taken.snapshots)
            if isinstance(error, StoreLost):
                raise
            self._complain(error)
            if isinstance(error, StoreAway):
                return self._later(taken, error)
            return await self._singly(taken, error)
        taken.answer(committed)
        return True

    def _remember(self, snapshots: dict[str, Snapshot], now: int) -> None:
        """Note what is written; anew every hour, as retention may remove what is long unused."""
        hour = now // HOUR_MS
        if hour != self._hour:
            self._hour = hour
            self._written.clear()
        self._written.update(snapshots)

    async def _commit(self, batch: Batch) -> Committed:
        self._began = self._clock.monotonic()
        try:
            committed = await self._store.commit(batch)
        except StoreError:
            raise
        except Exception as error:  # a value that no row can hold is its own member's trouble
            raise StoreError(f"{type(error).__name__}: {error}") from error
        finally:
            self._began = None
        self.away = False
        self.commits += 1
        self.committed += len(batch.accepts) + len(batch.transitions)
        if self.full:
            self.full = False
            log(LogEvent.STORE_RECOVERED)
        return committed

    def _later(self, taken: Round, cause: StoreAway) -> bool:
        """Keep the settlements and refuse the accepts: no member is to blame."""
        self.away = True
        accepts, taken.accepts = taken.accepts, []
        for _, answer in accepts:
            answer(cause)
        return False

    async def _singly(self, taken: Round, cause: StoreError) -> bool:
        """Write settlements one by one, then accepts, then the rest; keep what still fails."""
        await self._each_transition(taken)
        await self._each_accept(taken, cause)
        # Where none was taken they are not written, and an event that names one may come later.
        self._queue.snapshots = taken.snapshots | self._queue.snapshots
        return await self._aside(taken) and not taken.transitions

    async def _aside(self, taken: Round) -> bool:
        """Write lanes and audit lines alone; tell whether the store took them.

        A pause must not wait for a settlement that the store may never take.
        """
        alone = Round(aside=taken.aside)
        if not taken.aside_may_go:
            return False
        try:
            if alone:
                await self._commit(alone.batch(self._epoch, self._clock.now()))
        except StoreLost:
            raise
        except StoreError as error:
            self._complain(error)
            return False
        alone.aside.written()
        taken.aside = Aside()
        return True

    async def _each_transition(self, taken: Round) -> None:
        """Write and take away the transitions one by one; those that still fail stay."""
        failed = 0
        while failed < len(taken.transitions):
            transition, done = taken.transitions[failed]
            try:
                committed = await self._commit(self._alone(taken, transitions=(transition,)))
                done(committed.transitions[0])
            except StoreLost:
                raise
            except StoreError as error:
                self._complain(error)
                failed += 1
            else:
                del taken.transitions[failed]

    async def _each_accept(self, taken: Round, cause: StoreError) -> None:
        """Write and take away the accepts one by one."""
        while taken.accepts:
            accept, answer = taken.accepts[0]
            try:
                if self.full:
                    raise StoreFull(str(cause))  # the same way out for all
                committed = await self._commit(self._alone(taken, accepts=(accept,)))
                answer(committed.accepts[0])
            except StoreLost:
                raise
            except StoreError as error:
                self._complain(error)
                answer(error)
            del taken.accepts[0]

    def _alone(
        self,
        taken: Round,
        *,
        accepts: tuple[Accept, ...] = (),
        transitions: tuple[Transition, ...] = (),
    ) -> Batch:
        """Return the batch of one member."""
        snapshots = tuple(taken.snapshots.values())
        return Batch(self._epoch, self._clock.now(), accepts, transitions, snapshots=snapshots)

    def _complain(self, error: StoreError) -> None:
        if isinstance(error, StoreFull):
            if not self.full:
                log(LogEvent.STORE_FULL, logging.ERROR, detail=str(error))
            self.full = True
        else:
            log(LogEvent.STORE_ERROR, logging.ERROR, error=str(error))
