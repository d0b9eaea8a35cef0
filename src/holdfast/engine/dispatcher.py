"""Hands out deliveries: fair shares between lanes, refills from the store, timed gates.

Start-time fair queueing: each lane carries the virtual service it has received, a send costs
`cost of its band / weight of its recipient`, and the ready lane with the least service is next.
A lane that was idle starts at the present virtual time, so that it cannot save up.
"""

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from holdfast.clock import Clock
from holdfast.engine.lane import Lane
from holdfast.engine.slots import Slots
from holdfast.model.lane import BreakerState, LaneState
from holdfast.model.message import NEVER
from holdfast.policy.decide import Gate
from holdfast.policy.priority import COST
from holdfast.store import Deliveries, DueQuery, Waiting
from holdfast.telemetry import LogEvent, log

REFILL_BYTES: Final = 4 * 1024 * 1024
"""Most sealed payload bytes one refill brings into memory."""
REFILLS_AT_ONCE: Final = 4
SCARCE_ROWS: Final = 4
"""Rows per band a lane may still buffer when the buffers of all lanes are full."""
PROBE_ROWS: Final = 2
"""Rows per band a lane buffers while it only probes."""
BRIEF_MS: Final = 5_000
"""A lane that is held for longer gives its buffer back."""
RETRY_MS: Final = 500
SPARE_TIMERS: Final = 64
"""So many more timers than two per lane are swept: most of them an earlier one has replaced."""

Send = Callable[[Lane, Waiting], Awaitable[None]]


