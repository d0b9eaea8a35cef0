"""A small benchmark behind `holdfast bench`: what this machine's disk and processor allow.

It runs the real engine on a temporary store, in this process, against a partner in another one.
The suite that compares with bare clients and servers is not part of the package (`make bench`).
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, cast

import msgspec

from holdfast.app import App
from holdfast.clock import SystemClock
from holdfast.config import Config, Server
from holdfast.engine.engine import Engine
from holdfast.errors import HoldfastError
from holdfast.model.flow import Catalog, Endpoint, Flow, Recipient, Step
from holdfast.model.submission import Receipt, Submission

PAYLOAD_BYTES: Final = 500
BATCH: Final = 500
"""Messages that are accepted together in the first part."""
SINGLES: Final = 200
"""Messages that are accepted one after the other, for the time of one durable answer."""
_POLL_MS: Final = 10
_ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
_LENGTH: Final = b"content-length:"

Tell = Callable[[str], None]


class Report(msgspec.Struct, frozen=True):
    """What was measured.

    Attributes:
        messages: how many were accepted and delivered.
        recipients: how many lanes they went to.
        accepted_per_second: messages made durable, in batches, while partners take them already.
        delivered_per_second: from the first message to the last receipt on disk.
        answer_p50_ms: time until one message, alone, is durable: the median ...
        answer_p99_ms: ... and what one in a hundred exceeds.
        per_commit: changes that shared a commit, on average.
    """

    messages: int
    recipients: int
    accepted_per_second: float
    delivered_per_second: float
    answer_p50_ms: float
    answer_p99_ms: float
    per_commit: float


async def measure(messages: int, recipients: int, tell: Tell) -> Report:
    """Accept and deliver messages on a temporary store.

    Args:
        messages: how many.
        recipients: how many lanes share them.
        tell: hears what is measured now.
    """
    async with _partner() as port:
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            app = await App.open(_config(Path(folder) / "data", port, recipients))
            await app.start()
            try:
                return await _measure(app.engine, messages, recipients, tell)
            finally:
                await app.stop()


async def _measure(engine: Engine, messages: int, recipients: int, tell: Tell) -> Report:
    clock = SystemClock()
    tell(f"accepting {SINGLES} messages one by one")
    waits = await _singly(engine, clock)
    await _delivered(engine, clock, SINGLES)
    commits, changes = engine.writer.commits, engine.writer.committed
    tell(f"accepting and delivering {messages} messages")
    began = clock.monotonic()
    await _accept(engine, messages, recipients)
    accepted = clock.monotonic()
    await _delivered(engine, clock, SINGLES + messages)
    ended = clock.monotonic()
    commits, changes = engine.writer.commits - commits, engine.writer.committed - changes
    return Report(
        messages=messages,
        recipients=recipients,
        accepted_per_second=round(messages / (accepted - began) * 1000, 1),
        delivered_per_second=round(messages / (ended - began) * 1000, 1),
        answer_p50_ms=round(waits[len(waits) // 2], 3),
        answer_p99_ms=round(waits[len(waits) * 99 // 100], 3),
        per_commit=round(changes / max(1, commits), 1),
    )


async def _singly(engine: Engine, clock: SystemClock) -> list[float]:
    """Return the times of single durable answers in ms, shortest first."""
    waits = []
    for number in range(SINGLES):
        began = clock.monotonic()
        _check(await engine.intake.accept(_name(0), [_submission(number)]))
        waits.append(clock.monotonic() - began)
    return sorted(waits)


async def _accept(engine: Engine, messages: int, recipients: int) -> None:
    for number, start in enumerate(range(0, messages, BATCH)):
        batch = [_submission(start + more) for more in range(min(BATCH, messages - start))]
        _check(await engine.intake.accept(_name(number % recipients), batch))


async def _delivered(engine: Engine, clock: SystemClock, count: int) -> None:
    """Wait until so many are delivered and settled."""
    while engine.meter.attempts["success", ""] < count or engine.dispatcher.unsettled:
        failed = sum(engine.meter.attempts.values()) - engine.meter.attempts["success", ""]
        if failed:
            raise HoldfastError(f"{failed} sends to our own partner failed; is the machine busy?")
        await clock.pause(_POLL_MS)


def _check(answers: list[Receipt | HoldfastError]) -> None:
    for answer in answers:
        if isinstance(answer, HoldfastError):
            raise answer


def _submission(number: int) -> Submission:
    lead = {"lead": {"id": number, "email": f"lead{number}@example.com", "note": ""}}
    lead["lead"]["note"] = "x" * (PAYLOAD_BYTES - len(msgspec.json.encode(lead)))
    return Submission(payload=msgspec.Raw(msgspec.json.encode(lead)))


def _name(number: int) -> str:
    return f"r{number:03}"


def _config(folder: Path, port: int, recipients: int) -> Config:
    endpoint = Endpoint(url=f"http://127.0.0.1:{port}/leads", allow_private=True)
    names = [_name(number) for number in range(recipients)]
    return Config(
        data=folder,
        server=Server(port=0, metrics_port=0),
        catalog=Catalog(
            recipients={name: Recipient(name=name, endpoints=(endpoint,)) for name in names},
            flows={
                name: Flow(name=name, steps=(Step(name=name, recipient=name),)) for name in names
            },
        ),
    )


class _Partner(asyncio.Protocol):
    """Answers every request with 200 and two bytes."""

    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            size = int(head.partition(_LENGTH)[2].split(b"\r\n", 1)[0] or 0)
            if len(self._data) < end + 4 + size:
                return
            self._data = self._data[end + 4 + size :]
            self._transport.write(_ANSWER)


@asynccontextmanager
async def _partner() -> AsyncIterator[int]:
    """Run the partner in a process of its own and give its port; it ends with its stdin."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "holdfast.bench"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        line = await process.stdout.readline() if process.stdout is not None else b""
        if not line.strip().isdigit():
            raise HoldfastError("the benchmark's partner did not start")
        yield int(line)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Partner, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve())
