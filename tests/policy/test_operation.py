"""What an operation does next, for values of its state: nothing runs here."""

import random

import msgspec
import pytest

from holdfast.model.operation import Canary, Kind, Operation, Plan, Stage, State, Tallies
from holdfast.model.search import Choice, Predicate
from holdfast.policy import operation as policy
from holdfast.policy.operation import (
    Draw,
    Finish,
    Halt,
    Promote,
    Release,
    Revert,
    Seen,
    Wait,
    decide,
    stratified,
)
from holdfast.policy.proportion import lower

NOW = 1_767_225_600_000
DEAD = Predicate((Choice("status", ("dead",)),))
PLAN = Plan(Kind.REDRIVE, DEAD, NOW, "status:dead", "ann", "fixed", canary=Canary(20, 0.8, 60_000))
AT_GATE = Operation(
    id="opr_1",
    revision=3,
    plan=PLAN,
    expected=1000,
    at_least=False,
    state=State.RUNNING,
    stage=Stage.GATE,
    created_at=NOW,
    resumed_at=NOW,
    rate=1.0,
    tallies=Tallies(changed=20),
    gate_at=NOW,
)
WALKING = msgspec.structs.replace(AT_GATE, stage=Stage.MAIN, rate=100.0, ramp_at=NOW)


def with_(operation: Operation, **fields: object) -> Operation:
    """Return the operation with other fields; those of the tallies go there."""
    names = Tallies.__struct_fields__
    tallies = {name: fields.pop(name) for name in tuple(fields) if name in names}
    tallied = msgspec.structs.replace(operation.tallies, **tallies)
    return msgspec.structs.replace(operation, tallies=tallied, **fields)


@pytest.mark.parametrize(
    ("hits", "cases", "expected"),
    [(0, 0, 0.0), (0, 10, 0.0), (10, 10, 0.7871), (19, 20, 0.8040), (95, 100, 0.9008)],
)
def test_the_lower_bound_is_that_of_wilson(hits: int, cases: int, expected: float) -> None:
    """One-sided 95 %; values worked out by hand from the formula."""
    assert lower(hits, cases) == pytest.approx(expected, abs=5e-4)


def test_the_lower_bound_holds_in_95_of_100_worlds() -> None:
    """Of samples of 20 with a known share, the bound is above it in about 5 % or fewer."""
    rng = random.Random(7)
    above = sum(lower(sum(rng.random() < 0.8 for _ in range(20)), 20) > 0.8 for _ in range(4000))
    assert 0.01 < above / 4000 < 0.08


def test_a_canary_is_drawn_first() -> None:
    """Nothing else is changed before."""
    assert decide(with_(AT_GATE, stage=Stage.DRAW), Seen(), NOW) == Draw(20)


def test_the_gate_opens_as_soon_as_the_rest_cannot_close_it() -> None:
    """19 of 20 delivered are enough, whatever becomes of the last."""
    assert isinstance(decide(with_(AT_GATE, delivered=19), Seen(1), NOW), Promote)
    assert isinstance(decide(with_(AT_GATE, delivered=18), Seen(2), NOW), Wait)


def test_the_gate_closes_as_soon_as_the_rest_cannot_open_it() -> None:
    """With two failures the best that can come is 18 of 20."""
    step = decide(with_(AT_GATE, delivered=5, failed=2), Seen(13), NOW)
    assert isinstance(step, Halt)
    assert "5 of 20 were delivered" in step.why


def test_what_takes_too_long_has_failed() -> None:
    """After the canary's patience what has no outcome counts against it."""
    slow = with_(AT_GATE, delivered=15)
    assert isinstance(decide(slow, Seen(5), NOW + 59_999), Wait)
    assert isinstance(decide(slow, Seen(5), NOW + 60_000), Halt)


def test_what_others_ended_does_not_count() -> None:
    """A delivery that a person discarded meanwhile says nothing about the partner."""
    assert isinstance(decide(with_(AT_GATE, delivered=16, ended=4), Seen(), NOW), Promote)
    assert isinstance(decide(with_(AT_GATE, ended=20), Seen(), NOW), Halt)


def test_of_a_sample_smaller_than_wanted_all_must_be_delivered() -> None:
    """No more matched; what others ended meanwhile does not make it smaller."""
    few = with_(AT_GATE, changed=5)
    assert isinstance(decide(with_(few, delivered=4), Seen(1), NOW), Wait)
    assert isinstance(decide(with_(few, delivered=5), Seen(), NOW), Promote)
    step = decide(with_(few, delivered=4, failed=1), Seen(), NOW)
    assert isinstance(step, Halt)
    assert "4 of 5 were delivered and 1 failed" in step.why
    some = with_(AT_GATE, delivered=5, ended=15)
    assert isinstance(decide(some, Seen(), NOW), Halt)
    assert isinstance(decide(with_(few, skipped=15, delivered=5), Seen(), NOW), Halt)


