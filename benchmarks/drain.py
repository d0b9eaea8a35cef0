"""(a) End to end from a preloaded store: every delivery is sent, settled and journaled."""

import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec
import uvloop
from load import Stopwatch, config, submission

from holdfast.app import App
from holdfast.policy.decide import Gate


async def preload(app: App, count: int, recipients: int) -> None:
    """Accept `count` messages, spread over the recipients, while nothing is sent."""
    chunk = 500
    for start in range(0, count, chunk):
        flow = f"r{start // chunk % recipients:05}"
        batch = [submission(number) for number in range(start, min(start + chunk, count))]
        await app.engine.intake.accept(flow, batch)


async def drain(app: App, count: int) -> dict[str, float]:
    """Let go and wait until everything is delivered."""
    engine = app.engine
    watch = Stopwatch()
    engine.dispatcher.hold(None)
    while True:
        await asyncio.sleep(0.01)
        done = sum(counts.delivered for counts in (await engine.store.counts()).values())
        if done >= count:
            return watch.read(count)


async def main(port: int, count: int, recipients: int) -> None:
    """Preload, restart, drain; print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        settings = config(Path(folder) / "data", port, recipients)
        app = await App.open(settings)
        await app.start()
        app.engine.dispatcher.hold(Gate.STORE)
        app.engine.watch.every_ms = 10**9
        await preload(app, count, recipients)
        figures = await drain(app, count)
        await app.stop()
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")


if __name__ == "__main__":
    uvloop.run(main(*(int(argument) for argument in sys.argv[1:4])))
