"""What of a lane outlives its owner."""

from enum import StrEnum

import msgspec

from holdfast.model.calendar import CapUse
from holdfast.model.learned import Learned, Pace, ProbePlan
from holdfast.model.throttle import WindowUse


class BreakerState(StrEnum):
    """closed -> open -> half_open -> recovery -> closed (C27, S2.37-S2.40)."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    RECOVERY = "recovery"


class Breaker(msgspec.Struct, frozen=True, gc=False):
    """State of a lane's breaker; `policy.breaker` holds the rules. Instants in ms.

    Attributes:
        state: see `BreakerState`.
        since: when it came into this state.
        failures: failures in a row.
        window: last calls as bits, newest lowest, 1 = failure.
        calls: how many bits of `window` are meaningful.
        probes_ok: successful probes in a row (half_open).
        openings: open periods since it was last closed; each doubles the next.
        retry_at: end of the open period (`NEVER`: held open by a person).
        rate_before: successful sends per second before the outage (0: unknown).
        stage: index of the ramp's stage (recovery).
        last_success_at: time of the last success (0: never).
        reason: why it opened.
        manual: a person set this state.
        score: evidence that the recipient has changed (CUSUM).
        scored_at: when the score last moved.
        run: sends since the score was last 0 ...
        run_failures: ... and how many of them failed.
        throttled: recovery without an outage: part of the sends fails.
    """

    state: BreakerState = BreakerState.CLOSED
    since: int = 0
    failures: int = 0
    window: int = 0
    calls: int = 0
    probes_ok: int = 0
    openings: int = 0
    retry_at: int = 0
    rate_before: float = 0.0
    stage: int = 0
    last_success_at: int = 0
    reason: str | None = None
    manual: bool = False
    score: float = 0.0
    scored_at: int = 0
    run: int = 0
    run_failures: int = 0
    throttled: bool = False


class ClosedGate(msgspec.Struct, frozen=True, gc=False):
    """Something that keeps a lane or a delivery waiting.

    Attributes:
        gate: which; see `policy.decide.Gate`.
        until: when it may open in ms since the epoch (`NEVER`: not by time alone).
        reason: why, or what has to happen.
    """

    gate: str
    until: int
    reason: str | None = None


class LaneState(msgspec.Struct, frozen=True, gc=False):
    """The persistent part of a lane.

    Attributes:
        recipient: the lane's name.
        breaker: its breaker.
        gate_until: no send before this instant (Retry-After), 0: none.
        gate_reason: why.
        paused: reason of the pause, None when running.
        auth_failures: refusals of our credentials in a row; three hold the lane.
        disabled: endpoint names that answered 410.
        stamp: last unclean take-over; what was due before it may have been sent.
        revision: raised by every save.
        caps: what was used and reserved of the recipient's volume caps.
        windows: what was sent and reserved under the recipient's rate limits.
        learned: what it knows of its recipient.
        pace: how fast it may send, None: as fast as it likes.
        plan: why the present open period is as long as it is, None: no model was asked.
        closed: the gates of the calendar that are on record as closed.
        most: most sends per second that it was seen to take for some seconds, 0: unknown.
    """

    recipient: str
    breaker: Breaker = Breaker()
    gate_until: int = 0
    gate_reason: str | None = None
    paused: str | None = None
    auth_failures: int = 0
    disabled: tuple[str, ...] = ()
    stamp: int = 0
    revision: int = 0
    caps: tuple[CapUse, ...] = ()
    windows: tuple[WindowUse, ...] = ()
    learned: Learned = Learned()
    pace: Pace | None = None
    plan: ProbePlan | None = None
    closed: tuple[ClosedGate, ...] = ()
    most: float = 0.0
