"""The pace rises while the partner takes it, falls when it does not, and never jumps."""

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.model.learned import Pace
from holdfast.policy import pacer

NOW = 1_000_000


def second(pace: Pace, now: int, *, good: int, bad: int = 0, took_ms: float = 10.0) -> Pace:
    """Let a second with so many answers pass."""
    for index in range(good + bad):
        pace = pacer.answered(
            pace, now + 5000, good=index < good, bad=index >= good, took_ms=took_ms
        )
    return pacer.step(pace, now=now, typical_ms=10.0, concurrency=64)


def driven(pace: Pace, seconds: int, takes: float) -> list[float]:
    """Send at the pace to a partner that takes so many a second; return the rates."""
    rates = []
    for n in range(seconds):
        sent = max(1, int(pace.rate))
        good = min(sent, int(takes))
        pace = second(pace, NOW + 1000 * (n + 1), good=good, bad=sent - good)
        rates.append(pace.rate)
    return rates


def test_it_starts_at_a_tenth_and_doubles_in_three_seconds() -> None:
    """Slow start: ten times the start after about ten seconds."""
    pace = pacer.begin("outage", before=100.0, usual=0.02, concurrency=64, now=NOW)
    assert pace.rate == 10.0
    rates = driven(pace, 12, takes=10_000)
    assert 18 < rates[2] < 21
    assert max(later / now for now, later in itertools.pairwise(rates)) < 1.27


def test_it_stays_near_what_the_partner_takes() -> None:
    """Over five minutes nine tenths of 50 a second are used, and it is hardly a tenth above."""
    rates = driven(
        pacer.begin("outage", before=50.0, usual=0.02, concurrency=64, now=NOW), 300, takes=50
    )
    settled = rates[30:]
    assert max(settled) <= 56
    assert sum(min(50, each) for each in settled) / len(settled) >= 45


def test_slow_answers_end_the_doubling() -> None:
    """Twice the usual duration: the rate rises gently from there on."""
    pace = pacer.begin("outage", before=100.0, usual=0.02, concurrency=64, now=NOW)
    slow = second(pace, NOW + 1000, good=10, took_ms=50.0)
    assert not slow.slow_start
    assert slow.rate <= pace.rate * 1.05


def test_a_rate_that_is_not_used_does_not_rise() -> None:
    """A quiet lane learns nothing of what the partner takes."""
    pace = pacer.begin("outage", before=100.0, usual=0.02, concurrency=64, now=NOW)
    assert second(pace, NOW + 1000, good=2).rate == pace.rate


def test_failures_that_no_cut_helps_do_not_starve_the_lane() -> None:
    """Four of ten fail at any rate: after five cuts the rate comes back to what it was."""
    pace, rng, owed = (
        pacer.begin("failures", before=20.0, usual=0.02, concurrency=64, now=NOW),
        Random(1),
        0.0,
    )
    for n in range(60):
        owed += pace.rate
        sent = int(owed)
        owed -= sent
        bad = sum(rng.random() < 0.4 for _ in range(sent))
        pace = second(pace, NOW + 1000 * (n + 1), good=sent - bad, bad=bad)
    assert pace.rate > 14


def test_a_partner_that_refuses_everything_is_asked_ever_more_rarely() -> None:
    """429 for ever: the rate falls to one a minute and no further."""
    pace = pacer.begin("limit", before=20.0, usual=0.02, concurrency=64, now=NOW)
    for n in range(60):
        pace = second(pace, NOW + 1000 * (n + 1), good=0, bad=1)
    assert pace.rate == pacer.LEAST_REFUSED


def test_the_end_needs_a_calm_minute() -> None:
    """A backlog or a bad answer starts the minute anew."""
    pace = pacer.begin("outage", before=1.0, usual=0.02, concurrency=64, now=NOW)
    pace = pacer.calm(pace, now=NOW, backlog=False, well=True)
    assert not pacer.over(pace, NOW + 59_999, 60_000)
    assert pacer.over(pace, NOW + 60_000, 60_000)
    assert not pacer.calm(pace, now=NOW, backlog=True, well=True).calm_at


