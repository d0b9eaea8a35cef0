"""A lane's pace at work: the instant of the next send, the answers of a second, the end."""

from typing import Final

from msgspec.structs import replace

from holdfast.model.learned import Pace
from holdfast.policy import pacer

CREDIT_MS: Final = 2.0
"""A timer may be late by this without the rate getting lost."""


class Pacing:
    """The pace of a lane, or none (`pace is None`): then nothing here costs anything.

    Args:
        pace: what was saved.
        concurrency: the recipient's own limit.
    """

    def __init__(self, pace: Pace | None, concurrency: int) -> None:
        self.pace = pace
        self._concurrency = concurrency
        self._fresh = pace is not None
        self.next_at = 0.0
        """No send before this instant."""

    def begin(
        self, cause: str, *, before: float, usual: float, now: int, took: float = 0.0
    ) -> None:
        """Start to pace, or start anew after an outage."""
        self.pace = pacer.begin(
            cause,
            before=before,
            usual=usual,
            concurrency=self._concurrency,
            now=now,
            took=took,
        )
        self._fresh = False
        self.next_at = float(now)

    def sent(self, now: int) -> None:
        """Note a send and set the instant of the next."""
        if self.pace is not None:
            self.next_at = max(now - CREDIT_MS, self.next_at) + 1000 / self.pace.rate

    def limit(self, concurrency: int) -> int:
        """Return how many sends there may be at once."""
        return concurrency if self.pace is None else max(1, min(concurrency, int(self.pace.limit)))

    def answered(self, started_at: int, *, good: bool, bad: bool, took_ms: float) -> None:
        """Take in an answer to a send of this pace."""
        if self.pace is not None:
            self.pace = pacer.answered(self.pace, started_at, good=good, bad=bad, took_ms=took_ms)

    def settling(self, started_at: int) -> bool:
        """Tell whether a failure of a send that began then is what the pace was cut for."""
        return self.pace is not None and pacer.settling(self.pace, started_at)

    def tick(self, now: int, *, typical_ms: float, backlog: bool, well: bool, calm_ms: int) -> bool:
        """Move the rate once a second; tell whether the pace has ended."""
        pace = self.pace
        if pace is None:
            return False
        if self._fresh:  # of an owner before this one
            self._fresh = False
            pace = pacer.resumed(pace, now)
        if now - pace.since >= pacer.WINDOW_MS or pacer.overshot(pace):
            pace = pacer.calm(pace, now=now, backlog=backlog, well=well)
            if pacer.over(pace, now, calm_ms):
                self.pace = None
                return True
            pace = pacer.step(pace, now=now, typical_ms=typical_ms, concurrency=self._concurrency)
            limit = max(now, self.next_at)
            self.next_at = min(limit, now + 1000 / pace.rate)
        self.pace = pace
        return False

    def set_back(self, by_ms: int) -> None:
        """Keep pace with a clock that was set back."""
        self.next_at -= by_ms
        if self.pace is not None:
            self.pace = pacer.earlier(self.pace, by_ms)

    def drop(self) -> None:
        """Stop to pace."""
        self.pace = None

    def saved(self) -> Pace | None:
        """Return what to save."""
        return None if self.pace is None else replace(self.pace, sent=0, good=0, bad=0)
