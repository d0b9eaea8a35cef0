"""When is a lane's backlog gone? A drain forecast from what is known, or why nothing is.

Three parts follow each other. First whatever keeps the lane shut: where it is down, the time until
the recovery by the learned hazards (`policy.outage`), found by a probe (`policy.probing`); a time
of the partner or of a limit. Then the rise of the rate (`policy.pacer`). Then the backlog goes at
what the recipient takes, less what arrives meanwhile, while no calendar is closed.

The drain is a random walk with the arrivals and the sends of a second as its variance: P90 lies
above P50 by the passage time of a Brownian motion with drift. The P90 of the parts are added, so
that the sum is on the safe side. What the recipient takes is known up to a range: P90 rests on
the most that it was seen to take, P50 on what the pace may rise to.

All functions are pure. Instants and durations are ms, rates are per second.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from holdfast.model.calendar import Cap
from holdfast.model.learned import ProbePlan
from holdfast.model.policy import BreakerSettings
from holdfast.model.view import Drain
from holdfast.policy import outage, pacer, probing
from holdfast.policy.hours import period_end
from holdfast.policy.limit import Room

P90_SIGMAS: Final = 1.2816
HORIZON_MS: Final = 30 * 86_400_000
"""What lies further ahead than this is said to be unknown."""
_STEPS: Final = 20_000
_RATE_SPANS: Final = {"minute": 60.0, "hour": 3600.0}
"""Caps of these periods (s) act as a rate; the longer ones are walked through."""

Schedule = Callable[[int], tuple[bool, int]]
"""Tells of an instant whether the calendars are open, and until when that holds."""


class Outage(msgspec.Struct, frozen=True, gc=False):
    """A recipient that is down.

    Attributes:
        hazards: of recovery, for the class of its failures.
        plan: of the latest probe; its model says whether any outage was seen to end.
        age_ms: how long it has been down.
        retry_at: the next probe.
        probes_ms: how long the probes take that have to succeed.
    """

    hazards: outage.Hazards
    plan: ProbePlan
    age_ms: int
    retry_at: int
    probes_ms: float


class CapLeft(msgspec.Struct, frozen=True, gc=False):
    """A volume cap, how many may still succeed in its period, and the end of that (ms)."""

    cap: Cap
    zone: str
    left: int
    until: int


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a lane.

    Attributes:
        now: the present.
        due: deliveries that wait for the lane alone.
        later: deliveries that wait for a time of their own ...
        latest: ... and the last of these times (0: none).
        arrivals: new deliveries per second, None: not measured yet.
        seen: most sends per second that it is known to take, 0: none were seen.
        able: sends per second that our slots and the pace may come to, 0: unknown.
        rising_from: present or first rate of a rising pace, 0: the lane is not paced.
        shut: why it does not open by time alone, None: it does.
        opens_at: no send before this (Retry-After, a quota), 0: at once.
        outage: set while it is down.
        settings: of the breaker.
        caps: volume caps.
        windows: rate limits.
    """

    now: int
    due: int
    later: int = 0
    latest: int = 0
    arrivals: float | None
    seen: float
    able: float
    rising_from: float = 0.0
    shut: str | None = None
    opens_at: int = 0
    outage: Outage | None = None
    settings: BreakerSettings = BreakerSettings()
    caps: tuple[CapLeft, ...] = ()
    windows: tuple[Room, ...] = ()


class _Known(msgspec.Struct, frozen=True, gc=False):
    """What one quantile is computed with: a probability, its sigmas, the rate it rests on."""

    share: float
    sigmas: float
    rate: float
    waits: float
    """Part of the last interval between two probes until the recovery is seen."""


