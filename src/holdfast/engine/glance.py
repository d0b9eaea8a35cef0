"""The whole worker at a glance: what the overview and the list of workers show (S1.60-S1.67)."""

from collections import Counter
from typing import Protocol

from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.sampler import QueueSample, Sampler
from holdfast.engine.spooler import Spooler
from holdfast.engine.trend import Trend
from holdfast.engine.writer import Writer
from holdfast.model.flow import Catalog
from holdfast.model.lane import BreakerState
from holdfast.model.overview import Overview, Spooling, WorkerState
from holdfast.model.worker import Ownership
from holdfast.policy.decide import Gate


class Watched(Protocol):
    """What of an engine is looked at."""

    catalog: Catalog
    dispatcher: Dispatcher
    writer: Writer
    trend: Trend
    spooler: Spooler | None
    sampler: Sampler

    @property
    def ownership(self) -> Ownership:
        """Return which life of the process this is."""
        ...

    @property
    def ready(self) -> bool:
        """Tell whether messages are accepted now."""
        ...

    @property
    def held(self) -> Gate | None:
        """Return what keeps the whole worker from sending, or None."""
        ...

    def queue_sample(self, now: int) -> QueueSample:
        """Return the state of the queue."""
        ...


class Glance:
    """Looks at a running engine.

    Args:
        engine: what is shown.
        started_at: when it became the owner, ms since the epoch.
    """

    def __init__(self, engine: Watched, *, started_at: int) -> None:
        self._engine = engine
        self._started_at = started_at

    @property
    def ready(self) -> bool:
        """Tell whether messages are accepted now."""
        return self._engine.ready

    @property
    def held(self) -> Gate | None:
        """Return what keeps the whole worker from sending, or None."""
        return self._engine.held

    def overview(self, now: int) -> Overview:
        """Return everything at a glance; no query is made."""
        engine = self._engine
        queue = engine.queue_sample(now)
        return Overview(
            at=now,
            active=queue.active,
            depth=queue.depth,
            by_priority=queue.by_priority,
            oldest_due_ms=queue.oldest_due_ms,
            lanes=self._breakers(),
            windows=engine.trend.windows(),
            points=engine.trend.points(),
            workers=(self.worker(now),),
        )

    def worker(self, now: int) -> WorkerState:
        """Return this worker."""
        engine, system = self._engine, self._engine.sampler.look(now)
        held = engine.held
        return WorkerState(
            id=f"epoch-{engine.ownership.epoch}",
            started_at=self._started_at,
            epoch=engine.ownership.epoch,
            clean=engine.ownership.clean,
            ready=engine.ready,
            held=None if held is None else str(held),
            slots=engine.dispatcher.slots.most,
            in_flight=engine.dispatcher.unsettled,
            buffered=engine.dispatcher.buffered,
            lanes=len(engine.dispatcher.lanes),
            commits=engine.writer.commits,
            cpu=system.cpu,
            memory=system.memory,
            load=system.load,
            disk=system.disk,
            process_memory=system.process_memory,
            spool=self.spooling(),
        )

    def spooling(self) -> Spooling | None:
        """Return how the spool stands, None: there is none."""
        spooler = self._engine.spooler
        return None if spooler is None else spooler.state()

    def _breakers(self) -> dict[str, int]:
        """Return recipients by breaker; a lane that nobody asked for yet is closed."""
        made = self._engine.dispatcher.lanes
        states = Counter(str(lane.state.breaker.state) for lane in made.values())
        states[str(BreakerState.CLOSED)] += len(self._engine.catalog.recipients) - len(made)
        return {str(state): states[str(state)] for state in BreakerState}
