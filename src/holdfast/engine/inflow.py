"""How many deliveries arrive at each lane in a second, of late."""

from collections.abc import Mapping
from typing import Final

from holdfast.store import Counts

HALF_LIFE_MS: Final = 60_000.0
KNOWN_MS: Final = 10_000
"""Nothing is said before it was measured for so long."""


class Inflow:
    """Follows the counters; what was accepted before the first look is not an arrival."""

    def __init__(self) -> None:
        self._from = self._at = 0
        self._created: dict[str, int] = {}
        self._rates: dict[str, float] = {}

    def looked(self, counts: Mapping[str, Counts], now: int) -> None:
        """Take in the counters as they stand at an instant (ms since the epoch)."""
        span = now - self._at
        if not self._at or span < 0:
            self._from = self._at = now
            self._created = {name: each.created for name, each in counts.items()}
            self._rates = {}
            return
        if span == 0:
            return
        # A plain mean at first, then one that fades: the first look weighs as much as the others.
        weight = min(0.5 ** (span / HALF_LIFE_MS), (self._at - self._from) / (now - self._from))
        for name, each in counts.items():
            rate = 1000 * (each.created - self._created.get(name, 0)) / span
            self._rates[name] = weight * self._rates.get(name, 0.0) + (1 - weight) * rate
            self._created[name] = each.created
        self._at = now

    def rate(self, recipient: str) -> float | None:
        """Return the new deliveries per second of a lane, None: not measured for long enough."""
        if self._at - self._from < KNOWN_MS:
            return None
        return self._rates.get(recipient, 0.0)
