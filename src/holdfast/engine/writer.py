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
from holdfast.errors import HoldfastError, StoreAway, StoreError, StoreFull, StoreLost
from holdfast.model.lane import LaneState
from holdfast.store import (
    Accept,
    Accepted,
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

OnApplied = Callable[[Applied], None]
OnAccepted = Callable[[Accepted | HoldfastError], None]


class Writer:
    """Collects changes and commits them in batches; results come back through callbacks.

    Args:
        store: where to.
        clock: time of the batches.
        epoch: of this owner; a later owner makes every commit fail.
        on_lost: called with the epoch when this worker is not on the list any more.
        on_commit: called after the answers of a commit were given.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        epoch: int,
        *,
        on_lost: Callable[[int], None],
        on_commit: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._epoch = epoch
        self._on_lost = on_lost
        self._on_commit = on_commit
        self._accepts: list[tuple[Accept, OnAccepted]] = []
        self._transitions: list[tuple[Transition, OnApplied]] = []
        self._lanes: dict[str, LaneState] = {}
        self._landed: list[Callable[[], None]] = []
        """Who wants to know that the queued lanes are on disk."""
        self._notes: list[Note] = []
        self._lane_notes: list[Note] = []
        """Audit lines of what the queued lanes say: without them they are not true."""
        self._snapshots: dict[str, Snapshot] = {}
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
        self._released: dict[str, bool] = {}
        """Lanes of those queued that are given away; True: another worker should take them."""
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
        return len(self._accepts)

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
        return not self._transitions and not self._lanes

    async def flush(self) -> None:
        """Return when everything queued so far is written.

        Raises:
            StoreError: the writer ended before that.
        """
        await self._idle.wait()
        if self._stopping and (self._lanes or self._notes):
            raise StoreError("Holdfast is stopping, and the store refuses to write")
        self._check_open()

    def _check_open(self) -> None:
        if self._ended is not None:
            raise self._ended

    def accept(self, accept: Accept, done: OnAccepted) -> None:
        """Queue a message; `done` gets the answer after the commit.

        Raises:
            StoreError: the writer has ended.
        """
        self._check_open()
        self._accepts.append((accept, done))
        self._stir()

    def give_up(self, error: StoreAway) -> None:
        """Answer who waits for a message; those of the commit under way are so again by its end."""
        if not self.away:
            self._complain(error)
        self.away = True
        waiting, self._under_way, self._accepts = (*self._under_way, *self._accepts), [], []
        for _, done in waiting:
            done(error)

    def apply(self, transition: Transition, done: OnApplied) -> None:
        """Queue a change of a delivery; `done` gets the answer after the commit."""
        self._transitions.append((transition, done))
        self._stir()

    async def change(self, transition: Transition) -> Applied:
        """Apply a change and return the answer.

        Raises:
            StoreError: the writer ended before it was written.
        """
        self._check_open()
        answer: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self._asking.add(answer)
        answer.add_done_callback(self._asking.discard)

        def done(applied: Applied) -> None:
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
        self._lanes[state.recipient] = state
        self._lane_notes += notes
        if landed is not None:
            self._landed.append(landed)
        self._stir()

    def release_lane(self, state: LaneState, landed: Callable[[], None], *, offered: bool) -> None:
        """Queue a lane's last state, which makes it free; `offered`: another should take it."""
        self._released[state.recipient] = offered
        self.save_lane(state, landed)

    def lose(self) -> None:
        """Stop writing until there is a new epoch; what is queued may then only be put on record.

        Accepts are no owner's, nor are audit lines but those of lanes: they are kept as they are.
        """
        self._adopted.clear()
        self._lives += 1
        self._disown()

    def _disown(self) -> None:
        self._transitions = [(each.late(), done) for each, done in self._transitions]
        self._lanes.clear()
        self._lane_notes.clear()
        self._released.clear()
        self._landed.clear()

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
        self._notes.append(note)
        self._stir()

    def snapshot(self, snapshot: Snapshot) -> None:
        """Queue a value that events refer to; each is written once."""
        if snapshot.id not in self._written and snapshot.id not in self._snapshots:
            self._snapshots[snapshot.id] = snapshot

    def _stir(self) -> None:
        if self._ended is None:  # else nobody would ever set it again: `stop` and `flush` hang
            self._idle.clear()
            self._wake.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._accepts or self._transitions or self._lanes or self._notes:
                    await self._has_epoch()
                    written = await self._next_round()
                    if self._stopping and not written:
                        return  # what the store refuses now stays unsettled
                self._idle.set()
        except StoreLost as error:
            self._end(error)
            self._on_lost(self._epoch)
        finally:
            self._end(StoreError("the writer has stopped"))

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
            accepts, self._accepts = self._accepts, []
            for _, done in accepts:
                done(error)
            for answer in tuple(self._asking):
                if not answer.done():
                    answer.set_exception(error)
        self._idle.set()

    async def _round(self) -> bool:
        """Take what is queued and commit it; put back what could not be written.

        Tells whether all of it is written.
        """
        accepts = self._accepts[:BATCH_MAX]
        del self._accepts[:BATCH_MAX]
        self._under_way = accepts
        transitions = self._transitions[:BATCH_MAX]
        del self._transitions[:BATCH_MAX]
        lanes, self._lanes = self._lanes, {}
        landed, self._landed = self._landed, []
        released, self._released = self._released, {}
        notes, self._notes = self._notes, []
        lane_notes, self._lane_notes = self._lane_notes, []
        snapshots, self._snapshots = self._snapshots, {}
        now = self._clock.now()
        self._remember(snapshots, now)
        batch = Batch(
            self._epoch,
            now,
            tuple(accept for accept, _ in accepts),
            tuple(transition for transition, _ in transitions),
            tuple(lanes.values()),
            tuple(snapshots.values()),
            (*notes, *lane_notes),
            frozenset(released),
            frozenset(name for name, offered in released.items() if offered),
        )
        try:
            committed = await self._commit(batch)
        except StoreLost:
            self._put_back(accepts, transitions, notes)
            self._written.difference_update(snapshots)
            self._snapshots = snapshots | self._snapshots
            raise
        except StoreError as error:
            self._released = released | self._released
            self._snapshots = snapshots | self._snapshots
            self._written.difference_update(snapshots)
            self._lanes = lanes | self._lanes
            self._landed = landed + self._landed
            self._notes = notes + self._notes
            self._lane_notes = lane_notes + self._lane_notes
            if isinstance(error, StoreAway):
                return await self._later(accepts, transitions, error)
            return await self._singly(accepts, transitions, error)
        _deliver(accepts, transitions, committed)
        for tell in landed:
            tell()
        self._on_commit()
        return True

    def _put_back(
        self,
        accepts: list[tuple[Accept, OnAccepted]],
        transitions: list[tuple[Transition, OnApplied]],
        notes: list[Note],
    ) -> None:
        self._accepts = accepts + self._accepts
        self._transitions = transitions + self._transitions
        self._notes = notes + self._notes

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
        finally:
            self._began = None
        self.away = False
        self.commits += 1
        self.committed += len(batch.accepts) + len(batch.transitions)
        if self.full:
            self.full = False
            log(LogEvent.STORE_RECOVERED)
        return committed

    async def _later(
        self,
        accepts: list[tuple[Accept, OnAccepted]],
        transitions: list[tuple[Transition, OnApplied]],
        cause: StoreAway,
    ) -> bool:
        """Keep the settlements and refuse the accepts: no member is to blame."""
        self._complain(cause)
        self.away = True
        self._transitions = transitions + self._transitions
        for _, answer in accepts:
            answer(cause)
        self._on_commit()
        if not self._stopping:
            await self._clock.pause(RETRY_MS)
        return False

    async def _singly(
        self,
        accepts: list[tuple[Accept, OnAccepted]],
        transitions: list[tuple[Transition, OnApplied]],
        cause: StoreError,
    ) -> bool:
        """Write settlements one by one, then accepts; keep the settlements that still fail."""
        self._complain(cause)
        kept: list[tuple[Transition, OnApplied]] = []
        try:
            await self._each_transition(transitions, kept)
            await self._each_accept(accepts, cause)
        except StoreLost:
            self._put_back(accepts, kept + transitions, [])
            raise
        self._transitions = kept + self._transitions
        self._on_commit()
        left = bool(kept or self._lanes or self._notes)
        if left and not self._stopping:
            await self._clock.pause(RETRY_MS)
        return not left

    async def _each_transition(
        self,
        transitions: list[tuple[Transition, OnApplied]],
        kept: list[tuple[Transition, OnApplied]],
    ) -> None:
        """Write and take away the transitions one by one; `kept` gets those that still fail."""
        while transitions:
            transition, done = transitions[0]
            try:
                committed = await self._commit(self._one(transition=transition))
                done(committed.transitions[0])
            except StoreLost:
                raise
            except StoreError as error:
                self._complain(error)
                kept.append(transitions[0])
            del transitions[0]

    async def _each_accept(
        self, accepts: list[tuple[Accept, OnAccepted]], cause: StoreError
    ) -> None:
        """Write and take away the accepts one by one."""
        while accepts:
            accept, answer = accepts[0]
            try:
                if self.full:
                    raise StoreFull(str(cause))  # the same way out for all
                committed = await self._commit(self._one(accept=accept))
                answer(committed.accepts[0])
            except StoreLost:
                raise
            except StoreError as error:
                self._complain(error)
                answer(error)
            del accepts[0]

    def _one(self, *, accept: Accept | None = None, transition: Transition | None = None) -> Batch:
        return Batch(
            self._epoch,
            self._clock.now(),
            (accept,) if accept else (),
            (transition,) if transition else (),
            snapshots=tuple(self._snapshots.values()),
        )

    def _complain(self, error: StoreError) -> None:
        if isinstance(error, StoreFull):
            if not self.full:
                log(LogEvent.STORE_FULL, logging.ERROR, detail=str(error))
            self.full = True
        else:
            log(LogEvent.STORE_ERROR, logging.ERROR, error=str(error))


def _deliver(
    accepts: list[tuple[Accept, OnAccepted]],
    transitions: list[tuple[Transition, OnApplied]],
    committed: Committed,
) -> None:
    for (_, done), applied in zip(transitions, committed.transitions, strict=True):
        done(applied)
    for (_, answer), accepted in zip(accepts, committed.accepts, strict=True):
        answer(accepted)
