"""How fast may a lane send that comes back from an outage, fails in part, or met a limit?

Slow start doubles the rate every 3 s until the partner rejects more than 5 % or answers twice
as slowly as usual; then CUBIC (RFC 9438, as AWS's adaptive mode: beta 0.7, C 0.4) finds the most
that it takes. Beside the rate a limit of sends at once rises by 1 a second and falls with the
rate (AIMD). The lane spaces its sends evenly: the rate allows no bursts (algorithms 3.3).

The answers of a second make one step, so that one bad answer at a low rate is one cut, not one
each; what was sent before a cut says nothing about the rate after it. A rate that is not used
does not rise. Failures that do not depend on our rate (a part of the sends fails, whatever we
do) would starve the lane: where four cuts, to a quarter of the rate, do not bring the share of
failures near what an overload would come to, that share is the partner's own. From then on only
what goes beyond it is a reason to cut, and the rate comes back by slow start.

All functions are pure. Rates are sends per second, instants and durations ms.
"""

import math
from typing import Final

from msgspec.structs import replace

from holdfast.model.learned import Pace

WINDOW_MS: Final = 1000
DOUBLING_S: Final = 3.0
ROW: Final = 4
"""So many failures in a row end a window before its second is over, ..."""
BY_CHANCE: Final = 1e-5
"""... where the partner's own share makes such a row this unlikely."""
BETA: Final = 0.7
CUBIC: Final = 0.4
BAD_SHARE: Final = 0.05
SLOW: Final = 2.0
"""So many times the usual duration is slow: the rate then rises by `GENTLE` at most."""
FULL: Final = 6.0
"""So many times: its queue is as long as it should get, the rate stays; ..."""
OVERFULL: Final = 10.0
EASED: Final = 0.95
"""... so many: it falls to this, for the queue to empty. Both spare the partner refusals."""
QUICK_MS: Final = 20.0
"""A usual duration below this counts as this: such answers vary for reasons of their own."""
GENTLE: Final = 1.03
FIRM: Final = 1.04
"""CUBIC above its top rises no faster than this in a second: no overshoot beyond a tenth."""
SETTLE_MS: Final = 1000
"""So long after a cut the partner still digests what came before it."""
START_SHARE: Final = 0.1
START_AGAIN: Final = 0.5
"""After a relapse it starts at this share of what the partner took just before."""
GONE: Final = 12
"""So many failures in a row are an outage, whenever they were sent: the cut explains fewer."""
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
CUTS: Final = 4
"""After so many cuts, and so many answers to sends after them, it is asked whether they help."""
TRIED: Final = 10
OWN_MOST: Final = 0.6
"""No more than this is the partner's own share: from there on a lane opens."""
SURE: Final = 50
"""After so many answers the partner's own share is known better than it was at first."""
DEVIATIONS: Final = 3.0
"""A window exceeds the partner's own share when it does so by so many standard deviations."""
TELLING: Final = 5
"""Sends of a window that say something about the share of failures."""
USED: Final = 0.6
"""A rate counts as used when so much of it was sent, in the slow start ..."""
FULLY_USED: Final = 0.85
"""... and after it: where the limit of sends at once binds, a higher rate would only be a burst."""


def begin(
    cause: str, *, before: float, usual: float, concurrency: int, now: int, took: float = 0.0
) -> Pace:
    """Start a pace.

    Args:
        cause: `outage` starts low and rises quickly; `failures` and `limit` start a cut below
            the present rate.
        before: good answers per second before the trouble, 0: unknown.
        usual: share of sends that fail as a rule.
        concurrency: the recipient's own limit.
        now: ms since the epoch.
        took: good answers per second of a recovery that a relapse has just ended, 0: none.
    """
    if cause == "outage":
        rate = max(LEAST, START_SHARE * before, START_AGAIN * took)
        before, limit = max(before, took), max(2.0, concurrency / 8)
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
        own=usual if usual > BAD_SHARE else 0.0,
    )


def settling(pace: Pace, started_at: int) -> bool:
    """Tell whether a send began before the latest cut, or while the partner digests that.

    Its failure is no news: neither for the pace nor for the breaker. Unless nothing comes through
    any more.
    """
    return pace.cuts > 0 and started_at < pace.cut_at + SETTLE_MS and pace.lost < GONE


def overshot(pace: Pace) -> bool:
    """Tell whether the rate must be cut at once: too much failed before the second was over."""
    return pace.row >= ROW and pace.own**pace.row < BY_CHANCE and too_many(pace)


