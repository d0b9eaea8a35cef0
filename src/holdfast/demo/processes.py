"""Starts the partners as processes, knows their addresses, and never leaves one behind."""

import asyncio
import sys
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import msgspec
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from holdfast.demo.partners import Kind, Stats
from holdfast.errors import HoldfastError

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 3.0


class _Hello(msgspec.Struct):
    """The line a partner prints once its port is known."""

    kind: Kind
    url: str


class Partners:
    """All four partners, running while the context is open.

    A partner ends when its stdin ends. The system closes that pipe with our process, so that even
    a SIGKILL leaves nobody behind. Own sessions keep Ctrl-C for us.

    Args:
        asleep: how long `sleeper` refuses connections, s.
        per_second: rate above which `ratelimited` answers 429.
        seed: seed of their behaviour.
    """

    def __init__(self, *, asleep: float, per_second: float, seed: int) -> None:
        self._arguments = {
            Kind.SLEEPER: ["--asleep", str(asleep)],
            Kind.RATELIMITED: ["--per-second", str(per_second)],
        }
        self._seed = seed
        self._running: list[asyncio.subprocess.Process] = []
        self.urls: dict[Kind, str] = {}

    async def __aenter__(self) -> Self:
        """Start them and wait until each has said its address."""
        try:
            self._running = [await self._start(kind) for kind in Kind]
            async with asyncio.timeout(_START_SECONDS):
                for process in self._running:
                    hello = await _hello(process)
                    self.urls[hello.kind] = hello.url
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them."""
        await self._stop()

    @property
    def pids(self) -> list[int]:
        """Return the process ids."""
        return [process.pid for process in self._running]

    async def open_doors(self) -> None:
        """Let the partners serve leads; until then those wait."""
        for process in self._running:
            if process.stdin is not None:
                process.stdin.write(b"open\n")
                await process.stdin.drain()

    async def stats(self) -> dict[Kind, Stats]:
        """Ask each partner what it counted; one that is still asleep counted nothing."""
        builder = ClientBuilder().timeout(timedelta(seconds=5)).no_proxy()
        async with builder.build() as client:
            return {kind: await _stats(client, url) for kind, url in self.urls.items()}

    async def _start(self, kind: Kind) -> asyncio.subprocess.Process:
        module = "holdfast.demo.partners"
        arguments = [str(kind), "--watch-stdin", "--seed", str(self._seed)]
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", module, *arguments, *self._arguments.get(kind, [])),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    async def _stop(self) -> None:
        for process in self._running:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._running:
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _hello(process: asyncio.subprocess.Process) -> _Hello:
    line = b"" if process.stdout is None else await process.stdout.readline()
    try:
        return msgspec.json.decode(line, type=_Hello)
    except msgspec.DecodeError as error:
        raise HoldfastError(f"a simulated partner did not start: {line[:200]!r}") from error


async def _stats(client: Client, url: str) -> Stats:
    try:
        response = await client.get(f"{url}/stats").build().send()
        return msgspec.json.decode(bytes(await response.bytes()), type=Stats)
    except PyreqwestError:
        return Stats()
