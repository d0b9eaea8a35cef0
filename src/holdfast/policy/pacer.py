"""How fast may a lane send that comes back from an outage, fails in part, or met a limit?

Slow start doubles the rate every 3 s until the partner rejects more than 5 % or answers twice
as slowly as usual; then CUBIC (RFC 9438, as AWS's adaptive mode: beta 0.7, C 0.4) finds the most
that it takes. Beside the rate a limit of sends at once rises by 1 a second and falls with the
rate (AIMD). The lane spaces its sends evenly: the rate allows no bursts (algorithms 3.3).

The answers of a second make one step, so that one bad answer at a low rate is one cut, not one
each; what was sent before a cut says nothing about the rate after it. A rate that is not used
does not rise. Failures that do not depend on our rate (a part of the sends fails, whatever we
do) would starve the lane: where five cuts, to a sixth of the rate, leave the share of failures
as it was, that share is the partner's own. From then on only what goes beyond it is a reason to
cut, and the rate comes back by slow start.

All functions are pure. Rates are sends per second, instants and durations ms.
"""

import math
from typing import Final

from msgspec.structs import replace

from holdfast.model.learned import Pace

WINDOW_MS: Final = 1000
DOUBLING_S: Final = 3.0
BETA: Final = 0.7
CUBIC: Final = 0.4
BAD_SHARE: Final = 0.05
SLOW: Final = 2.0
"""So many times the usual duration is slow: the rate then rises by `GENTLE` at most."""
GENTLE: Final = 1.03
FIRM: Final = 1.04
"""CUBIC above its top rises no faster than this in a second: no overshoot beyond a tenth."""
SETTLE_MS: Final = 1000
"""So long after a cut the partner still digests what came before it."""
START_SHARE: Final = 0.1
BEFORE_CAP: Final = 3.0
"""Beyond so many times the rate before the trouble the rate feels its way, at `FIRM`."""
ACCEPTED_CAP: Final = 2.0
ACCEPTED_KEEP: Final = 0.9
"""A cut goes no lower than this share of what was let through, where that says what fits: ..."""
SHED_SHARE: Final = 0.8
"""... where a limit asked for it, or so much was accepted (the partner sheds, it is not ill)."""
LEAST: Final = 1.0
LEAST_REFUSED: Final = 1 / 60
"""A partner that refuses everything is asked once a minute in the end."""
TOP_SHARE: Final = 0.97
"""The plateau lies a little below what was just too much."""
CUTS: Final = 5
"""After so many cuts it is asked whether they helped: ..."""
HELPED: Final = 0.8
"""... the share of failures fell below this part of what it was before the first."""
OWN_MOST: Final = 0.6
"""No more than this is the partner's own share: from there on a lane opens."""
RECENT: Final = 5.0
"""The share of failures follows about so many latest sends."""
DEVIATIONS: Final = 2.0
"""A window exceeds the partner's own share when it does so by so many standard deviations."""
TELLING: Final = 5
"""Sends of a window that say something about the share of failures."""
USED: Final = 0.6
"""A rate counts as used when so much of it was sent."""


def begin(cause: str, *, before: float, concurrency: int, now: int) -> Pace:
    """Start a pace.

    Args:
        cause: `outage` starts low and rises quickly; `failures` and `limit` start a cut below
            the present rate.
        before: good answers per second before the trouble, 0: unknown.
        concurrency: the recipient's own limit.
        now: ms since the epoch.
    """
    if cause == "outage":
        rate, limit = max(LEAST, START_SHARE * before), max(2.0, concurrency / 8)
        top, slow_start = 0.0, True
    else:
        top = max(LEAST, before)
        rate, limit, slow_start = max(LEAST, BETA * top), float(concurrency), False
    return Pace(
        rate=rate,
        limit=min(limit, float(concurrency)),
        before=before,
        top=top,
        slow_start=slow_start,
        cause=cause,
        cut_at=now,
        since=now,
        accepted=before,
    )


def settling(pace: Pace, started_at: int) -> bool:
    """Tell whether a failure of a send that began then is what the latest cut was made for."""
    return pace.cuts > 0 and started_at < pace.cut_at + SETTLE_MS


def answered(pace: Pace, *, good: bool, bad: bool, took_ms: float) -> Pace:
    """Take in an answer; neither good nor bad is one that says nothing about the rate."""
    return replace(
        pace,
        sent=pace.sent + 1,
        good=pace.good + good,
        bad=pace.bad + bad,
        waited_ms=pace.waited_ms + (took_ms if good else 0.0),
    )


def step(pace: Pace, *, now: int, typical_ms: float, concurrency: int) -> Pace:
    """Close the window when its second is over, and move the rate.

    Args:
        pace: before.
        now: ms since the epoch.
        typical_ms: usual duration of a good answer, 0: unknown.
        concurrency: the recipient's own limit.
    """
    length = now - pace.since
    if length < WINDOW_MS:
        return pace
    seconds = length / 1000
    settled = pace.good + pace.bad
    accepted = _smoothed(pace, pace.good / seconds) if settled else pace.accepted
    pace = replace(pace, accepted=accepted, failing=_failing(pace))
    if too_many(pace):
        after = _cut(pace, pace.good / seconds, now)
    elif pace.sent and pace.sent + 1 > USED * pace.rate * min(seconds, 10.0):
        slow = typical_ms > 0 and pace.good > 0 and pace.waited_ms / pace.good > SLOW * typical_ms
        after = _raised(pace, now, seconds, slow=slow, concurrency=concurrency)
    else:
        after = pace
    return replace(after, since=now, sent=0, good=0, bad=0, waited_ms=0.0)


