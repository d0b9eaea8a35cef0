"""Maintenance windows: absolute and weekly, joined where they touch."""

from datetime import UTC, datetime
from typing import Any

from holdfast.model.calendar import Maintenance, MaintenanceWindow, Period
from holdfast.model.lane import Breaker, BreakerState
from holdfast.model.message import NEVER
from holdfast.policy.downtime import Downtime, ramp


def ms(text: str) -> int:
    """Return an ISO instant (UTC where it has no offset) as ms since the epoch."""
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1000


def window(start: str, end: str, **more: Any) -> MaintenanceWindow:
    """Return an announced maintenance."""
    return MaintenanceWindow(
        start=datetime.fromisoformat(start), end=datetime.fromisoformat(end), **more
    )


def test_a_window_is_closed_from_its_start_to_its_end() -> None:
    """Before it the next look is at its start, inside at its end, after it never."""
    settings = Maintenance(windows=(window("2026-06-01T10:00Z", "2026-06-01T12:00Z", reason="db"),))
    downtime = Downtime(settings, "UTC")
    start, end = ms("2026-06-01T10:00"), ms("2026-06-01T12:00")
    assert downtime.look(start - 1) == (None, start)
    assert downtime.look(start) == ("db", end)
    assert downtime.look(end - 1) == ("db", end)
    assert downtime.look(end) == (None, NEVER)


def test_times_without_offset_are_the_recipients() -> None:
    """A time without an offset is read on the clock of the zone."""
    settings = Maintenance(windows=(window("2026-06-01T10:00", "2026-06-01T12:00"),))
    assert Downtime(settings, "America/New_York").look(0)[1] == ms("2026-06-01T14:00")


def test_windows_that_touch_are_one() -> None:
    """An announced window that runs into the weekly one ends with that."""
    settings = Maintenance(
        windows=(window("2026-06-06T22:00", "2026-06-06T23:30"),),
        weekly=(Period(days=("sat",), start="23:00", end="01:00"),),
    )
    downtime = Downtime(settings, "UTC")
    assert downtime.look(ms("2026-06-06T22:30")) == ("maintenance", ms("2026-06-07T01:00"))
    assert downtime.look(ms("2026-06-07T01:00")) == (None, ms("2026-06-13T23:00"))


def test_the_ramp_begins_only_where_nothing_limits_yet() -> None:
    """A closed breaker recovers at a rising rate; an open one stays open."""
    after = ramp(Breaker(last_success_at=7), now=100, pace=4.0)
    assert (after.state, after.since, after.rate_before) == (BreakerState.RECOVERY, 100, 4.0)
    assert after.last_success_at == 7
    halted = Breaker(state=BreakerState.OPEN)
    assert ramp(halted, now=100, pace=4.0) is halted


def test_the_last_end_is_that_of_the_latest_past_one() -> None:
    """Announced and weekly ones count; one that runs on into another is not over."""
    once = (
        window("2025-06-11T10:00", "2025-06-11T11:00"),
        window("2025-06-12T10:00", "2025-06-12T11:00"),
        window("2025-06-12T10:30", "2025-06-12T12:00"),
    )
    weekly = (Period(days=("sun",), start="02:00", end="03:00"),)
    announced = Downtime(Maintenance(windows=once), "UTC")
    assert announced.last_end(ms("2025-06-11T10:59")) == 0
    assert announced.last_end(ms("2025-06-12T11:30")) == ms("2025-06-11T11:00")
    assert announced.last_end(ms("2025-06-30T00:00")) == ms("2025-06-12T12:00")
    both = Downtime(Maintenance(windows=once, weekly=weekly), "UTC")
    assert both.last_end(ms("2025-06-11T09:00")) == ms("2025-06-08T03:00")
    assert both.last_end(ms("2025-06-15T02:30")) == ms("2025-06-12T12:00")
    assert both.last_end(ms("2025-06-15T03:00")) == ms("2025-06-15T03:00")
