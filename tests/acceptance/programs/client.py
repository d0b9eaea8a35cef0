"""A client that does not give up: it posts messages until each is acknowledged.

    python client.py URL[,URL ...] NOTES --messages N [--pauses N]

Of several addresses each is asked in turn. Half of the messages go one by one, half in batches,
all from several tasks at once; every tenth goes to the flow `pair`, the others to `leads`. What is
not acknowledged is posted again with the same key. After each post a task rests as often as
`--pauses` says. One line a delivery that was acknowledged: key, delivery id. A line is written
only after the whole answer was read.
"""

import argparse
import asyncio
import json
import os
from collections import deque
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import aiohttp
import uvloop

BATCH: Final = 50
SINGLES: Final = 12
BATCHES: Final = 2
_NDJSON: Final = {"Content-Type": "application/x-ndjson"}
_GONE: Final = (aiohttp.ClientError, OSError, TimeoutError)
_LATER: Final = frozenset({429, 503, 507})


class Client:
    """Posts what is to be posted; what fails goes back to the end of the queue."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        urls: list[str],
        notes: Path,
        messages: int,
        *,
        pauses: int = 0,
    ) -> None:
        self._pauses = pauses
        self._session = session
        self._urls = cycle(urls)
        self._file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._pending = {"leads": deque[int](), "pair": deque[int]()}
        for number in range(messages):
            self._pending["leads" if number % 10 else "pair"].append(number)
        self.left = messages

    async def _rest(self) -> None:
        for _ in range(self._pauses):
            await pause()

    async def singles(self) -> None:
        """Post one message after the other."""
        while self.left:
            flow = (
                "pair" if len(self._pending["pair"]) > len(self._pending["leads"]) // 9 else "leads"
            )
            if not self._pending[flow]:
                await pause()
                continue
            number = self._pending[flow].popleft()
            try:
                await self._single(flow, number)
                await self._rest()
            except _GONE:
                self._pending[flow].append(number)
                await pause()

    async def _single(self, flow: str, number: int) -> None:
        url = f"{next(self._urls)}/v1/flows/{flow}/messages"
        async with self._session.post(url, json=message(number)) as answer:
            body = await answer.read()
            self._judge(flow, number, answer.status, json.loads(body))

    async def batches(self) -> None:
        """Post batches of messages."""
        while self.left:
            pending = self._pending["leads"]
            numbers = [pending.popleft() for _ in range(min(BATCH, len(pending)))]
            try:
                if numbers:
                    await self._batch(numbers)
                    await self._rest()
                else:
                    await pause()
            except _GONE:
                pending.extend(numbers)
                await pause()

    async def _batch(self, numbers: list[int]) -> None:
        lines = "\n".join(json.dumps(message(number)) for number in numbers)
        url = f"{next(self._urls)}/v1/flows/leads/messages/batch"
        async with self._session.post(url, data=lines.encode(), headers=_NDJSON) as answer:
            body = await answer.read()
            if answer.status in _LATER:
                raise aiohttp.ClientError(body.decode())
            assert answer.status == 200, body
            answers = [json.loads(line) for line in body.splitlines()]
        assert [found["line"] for found in answers] == list(range(1, len(numbers) + 1))
        for number, found in zip(numbers, answers, strict=True):
            self._judge("leads", number, found["status"], found)

    def _judge(self, flow: str, number: int, status: int, answer: Any) -> None:
        if status in _LATER:
            self._pending[flow].append(number)
            return
        assert status in {200, 202}, answer
        assert answer["duplicate"] is (status == 200), answer
        ids = [delivery["id"] for delivery in answer["deliveries"]]
        os.write(self._file, "".join(f"k{number:07d} {one}\n" for one in ids).encode())
        self.left -= 1


async def pause() -> None:
    """Wait before the next try; a restart takes longer."""
    await asyncio.sleep(0.05)  # noqa: TID251  # the server is another process


def message(number: int) -> dict[str, Any]:
    """Return the message of a number: the same payload every time."""
    payload = {"number": number, "email": f"lead{number}@example.com", "text": "x" * 200}
    return {"payload": payload, "key": f"k{number:07d}", "priority": number % 10}


async def post(urls: list[str], notes: Path, messages: int, pauses: int) -> None:
    """Post until everything is acknowledged."""
    patience = aiohttp.ClientTimeout(total=10, connect=2)
    async with aiohttp.ClientSession(timeout=patience) as session:
        client = Client(session, urls, notes, messages, pauses=pauses)
        async with asyncio.TaskGroup() as group:
            for _ in range(SINGLES):
                group.create_task(client.singles())
            for _ in range(BATCHES):
                group.create_task(client.batches())


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("urls")
    parser.add_argument("notes", type=Path)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--pauses", type=int, default=0)
    given = parser.parse_args()
    uvloop.run(post(given.urls.split(","), given.notes, given.messages, given.pauses))


if __name__ == "__main__":
    main()
