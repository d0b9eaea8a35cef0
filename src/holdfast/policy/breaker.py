"""The lane's breaker: closed -> open -> half_open -> recovery -> closed.

In `cusum` mode a change detector opens it (`policy.cusum`), the learned outages say when to
probe (`policy.probing`) and a pace leads the recovery (`policy.pacer`). Where less than 60 % of
the sends fail the recipient is ailing, not down: the lane goes straight to a paced recovery. The
lane puts the learned period in the place of the one drawn here.

In `threshold` mode it opens after failures in a row or at a share of the last calls, whichever
comes first (C26).
The open period doubles with every failed probe up to a cap, spread by jitter (G4). One probe at
a time tests the recipient; enough successes in a row start the recovery, in which the rate
rises in stages (C27, S2.34-S2.40). A failed probe opens it again; so do `relapse` failures in a
row during the recovery (1 is the letter of S2.40; a partner that always fails now and then would
never get through its recovery with that).

All functions are pure: they return the breaker as it is now, the same object when nothing
changed. Instants and durations are ms, settings are seconds.
"""

from random import Random
from typing import Final

from msgspec.structs import replace

from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.lane import Breaker, BreakerState
from holdfast.model.message import NEVER
from holdfast.model.policy import BreakerSettings
from holdfast.policy import cusum

_RESOLUTION_MS: Final = 1000
"""`last_success_at` moves in steps of this, to spare a busy lane an object per send."""


_DOWN: Final = frozenset(
    {
        FailureClass.TIMEOUT,
        FailureClass.CONNECT,
        FailureClass.DNS,
        FailureClass.TLS,
        FailureClass.SERVER,
        FailureClass.PROTOCOL,
        FailureClass.PHYSICAL,
    }
)
_UNKNOWN: Final = cusum.level(0, 0)
_UP: Final = frozenset({FailureClass.DATA, FailureClass.BUSINESS})


def health(outcome: Outcome) -> bool | None:
    """Tell what an outcome says about the recipient: it works, it does not, or nothing (None).

    A refused message is the message's trouble: the recipient is well. So it is after a 404 or a
    redirect, which are answers too. Rate limits set the pace and refused credentials hold the
    lane by themselves (C1), so neither counts here; nor does what never left us.
    """
    if outcome.result is Result.SUCCESS:
        return True
    if outcome.result is Result.SKIP:
        return None
    if outcome.failure_class in _UP:
        return True if outcome.http_status is not None else None  # else nothing went out
    if outcome.failure_class in _DOWN:
        return outcome.result is Result.FAILURE and outcome.http_status is not None
    return None


def at_ease(breaker: Breaker, settings: BreakerSettings, now: int) -> bool:
    """Tell whether `record` of one more quick good answer would change nothing: the usual case."""
    return (
        breaker.state is BreakerState.CLOSED
        and breaker.score == 0
        and not breaker.window
        and not breaker.failures
        and breaker.calls >= settings.window
        and now - breaker.last_success_at < _RESOLUTION_MS
    )


def record(
    breaker: Breaker,
    settings: BreakerSettings,
    *,
    ok: bool | None,
    started_at: int,
    now: int,
    rng: Random,
    pace: float = 0.0,
    reason: str | None = None,
    slow: bool = False,
    base: int = _UNKNOWN,
    confident: bool = False,
) -> Breaker:
    """Take in the result of a send.

    Results of sends that began before the present state say nothing about it: only
    `last_success_at` learns from them. While open that holds for every result.

    Args:
        breaker: the state before.
        settings: its rules.
        ok: what it says about the recipient: True it works (a message that it refused for good
            counts as that, too), False it does not, None nothing (a rate limit); see `health`.
        started_at: when the send began.
        now: the present.
        rng: draws the open period.
        pace: successful sends per second lately; see `trip`.
        reason: why the send failed; part of the breaker's reason when this opens it.
        slow: the answer was good but came late: half a failure (cusum).
        base: index of the usual share of failures in `cusum.LEVELS` (cusum).
        confident: one good probe is enough (cusum).
    """
    if ok is None:
        return breaker
    if ok and now - breaker.last_success_at >= _RESOLUTION_MS:
        breaker = replace(breaker, last_success_at=now)
    old = started_at < breaker.since <= now  # later than now: the clock was set back since
    if old or not settings.enabled or breaker.state is BreakerState.OPEN:
        return breaker
    why: str | None = None
    if settings.mode == "cusum":
        if ok and not slow and breaker.score == 0 and breaker.state is BreakerState.CLOSED:
            return _counted(breaker, settings, ok=True)
        trouble = (0.5 if slow else 0.0) if ok else 1.0
        if breaker.state is BreakerState.HALF_OPEN:
            breaker, why = _tested(breaker, settings, now, trouble=trouble, confident=confident)
        else:
            breaker, why = _weighed(breaker, settings, now, trouble=trouble, base=base, pace=pace)
    elif breaker.state is not BreakerState.HALF_OPEN:
        breaker = _counted(breaker, settings, ok=ok)
        why = None if ok else _exceeded(breaker, settings)
    elif not ok:
        why = "the probe failed"
    else:
        breaker = _probed(breaker, settings, now)
    if why is None:
        return breaker
    why = f"{why}: {reason}" if reason else why
    return trip(breaker, settings, now=now, rng=rng, reason=why, pace=pace)


