"""Runs everything in one process: engine, API and metrics, until told to stop."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from holdfast.api.door import Api, Metrics
from holdfast.api.server import serve
from holdfast.app import App, Start, calm_collector
from holdfast.config import Config


class Running(msgspec.Struct, frozen=True):
    """Where a started Holdfast can be reached, and what of it can be changed while it runs."""

    api_url: str
    metrics_url: str
    reload: Callable[[Config, Start], Awaitable[None]]
    """Takes `engine.max_in_flight` of another configuration."""


async def run(
    config: Config,
    *,
    ready: Callable[[Running], None] | None,
    stop: asyncio.Event,
    start: Start | None = None,
) -> None:
    """Run until `stop` is set.

    Args:
        config: what to run.
        ready: called once the API answers.
        stop: set by the caller, for example on SIGTERM.
        start: keeps the configuration as a version; None: it comes from no file.

    Raises:
        ConfigError: a port is taken, or the configuration does not fit the store or is not
            approved.
        StoreBusy: another process has the data folder.
        StoreLost: another process took over; this one has stopped.
        StoreError: it cannot write any more, and has stopped.
        VaultError: keys are missing or wrong.
    """
    app = await App.open(config, start=start)
    engine = app.engine
    await app.start()
    calm_collector()
    try:
        server = config.server
        async with (
            serve(
                Api(engine, config, app.house),
                server.host,
                server.port,
                trusted=server.trusted_proxies,
            ) as api_url,
            serve(
                Metrics(engine.views, config, app.house),
                server.host,
                server.metrics_port,
                option="--metrics-port",
            ) as metrics_url,
        ):
            if ready is not None:
                ready(Running(api_url, metrics_url, app.reload))
            await _first(stop, engine.lost)
            engine.broadcast.close()  # who listens would keep the server from ending
    finally:
        await app.stop()
    if engine.why_lost is not None:
        raise engine.why_lost


async def _first(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