def calm(pace: Pace, *, now: int, backlog: bool, well: bool) -> Pace:
    """Note since when nothing waits and all is well; a cut or a backlog starts that anew."""
    good = well and not backlog and not too_many(pace)
    if not good:
        return replace(pace, calm_at=0) if pace.calm_at else pace
    return pace if pace.calm_at else replace(pace, calm_at=now)


def too_many(pace: Pace) -> bool:
    """Tell whether more of the window's sends failed than the partner's own share explains."""
    own = pace.own
    allowed = (BAD_SHARE + own) * pace.sent + DEVIATIONS * math.sqrt(own * (1 - own) * pace.sent)
    return pace.bad > allowed


def over(pace: Pace, now: int, calm_ms: int) -> bool:
    """Tell whether the pace has done its work."""
    return pace.calm_at > 0 and now - pace.calm_at >= calm_ms


def resumed(pace: Pace, now: int) -> Pace:
    """Return the pace for the next owner: never faster than before, its windows begin anew."""
    low = min(pace.rate, max(LEAST, pace.accepted))
    return replace(
        pace, rate=low, top=max(pace.top, low), since=now, cut_at=now, sent=0, good=0, bad=0,
        waited_ms=0.0, calm_at=0, slow_start=pace.slow_start,
    )  # fmt: skip


def _smoothed(pace: Pace, accepted: float) -> float:
    return accepted if pace.accepted == 0 else 0.5 * pace.accepted + 0.5 * accepted


def _failing(pace: Pace) -> float:
    """Return the share of sends that failed of late."""
    settled = pace.good + pace.bad
    if not settled:
        return pace.failing
    weight = settled / (settled + RECENT) if pace.cuts else 1.0
    return pace.failing + weight * (pace.bad / settled - pace.failing)


def _cut(pace: Pace, good: float, now: int) -> Pace:
    """Fall to 0.7; remember as the top what the share of good answers says it takes."""
    cuts, failing_at = pace.cuts + 1, pace.failing_at if pace.cuts else pace.failing
    if cuts >= CUTS and pace.cause != "limit" and HELPED * failing_at < pace.failing < 1:
        return replace(pace, own=min(OWN_MOST, pace.failing), slow_start=True, cuts=0, calm_at=0)
    share = pace.good / max(1, pace.good + pace.bad)
    low = BETA * pace.rate
    if pace.sent >= USED * pace.rate:  # else the window says little about how much it takes
        low = BETA * min(pace.rate, max(LEAST, ACCEPTED_CAP * good))
    if pace.cause == "limit" or share >= SHED_SHARE:
        low = max(low, min(ACCEPTED_KEEP * min(good, pace.accepted), pace.rate))
    least = LEAST if pace.good else LEAST_REFUSED
    top = max(LEAST, low, TOP_SHARE * share * pace.rate)
    return replace(
        pace,
        rate=max(least, low),
        limit=max(1.0, BETA * pace.limit),
        top=top,
        slow_start=False,
        cut_at=now,
        calm_at=0,
        cuts=cuts,
        failing_at=failing_at,
    )


def _raised(pace: Pace, now: int, seconds: float, *, slow: bool, concurrency: int) -> Pace:
    """Rise: by doubling, or along the cubic; gently where answers are slow."""
    steps = min(seconds, 2.0)
    clean = pace.sent >= TELLING
    cuts = max(0, pace.cuts - clean)
    grown = pace.rate * 2 ** (steps / DOUBLING_S)
    slow_start = pace.slow_start and not slow
    top, cut_at = pace.top, pace.cut_at
    if pace.slow_start and slow:
        top, cut_at = pace.rate, now
    if not slow_start:
        grown = min(grown, cubic(top, (now - cut_at) / 1000))
    if slow or not slow_start:
        factor = GENTLE if slow else FIRM
        grown = min(grown, max(pace.rate * factor**steps, pace.rate + 0.2 * steps, top))
    if pace.before > 0 and pace.cause != "limit":
        known = BEFORE_CAP * pace.before / (1 - pace.own)
        grown = min(grown, max(known, pace.rate * FIRM**steps))
    cap = ACCEPTED_CAP * pace.accepted / (1 - pace.own)
    rate = min(max(grown, pace.rate), max(cap, 2 * LEAST))
    limit = pace.limit * 2 ** (steps / DOUBLING_S) if slow_start else pace.limit + steps
    return replace(
        pace,
        rate=max(LEAST, rate),
        limit=min(float(concurrency), limit),
        top=top,
        slow_start=slow_start,
        cut_at=cut_at,
        cuts=cuts,
    )


def cubic(top: float, since_s: float) -> float:
    """Return CUBIC's rate so long after a cut from `top`; it is back at `top` after K seconds."""
    k = float((top * (1 - BETA) / CUBIC) ** (1 / 3))
    return float(CUBIC * (since_s - k) ** 3 + top)
