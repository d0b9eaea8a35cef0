"""One recipient's lane: a bounded buffer, a breaker, a pace and the gates of the recipient.

The lane is passive. The dispatcher asks it (`gate`, `take`, `wants`) and tells it what happened
(`offer`, `sent`, `returned`, `noted`); it starts nothing and waits for nothing.
"""

import heapq
import random
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.engine.fleet import Fleet
from holdfast.engine.journal import SETUP_REFUSALS
from holdfast.engine.limiter import Limiter
from holdfast.engine.paced import PacedLane
from holdfast.engine.purse import RetryBudget
from holdfast.engine.throttle import Throttle
from holdfast.engine.timetable import Timetable
from holdfast.model.attempt import FailureClass, Outcome
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Endpoint, Recipient
from holdfast.model.lane import BreakerState, ClosedGate, LaneState
from holdfast.model.learned import Tally
from holdfast.model.message import NEVER
from holdfast.policy import breaker as breakers
from holdfast.policy import downtime, outage, priority
from holdfast.policy.decide import Gate, LaneFacts, refused_setup
from holdfast.policy.facts import LaneSight
from holdfast.policy.hint import Quota
from holdfast.store import DuePage, Waiting

SET_BACK_MS: Final = 1_000
"""A wall clock that goes back by more is taken for set; by less, nothing waits for long."""