def _weighed(
    breaker: Breaker, settings: BreakerSettings, now: int, *, trouble: float, base: int, pace: float
) -> tuple[Breaker, str | None]:
    """Take in a result in cusum mode; return the breaker and why it must open, if it must."""
    breaker = cusum.weighed(_counted(breaker, settings, ok=trouble < 1), base, trouble, now)
    recovering = breaker.state is BreakerState.RECOVERY
    longest = cusum.relapse(base, throttled=breaker.throttled)
    why = None
    if recovering and breaker.failures >= longest:
        why = f"{breaker.failures} failures in a row"
    elif breaker.score >= cusum.ALARM and (down := cusum.is_down(breaker)) is not None:
        usual = f"{cusum.LEVELS[base]:.0%} is usual"
        seen = f"{breaker.run_failures} of {breaker.run} sends failed or were slow, {usual}"
        if recovering:
            if not down:  # else the row of failures goes on, and soon says that it is down again
                breaker = replace(breaker, throttled=True, score=0.0, run=0, run_failures=0)
        elif down:
            why = seen
        else:
            breaker = _throttled(breaker, now, seen, pace)
    return breaker, why


def _tested(
    breaker: Breaker, settings: BreakerSettings, now: int, *, trouble: float, confident: bool
) -> tuple[Breaker, str | None]:
    """Take in a probe in cusum mode: slow ones say less, but one that stays slow is not down."""
    if trouble == 1:
        return breaker, "the probe failed"
    if trouble > 0:
        return _probed(breaker, settings, now, needed=2 * settings.success_threshold), None
    return _probed(breaker, settings, now, needed=1 if confident else None), None


def _throttled(breaker: Breaker, now: int, why: str, pace: float) -> Breaker:
    """Go on, but slower: part of the sends fails."""
    return replace(
        breaker,
        state=BreakerState.RECOVERY,
        since=now,
        stage=0,
        throttled=True,
        rate_before=round(pace, 3),
        reason=why,
        score=0.0,
        run=0,
        run_failures=0,
    )


def tick(
    breaker: Breaker, settings: BreakerSettings, now: int, *, backlog: bool = False
) -> Breaker:
    """Let time pass: the open period ends, the recovery reaches its next stage or its end.

    While there is a `backlog` the recovery does not end: each further stage doubles the rate, so
    that what waited drains ever faster but never all at once.
    """
    if breaker.manual or breaker.state is BreakerState.CLOSED:
        return breaker
    if not settings.enabled:
        return reset(breaker, now)
    if breaker.state is BreakerState.OPEN and breaker.retry_at <= now:
        return replace(breaker, state=BreakerState.HALF_OPEN, since=now, probes_ok=0)
    if breaker.state is BreakerState.RECOVERY and settings.mode == "threshold":
        stage = (now - breaker.since) // _stage_ms(settings)
        if stage >= len(settings.ramp) and not backlog:
            return reset(breaker, now)
        if stage > breaker.stage:
            return replace(breaker, stage=stage)
    return breaker


def rate(breaker: Breaker, settings: BreakerSettings) -> float | None:
    """Return the sends per second allowed during the recovery, at least 1; None: no limit here."""
    if breaker.state is not BreakerState.RECOVERY or settings.mode != "threshold":
        return None
    last = len(settings.ramp) - 1
    grown = 2.0 ** min(max(0, breaker.stage - last), 60)  # a backlog of hours: no float overflows
    return max(grown, settings.ramp[min(breaker.stage, last)] * grown * breaker.rate_before)


