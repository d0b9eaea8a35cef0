"""Samples the machine and the queue at most once a second, for the events' context (S1.17, S1.19).

Events name a sample by id; the sample itself is written once, in the same transaction as the
first event that names it.
"""

import os
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import psutil

from holdfast.clock import Clock
from holdfast.store import Counts, Snapshot

EVERY_MS: Final = 1000


class SystemSample(msgspec.Struct, frozen=True):
    """Load of this machine and process; shares are 0-1, sizes are bytes."""

    cpu: float
    memory: float
    load: float
    """One-minute load average per core."""
    disk: float
    process_memory: int
    busy: float
    """Share of the slots that hold an unsettled send."""


class QueueSample(msgspec.Struct, frozen=True):
    """State of the queue; ages in ms."""

    active: int
    depth: int
    oldest_due_ms: int
    by_priority: dict[str, int]


class Sample(msgspec.Struct, frozen=True):
    """What an event's `context` holds besides network and partner."""

    at: int
    system: SystemSample
    queue: QueueSample


def by_priority(counts: Iterable[Counts]) -> dict[str, int]:
    """Return what waits by priority class."""
    each = tuple(counts)
    return {
        "high": sum(one.high for one in each),
        "normal": sum(one.normal for one in each),
        "low": sum(one.low for one in each),
    }


Probe = Callable[[float], SystemSample]


def machine(folder: str) -> Probe:
    """Return a probe of this machine; `folder` is on the disk that is watched."""
    process = psutil.Process()
    cores = os.cpu_count() or 1
    psutil.cpu_percent()

    def probe(busy: float) -> SystemSample:
        return SystemSample(
            cpu=round(psutil.cpu_percent() / 100, 3),
            memory=round(psutil.virtual_memory().percent / 100, 3),
            load=round(psutil.getloadavg()[0] / cores, 3),
            disk=round(psutil.disk_usage(folder).percent / 100, 3),
            process_memory=process.memory_info().rss,
            busy=busy,
        )

    return probe


class Sampler:
    """Keeps the present sample.

    Args:
        clock: for the age of the sample.
        probe: reads the machine.
        queue: reads the queue.
        busy: share of the slots in use.
        publish: takes every new sample, before any event names it.
    """

    def __init__(
        self,
        clock: Clock,
        probe: Probe,
        *,
        queue: Callable[[int], QueueSample],
        busy: Callable[[], float],
        publish: Callable[[Snapshot], None],
    ) -> None:
        self._clock = clock
        self._probe = probe
        self._queue = queue
        self._busy = busy
        self._publish = publish
        self._id = ""
        self._at = -EVERY_MS
        self._number = 0
        self._looked_at = -EVERY_MS
        self._system = SystemSample(0.0, 0.0, 0.0, 0.0, 0, 0.0)

    def current(self, now: int, prefix: str) -> str:
        """Return the id of a sample that is at most a second old; `prefix` makes it unique."""
        if abs(now - self._at) >= EVERY_MS:
            self._at = now
            self._number += 1
            self._id = f"ctx_{prefix}_{self._number:x}"
            self._look(now)
            body = msgspec.json.encode(Sample(now, self._system, self._queue(now)))
            self._publish(Snapshot(self._id, body))
        return self._id

    def system(self, now: int, prefix: str) -> SystemSample:
        """Return the machine's part of a sample that is at most a second old."""
        self.current(now, prefix)
        return self._system

    def look(self, now: int) -> SystemSample:
        """Return a look at the machine that is at most a second old; no event will name it."""
        if abs(now - self._looked_at) >= EVERY_MS:
            self._look(now)
        return self._system

    def _look(self, now: int) -> None:
        self._looked_at = now
        self._system = self._probe(round(self._busy(), 3))
