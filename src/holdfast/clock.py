"""Time as a contract: the only module that reads a clock or sleeps.

Instants are whole milliseconds since the Unix epoch, UTC (`now`). Durations are measured on
`monotonic`, in milliseconds with fractions, which never jumps when the wall clock is set.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the engine needs of time; `testing.clock.VirtualClock` is the other implementation."""

    def now(self) -> int:
        """Return the wall time in milliseconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Return milliseconds on a clock that only moves forward; only differences count."""
        ...

    async def pause(self, ms: float) -> None:
        """Return after `ms` milliseconds of monotonic time, however the wall clock is set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return the wall time in milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return milliseconds on the monotonic clock."""
        return time.perf_counter_ns() / 1_000_000

    async def pause(self, ms: float) -> None:
        """Return after `ms` milliseconds; the event loop's clock is monotonic."""
        await asyncio.sleep(ms / 1000)
