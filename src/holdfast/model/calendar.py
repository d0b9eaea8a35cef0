"""When a partner may be reached: weekly hours, holidays, maintenance, volume caps.

Times of day are `HH:MM` on the wall clock of a zone (IANA name); what a zone's clock skips does
not come, what it shows twice comes twice.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Span = Literal["minute", "hour", "day", "week", "month"]


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A time of day on some days of the week.

    Attributes:
        days: `mon` to `sun`.
        start: first minute, such as `09:00`.
        end: first minute after it, up to `24:00`; not after `start`: it ends on the next day.
    """

    days: tuple[Weekday, ...]
    start: str
    end: str


class SpecialDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One date with hours of its own, whatever the week and the holidays say.

    Attributes:
        date: the day.
        start: first minute, such as `09:00`.
        end: first minute after it, later than `start`, up to `24:00`.
    """

    date: date
    start: str
    end: str


class Hours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A recipient's business hours (S1.39, S2.98, S2.99, C34).

    Attributes:
        periods: the weekly hours; several on one day are allowed.
        zone: IANA name; None: the recipient's zone.
        holidays: closed on the public holidays of a country or a part of it, such as `US` or
            `DE-BY`.
        closed: further dates on which it is closed.
        special: dates with hours of their own.
        mode: `restrict`: nothing is sent outside; `modulate`: retries come sooner or later.
        inside: factor on the planned delay inside the hours (`modulate`).
        outside: factor on the planned delay outside (`modulate`).
    """

    periods: tuple[Period, ...]
    zone: str | None = None
    holidays: str | None = None
    closed: tuple[date, ...] = ()
    special: tuple[SpecialDay, ...] = ()
    mode: Literal["restrict", "modulate"] = "restrict"
    inside: float = 1.0
    outside: float = 1.0


class MaintenanceWindow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One announced maintenance.

    Attributes:
        start: when it begins; without an offset: on the recipient's wall clock.
        end: when it is over.
        reason: for people.
    """

    start: datetime
    end: datetime
    reason: str = "maintenance"


class Maintenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a recipient is not to be disturbed (S1.41, S2.100).

    Attributes:
        windows: announced ones.
        weekly: those of every week.
        zone: IANA name; None: the recipient's zone.
    """

    windows: tuple[MaintenanceWindow, ...] = ()
    weekly: tuple[Period, ...] = ()
    zone: str | None = None


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The most successful deliveries in a calendar period (S1.94).

    Attributes:
        maximum: most deliveries that succeed.
        per: the period; a week begins on Monday.
        name: unique in its recipient; default: the period.
        zone: IANA name of the clock that resets it; None: the recipient's zone.
        reason: shown while it is reached.
    """

    maximum: int
    per: Span
    name: str | None = None
    zone: str | None = None
    reason: str = "Cap reached"


class CapUse(msgspec.Struct, frozen=True, gc=False):
    """What is known on disk of a cap.

    Attributes:
        name: the cap.
        until: end of the period in ms since the epoch.
        taken: successes so far, and those that may have happened since it was written.
    """

    name: str
    until: int
    taken: int


class ContactHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When people may be contacted, on their own clock (S1.96).

    Attributes:
        periods: the weekly hours.
        zone: IANA name for a region that `zones` does not name, and where none is known.
        zones: region of the data subject -> IANA name.
    """

    periods: tuple[Period, ...]
    zone: str
    zones: dict[str, str] = {}
