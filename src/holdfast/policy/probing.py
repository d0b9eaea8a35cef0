"""When to look again: the cheapest times to test a recipient that is down (algorithms 3.6).

Looking costs `cost`; not having noticed a recovery costs `value` a second for each delivery that
waits. The cheapest density of looks is `sqrt(v N h(t) / 2c)`, h being the hazard of recovery
(Keller 1974; Barlow, Hunter and Proschan 1963 give the exact recursion). The interval is taken
where it lies: at t + x/2.

Nothing here sends faster than the settings' shortest interval or slower than the longest.
"""

import math
from random import Random
from typing import Final

from holdfast.model.learned import ProbePlan, Tally
from holdfast.model.policy import BreakerSettings
from holdfast.policy import outage

SPREAD: Final = 0.1
"""Each interval is multiplied by a draw from 1 -/+ this, so that lanes do not keep step."""
AGES: Final = 60
"""Ages that the stop rule looks at, evenly on a log scale."""


def interval(
    hazards: outage.Hazards, age_ms: float, rate: float, longest_ms: float, *, growth: float = 0.0
) -> float:
    """Return the cheapest time in ms until the next look.

    Args:
        hazards: of recovery.
        age_ms: how long it has been down.
        rate: `v N / c`: cost of a second of waiting by the cost of a look ...
        growth: ... and how much that grows in a second, as more arrives.
        longest_ms: no more than this.
    """
    x = 0.0
    for _ in range(8):  # at t + x/2, which depends on x: half a step each time settles it
        each = outage.hazard(hazards, age_ms + x / 2)
        costs = rate + growth * x / 2000
        found = min(longest_ms, 1000 * math.sqrt(2 / (costs * each)))
        x = (x + found) / 2 if growth and x else found
    return x


def plan(
    settings: BreakerSettings,
    hazards: outage.Hazards,
    tally: Tally,
    *,
    kind: str,
    known: bool,
    age_ms: int,
    waiting: int,
    arriving: float,
    rng: Random,
) -> ProbePlan:
    """Return when to probe next, with all that it was computed from.

    Args:
        settings: costs and range.
        hazards: of recovery, for this lane and class.
        tally: the class's outages, for the permanent share.
        kind: failure class.
        known: the hazards rest on outages that were seen, not on the prior alone.
        age_ms: how long it has been down.
        waiting: deliveries that wait.
        arriving: deliveries a second that come on top.
        rng: draws the factor.
    """
    least, most = settings.probe_min_seconds * 1000, settings.probe_max_seconds * 1000
    value = settings.delay_cost / settings.probe_cost
    growth = value * arriving
    x = max(least, interval(hazards, age_ms, value * max(1, waiting), most, growth=growth))
    draw = rng.uniform(1 - SPREAD, 1 + SPREAD)
    return ProbePlan(
        model=outage.VERSION if known else f"{outage.VERSION}:prior",
        failure_class=kind,
        down_ms=age_ms,
        hazard=float(f"{outage.hazard(hazards, age_ms + x / 2):.4g}"),
        waiting=waiting,
        arriving=round(arriving, 3),
        cost=settings.probe_cost,
        value=settings.delay_cost,
        interval_ms=round(x),
        draw=round(draw, 4),
        wait_ms=max(1, round(min(most, max(least, x * draw)))),
        permanent=round(outage.permanent(tally, hazards, age_ms), 4),
    )


def pays(
    hazards: outage.Hazards,
    share: float,
    age_ms: float,
    *,
    value: float,
    half_life_s: float,
    cost: float,
) -> bool:
    """Tell whether going on is worth anything at that age (algorithms 3.6); no: stop.

    The value of going on is `J(t) = max(0, max_x -c + p V + (1 - p) J(t + x))`, p being the
    chance that a try at t + x finds it well, with the permanent `share` taken out. It is above 0
    exactly where a single try at some age pays, `p V > c`: where several pay together, the first
    of them does not, and the others do once it failed, a single try at the age of one of those
    pays as well, since its chance includes what the first would have found. So nothing has to be
    computed backwards; a test compares.

    Args:
        hazards: of recovery.
        share: of outages that waiting does not end, at age 0.
        age_ms: now.
        value: of a delivery now ...
        half_life_s: ... which halves in this time (`inf`: it keeps its value).
        cost: of a try.
    """
    top = 30 * 86_400_000.0
    if age_ms >= top or value <= cost:
        return False
    first = max(1000.0, age_ms)
    alive = share + (1 - share) * outage.survival(hazards, first)
    for n in range(AGES, 0, -1):
        age = first * (top / first) ** (n / AGES)
        p = 1 - (share + (1 - share) * outage.survival(hazards, age)) / alive
        if p * value * 0.5 ** ((age - age_ms) / 1000 / half_life_s) > cost:
            return True
    return False
