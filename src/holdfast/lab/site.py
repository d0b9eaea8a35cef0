"""The modelled partner behind a real socket: a process that `lab.real` starts.

It answers `POST /SEED/NUMBER`'s message as the model of that seed's world does, after the time
that the model says, and keeps the record. What it is asked to be comes as a line on stdin; it
ends with its stdin.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Final, cast

import msgspec
import uvloop

from holdfast.clock import Clock, SystemClock
from holdfast.lab.partner import Answer
from holdfast.lab.scenario import Scenario
from holdfast.lab.trace import Trace
from holdfast.lab.world import World

_LENGTH: Final = b"content-length:"
_REASONS: Final = "HTTP/1.1 {} -\r\ncontent-length: 2\r\n"


class Order(msgspec.Struct, frozen=True):
    """What to be: a scenario's partner, once for every seed."""

    scenario: Scenario
    seeds: tuple[int, ...]


class Begin(msgspec.Struct, frozen=True):
    """When the worlds begin, ms since the epoch."""

    at: int


class Record(msgspec.Struct, frozen=True):
    """What one world's partner saw; as in `Trace` and `Partner`."""

    seed: int
    sends: list[int]
    delivered: list[int]
    offered: dict[int, int]
    rejected: dict[int, int]
    limited: dict[int, int]
    failed: dict[int, int]


class Hello(msgspec.Struct, frozen=True):
    """The first line: where it listens."""

    port: int


class Site:
    """The partners of all seeds.

    Args:
        order: what to be.
        clock: time.
    """

    def __init__(self, order: Order, clock: Clock) -> None:
        worlds = {seed: World(order.scenario, seed) for seed in order.seeds}
        self._traces = {seed: Trace(world, world.partners()) for seed, world in worlds.items()}
        self._clock = clock
        self.begin = 0

    def asked(self, seed: int, number: int) -> tuple[Answer, Callable[[], None]]:
        """Return the answer to a message, and what to call when it is given."""
        trace = self._traces[seed]
        arrival = trace.world.arrivals[number]
        partner = trace.partners[arrival.partner]
        answer = partner.ask(self._clock.now() - self.begin, poison=arrival.poison)
        trace.sends[number] += 1

        def given() -> None:
            if 200 <= answer.status < 300 and trace.delivered[number] < 0:
                trace.delivered[number] = self._clock.now() - self.begin

        return answer, given

    def records(self) -> list[Record]:
        """Return what all of them saw."""
        return [_record(seed, trace) for seed, trace in self._traces.items()]


def _record(seed: int, trace: Trace) -> Record:
    (partner,) = trace.partners
    counts = (partner.offered, partner.rejected, partner.limited, partner.failed)
    return Record(seed, trace.sends, trace.delivered, *counts)


class _Connection(asyncio.Protocol):
    """One kept-alive connection; a request is answered before the next one comes."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        size = int(head.partition(_LENGTH)[2].split(b"\r\n", 1)[0] or 0)
        if len(self._data) < end + 4 + size:
            return
        seed = int(head.split(b" ", 2)[1].strip(b"/"))
        answer, given = self._site.asked(seed, int(self._data[end + 4 : end + 4 + size]))
        self._data = b""
        asyncio.get_running_loop().call_later(answer.took / 1000, self._answer, answer, given)

    def _answer(self, answer: Answer, given: Callable[[], None]) -> None:
        if not answer.status:  # it never comes: the sender has given up
            return
        head = _REASONS.format(answer.status)
        for name, value in (
            ("retry-after", answer.retry_after),
            ("ratelimit", answer.rate_limit),
        ):
            head += "" if value is None else f"{name}: {value}\r\n"
        self._transport.write(f"{head}\r\n{{}}".encode())
        given()


async def main() -> None:
    """Be what the first line says, begin as the second says, report after the third."""
    lines = await _stdin()
    site = Site(msgspec.json.decode(await lines.readline(), type=Order), SystemClock())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(site), "127.0.0.1", 0, backlog=4096)
    _say(Hello(server.sockets[0].getsockname()[1]))
    site.begin = msgspec.json.decode(await lines.readline(), type=Begin).at
    if await lines.readline():
        _say(site.records())
    server.close()


async def _stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 24)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


def _say(words: object) -> None:
    sys.stdout.write(msgspec.json.encode(words).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
