"""Runs everything in one process: engine, API and metrics, until told to stop."""

import asyncio
from collections.abc import Callable

import msgspec

from holdfast.api.door import Api, Metrics
from holdfast.api.server import serve
from holdfast.app import App, calm_collector
from holdfast.config import Config
from holdfast.errors import StoreLost


class Running(msgspec.Struct, frozen=True):
    """Where a started Holdfast can be reached."""

    api_url: str
    metrics_url: str


async def run(
    config: Config, *, ready: Callable[[Running], None] | None, stop: asyncio.Event
) -> None:
    """Run until `stop` is set.

    Args:
        config: what to run.
        ready: called once the API answers.
        stop: set by the caller, for example on SIGTERM.

    Raises:
        ConfigError: a port is taken, or the configuration does not fit the store.
        StoreBusy: another process has the data folder.
        StoreLost: another process took over; this one has stopped.
        VaultError: keys are missing or wrong.
    """
    app = await App.open(config)
    engine = app.engine
    await app.start()
    calm_collector()
    try:
        server = config.server
        async with (
            serve(Api(engine, config), server.host, server.port) as api_url,
            serve(
                Metrics(engine.views, config),
                server.host,
                server.metrics_port,
                option="--metrics-port",
            ) as metrics_url,
        ):
            if ready is not None:
                ready(Running(api_url, metrics_url))
            await _first(stop, engine.lost)
            engine.broadcast.close()  # who listens would keep the server from ending
    finally:
        await app.stop()
    if engine.lost.is_set():
        raise StoreLost("another process took the store over; this one has stopped")


async def _first(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
