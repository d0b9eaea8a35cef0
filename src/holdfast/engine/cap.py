"""Volume caps: how many deliveries may succeed in a calendar period (S1.94).

What may be used is reserved ahead on disk, a block at a time; after a crash all that was reserved
counts as used. So a cap is never exceeded, and a crash forfeits at most a block. A send that is
under way when a period ends counts in the next one; only a crash between that end and the next
commit, a few ms later, forgets those.
"""

from zoneinfo import ZoneInfo

from holdfast.model.calendar import Cap, CapUse
from holdfast.policy.hours import period_end

BLOCK_MAX = 500
"""Most that is reserved at once."""


class CapCount:
    """One cap in motion.

    Args:
        cap: its settings.
        zone: holds where the cap names none.
        saved: what the last owner left.
        now: ms since the epoch.
    """

    def __init__(self, cap: Cap, zone: str, saved: CapUse | None, now: int) -> None:
        self.cap = cap
        self.name = name_of(cap)
        self._zone = ZoneInfo(cap.zone or zone)
        self.until = period_end(now, cap.per, self._zone)
        """End of the period."""
        self.used = 0
        """Successes in it."""
        self._granted = 0
        """How far `used` may rise: that much is known on disk."""
        self._asked = 0
        if saved is not None and saved.until > now:
            self.until = saved.until  # other settings end no period early
            self.used = self._granted = saved.taken

    def roll(self, now: int) -> None:
        """Begin the next period when this one is over."""
        if now >= self.until:
            self.until = period_end(now, self.cap.per, self._zone)
            self.used = self._granted = self._asked = 0

    def left(self, now: int) -> int:
        """Return how many more may succeed in the period."""
        self.roll(now)
        return max(0, self.cap.maximum - self.used)

    def full(self, in_flight: int) -> bool:
        """Tell whether one more send could exceed it, if all that are under way succeed."""
        return self.used + in_flight >= self.cap.maximum

    def unreserved(self, in_flight: int) -> bool:
        """Tell whether one more send has to wait for the disk."""
        return self.used + in_flight >= self._granted

    def wants(self, in_flight: int) -> bool:
        """Tell whether more should be reserved now."""
        if self._asked > self._granted or self._granted >= self.cap.maximum:
            return False
        return self._granted - self.used - in_flight <= self._block() // 2

    def ask(self, in_flight: int) -> CapUse:
        """Return the cap with a new reservation, to be saved; then call `granted`."""
        wanted = min(self.cap.maximum, self.used + in_flight + self._block())
        self._asked = max(self._granted, wanted, self.used)
        return CapUse(self.name, self.until, self._asked)

    def granted(self, use: CapUse) -> None:
        """Note that a reservation is on disk."""
        if use.until == self.until:
            self._granted = max(self._granted, use.taken)

    def exact(self) -> CapUse:
        """Return the cap as it is, for a successor that takes over cleanly."""
        return CapUse(self.name, self.until, self.used)

    def _block(self) -> int:
        return max(1, min(BLOCK_MAX, self.cap.maximum // 20))


def name_of(cap: Cap) -> str:
    """Return the name of a cap, or its period."""
    return cap.name or cap.per
