"""Retries leave bad hours of the day and stop where they were in vain; both need evidence."""

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.learned import HOURS, TRIES, Habits
from holdfast.policy import habits
from holdfast.policy.habits import HOUR_MS

DAY_MS = HOURS * HOUR_MS


def seen(days: int, shares: dict[int, float]) -> Habits:
    """Return the habits after so many days of 100 sends an hour; other hours never fail."""
    known = Habits()
    for _, hour in itertools.product(range(days), range(HOURS)):
        known = habits.folded(known, hour, 100, round(100 * shares.get(hour, 0.0)))
    return known


def test_a_retry_leaves_a_daily_bad_hour() -> None:
    """Nine of ten fail from 2 to 4 every night: what is due then waits until 4 (S2.57)."""
    known = seen(3, {2: 0.9, 3: 0.8})
    at = 20_000 * DAY_MS + 2 * HOUR_MS + 600_000
    assert habits.after_bad_hours(known, at, 0.05) == 20_000 * DAY_MS + 4 * HOUR_MS
    good = at + 2 * HOUR_MS
    assert habits.after_bad_hours(known, good, 0.05) == good


def test_one_bad_day_is_no_habit() -> None:
    """An outage of last night says nothing of tonight."""
    once = seen(1, {2: 1.0})
    assert habits.after_bad_hours(once, 2 * HOUR_MS, 0.05) == 2 * HOUR_MS
    healed = once
    for _ in range(2):
        healed = habits.folded(healed, 2, 100, 0)
    assert habits.after_bad_hours(healed, 2 * HOUR_MS, 0.05) == 2 * HOUR_MS


def test_what_fails_at_every_hour_has_no_bad_hour() -> None:
    """Neither all hours, nor one that is no worse than usual."""
    flat = seen(5, dict.fromkeys(range(HOURS), 0.9))
    assert habits.after_bad_hours(flat, HOUR_MS, 0.05) == HOUR_MS
    usual = seen(5, dict.fromkeys(range(6), 0.6))
    assert habits.after_bad_hours(usual, HOUR_MS, 0.3) == HOUR_MS


def test_an_hour_of_few_sends_says_nothing() -> None:
    """Four failures at night are not a share."""
    quiet = Habits()
    assert habits.folded(quiet, 2, 4, 4) is quiet


def test_retries_in_vain_become_unlikely_and_come_back() -> None:
    """After some 200 vain third retries their chance is marginal; successes restore it (S2.56)."""
    known = Habits()
    for _ in range(200):
        known = habits.tried(known, 3, ok=False)
    assert habits.chance(known, 3) < habits.MARGINAL
    assert habits.chance(known, 2) == 0.2
    for _ in range(20):
        known = habits.tried(known, 3, ok=True)
    assert habits.chance(known, 3) > habits.MARGINAL


def test_a_simulated_partner_is_asked_no_more_often_than_helps() -> None:
    """Nothing succeeds after the second retry: most deliveries stop there, a few explore."""
    rng, known, made = Random(7), Habits(), 0
    for delivery in range(3000):
        for number in range(1, TRIES + 1):
            if habits.chance(known, number) < habits.MARGINAL and rng.random() >= habits.EXPLORE:
                break
            made += delivery >= 2000
            ok = number <= 2 and rng.random() < 0.4
            known = habits.tried(known, number, ok=ok)
            if ok:
                break
    assert made / 1000 < 1.8


@given(
    st.lists(st.tuples(st.integers(0, 23), st.integers(0, 50), st.integers(0, 50)), max_size=80),
    st.integers(0, 10**13),
    st.floats(0.02, 0.45),
)
def test_the_hours_stay_in_range(hours: list[tuple[int, int, int]], at: int, usual: float) -> None:
    """A share is one, and a retry moves forward by less than a day, to the start of an hour."""
    known = Habits()
    for hour, good, bad in hours:
        known = habits.folded(known, hour, good + bad, bad)
    found = habits.share(known, at)
    assert found is None or 0 <= found <= 1
    later = habits.after_bad_hours(known, at, usual)
    assert later == at or (at < later < at + DAY_MS and later % HOUR_MS == 0)


@given(st.lists(st.tuples(st.integers(-3, 20), st.booleans()), max_size=600))
def test_a_chance_is_one(tries: list[tuple[int, bool]]) -> None:
    """Whatever was tried, numbers that are not kept included."""
    known = Habits()
    for number, ok in tries:
        known = habits.tried(known, number, ok=ok)
    assert all(0 < habits.chance(known, number) < 1 for number in range(1, TRIES + 3))
