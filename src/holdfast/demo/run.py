"""Runs the demo: partners, engine, leads and the screen, and tells at the end what became of all.

The data folder stays, so that the next demo goes on with what still waited.
"""

import asyncio
import socket
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from rich.console import Console
from rich.text import Text

from holdfast.api.run import Running
from holdfast.api.run import run as serve
from holdfast.clock import Clock
from holdfast.config import Config, load
from holdfast.demo.dashboard import DEFAULT_PORT, advice, closing
from holdfast.demo.feeder import Feeder
from holdfast.demo.partners import Kind, Stats
from holdfast.demo.picture import Picture
from holdfast.demo.processes import Partners
from holdfast.demo.signals import stop_on_signals
from holdfast.demo.watch import Unreachable, Watch, show
from holdfast.telemetry import configure_logging

ASLEEP_S: Final = 60.0
"""How long `sleeper` refuses connections; shorter when the demo is shorter."""
_AGREE_TRIES: Final = 40
_AGREE_MS: Final = 100


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may choose.

    Attributes:
        data: folder of store, keys, configuration and log.
        host: address of the API.
        port: port of the API; None: 8420, or a free one when that is taken.
        metrics_port: port of the metrics; 0 takes a free one.
        rate: leads per second on average.
        seconds: end by itself after so long; None: at Ctrl-C.
        plain: status lines instead of a screen.
        seed: seed of leads and partners.
    """

    data: Path = Path(".holdfast/demo")
    host: str = "127.0.0.1"
    port: int | None = None
    metrics_port: int = 0
    rate: float = 20.0
    seconds: float | None = None
    plain: bool = False
    seed: int = 1


async def run(
    options: Options, *, environ: Mapping[str, str], console: Console, clock: Clock
) -> None:
    """Run until Ctrl-C, SIGTERM or the end of `options.seconds`.

    Raises:
        HoldfastError: it cannot start; the message says why.
    """
    asleep = ASLEEP_S if options.seconds is None else min(ASLEEP_S, options.seconds * 0.4)
    limit = max(2.0, options.rate * 1.3)
    with stop_on_signals() as stop:
        async with Partners(asleep=asleep, per_second=limit, seed=options.seed) as partners:
            config = configuration(options, partners.urls, environ)
            configure_logging(config.log.level, config.log.path)
            halt = asyncio.Event()
            ready: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
            engine = asyncio.create_task(serve(config, ready=ready.set_result, stop=halt))
            try:
                started: set[asyncio.Future[Any]] = {engine, ready}
                await asyncio.wait(started, return_when=asyncio.FIRST_COMPLETED)
                if ready.done():
                    demo = _Demo(options, partners, ready.result().api_url, console, clock)
                    await demo.run(config.server.token, stop, engine)
            finally:
                halt.set()
                await engine


def configuration(options: Options, urls: Mapping[Kind, str], environ: Mapping[str, str]) -> Config:
    """Write the demo's `holdfast.toml` into the data folder and load it."""
    folder = options.data.absolute()
    for part in reversed((folder, *folder.parents)):
        if not part.exists():
            part.mkdir(mode=0o700)
    text = resources.files("holdfast.demo").joinpath("demo.toml").read_text("utf-8")
    for name, value in (("data", str(folder)), *urls.items()):
        text = text.replace(f'"@{name}@', f'"{_quoted(value)}')
    path = folder / "holdfast.toml"
    path.write_text(text, encoding="utf-8")
    return load(
        path,
        environ,
        {
            "data": folder,
            "server.host": options.host,
            "server.port": _port(options),
            "server.metrics_port": options.metrics_port,
            "log.path": str(folder / "holdfast.log"),
        },
    )


class _Demo:
    """The part that needs the API: leads go in, the screen looks on."""

    def __init__(
        self, options: Options, partners: Partners, url: str, console: Console, clock: Clock
    ) -> None:
        self._options = options
        self._partners = partners
        self._url = url
        self._console = console
        self._clock = clock
        self._picture = Picture()
        self._leads = 0

    async def run(self, token: str | None, stop: asyncio.Event, engine: asyncio.Task[None]) -> None:
        """Show the demo until it is to end, then the closing table."""
        print_ = self._console.print
        print_(self._url, highlight=False, soft_wrap=True)
        print_(f"Open {self._url}/ in a browser: the console.", soft_wrap=True)
        builder = ClientBuilder().timeout(timedelta(seconds=15)).no_proxy()
        if token:
            builder = builder.default_headers({"Authorization": f"Bearer {token}"})
        async with builder.build() as client:
            watch = Watch(client, self._url)
            await watch.start(self._picture, self._clock.now())
            await self._partners.open_doors()
            began = self._clock.monotonic()
            await self._show(client, watch, stop, engine)
            if engine.done():
                return
            seconds = (self._clock.monotonic() - began) / 1000
            stats = await self._agree(watch)
        confirmed = {str(kind): count.confirmed for kind, count in stats.items()}
        repeats = sum(count.repeats for count in stats.values())
        end = closing(
            self._picture,
            seconds=seconds,
            leads=self._leads,
            confirmed=confirmed,
            repeats=repeats,
        )
        print_(end)
        self._advise()

    async def _show(
        self, client: Client, watch: Watch, stop: asyncio.Event, engine: asyncio.Task[None]
    ) -> None:
        options, clock = self._options, self._clock
        feeder = Feeder(client, self._url, clock=clock, rate=options.rate, seed=options.seed)
        title = f"Holdfast demo  console {self._url}/  {options.rate:g} leads/s  Ctrl-C ends it"
        screen = show(
            watch,
            self._picture,
            console=self._console,
            clock=clock,
            title=title,
            plain=options.plain or not self._console.is_terminal,
        )
        ends: list[Awaitable[Any]] = [stop.wait()]
        if options.seconds is not None:
            ends.append(clock.pause(round(options.seconds * 1000)))
        tasks = [asyncio.ensure_future(part) for part in (_fed(feeder), screen, *ends)]
        try:
            await asyncio.wait({engine, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome
            self._leads = feeder.taken

    async def _agree(self, watch: Watch) -> dict[Kind, Stats]:
        """Wait for a moment in which nothing is between the partners' counts and ours."""
        for _ in range(_AGREE_TRIES):
            stats = await self._partners.stats()
            try:
                await watch.look(self._picture, self._clock.now())
            except Unreachable:
                break
            if self._picture.proven == sum(count.confirmed for count in stats.values()):
                break
            await self._clock.pause(_AGREE_MS)
        return stats

    def _advise(self) -> None:
        dead = self._picture.review[0].id if self._picture.review else None
        lines = (
            f"\nEverything stays in {self._options.data}. Start the demo again and try:",
            advice(self._options.port or DEFAULT_PORT, dead),
            f"Its configuration is a file to copy: {self._options.data / 'holdfast.toml'}",
        )
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)


async def _fed(feeder: Feeder) -> None:
    """Feed until cancelled; an API that went away is seen by others."""
    try:
        await feeder.run()
    except PyreqwestError:
        await asyncio.Event().wait()


def _port(options: Options) -> int:
    """Return the port to ask for; the usual one when it is free."""
    if options.port is not None:
        return options.port
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((options.host, DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT


def _quoted(text: str) -> str:
    """Return text as the inside of a TOML string."""
    return msgspec.json.encode(text).decode()[1:-1]
