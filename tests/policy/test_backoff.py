"""Delays are exactly the documented ones without jitter, and inside their window with it."""

import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.flow import Catalog, Endpoint, Recipient
from holdfast.model.learned import BINS
from holdfast.model.policy import JitterKind, Phase, Policy, PolicySettings, Strategy
from holdfast.policy import precedence
from holdfast.policy.backoff import FULL_FLOOR, plan, schedule
from holdfast.policy.outage import Hazards

PARTNER = Recipient(name="acme", endpoints=(Endpoint(url="https://acme.example/"),))


def policy(**settings: Any) -> Policy:
    """Resolve settings on the recipient level of an otherwise empty catalog."""
    partner = Recipient(name="acme", endpoints=PARTNER.endpoints, policy=PolicySettings(**settings))
    return precedence.resolve(Catalog(), flow=None, step=None, recipient=partner)


def drawn(chosen: Policy, retries: int) -> list[float]:
    """Plan retries one after the other and return the drawn delays in seconds."""
    rng, last, delays = random.Random(1), 0, []
    for n in range(1, retries + 1):
        last = plan(chosen, n, last, rng).draw_ms
        delays.append(last / 1000)
    return delays


NONE = JitterKind.NONE
EXACT = [
    ("S1.25 immediate", {"strategy": Strategy.IMMEDIATE}, [0, 0, 0]),
    ("S1.26 fixed", {"strategy": Strategy.FIXED, "initial_delay": 5.0}, [5, 5]),
    ("S1.27 exponential", {}, [2, 4, 8, 16, 32, 60, 60]),
    ("S1.28 linear", {"strategy": Strategy.LINEAR}, [2, 4, 6, 8]),
    ("S1.28 linear step", {"strategy": Strategy.LINEAR, "increment": 5.0}, [2, 7, 12]),
    ("S1.28 linear capped", {"strategy": Strategy.LINEAR, "max_interval": 5.0}, [2, 4, 5, 5]),
    ("S1.30 circuit breaker", {"strategy": Strategy.CIRCUIT_BREAKER}, [2, 4, 8]),
    ("S2.26 conservative", {"template": "conservative"}, [5, 5]),
    ("S2.27 standard", {"template": "standard"}, [2, 4, 8]),
    ("S2.28 aggressive", {"template": "aggressive"}, [1, 2, 4, 8, 16]),
    ("S2.19 cap", {}, [2, 4, 8, 16, 32, 60, 60]),
    ("S2.31 capped at 20", {"max_interval": 20.0}, [2, 4, 8, 16, 20]),
    ("S2.31 five retries", {}, [2, 4, 8, 16, 32]),
    ("S2.33 fixed", {"strategy": Strategy.FIXED}, [2, 2, 2, 2]),
]


@pytest.mark.parametrize(("settings", "delays"), [case[1:] for case in EXACT], ids=lambda _: "")
def test_exact_sequences(settings: dict[str, Any], delays: list[float]) -> None:
    """Without jitter the planned delays are the seeds' sequences (S1.25-S1.30, S2.26-S2.33)."""
    chosen = policy(**({"jitter": NONE} | settings))
    assert schedule(chosen, len(delays)) == delays
    assert drawn(chosen, len(delays)) == delays


def test_hybrid_is_its_phases_in_order() -> None:
    """A hybrid plays its phases, each counting its own retries; the last one stays (S1.32)."""
    chosen = policy(
        strategy=Strategy.HYBRID,
        jitter=NONE,
        phases=(
            Phase(Strategy.IMMEDIATE, attempts=1),
            Phase(Strategy.EXPONENTIAL, attempts=3, initial_delay=1.0, multiplier=3.0),
            Phase(Strategy.LINEAR, increment=10.0, max_interval=25.0),
        ),
    )
    delays = [0, 1, 3, 9, 2, 12, 22, 25, 25]
    assert schedule(chosen, 9) == delays
    assert drawn(chosen, 9) == delays


def test_the_last_phase_lasts_even_with_a_count() -> None:
    """The last phase is open-ended: retries beyond its count stay in it."""
    chosen = policy(strategy=Strategy.HYBRID, jitter=NONE, phases=(Phase(Strategy.FIXED, 1),))
    assert schedule(chosen, 3) == [2, 2, 2]


def test_strategy_jitter_means_full_jitter_unless_another_kind_is_named() -> None:
    """S1.29: jitter is an exponential base under full jitter; a named kind is used instead."""
    rng = random.Random(1)
    full = plan(policy(strategy=Strategy.JITTER), 2, 0, rng)
    assert (full.low_ms, full.high_ms) == (int(4000 * FULL_FLOOR), 4000)
    equal = plan(policy(strategy=Strategy.JITTER, jitter=JitterKind.EQUAL), 2, 0, rng)
    assert (equal.low_ms, equal.high_ms) == (2000, 4000)


