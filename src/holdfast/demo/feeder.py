"""Sends the stream of leads to the API, in bursts and quiet times like a real source."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec
from pyreqwest.client import Client

from holdfast.clock import Clock
from holdfast.demo.leads import Lead, leads

_TICK_MS: Final = 100
_PERIOD_S: Final = 20
_BURST_S: Final = 6
_BURST: Final = 1.75
_QUIET: Final = 0.68
"""6 s at 1.75 and 14 s at 0.68 of the rate are 20 s at the rate."""
_BATCH_FROM: Final = 8
"""From so many leads at once the batch route is the right one."""
_BATCH_MAX: Final = 1000
_PRIORITY_EVERY: Final = 10
"""Every tenth lead takes the sequential flow."""


def burst(seconds: float) -> float:
    """Return by how much the stream is faster or slower than its rate."""
    return _BURST if seconds % _PERIOD_S < _BURST_S else _QUIET


class Feeder:
    """A source of leads.

    Args:
        client: with the token already in its headers.
        url: address of the API.
        clock: time.
        rate: leads per second on average.
        seed: seed of the stream.
    """

    def __init__(self, client: Client, url: str, *, clock: Clock, rate: float, seed: int) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._clock = clock
        self._rate = rate
        self._stream = leads(seed, f"demo-{clock.now():x}")
        self._number = 0
        self.taken = 0
        self.refused: dict[int, int] = {}
        """HTTP status -> leads that were refused with it."""

    async def run(self) -> None:
        """Send leads until cancelled."""
        start = last = self._clock.monotonic()
        owed = 0.0
        while True:
            await self._clock.pause(_TICK_MS)
            now = self._clock.monotonic()
            owed += burst((now - start) / 1000) * self._rate * (now - last) / 1000
            last = now
            count = min(int(owed), _BATCH_MAX)
            owed = min(owed - count, self._rate)
            await self.send(islice(self._stream, count))

    async def send(self, some: Iterable[Lead]) -> None:
        """Hand leads over; a refusal is counted by its status."""
        flows: dict[str, list[Lead]] = {"leads": [], "priority-leads": []}
        for lead in some:
            self._number += 1
            priority = self._number % _PRIORITY_EVERY == 0
            flows["priority-leads" if priority else "leads"].append(lead)
        for flow, batch in flows.items():
            if len(batch) >= _BATCH_FROM:
                await self._post(f"/v1/flows/{flow}/messages/batch", batch, lines=True)
                continue
            for lead in batch:
                await self._post(f"/v1/flows/{flow}/messages", [lead], lines=False)

    async def _post(self, path: str, batch: list[Lead], *, lines: bool) -> None:
        kind = "application/x-ndjson" if lines else "application/json"
        body = b"\n".join(msgspec.json.encode(lead) for lead in batch)
        request = self._client.post(self._url + path).header("Content-Type", kind)
        response = await request.body_bytes(body).build().send()
        await response.bytes()
        if response.status < 300:
            self.taken += len(batch)
        else:
            self.refused[response.status] = self.refused.get(response.status, 0) + len(batch)
