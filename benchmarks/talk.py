"""How the benchmark's processes speak: words in on stdin, one JSON line out for each."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

Answer = Callable[..., Awaitable[dict[str, Any]]]


def say(**fields: Any) -> None:
    """Write one line."""
    sys.stdout.write(msgspec.json.encode(fields).decode() + "\n")
    sys.stdout.flush()


async def serve(**words: Answer) -> None:
    """Answer every line, `WORD ARGUMENT ...`, until standard input closes."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        word, *arguments = line.split()
        say(**await words[word](*arguments))
