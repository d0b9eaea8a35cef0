"""Calendars in a catalog: what is wrong is refused with place, value and what is allowed."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from holdfast.errors import InvalidInput
from holdfast.model.calendar import (
    Cap,
    ContactHours,
    Hours,
    Maintenance,
    MaintenanceWindow,
    Period,
    SpecialDay,
)
from holdfast.model.flow import Account, Catalog, Endpoint, Flow, Recipient, Step
from holdfast.policy.precedence import validate


def period(**fields: Any) -> Period:
    """Return a period with changes."""
    return Period(**({"days": ("mon",), "start": "09:00", "end": "17:00"} | fields))


def catalog(
    recipient: dict[str, Any] | None = None,
    flow: dict[str, Any] | None = None,
    account: dict[str, Any] | None = None,
) -> Catalog:
    """Build a sound catalog with changes."""
    fields = {"endpoints": (Endpoint(url="https://a.example"),)} | (recipient or {})
    steps = (Step(name="a", recipient="a"),)
    return Catalog(
        accounts={"default": Account(**(account or {}))},
        recipients={"a": Recipient(name="a", **fields)},
        flows={"leads": Flow(name="leads", steps=steps, **(flow or {}))},
    )


def at(day: int) -> datetime:
    """Return a day of June."""
    return datetime(2026, 6, day, tzinfo=UTC)


WEEK = (period(),)


@pytest.mark.parametrize(
    "good",
    [
        {"recipient": {"zone": "Asia/Kathmandu", "hours": Hours(periods=WEEK)}},
        {"recipient": {"hours": Hours(periods=(period(start="22:00", end="06:00"),))}},
        {"recipient": {"hours": Hours(periods=(period(start="00:00", end="24:00"),))}},
        {"recipient": {"hours": Hours(periods=WEEK, mode="modulate", inside=0.5, outside=4)}},
        {"recipient": {"hours": Hours(periods=WEEK, holidays="US-CA", closed=(date(2026, 1, 1),))}},
        {"recipient": {"caps": (Cap(maximum=1, per="day"), Cap(maximum=9, per="month"))}},
        {"recipient": {"retry_windows": WEEK}},
        {"flow": {"regions": {"EU": ("EU",), "*": ()}, "consent_required": True}},
        {"flow": {"contact_hours": ContactHours(periods=WEEK, zone="UTC", zones={"JP": "Japan"})}},
    ],
)
def test_what_is_sound_is_taken(good: dict[str, Any]) -> None:
    """A sound calendar is accepted."""
    validate(catalog(**good))


def hours(**fields: Any) -> dict[str, Any]:
    """Return a catalog's changes with these business hours."""
    return {"recipient": {"hours": Hours(**({"periods": WEEK} | fields))}}


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"recipient": {"zone": "Mars/Olympus"}}, "recipients.a.zone", "IANA zone"),
    ({"recipient": {"zone": "../../etc"}}, "recipients.a.zone", "IANA zone"),
    (hours(periods=()), "recipients.a.hours.periods", "at least one"),
    (hours(zone=""), "recipients.a.hours.zone", "IANA zone"),
    (hours(periods=(period(days=()),)), "recipients.a.hours.periods.0.days", "mon to sun"),
    (hours(periods=(period(start="9:00"),)), "recipients.a.hours.periods.0.start", "23:59"),
    (hours(periods=(period(start="24:00"),)), "recipients.a.hours.periods.0.start", "23:59"),
    (hours(periods=(period(end="24:01"),)), "recipients.a.hours.periods.0.end", "24:00"),
    (hours(periods=(period(end="09:00"),)), "recipients.a.hours.periods.0.end", "not the start"),
    (hours(holidays="ZZ"), "recipients.a.hours.holidays", "a country such as US"),
    (hours(holidays="US-ZZ"), "recipients.a.hours.holidays", "part such as DE-BY"),
    (hours(mode="modulate", outside=101), "recipients.a.hours.outside", "0.05 to 100"),
    (hours(mode="modulate", inside=float("nan")), "recipients.a.hours.inside", "0.05 to 100"),
    (hours(inside=0.5), "recipients.a.hours.inside", "mode modulate"),
    (
        hours(special=(SpecialDay(date=date(2026, 1, 1), start="10:00", end="09:00"),)),
        "recipients.a.hours.special.0.end",
        "later than start",
    ),
    (
        {
            "recipient": {
                "maintenance": Maintenance(windows=(MaintenanceWindow(start=at(2), end=at(1)),))
            }
        },
        "recipients.a.maintenance.windows.0.end",
        "later than start",
    ),
    (
        {"recipient": {"caps": (Cap(maximum=0, per="day"),)}},
        "recipients.a.caps.0.maximum",
        "1 to 1000000000",
    ),
    (
        {"recipient": {"caps": (Cap(maximum=1, per="day"), Cap(maximum=2, per="day"))}},
        "recipients.a.caps.1.name",
        "each name once",
    ),
    (
        {"recipient": {"caps": (Cap(maximum=1, per="day", zone="X"),)}},
        "recipients.a.caps.0.zone",
        "IANA zone",
    ),
    (
        {"recipient": {"retry_windows": (period(start="x"),)}},
        "recipients.a.retry_windows.0.start",
        "a time of day",
    ),
    (
        {"recipient": {"endpoints": (Endpoint(url="https://a.example", region=""),)}},
        "recipients.a.endpoints.0.region",
        "1 to 64",
    ),
    ({"flow": {"regions": {"EU": ("",)}}}, "flows.leads.regions.EU.0", "1 to 64"),
    ({"account": {"regions": {"": ("EU",)}}}, "accounts.default.regions", "1 to 64"),
    (
        {"flow": {"contact_hours": ContactHours(periods=(), zone="UTC")}},
        "flows.leads.contact_hours.periods",
        "at least one",
    ),
    (
        {"flow": {"contact_hours": ContactHours(periods=WEEK, zone="UTC", zones={"JP": "Jap"})}},
        "flows.leads.contact_hours.zones.JP",
        "IANA zone",
    ),
]


@pytest.mark.parametrize(("wrong", "field", "allowed"), BAD)
def test_what_is_wrong_is_named(wrong: dict[str, Any], field: str, allowed: str) -> None:
    """The error names the field and what is allowed (promise 9)."""
    with pytest.raises(InvalidInput) as caught:
        validate(catalog(**wrong))
    assert caught.value.field == field
    assert allowed in caught.value.allowed
