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

    async def sleep_until(self, at: int) -> None:
        """Return when `now() >= at`; at once when that is already so."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return the wall time in milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return milliseconds on the monotonic clock."""
        return time.perf_counter_ns() / 1_000_000

    async def sleep_until(self, at: int) -> None:
        """Sleep in steps of at most a minute, so that a changed wall clock is noticed."""
        while (left := at - self.now()) > 0:  # noqa: ASYNC110  # only time passing ends it
            await asyncio.sleep(min(left, 60_000) / 1000)  # time is the event
