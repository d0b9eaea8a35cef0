"""Calendars go by the clock on the wall: proof against DST, holidays and odd zones."""

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from holdfast.model.calendar import Hours, Period, SpecialDay, Weekday
from holdfast.model.message import NEVER
from holdfast.policy.hours import Calendar, business, holiday_check, period_end

ZONES: Final = (
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "America/St_Johns",
    "Africa/Casablanca",
    "Europe/Berlin",
    "Europe/London",
    "Asia/Beirut",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
)
"""Half-hour changes, changes at midnight, changes around Ramadan, offsets with quarter hours."""
MINUTE: Final = 60_000
DAY: Final = 1440 * MINUTE
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri")


def ms(text: str) -> int:
    """Return an ISO instant as ms since the epoch."""
    return round(datetime.fromisoformat(text).timestamp()) * 1000


def office(zone: str = "America/New_York", **more: Any) -> Calendar:
    """Return Monday to Friday, 9 to 17."""
    week = (Period(days=WEEKDAYS, start="09:00", end="17:00"),)
    return business(Hours(periods=week, **more), zone)


def odd_hours() -> tuple[Period, ...]:
    """Return periods with edges where clocks change: at and around midnight, 1, 2 and 3 o'clock."""
    every: tuple[Weekday, ...] = (*WEEKDAYS, "sat", "sun")
    return (
        Period(days=every, start="00:00", end="00:20"),
        Period(days=every, start="00:40", end="01:50"),
        Period(days=("sun", "fri"), start="02:15", end="02:45"),
        Period(days=("sat", "thu", "tue"), start="01:55", end="03:00"),
        Period(days=("sat", "wed"), start="23:30", end="00:10"),
        Period(days=every, start="09:00", end="17:00"),
    )


def changes(zone: ZoneInfo) -> Iterator[int]:
    """Yield the hours, 2017 to 2026, after which a zone's offset differs from the hour before."""
    at = datetime(2017, 1, 1, tzinfo=UTC)
    while at.year < 2027:
        day = at + timedelta(days=1)
        if at.astimezone(zone).utcoffset() != day.astimezone(zone).utcoffset():
            hours = [at + timedelta(hours=hour) for hour in range(25)]
            for before, after in itertools.pairwise(hours):
                if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
                    yield round(before.timestamp()) * 1000
        at = day


def oracle(at: int, zone: ZoneInfo, periods: tuple[Period, ...]) -> bool:
    """Read the clock on the wall and look it up in the timetable, as a person would."""
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    today, yesterday = local.strftime("%a").lower(), (local.date() - timedelta(days=1))
    before = yesterday.strftime("%a").lower()
    shown = local.strftime("%H:%M")
    for period in periods:
        overnight = period.end < period.start
        if today in period.days and period.start <= shown and (overnight or shown < period.end):
            return True
        if overnight and before in period.days and shown < period.end:
            return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_calendars_agree_with_an_oracle_over_ten_years_of_dst(zone: str) -> None:
    """Around every change of the clock, a scan minute by minute finds the same boundaries (C34)."""
    clock, periods = ZoneInfo(zone), odd_hours()
    calendar = Calendar(zone, periods)
    seen = 0
    for change in changes(clock):
        seen += 1
        first = change - 8 * 60 * MINUTE
        stretch = [oracle(first + i * MINUTE, clock, periods) for i in range(16 * 60)]
        following = NEVER
        for i in reversed(range(len(stretch) - 1)):
            if stretch[i] is not stretch[i + 1]:
                following = first + (i + 1) * MINUTE
            if i % 13 == 0 and following < NEVER:
                at = first + i * MINUTE
                assert calendar.is_open(at) is stretch[i]
                assert calendar.next_change(at) == following
    assert seen >= 10


def test_friday_evening_waits_for_monday_morning() -> None:
    """Friday 17:30 with Monday to Friday 9-17 opens on Monday at 9 local time (S1.39)."""
    friday = ms("2026-11-27T17:30:00-05:00")
    assert not office().is_open(friday)
    assert office().next_change(friday) == ms("2026-11-30T09:00:00-05:00")


