"""The change detector sees an outage in four failures and errs about twice in 100,000 sends."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.lane import Breaker, BreakerState
from holdfast.model.policy import BreakerSettings
from holdfast.policy import breaker as breakers
from holdfast.policy import cusum

CUSUM = BreakerSettings()
BASE = cusum.LEVELS.index(0.05)


def fed(breaker: Breaker, *results: bool, base: int = BASE, slow: bool = False) -> Breaker:
    """Record results one second after the other."""
    now = max(1_000_000, breaker.scored_at)
    for ok in results:
        now += 1000
        breaker = breakers.record(
            breaker,
            CUSUM,
            ok=ok,
            started_at=now,
            now=now,
            rng=random.Random(1),
            base=base,
            slow=slow,
            pace=10.0,
        )
    return breaker


def test_a_very_good_recipient_opens_at_the_fourth_failure_too() -> None:
    """At 2 % three failures reach the alarm; it waits for the fourth, and then opens."""
    healthy = fed(Breaker(), *[True] * 50, base=0)
    assert fed(healthy, *[False] * 3, base=0).state is BreakerState.CLOSED
    assert fed(healthy, *[False] * 4, base=0).state is BreakerState.OPEN


def test_a_total_outage_is_seen_in_four_failures() -> None:
    """With 5 % as the base rate the fourth failure in a row opens the lane, the third does not."""
    healthy = fed(Breaker(), *[True] * 50)
    assert fed(healthy, *[False] * 3).state is BreakerState.CLOSED
    opened = fed(healthy, *[False] * 4)
    assert opened.state is BreakerState.OPEN
    assert opened.reason == "4 of 4 sends failed or were slow, 5% is usual"


def test_a_partial_failure_throttles() -> None:
    """Every second send fails: the lane goes on, slower, and the breaker does not open."""
    after = fed(Breaker(), *[False, True] * 10)
    assert after.state is BreakerState.RECOVERY
    assert after.throttled
    assert after.rate_before == 10.0


def test_a_throttled_lane_opens_when_everything_fails() -> None:
    """Seventeen failures in a row are an outage, sixteen may be a brown-out."""
    ailing = fed(Breaker(), *[False, True] * 10)
    assert fed(ailing, *[False] * 16).state is BreakerState.RECOVERY
    assert fed(ailing, *[False] * 17).state is BreakerState.OPEN


def test_a_recovering_lane_opens_again_after_seven_failures() -> None:
    """The row that raises the alarm does not turn the recovery into a throttle: it is down."""
    well = Breaker(state=BreakerState.RECOVERY)
    assert fed(well, *[False] * 6).state is BreakerState.RECOVERY
    assert fed(well, *[False] * 7).state is BreakerState.OPEN


def test_slow_answers_count_half() -> None:
    """Good but slow answers alone raise the alarm too, later than failures, and throttle."""
    slow = fed(Breaker(), *[True] * 11, slow=True)
    assert slow.state is BreakerState.CLOSED
    assert fed(slow, *[True], slow=True).state is BreakerState.RECOVERY


def test_what_is_usual_is_no_alarm() -> None:
    """Who always fails three of ten sends keeps the lane, once that is known (S2.58)."""
    rng = random.Random(3)
    base = cusum.level(2000, 600)
    assert cusum.LEVELS[base] == 0.3
    breaker = Breaker()
    for _ in range(5000):
        breaker = fed(breaker, rng.random() > 0.3, base=base)
        assert breaker.state is BreakerState.CLOSED


def test_the_score_fades_while_nothing_is_sent() -> None:
    """Its half-life is five minutes, after a minute without a send."""
    breaker = fed(Breaker(), *[False] * 2)
    at = breaker.scored_at + cusum.IDLE_MS
    assert cusum.faded(breaker, at) == breaker.score
    later = at + int(cusum.HALF_LIFE_MS)
    assert cusum.faded(breaker, later) == pytest.approx(breaker.score / 2)


@given(st.floats(0, 1e6), st.floats(0, 1))
def test_what_is_usual_stays_in_its_range(calls: float, share: float) -> None:
    """Whatever was seen, p0 is between 0.02 and 0.3."""
    assert 0 <= cusum.level(calls, calls * share) < len(cusum.LEVELS)


def test_false_alarms_are_rare() -> None:
    """Less than two in 100,000 sends at 5 % failures open the lane, over a million sends.

    The gaps between failures are drawn, not the sends: between them the score only falls.
    """
    assert alarms(random.Random(20), failures=50_000) < 20


def alarms(rng: random.Random, failures: int) -> int:
    """Return how often so many failures at 5 % (20 sends each) raise an alarm that opens."""
    failed, fine = cusum.ratios(0.05)
    score, row, run, bad, count = 0.0, 0, 0, 0, 0
    for _ in range(failures):
        good = int(rng.expovariate(0.051293))  # geometric: -ln(1 - 0.05)
        if good:
            row = 0
        score += good * fine
        run += good
        if score <= 0:
            score, run, bad = 0.0, 0, 0
        score += failed
        row, run, bad = row + 1, run + 1, bad + 1
        if score >= cusum.ALARM:
            count += row >= cusum.IN_A_ROW and bad >= cusum.DOWN_SHARE * run
            score, row, run, bad = 0.0, 0, 0, 0
    return count
