"""Ranges and shapes of what goes by the calendar; every complaint names field, value and range."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.errors import InvalidInput
from holdfast.model.calendar import Cap, ContactHours, Hours, Maintenance, Period, SpecialDay
from holdfast.model.flow import Account, Flow, Recipient
from holdfast.policy.downtime import bounds
from holdfast.policy.hours import holiday_check, minutes

FACTOR_MIN: Final = 0.05
FACTOR_MAX: Final = 100.0
CAP_MAX: Final = 1_000_000_000
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_REGION_MAX: Final = 64


def recipient(value: Recipient, field: str) -> None:
    """Check zone, hours, maintenance, retry windows, caps and the endpoints' regions."""
    zone(value.zone, f"{field}.zone")
    if value.hours is not None:
        hours(value.hours, f"{field}.hours")
    if value.maintenance is not None:
        maintenance(value.maintenance, value.zone, f"{field}.maintenance")
    _periods(value.retry_windows, f"{field}.retry_windows")
    caps(value.caps, f"{field}.caps")
    for index, endpoint in enumerate(value.endpoints):
        if endpoint.region is not None:
            _region(endpoint.region, f"{field}.endpoints.{index}.region")


def flow(value: Flow, field: str) -> None:
    """Check the conditions of a flow."""
    _matrix(value.regions, f"{field}.regions")
    if value.contact_hours is not None:
        contact_hours(value.contact_hours, f"{field}.contact_hours")


def account(value: Account, field: str) -> None:
    """Check the conditions of a tenant."""
    _matrix(value.regions, f"{field}.regions")


def zone(value: str, field: str) -> None:
    """Refuse what is no IANA zone."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            field, value[:80], "an IANA zone such as Europe/Berlin or America/New_York"
        ) from error


def hours(value: Hours, field: str) -> None:
    """Check business hours."""
    if not value.periods and not value.special:
        raise InvalidInput(f"{field}.periods", (), "at least one period")
    _periods(value.periods, f"{field}.periods")
    if value.zone is not None:
        zone(value.zone, f"{field}.zone")
    if value.holidays is not None:
        _holidays(value.holidays, f"{field}.holidays")
    for index, day in enumerate(value.special):
        _special(day, f"{field}.special.{index}")
    for key in ("inside", "outside"):
        factor = getattr(value, key)
        if not FACTOR_MIN <= factor <= FACTOR_MAX:
            raise InvalidInput(f"{field}.{key}", factor, f"{FACTOR_MIN:g} to {FACTOR_MAX:g}")
        if factor != 1 and value.mode == "restrict":
            raise InvalidInput(f"{field}.{key}", factor, "1, or mode modulate")


def maintenance(value: Maintenance, default_zone: str, field: str) -> None:
    """Check maintenance windows."""
    name = value.zone or default_zone
    zone(name, f"{field}.zone")
    for index, window in enumerate(value.windows):
        start, end = bounds(window, name)
        if end <= start:
            place = f"{field}.windows.{index}.end"
            raise InvalidInput(place, window.end.isoformat(), "later than start")
    _periods(value.weekly, f"{field}.weekly")


def contact_hours(value: ContactHours, field: str) -> None:
    """Check hours of contact."""
    if not value.periods:
        raise InvalidInput(f"{field}.periods", (), "at least one period")
    _periods(value.periods, f"{field}.periods")
    zone(value.zone, f"{field}.zone")
    for region, name in value.zones.items():
        _region(region, f"{field}.zones")
        zone(name, f"{field}.zones.{region}")


def caps(value: Iterable[Cap], field: str) -> None:
    """Check volume caps."""
    seen: set[str] = set()
    for index, cap in enumerate(value):
        place = f"{field}.{index}"
        if not 1 <= cap.maximum <= CAP_MAX:
            raise InvalidInput(f"{place}.maximum", cap.maximum, f"1 to {CAP_MAX}")
        if cap.zone is not None:
            zone(cap.zone, f"{place}.zone")
        called = cap.name or cap.per
        if called in seen:
            raise InvalidInput(f"{place}.name", called, "each name once (default: the period)")
        seen.add(called)


def _periods(periods: Iterable[Period], field: str) -> None:
    for index, period in enumerate(periods):
        place = f"{field}.{index}"
        if not period.days:
            raise InvalidInput(f"{place}.days", (), "at least one of mon to sun")
        _times(period.start, period.end, place)
        if period.start == period.end:
            raise InvalidInput(f"{place}.end", period.end, "not the start; a whole day ends 24:00")


def _special(day: SpecialDay, field: str) -> None:
    _times(day.start, day.end, field)
    if minutes(day.end) <= minutes(day.start):
        raise InvalidInput(f"{field}.end", day.end, "later than start, up to 24:00")


def _times(start: str, end: str, field: str) -> None:
    if _TIME.fullmatch(start) is None:
        raise InvalidInput(f"{field}.start", start[:80], "a time of day from 00:00 to 23:59")
    if end != "24:00" and _TIME.fullmatch(end) is None:
        raise InvalidInput(f"{field}.end", end[:80], "a time of day from 00:00 to 24:00")


def _holidays(code: str, field: str) -> None:
    try:
        holiday_check(code)
    except (NotImplementedError, AttributeError, ImportError) as error:
        raise InvalidInput(
            field, code[:80], "a country such as US, or country and part such as DE-BY (ISO 3166)"
        ) from error


def _matrix(matrix: Mapping[str, tuple[str, ...]], field: str) -> None:
    for subject, targets in matrix.items():
        _region(subject, field)
        for index, target in enumerate(targets):
            _region(target, f"{field}.{subject}.{index}")


def _region(value: str, field: str) -> None:
    if not 1 <= len(value) <= _REGION_MAX:
        raise InvalidInput(field, value[:80], f"1 to {_REGION_MAX} characters")
