"""Has the recipient changed? A Bernoulli CUSUM over the results of sends (algorithms 3.3).

One score adds up the log likelihood ratio of "it now fails with p1" against "it fails with p0,
as usual"; below 0 it starts anew. It is the rule for failures in a row and the rule for a share
of failures in one number, and how often it errs is known: with p0 = 0.05 and the alarm at 9.2 about
once in 54,000 sends (Page 1954; measured in `tests/policy/test_cusum.py`).

What is usual (p0) is the recipient's own long-run share of failures (S2.58), shrunk towards a
prior. It moves in steps, so that a score is not added up with two rulers.
"""

import itertools
import math
from bisect import bisect
from typing import Final

from msgspec.structs import replace

from holdfast.model.lane import Breaker

ALARM: Final = 9.2
"""Score at which the alarm is raised."""
DOWN_SHARE: Final = 0.6
"""From this share of failures on a lane opens; below it is only slowed down."""
IN_A_ROW: Final = 4
"""... and with so many failures in a row, as an alarm of a few sends says little about a share;
or, whatever the share, with twice as many."""
LEVELS: Final = (0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.45)
"""Values that p0 may take: floor, ceiling and steps between (S2.58)."""
USUAL: Final = 0.05
"""p0 of a recipient that nothing is known of ..."""
PRIOR: Final = 50.0
"""... which weighs as much as so many sends."""
HALF_LIFE_MS: Final = 300_000.0
"""Half-life of the score while nothing is sent ..."""
IDLE_MS: Final = 60_000
"""... for longer than this."""
RELAPSE: Final = 7
"""So many failures in a row end a recovery at least, ..."""
BROWN_OUT: Final = 17
"""... so many that of a lane that is throttled, ..."""
BY_CHANCE: Final = 1e-5
"""... and as many as make it this unlikely that they came by chance, at the usual share."""

_STEPS: Final = tuple(math.sqrt(low * high) for low, high in itertools.pairwise(LEVELS))


def ratios(p0: float) -> tuple[float, float]:
    """Return the log likelihood ratios of a failure and of a success; p1 is 3 p0, 0.5 to 0.95."""
    p1 = min(0.95, max(0.5, 3 * p0))
    return math.log(p1 / p0), math.log((1 - p1) / (1 - p0))


_RATIOS: Final = tuple(ratios(p0) for p0 in LEVELS)
_RELAPSES: Final = tuple(max(RELAPSE, math.ceil(math.log(BY_CHANCE, p0))) for p0 in LEVELS)


def relapse(base: int, *, throttled: bool) -> int:
    """Return how many failures in a row say that a recovering lane is down again."""
    return max(_RELAPSES[base], BROWN_OUT) if throttled else _RELAPSES[base]


def level(calls: float, failures: float) -> int:
    """Return the index in `LEVELS` of the usual share, after so many sends and failures."""
    usual = (failures + PRIOR * USUAL) / (calls + PRIOR)
    return bisect(_STEPS, usual)


def weighed(breaker: Breaker, base: int, trouble: float, now: int) -> Breaker:
    """Take a send into the score; the same object when it was and stays 0.

    Args:
        breaker: before the send.
        base: index of p0 in `LEVELS`.
        trouble: 0 a good answer, 1 a failure, between them a slow answer.
        now: ms since the epoch.
    """
    if trouble == 0 and breaker.score == 0:
        return breaker
    failed, fine = _RATIOS[base]
    score = faded(breaker, now) + trouble * failed + (1 - trouble) * fine
    if score <= 0:
        return replace(breaker, score=0.0, scored_at=now, run=0, run_failures=0)
    return replace(
        breaker,
        score=score,
        scored_at=now,
        run=breaker.run + 1,
        run_failures=breaker.run_failures + (trouble == 1),
    )


def faded(breaker: Breaker, now: int) -> float:
    """Return the score as it is now: it fades while nothing is sent."""
    idle = now - breaker.scored_at - IDLE_MS
    if idle <= 0 or breaker.score == 0:
        return breaker.score
    return float(breaker.score * 0.5 ** (idle / HALF_LIFE_MS))


def is_down(breaker: Breaker) -> bool | None:
    """Tell, at an alarm, whether the recipient is down (True) or ailing; None: wait and see.

    While the latest sends failed in a row, the next one says more than the share so far.
    """
    mostly = breaker.run_failures >= DOWN_SHARE * breaker.run
    if breaker.failures >= (IN_A_ROW if mostly else 2 * IN_A_ROW):
        return True
    return None if breaker.failures else False
