"""Virtual time for tests: the lab's clock and event loop, and machines that show another time."""

from holdfast.lab.clock import START, Deadlock, VirtualClock, VirtualLoop, run

__all__ = ["START", "Deadlock", "SkewedClock", "VirtualClock", "VirtualLoop", "run"]


class SkewedClock:
    """A machine's clock that shows another time than its neighbours' and was started earlier.

    Args:
        inner: the time that passes.
        skew_ms: how far its wall clock is ahead.
    """

    def __init__(self, inner: VirtualClock, skew_ms: int) -> None:
        self._inner = inner
        self._skew = skew_ms
        self._wall = skew_ms

    def set_wall(self, now: int) -> None:
        """Set the wall clock alone, as an administrator or NTP would."""
        self._wall = now - self._inner.now()

    def now(self) -> int:
        """Return the wall time in ms, wrong by the skew."""
        return self._inner.now() + self._wall

    def monotonic(self) -> float:
        """Return ms since some instant."""
        return self._inner.monotonic() + self._skew

    def boottime(self) -> float:
        """Return ms since some other instant."""
        return self._inner.boottime() + 2 * self._skew

    async def pause(self, ms: float) -> None:
        """Return after so many ms."""
        await self._inner.pause(ms)
