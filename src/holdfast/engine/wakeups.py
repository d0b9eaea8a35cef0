"""Hints to and from the other workers: what is due elsewhere, what changed in our lanes."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from holdfast.clock import Clock
from holdfast.errors import StoreError
from holdfast.model.worker import Hint
from holdfast.roster import Wakeup
from holdfast.telemetry import LogEvent, log

GATHER_MS: Final = 10.0
"""Hints of so long go together: each group is a transaction of its own."""
TOLD_MAX: Final = 10_000
"""Hints that wait to be told; what comes above is left to the others' polling."""


class Wakeups:
    """Tells and hears. A hint that gets lost costs time, nothing else.

    Args:
        store: carries them.
        clock: time between two groups.
        heard: called with each hint.
    """

    def __init__(self, store: Wakeup, clock: Clock, heard: Callable[[Hint], None]) -> None:
        self._store = store
        self._clock = clock
        self._heard = heard
        self._told: dict[Hint, None] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def tell(self, hint: Hint) -> None:
        """Tell the others soon."""
        if len(self._told) < TOLD_MAX:
            self._told[hint] = None
            self._news.set()

    def start(self) -> None:
        """Begin to tell and to hear."""
        self._tasks = [
            asyncio.create_task(self._tell(), name="hints-out"),
            asyncio.create_task(self._hear(), name="hints-in"),
        ]

    async def stop(self) -> None:
        """Tell and hear no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            told, self._told = tuple(self._told), {}
            try:
                await self._store.notify(told)
            except StoreError as error:
                log(LogEvent.STORE_ERROR, logging.DEBUG, error=str(error))
            await self._clock.pause(GATHER_MS)

    async def _hear(self) -> None:
        while True:
            try:
                for hint in await self._store.hints():
                    self._heard(hint)
            except StoreError as error:
                log(LogEvent.STORE_ERROR, logging.DEBUG, error=str(error))
                await self._clock.pause(1_000)
