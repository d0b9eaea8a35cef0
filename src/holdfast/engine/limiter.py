"""A lane's rate limits in motion: what was handed out, what has begun, what is reserved on disk.

A send counts from the moment it is handed out; its place in the windows is the instant at which
it begins. Of the long windows only as many sends are handed out as the store knows of.
"""

import msgspec

from holdfast.model.throttle import RateLimits, WindowUse
from holdfast.policy import limit

WAIT_MS = 100
"""How soon a lane that waits for its reservation looks again, should nothing tell it."""


class Limiter:
    """The limits of one recipient.

    Args:
        limits: its settings; at least one is given.
        saved: what the last owner kept.
        now: instant of the take-over, ms since the epoch.
        clean: the last owner said goodbye.
    """

    def __init__(
        self, limits: RateLimits, saved: tuple[WindowUse, ...], now: int, *, clean: bool
    ) -> None:
        known = {use.span_ms: use for use in saved}
        self._most = limit.windows(limits)
        self._uses = [
            limit.taken_over(known.get(span), span, most, now, clean=clean)
            for span, most in self._most
        ]
        self._spacing = limit.spacing_ms(limits)
        self._next_at = 0.0
        self._pending = 0
        self._left = 0 if self._most[-1][0] >= limit.KEPT_FROM_MS else -1
        """Sends that the store knows of and that were not handed out; -1: it need not know."""
        self._asked: int | None = None
        """What a reservation that is being saved will add."""

    def opens_at(self, now: int) -> int:
        """Return when one more send may be handed out, at most `now` when it may be."""
        opens = int(self._next_at)
        for use, (_, most) in zip(self._uses, self._most, strict=True):
            opens = max(opens, limit.opens_at(use, most, self._pending, now))
        if self._left == 0 and opens <= now:
            return now + WAIT_MS
        return opens

    def taken(self, now: int) -> None:
        """Note that a send was handed out."""
        self._pending += 1
        if self._left > 0:
            self._left -= 1
        if self._spacing:
            self._next_at = max(float(now), self._next_at) + self._spacing

    def began(self, now: int) -> None:
        """Note that a send that was handed out begins now."""
        self._pending -= 1
        self._uses = [limit.added(use, 1, now) for use in self._uses]

    def dropped(self) -> None:
        """Note that a send that was handed out will not be made; what it reserved is forfeit."""
        self._pending -= 1

    def set_back(self, by_ms: int, now: int) -> None:
        """Keep pace with a clock that was set back: what the windows hold counts as sent now."""
        self._next_at -= by_ms
        self._uses = [limit.moved(use, now) for use in self._uses]

    def windows(self, now: int) -> tuple[limit.Room, ...]:
        """Return every limit with the room that is left in it."""
        return tuple(
            limit.Room(span, most, max(0, most - self._pending - sum(limit.moved(use, now).counts)))
            for use, (span, most) in zip(self._uses, self._most, strict=True)
        )

    # -- reservations -----------------------------------------------------------------------

    def wants(self, now: int) -> bool:
        """Tell whether a reservation has to be saved, before the last one is used up."""
        if self._left < 0 or self._asked is not None:
            return False
        size = self._chunk(now)
        return size > self._left and self._left <= size // 2

    def _chunk(self, now: int) -> int:
        """Return how many sends to have in reserve: what every long window has room for."""
        return min(
            limit.chunk(use, most, self._pending, now)
            for use, (span, most) in zip(self._uses, self._most, strict=True)
            if span >= limit.KEPT_FROM_MS
        )

    def reserve(self, now: int) -> tuple[WindowUse, ...]:
        """Return the windows with a new reservation, to be saved; then call `reserved`."""
        size = self._chunk(now)
        self._asked = size - self._left
        return tuple(
            msgspec.structs.replace(limit.moved(use, now), reserved=self._pending + size)
            for use in self._uses
        )

    def reserved(self) -> None:
        """Note that the reservation is on disk."""
        self._left += self._asked or 0
        self._asked = None

    def exact(self, now: int) -> tuple[WindowUse, ...]:
        """Return the windows as they are, for a successor that takes over cleanly."""
        return tuple(limit.moved(use, now) for use in self._uses)
