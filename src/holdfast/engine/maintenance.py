"""The loops beside the traffic: rescue, expiry, pruning and the watch on the disk."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from holdfast.clock import Clock
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.executor import Executor
from holdfast.engine.intake import SETTLEMENT_BYTES, Intake
from holdfast.engine.lanes import Lanes
from holdfast.engine.loop import Loop
from holdfast.engine.writer import Writer
from holdfast.errors import StoreAway
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.message import NEVER
from holdfast.policy import fingerprint
from holdfast.policy.decide import Code, Gate
from holdfast.store import Applied, Note, Pruned, Retention, Store, Transition
from holdfast.telemetry import LogEvent, log

STUCK_GRACE_MS: Final = 5_000
"""A send may overrun its endpoint's total timeout by this before it is cut."""
EXPIRE_AT_ONCE: Final = 500
"""Most expired deliveries per round: at most a fifth of what a commit takes."""


class Rescuer(Loop):
    """Finds what the fast path lost: sends that do not end, and due deliveries nobody woke."""

    every_ms = 15_000

    def __init__(
        self,
        clock: Clock,
        store: Store,
        dispatcher: Dispatcher,
        executor: Executor,
        lanes: Lanes,
        *,
        shared: bool = False,
    ) -> None:
        super().__init__(clock)
        self._store = store
        self._dispatcher = dispatcher
        self._executor = executor
        self._lanes = lanes
        self._shared = shared

    async def run_once(self) -> None:
        """Cut overdue sends; look for due lanes in the store, since wake-ups are only hints."""
        now = self.clock.monotonic()
        for key, flight in tuple(self._executor.in_flight.items()):
            limit = flight.endpoint.total_timeout * 1000 + STUCK_GRACE_MS
            if now - flight.began > limit:
                self._executor.cut(key)
        if self._shared:  # what another worker changed and the hint of it was lost
            self._lanes.read_anew()
        among = tuple(self._lanes.held) if self._shared else None
        for recipient, due_at in await self._store.due_lanes(among):
            lane = self._lanes.owned(recipient)
            if lane is not None:
                lane.noted(due_at)
                self._dispatcher.stir(lane)


class Expiry(Loop):
    """Ends what nothing else ends: `max_age` and the message's own `expires_at`."""

    every_ms = 1_000

    def __init__(
        self,
        clock: Clock,
        store: Store,
        writer: Writer,
        executor: Executor,
        *,
        lanes: Lanes,
        forget: Callable[[str, str], None],
    ) -> None:
        super().__init__(clock)
        self._lanes = lanes
        self._store = store
        self._writer = writer
        self._executor = executor
        self._forget = forget
        self._asked: set[str] = set()
        """Whose end is queued: a writer that is behind is not told again every second."""

    async def run_once(self) -> None:
        """Mark expired deliveries dead; those on the wire are left to their answer.

        Those of lanes that are not ours are left to their owners.
        """
        now = self.clock.now()
        for delivery in await self._store.expired(now, EXPIRE_AT_ONCE):
            lane = self._lanes.owned(delivery.recipient)
            if lane is None or lane.closed or (delivery.id, lane) in self._executor.in_flight:
                continue
            if delivery.id in self._asked:
                continue
            self._asked.add(delivery.id)
            doubt = lane.possibly_sent(delivery)
            self._writer.apply(_expire(delivery, now, doubt=doubt), self._done(delivery))

    def _done(self, delivery: Delivery) -> Callable[[Applied], None]:
        def done(applied: Applied) -> None:
            self._asked.discard(delivery.id)
            if applied.applied:
                self._forget(delivery.recipient, delivery.id)
                log(
                    LogEvent.DEAD,
                    logging.WARNING,
                    delivery=delivery.id,
                    recipient=delivery.recipient,
                    code=Code.EXPIRED,
                )

        return done


