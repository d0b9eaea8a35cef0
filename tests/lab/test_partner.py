"""The modelled partner bears what its profile says, and no more."""

import random

import pytest

from holdfast.lab.partner import Partner, Span
from holdfast.lab.scenario import Fault, Profile, Quota

OUTAGE = Span(10_000, 20_000, Fault(at=10, seconds=10))


def partner(*spans: Span, **fields: object) -> Partner:
    """Return a partner; `fields` are those of its profile."""
    return Partner(Profile(**fields), list(spans), random.Random(1))  # type: ignore[arg-type]


def served(one: Partner, rate: int, begin: int, end: int) -> list[int]:
    """Ask evenly, `rate` times a second, and return the instants of the successes."""
    asked = (begin + step * 1000 // rate for step in range((end - begin) * rate // 1000))
    return [at for at in asked if one.ask(at).status == 200]


def test_it_serves_its_capacity_and_no_more() -> None:
    """Below its capacity all is served; above, no second has more than the capacity."""
    assert len(served(partner(), 40, 0, 10_000)) == 400
    times = served(partner(), 200, 0, 10_000)
    assert len(times) == pytest.approx(500, rel=0.05)
    assert max(sum(at <= t < at + 950 for t in times) for at in times) <= 50


@pytest.mark.parametrize(("floor", "share"), [(1.0, 1.0), (0.7, 0.7), (0.3, 0.3)])
def test_overload_costs_capacity_down_to_the_floor(floor: float, share: float) -> None:
    """At ten times its capacity the floor's share is left."""
    one = partner(floor=floor)
    assert one.effective(0, 50) == 50
    assert one.effective(0, 500) == pytest.approx(50 * share)
    assert len(served(one, 500, 0, 10_000)) == pytest.approx(500 * share, rel=0.1, abs=60)


def test_it_warms_up_after_an_outage() -> None:
    """Nothing during an outage, a fifth of the capacity after it, all after a minute."""
    one = partner(OUTAGE)
    found = [one.capacity(at) for at in (0, 15_000, 20_000, 50_000, 80_000)]
    assert found == pytest.approx([50, 0, 10, 30, 50])
    assert served(one, 10, 10_000, 20_000) == []


def test_latency_grows_with_the_load() -> None:
    """An idle partner answers in its latency, a busy one later, and never after the timeout."""
    one = partner(latency=0.1)
    assert one.ask(0).took == pytest.approx(100, abs=5)
    busy = [one.ask(1000 + step * 25).took for step in range(40)]
    assert busy == sorted(busy)
    assert busy[-1] == pytest.approx(100 * (1 + 0.78 / 0.22), rel=0.1)
    slow = partner(Span(0, 99_000, Fault(kind="slow", latency=40.0)), timeout=30.0)
    assert slow.ask(5)[:3] == (30_000, 0, "timeout")


@pytest.mark.parametrize("hint", ["retry_after", "fields", "bare"])
def test_a_quota_answers_429_with_its_hint(hint: str) -> None:
    """The burst passes, then one a second; each kind of hint is told in its own field."""
    one = partner(quota=Quota(rate=1.0, burst=5.0, hint=hint))  # type: ignore[arg-type]
    answers = [one.ask(at) for at in range(0, 100, 10)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 5
    told = (answers[-1].retry_after, answers[-1].rate_limit)
    fields = {
        "retry_after": ("1", None),
        "fields": (None, '"default";r=0;t=1'),
        "bare": (None,) * 2,
    }
    assert told == fields[hint]
    assert one.ask(1200).status == 200


def test_other_clients_take_their_share() -> None:
    """Next to 80 requests per second of others, at capacity 50, a fifth of it is ours."""
    found = served(partner(others=80.0), 20, 0, 20_000)
    assert len(found) == pytest.approx(50 / 5 * 20, rel=0.15)


def test_at_most_its_concurrency_is_worked_on() -> None:
    """A third request at once is turned away by a partner that works on two."""
    one = partner(concurrency=2)
    assert [one.ask(at).status for at in (0, 1, 2, 400)] == [200, 200, 503, 200]


def test_hints_are_told_in_turn() -> None:
    """A lying partner goes through its Retry-After values, one after the other."""
    lies = ("0", "soon")
    one = partner(Span(0, 1000, Fault(hints=lies)))
    assert [one.ask(at).retry_after for at in range(4)] == ["0", "soon", "0", "soon"]


def test_a_liar_answers_in_turn() -> None:
    """It takes what it likes and says what it likes, in turn; its 429 are counted."""
    fault = Fault(kind="liar", answers=(200, 429), hints=("9",), fields=("r=0;t=99", "?", "x"))
    one = partner(Span(0, 1000, fault))
    answers = [one.ask(at) for at in range(4)]
    assert [answer.status for answer in answers] == [200, 429, 200, 429]
    assert [answer.rate_limit for answer in answers] == ["r=0;t=99", "?", "x", "r=0;t=99"]
    assert {answer.retry_after for answer in answers} == {"9"}
    assert (one.limited, one.failed) == ({0: 2}, {0: 2})