def test_phases_choose_their_jitter() -> None:
    """A phase's own kind wins; a jitter phase without one is full; others take the policy's."""
    chosen = policy(
        strategy=Strategy.HYBRID,
        jitter=NONE,
        phases=(
            Phase(Strategy.FIXED, attempts=1, jitter=JitterKind.EQUAL),
            Phase(Strategy.JITTER, attempts=1),
            Phase(Strategy.FIXED),
        ),
    )
    windows = [plan(chosen, n, 0, random.Random(1)) for n in (1, 2, 3)]
    assert [(w.low_ms, w.high_ms) for w in windows] == [(1000, 2000), (200, 2000), (2000, 2000)]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (JitterKind.NONE, 8000, 8000),
        (JitterKind.FULL, 800, 8000),
        (JitterKind.EQUAL, 4000, 8000),
        (JitterKind.PERCENT, 6400, 9600),
        (JitterKind.DECORRELATED, 2000, 12_000),
    ],
)
def test_ten_thousand_draws_fill_the_window(kind: JitterKind, low: int, high: int) -> None:
    """S1.29: every draw is inside the window and the draws are spread evenly, not clustered."""
    chosen, rng = policy(jitter=kind), random.Random(7)
    plans = [plan(chosen, 3, 4000, rng) for _ in range(10_000)]
    assert {(one.low_ms, one.high_ms) for one in plans} == {(low, high)}
    draws = [one.draw_ms for one in plans]
    assert low <= min(draws) <= max(draws) <= high
    if high > low:
        tenths = statistics.quantiles(draws, n=10)
        for index, value in enumerate(tenths, start=1):
            assert value == pytest.approx(low + (high - low) * index / 10, abs=(high - low) / 40)


def test_jitter_spreads_a_thousand_that_failed_together() -> None:
    """S2.32: the busiest 100 ms after a common failure has a fraction of the sends without it."""
    chosen, rng = policy(jitter=JitterKind.FULL), random.Random(3)
    slots = [plan(chosen, 3, 0, rng).draw_ms // 100 for _ in range(1000)]
    assert max(slots.count(slot) for slot in set(slots)) < 1000 / 20


def test_decorrelated_starts_from_the_initial_delay() -> None:
    """Without an earlier delay the window is one to three initial delays."""
    window = plan(policy(jitter=JitterKind.DECORRELATED), 1, 0, random.Random(1))
    assert (window.low_ms, window.high_ms) == (2000, 6000)


def test_decorrelated_still_spreads_at_the_cap() -> None:
    """Even after the longest delay the window is wide."""
    window = plan(policy(jitter=JitterKind.DECORRELATED), 9, 60_000, random.Random(1))
    assert (window.low_ms, window.high_ms) == (2000, 60_000)


def test_percent_never_passes_the_cap() -> None:
    """At the cap, percent jitter only shortens."""
    window = plan(policy(jitter=JitterKind.PERCENT, jitter_ratio=0.5), 9, 0, random.Random(1))
    assert (window.low_ms, window.high_ms) == (30_000, 60_000)


def test_the_same_seed_draws_the_same() -> None:
    """S1.29: jitter is seedable."""
    chosen = policy(jitter=JitterKind.FULL)
    assert drawn(chosen, 8) == drawn(chosen, 8)


phases = st.builds(
    Phase,
    strategy=st.sampled_from([s for s in Strategy if s is not Strategy.HYBRID]),
    attempts=st.integers(1, 5),
    initial_delay=st.none() | st.floats(1, 60),
    multiplier=st.none() | st.floats(1.5, 3),
    max_interval=st.none() | st.floats(1, 300),
    increment=st.none() | st.floats(0, 300),
    jitter=st.none() | st.sampled_from(JitterKind),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw a policy with values far outside the usual ranges."""
    initial = draw(st.floats(0, 400))
    values = precedence.DEFAULTS | {
        "strategy": draw(st.sampled_from(Strategy)),
        "jitter": draw(st.sampled_from(JitterKind)),
        "jitter_ratio": draw(st.floats(0, 1)),
        "initial_delay": initial,
        "increment": initial,
        "multiplier": draw(st.floats(1, 100)),
        "max_interval": draw(st.floats(0, 400)),
        "phases": tuple(draw(st.lists(phases, min_size=1, max_size=4))),
    }
    return Policy(**values, origin={}, id="x")


@given(
    chosen=policies(),
    n=st.integers(1, 10_000),
    last=st.integers(0, 10**7),
    seed=st.integers(0, 100),
    learned=st.none() | st.lists(st.floats(1e-8, 10), min_size=BINS, max_size=BINS).map(tuple),
    age=st.integers(-1, 10**10),
)
def test_every_delay_is_between_zero_and_the_cap(
    *, chosen: Policy, n: int, last: int, seed: int, learned: Hazards | None, age: int
) -> None:
    """Whatever is configured and learned: 0 <= low <= draw <= high <= cap, for any retry."""
    window = plan(chosen, n, last, random.Random(seed), hazards=learned, age_ms=age)
    caps = [chosen.max_interval]
    if chosen.strategy is Strategy.HYBRID:
        caps = [part.max_interval or chosen.max_interval for part in chosen.phases]
    assert 0 <= window.low_ms <= window.draw_ms <= window.high_ms <= round(max(caps) * 1000)
