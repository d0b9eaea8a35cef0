"""The baselines are what their owners published."""

import random

import pytest

from holdfast.lab import baseline, guard
from holdfast.lab.partner import Answer
from holdfast.lab.scenario import Fault, Profile, Quota, Scenario
from holdfast.lab.schedule import Schedule, baselines
from holdfast.lab.world import World

KNOWN = {each.id: each for each in baselines()}
DOWN, LIMITED, FINE = Answer(1, 503), Answer(1, 429), Answer(1, 200)


class Middle(random.Random):
    """Draws the middle of every range: jitter that cancels out."""

    def random(self) -> float:
        """Return a half."""
        return 0.5


class Highest(random.Random):
    """Draws the top of every range."""

    def random(self) -> float:
        """Return almost 1."""
        return 1 - 2**-53


def delays(name: str, count: int, rng: random.Random) -> list[float]:
    """Return the first delays of a baseline after 503."""
    schedule = KNOWN[name]
    return [round(schedule.after(n, DOWN, rng), 3) for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("B1", [20, 20, 20]),
        ("B5", [5, 300, 1800, 7200, 18_000, 36_000, 36_000]),
        ("B7", [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]),
        ("B8", [1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 500]),
    ],
)
def test_lists_are_the_published_ones(name: str, expected: list[float]) -> None:
    """With the middle of the jitter, the delays are the published numbers."""
    assert delays(name, len(expected), Middle()) == expected


@pytest.mark.parametrize(("name", "cap"), [("B2", 60), ("B3", 600)])
def test_full_jitter_is_tenacitys(name: str, cap: int) -> None:
    """Draws reach from 0 to `2^(n-1)`, at most the cap."""
    highest = delays(name, 12, Highest())
    assert highest == pytest.approx([min(cap, 2**n) for n in range(12)])
    assert delays(name, 12, Middle()) == pytest.approx([each / 2 for each in highest])


def test_sidekiqs_polynomial() -> None:
    """Retry n comes after `n^4 + 15` and up to `10 (n + 1)` s, n from 0, for 20 days in all."""
    schedule = KNOWN["B6"]
    for n in range(25):
        drawn = {schedule.delay(n + 1, random.Random(seed)) - n**4 - 15 for seed in range(200)}
        assert min(drawn) >= 0
        assert max(drawn) < 10 * (n + 1)
    total = sum(n**4 + 15 + 5 * (n + 1) for n in range(25))
    assert total / 86_400 == pytest.approx(20.4, abs=0.05)


def test_celery_counts_whole_seconds() -> None:
    """Three retries after 0 to 1, 2 and 4 whole seconds."""
    schedule = KNOWN["B4"]
    seen = [{schedule.delay(n, random.Random(s)) for s in range(99)} for n in (1, 2, 3)]
    assert seen == [{0, 1}, {0, 1, 2}, {0, 1, 2, 3, 4}]
    assert schedule.most == 3


def test_svix_obeys_hints_up_to_twice_its_delay() -> None:
    """Retry-After counts between the delay and twice the delay; a 429 waits a minute at least."""
    asked = [Answer(1, 503, retry_after=hint) for hint in ("1", "8", "999", "soon")]
    assert [KNOWN["B5"].after(1, each, Middle()) for each in asked] == [5, 8, 10, 5]
    assert KNOWN["B5"].after(1, LIMITED, Middle()) == 60


def world(*faults: Fault, rate: float = 2.0) -> World:
    """Return a world of two minutes."""
    profile = Profile(rates=((120.0, rate),), faults=faults)
    return World(Scenario(id="T", title="test", partners=(profile,)), 1)


def test_retries_end_where_they_should() -> None:
    """Against a partner that is gone, each message costs its first send and all its retries."""
    gone = world(Fault(kind="refuse", at=0, seconds=9e6, answer=503))
    for name, sends in {"B0": 1, "B1": 4, "B4": 4, "B5": 8}.items():
        trace = baseline.run(gone, KNOWN[name])
        assert set(trace.sends) == {sends}
        assert min(trace.dead) >= 0
    gone = world(Fault(kind="refuse", at=0, seconds=9e6, answer=410))
    assert set(baseline.run(gone, KNOWN["B5"]).sends) == {1}


