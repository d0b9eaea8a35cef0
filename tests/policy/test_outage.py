"""The outage model stays sound on any data and probes nearly as cheaply as one that knows."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.learned import BINS, Tally
from holdfast.model.policy import BreakerSettings
from holdfast.policy import outage, probing

DAY = 86_400_000
PAIRS = st.lists(st.tuples(st.floats(0, 30 * DAY), st.floats(1, DAY)), max_size=30)
COST = 20.0


def learned(pairs: list[tuple[float, float]]) -> Tally:
    """Return the tally of outages that ended between `low` and `low + width`."""
    tally = Tally()
    for low, width in pairs:
        tally = outage.ended(tally, outage.shrunk(outage.PRIOR, tally), low, low + width, 1)
    return tally


@given(PAIRS)
def test_hazards_are_positive_finite_and_within_their_clamps(
    pairs: list[tuple[float, float]],
) -> None:
    """Whatever outages were seen, every hazard stays in its range."""
    hazards = outage.shrunk(outage.PRIOR, learned(pairs))
    assert len(hazards) == BINS
    assert all(outage.HAZARD_MIN <= each <= outage.HAZARD_MAX for each in hazards)


@given(PAIRS, st.lists(st.floats(0, 60 * DAY), min_size=2, max_size=20))
def test_survival_never_rises(pairs: list[tuple[float, float]], ages: list[float]) -> None:
    """An outage is never more likely to last longer than to last shorter."""
    hazards = outage.shrunk(outage.PRIOR, learned(pairs))
    alive = [outage.survival(hazards, age) for age in sorted(ages)]
    assert alive == sorted(alive, reverse=True)
    assert all(0 <= each <= 1 for each in alive)


@given(PAIRS, st.floats(0, 30 * DAY), st.floats(1e-6, 1e9), st.floats(1000, DAY))
def test_intervals_stay_in_range(
    pairs: list[tuple[float, float]], age: float, rate: float, longest: float
) -> None:
    """The next look is never later than the longest interval, and it is a number."""
    hazards = outage.shrunk(outage.PRIOR, learned(pairs))
    assert 0 < probing.interval(hazards, age, rate, longest) <= longest


@given(st.floats(0, 10 * DAY), st.floats(1, DAY))
def test_an_end_is_one_recovery_in_all(low: float, width: float) -> None:
    """However wide the interval is, the shares of an end add up to one (interval censoring)."""
    tally = outage.ended(Tally(), outage.PRIOR, low, low + width, 1)
    assert sum(tally.ended) == pytest.approx(1, rel=1e-3)
    assert sum(tally.exposed) * 1000 <= (low + width) * 1.001


def test_one_extreme_outage_moves_little() -> None:
    """Three days once do not make the lane blind: the level falls by less than five times."""
    hazards = outage.shrunk(outage.PRIOR, learned([(3.0 * DAY, 1000.0)]))
    for own, prior in zip(hazards[:8], outage.PRIOR[:8], strict=True):
        assert own > prior / outage.CLAMP


def test_half_is_forgotten_in_thirty_days() -> None:
    """What was learned fades."""
    tally = outage.aged(learned([(1000.0, 10.0)]), 1 + int(outage.HALF_LIFE_MS))
    assert sum(tally.ended) == pytest.approx(0.5, rel=1e-3)


def test_the_permanent_share_grows_with_age_and_with_what_was_given_up() -> None:
    """The longer it is down, the less likely waiting helps; what never came back says so too."""
    chances = [outage.permanent(Tally(), outage.PRIOR, age) for age in (0, 60_000, DAY, 20 * DAY)]
    assert chances == sorted(chances)
    gone = outage.given_up(Tally(), outage.PRIOR, 8.0 * DAY, 1)
    assert outage.permanent(gone, outage.PRIOR, 0) > chances[0]


def test_it_stops_to_pay_when_waiting_does_not_help() -> None:
    """A cheap try for a dear delivery goes on; a dear one for little stops."""
    assert probing.pays(outage.PRIOR, 0.02, 0, value=100, half_life_s=math.inf, cost=1)
    assert not probing.pays(outage.PRIOR, 0.99, 5 * DAY, value=2, half_life_s=3600, cost=1)


def backwards(share: float, age_ms: float, value: float, half_life_s: float, cost: float) -> float:
    """Return J(t) of algorithms 3.6 by backward induction, the long way."""
    first = max(1000.0, age_ms)
    step = (30 * DAY / first) ** (1 / probing.AGES)
    ages = [first * step**n for n in range(probing.AGES + 1)]
    alive = [share + (1 - share) * outage.survival(outage.PRIOR, age) for age in ages]
    values = [value * 0.5 ** ((age - age_ms) / 1000 / half_life_s) for age in ages]
    best = [0.0] * len(ages)
    for i in range(probing.AGES - 1, -1, -1):
        for j in range(i + 1, len(ages)):
            p = 1 - alive[j] / alive[i]
            best[i] = max(best[i], -cost + p * values[j] + (1 - p) * best[j])
    return best[0]


@given(
    share=st.floats(0, 1),
    age=st.floats(0, 29 * DAY),
    value=st.floats(0.01, 1000),
    half_life_s=st.just(math.inf) | st.floats(1, 1e7),
)
def test_going_on_pays_exactly_where_a_single_try_does(
    *, share: float, age: float, value: float, half_life_s: float
) -> None:
    """The short way agrees with the backward induction, up to its rounding."""
    found = backwards(share, age, value, half_life_s, 1.0)
    if not 0 < found < 1e-9:
        pays = probing.pays(outage.PRIOR, share, age, value=value, half_life_s=half_life_s, cost=1)
        assert pays is (found > 0)


def lomax(alpha: float, scale: float) -> tuple[Callable[[random.Random], float], outage.Hazards]:
    """Return a law that draws durations in ms, and its true hazards by fine steps."""

    def draw(rng: random.Random) -> float:
        return float(1000 * scale * ((1 - rng.random()) ** (-1 / alpha) - 1))

    return draw, outage.lomax(alpha, scale)


def cost(
    next_ms: Callable[[float], float], draw: Callable[[random.Random], float], seed: int
) -> float:
    """Return the mean cost per outage of a schedule: probes, and seconds of not having noticed."""
    rng, total, runs = random.Random(seed), 0.0, 800
    for _ in range(runs):
        end, at = draw(rng), 0.0
        while True:
            at += next_ms(at)
            total += COST
            if at >= end:
                total += (at - end) / 1000
                break
    return total / runs


@pytest.mark.parametrize(
    ("alpha", "scale"), [(1.2, 60.0), (1.2, 330.0), (1.2, 1800.0), (3.0, 1200.0)]
)
def test_ten_outages_are_enough(alpha: float, scale: float) -> None:
    """After ten outages probing costs less than 1.3 times what knowing the law costs (3.5)."""
    draw, _ = lomax(alpha, scale)
    ratios = []
    for seed in range(3):
        rng = random.Random(seed)
        tally = Tally()
        for _ in range(10):
            hazards = outage.shrunk(outage.PRIOR, tally)
            end, at, before = draw(rng), 0.0, 0.0
            while at < end:
                before = at
                at += max(1000.0, probing.interval(hazards, at, 1 / COST, 3_600_000.0))
            tally = outage.ended(tally, hazards, before, at, 1)
        hazards = outage.shrunk(outage.PRIOR, tally)
        ours = cost(
            lambda at, known=hazards: max(  # type: ignore[misc]
                1000.0, probing.interval(known, at, 1 / COST, 3_600_000.0)
            ),
            draw,
            seed + 100,
        )
        best = cost(
            lambda at: max(1000.0, 1000 * math.sqrt(2 * COST * (scale + at / 1000) / alpha)),
            draw,
            seed + 100,
        )
        ratios.append(ours / best)
    assert sum(ratios) / len(ratios) < 1.3


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(0, 10 * DAY), st.randoms(use_true_random=False))
def test_a_plan_says_what_it_was_computed_from(waiting: int, age: int, rng: random.Random) -> None:
    """The wait is the interval times the draw, inside the settings' range (promise 7)."""
    using = BreakerSettings(probe_min_seconds=2, probe_max_seconds=600)
    plan = probing.plan(
        using, outage.PRIOR, Tally(), kind="server", known=False, age_ms=age, waiting=waiting,
        arriving=0.0, rng=rng,
    )  # fmt: skip
    assert 2000 <= plan.wait_ms <= 600_000
    assert plan.model.endswith(":prior")
    assert 0.9 <= plan.draw <= 1.1
    expected = min(600_000, max(2000, plan.interval_ms * plan.draw))
    assert abs(plan.wait_ms - expected) < 40


def test_what_arrives_brings_the_next_look_forward() -> None:
    """Twenty a second on top of twenty that wait: a look after 13 s, not after 35 s."""
    settings = BreakerSettings()
    alone, more = (
        probing.plan(
            settings, outage.PRIOR, Tally(), kind="server", known=False, age_ms=0, waiting=20,
            arriving=arriving, rng=random.Random(1),
        )
        for arriving in (0.0, 20.0)
    )  # fmt: skip
    assert 32_000 < alone.interval_ms < 37_000
    assert 11_000 < more.interval_ms < 15_000
