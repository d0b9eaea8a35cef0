"""What a recipient's past says of further tries and of the hours of the day (S2.56, S2.57).

Only strategy `adaptive` asks. Both answers need much evidence, as both are shrunk towards a prior,
and both stay revisable: some tries are made against them. All functions are pure.

Hours are those of the day in UTC; what was seen of an hour fades by a fifth with every new day.
"""

from typing import Final

from msgspec.structs import replace

from holdfast.model.learned import HOURS, TRIES, Habits

HOUR_MS: Final = 3_600_000
KEEP: Final = 0.8
"""What is kept of an hour's past with each new day: about five days are remembered."""
TELLING: Final = 5
"""An hour with fewer sends says nothing."""
BAD: Final = 0.5
"""An hour is bad where more than this share failed, over its days, ..."""
WORSE: Final = 3.0
"""... and so many times the usual share."""
DAYS_LEAST: Final = 1.7
"""Two days in a row, or three with one between: one bad day is no habit."""
FADE: Final = 400.0
"""Tries of a number are halved from here on."""
PRIOR: Final = (4.0, 20.0)
"""A try that nothing is known of succeeds like four of twenty did."""
MARGINAL: Final = 0.02
"""A retry that succeeds less often than this is not made, ..."""
EXPLORE: Final = 0.05
"""... but in so many cases it is, to see whether that is still true."""


def folded(habits: Habits, hour: int, calls: int, failures: int) -> Habits:
    """Take in an hour that has passed; the same object when it says nothing.

    Args:
        habits: before.
        hour: of the day, 0 to 23 (UTC).
        calls: sends in it that say something about the recipient.
        failures: how many of them failed.
    """
    if calls < TELLING:
        return habits
    days = list(habits.days)
    bad = list(habits.bad)
    days[hour] = KEEP * days[hour] + 1
    bad[hour] = KEEP * bad[hour] + failures / calls
    return replace(habits, days=tuple(days), bad=tuple(bad))


def share(habits: Habits, at_ms: int) -> float | None:
    """Return the share of sends that fail in the hour of that instant, None: not known."""
    hour = at_ms // HOUR_MS % HOURS
    days = habits.days[hour]
    return habits.bad[hour] / days if days >= DAYS_LEAST else None


def after_bad_hours(habits: Habits, at_ms: int, usual: float) -> int:
    """Return the same instant, or the start of the next hour that is not bad.

    Args:
        habits: of the recipient.
        at_ms: when a retry would be made, ms since the epoch.
        usual: share of sends that fail over all.
    """
    limit = max(BAD, WORSE * usual)
    start = at_ms // HOUR_MS * HOUR_MS
    for step in range(HOURS):
        found = share(habits, start + step * HOUR_MS)
        if found is None or found <= limit:
            return at_ms if step == 0 else start + step * HOUR_MS
    return at_ms  # every hour is bad: no hour is better than another


def tried(habits: Habits, number: int, *, ok: bool) -> Habits:
    """Take in how a delivery's retry of that number went; numbers beyond `TRIES` are left out."""
    if not 1 <= number <= TRIES:
        return habits
    index = number - 1
    tries, good = list(habits.tries), list(habits.good)
    if tries[index] >= FADE:
        tries[index], good[index] = tries[index] / 2, good[index] / 2
    tries[index] += 1
    good[index] += ok
    return replace(habits, tries=tuple(tries), good=tuple(good))


def chance(habits: Habits, number: int) -> float:
    """Return how often a retry of that number succeeds, shrunk towards the prior."""
    good, tries = PRIOR
    if number <= TRIES:
        good, tries = good + habits.good[number - 1], tries + habits.tries[number - 1]
    return good / tries
