"""The watch: what is due in a lane with nothing against it goes out soon, at any time of a run.

At the end of a run everything ends, also what a later stir of its lane has freed by luck. A stall
shows only while it lasts.
"""

from typing import Final

import apsw

from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.lane import Lane
from holdfast.model.delivery import Status
from holdfast.testing.channel import elapse
from holdfast.testing.clock import VirtualClock
from holdfast.testing.simulator.faults import Faults
from holdfast.testing.simulator.ledger import Ledger, Promise
from holdfast.testing.simulator.life import Life
from holdfast.testing.simulator.processes import Processes

EVERY_MS: Final = 1_000
PATIENCE_MS: Final = 20_000
"""Wake-ups may be lost; each process polls its store every 15 seconds, and reads may fail."""

Stand = tuple[float, float]
"""Since when a lane sends nothing although it could, and its virtual service then."""


class Watch:
    """Looks at every lane of every process once a second.

    Args:
        processes: whose.
        faults: whether the store is away.
        ledger: is told of stalls.
        clock: virtual time.
        connection: the data.
    """

    def __init__(
        self,
        processes: Processes,
        faults: Faults,
        ledger: Ledger,
        clock: VirtualClock,
        connection: apsw.Connection,
    ) -> None:
        self._processes = processes
        self._faults = faults
        self._ledger = ledger
        self._clock = clock
        self._connection = connection
        self._stands: dict[tuple[int, str], Stand] = {}

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await elapse(EVERY_MS)
            self.look()

    def look(self) -> None:
        """Note which lanes stand, and tell of those that have stood for too long."""
        now = self._clock.monotonic()
        stands: dict[tuple[int, str], Stand] = {}
        for life in self._processes.running:
            if self._reachable(life):
                for name, lane in life.engine.dispatcher.lanes.items():
                    if self._could_send(life.engine.dispatcher, lane, life.engine.clock.now()):
                        stands[life.number, name] = self._stand(life, lane, now)
        self._stands = stands

    def _reachable(self, life: Life) -> bool:
        away = max(life.store.away_until, self._faults.away_until)
        return life.frozen is None and away <= self._clock.monotonic()

    def _could_send(self, dispatcher: Dispatcher, lane: Lane, now: int) -> bool:
        """Tell whether there is a slot, no gate is closed, and something is due."""
        if dispatcher.held is not None or dispatcher.lapsed() or lane.closed:
            return False
        if dispatcher.unsettled >= dispatcher.slots.open or lane.gate(now) is not None:
            return False
        return not lane.retries_at(now) and self._has_due(lane, now)

    def _has_due(self, lane: Lane, now: int) -> bool:
        rows = self._connection.execute(
            "SELECT id FROM deliveries WHERE status = ? AND recipient = ? AND due_at <= ? LIMIT ?",
            (Status.PENDING.value, lane.recipient.name, now, len(lane.busy) + 1),
        )
        return any(name not in lane.busy for (name,) in rows)

    def _stand(self, life: Life, lane: Lane, now: float) -> Stand:
        """Return since when a lane stands; say once that it is too long."""
        since, service = self._stands.get((life.number, lane.recipient.name), (now, lane.vtime))
        if service != lane.vtime:
            return now, lane.vtime
        stood = now - since
        if PATIENCE_MS < stood <= PATIENCE_MS + EVERY_MS:
            text = (
                f"{lane.recipient.name} of process {life.number} sends nothing for "
                f"{stood / 1000:.0f} s, with a slot free and a delivery due"
            )
            self._ledger.broken(Promise.PROMPT, text)
        return since, service
