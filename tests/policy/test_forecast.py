"""The drain forecast as a pure function: what it rests on, and when it says nothing."""

import math
import random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.calendar import Cap
from holdfast.model.learned import ProbePlan
from holdfast.policy import forecast, outage
from holdfast.policy.forecast import CapLeft, Outage, Prospect, drain
from holdfast.policy.limit import Room

NOW: Final = 1_750_000_000_000
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
MIDNIGHT: Final = 1_750_032_000_000


def prospect(**fields: Any) -> Prospect:
    """Return a lane that takes 20 a second, gets 10, and has 100 waiting."""
    usual = {"now": NOW, "due": 100, "arrivals": 10.0, "seen": 20.0, "able": 20.0}
    return Prospect(**(usual | fields))


def down(
    age_s: int = 60, *, seen: bool = True, permanent: float = 0.0, retry_at: int = 0
) -> Outage:
    """Return an outage of that age whose hazard of recovery is one in 100 s at any age."""
    model = outage.VERSION if seen else f"{outage.VERSION}:prior"
    plan = ProbePlan(model, "server", 0, 0.01, 1, 1.0, 0.01, 1000, 1.0, 1000, permanent=permanent)
    return Outage((0.01,) * 14, plan, age_s * 1000, retry_at, 0.0)


def test_an_empty_lane_is_empty_now() -> None:
    """Whatever else is known or not."""
    found = drain(prospect(due=0, arrivals=None, seen=0.0))
    assert (found.p50, found.p90, found.unknown) == (NOW, NOW, None)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"shut": "a person paused it: holidays"}, "a person paused it: holidays"),
        ({"arrivals": None}, "not measured yet"),
        ({"seen": 0.0, "able": 500.0}, "it has taken nothing yet"),
        ({"arrivals": 20.0}, "as much arrives as it is known to take"),
        ({"outage": down(seen=False)}, "no outage of class server was seen to end yet"),
        ({"outage": down(permanent=0.6)}, "with a chance of 60% waiting does not end it"),
        ({"due": 10**9}, "longer than 30 days"),
    ],
)
def test_what_is_not_known_is_said_to_be_unknown(fields: dict[str, Any], why: str) -> None:
    """There is a reason in the place of a number (scope 7)."""
    found = drain(prospect(**fields))
    assert (found.p50, found.p90) == (0, 0)
    assert why in (found.unknown or "")


def test_half_may_be_known_while_nine_tenths_are_not() -> None:
    """A share of outages that waiting does not end leaves the P90 open; so does a rate unseen."""
    half = drain(prospect(outage=down(permanent=0.2)))
    assert half.p50 > NOW
    assert half.p90 == 0
    assert "20%" in (half.unknown or "")
    more = drain(prospect(arrivals=20.0, able=60.0))
    assert (more.p50 > NOW, more.p90) == (True, 0)


def test_a_backlog_goes_at_what_is_taken_less_what_arrives() -> None:
    """100 at 20 - 10 a second: 10 s; P90 is the passage time of a walk with drift."""
    found = drain(prospect())
    assert found.p50 == NOW + 10_000
    rng = random.Random(1)
    passed = sorted(_walked(rng, 100, 20.0, 10.0) for _ in range(4000))
    assert found.p90 - NOW == pytest.approx(1000 * passed[3600], rel=0.1)


def _walked(rng: random.Random, backlog: int, rate: float, arrivals: float) -> float:
    """Return the seconds until a queue with random arrivals and departures is empty."""
    at = 0.0
    while backlog > 0:
        at += rng.expovariate(rate + arrivals)
        backlog += 1 if rng.random() < arrivals / (rate + arrivals) else -1
    return at


def test_a_recovery_comes_first() -> None:
    """The quantiles of the recovery are those of its hazard, whatever its age when constant."""
    for age in (0, 60, 3600):
        half = forecast.recovery_ms((0.01,) * 14, 0.0, age * 1000, 0.5)
        assert half == pytest.approx(1000 * 100 * math.log(2), abs=2)
    assert forecast.recovery_ms((0.01,) * 14, 0.2, 0, 0.5) == pytest.approx(
        1000 * 100 * -math.log(1 - 0.5 / 0.8), abs=2
    )
    assert forecast.recovery_ms((1e-8,) * 14, 0.0, 0, 0.9) is None
    found = drain(prospect(arrivals=0.0, outage=down()))
    assert found.p50 - NOW > 1000 * 100 * math.log(2) + 5000
    late = drain(prospect(arrivals=0.0, outage=down(retry_at=NOW + HOUR)))
    assert late.p50 >= NOW + HOUR + 5000