def test_the_short_cut_through_an_outage_changes_nothing() -> None:
    """Running through an outage's tries at once gives what doing them one by one gives."""
    schedule = Schedule(id="X", title="", kind="fixed", base=7.0)
    crowd = world(Fault(at=20, seconds=60))
    fast = baseline.run(crowd, schedule)
    crowd.scenario = Scenario(id="T", title="", partners=crowd.scenario.partners, slots=10**6)
    slow = baseline.run(crowd, schedule)
    assert sorted(fast.delivered) == sorted(slow.delivered)  # who comes first in a ms may differ
    assert fast.sends == slow.sends
    assert fast.partners[0].offered == slow.partners[0].offered


def test_linkerds_breaker() -> None:
    """Seven failures in a row open it for about a second, then two; one good probe closes it."""
    one = guard.BreakerBudget(Middle())
    for _ in range(40):  # so that the success rate stays above 0.8
        one.heard(0, FINE, 0, retry=False)
    for at in range(7):
        assert one.admit(at, retry=False) == 0
        one.heard(at, DOWN, 0, retry=False)
    assert (one.state, one.open_until, one.openings) == ("open", 6 + 1250, [6])
    assert one.admit(1000, retry=False) < 0
    assert one.admit(1300, retry=False) == 0
    assert one.admit(1300, retry=False) < 0
    one.heard(1301, LIMITED, 0, retry=False)
    assert one.open_until == 1301 + 2500
    assert one.admit(4000, retry=False) == 0
    one.heard(4001, FINE, 0, retry=False)
    assert one.state == "closed"


def test_linkerds_rate_counts_throttles() -> None:
    """429 never counts in a row, but a success rate below 0.8 over ten seconds opens."""
    one = guard.BreakerBudget(Middle())
    for at in (0, 1000, 2000, 3000):
        one.heard(at, LIMITED, 0, retry=False)
    assert one.state == "closed"
    one.heard(4000, LIMITED, 0, retry=False)
    assert one.state == "open"


def test_finagles_budget() -> None:
    """The reserve allows 100 retries in ten seconds; five first tries pay for one more."""
    one = guard.BreakerBudget(Middle())
    allowed = [one.admit(0, retry=True) for _ in range(101)]
    assert (allowed.count(0), allowed[-1] < 0) == (100, True)
    for _ in range(5):
        one.admit(1, retry=False)
    assert [one.admit(2, retry=True) == 0 for _ in range(2)] == [True, False]
    assert one.balance(20_000) == 500


def test_aws_standard_mode() -> None:
    """500 tokens pay for 35 retries after trouble; successes give back, delays are capped."""
    one = guard.AwsStandard(Middle())
    paid = [one.price(DOWN) for _ in range(36)]
    assert (paid.count(14), paid[-1]) == (35, -1)
    one.heard(0, FINE, 14, retry=True)
    one.heard(0, FINE, 0, retry=False)
    assert one.tokens == 500 - 35 * 14 + 15
    assert [one.delay(n, DOWN) for n in (1, 2)] == [0.025, 0.05]
    assert one.delay(9, LIMITED) == 10


def test_aws_adaptive_mode() -> None:
    """A throttle cuts the rate to 0.7 of what was measured; sends wait for tokens, in order."""
    one = guard.AwsAdaptive(Middle())
    for at in range(0, 10_000, 50):
        assert one.admit(at, retry=False) == 0
        one.heard(at, FINE, 0, retry=False)
    one.heard(10_000, LIMITED, 0, retry=False)
    assert one.rate == pytest.approx(0.7 * 20, rel=0.05)
    assert one.admit(10_000, retry=False) == pytest.approx(1000 / one.rate, abs=1)
    assert [one.admit(10_000 + 80, retry=False) > 0 for _ in range(2)] == [False, True]


def test_a_rate_limiter_loses_nothing() -> None:
    """Behind the adaptive limiter every message goes out once the quota allows it."""
    limited = Profile(rates=((60.0, 20.0),), quota=Quota(rate=10.0, burst=10.0))
    crowd = World(Scenario(id="T", title="", partners=(limited,)), 1)
    trace = baseline.run(crowd, KNOWN["B9b"])
    assert trace.open() == 0
    first = [at for at in trace.delivered if 0 <= at < 60_000]
    assert len(first) > 0.5 * 600
    assert sum(at >= 0 for at in trace.delivered) > 0.98 * len(trace.delivered)
