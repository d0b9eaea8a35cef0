"""The slots of a worker: how many are open now, and when that changes."""

from collections import deque
from collections.abc import Callable
from typing import Final

from holdfast.clock import Clock
from holdfast.engine.loop import Loop
from holdfast.policy import slots as sizes

FULL: Final = float("inf")


class Slots(Loop):
    """Opens slots when work waits for one, and closes them, second by second, when it is quiet.

    Args:
        clock: time.
        least: as many are always open, if `most` allows.
        most: no more are ever open.
        used: tells how many are in use.
        waits: tells whether work waits for one.

    Attributes:
        open: sends may be under way at once.
        short: all that may be open are in use, and more is due: another worker would help.
    """

    every_ms = 1_000

    def __init__(
        self,
        clock: Clock,
        *,
        least: int,
        most: int,
        used: Callable[[], int],
        waits: Callable[[], bool],
    ) -> None:
        super().__init__(clock)
        self.first = least
        self.least = min(least, most)
        self.most = most
        self.open = self.least
        self._used = used
        self._waits = waits
        self.short = False
        self._grown_at = float("-inf")
        self._history: deque[int] = deque(maxlen=sizes.QUIET_S)
        self._wanted = False

    def resize(self, most: int) -> None:
        """Open at most so many from now on; what is under way is not touched."""
        self.least = min(self.first, most)
        self.most = most
        self.open = min(max(self.open, self.least), most)

    def grow(self) -> float:
        """Open more, as all are in use and work is due; return ms until more can be (0: now)."""
        self._wanted = True
        if self.open >= self.most:
            return FULL
        now = self.clock.monotonic()
        early = self._grown_at + sizes.GROW_MS - now
        if early > 0:
            return early
        self._grown_at = now
        self.open = sizes.grown(self.open, self.most)
        return 0.0

    async def run_once(self) -> None:
        """Note a second; close slots after a time in which half of them were enough."""
        used = self._used()
        self._history.append(self.open if self._wanted else used)
        self.short = used >= self.most and self._waits()
        self._wanted = False
        before = self.open
        self.open = sizes.shrunk(before, self.least, tuple(self._history))
        if self.open < before:
            self._history.clear()