def next_change(breaker: Breaker, settings: BreakerSettings) -> int | None:
    """Return the instant from which `tick` would change the breaker; None: time alone never."""
    if breaker.state is BreakerState.OPEN:
        return None if breaker.manual else breaker.retry_at
    if breaker.state is BreakerState.RECOVERY and settings.mode == "threshold":
        return breaker.since + (breaker.stage + 1) * _stage_ms(settings)
    return None


def trip(
    breaker: Breaker,
    settings: BreakerSettings,
    *,
    now: int,
    rng: Random,
    reason: str,
    pace: float = 0.0,
) -> Breaker:
    """Open it for the next period: the first, or twice the one before, up to the cap.

    The period is drawn from the `open_jitter` window around that, cut at the cap. What is open
    stays as it is (a burst of failures is one opening), as does a breaker that is not enabled.
    `pace`, successful sends per second as the lane measured them, is kept as the rate before the
    outage, but only when it was closed: later rates are the outage's own.
    """
    if breaker.state is BreakerState.OPEN or not settings.enabled:
        return breaker
    closed = breaker.state is BreakerState.CLOSED
    period = _period(settings, breaker.openings)
    longest = min(settings.open_max_seconds, period * (1 + settings.open_jitter))
    low, high = period * (1 - settings.open_jitter), longest
    wait = low + (high - low) * rng.random()
    return Breaker(
        state=BreakerState.OPEN,
        since=now,
        failures=breaker.failures,
        window=breaker.window,
        calls=breaker.calls,
        openings=breaker.openings + 1,
        retry_at=now + max(1, round(wait * 1000)),
        rate_before=round(pace, 3) if closed else breaker.rate_before,
        last_success_at=breaker.last_success_at,
        reason=reason,
    )


def force_open(breaker: Breaker, *, now: int, reason: str) -> Breaker:
    """Hold it open until a person resets it."""
    return replace(
        breaker,
        state=BreakerState.OPEN,
        since=now,
        retry_at=NEVER,
        probes_ok=0,
        stage=0,
        reason=reason,
        manual=True,
    )


def reset(breaker: Breaker, now: int) -> Breaker:
    """Close it and forget the past, but not the last success."""
    return Breaker(since=now, last_success_at=breaker.last_success_at)


def earlier(breaker: Breaker, by_ms: int) -> Breaker:
    """Return it as if all had been so much earlier, since the clock was set back by that."""
    never = breaker.retry_at >= NEVER
    return replace(
        breaker,
        since=max(0, breaker.since - by_ms),
        retry_at=NEVER if never else max(0, breaker.retry_at - by_ms),
        last_success_at=max(0, breaker.last_success_at - by_ms),
        scored_at=max(0, breaker.scored_at - by_ms),
    )


def _counted(breaker: Breaker, settings: BreakerSettings, *, ok: bool) -> Breaker:
    """Shift a result into the window of a closed breaker."""
    if ok and breaker.calls >= settings.window and not breaker.window and not breaker.failures:
        return breaker  # the usual case: nothing to learn
    return replace(
        breaker,
        failures=0 if ok else breaker.failures + 1,
        window=(breaker.window << 1 | (not ok)) & ((1 << settings.window) - 1),
        calls=min(breaker.calls + 1, settings.window),
    )


def _exceeded(breaker: Breaker, settings: BreakerSettings) -> str | None:
    """Name the threshold that a closed or recovering breaker has reached, if any."""
    recovering = breaker.state is BreakerState.RECOVERY
    if breaker.failures >= (settings.relapse if recovering else settings.consecutive):
        return f"{breaker.failures} failures in a row"
    failed, calls = breaker.window.bit_count(), breaker.calls
    if calls >= settings.min_calls and failed >= settings.failure_rate * calls:
        return f"{failed} of the last {calls} calls failed"
    return None


def _probed(
    breaker: Breaker, settings: BreakerSettings, now: int, needed: int | None = None
) -> Breaker:
    probes = breaker.probes_ok + 1
    if probes < (needed or settings.success_threshold):
        return replace(breaker, probes_ok=probes)
    return replace(
        breaker,
        state=BreakerState.RECOVERY,
        since=now,
        probes_ok=probes,
        stage=0,
        failures=0,
        window=0,
        calls=0,
        throttled=False,
    )


def _stage_ms(settings: BreakerSettings) -> int:
    return max(1, round(settings.ramp_seconds * 1000))


def _period(settings: BreakerSettings, openings: int) -> float:
    """Return the open period in seconds after `openings` earlier ones, before jitter."""
    doublings = min(openings, 60)  # a lane that is down for months must not overflow a float
    return min(settings.open_max_seconds, settings.open_seconds * 2.0**doublings)
