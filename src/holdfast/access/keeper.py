"""The loop that sums events up, links audit lines, and forgets what is old; one worker runs it."""

from collections.abc import Callable
from typing import Final

from holdfast.access.chain import Chain
from holdfast.access.tries import Tries
from holdfast.clock import Clock
from holdfast.engine.loop import Loop
from holdfast.errors import StoreError
from holdfast.people import People

SUM_EVERY_MS: Final = 300_000
"""Retry events are summed up so often; while there is more than a turn takes, at each turn."""
SUMS_AT_ONCE: Final = 4
"""Most lines of sums in one turn: 20,000 events a second are more than a store takes."""
FORGET_EVERY_MS: Final = 60_000
FORGET_AT_ONCE: Final = 1_000
"""Most sessions that are forgotten in one commit."""


class Keeper(Loop):
    """Links within a second.

    Args:
        clock: time.
        chain: of the audit lines.
        tries: the retry events.
        people: has sessions that end.
        age_ms: lines older than this are pruned.
        elected: tells whether this worker is the one.
    """

    every_ms = 1_000

    def __init__(
        self,
        clock: Clock,
        chain: Chain,
        tries: Tries,
        people: People,
        *,
        age_ms: int,
        elected: Callable[[], bool],
    ) -> None:
        super().__init__(clock)
        self._chain = chain
        self._tries = tries
        self._people = people
        self._age = age_ms
        self._elected = elected
        self._forgotten = clock.monotonic()
        self._sum_at = clock.monotonic()

    async def run_once(self) -> None:
        """Link and sum up what is new; once a minute forget what is old."""
        if not self._elected():
            return
        await self._chain.seal()
        if (now := self.clock.monotonic()) >= self._sum_at:
            self._sum_at = now + SUM_EVERY_MS
            for _ in range(SUMS_AT_ONCE):
                if not await self._tries.sum():
                    break
            else:
                self._sum_at = now
        if self.clock.monotonic() >= self._forgotten + FORGET_EVERY_MS:
            self._forgotten = self.clock.monotonic()
            await self._people.forget_old(self.clock.now(), FORGET_AT_ONCE)
            while await self._chain.prune(self.clock.now() - self._age):
                pass

    async def finish(self) -> None:
        """End, and link the last lines, if the store still takes them."""
        await self.stop()
        try:
            await self._chain.seal()
        except StoreError:  # the next start links them
            return
