"""A list of things to do, in order of time: the event loop of everything that needs no asyncio."""

import heapq
from collections.abc import Callable


class Agenda:
    """Runs callbacks in virtual time.

    Attributes:
        now: ms from the start.
    """

    def __init__(self) -> None:
        self.now = 0
        self._entries: list[tuple[int, int, Callable[[int], None], int]] = []
        self._order = 0

    def at(self, when: int, call: Callable[[int], None], argument: int) -> None:
        """Call `call(argument)` at an instant, after what was put there before."""
        self._order += 1
        heapq.heappush(self._entries, (when, self._order, call, argument))

    def run(self, limit: int) -> None:
        """Go on until nothing is left or the next thing is after `limit`."""
        entries = self._entries
        while entries and entries[0][0] <= limit:
            self.now, _, call, argument = heapq.heappop(entries)
            call(argument)