@given(rate=st.floats(0, 1e4), accepted=st.floats(0, 1e4), slow=st.booleans())
def test_the_next_owner_is_never_faster(rate: float, accepted: float, *, slow: bool) -> None:
    """A restart does not raise the rate."""
    pace = replace(
        pacer.begin("outage", before=0.0, usual=0.02, concurrency=8, now=NOW),
        rate=max(1.0, rate),
        accepted=accepted,
        slow_start=slow,
    )
    assert pacer.resumed(pace, NOW + 1).rate <= pace.rate


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=60))
def test_a_second_never_more_than_doubles(seconds: list[tuple[int, int]]) -> None:
    """Whatever comes back, the rate is positive and rises by no more than its slow start."""
    pace = pacer.begin("outage", before=30.0, usual=0.02, concurrency=64, now=NOW)
    for n, (good, bad) in enumerate(seconds):
        before = pace
        pace = second(pace, NOW + 1000 * (n + 1), good=good, bad=bad)
        assert 0 < pace.rate <= max(2.0, before.rate * 1.27, before.top)
        assert 1 <= pace.limit <= 64


def test_a_partner_with_failures_of_its_own_is_served_at_full_rate() -> None:
    """Three of ten always fail: after the cuts the rate is back above what arrives, to stay."""
    pace = pacer.begin("failures", before=20.0, usual=0.02, concurrency=64, now=NOW)
    rng, owed, rates = Random(1), 0.0, []
    for n in range(300):
        owed += pace.rate
        sent = min(40, int(owed))  # no more arrives
        owed = 0.0
        bad = sum(rng.random() < 0.3 for _ in range(sent))
        pace = second(pace, NOW + 1000 * (n + 1), good=sent - bad, bad=bad)
        rates.append(pace.rate)
    assert 0.25 < pace.own < 0.4
    assert min(rates[60:]) > 25


def test_an_overload_is_not_taken_for_failures_of_the_partners_own() -> None:
    """Ten times the capacity: cuts help, so they go on, and no failures become usual."""
    pace = pacer.begin("failures", before=200.0, usual=0.02, concurrency=64, now=NOW)
    rates = driven(pace, 120, takes=20)
    assert max(rates[40:]) <= 24


def test_long_answers_hold_the_rate_and_very_long_ones_lower_it() -> None:
    """Its queue says that it is full, long before it refuses."""
    pace = pacer.begin("outage", before=100.0, usual=0.02, concurrency=64, now=NOW)
    held = second(pace, NOW + 1000, good=10, took_ms=150.0)
    assert held.rate == pace.rate
    assert second(held, NOW + 2000, good=10, took_ms=300.0).rate == 0.95 * held.rate


def test_after_a_relapse_it_starts_at_half_of_what_was_taken() -> None:
    """A partner that took 40 a second until it fell again is not led up from a tenth anew."""
    again = pacer.begin("outage", before=10.0, usual=0.02, concurrency=64, now=NOW, took=40.0)
    assert again.rate == 20.0
    rates = driven(again, 12, takes=10_000)
    assert rates[3] > 40.0


def test_a_cut_does_not_hide_an_outage() -> None:
    """Failures of sends from before a cut are no news, but twelve in a row are."""
    pace = pacer.begin("outage", before=100.0, usual=0.02, concurrency=64, now=NOW)
    pace = second(pace, NOW + 1000, good=5, bad=5)
    assert pace.cuts == 1
    for _ in range(pacer.GONE - pace.lost):
        assert pacer.settling(pace, NOW + 900)
        pace = pacer.answered(pace, NOW + 900, good=False, bad=True, took_ms=0)
    assert not pacer.settling(pace, NOW + 900)
    pace = pacer.answered(pace, NOW + 900, good=True, bad=False, took_ms=10)
    assert pacer.settling(pace, NOW + 900)
