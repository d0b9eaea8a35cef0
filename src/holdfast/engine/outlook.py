"""What a lane knows that bears on when its backlog is gone; `policy.forecast` computes it."""

from typing import Final

import msgspec

from holdfast.engine.journal import SETUP_REFUSALS
from holdfast.engine.lane import Lane
from holdfast.model.lane import BreakerState
from holdfast.model.message import NEVER
from holdfast.model.view import Drain
from holdfast.policy import forecast, pacer
from holdfast.policy.decide import Gate
from holdfast.policy.forecast import CapLeft, Outage, Prospect
from holdfast.shelf import Later
from holdfast.store import Counts

LATER_MAX: Final = 100_000
"""So many deliveries that are due later are looked at."""


def drain(
    lane: Lane,
    counts: Counts,
    later: Later,
    *,
    arrivals: float | None,
    held: Gate | None,
    now: int,
) -> Drain:
    """Return the drain forecast of a lane.

    Args:
        lane: as it stands.
        counts: its counters.
        later: what of it waits for a time of its own.
        arrivals: new deliveries per second, None: not measured yet.
        held: what holds the whole worker.
        now: ms since the epoch.
    """
    due = max(0, counts.pending - later.count - later.endless)
    seen, able, rising = _rates(lane, due)
    state = lane.state
    timetable, limiter = lane.timetable, lane.limiter
    caps = () if timetable is None else timetable.caps
    zone = lane.recipient.zone
    prospect = Prospect(
        now=now,
        due=due,
        later=later.count,
        latest=later.latest,
        arrivals=arrivals,
        seen=seen,
        able=able,
        rising_from=rising,
        shut=_shut(lane, later, held),
        opens_at=state.gate_until,
        outage=_outage(lane, now),
        settings=lane.recipient.breaker,
        caps=tuple(CapLeft(one.cap, zone, one.left(now), one.until) for one in caps),
        windows=() if limiter is None else limiter.windows(now),
    )
    found = forecast.drain(prospect, None if timetable is None else timetable.open_at)
    return msgspec.structs.replace(found, endless=later.endless)


def _shut(lane: Lane, later: Later, held: Gate | None) -> str | None:
    """Return why the lane does not open by time alone, or why that cannot be told."""
    state, breaker = lane.state, lane.state.breaker
    by_hand = breaker.state is BreakerState.OPEN and breaker.retry_at >= NEVER
    fixed = breaker.state is not BreakerState.CLOSED and lane.recipient.breaker.mode == "threshold"
    reasons = (
        (held is not None, f"the whole worker is held: {held}"),
        (state.paused is not None, f"a person paused it: {state.paused}"),
        (lane.endpoint() is None, "every endpoint answered 410"),
        (state.auth_failures >= SETUP_REFUSALS, "it refused our credentials or set-up"),
        (by_hand, f"a person holds it open: {breaker.reason}"),
        (later.more, f"more than {LATER_MAX} deliveries wait for times of their own"),
        (fixed, "nothing is learned of outages in mode threshold"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _rates(lane: Lane, due: int) -> tuple[float, float, float]:
    """Return what the lane is known to get through, what it may come to, and where it rises from.

    A closed lane whose slots are all taken gets through what it does now; else it may come to
    what its slots do at the usual duration of an answer. One that is paced or down is known by
    what it took: lately, before the trouble, or ever.
    """
    tempo, pace, breaker = lane.tempo, lane.pacing.pace, lane.state.breaker
    typical = lane.learning.typical_ms
    slots = lane.recipient.concurrency * 1000 / typical if typical > 0 else 0.0
    if pace is not None and pace.cuts:
        return pace.accepted, pace.accepted, 0.0
    if breaker.state is BreakerState.CLOSED and pace is None:
        if lane.in_flight >= lane.recipient.concurrency:
            return tempo.rate, tempo.rate, 0.0
        known = max(tempo.rate, tempo.most)
        return known if due > lane.recipient.concurrency else max(known, slots), slots, 0.0
    before = pace.before if pace is not None else breaker.rate_before
    seen = max(before, tempo.most, 0.0 if pace is None else pace.accepted)
    able = min(slots, pacer.BEFORE_CAP * before) if before else slots
    rising = max(pacer.LEAST, pacer.START_SHARE * before)
    if pace is not None:
        rising = pace.rate if pace.slow_start else 0.0
    return seen, max(able, seen), rising


def _outage(lane: Lane, now: int) -> Outage | None:
    state, breaker = lane.state, lane.state.breaker
    learned, plan = state.learned, state.plan
    halted = breaker.state in (BreakerState.OPEN, BreakerState.HALF_OPEN)
    if not halted or plan is None:
        return None
    needed = 1 if lane.learning.confident else lane.recipient.breaker.success_threshold
    relapses = learned.relapses
    return Outage(
        hazards=tuple(each / (1 + relapses) for each in lane.learning.hazards(plan.failure_class)),
        plan=plan,
        age_ms=max(0, now - learned.outage_at),
        retry_at=breaker.retry_at if breaker.state is BreakerState.OPEN else now,
        probes_ms=needed * lane.learning.typical_ms,
    )
