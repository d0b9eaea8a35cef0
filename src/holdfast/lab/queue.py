"""A store in memory without durability: the queue that the engine works from in the lab.

It answers what the engine asks while it runs; the journal and the documents, which nobody in the
lab reads, stay empty.
"""

import bisect
from collections.abc import Collection
from typing import Final

from holdfast.model.alert import Alerted, AlertQuery, Critical, CriticalQuery
from holdfast.model.attempt import Event, Step
from holdfast.model.audit import LineQuery
from holdfast.model.delivery import BANDS, Delivery, Status
from holdfast.model.group import Bucket, Counted, Group, Held
from holdfast.model.lane import BreakerState, LaneState
from holdfast.model.message import NEVER, Message
from holdfast.model.operation import Operation, Outcome, Result
from holdfast.model.search import Found, Search, Total
from holdfast.model.worker import UNNAMED, Ownership, Worker
from holdfast.roster import SoleWorker
from holdfast.shelf import Later, Space
from holdfast.store import (
    Accepted,
    Applied,
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
    Transition,
    Waiting,
)

_FREE: Final = 1 << 40


class Queue(SoleWorker):
    """Every role of a store, as far as a running engine needs it."""

    def __init__(self) -> None:
        self.waiting: dict[str, Waiting] = {}
        """What is pending, by delivery id."""
        self.ended: list[Delivery] = []
        """What left `pending` since somebody took them away."""
        self._due: dict[str, list[list[tuple[int, str]]]] = {}
        self._pending: dict[str, int] = {}
        self._expires: list[tuple[int, str]] = []
        self._lanes: dict[str, LaneState] = {}
        self.opened: list[tuple[int, str]] = []
        """(instant, recipient) of every breaker that opened from closed."""

    # -- deliveries -------------------------------------------------------------------------

    def put(self, waiting: Waiting) -> None:
        """Take a new delivery."""
        delivery = waiting.delivery
        self.waiting[delivery.id] = waiting
        self._pending[delivery.recipient] = self._pending.get(delivery.recipient, 0) + 1
        bisect.insort(self._band(delivery), (delivery.due_at, delivery.id))
        bisect.insort(self._expires, (delivery.expires_at, delivery.id))

    def change(self, transition: Transition) -> Applied:
        """Apply a change unless the delivery changed meanwhile."""
        after = transition.after
        known = self.waiting.get(after.id)
        if known is None or known.delivery.revision != transition.revision:
            return Applied(applied=False)
        self._remove(known.delivery)
        if after.status is Status.PENDING:
            self.waiting[after.id] = Waiting(after, known.message)
            bisect.insort(self._band(after), (after.due_at, after.id))
        else:
            del self.waiting[after.id]
            self._pending[after.recipient] -= 1
            self.ended.append(after)
        return Applied(applied=True)

    def _band(self, delivery: Delivery) -> list[tuple[int, str]]:
        bands = self._due.get(delivery.recipient)
        if bands is None:
            bands = self._due[delivery.recipient] = [[] for _ in range(BANDS)]
        return bands[delivery.band]

    def _remove(self, delivery: Delivery) -> None:
        band = self._band(delivery)
        del band[bisect.bisect_left(band, (delivery.due_at, delivery.id))]

    async def commit(self, batch: Batch) -> Committed:
        """Apply a batch."""
        accepted = []
        for accept in batch.accepts:
            for delivery in accept.deliveries:
                self.put(Waiting(delivery, accept.message))
            routed = tuple((each.id, each.step, each.recipient) for each in accept.deliveries)
            accepted.append(Accepted(accept.message.id, routed))
        for state in batch.lanes:
            self._note(state)
        applied = tuple(self.change(transition) for transition in batch.transitions)
        return Committed(tuple(accepted), applied)

    def _note(self, state: LaneState) -> None:
        before = self._lanes.get(state.recipient)
        was = BreakerState.CLOSED if before is None else before.breaker.state
        if was is BreakerState.CLOSED and state.breaker.state is BreakerState.OPEN:
            self.opened.append((state.breaker.since, state.recipient))
        self._lanes[state.recipient] = state

    async def due(self, query: DueQuery) -> DuePage:
        """Return what a lane may send next."""
        found: list[Waiting] = []
        emptied, next_due = True, NEVER
        for band, room in zip(self._due.get(query.recipient, ()), query.quotas, strict=False):
            taken = 0
            for due, name in band:
                if due > query.now:
                    next_due = min(next_due, due)
                    break
                if name in query.exclude:
                    continue
                if taken == room:
                    emptied = False
                    break
                found.append(self.waiting[name])
                taken += 1
        return DuePage(tuple(found), emptied, next_due)

    async def due_lanes(self, among: Collection[str] | None = None) -> list[tuple[str, int]]:
        """Return every recipient with pending deliveries and its lowest due."""
        del among  # it asks for all
        return [
            (recipient, min(band[0][0] for band in bands if band))
            for recipient, bands in self._due.items()
            if any(bands)
        ]

    async def later(self, recipient: str, now: int, limit: int) -> Later:
        """Return nothing: nobody asks."""
        del recipient, now, limit
        return Later()

    async def expired(self, now: int, limit: int) -> list[Delivery]:
        """Return what has outlived its time."""
        found: list[Delivery] = []
        for expires, name in self._expires:
            if expires > now or len(found) == limit:
                break
            if name in self.waiting:
                found.append(self.waiting[name].delivery)
        gone = bisect.bisect_right(self._expires, (now, "\uffff"))
        live = [each for each in self._expires[:gone] if each[1] in self.waiting]
        self._expires[:gone] = live
        return found

    async def get(self, delivery_id: str) -> Delivery | None:
        """Return one pending delivery."""
        found = self.waiting.get(delivery_id)
        return None if found is None else found.delivery

    async def message(self, message_id: str) -> Message | None:
        """Return nothing: nobody asks."""
        del message_id
        return None

    async def find(self, search: Search) -> Found:
        """Return nothing: nobody asks."""
        del search
        return Found([])

    async def count(self, search: Search) -> Total:
        """Return nothing: nobody asks."""
        del search
        return Total(0)

    async def counts(self) -> dict[str, Counts]:
        """Return how many wait, by recipient."""
        return {
            name: Counts(created=count, pending=count, normal=count)
            for name, count in self._pending.items()
        }

    async def prune(self, now: int, retention: Retention) -> Pruned:
        """Keep nothing, so remove nothing."""
        del now, retention
        return Pruned()

    async def space(self) -> Space:
        """Return plenty."""
        return Space(0, _FREE)

    # -- lanes, journal, documents ------------------------------------------------------------

    async def join(self, now: int, worker: Worker = UNNAMED) -> Ownership:
        """Become the owner."""
        del worker
        return Ownership(1, clean=True, now=now)

    async def lane_states(self, among: Collection[str] | None = None) -> list[LaneState]:
        """Return none: every run begins anew."""
        del among
        return []

    async def leave(self, epoch: int) -> None:
        """Say goodbye."""

    async def events(self, query: EventQuery) -> list[Event]:
        """Return none."""
        del query
        return []

    async def trail(self, after: int, limit: int) -> list[Step]:
        """Return none."""
        del after, limit
        return []

    async def last_position(self) -> int:
        """Return the beginning."""
        return 0

    async def notes(self, subject: str | None, limit: int) -> list[Note]:
        """Return none."""
        del subject, limit
        return []

    async def lines(self, query: LineQuery) -> Lines:
        """Return none."""
        del query
        return Lines(())

    async def operations(
        self, *, below: str | None = None, limit: int = 100, active: bool = False
    ) -> list[Operation]:
        """Return nothing: nobody works in bulk here."""
        del below, limit, active
        return []

    async def operation(self, operation_id: str) -> Operation | None:
        """Return nothing."""
        del operation_id
        return None

    async def results(
        self,
        operation_id: str,
        *,
        below: str | None = None,
        limit: int,
        opened: bool = False,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return nothing."""
        del operation_id, below, limit, opened, outcomes
        return []

    async def tallies(self, search: Search) -> list[Counted]:
        """Return nothing: nobody looks at groups here."""
        del search
        return []

    async def groups(self, ids: Collection[str]) -> list[Group]:
        """Return nothing."""
        del ids
        return []

    async def returned(self) -> list[Group]:
        """Return nothing."""
        return []

    async def judged(self) -> list[Group]:
        """Return nothing."""
        return []

    async def failures(
        self, ids: Collection[str], first: int, width: int
    ) -> dict[str, dict[int, Bucket]]:
        """Return nothing."""
        del ids, first, width
        return {}

    async def alerts(self, query: AlertQuery) -> Alerted:
        """Return nothing."""
        del query
        return Alerted([])

    async def critical(self, query: CriticalQuery) -> Critical:
        """Return nothing."""
        return Critical(query.priority, [], 0, more=False)

    async def assignees(self, account: str | None, limit: int) -> list[Held]:
        """Return nobody."""
        del account, limit
        return []

    async def document(self, name: str) -> tuple[int, bytes] | None:
        """Return none."""
        del name
        return None

    async def put_document(self, name: str, body: bytes, expected: int, now: int) -> int:
        """Keep nothing."""
        del name, body, expected, now
        return 1

    async def close(self) -> None:
        """Close."""
