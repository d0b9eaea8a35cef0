"""The part of a lane that learns and paces itself: what its breaker, memory and rate become."""

import random
from collections import Counter
from collections.abc import Callable

import msgspec

from holdfast.engine.buffer import Buffer
from holdfast.engine.fleet import Fleet
from holdfast.engine.learning import Learning
from holdfast.engine.pacing import Pacing
from holdfast.engine.tempo import Tempo
from holdfast.model.attempt import FailureClass, Outcome
from holdfast.model.flow import Recipient
from holdfast.model.lane import Breaker, BreakerState, LaneState
from holdfast.model.message import NEVER
from holdfast.policy import breaker as breakers


class PacedLane(Buffer):
    """A lane without its gates: `engine.lane` adds them.

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
        super().__init__()
        self.recipient = recipient
        self.state = state
        self._counted_waiting = waiting
        self._learns = recipient.breaker.enabled and recipient.breaker.mode == "cusum"
        learned = state.learned
        if state.breaker.state is BreakerState.CLOSED and learned.outage_class is not None:
            learned = msgspec.structs.replace(learned, outage_class=None)
        self.learning = Learning(recipient, learned, fleet or Fleet(), self._waiting)
        self.pacing = Pacing(state.pace if self._learns else None, recipient.concurrency)
        self._pace_at = 0.0
        self.tempo = Tempo(learned.pace, state.most)
        self._streak: Counter[str] = Counter()
        """Counted failures since the last success, by delivery ..."""
        self._refunds: Counter[str] = Counter()
        """... and those that opened the breaker: they were the recipient's trouble."""
        self._seen_at = 0
        """When it was looked at last, by the wall clock ..."""
        self._hinted_at = NEVER
        """... and that when its partner last asked for patience, `NEVER`: it is not known."""

    def hint(self, until: int, reason: str) -> bool:
        """Close the rate gate until then (Retry-After); tell whether that is news."""
        if until <= self.state.gate_until:
            return False
        self._hinted_at = self._seen_at
        self.state = msgspec.structs.replace(self.state, gate_until=until, gate_reason=reason)
        return True

    def _bring_forward(self, by_ms: int, now: int) -> None:
        """Move what lies ahead along with a clock that was set back: nothing waits the longer.

        Nor is an answer from now on taken for one of before the breaker's state or the last cut.
        A partner's wish of before a clock that was wrong for a while, and is right again, stands.
        """
        self._pace_at -= by_ms
        self.pacing.set_back(by_ms)
        state = self.state
        gate_until = state.gate_until
        if self._hinted_at > now:
            gate_until = max(0, gate_until - by_ms)
            self._hinted_at -= by_ms
        breaker = breakers.earlier(state.breaker, by_ms)
        self.state = msgspec.structs.replace(state, breaker=breaker, gate_until=gate_until)

    def _move_pace(self, now: int) -> bool:
        """Move the pace on; tell whether it ended, or fell below what is saved of it."""
        breaker, pacing = self.state.breaker, self.pacing
        recovering = breaker.state is BreakerState.RECOVERY
        if pacing.pace is None:
            if not recovering:
                return False
            pacing.begin("outage", before=breaker.rate_before, usual=self.learning.usual, now=now)
        rate = pacing.pace.rate if pacing.pace is not None else 0.0
        more = not self.emptied or self.next_due <= now
        ended = pacing.tick(
            now,
            typical_ms=self.learning.typical_ms,
            backlog=more or len(self.buffered) > rate,
            well=self._well(),
            calm_ms=round(self.recipient.breaker.calm_seconds * 1000),
        )
        saved = self.state.pace
        if ended and recovering:
            return self._become(breakers.reset(breaker, now))
        if ended or saved is None or (pacing.pace and pacing.pace.rate < saved.rate):
            self._keep()
            return True
        return False

    def _well(self) -> bool:
        """Tell whether no more of the last calls failed than twice the usual share."""
        breaker = self.state.breaker
        allowed = max(0.1, 2 * self.learning.usual)
        return breaker.window.bit_count() <= allowed * max(1, breaker.calls)

    def _keep(self) -> None:
        """Put what was learned into the state, to be saved with it."""
        state = self.state
        self.state = msgspec.structs.replace(
            state,
            learned=self.learning.learned(self.tempo.rate),
            pace=self.pacing.saved(),
            most=round(self.tempo.most, 3),
        )

    @property
    def rate(self) -> float | None:
        """Return the sends per second allowed now, None: no limit here."""
        if self.pacing.pace is not None:
            return round(self.pacing.pace.rate, 3)
        return breakers.rate(self.state.breaker, self.recipient.breaker)

    @property
    def _probing(self) -> bool:
        return self.state.breaker.state is BreakerState.HALF_OPEN

    def _observe(
        self, outcome: Outcome, *, ok: bool | None, started_at: int, now: int, took_ms: float
    ) -> bool:
        """Let pace and memory learn from an answer; tell whether it was slow."""
        breaker = self.state.breaker
        state = breaker.state
        limited = outcome.failure_class is FailureClass.RATE_LIMIT
        if self.pacing.pace is not None:
            if ok is not None or limited:
                self.pacing.answered(started_at, good=bool(ok), bad=not ok, took_ms=took_ms)
        elif limited and state is BreakerState.CLOSED:
            self.pacing.begin("limit", before=self.tempo.rate, usual=self.learning.usual, now=now)
        if ok is not None:
            self.learning.at_hour(now, ok)
        if ok is None or state in (BreakerState.OPEN, BreakerState.HALF_OPEN):
            return ok is True and took_ms > self.learning.slow_ms
        kind = None if ok else outcome.failure_class
        healthy = state is BreakerState.CLOSED
        return self.learning.answered(
            took_ms, ok=ok, kind=kind, healthy=healthy, settled=breaker.score == 0
        )

    def _planned(self, breaker: Breaker, now: int, rng: random.Random) -> Breaker:
        """Give a breaker that opens now the period that the learned outages ask for."""
        before = self.state.breaker
        opens = breaker.state is BreakerState.OPEN and before.state is not BreakerState.OPEN
        if not opens or not self._learns:
            return breaker
        plan = self.learning.opened(
            now,
            before.run_failures + 1,
            before.run + 1,
            breaker.rate_before,
            rng,
            took=self.tempo.rate,
        )
        self.state = msgspec.structs.replace(self.state, plan=plan)
        return msgspec.structs.replace(breaker, retry_at=now + plan.wait_ms)

    def _waiting(self) -> int:
        known = self._counted_waiting() if self._counted_waiting is not None else 0
        return max(known, len(self.buffered) + len(self.busy))

    def _pace(self) -> float:
        """Return the successes per second of late; unknown: 0, or (threshold) one per slot."""
        return self.tempo.rate or (0.0 if self._learns else float(self.recipient.concurrency))

    def _become(self, breaker: Breaker) -> bool:
        before = self.state.breaker
        if breaker is before:
            return False
        if breaker.state is BreakerState.OPEN and before.state is BreakerState.CLOSED:
            self._refunds += self._streak
            self._streak.clear()
        if breaker.state is BreakerState.RECOVERY and before.state is not BreakerState.RECOVERY:
            self._pace_at = 0.0
        self.state = msgspec.structs.replace(self.state, breaker=breaker)
        if self._learns and breaker.state is not before.state:
            self._entered(breaker)
        return (breaker.state, breaker.openings, breaker.stage) != (
            before.state,
            before.openings,
            before.stage,
        )

    def _entered(self, breaker: Breaker) -> None:
        """Start or stop the pace with the breaker's new state, and keep what was learned."""
        if breaker.state is BreakerState.RECOVERY:
            if not breaker.throttled:
                self.learning.recovered(breaker.since)
            cause = "failures" if breaker.throttled else "outage"
            self.pacing.begin(
                cause,
                before=breaker.rate_before,
                usual=self.learning.usual,
                now=breaker.since,
                took=self.learning.took,
            )
        elif breaker.state is not BreakerState.HALF_OPEN:
            self.pacing.drop()
        if breaker.state in (BreakerState.RECOVERY, BreakerState.CLOSED):
            self.state = msgspec.structs.replace(self.state, plan=None)
        self._keep()