class Dispatcher:
    """Owns the lanes of this process and the slots.

    Args:
        store: where buffers are refilled from.
        clock: time of gates.
        max_in_flight: most unsettled sends ever ...
        first_slots: ... and to begin with.
        buffer_rows: most buffered deliveries of a lane, per band.
        buffer_total: most buffered deliveries of all lanes.
        on_tick: told the states before and after time moved a lane's breaker on.
        on_reserve: asked to save what a lane may send under its long limits.
    """

    def __init__(
        self,
        store: Deliveries,
        clock: Clock,
        *,
        max_in_flight: int,
        first_slots: int,
        buffer_rows: int,
        buffer_total: int,
        on_tick: Callable[[LaneState, LaneState], None],
        on_reserve: Callable[[Lane], None],
    ) -> None:
        self.lanes: dict[str, Lane] = {}
        self._store = store
        self._clock = clock
        self.slots = Slots(
            clock,
            least=first_slots,
            most=max_in_flight,
            used=lambda: self.unsettled,
            waits=lambda: bool(self._ready),
        )
        self._widening: asyncio.TimerHandle | None = None
        self._rows = buffer_rows
        self._total = buffer_total
        self._on_tick = on_tick
        self._on_reserve = on_reserve
        self.buffered = 0
        self.unsettled = 0
        self.held: Gate | None = Gate.STORE
        """Set while nothing may be sent: the store is full, or the engine is not running."""
        self.deadline: float | None = None
        """End of the worker's lease, in ms of `boottime`; None: it has none."""
        self._ready: list[tuple[float, int, Lane]] = []
        self._order = 0
        self._vtime = 0.0
        self._timers: list[tuple[int, int, Lane]] = []
        self._wake_at: dict[str, int] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = NEVER
        self._hungry: deque[Lane] = deque()
        self._refills: set[asyncio.Task[None]] = set()
        self.sends: set[asyncio.Task[None]] = set()
        self.send: Send | None = None

    # -- lanes ------------------------------------------------------------------------------

    def stir(self, lane: Lane) -> None:
        """Look at a lane again: something about it changed."""
        if self.look(lane):
            self.pump()

    def look(self, lane: Lane) -> bool:
        """As `stir`, but leave it to the caller to hand out: tell whether there is something.

        Among the answers of a commit nothing may be handed out: a later one may forbid it.
        """
        return self._consider(lane)

    def close(self, lane: Lane) -> None:
        """Hand nothing of a lane out any more; what is on its way is not touched."""
        lane.closed = True
        self.buffered -= lane.clear()
        self._wake_at.pop(lane.recipient.name, None)  # should it come back, its timers are others

    def empty(self, lane: Lane) -> None:
        """Drop what a lane has buffered; it is read anew."""
        self.buffered -= lane.clear()
        lane.noted(0)

    def lapsed(self) -> bool:
        """Tell whether the worker's lease may have ended: then others may send in its place."""
        return self.deadline is not None and self._clock.boottime() >= self.deadline

    def _consider(self, lane: Lane) -> bool:
        """Queue the lane if it can send; else set its timer and refill it if it is hungry."""
        if lane.closed:
            return False
        now = self._clock.now()
        before = lane.state
        if lane.tick(now):
            self._on_tick(before, lane.state)
        if (change := lane.next_change()) is not None:
            self._set_timer(lane, change, now)
        if lane.limiter is not None and lane.limiter.wants(now):
            self._on_reserve(lane)
        gate = lane.gate(now)
        if gate is not None and not lane.drops:
            self._gated(lane, gate[0], gate[1])
            return False
        due = lane.has_due(now)
        if not due and lane.buffered and lane.next_due <= now:
            self.buffered -= lane.clear()  # else what is due later would keep out what is due now
        if lane.wants(now, self._room(lane) // 2):  # so that every band has room
            self._hunger(lane)
        if due:
            self._enqueue(lane)
            return True
        if not lane.refilling:  # the end of the refill looks again
            self._set_timer(lane, min(lane.next_due, lane.next_send(now)), now)
        return False

    def _gated(self, lane: Lane, gate: Gate, until: int) -> None:
        """Wait for the gate; a lane held for long gives its buffer back."""
        now = self._clock.now()
        brief = gate in (Gate.CONCURRENCY, Gate.PACE) or until - now < BRIEF_MS
        if lane.buffered and not brief:
            self.buffered -= lane.clear()
        if until < NEVER:
            self._set_timer(lane, until, now)

    def _enqueue(self, lane: Lane) -> None:
        if lane.queued:
            return
        lane.queued = True
        lane.vtime = max(lane.vtime, self._vtime)
        self._order += 1
        heapq.heappush(self._ready, (lane.vtime, self._order, lane))

    # -- time -------------------------------------------------------------------------------

    def _set_timer(self, lane: Lane, at: int, now: int) -> None:
        if at >= NEVER or lane.closed:
            return
        at = max(at, now + 1)
        known = self._wake_at.get(lane.recipient.name, NEVER)
        if at >= known > now:
            return
        self._wake_at[lane.recipient.name] = at
        self._order += 1
        heapq.heappush(self._timers, (at, self._order, lane))
        if len(self._timers) > 2 * len(self._wake_at) + SPARE_TIMERS:
            self._sweep()
        self._arm()

    def _sweep(self) -> None:
        """Keep the next timer of each lane; when it rings, what comes later is set again."""
        next_of = {
            lane.recipient.name: (at, order, lane)
            for at, order, lane in self._timers
            if not lane.closed and self._wake_at.get(lane.recipient.name) == at
        }
        self._timers = list(next_of.values())
        heapq.heapify(self._timers)

    def _arm(self) -> None:
        if not self._timers or self._timers[0][0] >= self._alarm_at:
            return
        self._alarm_at = self._timers[0][0]
        if self._alarm is not None:
            self._alarm.cancel()
        delay = max(0, min(self._alarm_at - self._clock.now(), 60_000))
        self._alarm = asyncio.get_running_loop().call_later(delay / 1000, self._ring)

    def _ring(self) -> None:
        self._alarm_at = NEVER
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now:
            at, _, lane = heapq.heappop(self._timers)
            if self._wake_at.get(lane.recipient.name) == at:
                del self._wake_at[lane.recipient.name]
            self._consider(lane)
        self._arm()
        self.pump()

    # -- sending ----------------------------------------------------------------------------

    def pump(self) -> None:
        """Start sends while there are free slots and ready lanes."""
        if self.send is None:
            return
        while (work := self.take()) is not None:
            task = asyncio.create_task(self._slot(*work))
            self.sends.add(task)
            task.add_done_callback(self.sends.discard)

    async def _slot(self, lane: Lane, waiting: Waiting) -> None:
        """Send one delivery after the other while there is work, on one task."""
        work: tuple[Lane, Waiting] | None = (lane, waiting)
        while work is not None and self.send is not None:
            await self.send(*work)
            self._consider(work[0])
            work = self.take()  # what this slot cannot take, the next commit's pump hands out

    def take(self) -> tuple[Lane, Waiting] | None:
        """Return the next delivery to send, or None: no slot, no lane, or a hold on everything."""
        if self.held is not None or (self.deadline is not None and self.lapsed()):
            return None
        while self._ready and (self.unsettled < self.slots.open or self._widen()):
            vtime, _, lane = heapq.heappop(self._ready)
            lane.queued = False
            if lane.closed:
                continue
            now = self._clock.now()
            if lane.gate(now) is not None and not lane.drops:
                self._consider(lane)
                continue
            waiting = lane.take(now)
            if waiting is None:
                self._consider(lane)
                continue
            self._vtime = vtime
            lane.vtime += COST[waiting.delivery.band] / lane.recipient.weight
            self.buffered -= 1
            self.unsettled += 1
            self._consider(lane)
            return lane, waiting
        return None

    def _widen(self) -> bool:
        """Open more slots, as all are in use; look again soon where it is too early for that."""
        slots = self.slots
        wait = slots.grow()
        if wait > 0 and slots.open < slots.most and self._widening is None:
            loop = asyncio.get_running_loop()
            self._widening = loop.call_later(wait / 1000, self._widened)
        return wait <= 0

    def resize(self, max_in_flight: int) -> None:
        """Send at most so many at once from now on."""
        self.slots.resize(max_in_flight)
        self.pump()

    def _widened(self) -> None:
        self._widening = None
        self.pump()

    def settled(self) -> None:
        """Free a slot: the delivery's change is on disk."""
        self.unsettled -= 1

    def hold(self, gate: Gate | None) -> None:
        """Stop handing out (or go on, with None)."""
        self.held = gate
        if gate is None:
            self.pump()

    # -- refills ----------------------------------------------------------------------------

    def offer(self, lane: Lane, waiting: Waiting, refills: int) -> None:
        """Take a delivery that was just accepted."""
        if lane.closed:
            return
        before = len(lane.buffered)
        lane.offer(waiting, refills, self._room(lane))
        self.buffered += len(lane.buffered) - before
        self._consider(lane)

    def _room(self, lane: Lane) -> int:
        """Return how many rows per band the lane may buffer now."""
        if lane.state.breaker.state is BreakerState.HALF_OPEN:
            return PROBE_ROWS
        return self._rows if self.buffered < self._total else SCARCE_ROWS

    def _hunger(self, lane: Lane) -> None:
        lane.refilling = True
        self._hungry.append(lane)
        # Those that have ended must not count: a callback would tell of them a turn too late, and
        # a lane that hungers in between would wait for the next hungry one.
        self._refills = {task for task in self._refills if not task.done()}
        if len(self._refills) < REFILLS_AT_ONCE:
            self._refills.add(asyncio.create_task(self._feed(), name="refill"))

    async def _feed(self) -> None:
        while self._hungry:
            lane = self._hungry.popleft()
            try:
                await self._refill(lane)
            except Exception as error:  # noqa: BLE001  # a bug must not leave a lane unread
                log(
                    LogEvent.STORE_ERROR,
                    logging.WARNING,
                    detail=lane.recipient.name,
                    error=f"{type(error).__name__}: {error}",
                )
                lane.refill_failed()
                self._set_timer(lane, self._clock.now() + RETRY_MS, self._clock.now())
                continue
            self.stir(lane)

    async def _refill(self, lane: Lane) -> None:
        exclude = lane.refill_begins()
        query = DueQuery(
            lane.recipient.name,
            self._clock.now(),
            lane.quotas(self._room(lane)),
            exclude,
            REFILL_BYTES,
        )
        page = await self._store.due(query)
        if lane.closed:
            lane.refill_failed()
            return
        before = len(lane.buffered)
        lane.refill_ends(page)
        self.buffered += len(lane.buffered) - before

    def forget(self, recipient: str, delivery_id: str) -> None:
        """Drop a delivery that an operator changed; it is read again if it still waits."""
        lane = self.lanes.get(recipient)
        if lane is not None:
            before = len(lane.buffered)
            lane.forget(delivery_id)
            self.buffered += len(lane.buffered) - before

    async def stop(self) -> None:
        """Stop timers and refills; sends are the engine's to wait for."""
        self.held = Gate.SHUTDOWN
        for timer in (self._alarm, self._widening):
            if timer is not None:
                timer.cancel()
        self._hungry.clear()
        for task in tuple(self._refills):
            task.cancel()
        await asyncio.gather(*self._refills, return_exceptions=True)