def drain(prospect: Prospect, schedule: Schedule | None = None) -> Drain:
    """Return when the backlog is gone (P50, P90), or why that is unknown.

    Args:
        prospect: what is known.
        schedule: hours and maintenance, None: always open.
    """
    told = Drain(backlog=prospect.due + prospect.later, arrivals=prospect.arrivals,
                 rate=round(prospect.seen, 3) or None)  # fmt: skip
    if told.backlog == 0:
        return msgspec.structs.replace(told, p50=prospect.now, p90=prospect.now)
    reason = _nothing_known(prospect)
    if reason is not None:
        return msgspec.structs.replace(told, unknown=reason)
    able = max(prospect.able, prospect.seen)
    p50 = _gone(prospect, schedule, _Known(0.5, 0.0, able, 0.5))
    if isinstance(p50, str):
        return msgspec.structs.replace(told, unknown=p50)
    p90 = _gone(prospect, schedule, _Known(0.9, P90_SIGMAS, prospect.seen, 0.9))
    if isinstance(p90, str):
        return msgspec.structs.replace(told, p50=p50, unknown=p90)
    return msgspec.structs.replace(told, p50=min(p50, p90), p90=p90)


def _nothing_known(prospect: Prospect) -> str | None:
    """Return why nothing can be said, None: something can."""
    if prospect.shut is not None:
        return prospect.shut
    if prospect.outage is not None and prospect.outage.plan.model.endswith(":prior"):
        kind = prospect.outage.plan.failure_class
        return f"it is down, and no outage of class {kind} was seen to end yet"
    if prospect.arrivals is None:
        return "how much arrives is not measured yet"
    if prospect.seen <= 0:
        return "how much it takes is not known: it has taken nothing yet"
    return None


def _gone(prospect: Prospect, schedule: Schedule | None, known: _Known) -> int | str:
    """Return the instant of one quantile, or why there is none."""
    rate = min((known.rate, *_rates(prospect)))
    arrivals = prospect.arrivals or 0.0
    back = _back(prospect, known)
    if isinstance(back, str):
        return back
    start = max(prospect.now, back, prospect.opens_at)
    backlog = prospect.due + prospect.later + arrivals * (start - prospect.now) / 1000
    if rate <= arrivals:
        return (
            f"as much arrives as it is known to take: {arrivals:.3g} a second arrive, "
            f"{rate:.3g} are taken"
        )
    seconds = _seconds(backlog, rate, arrivals, known.sigmas, prospect.rising_from)
    end = _walk(prospect, schedule, start, seconds, rate)
    if end is not None and prospect.latest > start:
        some = _seconds(float(prospect.later), rate, arrivals, known.sigmas, 0.0)
        last = _walk(prospect, schedule, prospect.latest, some, rate)
        end = None if last is None else max(end, last)
    if end is not None:
        end = max(end, _limited(prospect, start, backlog, arrivals))
    if end is None or end - prospect.now > HORIZON_MS:
        return f"it takes longer than {HORIZON_MS // 86_400_000} days"
    return end


def _rates(prospect: Prospect) -> Sequence[float]:
    """Return the rates that limits and short caps allow in the long run."""
    caps = [
        one.cap.maximum / _RATE_SPANS[one.cap.per]
        for one in prospect.caps
        if one.cap.per in _RATE_SPANS
    ]
    return [*caps, *(one.most * 1000 / one.span_ms for one in prospect.windows
                     if one.span_ms <= 60_000)]  # fmt: skip


def _limited(prospect: Prospect, start: int, backlog: float, arrivals: float) -> int:
    """Return when the long rate limits have room for all of it: what is left, then their rate."""
    end = start
    for one in prospect.windows:
        rate = one.most * 1000 / one.span_ms
        over = backlog - one.left
        if over > 0:
            net = rate - arrivals
            needed = math.inf if net <= 0 else over / net * 1000
            end = max(end, start + int(min(needed, 2.0 * HORIZON_MS)))
    return end


# -- until it is back -----------------------------------------------------------------------


def _back(prospect: Prospect, known: _Known) -> int | str:
    """Return when a probe has found it well, or why that may never be."""
    down = prospect.outage
    if down is None:
        return prospect.now
    lasts = recovery_ms(down.hazards, down.plan.permanent, down.age_ms, known.share)
    if lasts is None:
        return (
            f"it is down, and with a chance of {down.plan.permanent:.0%} waiting does not end it"
            if known.share > 1 - down.plan.permanent
            else f"it is down, and may stay so for more than {HORIZON_MS // 86_400_000} days"
        )
    settings = prospect.settings
    cost_rate = settings.delay_cost * max(1, prospect.due) / settings.probe_cost
    most, least = settings.probe_max_seconds * 1000, settings.probe_min_seconds * 1000
    gap = max(least, probing.interval(down.hazards, down.age_ms + lasts, cost_rate, most))
    found = max(down.retry_at, prospect.now + lasts + known.waits * gap)
    return int(found + down.probes_ms)


