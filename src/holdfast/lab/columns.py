"""How figures are shown: in a terminal and on a page alike."""

from collections.abc import Iterator
from typing import Final, Literal

from holdfast.lab.compare import Comparison, Interval

Kind = Literal["share", "plain"]
_SMALL: Final = 0.01
"""A share below this is written with one digit more."""

COLUMNS: Final[tuple[tuple[str, str, Kind], ...]] = (
    ("recovered", "Recovered", "share"),
    ("tts_p50_s", "Median s", "plain"),
    ("tts_p99_s", "p99 s", "plain"),
    ("drain", "Drain", "plain"),
    ("wasted_per_message", "Wasted/msg", "plain"),
    ("knocks_per_second", "Knocks/s", "plain"),
    ("probes_per_second", "Probes/s", "plain"),
    ("peak", "Peak", "plain"),
    ("unwell_s", "Unwell s", "plain"),
    ("goodput", "Goodput", "share"),
    ("quota_used", "Quota", "share"),
    ("limited", "429", "share"),
    ("collateral_p99_s", "Others p99 s", "plain"),
    ("detect_s", "Seen after s", "plain"),
    ("late_s", "Late s", "plain"),
    ("sends_of_lost", "Sends/lost", "plain"),
    ("false_dead", "False dead", "share"),
    ("cost_balanced", "Cost", "plain"),
    ("probing_learned", "Probing, learned", "plain"),
    ("probing_new", "Probing, new", "plain"),
)
"""(figure, head, how it is written)."""
RATIOS: Final = ("wasted_per_message", "tts_p50_s", "tts_p99_s", "peak", "cost_balanced")
"""Figures whose ratios to the baselines are shown ..."""
LAW_RATIOS: Final = ("cost_attempts_dear", "cost_delay_dear", "probing_learned", "probing_new")
"""... and these too where a law of outages is known."""


def shown(comparison: Comparison) -> list[tuple[str, str, Kind]]:
    """Return the columns that mean something in a scenario."""
    return [
        column
        for column in COLUMNS
        if any(column[0] in figures for figures in comparison.policies.values())
    ]


def ratios(comparison: Comparison) -> list[str]:
    """Return the figures whose ratios mean something in a scenario."""
    wanted: tuple[str, ...] = RATIOS
    if any("probing_new" in figures for figures in comparison.ratios.values()):
        wanted = RATIOS + LAW_RATIOS
    return [name for name in wanted if any(name in found for found in comparison.ratios.values())]


def cells(comparison: Comparison, policy: str) -> Iterator[str]:
    """Yield a policy's medians, in the order of `shown`."""
    for name, _, kind in shown(comparison):
        found = comparison.policies[policy].get(name)
        yield "" if found is None else value(found.median, kind)


def ratio_cells(comparison: Comparison, policy: str) -> Iterator[str]:
    """Yield Holdfast's figures by a policy's, in the order of `ratios`."""
    for name in ratios(comparison):
        found = comparison.ratios[policy].get(name)
        yield "" if found is None else spread(found)


def value(one: float, kind: Kind = "plain") -> str:
    """Return a number as it is written."""
    if kind == "plain":
        return number(one)
    return f"{one:.2%}" if 0 < one < _SMALL else f"{one:.1%}"


def spread(found: Interval, kind: Kind = "plain") -> str:
    """Return a median with its interval."""
    middle, low, high = (value(one, kind) for one in (found.median, found.low, found.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def number(one: float) -> str:
    """Return a number with three digits that count."""
    return f"{one:,.0f}" if abs(one) >= 1000 else f"{one:.3g}"