def answered(pace: Pace, started_at: int, *, good: bool, bad: bool, took_ms: float) -> Pace:
    """Take in an answer; neither good nor bad is one that says nothing about the rate."""
    before = settling(pace, started_at)
    lost = 0 if good else pace.lost + bad
    if before and bad:
        return replace(pace, lost=lost)
    tells = not before and (good or bad)
    return replace(
        pace,
        sent=pace.sent + 1,
        good=pace.good + good,
        bad=pace.bad + bad,
        row=0 if good else pace.row + bad,
        lost=lost,
        waited_ms=pace.waited_ms + (took_ms if good else 0.0),
        tried=pace.tried + tells,
        failed=pace.failed + (tells and bad),
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
    if length < WINDOW_MS and not overshot(pace):
        return pace
    seconds = max(1, length) / 1000
    settled = pace.good + pace.bad
    accepted = _smoothed(pace, pace.good / seconds) if settled else pace.accepted
    pace = replace(pace, accepted=accepted)
    if too_many(pace):
        after = _cut(pace, pace.good / seconds, now)
    elif (slowness := _slowness(pace, typical_ms)) > FULL:
        after = _eased(pace, now, far=slowness > OVERFULL)
    elif pace.sent and pace.sent + 1 > (USED if pace.slow_start else FULLY_USED) * pace.rate * min(
        seconds, 10.0
    ):
        slow = slowness > SLOW
        after = _raised(pace, now, seconds, slow=slow, concurrency=concurrency)
    else:
        after = pace
    return replace(after, since=now, sent=0, good=0, bad=0, row=0, waited_ms=0.0)


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
        row=0, waited_ms=0.0, calm_at=0,
    )  # fmt: skip


def earlier(pace: Pace, by_ms: int) -> Pace:
    """Return it as if all had been so much earlier, since the clock was set back by that."""
    since, cut_at, calm_at = (max(0, at - by_ms) for at in (pace.since, pace.cut_at, pace.calm_at))
    return replace(pace, since=since, cut_at=cut_at, calm_at=calm_at)


def _smoothed(pace: Pace, accepted: float) -> float:
    return accepted if pace.accepted == 0 else 0.5 * pace.accepted + 0.5 * accepted


def _slowness(pace: Pace, typical_ms: float) -> float:
    """Return how many times the usual duration the window's good answers took, 1: not known."""
    if not pace.good or typical_ms <= 0:
        return 1.0
    return pace.waited_ms / pace.good / max(QUICK_MS, typical_ms)


def _eased(pace: Pace, now: int, *, far: bool) -> Pace:
    """Keep the rate, or let it fall a little: the partner takes all, but no more than this."""
    rate = max(LEAST, pace.rate * (EASED if far else 1.0))
    cuts = max(0, pace.cuts - (pace.sent >= TELLING))
    plateau = now - round(1000 * _back_at_top_s(rate))  # no cut: it may rise at once
    return replace(pace, rate=rate, top=rate, slow_start=False, cut_at=plateau, cuts=cuts)


def _own(pace: Pace) -> float | None:
    """Return the share of failures that cuts do not change, None: not known, or they help.

    An overload lets as many through at any rate above it: from that follows which share it would
    have come to at the present rate. What lies nearer to the share before the cuts is no overload.
    """
    failing = _at_most(pace)
    before = max(pace.rate_at, pace.before)
    overload = max(0.0, 1 - (1 - pace.failing_at) * before / pace.rate)
    return failing if failing > (pace.failing_at + overload) / 2 else None


def _at_most(pace: Pace) -> float:
    """Return the share that failed of what was tried, and a standard error more."""
    share = (pace.failed + 0.5) / (pace.tried + 1)
    return min(OWN_MOST, share + math.sqrt(share * (1 - share) / (pace.tried + 1)))


def _cut(pace: Pace, good: float, now: int) -> Pace:
    """Fall to 0.7, unless that is known not to help."""
    if pace.cause != "limit" and pace.cuts >= CUTS:
        if pace.tried < TRIED:
            return pace
        if (own := _own(pace)) is not None:
            return replace(pace, own=own, slow_start=True, cuts=0, calm_at=0)
    return _lowered(pace, good, now)


def _lowered(pace: Pace, good: float, now: int) -> Pace:
    """Fall to 0.7; remember as the top what the share of good answers says it takes."""
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
        cuts=pace.cuts + 1,
        failing_at=pace.failing_at if pace.cuts else 1 - share,
        rate_at=pace.rate_at if pace.cuts else pace.rate,
        tried=pace.tried / 2 if pace.cuts else 0,
        failed=pace.failed / 2 if pace.cuts else 0,
    )


def _raised(pace: Pace, now: int, seconds: float, *, slow: bool, concurrency: int) -> Pace:
    """Rise: by doubling, or along the cubic; gently where answers are slow."""
    steps = min(seconds, 2.0)
    clean = pace.sent >= TELLING
    cuts = max(0, pace.cuts - clean)
    own = _at_most(pace) if pace.own and pace.tried >= SURE else pace.own
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
        own=own,
    )


def cubic(top: float, since_s: float) -> float:
    """Return CUBIC's rate so long after a cut from `top`; it is back at `top` after K seconds."""
    return float(CUBIC * (since_s - _back_at_top_s(top)) ** 3 + top)


def _back_at_top_s(top: float) -> float:
    return float((top * (1 - BETA) / CUBIC) ** (1 / 3))
