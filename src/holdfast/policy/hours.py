"""Wall-clock calendars: is it open, and when does that change? Proof against DST.

The clock on the wall decides: an instant is open when the local time that the zone shows at it
lies in a period of that day (S1.39, S2.78). Everything is ms since the epoch.
"""

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from holdfast.model.calendar import Hours, Period, Span, SpecialDay
from holdfast.model.message import NEVER

WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 1440
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_HORIZON_DAYS: Final = 400
"""How far ahead a change is looked for: further than the longest run of closed days."""

Spans = tuple[tuple[int, int], ...]
"""Minutes of a day: (first, first after)."""


def minutes(text: str) -> int:
    """Return `HH:MM` as minutes since midnight."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


class Calendar:
    """Open and closed times in a zone.

    Args:
        zone: IANA name.
        periods: the weekly hours.
        is_holiday: tells whether a date is a holiday.
        closed: dates without hours.
        special: dates with hours of their own.
    """

    def __init__(
        self,
        zone: str,
        periods: Iterable[Period],
        *,
        is_holiday: Callable[[date], bool] | None = None,
        closed: Iterable[date] = (),
        special: Iterable[SpecialDay] = (),
    ) -> None:
        self._zone = ZoneInfo(zone)
        self._week = _weekly(periods)
        self._is_holiday = is_holiday
        self._dates: dict[date, Spans] = dict.fromkeys(closed, ())
        own: dict[date, list[tuple[int, int]]] = {}
        for day in special:
            own.setdefault(day.date, []).append((minutes(day.start), minutes(day.end)))
        self._dates |= {day: tuple(spans) for day, spans in own.items()}

    def is_open(self, at: int) -> bool:
        """Tell whether an instant is inside."""
        local = self._local(at)
        minute = local.hour * 60 + local.minute
        return any(first <= minute < after for first, after in self._spans(local.date()))

    def next_change(self, at: int) -> int:
        """Return the next instant at which `is_open` changes, `NEVER`: not within a year."""
        was = self.is_open(at)
        for start in range(at + 1, at + 1 + _HORIZON_DAYS * _DAY_MS, _DAY_MS):
            for candidate in self._candidates(start, start + _DAY_MS):
                if self.is_open(candidate) is not was:
                    return candidate
        return NEVER

    def _spans(self, day: date) -> Spans:
        own = self._dates.get(day)
        if own is not None:
            return own
        if self._is_holiday is not None and self._is_holiday(day):
            return ()
        return self._week[day.weekday()]

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at // 1000, self._zone)

    def _candidates(self, start: int, end: int) -> Sequence[int]:
        """Return, in order, the instants from `start` on, before `end`, that may change things.

        Those are the edges of the days' spans, each as often as the clock shows it, and the
        instants at which the clock is put forward or back.
        """
        found = set(_transitions(self._zone, start, end))
        day = self._local(start).date() - timedelta(days=1)
        last = self._local(end).date() + timedelta(days=1)
        while day <= last:
            edges = {0} | {edge % DAY_MINUTES for span in self._spans(day) for edge in span}
            for edge in edges:
                for fold in (0, 1):
                    found.add(instant(day, edge, self._zone, fold))
            day += timedelta(days=1)
        return sorted(at for at in found if start <= at < end)


def instant(day: date, minute: int, zone: ZoneInfo, fold: int = 0) -> int:
    """Return the instant at which a wall clock shows a minute of a day."""
    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, fold=fold, tzinfo=zone)
    return round(wall.timestamp()) * 1000


def business(hours: Hours, zone: str) -> Calendar:
    """Return the calendar of business hours; `zone` holds where they name none."""
    holidays = None if hours.holidays is None else holiday_check(hours.holidays)
    return Calendar(
        hours.zone or zone,
        hours.periods,
        is_holiday=holidays,
        closed=hours.closed,
        special=hours.special,
    )


@functools.cache
def holiday_check(code: str) -> Callable[[date], bool]:
    """Return what tells whether a date is a public holiday of a place such as `US` or `DE-BY`.

    The library with the holidays of the world is loaded by the first use of it.

    Raises:
        NotImplementedError: the place is not known.
    """
    library: Any = importlib.import_module("holidays")
    country, _, part = code.partition("-")
    known = library.country_holidays(country, subdiv=part or None)
    return known.__contains__  # type: ignore[no-any-return]  # it is a dict of dates


def period_end(at: int, per: Span, zone: ZoneInfo) -> int:
    """Return when the calendar period around an instant ends."""
    local = datetime.fromtimestamp(at // 1000, zone)
    if per in {"minute", "hour"}:
        offset = round((local.utcoffset() or timedelta()).total_seconds()) * 1000
        size = 60_000 if per == "minute" else _HOUR_MS
        return ((at + offset) // size + 1) * size - offset
    day = local.date()
    if per == "day":
        return _midnight(day + timedelta(days=1), zone, at)
    if per == "week":
        return _midnight(day + timedelta(days=7 - day.weekday()), zone, at)
    return _midnight(date(day.year + day.month // 12, day.month % 12 + 1, 1), zone, at)


def _midnight(day: date, zone: ZoneInfo, at: int) -> int:
    """Return the first midnight of a day that comes after `at`: some clocks show it twice."""
    first = instant(day, 0, zone)
    return first if first > at else instant(day, 0, zone, fold=1)


def _weekly(periods: Iterable[Period]) -> tuple[Spans, ...]:
    """Return the spans of each weekday; what ends on the next day is cut at midnight."""
    week: list[list[tuple[int, int]]] = [[] for _ in WEEK]
    for period in periods:
        first, after = minutes(period.start), minutes(period.end)
        for name in period.days:
            day = WEEK.index(name)
            if first < after:
                week[day].append((first, after))
            else:
                week[day].append((first, DAY_MINUTES))
                week[(day + 1) % 7].append((0, after))
    return tuple(tuple(spans) for spans in week)


def _transitions(zone: ZoneInfo, start: int, end: int) -> Iterator[int]:
    """Yield the instants in a stretch at which the zone's offset changes, to the second."""
    before = start - 1000
    for at in range(start, end + _HOUR_MS, _HOUR_MS):
        if _offset(zone, before) != _offset(zone, at):
            yield _bisect(zone, before // 1000, at // 1000) * 1000
        before = at


def _bisect(zone: ZoneInfo, low: int, high: int) -> int:
    """Return the first second after `low`, up to `high`, that has the offset of `high`."""
    wanted = _offset(zone, high * 1000)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle * 1000) == wanted:
            high = middle
        else:
            low = middle
    return high


def _offset(zone: ZoneInfo, at: int) -> timedelta | None:
    return datetime.fromtimestamp(at // 1000, UTC).astimezone(zone).utcoffset()
