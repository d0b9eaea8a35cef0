"""How long do outages last? The hazard of recovery at each age, learned with little data.

The hazard is a constant per bin of age. It is learned in two stages, level before shape, and
each level of knowledge (lane, failure class, everything) is shrunk towards the one above
(algorithms 3.5). Above all stands a prior: Lomax(1, 300 s), which is vague about the scale.

The end of an outage is only known to lie between the last failure and the first success. It is
spread over that interval by the hazard known so far (one EM step; Turnbull 1976). What never
recovers by waiting is a share of its own (a cure model; Boag 1949).

Ages in ms, hazards per second. All functions are pure.
"""

import itertools
import math
from bisect import bisect
from collections.abc import Iterable, Sequence
from typing import Final

from holdfast.model.learned import BINS, EDGES_MS, Tally

VERSION: Final = "hazard-1"
KAPPA: Final = 3.0
"""The level weighs as much as so many outages."""
SHAPE: Final = 10.0
"""Each bin weighs as much as so many outages."""
CLAMP: Final = 5.0
"""The level moves by no more than this factor, up or down."""
EXPECTED_MAX: Final = 5.0
"""One outage weighs no more than so many expected recoveries (winsorised)."""
HALF_LIFE_MS: Final = 30 * 86_400_000.0
GONE_MS: Final = 7 * 86_400_000
"""An outage that lasts for longer is counted as one that waiting does not end."""
GONE_PRIOR: Final = (0.2, 10.0)
"""The permanent share starts as so many gone of so many outages."""
HAZARD_MIN: Final = 1e-8
HAZARD_MAX: Final = 10.0

Hazards = tuple[float, ...]

_STARTS: Final = (0, *EDGES_MS)
_EMPTY: Final = Tally()


def lomax(alpha: float, scale_s: float) -> Hazards:
    """Return the hazards of a Lomax law, each at its bin's middle (geometric)."""
    middles = [500.0]
    middles += [math.sqrt(low * high) for low, high in itertools.pairwise(EDGES_MS)]
    middles.append(EDGES_MS[-1] * 2.0)
    return tuple(alpha / (scale_s + middle / 1000) for middle in middles)


PRIOR: Final = lomax(1.0, 300.0)


def shrunk(parent: Hazards, tally: Tally) -> Hazards:
    """Return the hazards of a child from its parent's and what was counted of it."""
    expected = sum(map(_times, tally.exposed, parent))
    phi = (KAPPA + sum(tally.ended)) / (KAPPA + expected)
    phi = min(CLAMP, max(1 / CLAMP, phi))
    return tuple(
        min(HAZARD_MAX, max(HAZARD_MIN, (SHAPE + ended) / (SHAPE / (phi * above) + exposed)))
        for above, ended, exposed in zip(parent, tally.ended, tally.exposed, strict=True)
    )


def hazard(hazards: Hazards, age_ms: float) -> float:
    """Return the recoveries per second to expect at an age."""
    return hazards[bisect(EDGES_MS, age_ms)]


def cumulated(hazards: Hazards, age_ms: float) -> float:
    """Return the hazard added up to an age: the expected number of recoveries."""
    total = 0.0
    for start, end, each in zip(_STARTS, (*EDGES_MS, math.inf), hazards, strict=True):
        if age_ms <= end:
            return total + each * (age_ms - start) / 1000
        total += each * (end - start) / 1000
    return total


def survival(hazards: Hazards, age_ms: float) -> float:
    """Return the probability that an outage lasts longer than that."""
    return math.exp(-cumulated(hazards, age_ms))


def permanent(tally: Tally, hazards: Hazards, age_ms: float) -> float:
    """Return the probability that waiting alone does not end an outage of that age."""
    gone, outages = GONE_PRIOR
    share = (gone + tally.gone) / (outages + tally.gone + sum(tally.ended))
    return share / (share + (1 - share) * survival(hazards, age_ms))