def test_the_rise_of_the_rate_is_counted() -> None:
    """From 2 a second, doubling every 3 s: 10 are gone long before 20 a second are reached."""
    small = drain(prospect(due=10, arrivals=0.0, rising_from=2.0))
    assert small.p50 - NOW == pytest.approx(3000 * math.log2(1 + 10 * math.log(2) / 6), abs=1)
    large = drain(prospect(due=10_000, arrivals=0.0, rising_from=2.0))
    without = drain(prospect(due=10_000, arrivals=0.0))
    assert 5000 < large.p50 - without.p50 < 3000 * math.log2(10)


def test_closed_calendars_are_waited_for() -> None:
    """Open for one hour in twelve: what does not fit into the first goes in the second."""

    def schedule(at: int) -> tuple[bool, int]:
        into = (at - NOW) % (12 * HOUR)
        is_open = into >= 11 * HOUR
        return is_open, at - into + (12 if is_open else 11) * HOUR

    fits = drain(prospect(due=36_000, arrivals=0.0), schedule)
    assert fits.p50 == NOW + 11 * HOUR + HOUR // 2
    two = drain(prospect(due=108_000, arrivals=0.0), schedule)
    assert two.p50 == NOW + 23 * HOUR + HOUR // 2
    growing = drain(prospect(due=0, later=1, latest=NOW, arrivals=1.0), schedule)
    assert growing.p50 > NOW + 11 * HOUR + 30 * 60_000


def test_caps_and_limits_are_kept_to() -> None:
    """A cap of 50 a day with 10 left: 100 take until the second reset; a day's limit likewise."""
    cap = CapLeft(Cap(maximum=50, per="day"), "UTC", 10, MIDNIGHT)
    found = drain(prospect(arrivals=0.0, caps=(cap,)))
    assert found.p50 == MIDNIGHT + DAY + 2000
    window = Room(DAY, 100, 50)
    found = drain(prospect(arrivals=0.0, windows=(window,)))
    assert found.p50 == NOW + DAY // 2
    second = drain(prospect(arrivals=0.0, windows=(Room(1000, 2, 2),)))
    assert second.p50 == NOW + 50_000
    minute = CapLeft(Cap(maximum=60, per="minute"), "UTC", 60, NOW + 60_000)
    assert drain(prospect(arrivals=0.0, caps=(minute,))).p50 == NOW + 100_000


def test_what_waits_for_its_own_time_is_waited_for() -> None:
    """A retry in an hour: the lane is not empty before it, nor long after."""
    found = drain(prospect(later=3, latest=NOW + HOUR))
    assert NOW + HOUR <= found.p50 <= NOW + HOUR + 1000


@given(
    due=st.integers(0, 10**6),
    later=st.integers(0, 1000),
    arrivals=st.floats(0, 1000),
    seen=st.floats(0, 1000),
    able=st.floats(0, 5000),
    rising_from=st.floats(0, 100),
    ahead=st.integers(-DAY, DAY),
    age=st.integers(0, 10**6),
    permanent=st.floats(0, 1),
    is_down=st.booleans(),
)
def test_no_number_is_nonsense(
    *, due: int, later: int, ahead: int, age: int, permanent: float, is_down: bool, **rates: float
) -> None:
    """Never in the past, P50 never after P90, and a reason wherever a number is missing."""
    found = drain(
        prospect(
            due=due,
            later=later,
            latest=NOW + ahead if later else 0,
            opens_at=NOW + ahead,
            outage=down(age, permanent=permanent) if is_down else None,
            **rates,
        )
    )
    assert (found.p50 >= NOW) or found.p50 == 0
    assert found.p90 == 0 or found.p50 <= found.p90 <= NOW + forecast.HORIZON_MS
    assert (found.unknown is None) is (found.p50 > 0 and found.p90 > 0)
