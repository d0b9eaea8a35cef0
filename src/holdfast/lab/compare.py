"""Sets policies side by side: medians over the seeds, and ratios that are paired by seed."""

import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from holdfast.lab.measure import Figures
from holdfast.lab.product import NAME

T = TypeVar("T")
RESAMPLES: Final = 1000
_TAIL: Final = 0.025


class Interval(msgspec.Struct, frozen=True):
    """A median over seeds and its 95 % interval (percentile bootstrap, seeded)."""

    median: float
    low: float
    high: float


class Comparison(msgspec.Struct, frozen=True):
    """One scenario over many seeds.

    Attributes:
        scenario: its id.
        title: its title.
        seeds: how many worlds were drawn; every policy met each of them.
        policies: policy -> figure -> median over the seeds.
        ratios: baseline -> figure -> Holdfast's figure by the baseline's, paired by seed; seeds in
            which the baseline has 0 and Holdfast has not are left out.
    """

    scenario: str
    title: str
    seeds: int
    policies: dict[str, dict[str, Interval]]
    ratios: dict[str, dict[str, Interval]]


def compare(scenario: str, title: str, runs: Mapping[str, Sequence[Figures]]) -> Comparison:
    """Compare runs: policy -> figures, in the same order of seeds for every policy."""
    policies = {policy: _medians(figures) for policy, figures in runs.items()}
    ours = runs.get(NAME, ())
    ratios = {
        policy: _ratios(ours, figures)
        for policy, figures in runs.items()
        if policy != NAME and ours
    }
    return Comparison(scenario, title, max(map(len, runs.values()), default=0), policies, ratios)


def interval(values: Sequence[T], of: Callable[[Sequence[T]], float] | None = None) -> Interval:
    """Return the median (or what `of` says) and its 95 % interval; of one value, that value."""
    measured: Callable[[Sequence[Any]], float] = of or statistics.median
    middle = measured(values)
    if len(values) == 1:
        return Interval(middle, middle, middle)
    rng = random.Random(len(values))  # noqa: S311  # the same values give the same interval
    drawn = sorted(measured(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
    cut = math.floor(_TAIL * RESAMPLES)
    return Interval(middle, drawn[cut], drawn[-1 - cut])


def _medians(figures: Iterable[Figures]) -> dict[str, Interval]:
    rows = list(figures)
    found = {}
    for name in Figures.__struct_fields__:
        values = [value for row in rows if (value := getattr(row, name)) is not None]
        if values:
            found[name] = interval(values)
    return found


def _ratios(ours: Sequence[Figures], theirs: Sequence[Figures]) -> dict[str, Interval]:
    found = {}
    for name in Figures.__struct_fields__:
        values = []
        for mine, other in zip(ours, theirs, strict=True):
            a, b = getattr(mine, name), getattr(other, name)
            if a is None or b is None or (b == 0 and a != 0):
                continue
            values.append(1.0 if b == 0 else a / b)
        if values:
            found[name] = interval(values)
    return found