def recovery_ms(
    hazards: outage.Hazards, permanent: float, age_ms: float, share: float
) -> float | None:
    """Return within what time a recovery comes with the probability `share`, None: not in time.

    Args:
        hazards: of recovery.
        permanent: probability, at this age, that waiting does not end it.
        age_ms: how long it has been down.
        share: the quantile.
    """
    still = 1 - share / (1 - permanent) if permanent < 1 else 0.0
    if still <= 0:
        return None
    wanted = outage.cumulated(hazards, age_ms) - math.log(still)
    low, high = 0.0, float(HORIZON_MS)
    if outage.cumulated(hazards, age_ms + high) < wanted:
        return None
    while high - low > 1:
        middle = (low + high) / 2
        if outage.cumulated(hazards, age_ms + middle) < wanted:
            low = middle
        else:
            high = middle
    return high


# -- the drain ------------------------------------------------------------------------------


def _seconds(
    backlog: float, rate: float, arrivals: float, sigmas: float, rising_from: float
) -> float:
    """Return the seconds in which a backlog goes, with the rise of the rate before."""
    rise, lost = _rise(backlog, rate, rising_from)
    if rise is not None:
        return rise
    net = rate - arrivals
    spread = sigmas * math.sqrt(rate + arrivals)
    root = (spread + math.sqrt(spread**2 + 4 * net * (backlog + lost))) / (2 * net)
    return root**2


def _rise(backlog: float, rate: float, rising_from: float) -> tuple[float | None, float]:
    """Return the seconds when the backlog goes while the rate still rises, else what that costs."""
    if not 0 < rising_from < rate:
        return None, 0.0
    per_double = pacer.DOUBLING_S / math.log(2)
    in_rise = pacer.DOUBLING_S * math.log2(1 + backlog / (per_double * rising_from))
    whole = pacer.DOUBLING_S * math.log2(rate / rising_from)
    if in_rise <= whole:
        return in_rise, 0.0
    return None, rate * whole - per_double * (rate - rising_from)


def _walk(
    prospect: Prospect, schedule: Schedule | None, start: int, seconds: float, rate: float
) -> int | None:
    """Return the instant at which so many open seconds are over, None: not within the horizon.

    Each closed second adds what arrives in it; a cap that is reached closes for its period.
    """
    arrivals = prospect.arrivals or 0.0
    added = arrivals / (rate - arrivals)
    caps = [one for one in prospect.caps if one.cap.per not in _RATE_SPANS]
    at, left = float(start), seconds
    for _ in range(_STEPS):
        if at - prospect.now > HORIZON_MS:
            return None
        caps = [_rolled(one, int(at)) for one in caps]
        is_open, until = (True, start + 2 * HORIZON_MS) if schedule is None else schedule(int(at))
        full = [one.until for one in caps if one.left <= 0]
        if full or not is_open:
            until = max([*full, *([] if is_open else [until])])
            left += added * (until - at) / 1000
            at = float(until)
            continue
        runs = min([left, (until - at) / 1000, *(one.left / rate for one in caps),
                    *((one.until - at) / 1000 for one in caps)])  # fmt: skip
        used = math.ceil(runs * rate - 1e-9)
        caps = [msgspec.structs.replace(one, left=one.left - used) for one in caps]
        left -= runs
        at = at + runs * 1000
        if left <= 1e-9:
            return math.ceil(at)
    return None


def _rolled(one: CapLeft, at: int) -> CapLeft:
    """Return the cap at an instant: when its period is over the next one begins, unused."""
    if at < one.until:
        return one
    zone = ZoneInfo(one.cap.zone or one.zone)
    return CapLeft(one.cap, one.zone, one.cap.maximum, period_end(at, one.cap.per, zone))
