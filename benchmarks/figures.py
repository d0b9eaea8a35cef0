"""What a scenario reports, and the little statistics that it needs."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

Round = dict[str, Any]
Tell = Callable[[str], None]
"""Says what is measured now; each call is one step of the progress bar."""


class Size(msgspec.Struct, frozen=True):
    """How much to measure.

    Attributes:
        scale: 1 is the full size; counts shrink with it.
        rounds: pairs of measurements whose ratios are compared.
    """

    scale: float = 1.0
    rounds: int = 5

    def of(self, full: int, least: int = 1) -> int:
        """Return a count of this size."""
        return max(least, round(full * self.scale))


class Figure(msgspec.Struct, frozen=True):
    """One number of a scenario: the median of its rounds, with the smallest and the largest.

    Attributes:
        what: the number in words.
        unit: of it; empty for a ratio.
        value: the median.
        low: the smallest.
        high: the largest.
        goal: `least` or `most`, what `target` is.
        target: what we want, None: it is only told.
    """

    what: str
    unit: str
    value: float
    low: float
    high: float
    goal: Literal["least", "most"] | None = None
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Tell whether the target is reached."""
        if self.target is None:
            return None
        return self.value >= self.target if self.goal == "least" else self.value <= self.target


class Result(msgspec.Struct, frozen=True):
    """What a scenario found, with every round as it was measured."""

    figures: tuple[Figure, ...]
    rounds: tuple[Round, ...]


def figure(
    what: str,
    values: Iterable[float],
    unit: str = "",
    *,
    least: float | None = None,
    most: float | None = None,
) -> Figure:
    """Return the figure of several rounds, with its target if it has one."""
    found = sorted(values)
    goal: Literal["least", "most"] | None = "least" if least is not None else "most"
    target = least if least is not None else most
    return Figure(
        what,
        unit,
        round(statistics.median(found), 4),
        round(found[0], 4),
        round(found[-1], 4),
        None if target is None else goal,
        target,
    )


def ratios(rounds: Sequence[Round], top: str, bottom: str, of: str = "per_second") -> list[float]:
    """Return the ratio of two measurements of each round."""
    return [each[top][of] / each[bottom][of] for each in rounds]


def column(rounds: Sequence[Round], what: str, of: str = "per_second") -> list[float]:
    """Return one number of each round; `what` is empty when a round has one measurement."""
    return [(each[what] if what else each)[of] for each in rounds]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all do not exceed."""
    found = sorted(values)
    return found[max(0, math.ceil(share * len(found)) - 1)]


def quantiles(name: str, values: Sequence[float], *shares: float) -> dict[str, float]:
    """Return `NAME_p50`, `NAME_p99` and so on."""
    return {f"{name}_p{share * 100:g}": round(quantile(values, share), 3) for share in shares}


class Scenario(msgspec.Struct, frozen=True):
    """A scenario that was measured.

    Attributes:
        name: of its module.
        title: for people.
        about: what was done, from the module's docstring.
        result: what it found.
        seconds: how long it took.
        load: the machine's load average before and after.
    """

    name: str
    title: str
    about: str
    result: Result
    seconds: float
    load: tuple[float, float]