def test_the_weekend_of_the_clock_change_is_an_hour_shorter_or_longer() -> None:
    """Monday 9:00 is Monday 9:00 on the wall, whatever the clock did on Sunday (S2.78)."""
    spring, autumn = ms("2026-03-06T17:30:00-05:00"), ms("2026-10-30T17:30:00-04:00")
    assert office().next_change(spring) == ms("2026-03-09T09:00:00-04:00")
    assert office().next_change(autumn) == ms("2026-11-02T09:00:00-05:00")


def test_what_the_clock_skips_opens_when_it_goes_on() -> None:
    """A period that begins in the skipped hour begins with the first minute that is shown."""
    night = (Period(days=("sun",), start="02:30", end="04:00"),)
    calendar = Calendar("America/New_York", night)
    assert calendar.next_change(ms("2026-03-08T00:00:00-05:00")) == ms("2026-03-08T03:00:00-04:00")


def test_what_the_clock_shows_twice_is_open_twice() -> None:
    """A period in the repeated hour comes twice."""
    night = (Period(days=("sun",), start="01:10", end="01:20"),)
    calendar = Calendar("America/New_York", night)
    at, edges = ms("2026-11-01T00:00:00-04:00"), []
    for _ in range(4):
        at = calendar.next_change(at)
        edges.append(at)
    first, second = ms("2026-11-01T01:10:00-04:00"), ms("2026-11-01T01:10:00-05:00")
    assert edges == [first, first + 10 * MINUTE, second, second + 10 * MINUTE]


def test_several_periods_a_day_and_one_over_midnight() -> None:
    """A day may have several periods, and one may end on the next day."""
    periods = (
        Period(days=("mon",), start="08:00", end="12:00"),
        Period(days=("mon",), start="22:00", end="02:00"),
    )
    calendar = Calendar("UTC", periods)
    assert calendar.is_open(ms("2026-11-23T11:59:59+00:00"))
    assert not calendar.is_open(ms("2026-11-23T12:00:00+00:00"))
    assert calendar.is_open(ms("2026-11-24T01:59:00+00:00"))
    assert calendar.next_change(ms("2026-11-23T23:00:00+00:00")) == ms("2026-11-24T02:00:00+00:00")


def test_holidays_closed_dates_and_special_days() -> None:
    """Holidays and closed dates have no hours; a special day has its own, even on a holiday."""
    calendar = office(
        zone="Europe/Berlin",
        holidays="DE-BY",
        closed=(date(2026, 12, 24),),
        special=(SpecialDay(date=date(2026, 12, 26), start="10:00", end="12:00"),),
    )
    assert not calendar.is_open(ms("2026-01-06T10:00:00+01:00"))
    assert not calendar.is_open(ms("2026-12-24T10:00:00+01:00"))
    assert not calendar.is_open(ms("2026-12-25T10:00:00+01:00"))
    assert calendar.is_open(ms("2026-12-26T11:00:00+01:00"))
    assert not calendar.is_open(ms("2026-12-26T12:30:00+01:00"))


def test_a_part_of_a_country_has_holidays_of_its_own() -> None:
    """Epiphany is a holiday in Bavaria and none in Berlin."""
    epiphany = date(2027, 1, 6)
    assert holiday_check("DE-BY")(epiphany)
    assert not holiday_check("DE-BE")(epiphany)


def test_a_calendar_that_is_always_open_never_changes() -> None:
    """Seven days of 24 hours have no boundary."""
    week = (Period(days=(*WEEKDAYS, "sat", "sun"), start="00:00", end="24:00"),)
    calendar = Calendar("Europe/London", week)
    assert calendar.is_open(ms("2026-03-29T01:30:00+00:00"))
    assert calendar.next_change(ms("2026-03-28T00:00:00+00:00")) == NEVER


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("per", ["minute", "hour", "day", "week", "month"])
def test_periods_of_caps_follow_each_other_on_the_local_clock(zone: str, per: Any) -> None:
    """Every period begins where the one before ended, at the local minute, midnight or Monday."""
    clock = ZoneInfo(zone)
    for change in list(changes(clock))[-6:]:
        at = change - 3 * 3600_000
        for _ in range(12):
            end = period_end(at, per, clock)
            assert end > at
            assert period_end(end - 1000, per, clock) == end
            local = datetime.fromtimestamp(end / 1000, clock)
            if per == "week":
                assert local.weekday() == 0
            if per == "month":
                assert local.day == 1
            if per in {"day", "week", "month"}:
                before = datetime.fromtimestamp(end / 1000 - 1, clock)
                assert before.date() != local.date()
            at = end
