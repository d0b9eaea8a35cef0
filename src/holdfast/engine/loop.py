"""The shape of every maintenance loop: start, stop, run_once."""

import asyncio
import logging
from abc import ABC, abstractmethod

from holdfast.clock import Clock
from holdfast.telemetry import LogEvent, log


class Loop(ABC):
    """Runs `run_once` every `every_ms`; a failure is logged and the loop goes on."""

    every_ms: int = 1000

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def run_once(self) -> None:
        """Do the work that is due now."""

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=type(self).__name__.lower())

    async def stop(self) -> None:
        """End; a round under way is cut."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self.run_once()
            except Exception as error:  # noqa: BLE001  # a loop must outlive any one failure
                log(
                    LogEvent.LOOP_ERROR,
                    logging.ERROR,
                    loop=type(self).__name__,
                    error=f"{type(error).__name__}: {error}",
                )
            await self.clock.pause(self.every_ms)
