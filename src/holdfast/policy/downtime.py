"""Announced maintenance: when a recipient is not to be disturbed, and the ramp after it (S1.41)."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from holdfast.model.calendar import Maintenance, MaintenanceWindow
from holdfast.model.lane import Breaker, BreakerState
from holdfast.model.message import NEVER
from holdfast.policy.hours import Calendar

_LOOK_BACK_MS: Final = 9 * 86_400_000
"""Longer than a week, and the clock may have been changed in it."""


class Downtime:
    """A recipient's maintenance windows.

    Args:
        settings: the windows.
        zone: holds where the settings name none.
    """

    def __init__(self, settings: Maintenance, zone: str) -> None:
        name = settings.zone or zone
        self._once = sorted((*bounds(window, name), window.reason) for window in settings.windows)
        self._weekly = Calendar(name, settings.weekly) if settings.weekly else None

    def look(self, now: int) -> tuple[str | None, int]:
        """Return why it is closed (None: it is open) and until when that holds.

        Windows that touch or overlap are one: the end is when all of them are over.
        """
        until, reason = now, None
        while (found := self._covering(until)) is not None:
            until, reason = found[0], reason or found[1]
            if until >= NEVER:
                return reason, NEVER
        return (reason, until) if reason is not None else (None, self._next_start(now))

    def last_end(self, now: int) -> int:
        """Return when the latest maintenance was over that is past, 0: none within nine days."""
        ends = [end for _, end, _ in self._once if end <= now]
        if self._weekly is not None:
            at, inside = now - _LOOK_BACK_MS, self._weekly.is_open(now - _LOOK_BACK_MS)
            while (at := self._weekly.next_change(at)) <= now:
                inside = not inside
                ends += [] if inside else [at]
        return max((end for end in ends if self._covering(end) is None), default=0)

    def _covering(self, at: int) -> tuple[int, str] | None:
        for start, end, reason in self._once:
            if start <= at < end:
                return end, reason
        if self._weekly is not None and self._weekly.is_open(at):
            return self._weekly.next_change(at), "weekly maintenance"
        return None

    def _next_start(self, now: int) -> int:
        starts = [start for start, _, _ in self._once if start > now]
        if self._weekly is not None:
            starts.append(self._weekly.next_change(now))
        return min(starts, default=NEVER)


def bounds(window: MaintenanceWindow, zone: str) -> tuple[int, int]:
    """Return start and end in ms since the epoch."""
    return _at(window.start, zone), _at(window.end, zone)


def _at(value: datetime, zone: str) -> int:
    aware = value if value.tzinfo is not None else value.replace(tzinfo=ZoneInfo(zone))
    return round(aware.timestamp() * 1000)


def ramp(breaker: Breaker, *, now: int, pace: float) -> Breaker:
    """Return the breaker in recovery, so that what waited for the end drains at a rising rate.

    In cusum mode the lane's pace leads that recovery (`policy.pacer`), else the fixed stages do.
    Only a closed one changes: the others limit the rate already. `pace` is in sends a second.
    """
    if breaker.state is not BreakerState.CLOSED:
        return breaker
    return msgspec.structs.replace(
        breaker,
        state=BreakerState.RECOVERY,
        since=now,
        stage=0,
        failures=0,
        window=0,
        calls=0,
        rate_before=round(pace, 3),
        reason="maintenance is over",
    )