class Lane(PacedLane):
    """The moving part of a recipient.

    Args:
        recipient: its settings.
        state: what was saved of it.
        fleet: what all lanes have learned together.
        waiting: tells how many of its deliveries wait, at most a second late.
    """

    def __init__(
        self,
        recipient: Recipient,
        state: LaneState,
        fleet: Fleet | None = None,
        waiting: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(recipient, state, fleet, waiting)
        self.vtime = 0.0
        """Virtual service received; the ready lane with the least is next."""
        self.queued = False
        """In the dispatcher's ready heap."""
        self.in_flight = 0
        self.closed = False
        """Nothing of it is handed out any more: it is given away, or another's."""
        self.lost = False
        """Others own it: what comes of its sends may only be put on record."""
        self.limiter: Limiter | None = None
        """The recipient's rate limits, None: it has none."""
        self.throttle: Throttle | None = None
        """The partner's quota and refusals, None: it never spoke of them."""
        self.budget: RetryBudget | None = None
        """What retries are paid from, None: they are not counted."""
        self.timetable: Timetable | None = None
        """Hours, maintenance, caps; None: it has none."""

    # -- gates ------------------------------------------------------------------------------

    def gate(self, now: int) -> tuple[Gate, int] | None:
        """Return the first closed gate and when it may open (`NEVER`: a person must), or None."""
        return self._setup_gate() or self._time_gate(now) or self._breaker_gate(now)

    def stopped(self, now: int) -> bool:
        """Tell whether what was handed out, and waits for its turn, must wait in the lane again.

        Not for what it takes up itself: its part of limits, its place among the sends at once.
        """
        asked = self._setup_gate() is not None or self.state.gate_until > now
        if asked or self.state.breaker.state is BreakerState.OPEN:
            return True
        return self.timetable is not None and bool(self.timetable.gate(now, self.in_flight - 1))

    def _setup_gate(self) -> tuple[Gate, int] | None:
        """Return the first of those that only a person opens."""
        state = self.state
        if state.paused is not None:
            return Gate.PAUSED, NEVER
        if self.endpoint() is None:
            return Gate.ENDPOINT, NEVER
        if state.auth_failures >= SETUP_REFUSALS:
            return Gate.CREDENTIALS, NEVER
        return None

    def _time_gate(self, now: int) -> tuple[Gate, int] | None:
        """Return the first of calendars, the partner's wishes and the limits that is closed."""
        if self.timetable is not None and (closed := self.timetable.gate(now, self.in_flight)):
            return closed
        if self.state.gate_until > now:
            return Gate.RATE, self.state.gate_until
        if self.throttle is not None:
            opens = self.throttle.opens_at(now, self.in_flight)
            if opens > now:
                return Gate.RATE, opens
        if self.limiter is not None and (opens := self.limiter.opens_at(now)) > now:
            return Gate.LIMIT, opens
        return None

    def _breaker_gate(self, now: int) -> tuple[Gate, int] | None:
        breaker = self.state.breaker
        if breaker.state is BreakerState.OPEN:
            return Gate.BREAKER, breaker.retry_at
        if breaker.state is BreakerState.HALF_OPEN and self.in_flight > 0:
            return Gate.BREAKER, NEVER
        if self.in_flight >= (
            self.recipient.concurrency
            if self.pacing.pace is None
            else self.pacing.limit(self.recipient.concurrency)
        ):
            return Gate.CONCURRENCY, NEVER
        opens = self.paced_until(now)
        return None if opens is None else (Gate.PACE, opens)

    def paced_until(self, now: int) -> int | None:
        """Return when the recovery's rate lets the next one go, None: at once."""
        if self.state.breaker.state is BreakerState.RECOVERY and self._pace_at > now:
            return int(self._pace_at) + 1
        if self.pacing.pace is not None and self.pacing.next_at > now:
            return int(self.pacing.next_at) + 1
        return None

    def tick(self, now: int) -> bool:
        """Let time pass for the breaker; tell whether its state changed."""
        if changed := now < self._seen_at - SET_BACK_MS:
            self._set_back(self._seen_at - now, now)
        self._seen_at = now
        if self.timetable is not None:
            over = self.timetable.tick(now, self.in_flight)
            changed = self._put_on_record(self.timetable.on_record()) or changed
            if over:
                ramp = downtime.ramp(self.state.breaker, now=now, pace=self._pace())
                if self._become(ramp):
                    return True
        breaker = self.state.breaker
        closed = breaker.state is BreakerState.CLOSED
        if closed and self.pacing.pace is None:
            return changed
        changed = (self._learns and self._move_pace(now)) or changed
        if closed:
            return changed
        backlog = bool(self.buffered) or not self.emptied or self.next_due <= now
        breaker = breakers.tick(self.state.breaker, self.recipient.breaker, now, backlog=backlog)
        return self._become(breaker) or changed

    def _set_back(self, by_ms: int, now: int) -> None:
        self._bring_forward(by_ms, now)
        if self.limiter is not None:
            self.limiter.set_back(by_ms, now)
        if self.throttle is not None:
            self.throttle.set_back(by_ms)
        if self.budget is not None:
            self.budget.closed_until -= by_ms

    def _put_on_record(self, closed: tuple[ClosedGate, ...]) -> bool:
        """Keep which gates of the calendar are closed; tell whether that is news."""
        if closed == self.state.closed:
            return False
        self.state = msgspec.structs.replace(self.state, closed=closed)
        return True

    def next_change(self) -> int | None:
        """Return when time alone will change calendars, breaker or pace, None: it will not."""
        change = self._next_change()
        if self.timetable is None:
            return change
        return min(self.timetable.changes_at(), NEVER if change is None else change)

    def _next_change(self) -> int | None:
        pace = self.pacing.pace
        if self.state.breaker.state is BreakerState.CLOSED and pace is None:
            return None
        change = breakers.next_change(self.state.breaker, self.recipient.breaker)
        return change if pace is None or change is not None else pace.since + 1000

    def possibly_sent(self, delivery: Delivery) -> bool:
        """Tell whether an owner that crashed may have sent it: due then and unsettled since."""
        stamp = self.state.stamp
        return delivery.updated_at < stamp and delivery.due_at <= stamp

    def endpoint(self, name: str | None = None) -> Endpoint | None:
        """Return the named endpoint, or the first that is not disabled, or None."""
        for endpoint in self.recipient.endpoints:
            if name == endpoint.name or (name is None and endpoint.name not in self.state.disabled):
                return endpoint
        return None

    @property
    def drops(self) -> bool:
        """Tell whether the lane gives deliveries up now instead of holding them (C2)."""
        return (
            self.recipient.breaker.open_policy == "drop"
            and self.state.breaker.state is BreakerState.OPEN
        )

    # -- buffer -----------------------------------------------------------------------------

    def wants(self, now: int, low_water: int) -> bool:
        """Tell whether the store should be asked for more."""
        if self.refilling:
            return False
        if len(self.buffered) > low_water:
            return self._wants_firsts(now, low_water)
        return not self.emptied or self.next_due <= now

    def refill_ends(self, page: DuePage) -> None:
        """Take a page in; rows that changed while it was read are left to the next one."""
        super().refill_ends(page)
        if self.budget is not None:
            self.budget.firsts_left = any(one.delivery.band % 2 == 0 for one in page.waiting)

    def _wants_firsts(self, now: int, low_water: int) -> bool:
        """Tell whether retries that wait for the budget keep first tries out of the buffer."""
        budget = self.budget
        if budget is None or not self.retries_at(now) or self.emptied or not budget.firsts_left:
            return False
        return sum(len(band) for band in self.bands[::2]) <= low_water

    def take(self, now: int) -> Waiting | None:
        """Return the delivery that is next, now in flight, or None when none is due.

        One that waits unsettled of an earlier send is never given out twice.
        """
        if self.state.breaker.state is BreakerState.HALF_OPEN:
            waiting = self.oldest(now)
            if waiting is None:
                return None
            delivery_id = waiting.delivery.id
        else:
            best = self._choose(now)
            if best is None:
                return None
            _, delivery_id, waiting = heapq.heappop(self.bands[best])
        self.buffered.discard(delivery_id)
        self.busy.add(delivery_id)
        self.in_flight += 1
        if self.limiter is not None:
            self.limiter.taken(now)
        if self.throttle is not None:
            self.throttle.taken(now)
        if self.pacing.pace is not None:
            self.pacing.sent(now)
        rate = breakers.rate(self.state.breaker, self.recipient.breaker)
        if rate is not None:
            self._pace_at = max(float(now), self._pace_at) + 1000 / rate
        return waiting

    def _choose(self, now: int) -> int | None:
        """Return the band to serve; a retry that the budget cannot pay gives way to first tries."""
        best = priority.choose(self.bands, now)
        budget = self.budget
        if budget is None or best is None:
            return best
        if best % 2 == 1:
            delivery = self.bands[best][0][2].delivery
            if budget.retry(delivery.id, delivery.failure_class, now):
                return best
            best = priority.choose(
                [() if i % 2 else band for i, band in enumerate(self.bands)], now
            )
        if best is not None:
            budget.first()
        return best

    def retries_at(self, now: int) -> int:
        """Return until when the budget keeps retries, 0: it does not."""
        budget = self.budget
        if budget is None or budget.closed_until <= now:
            return 0
        return 0 if self.state.breaker.state is BreakerState.HALF_OPEN else budget.closed_until

    def has_due(self, now: int) -> bool:
        """Tell whether the buffer holds something that is due and that the budget lets go."""
        return bool(self.buffered) and self.next_send(now) <= now

    def next_send(self, now: int) -> int:
        """Return when the buffer's next send is due, `NEVER` when it is empty."""
        closed_until = self.retries_at(now)
        if not closed_until:
            return self.head_due()
        heads = ((i, band[0][0]) for i, band in enumerate(self.bands) if band)
        return min((max(due, closed_until) if i % 2 else due for i, due in heads), default=NEVER)

    # -- what happened ----------------------------------------------------------------------

    def returned(self) -> None:
        """Note that a send ended; its delivery stays busy until it is settled."""
        self.in_flight -= 1

    def unsent(self) -> None:
        """Note that a delivery that was taken is not sent; it stays busy until it is settled."""
        self.in_flight -= 1
        if self.limiter is not None:
            self.limiter.dropped()

    def settled(self, delivery: Delivery, *, waits: bool) -> None:
        """Note that a delivery's change is on disk; `waits`: it will be due again."""
        self.busy.discard(delivery.id)
        if waits:
            self.noted(delivery.due_at)

    def record(
        self,
        outcome: Outcome,
        *,
        started_at: int,
        now: int,
        rng: random.Random,
        took_ms: float = 0.0,
    ) -> bool:
        """Let the recipient's gates learn from an outcome; tell whether the state must be saved."""
        ok = breakers.health(outcome)
        slow = self._learns and self._observe(
            outcome, ok=ok, started_at=started_at, now=now, took_ms=took_ms
        )
        if outcome.ok:
            self.tempo.succeeded(now)
            if self.throttle is not None:
                self.throttle.accepted(started_at)
            if self._streak:
                self._streak.clear()
        changed = False
        if not ok or slow or not breakers.at_ease(self.state.breaker, self.recipient.breaker, now):
            changed = self._tell(outcome, started_at, now, rng, ok=ok, slow=slow)
        if self._learns and self.learning.stale:
            self._keep()
            changed = True
        return self._learn_setup(outcome) or changed

    def _tell(
        self,
        outcome: Outcome,
        started_at: int,
        now: int,
        rng: random.Random,
        *,
        ok: bool | None,
        slow: bool,
    ) -> bool:
        """Tell the breaker of an outcome; return whether it changed in what is saved."""
        breaker = breakers.record(
            self.state.breaker,
            self.recipient.breaker,
            ok=None if ok is False and self.pacing.settling(started_at) else ok,
            started_at=started_at,
            now=now,
            rng=rng,
            pace=self._pace(),
            reason=outcome.reason,
            slow=slow,
            base=self.learning.base,
            confident=self._probing and self.learning.confident,
        )
        before = self.state.breaker
        return breaker is not before and self._become(self._planned(breaker, now, rng))

    def counted(self, delivery_id: str) -> None:
        """Note that a failure used a retry while the recipient seemed to be up."""
        if self.recipient.breaker.enabled:
            self._streak[delivery_id] += 1

    def refund(self, delivery_id: str) -> int:
        """Return how many of a delivery's counted failures opened the breaker, once."""
        return self._refunds.pop(delivery_id, 0) if self._refunds else 0

    def _learn_setup(self, outcome: Outcome) -> bool:
        state = self.state
        refusals = state.auth_failures
        if refused_setup(outcome):
            refusals += 1
        elif outcome.ok:
            refusals = 0
        if refusals == state.auth_failures:
            return False
        self.state = msgspec.structs.replace(state, auth_failures=refusals)
        return refusals == 0 or refusals >= SETUP_REFUSALS

    def heard(self, quota: Quota, max_ms: int, now: int, rng: random.Random) -> bool:
        """Keep to the partner's quota (RateLimit fields); tell whether the state must be saved.

        Args:
            quota: what a reply said, of any outcome.
            max_ms: most patience that the policy allows.
            now: ms since the epoch.
            rng: draws the spread, so that senders do not come back together.
        """
        wait = min(quota.wait_ms, max_ms)
        if quota.remaining > 0:
            self.throttle = self.throttle or Throttle()
            self.throttle.heard(Quota(quota.remaining, max(1, wait)), now, self.in_flight)
            return False
        spread = rng.uniform(0, 0.1 * wait + 100)
        return self.hint(now + wait + round(spread), "the partner's quota is used up")

    @property
    def waits_for_bare_limit(self) -> bool:
        """Tell whose duty a 429 without a time is: the throttle's, or (False) the pace's."""
        return self.pacing.pace is None

    def refused(self, started_at: int, now: int) -> int:
        """Note a 429 and return the least time in ms that the lane must stay closed."""
        self.throttle = self.throttle or Throttle()
        return self.throttle.refused(started_at, now)

    def disable(self, endpoint: str) -> bool:
        """Take an endpoint out of use (410); tell whether that is news."""
        if endpoint in self.state.disabled:
            return False
        disabled = (*self.state.disabled, endpoint)
        self.state = msgspec.structs.replace(self.state, disabled=disabled)
        return True

    def trip(self, reason: str, now: int, rng: random.Random) -> bool:
        """Open the breaker because a delivery would have died of the recipient's trouble."""
        breaker = breakers.trip(
            self.state.breaker,
            self.recipient.breaker,
            now=now,
            rng=rng,
            reason=reason,
            pace=self._pace(),
        )
        return self._become(self._planned(breaker, now, rng))

    def keep(self) -> None:
        """Put what was learned into the state, for a successor that takes over cleanly."""
        if self._learns:
            self._keep()

    def change(self, state: LaneState) -> None:
        """Take an operator's change of the lane; who sets the breaker also ends the pace."""
        before, self.state = self.state.breaker, state
        if state.breaker is before or not self._learns:
            return
        self.pacing.drop()
        if state.breaker.state is BreakerState.CLOSED:
            self.learning.abandoned(state.breaker.since)
            self.state = msgspec.structs.replace(state, plan=None)
        self._keep()

    def facts(self, now: int, kind: FailureClass | None = None) -> LaneFacts:
        """Return what `decide` needs to know; with a failure class also what is learned of it."""
        breaker = self.state.breaker
        hazards = None if kind is None else self.learning.hazards(kind)
        permanent = 0.0
        if kind is not None and hazards is not None:
            tally = self.state.learned.outages.get(kind, Tally())
            permanent = outage.permanent(tally, hazards, 0)
        return LaneFacts(
            breaker=breaker.state,
            retry_at=breaker.retry_at,
            last_success_at=breaker.last_success_at,
            setup_held=self.state.auth_failures >= SETUP_REFUSALS,
            breaker_enabled=self.recipient.breaker.enabled,
            delay_factor=1.0 if self.timetable is None else self.timetable.delay_factor(now),
            hazards=hazards,
            permanent=permanent,
            habits=None if kind is None else self.learning.habits,
            usual=self.learning.usual,
        )

    def sight(self, pending: int) -> LaneSight:
        """Return what rules see of the lane; `pending` is the number of waiting deliveries."""
        breaker = self.state.breaker
        failures = breaker.window.bit_count()
        return LaneSight(
            breaker.state, failures, breaker.calls, pending, self.in_flight, self.tempo.rate
        )

    def health_share(self) -> float:
        """Return the share of the last calls that the recipient answered in good order."""
        breaker = self.state.breaker
        if breaker.calls == 0:
            return 1.0
        return round(1 - breaker.window.bit_count() / breaker.calls, 3)