def _expire(delivery: Delivery, now: int, *, doubt: bool) -> Transition:
    group = fingerprint.of_end(delivery, Code.EXPIRED, now)
    after = msgspec.structs.replace(
        delivery,
        status=Status.DEAD,
        code=Code.EXPIRED,
        in_doubt=delivery.in_doubt or doubt,
        due_at=NEVER,
        hold_gate=None,
        fingerprint=delivery.fingerprint if group is None else group.id,
        cause=None,
        revision=delivery.revision + 1,
        updated_at=now,
        ended_at=now,
    )
    note = Note(now, "engine", "expire", delivery.id, "its time ran out", account=delivery.account)
    return Transition(Verb.DIE, delivery.revision, after, note=note, sighting=group)


class Pruner(Loop):
    """Applies the retention times (S1.126, S5.42, C17)."""

    every_ms = 60_000

    def __init__(
        self, clock: Clock, store: Store, ages_ms: Retention, elected: Callable[[], bool]
    ) -> None:
        super().__init__(clock)
        self._store = store
        self._ages = ages_ms
        self._elected = elected

    async def run_once(self) -> None:
        """Remove what is older than its retention time, in short transactions; one worker does."""
        if not self._elected():
            return
        now = self.clock.now()
        ages = self._ages
        due = Retention(
            payloads=max(0, now - ages.payloads),
            rows=max(0, now - ages.rows),
            events=max(0, now - ages.events),
            keys=max(0, now - ages.keys),
            limit=ages.limit,
        )
        await self.prune(due)

    async def prune(self, retention: Retention) -> Pruned:
        """Remove everything before the given instants; return how much went."""
        total = Pruned()
        while True:
            gone = await self._store.prune(self.clock.now(), retention)
            total = Pruned(
                total.payloads + gone.payloads,
                total.rows + gone.rows,
                total.events + gone.events,
                total.keys + gone.keys,
                total.operations + gone.operations,
            )
            if gone == Pruned():
                return total


class Watch(Loop):
    """Keeps the counters fresh; stops intake at the reserve, and dispatch when that is gone."""

    every_ms = 1_000

    def __init__(
        self,
        clock: Clock,
        store: Store,
        intake: Intake,
        writer: Writer,
        dispatcher: Dispatcher,
        *,
        reserve_bytes: int,
        refresh: Callable[[], Awaitable[int]],
    ) -> None:
        super().__init__(clock)
        self._store = store
        self._intake = intake
        self._writer = writer
        self._dispatcher = dispatcher
        self._reserve = reserve_bytes
        self._refresh = refresh

    async def run_once(self) -> None:
        """Look at the room left and open or close intake and dispatch.

        What waits is settled at least once each: that room is set aside besides the reserve.
        """
        answered = self._intake.answered
        try:
            pending = await self._refresh()
        except StoreAway:
            self._writer.away = True
            raise
        if self._writer.idle:  # else its next commit tells
            self._writer.away = False
        space = await self._store.space()
        coming = self._intake.taken - answered  # on its way, or written since the first look
        was = self._intake.full
        needed = self._reserve + pending * SETTLEMENT_BYTES + coming
        self._intake.room = space.free - needed
        if self._intake.room <= 0:
            self._intake.full = (
                f"{space.free} bytes are free, below the reserve of {self._reserve} and what "
                f"{pending} pending deliveries need; free disk space, raise the quota, or run: "
                "holdfast purge --older-than 7d"
            )
            if was is None:
                log(LogEvent.STORE_FULL, logging.ERROR, free=space.free)
        else:
            self._intake.full = None
            if self._writer.idle:  # else what it still has to write tells whether there is room
                self._writer.full = False
            if was is not None:
                log(LogEvent.STORE_RECOVERED, free=space.free)
        self._hold()

    def _hold(self) -> None:
        """Hold dispatch while settlements do not fit; let go when they do."""
        if self._writer.full and self._dispatcher.held is None:
            self._dispatcher.hold(Gate.STORE)
        elif not self._writer.full and self._dispatcher.held is Gate.STORE:
            self._dispatcher.hold(None)


def retention(
    payload_days: float, rows_days: float, events_days: float, key_days: float
) -> Retention:
    """Return the ages of a retention configuration in ms."""
    day = 86_400_000
    return Retention(
        payloads=round(payload_days * day),
        rows=round(rows_days * day),
        events=round(events_days * day),
        keys=round(max(key_days, payload_days) * day),
    )
