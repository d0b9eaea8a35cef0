"""How many sends succeed in a second, of late."""

from typing import Final

HALF_LIFE_MS: Final = 10_000.0
"""Half-life of the rate."""
WARM_MS: Final = 1000
"""The first successes are spread over at least this."""


class Tempo:
    """A rate that fades with time; a lane that just began is not measured too low.

    Args:
        rate: what was known of it.
        most: the most that was known of it.
    """

    def __init__(self, rate: float = 0.0, most: float = 0.0) -> None:
        self.rate = rate
        """Successes per second of late, 0: unknown."""
        self.most = most
        """The most that this ever was once it was measured for a half-life, 0: unknown."""
        self._at = 0
        self._from = 0
        self._count = 0

    def succeeded(self, now: int) -> None:
        """Count a success."""
        if now < self._at:  # the clock was set back: else an hour would count as one second
            self._from = max(1, self._from + now - self._at)
            self._at = now
        if now - self._from < HALF_LIFE_MS or not self._from:
            self._begin(now)
            return
        age = max(1, now - self._at)
        weight = 0.5 ** (age / HALF_LIFE_MS)
        self.rate = self.rate * weight + (1 - weight) * 1000 / age
        self._at = now
        self.most = max(self.most, self.rate)

    def _begin(self, now: int) -> None:
        """Count from the beginning: a fading mean would start at nothing."""
        if not self._from:
            self._from = now
        self._at = now
        self._count += 1
        counted = 1000 * self._count / max(WARM_MS, now - self._from)
        self.rate = max(self.rate, counted) if now - self._from < WARM_MS else counted
