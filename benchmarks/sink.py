"""A partner as fast as Python allows: answers every POST with 200 and two bytes.

Requests to `/hung` are taken and never answered. It counts; with `--times` it also notes when
each lead came, with `--slow` it answers after 100 ms. Run as a program it says its port, then
answers the words below.
"""

import asyncio
import sys
import time
from array import array
from pathlib import Path
from typing import Any, cast

import talk
import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"
_LENGTH = b"content-length:"
_HUNG = b"POST /hung"
_ID = b'"id":'
SLOW_S = 0.1


class Tally:
    """What came in: how many requests, when the first and the last, and when each lead."""

    def __init__(self, *, times: bool) -> None:
        self.times = times
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.count = 0
        self.first = 0
        self.last = 0
        self.leads = array("q")
        """Pairs of lead id and arrival, monotonic ns."""

    def note(self, body: bytes) -> None:
        """Count a request."""
        self.count += 1
        self.last = time.monotonic_ns()
        self.first = self.first or self.last
        if self.times:
            at = body.find(_ID) + len(_ID)
            self.leads.extend((int(body[at : body.find(b",", at)]), self.last))


class Sink(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, tally: Tally, *, slow: bool) -> None:
        self._tally = tally
        self._slow = slow
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.find(_LENGTH)
            size = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            whole = end + 4 + size
            if len(self._data) < whole:
                return
            if not self._data.startswith(_HUNG):
                self._tally.note(self._data[end + 4 : whole])
                self._answer()
            self._data = self._data[whole:]

    def _answer(self) -> None:
        if self._slow:
            asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, _ANSWER)
        else:
            self._transport.write(_ANSWER)


async def main(*, times: bool, slow: bool) -> None:
    """Serve until standard input closes."""
    tally = Tally(times=times)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(tally, slow=slow), "127.0.0.1", 0, backlog=4096)

    async def clear() -> dict[str, Any]:
        tally.clear()
        return {}

    async def count() -> dict[str, Any]:
        return {"count": tally.count, "first": tally.first, "last": tally.last}

    async def leads(file: str) -> dict[str, Any]:
        await asyncio.to_thread(Path(file).write_bytes, tally.leads.tobytes())
        return {"count": tally.count}

    talk.say(port=server.sockets[0].getsockname()[1])
    await talk.serve(clear=clear, count=count, leads=leads)
    server.close()


if __name__ == "__main__":
    uvloop.run(main(times="--times" in sys.argv, slow="--slow" in sys.argv))
