"""Virtual time: an event loop on which hours pass in milliseconds.

Time stands still while anything can run, and jumps to the next timer when nothing can (the
idea of trio's autojump clock). Everything that waits through asyncio (`asyncio.sleep`,
timeouts) and through `VirtualClock` shares that time. No threads and no sockets: what the code
under test needs of the world must be in the same loop.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START = 1_750_000_000_000
"""Default start: 2025-06-15T15:06:40Z in ms since the epoch."""


class Deadlock(AssertionError):
    """Nothing can run and nothing is scheduled: the code under test waits for ever."""


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for a timeout, moves the clock forward by it."""

    def __init__(self, clock: "VirtualClock") -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return no events; jump when the loop would have waited."""
        if timeout is None:
            raise Deadlock("nothing is scheduled and nothing can run")
        if timeout > 0:
            self._clock.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` is the virtual clock's."""

    def __init__(self, clock: "VirtualClock") -> None:
        super().__init__(_JumpingSelector(clock))
        self._virtual = clock

    def time(self) -> float:
        """Return virtual seconds."""
        return self._virtual.seconds


class VirtualClock:
    """A `Clock` for `VirtualLoop`; the wall can be set apart from the monotonic time.

    Args:
        start: first value of `now()`, ms since the epoch.
    """

    def __init__(self, start: int = START) -> None:
        self.seconds = 0.0
        self._wall = start

    def jump(self, seconds: float) -> None:
        """Let time pass at once."""
        self.seconds += seconds

    def set_wall(self, now: int) -> None:
        """Set the wall clock, as an administrator or NTP would; monotonic time is unmoved."""
        self._wall = now - round(self.seconds * 1000)

    def now(self) -> int:
        """Return virtual wall time in ms since the epoch."""
        return self._wall + round(self.seconds * 1000)

    def monotonic(self) -> float:
        """Return virtual monotonic ms."""
        return self.seconds * 1000

    def boottime(self) -> float:
        """Return the same: a virtual machine is never suspended."""
        return self.seconds * 1000

    async def pause(self, ms: float) -> None:
        """Return after `ms` milliseconds of virtual time, however the wall is set."""
        await asyncio.sleep(ms / 1000)


def run(
    main: Coroutine[Any, Any, T], clock: VirtualClock, loop_type: type[VirtualLoop] = VirtualLoop
) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=lambda: loop_type(clock)) as runner:
        return runner.run(main)
