"""The gates of a lane that go by the calendar: hours, maintenance, caps.

What the calendars say is kept until their next boundary, so that a send costs one comparison.
"""

from collections.abc import Callable
from typing import Final

from holdfast.engine.cap import CapCount, name_of
from holdfast.model.calendar import CapUse
from holdfast.model.flow import Recipient
from holdfast.model.lane import ClosedGate
from holdfast.model.message import NEVER
from holdfast.policy.decide import Gate
from holdfast.policy.downtime import Downtime
from holdfast.policy.hours import Calendar, business

WAIT_MS: Final = 100
"""How soon a lane that waits for a reservation looks again, should nothing tell it."""


def needed(recipient: Recipient) -> bool:
    """Tell whether a recipient has anything that goes by the calendar."""
    return bool(
        recipient.hours or recipient.maintenance or recipient.caps or recipient.retry_windows
    )


class Timetable:
    """The calendar gates of one recipient.

    Args:
        recipient: its settings.
        saved: what the last owner kept of the caps.
        now: ms since the epoch.
        reserve: called when `asked` should be saved; `granted` follows when it is on disk.
    """

    def __init__(
        self,
        recipient: Recipient,
        saved: tuple[CapUse, ...],
        now: int,
        reserve: Callable[[], None],
    ) -> None:
        hours = recipient.hours
        zone = recipient.zone
        self._hours = None if hours is None else business(hours, zone)
        self._restricts = hours is not None and hours.mode == "restrict"
        self._factors = (1.0, 1.0) if hours is None else (hours.outside, hours.inside)
        self._downtime = (
            Downtime(recipient.maintenance, zone) if recipient.maintenance is not None else None
        )
        windows = recipient.retry_windows
        self._retries = Calendar(zone, windows) if windows else None
        known = {use.name: use for use in saved}
        self.caps = tuple(
            CapCount(cap, zone, known.get(name_of(cap)), now) for cap in recipient.caps
        )
        self._reserve = reserve
        self._from = self._until = 0
        self._closed: tuple[ClosedGate, ...] = ()
        self._answer: tuple[Gate, int] | None = None
        self._factor = 1.0
        self._retries_at = 0
        self._maintained = False
        self._over = False

    def taken_over(self, due_at: int, now: int) -> None:
        """Begin gradually where something waits since before a maintenance that is over now.

        It may have ended while no process ran; `due_at` is the lowest of the lane.
        """
        if self._downtime is not None and due_at < self._downtime.last_end(now):
            self._over = True

    # -- asked by the lane ------------------------------------------------------------------

    def gate(self, now: int, in_flight: int) -> tuple[Gate, int] | None:
        """Return the first closed gate and when it may open, or None."""
        if not self._from <= now < self._until:
            self._look(now)
        if self._answer is not None:
            return self._answer
        if self._over:
            return Gate.MAINTENANCE, now + 1  # the ramp begins with the next tick
        return self._cap_gate(now, in_flight) if self.caps else None

    def _cap_gate(self, now: int, in_flight: int) -> tuple[Gate, int] | None:
        unreserved = False
        for cap in self.caps:
            cap.roll(now)
            if cap.full(in_flight):
                return Gate.CAP, cap.until
            unreserved = unreserved or cap.unreserved(in_flight)
        return (Gate.CAP, now + WAIT_MS) if unreserved else None

    def tick(self, now: int, in_flight: int) -> bool:
        """Let time pass; tell whether a maintenance has just ended."""
        if not self._from <= now < self._until:
            self._look(now)
        for cap in self.caps:
            cap.roll(now)
            if cap.wants(in_flight):
                self._reserve()
                break
        over, self._over = self._over, False
        return over

    def on_record(self) -> tuple[ClosedGate, ...]:
        """Return the gates that are closed as of the last look, as they go on record."""
        full = [
            ClosedGate(Gate.CAP, cap.until, f"{cap.cap.reason} ({cap.name})")
            for cap in self.caps
            if cap.used >= cap.cap.maximum
        ]
        return (*self._closed, *full) if full else self._closed

    def changes_at(self) -> int:
        """Return when time alone will open or close one of them, `NEVER`: not within a year."""
        full = (cap.until for cap in self.caps if cap.used >= cap.cap.maximum)
        return min((self._until, *full))

    def delay_factor(self, now: int) -> float:
        """Return the factor on planned delays (S2.98, S2.99)."""
        if not self._from <= now < self._until:
            self._look(now)
        return self._factor

    def open_at(self, at: int) -> tuple[bool, int]:
        """Tell whether hours and maintenance are open at any instant, and until when that holds."""
        is_open, until = True, NEVER
        if self._hours is not None and self._restricts:
            is_open, until = self._hours.is_open(at), self._hours.next_change(at)
        if self._downtime is not None:
            reason, change = self._downtime.look(at)
            is_open, until = is_open and reason is None, min(until, change)
        return is_open, until

    def retries_at(self, now: int) -> int:
        """Return when retries may go out: `now` or earlier, they may at once (S1.40)."""
        if not self._from <= now < self._until:
            self._look(now)
        return self._retries_at

    def closed(self, now: int, in_flight: int) -> tuple[ClosedGate, ...]:
        """Return every gate that is closed, in order, with its time and its reason."""
        if not self._from <= now < self._until:
            self._look(now)
        full = []
        for cap in self.caps:
            cap.roll(now)
            if cap.full(in_flight):
                told = f"{cap.cap.reason}: {cap.used} of {cap.cap.maximum} in this {cap.cap.per}"
                full.append(ClosedGate(Gate.CAP, cap.until, told))
            elif cap.unreserved(in_flight):
                full.append(ClosedGate(Gate.CAP, now + WAIT_MS, "a reservation is being written"))
        return (*self._closed, *full)

    # -- caps -------------------------------------------------------------------------------

    def succeeded(self, now: int) -> None:
        """Count a success against the caps."""
        for cap in self.caps:
            cap.roll(now)
            cap.used += 1

    def asked(self, in_flight: int) -> tuple[CapUse, ...]:
        """Return the caps with new reservations, to be saved."""
        return tuple(cap.ask(in_flight) for cap in self.caps)

    def granted(self, uses: tuple[CapUse, ...]) -> None:
        """Note that reservations are on disk."""
        for cap, use in zip(self.caps, uses, strict=True):
            cap.granted(use)

    def exact(self, now: int) -> tuple[CapUse, ...]:
        """Return the caps as they are, for a successor that takes over cleanly."""
        for cap in self.caps:
            cap.roll(now)
        return tuple(cap.exact() for cap in self.caps)

    # -- the calendars ----------------------------------------------------------------------

    def _look(self, now: int) -> None:
        """Read the calendars and note until when the answer holds."""
        self._from = now
        closed = []
        until = NEVER
        if self._hours is not None:
            change = self._hours.next_change(now)
            until = min(until, change)
            inside = self._hours.is_open(now)
            self._factor = self._factors[inside]
            if self._restricts:
                self._factor = 1.0
                if not inside:
                    closed.append(ClosedGate(Gate.HOURS, change, "outside the business hours"))
        if self._downtime is not None:
            reason, change = self._downtime.look(now)
            until = min(until, change)
            if reason is not None:
                closed.append(ClosedGate(Gate.MAINTENANCE, change, reason))
            self._over = self._over or (self._maintained and reason is None)
            self._maintained = reason is not None
        if self._retries is not None:
            change = self._retries.next_change(now)
            until = min(until, change)
            self._retries_at = 0 if self._retries.is_open(now) else change
        self._closed = tuple(closed)
        self._answer = (Gate(closed[0].gate), closed[0].until) if closed else None
        self._until = until
