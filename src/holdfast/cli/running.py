"""Commands that run here, not through the API: `up`, `demo`, `watch`, `keys`."""

import asyncio
import logging
import os
import platform
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import holdfast
from holdfast.cli.client import DEFAULT_URL, actor
from holdfast.cli.complaint import UNREACHABLE, USAGE, Complaint
from holdfast.cli.options import Token, Url
from holdfast.clock import SystemClock
from holdfast.errors import HoldfastError
from holdfast.telemetry import LogEvent, configure_logging, log
from holdfast.vault import Vault

if TYPE_CHECKING:
    from holdfast.api.run import Running
    from holdfast.config import Loaded

# What starts the engine is imported where it is used: `holdfast ls` should not wait for it.
# ruff: noqa: PLC0415

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="holdfast.toml; default: the one in this folder, if any."),
]
Data = Annotated[Path | None, typer.Option(help="Folder of the store and the keys.")]
Host = Annotated[str | None, typer.Option(help="Address the API listens on.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Port of the API; 0 takes a free one.")
]
MetricsPort = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Port of /metrics; 0 takes a free one.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("demo")(demo)
    app.command("watch")(watch)
    app.command("version")(version)
    keys = typer.Typer(help="Care for the keys.", no_args_is_help=True)
    keys.command("new")(new)
    keys.command("rotate")(rotate)
    app.add_typer(keys, name="keys")


def up(
    *,
    config: ConfigFile = None,
    data: Data = None,
    host: Host = None,
    port: Port = None,
    metrics_port: MetricsPort = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run everything in one process: engine, API and metrics.

    The first line on stdout is the API's address. SIGHUP reads the configuration again and takes
    `engine.max_in_flight` from it; what else has changed needs a restart.
    """
    from holdfast.config import read

    overrides = {
        "data": data,
        "server.host": host,
        "server.port": port,
        "server.metrics_port": metrics_port,
        "log.level": log_level.lower() if log_level else None,
    }
    again = partial(read, config, os.environ, overrides)
    found = again()
    configure_logging(found.config.log.level, found.config.log.path)
    _run(_up(found, again))


async def _up(found: "Loaded", again: Callable[[], "Loaded"]) -> None:
    from holdfast import app
    from holdfast.api.run import Running, run
    from holdfast.demo.signals import stop_on_signals

    config = found.config
    reloads: set[asyncio.Task[None]] = set()
    kept = f"data {config.data}"
    if config.store.url is not None:
        kept += f"  store {app.place(config)}"

    def ready(running: Running) -> None:
        sys.stdout.write(f"{running.api_url}\n")
        sys.stdout.write(
            f"console {running.api_url}/  metrics {running.metrics_url}  {kept}  Ctrl-C stops\n"
        )
        sys.stdout.flush()

        def reload() -> None:
            task = asyncio.ensure_future(_reload(running, again))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)

    with stop_on_signals() as stop:
        start = app.Start(found.written, actor())
        await run(config, ready=ready, stop=stop, start=start)


async def _reload(running: "Running", again: Callable[[], "Loaded"]) -> None:
    from holdfast.app import Start

    try:
        found = again()
        await running.reload(found.config, Start(found.written, actor()))
    except HoldfastError as error:
        log(LogEvent.RELOAD_REFUSED, logging.ERROR, error=str(error))
    else:
        log(LogEvent.RELOADED, max_in_flight=found.config.engine.max_in_flight)


def demo(  # each is an option of the command
    *,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="End by itself after so many seconds.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=5000, help="Leads per second.")] = 20.0,
    data: Annotated[Path, typer.Option(help="Folder of the demo's data.")] = Path(".holdfast/demo"),
    host: Annotated[str, typer.Option(help="Address the API listens on.")] = "127.0.0.1",
    port: Port = None,
    metrics_port: MetricsPort = 0,
    plain: Annotated[bool, typer.Option("--plain", help="Status lines, no screen.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of leads and partners.")] = 1,
) -> None:
    """Run Holdfast with four simulated partners and a stream of leads, and watch it."""
    from holdfast.demo.run import Options, run

    options = Options(
        data=data,
        host=host,
        port=port,
        metrics_port=metrics_port or 0,
        rate=rate,
        seconds=seconds,
        plain=plain,
        seed=seed,
    )
    console = Console(highlight=False, emoji=False)
    _run(run(options, environ=os.environ, console=console, clock=SystemClock()))


def watch(
    *,
    plain: Annotated[bool, typer.Option("--plain", help="Status lines, no screen.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Look at the lanes of a running Holdfast, live."""
    _run(_watch(url, token, plain=plain))


async def _watch(url: str, token: str | None, *, plain: bool) -> None:
    from holdfast.demo.picture import Picture
    from holdfast.demo.signals import stop_on_signals
    from holdfast.demo.watch import Unreachable, connected, show

    console, clock, picture = Console(highlight=False, emoji=False), SystemClock(), Picture()
    with stop_on_signals() as stop:
        async with connected(url, token) as look:
            try:
                await look.start(picture, clock.now())
            except Unreachable as error:
                raise Complaint(f"{error} (start it with: holdfast up)", UNREACHABLE) from error
            shown = asyncio.ensure_future(
                show(
                    look,
                    picture,
                    console=console,
                    clock=clock,
                    title=f"Holdfast  {url}  Ctrl-C ends the watch",
                    plain=plain or not console.is_terminal,
                )
            )
            stopped = asyncio.ensure_future(stop.wait())
            await asyncio.wait({shown, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in (shown, stopped):
                task.cancel()
            await asyncio.gather(shown, stopped, return_exceptions=True)


def version() -> None:
    """Print the version."""
    sys.stdout.write(f"holdfast {holdfast.__version__}, Python {platform.python_version()}\n")


def new(*, config: ConfigFile = None, data: Data = None) -> None:
    """Make the keys of a store in PostgreSQL; every machine that uses it needs a copy."""
    from holdfast.config import load, prepare_data

    path = Vault.create(prepare_data(load(config, os.environ, {"data": data})))
    sys.stdout.write(
        f"{path} is made. Copy it to the data folder of every machine, and keep one apart.\n"
    )


def rotate(*, config: ConfigFile = None, data: Data = None) -> None:
    """Add a new key that seals from the next start on; older values still open."""
    from holdfast.config import load

    folder = load(config, os.environ, {"data": data}).data
    if not (folder / "keys.json").exists():
        raise Complaint(
            f"--data: {folder} holds no keys.json; the first `holdfast up` makes it", USAGE
        )
    name = Vault.rotate(folder)
    sys.stdout.write(f"{name} seals from the next start on. Keep a copy of {folder}/keys.json.\n")


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run on the fast loop."""
    import uvloop

    uvloop.run(work)
