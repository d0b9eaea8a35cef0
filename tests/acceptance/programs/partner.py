"""A partner in a process of its own that notes every request that arrives whole.

    python partner.py NOTES [--latency MS] [--refuse-one-in N]

Prints its port. One line a request: idempotency key, status it answered, CLOCK_MONOTONIC in ns.
Of the keys, one in N is answered 503 the first time. It ends when its stdin ends, so that nobody
is left behind.
"""

import argparse
import asyncio
import os
import random
import re
import sys
import time
import zlib
from pathlib import Path
from typing import Final, cast

import uvloop

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEY: Final = re.compile(rb"\r\nidempotency-key: *(\S+)", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
_ANSWERS: Final = {
    status: f"HTTP/1.1 {status} Noted\r\nContent-Length: 0\r\n\r\n".encode()
    for status in (200, 503)
}


class Book:
    """Where arrivals are noted; decides what each is answered."""

    def __init__(self, path: Path, *, latency_ms: float, refuse_one_in: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._refuse = refuse_one_in
        self._seen: set[bytes] = set()
        self._rng = random.Random(1)
        self._latency = latency_ms / 1000

    def note(self, key: bytes) -> bytes:
        """Write an arrival down, then return the answer to it."""
        unlucky = self._refuse > 0 and zlib.crc32(key) % self._refuse == 0
        status = 503 if unlucky and key not in self._seen else 200
        self._seen.add(key)
        os.write(self._file, b"%s %d %020d\n" % (key, status, time.monotonic_ns()))
        return _ANSWERS[status]

    def patience(self) -> float:
        """Return how long this answer takes, in seconds."""
        return self._rng.random() * self._latency


class Conversation(asyncio.Protocol):
    """One connection, kept alive; requests come one after the other."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._data = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Note a request once all of it is there."""
        self._data += data
        head, end, body = self._data.partition(_HEAD_END)
        length = _LENGTH.search(head)
        if not end or (length is not None and len(body) < int(length[1])):
            return
        self._data = b""
        key = _KEY.search(head)
        answer = self._book.note(key[1] if key else b"-")
        asyncio.get_running_loop().call_later(self._book.patience(), self._answer, answer)

    def _answer(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def serve(book: Book) -> None:
    """Answer until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(book), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("notes", type=Path)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--refuse-one-in", type=int, default=0)
    given = parser.parse_args()
    book = Book(given.notes, latency_ms=given.latency, refuse_one_in=given.refuse_one_in)
    uvloop.run(serve(book))


if __name__ == "__main__":
    main()