def ended(tally: Tally, hazards: Hazards, low_ms: float, high_ms: float, now: int) -> Tally:
    """Take in an outage that ended at an age in (`low_ms`, `high_ms`]."""
    high_ms = max(high_ms, low_ms + 1, 1)
    exposed = list(_exposure(hazards, low_ms))
    done = [0.0] * BINS
    base = cumulated(hazards, low_ms)
    rest = math.exp(base - cumulated(hazards, high_ms))
    mass = 1 - rest
    for index, low, high in _pieces(low_ms, high_ms):
        first = math.exp(base - cumulated(hazards, low))
        last = math.exp(base - cumulated(hazards, high))
        span = (high - low) / 1000
        if mass < 1e-9:  # the interval is short for the hazard: spread evenly
            share, time = (high - low) / (high_ms - low_ms), span / 2
        else:
            share = (first - last) / mass
            time = max(0.0, ((first - last) / hazards[index] - span * rest) / mass)
        done[index] += share
        exposed[index] += time
    return _added(aged(tally, now), done, _winsorised(exposed, hazards))


def given_up(tally: Tally, hazards: Hazards, age_ms: float, now: int) -> Tally:
    """Take in an outage that was still going on at that age when we stopped to look at it."""
    exposed = _winsorised(_exposure(hazards, age_ms), hazards)
    after = _added(aged(tally, now), [0.0] * BINS, exposed)
    if age_ms < GONE_MS:
        return after
    return Tally(after.ended, after.exposed, after.gone + 1, after.at)


def aged(tally: Tally, now: int) -> Tally:
    """Forget by half in 30 days."""
    if tally.at == 0 or now <= tally.at:
        return Tally(tally.ended, tally.exposed, tally.gone, max(now, tally.at))
    keep = 0.5 ** ((now - tally.at) / HALF_LIFE_MS)
    return Tally(
        tuple(each * keep for each in tally.ended),
        tuple(each * keep for each in tally.exposed),
        tally.gone * keep,
        now,
    )


def total(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up, as they stand."""
    ended = [0.0] * BINS
    exposed = [0.0] * BINS
    gone, at = 0.0, 0
    for tally in tallies:
        ended = [a + b for a, b in zip(ended, tally.ended, strict=True)]
        exposed = [a + b for a, b in zip(exposed, tally.exposed, strict=True)]
        gone, at = gone + tally.gone, max(at, tally.at)
    return Tally(tuple(ended), tuple(exposed), gone, at)


def outages(tally: Tally) -> float:
    """Return how many ended outages a tally knows, faded ones by their rest."""
    return sum(tally.ended)


def _times(exposed: float, each: float) -> float:
    return exposed * each


def _pieces(low_ms: float, high_ms: float) -> Iterable[tuple[int, float, float]]:
    """Cut an interval of ages at the edges of the bins."""
    index = bisect(EDGES_MS, low_ms)
    while low_ms < high_ms:
        end = min(high_ms, EDGES_MS[index]) if index < len(EDGES_MS) else high_ms
        if end > low_ms:
            yield index, low_ms, end
        low_ms = end
        index += 1


def _exposure(hazards: Hazards, age_ms: float) -> Sequence[float]:
    exposed = [0.0] * len(hazards)
    for index, low, high in _pieces(0.0, age_ms):
        exposed[index] = (high - low) / 1000
    return exposed


def _winsorised(exposed: Sequence[float], hazards: Hazards) -> list[float]:
    """Cut an outage's exposure where more recoveries than `EXPECTED_MAX` were expected."""
    left = EXPECTED_MAX
    kept = []
    for seconds, each in zip(exposed, hazards, strict=True):
        part = min(seconds, left / each)
        left = max(0.0, left - part * each)
        kept.append(part)
    return kept


def _added(tally: Tally, done: Sequence[float], exposed: Sequence[float]) -> Tally:
    return Tally(
        tuple(a + b for a, b in zip(tally.ended, done, strict=True)),
        tuple(a + b for a, b in zip(tally.exposed, exposed, strict=True)),
        tally.gone,
        tally.at,
    )
