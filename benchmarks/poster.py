"""The load generator: posts messages to an intake, with kept-alive connections.

A program: URL CONNECTIONS FLOW,FLOW,... It says that it is ready, then answers:

    single COUNT [keyed]        one message a request, as fast as the answers allow
    batch COUNT LINES           LINES messages a request (NDJSON)
    steady COUNT RATE FILE      one message a request at fixed times, whatever the answers; FILE
                                gets triples: lead id, sent, answered (monotonic ns)
"""

import asyncio
import itertools
import sys
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import talk
import uvloop
from figures import quantiles
from load import Stopwatch, envelope
from pyreqwest.client import Client, ClientBuilder

_JSON = "application/json"
_NDJSON = "application/x-ndjson"


class Poster:
    """Posts over one client.

    Args:
        client: with kept-alive connections.
        url: of the API.
        connections: requests at once.
        flows: taken in turn.
    """

    def __init__(self, client: Client, url: str, connections: int, flows: list[str]) -> None:
        self._client = client
        self._places = [f"{url}/v1/flows/{flow}/messages" for flow in flows]
        self._connections = connections
        self._next = 0

    async def single(self, count: str, keyed: str = "") -> dict[str, Any]:
        """Post `count` messages and return the figures."""
        bodies = [
            envelope(number, f"key-{self._next + number}" if keyed else None)
            for number in range(int(count))
        ]
        self._next += int(count)
        work = zip(itertools.cycle(self._places), bodies, strict=False)
        return await self._closed(work, int(count), _JSON)

    async def batch(self, count: str, lines: str) -> dict[str, Any]:
        """Post `count` messages, `lines` a request."""
        body = b"\n".join(envelope(number) for number in range(int(lines)))
        places = itertools.cycle(f"{place}/batch" for place in self._places)
        requests = int(count) // int(lines)
        work = ((place, body) for place, _ in zip(places, range(requests), strict=False))
        return await self._closed(work, requests * int(lines), _NDJSON)

    async def _closed(
        self, work: Iterator[tuple[str, bytes]], count: int, kind: str
    ) -> dict[str, Any]:
        took: list[float] = []

        async def worker() -> None:
            for place, body in work:
                began = time.perf_counter()
                await self._post(place, body, kind)
                took.append((time.perf_counter() - began) * 1000)

        watch = Stopwatch()
        await asyncio.gather(*(worker() for _ in range(self._connections)))
        return watch.read(count) | quantiles("answer_ms", took, 0.5, 0.99)

    async def _post(self, place: str, body: bytes, kind: str) -> None:
        request = self._client.post(place).header("content-type", kind).body_bytes(body)
        response = await request.build().send()
        answer = bytes(await response.bytes())
        if response.status not in {200, 202} or (kind == _NDJSON and answer.count(b":202") < 1):
            raise RuntimeError(f"{place} answered {response.status}: {answer[:200]!r}")

    async def steady(self, count: str, rate: str, file: str) -> dict[str, Any]:
        """Post at fixed times; every lead has an id of its own."""
        times = array("q")

        async def one(number: int, place: str) -> None:
            sent = time.monotonic_ns()
            await self._post(place, envelope(number), _JSON)
            times.extend((number, sent, time.monotonic_ns()))

        watch = Stopwatch()
        loop = asyncio.get_running_loop()
        start = loop.time()
        tasks = []
        places = itertools.cycle(self._places)
        for number, place in zip(range(int(count)), places, strict=False):
            await asyncio.sleep(max(0.0, start + number / float(rate) - loop.time()))
            tasks.append(asyncio.create_task(one(number, place)))
        await asyncio.gather(*tasks)
        figures = watch.read(int(count))
        await asyncio.to_thread(Path(file).write_bytes, times.tobytes())
        return figures


async def main(url: str, connections: int, flows: list[str]) -> None:
    """Post when told."""
    builder = ClientBuilder().no_proxy().follow_redirects(enable=False)
    async with builder.pool_max_idle_per_host(connections).build() as client:
        poster = Poster(client, url, connections, flows)
        talk.say(ready=True)
        await talk.serve(single=poster.single, batch=poster.batch, steady=poster.steady)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")))
