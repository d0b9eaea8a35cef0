"""Time as a contract: the only module that reads a clock or sleeps.

Instants are whole milliseconds since the Unix epoch, UTC (`now`). Durations are measured on
`monotonic`, in milliseconds with fractions, which never jumps when the wall clock is set.
"""

import asyncio
import time
from typing import Final, Protocol


class Clock(Protocol):
    """What the engine needs of time; `testing.clock.VirtualClock` is the other implementation."""

    def now(self) -> int:
        """Return the wall time in milliseconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return milliseconds on a clock that only moves forward; only differences count."""
        ...

    def boottime(self) -> float:
        """Return milliseconds on a clock that goes on while the machine is suspended."""
        ...

    async def pause(self, ms: float) -> None:
        """Return after `ms` milliseconds of monotonic time, however the wall clock is set."""
        ...


_BOOTTIME: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux has its own name for it; elsewhere the monotonic clock goes on through suspension."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return the wall time in milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return milliseconds on the monotonic clock."""
        return time.perf_counter_ns() / 1_000_000

    def boottime(self) -> float:
        """Return milliseconds since the machine was started, suspended or not."""
        return time.clock_gettime_ns(_BOOTTIME) / 1_000_000

    async def pause(self, ms: float) -> None:
        """Return after `ms` milliseconds; the event loop's clock is monotonic."""
        await asyncio.sleep(ms / 1000)


class StoreClock:
    """The time of a store that several machines share, as far as it is known here.

    Between two answers of the store it goes on by itself. It is never ahead of the store, by as
    much as the last answer took, and never goes back.

    Args:
        inner: the machine's clock; its wall time counts until the store has told its own.
    """

    def __init__(self, inner: Clock) -> None:
        self._inner = inner
        self._offset: float | None = None
        self._last = 0

    def adopt(self, now: int) -> None:
        """Take the store's time, which it has told just now."""
        self._offset = now - self._inner.boottime()

    def now(self) -> int:
        """Return the store's time in milliseconds since the Unix epoch, UTC."""
        if self._offset is None:
            return self._inner.now()
        now = int(self._inner.boottime() + self._offset)
        if now < self._last:
            return self._last
        self._last = now
        return now

    def monotonic(self) -> float:
        """Return milliseconds on a clock that only moves forward; only differences count."""
        return self._inner.monotonic()

    def boottime(self) -> float:
        """Return milliseconds on a clock that goes on while the machine is suspended."""
        return self._inner.boottime()

    async def pause(self, ms: float) -> None:
        """Return after `ms` milliseconds of monotonic time."""
        await self._inner.pause(ms)
