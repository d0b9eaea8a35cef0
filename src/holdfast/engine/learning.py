"""What one lane learns as it goes: its usual failures and durations, and its outages."""

import random
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from holdfast.engine.fleet import Fleet
from holdfast.model.flow import Recipient
from holdfast.model.learned import HOURS, Learned, ProbePlan, Tally
from holdfast.policy import cusum, habits, outage, probing

MEMORY: Final = 2000.0
"""So many sends are remembered before the older ones fade."""
STEP: Final = 64
"""After so many good sends what is usual is looked at again."""
LITTLE: Final = 200
"""So long what is usual is learned even while a change is suspected: there is no usual yet."""
SAVE_EVERY: Final = 1000.0
RELAPSE_MS: Final = 600_000
"""A lane that goes down again within this has not recovered."""
RELAPSES_MAX: Final = 7
FLAKY: Final = 0.2
"""From this usual share of failures on, or ..."""
CONFIDENT: Final = 3.0
"""... with so many known outages of a class one good probe is enough."""
UNKNOWN: Final = "unknown"

_NOTHING: Final = Tally()


class Learning:
    """Learns for a lane; `learned` is what to save.

    The numbers that move with every send are plain attributes, as a send must stay cheap.

    Args:
        recipient: its settings.
        learned: what was saved.
        fleet: what all lanes know.
        waiting: tells how many deliveries of the lane wait.
    """

    def __init__(
        self, recipient: Recipient, learned: Learned, fleet: Fleet, waiting: Callable[[], int]
    ) -> None:
        self._settings = recipient.breaker
        self._waiting = waiting
        self._fleet = fleet
        self._half_timeout = 500 * min(each.total_timeout for each in recipient.endpoints)
        self._saved = learned
        self.calls = learned.calls
        self.failures = learned.failures
        self.typical_ms = learned.typical_ms
        self._tail = learned.tail_ms
        self.last_class = learned.outage_class or UNKNOWN
        self._moved = False
        self.habits = learned.habits
        self._hour = 0
        self._hour_calls = self._hour_failures = 0
        self.base = cusum.level(self.calls, self.failures)
        self.slow_ms = max(self._half_timeout, 3 * self._tail)

    def answered(
        self, took_ms: float, *, ok: bool, kind: str | None, healthy: bool, settled: bool
    ) -> bool:
        """Take in a send that says something about the recipient; tell whether it was slow.

        Args:
            took_ms: its duration.
            ok: the recipient works.
            kind: failure class when it does not.
            healthy: the lane was closed, so that the duration is a usual one.
            settled: no change is suspected; what is usual stays as it was while one is, but for
                a recipient of which little is known.
        """
        self.calls += 1
        if not ok:
            self.failures += 1
            self.last_class = kind or UNKNOWN
            self._moved = True
            return False
        if healthy:
            self._timed(took_ms)
        if self.calls >= MEMORY:
            self.calls /= 2
            self.failures /= 2
        if (settled or self.calls < LITTLE) and (self._moved or self.calls % STEP == 0):
            self._moved = False
            self.base = cusum.level(self.calls, self.failures)
        return took_ms > self.slow_ms

    def at_hour(self, now: int, ok: bool) -> None:  # noqa: FBT001  # on the way of every send
        """Count a send, probes too, for the hour it was answered in."""
        hour = now // habits.HOUR_MS
        if hour != self._hour:
            self.habits = habits.folded(
                self.habits, self._hour % HOURS, self._hour_calls, self._hour_failures
            )
            self._hour, self._hour_calls, self._hour_failures = hour, 0, 0
        self._hour_calls += 1
        self._hour_failures += not ok

    def tried(self, number: int, *, ok: bool) -> None:
        """Take in how a delivery's retry of that number went."""
        self.habits = habits.tried(self.habits, number, ok=ok)

    @property
    def took(self) -> float:
        """Good answers per second of the recovery that the latest relapse ended, 0: none."""
        return self._saved.took

    @property
    def usual(self) -> float:
        """Share of sends that fail as a rule."""
        return cusum.LEVELS[self.base]

    def _timed(self, took_ms: float) -> None:
        """Follow the mean, and the 99th percentile by small steps up and far smaller ones down."""
        if not self._tail:
            self.typical_ms, self._tail = took_ms, 2 * took_ms
        self.typical_ms += 0.02 * (took_ms - self.typical_ms)
        if took_ms > self._tail:
            self._tail *= 1.0495
        elif self._tail > self.typical_ms:
            self._tail *= 0.9995
        self.slow_ms = max(self._half_timeout, 3 * self._tail)

    # -- outages ----------------------------------------------------------------------------

    def opened(
        self,
        now: int,
        failures: int,
        calls: int,
        arriving: float,
        rng: random.Random,
        *,
        took: float = 0.0,
    ) -> ProbePlan:
        """Note that the lane opened, or that a probe failed; return when to probe next.

        The `failures` of the `calls` that opened it are the outage's, not usual. `arriving`:
        deliveries a second that come on top of those that wait. `took`: good answers a second of
        late.
        """
        saved = self._saved
        if saved.outage_class is None:
            self.failures = max(0.0, self.failures - failures)
            self.calls = max(0.0, self.calls - calls)
            again = 0 < now - saved.recovered_at < RELAPSE_MS
            relapses = min(RELAPSES_MAX, saved.relapses + 1) if again else 0
            saved = replace(
                saved,
                outage_class=self.last_class,
                outage_at=now,
                relapses=relapses,
                took=round(took, 3) if again else 0.0,
            )
        self._saved = replace(saved, failed_at=max(now, saved.failed_at))
        return self._plan(now, arriving, rng)

    def _plan(self, now: int, arriving: float, rng: random.Random) -> ProbePlan:
        kind = self._saved.outage_class or UNKNOWN
        tally = self._saved.outages.get(kind, _NOTHING)
        hazards = self.hazards(kind)
        relapses = self._saved.relapses
        if relapses:  # it came back and fell over again: it takes longer than the model says
            hazards = tuple(each / (1 + relapses) for each in hazards)
        return probing.plan(
            self._settings,
            hazards,
            tally,
            kind=kind,
            known=self._fleet.outages(kind) >= 1,
            age_ms=max(0, now - self._saved.outage_at),
            waiting=self._waiting(),
            arriving=arriving,
            rng=rng,
        )

    def recovered(self, now: int) -> None:
        """Note the first good probe: the outage ended since the last failed one."""
        saved = self._saved
        if saved.outage_class is None:
            return
        low = max(0, saved.failed_at - saved.outage_at)
        high = max(low + 1, now - saved.outage_at)
        hazards = self.hazards(saved.outage_class)
        before = saved.outages.get(saved.outage_class, _NOTHING)
        self._close(outage.ended(before, hazards, low, high, now), recovered_at=now)

    def abandoned(self, now: int) -> None:
        """Note that a person ended the outage: how long it would have lasted is not known."""
        saved = self._saved
        if saved.outage_class is None:
            return
        age = max(0, saved.failed_at - saved.outage_at)
        before = saved.outages.get(saved.outage_class, _NOTHING)
        after = outage.given_up(before, self.hazards(saved.outage_class), age, now)
        self._close(after, recovered_at=0)

    def _close(self, tally: Tally, *, recovered_at: int) -> None:
        saved = self._saved
        kind = saved.outage_class or UNKNOWN
        self._fleet.changed(kind, saved.outages.get(kind, _NOTHING), tally)
        self._saved = replace(
            saved,
            outages={**saved.outages, kind: tally},
            outage_class=None,
            recovered_at=recovered_at,
        )

    def hazards(self, kind: str) -> outage.Hazards:
        """Return the hazards of recovery of this lane from failures of a class."""
        own = self._saved.outages.get(kind)
        parent = self._fleet.parent(kind)
        return parent if own is None else outage.shrunk(parent, own)

    @property
    def confident(self) -> bool:
        """Tell whether one good probe is enough; where many fail a bad one is no news."""
        if self.usual >= FLAKY:
            return True
        return self._fleet.outages(self._saved.outage_class or self.last_class) >= CONFIDENT

    # -- keeping ----------------------------------------------------------------------------

    @property
    def stale(self) -> bool:
        """Tell whether so much was learned that it should be saved."""
        many = abs(self.calls - self._saved.calls) >= SAVE_EVERY
        return many or self.habits.days is not self._saved.habits.days

    def learned(self, pace: float) -> Learned:
        """Return what to save; `pace`: good answers per second of late."""
        self._saved = replace(
            self._saved,
            calls=self.calls,
            failures=self.failures,
            typical_ms=round(self.typical_ms, 3),
            tail_ms=round(self._tail, 3),
            pace=round(pace, 3),
            habits=self.habits,
        )
        return self._saved
