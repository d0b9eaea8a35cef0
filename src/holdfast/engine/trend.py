"""Remembers the last hour of the meter, so that trends need no query (S1.62, S1.67).

The traffic pays nothing: every few seconds a loop looks at counters that are there anyway and
keeps the differences. What was before the start is not known, and each window says how much of
it was seen.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final

from holdfast.clock import Clock
from holdfast.engine.intake import Intake
from holdfast.engine.loop import Loop
from holdfast.engine.meter import LATENCY_BUCKETS_MS, Meter
from holdfast.model.attempt import Result
from holdfast.model.overview import Beat, Point, Window

EVERY_MS: Final = 5000
KEPT: Final = 720
"""Beats that are kept: an hour."""
WINDOWS: Final = (1, 5, 15, 60)
"""Minutes that are summed (S1.62)."""
POINTS: Final = 120
"""A plot has at most so many points."""


class Trend(Loop):
    """Keeps one beat every `EVERY_MS`.

    Args:
        clock: time.
        meter: the counters of tries.
        intake: the counter of messages.
    """

    every_ms = EVERY_MS

    def __init__(self, clock: Clock, meter: Meter, intake: Intake) -> None:
        super().__init__(clock)
        self._meter = meter
        self._intake = intake
        self._beats: deque[Beat] = deque(maxlen=KEPT)
        self._seen_at = clock.monotonic()
        self._accepted = intake.accepted
        self._attempts = Counter(meter.attempts)
        self._latency = tuple(meter.latency)

    async def run_once(self) -> None:
        """Keep what happened since the last look."""
        span = round(self.clock.monotonic() - self._seen_at)
        if span > 0:
            self._beats.append(self._beat(span))

    def windows(self) -> tuple[Window, ...]:
        """Return the sums over the last minutes."""
        return tuple(window(self._beats, minutes) for minutes in WINDOWS)

    def points(self) -> tuple[Point, ...]:
        """Return the last hour in at most `POINTS` points, oldest first; the first are fine."""
        beats = tuple(self._beats)
        return points(beats, max(1, math.ceil(len(beats) / POINTS)))

    def _beat(self, span: int) -> Beat:
        attempts, latency = Counter(self._meter.attempts), tuple(self._meter.latency)
        outcomes: Counter[str] = Counter()
        failures: Counter[str] = Counter()
        for (outcome, kind), count in (attempts - self._attempts).items():
            outcomes[str(outcome)] += count
            if kind:
                failures[str(kind)] += count
        beat = Beat(
            at=self.clock.now(),
            span_ms=span,
            accepted=self._intake.accepted - self._accepted,
            outcomes=dict(outcomes),
            failures=dict(failures),
            latency=tuple(new - old for new, old in zip(latency, self._latency, strict=True)),
        )
        self._seen_at += span
        self._accepted = self._intake.accepted
        self._attempts, self._latency = attempts, latency
        return beat


def window(beats: Iterable[Beat], minutes: int) -> Window:
    """Return the sums over the newest beats that fill `minutes`, or as many as there are."""
    left = minutes * 60_000
    some: list[Beat] = []
    for beat in reversed(tuple(beats)):
        if left < beat.span_ms / 2:
            break
        some.append(beat)
        left -= beat.span_ms
    failures: Counter[str] = Counter()
    for beat in some:
        failures.update(beat.failures)
    latency = _latency(some)
    return Window(
        minutes=minutes,
        covered_ms=sum(beat.span_ms for beat in some),
        accepted=sum(beat.accepted for beat in some),
        tries=_tries(some),
        successes=_successes(some),
        failures=dict(failures.most_common()),
        p50_ms=quantile(latency, 0.5),
        p95_ms=quantile(latency, 0.95),
    )


def points(beats: Sequence[Beat], group: int) -> tuple[Point, ...]:
    """Return one point per `group` beats; groups end with the newest beat."""
    first = len(beats) % group
    cuts = [beats[:first], *(beats[at : at + group] for at in range(first, len(beats), group))]
    return tuple(_point(some) for some in cuts if some)


def _point(some: Sequence[Beat]) -> Point:
    latency = _latency(some)
    return Point(
        at=some[-1].at,
        span_ms=sum(beat.span_ms for beat in some),
        accepted=sum(beat.accepted for beat in some),
        tries=_tries(some),
        successes=_successes(some),
        p50_ms=quantile(latency, 0.5),
        p95_ms=quantile(latency, 0.95),
    )


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Return the latency in ms below which `share` of the sends stayed, None: no sends.

    Within a bucket they are taken to lie evenly; above the last bound that bound is told.
    """
    wanted = share * sum(counts)
    if wanted == 0:
        return None
    below, low = 0, 0.0
    for count, high in zip(counts, LATENCY_BUCKETS_MS, strict=False):
        if below + count >= wanted:
            return round(low + (high - low) * (wanted - below) / count, 1)
        below, low = below + count, float(high)
    return low


def _latency(some: Sequence[Beat]) -> list[int]:
    return [sum(column) for column in zip(*(beat.latency for beat in some), strict=True)]


def _tries(some: Iterable[Beat]) -> int:
    return sum(
        count for beat in some for name, count in beat.outcomes.items() if name != Result.SKIP
    )


def _successes(some: Iterable[Beat]) -> int:
    return sum(beat.outcomes.get(Result.SUCCESS, 0) for beat in some)
