"""The lanes of this worker: made when they become ours, equipped, kept, given away."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

import msgspec

from holdfast.clock import Clock
from holdfast.engine.book import Book
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.fleet import Fleet
from holdfast.engine.lane import Lane
from holdfast.engine.limiter import Limiter
from holdfast.engine.purse import Purse, RetryBudget
from holdfast.engine.timetable import Timetable, needed
from holdfast.engine.writer import Writer
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Account, Catalog, Recipient
from holdfast.model.lane import LaneState
from holdfast.model.worker import Acquired, Ownership
from holdfast.policy import limit
from holdfast.store import Counts
from holdfast.telemetry import LogEvent, log

IDLE_MS: Final = 60_000
"""A lane without work for so long is given back, where there are others to take it."""
_NO_COUNTS: Final = Counts()


class Lanes:
    """Which lanes are ours, and how others stand as far as it is saved.

    Where one process owns everything, a lane is made when it is first needed; where workers share
    a store, when it was acquired.

    Args:
        catalog: recipients and accounts.
        book: the configured recipients.
        fleet: what all lanes have learned together.
        dispatcher: has the lanes that are ours.
        writer: saves their states.
        clock: time.
        ownership: whether all lanes are ours, and how the last owner left them.
        counts: how many deliveries wait, by recipient.
        lane_type: what to make.
    """

    def __init__(
        self,
        catalog: Catalog,
        book: Book,
        fleet: Fleet,
        dispatcher: Dispatcher,
        writer: Writer,
        *,
        clock: Clock,
        ownership: Ownership,
        counts: Callable[[], Mapping[str, Counts]],
        lane_type: type[Lane],
    ) -> None:
        self._catalog = catalog
        self._book = book
        self._fleet = fleet
        self._dispatcher = dispatcher
        self._writer = writer
        self._clock = clock
        self._ownership = ownership
        self._counts = counts
        self._lane_type = lane_type
        self._purses: dict[str, Purse] = {}
        self._worked: dict[str, float] = {}
        """When a lane last had work, on the clock that only moves forward."""
        self._seen: dict[str, tuple[int, int]] = {}
        """Of each lane: deliveries created as of the last look, and of those, how many here."""
        self._here: dict[str, int] = {}
        """Deliveries that this worker accepted, by lane; counted where workers share a store."""
        self.states: dict[str, LaneState] = {}
        """Every lane as it was saved, when that was last read."""
        self.parting: set[str] = set()
        """Given away, but not yet on disk."""

    # -- ours or not ------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """Return the epoch of this worker."""
        return self._ownership.epoch

    @property
    def held(self) -> dict[str, Lane]:
        """Return the lanes that are ours, by name."""
        return self._dispatcher.lanes

    def owned(self, name: str) -> Lane | None:
        """Return a lane that is ours, None: it is not."""
        lane = self._dispatcher.lanes.get(name)
        if lane is None and not self._ownership.shared:
            state = self.states.get(name) or LaneState(name)
            lane = self._dispatcher.lanes[name] = self._make(state, clean=self._ownership.clean)
        return lane

    def lane(self, name: str) -> Lane:
        """Return the lane of a configured recipient; a copy of what is saved when it is not ours.

        Raises:
            NotFound: no such recipient.
        """
        lane = self.owned(name)
        if lane is not None:
            return lane
        copy = self._make(self.states.get(name) or LaneState(name), clean=True)
        copy.closed = True
        return copy

    def may_take(self, name: str) -> bool:
        """Tell whether a lane can become ours: we know its recipient, and have let go of it."""
        known = name in self._catalog.recipients
        return known and name not in self.held and name not in self.parting

    def take(self, acquired: Acquired) -> None:
        """Begin to work on a lane that was acquired."""
        name = acquired.state.recipient
        lane = self._make(acquired.state, clean=acquired.clean)
        self._dispatcher.lanes[name] = lane
        self._worked[name] = self._clock.monotonic()
        self._seen.pop(name, None)
        lane.noted(acquired.due_at)
        if lane.timetable is not None:
            lane.timetable.taken_over(acquired.due_at, self._clock.now())
        log(
            LogEvent.LANE_ACQUIRED,
            recipient=name,
            epoch=self._ownership.epoch,
            clean=acquired.clean,
        )
        self._dispatcher.stir(lane)

    def stamp(self, now: int) -> None:
        """Note that after a crash of the one owner what was due may have been sent."""
        if self._ownership.clean:
            return
        for name, counts in self._counts().items():
            if counts.pending:
                known = self.states.get(name) or LaneState(name)
                self.states[name] = msgspec.structs.replace(known, stamp=now)
                self._writer.save_lane(self.states[name])

    def lose_all(self) -> None:
        """Let go of everything: others own it now."""
        for lane in tuple(self.held.values()):
            lane.lost = True
            self._dispatcher.close(lane)
        self.held.clear()
        self.parting.clear()

    def rejoined(self, ownership: Ownership) -> None:
        """Go on under a new epoch, without any lane."""
        self._ownership = ownership

    # -- giving away ------------------------------------------------------------------------

    def close(self, count: int) -> None:
        """Give lanes away, the least busy first: no new sends, gone when nothing is unsettled."""
        counts = self._counts()
        ours = [lane for lane in self.held.values() if not lane.closed]
        ours.sort(
            key=lambda lane: (
                len(lane.busy) + lane.in_flight,
                counts.get(lane.recipient.name, _NO_COUNTS).pending,
            )
        )
        for lane in ours[:count]:
            self._dispatcher.close(lane)

    def release_closed(self) -> bool:
        """Give away what is closed and settled; tell whether some is left that is not yet."""
        for lane in tuple(self.held.values()):
            if lane.closed and not (lane.busy or lane.in_flight or lane.refilling):
                self._release(lane, offered=True)
        return any(lane.closed for lane in self.held.values())

    def release_idle(self) -> None:
        """Give back what had no work for a while."""
        now = self._clock.monotonic()
        counts = self._counts()
        for name, lane in tuple(self.held.items()):
            waits = counts.get(name, _NO_COUNTS).pending
            if waits or lane.buffered or lane.busy or lane.in_flight or lane.refilling:
                self._worked[name] = now
            elif now - self._worked.get(name, now) >= IDLE_MS:
                self._dispatcher.close(lane)
                self._release(lane, offered=False)

    def _release(self, lane: Lane, *, offered: bool) -> None:
        """Save a lane for the last time and make it free with the same commit."""
        name = lane.recipient.name
        del self.held[name]
        self._worked.pop(name, None)
        self.parting.add(name)
        state = self._parting_state(lane)
        self.states[name] = state
        log(LogEvent.LANE_RELEASED, recipient=name, epoch=self._ownership.epoch)
        landed = partial(self.parting.discard, name)
        self._writer.release_lane(state, landed, offered=offered)

    def save_used(self) -> None:
        """Leave to the next owner what was learned, and exactly what limits and caps have used."""
        for lane in tuple(self.held.values()):
            if self._ownership.shared:
                if not lane.closed:
                    self._dispatcher.close(lane)
                self._release(lane, offered=True)
            elif (state := self._parting_state(lane)) is not lane.state:
                self._writer.save_lane(state)

    def _parting_state(self, lane: Lane) -> LaneState:
        now = self._clock.now()
        before = lane.state
        lane.keep()
        state = lane.state
        if lane.limiter is not None:
            state = msgspec.structs.replace(state, windows=lane.limiter.exact(now))
        if lane.timetable is not None and lane.timetable.caps:
            state = msgspec.structs.replace(state, caps=lane.timetable.exact(now))
        lane.state = before
        return state

    # -- what others did to ours ------------------------------------------------------------

    def accepted_here(self, deliveries: Iterable[Delivery]) -> None:
        """Count what this worker accepted: the rest of what the counters tell came elsewhere."""
        for delivery in deliveries:
            self._here[delivery.recipient] = self._here.get(delivery.recipient, 0) + 1

    def look(self) -> None:
        """Look for what other workers accepted for our lanes, as the counters tell."""
        counts = self._counts()
        for name, lane in self.held.items():
            created, here = counts.get(name, _NO_COUNTS).created, self._here.get(name, 0)
            before = self._seen.get(name)
            self._seen[name] = (created, here)
            if before is not None and created - before[0] != here - before[1]:
                lane.noted(0)
                self._dispatcher.stir(lane)

    def read_anew(self) -> None:
        """Drop every buffer: what is in it may have been changed elsewhere without our hearing."""
        for lane in self.held.values():
            if not lane.closed:
                self._dispatcher.empty(lane)
                self._dispatcher.stir(lane)

    # -- equipment --------------------------------------------------------------------------

    def _make(self, state: LaneState, *, clean: bool) -> Lane:
        """Return a lane with the gates that its recipient's settings ask for."""
        name = state.recipient
        recipient = self._book.recipient(name)
        lane = self._lane_type(
            recipient,
            state,
            self._fleet,
            lambda: self._counts().get(name, _NO_COUNTS).pending,
        )
        now = self._clock.now()
        lane.budget = self._retry_budget(recipient, now)
        if limit.windows(recipient.limits):
            lane.limiter = Limiter(recipient.limits, state.windows, now, clean=clean)
        if needed(recipient):
            reserve = partial(self._reserve_caps, lane)
            lane.timetable = Timetable(recipient, state.caps, now, reserve)
        return lane

    def _retry_budget(self, recipient: Recipient, now: int) -> RetryBudget | None:
        """Return what retries of a recipient are paid from."""
        account = self._catalog.accounts.get(recipient.account) or Account(name=recipient.account)
        if not (recipient.budget.enabled or account.budget.enabled):
            return None
        unused = self._ownership.epoch <= 1
        shared = self._purses.setdefault(account.name, Purse(account.budget, now, unused=unused))
        return RetryBudget(Purse(recipient.budget, now, unused=unused), shared)

    def _reserve_caps(self, lane: Lane) -> None:
        """Save what a lane may deliver under its caps; once on disk it may deliver that much."""
        timetable = lane.timetable
        if timetable is None or lane.closed:
            return
        uses = timetable.asked(lane.in_flight)
        lane.state = msgspec.structs.replace(lane.state, caps=uses)
        self._save_reserved(lane, partial(timetable.granted, uses))

    def reserve_sends(self, lane: Lane) -> None:
        """Save what a lane may send under its long limits; once on disk it may send that much."""
        limiter = lane.limiter
        if limiter is None:
            return
        windows = limiter.reserve(self._clock.now())
        lane.state = msgspec.structs.replace(lane.state, windows=windows)
        self._save_reserved(lane, limiter.reserved)

    def _save_reserved(self, lane: Lane, granted: Callable[[], None]) -> None:
        """Save a lane's reservation; tell it and look at the lane once that is on disk."""

        def landed() -> None:
            granted()
            self._dispatcher.stir(lane)

        self._writer.save_lane(lane.state, landed)
