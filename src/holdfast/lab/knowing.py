"""Holdfast, told by which law the outages end (T): what does having to learn it cost?

Lane, breaker, prober and pacer are the product's; only the hazard of recovery is not learned but
true, from the first outage on, and how many will wait by the next probe is known too. With both
the probe times are the cheapest there are: within 4 % of the best schedule that a search finds
(algorithms 3.6; Keller 1974).
"""

import itertools
import math
import random
from typing import Any, Final

from holdfast.engine.engine import Engine
from holdfast.engine.lane import Lane
from holdfast.engine.learning import Learning
from holdfast.lab.scenario import Fault
from holdfast.lab.world import World
from holdfast.model.learned import EDGES_MS, ProbePlan
from holdfast.policy.outage import HAZARD_MIN, Hazards

NAME: Final = "T"


def knowable(world: World) -> bool:
    """Tell whether every partner's outages last as long as one law says."""
    laws = [[fault for fault in profile.faults if fault.every] for profile in world.profiles]
    return all(len(found) == 1 for found in laws)


def engine(world: World) -> type[Engine]:
    """Return an engine whose lanes know the laws of a world."""
    laws = {
        name: hazards(next(fault for fault in profile.faults if fault.every))
        for name, profile in zip(world.names, world.profiles, strict=True)
    }
    rates = dict(zip(world.names, _rates(world), strict=True))

    class KnowingLane(Lane):
        """A lane that need not learn how long outages last."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            saved = self.learning.learned(0.0)
            self.learning = _Knowing(self.recipient, saved, given[2], self._waiting)
            self.learning.tell(laws[self.recipient.name], rates[self.recipient.name])

    class KnowingEngine(Engine):
        """An engine of such lanes."""

        lane_type = KnowingLane

    return KnowingEngine


def hazards(law: Fault) -> Hazards:
    """Return the true hazard of each bin of age: what would be learned from countless outages."""
    edges = (0, *EDGES_MS, 2 * EDGES_MS[-1])
    return tuple(
        max(HAZARD_MIN, _cumulated(law, high) - _cumulated(law, low)) / ((high - low) / 1000)
        for low, high in itertools.pairwise(edges)
    )


def _cumulated(law: Fault, age_ms: float) -> float:
    return law.shape * math.log1p(age_ms / 1000 / law.scale)


def _rates(world: World) -> list[float]:
    """Return the messages per second of every partner, while messages arrive."""
    return [
        max(rate for _, rate in profile.rates) * (number + 1) ** -profile.zipf
        for profile in world.scenario.partners
        for number in range(profile.count)
    ]


class _Knowing(Learning):
    """The memory of a lane that knows the truth."""

    def tell(self, truth: Hazards, per_second: float) -> None:
        """Take the truth in: the hazards, and the messages per second."""
        self._truth, self._per_second = truth, per_second

    def hazards(self, kind: str) -> Hazards:
        """Return the truth, whatever the failure."""
        del kind
        return self._truth

    @property
    def confident(self) -> bool:
        """Be sure: one good probe is enough."""
        return True

    def opened(
        self,
        now: int,
        failures: int,
        calls: int,
        arriving: float,
        rng: random.Random,
        *,
        took: float = 0.0,
    ) -> ProbePlan:
        """Plan the next probe with the true rate of arrivals in place of the measured one."""
        del arriving
        return super().opened(now, failures, calls, self._per_second, rng, took=took)
