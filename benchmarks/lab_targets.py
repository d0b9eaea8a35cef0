"""What the lab's figures shall reach, and whether they do."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from holdfast.lab.alarms import Alarms
from holdfast.lab.columns import Kind, spread, value
from holdfast.lab.compare import Comparison, Interval
from holdfast.lab.product import NAME

AILING: Final = 0.05
"""Share of failures at which false alarms are counted."""
FALSE_ALARMS: Final = 2.0
"""False openings per 100,000 sends."""
SEEN: Final = 4
"""Settled failures within which a total outage is seen."""


class Target(msgspec.Struct, frozen=True):
    """One line that shall be reached.

    Attributes:
        what: the figure in words.
        scenarios: where.
        figure: its name in `lab.measure.Figures`.
        goal: `least` or `most`, what `bound` is.
        bound: the line.
        against: Holdfast's figure by that of a policy; None: the figure itself.
        kind: how it is written.
    """

    what: str
    scenarios: tuple[str, ...]
    figure: str
    goal: Literal["least", "most"]
    bound: float
    against: str | None = None
    kind: Kind = "plain"


class Verdict(msgspec.Struct, frozen=True):
    """What became of a target.

    Attributes:
        what: the figure in words.
        where: scenario.
        found: median and 95 % interval, as written.
        wanted: the line, as written.
        reached: the median is on the right side.
        factor: the median by the line.
    """

    what: str
    where: str
    found: str
    wanted: str
    reached: bool
    factor: float


_OUTAGES: Final = ("S1", "S2", "S3", "S9a", "S9b")
_QUOTAS: Final = ("S5a", "S5b", "S5c")
_WHOLE: Final = ("S1", "S2", "S3", "S4", *_QUOTAS, "S6", "S7a", "S7b", "S9a", "S9b")
_COSTS: Final = {
    "cost_attempts_dear": "a failed send at 100 s",
    "cost_balanced": "at 20 s",
    "cost_delay_dear": "at 5 s",
}

TARGETS: Final = (
    Target("wasted sends by Svix's", ("S2", "S3"), "wasted_per_message", "most", 1 / 50, "B5"),
    Target(
        "wasted sends by full jitter's", ("S2", "S3"), "wasted_per_message", "most", 1 / 500, "B2"
    ),
    Target("drain: oracle's p99 by ours", _OUTAGES, "drain", "least", 0.85),
    Target("peak on the returning partner by its capacity", _OUTAGES, "peak", "most", 1.1),
    Target("seconds until the partner is well", ("S9a", "S9b"), "unwell_s", "most", 90),
    Target("median time to success by Svix's", ("S2",), "tts_p50_s", "most", 1 / 5, "B5"),
    Target("median time to success by full jitter's", ("S2",), "tts_p50_s", "most", 0.9, "B2"),
    Target("median time to success by full jitter's", ("S9a",), "tts_p50_s", "most", 1 / 3, "B2"),
    Target("delivered within 72 hours", _WHOLE, "recovered", "least", 1.0, None, "share"),
    Target("goodput by the oracle's", ("S4",), "goodput", "least", 0.95, None, "share"),
    Target("quota used", _QUOTAS, "quota_used", "least", 0.9, None, "share"),
    Target("sends answered 429", _QUOTAS, "limited", "most", 0.05, None, "share"),
    Target(
        "p99 of healthy partners by the oracle's", ("S6",), "collateral_p99_s", "most", 1.1, "O"
    ),
    Target("up-time used, by the oracle's", ("S7a", "S7b"), "goodput", "least", 0.8, None, "share"),
    Target("probes per second while down", ("S7a", "S7b"), "probes_per_second", "most", 0.2),
    Target("sends until a 410 or a 422 is given up", ("S8a", "S8d"), "sends_of_lost", "most", 1),
    Target("sends until an unlabelled failure is", ("S8b", "S8e"), "sends_of_lost", "most", 6),
    Target(
        "good messages given up",
        ("S8a", "S8b", "S8c", "S8d", "S8e"),
        "false_dead",
        "most",
        0.001,
        None,
        "share",
    ),
    *(
        Target(f"cost by {title}'s, {words}", ("S10",), figure, "most", 0.5, policy)
        for policy, title in (("B2", "full jitter"), ("B5", "Svix"))
        for figure, words in _COSTS.items()
    ),
    Target(
        "cost of probing by the true law's, after 10 outages",
        ("S10",),
        "probing_learned",
        "most",
        1.25,
        "T",
    ),
    Target(
        "cost of probing by the true law's, partners with at most 3",
        ("S10",),
        "probing_new",
        "most",
        1.6,
        "T",
    ),
)


def verdicts(comparisons: Sequence[Comparison], alarms: Alarms | None) -> Iterator[Verdict]:
    """Yield what became of every target that was measured."""
    known = {each.scenario: each for each in comparisons}
    for target in TARGETS:
        for scenario in target.scenarios:
            found = _found(known.get(scenario), target)
            if found is not None:
                yield _verdict(target, scenario, found)
    if alarms is not None:
        yield from _alarmed(alarms)


def _found(comparison: Comparison | None, target: Target) -> Interval | None:
    if comparison is None:
        return None
    if target.against is None:
        return comparison.policies.get(NAME, {}).get(target.figure)
    return comparison.ratios.get(target.against, {}).get(target.figure)


def _verdict(target: Target, scenario: str, found: Interval) -> Verdict:
    middle, bound = found.median, target.bound
    reached = middle >= bound if target.goal == "least" else middle <= bound
    word = "at least" if target.goal == "least" else "at most"
    return Verdict(
        target.what,
        scenario,
        spread(found, target.kind),
        f"{word} {value(bound, target.kind)}",
        reached,
        middle / bound,
    )


def _alarmed(alarms: Alarms) -> Iterator[Verdict]:
    rate, early = alarms.per_100_000, alarms.seen_within(SEEN)
    where = f"{alarms.share:.0%} failures"
    yield Verdict(
        "false openings per 100,000 sends",
        where,
        value(rate),
        f"less than {FALSE_ALARMS:g}",
        rate < FALSE_ALARMS,
        rate / FALSE_ALARMS,
    )
    yield Verdict(
        f"total outages seen within {SEEN} failures",
        where,
        value(early, "share"),
        "100 %",
        early == 1,
        early,
    )