@pytest.mark.parametrize(("bound", "size"), [(0.0, 1), (0.5, 3), (0.8, 11), (0.9, 25), (0.99, 268)])
def test_the_least_canary_is_the_first_that_can_pass(bound: float, size: int) -> None:
    """When all of it is delivered; one less shows too little."""
    assert policy.least_size(bound) == size
    assert lower(size - 1, size - 1) <= bound < lower(size, size)


def test_without_anything_to_try_it_goes_on() -> None:
    """An empty sample proves nothing and stops nothing: all were skipped, or none is there."""
    assert isinstance(decide(with_(AT_GATE, changed=0), Seen(), NOW), Promote)


def test_a_second_canary_is_judged_by_itself() -> None:
    """Outcomes of the first do not count for it."""
    before = Tallies(changed=20, delivered=2, failed=18)
    again = with_(AT_GATE, changed=40, delivered=21, failed=18, before_gate=before)
    assert isinstance(decide(again, Seen(1), NOW), Promote)


def test_it_waits_for_its_rate_and_for_room() -> None:
    """Neither the rate nor the number without outcome is exceeded."""
    assert decide(with_(WALKING, next_at=NOW + 5), Seen(), NOW) == Wait(NOW + 5)
    assert decide(WALKING, Seen(open=500), NOW) == Wait(NOW + policy.LOOK_MS)
    step = decide(WALKING, Seen(open=470), NOW)
    assert isinstance(step, Release)
    assert step.number == 30


def test_a_commit_has_at_most_a_second_of_work() -> None:
    """So that a slow rate comes evenly."""
    slow = with_(WALKING, rate=0.5, plan=msgspec.structs.replace(PLAN, rate=0.5))
    assert decide(slow, Seen(), NOW) == Release(1, 0.5, NOW)
    assert policy.next_at(slow, 1, 0.5, NOW) == NOW - 1_000 + 2_000


def test_the_rate_doubles_while_all_is_well() -> None:
    """Up to that of the plan, never above."""
    rates = []
    now, operation = NOW, with_(WALKING, rate=1.0, recent=(100.0, 0.0))
    for _ in range(9):
        step = decide(operation, Seen(), now)
        assert isinstance(step, Release)
        rates.append(step.rate)
        operation = with_(operation, rate=step.rate, ramp_at=step.ramp_at)
        now += policy.RAMP_MS
    assert rates == [1, 2, 4, 8, 16, 32, 64, 100, 100]


def test_the_rate_halves_when_many_fail() -> None:
    """At half of what would stop it; once in a while only."""
    ill = with_(WALKING, recent=(70.0, 30.0))
    later = NOW + policy.RAMP_MS
    assert decide(ill, Seen(), later) == Release(50, 50.0, later)
    assert decide(ill, Seen(), later - 1) == Release(100, 100.0, NOW)


def test_it_stops_when_surely_too_many_fail() -> None:
    """Dead again, or failing since; few failures prove nothing."""
    assert isinstance(decide(with_(WALKING, recent=(0.0, 2.0)), Seen(), NOW), Release)
    assert isinstance(decide(with_(WALKING, recent=(0.0, 3.0)), Seen(), NOW), Halt)
    assert isinstance(decide(with_(WALKING, recent=(3.0, 0.0)), Seen(50, 20), NOW), Halt)
    never = with_(WALKING, recent=(0.0, 200.0), plan=msgspec.structs.replace(PLAN, stop=1.0))
    assert isinstance(decide(never, Seen(), NOW), Release)


def test_it_ends_with_the_last_outcome_or_after_an_hour() -> None:
    """What hangs on a hold for days does not keep it open for days."""
    last = with_(WALKING, stage=Stage.LAST, released_at=NOW)
    assert isinstance(decide(last, Seen(open=1), NOW + policy.WATCH_MS - 1), Wait)
    assert decide(last, Seen(open=1), NOW + policy.WATCH_MS) == Finish()
    assert decide(last, Seen(), NOW) == Finish()


def test_an_undo_goes_batch_by_batch() -> None:
    """It does not wait for anything."""
    undoing = with_(WALKING, state=State.UNDOING, stage=Stage.END, next_at=NOW + 5)
    assert decide(undoing, Seen(), NOW) == Revert(200)


def test_a_sample_has_one_of_each_stratum() -> None:
    """Then in proportion; ids of a stratum lie evenly over it, and none comes twice."""
    strata = {
        ("acme", "timeout"): [f"t{number}" for number in range(90)],
        ("acme", "auth"): ["a0"],
        ("beta", "timeout"): [f"b{number}" for number in range(9)],
    }
    found = stratified(strata, 20)
    assert len(set(found)) == len(found) == 20
    assert "a0" in found
    assert 1 <= sum(each.startswith("b") for each in found) <= 3
    assert found[0] == "t0"
    assert any(int(each[1:]) > 75 for each in found if each.startswith("t"))
    assert len(stratified(strata, 1000)) == 100
    assert len(stratified(strata, 2)) == 2
    assert stratified({}, 5) == []
