"""An engine drains a store that was filled before: every delivery is sent, settled and journaled.

A program: CONFIG. It says that it is ready; `go COUNT` starts the engine, waits until so many are
delivered, sends no more, and when all is settled stops and answers with the figures.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import talk
import uvloop
from figures import quantiles
from load import Stopwatch, peak_memory

from holdfast.app import App, calm_collector
from holdfast.config import load
from holdfast.policy.decide import Gate
from holdfast.store import Batch, Committed, Store


class Counted:
    """A store that notes how many changes came together in each commit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.sizes: list[float] = []

    async def commit(self, batch: Batch) -> Committed:
        """Commit."""
        self.sizes.append(len(batch.transitions) + len(batch.accepts))
        return await self._store.commit(batch)

    def __getattr__(self, name: str) -> Any:
        """Leave the rest to the store."""
        return getattr(self._store, name)


async def drain(config: Path, count: int) -> dict[str, Any]:
    """Start, wait until everything is settled, stop; return the figures of the time between."""
    app = await App.open(load(config, {}))
    engine = app.engine
    counted = Counted(engine.store)
    engine.store = cast("Store", counted)
    await app.start()
    calm_collector()
    watch = Stopwatch()  # nothing was sent yet: sends begin when the loop turns
    while engine.meter.attempts["success", ""] < count:  # noqa: ASYNC110  # nothing in the engine tells
        await asyncio.sleep(0.005)
    engine.dispatcher.hold(Gate.SHUTDOWN)
    while engine.dispatcher.unsettled:  # noqa: ASYNC110  # nothing in the engine tells
        await asyncio.sleep(0.005)
    figures = watch.read(round(engine.meter.attempts["success", ""]))
    figures["peak_memory"] = peak_memory()
    await app.stop()
    return figures | quantiles("commit", counted.sizes, 0.5, 0.99)


async def main(config: Path) -> None:
    """Drain when told."""

    async def go(count: str) -> dict[str, Any]:
        return await drain(config, int(count))

    talk.say(ready=True)
    await talk.serve(go=go)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
