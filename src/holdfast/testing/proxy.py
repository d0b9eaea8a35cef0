"""A network that can be bad: a TCP proxy before a server, for tests.

    with Proxy(server.port) as proxy:
        ... connect to 127.0.0.1:proxy.port ...
        proxy.delay(0.5)    # every piece is half a second late, in each direction
        proxy.drop()        # nothing arrives any more, and nobody is told
        proxy.cut()         # every connection is reset, new ones as well
        proxy.heal()        # as at first; what was dropped arrives now, as TCP sends it again

It runs in a thread of its own with its own event loop, so it serves any loop under test.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from holdfast.clock import SystemClock

PIECE: Final = 1 << 16
"""Most bytes that are passed on at once."""


class Proxy:
    """Passes connections on to a server on the loopback address.

    Args:
        target: port of the server.
        host: where the server and this listen.

    Attributes:
        port: where to connect to instead; the same for ever.
        connections: how many were made so far.
    """

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        self._target = (host, target)
        self._socket = socket.create_server((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self._late_s = 0.0
        self._refuses = False
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def delay(self, seconds: float) -> None:
        """Pass on every piece so much later, in each direction; 0: at once."""
        self._late_s = seconds

    def drop(self) -> None:
        """Pass nothing on, in neither direction; connections seem to live, also new ones."""
        self._tell(self._open.clear)

    def cut(self) -> None:
        """Reset every connection, and new ones as soon as they are made."""
        self._refuses = True
        self._tell(self._reset_all)

    def heal(self) -> None:
        """Pass on at once again what comes and what was dropped."""
        self._late_s = 0.0
        self._refuses = False
        self._tell(self._open.set)

    @contextlib.contextmanager
    def dropping(self) -> Iterator[None]:
        """Drop for as long as the block takes."""
        self.drop()
        try:
            yield
        finally:
            self.heal()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell(self._stop.set)
        self._thread.join()

    def _tell(self, what: Callable[[], None]) -> None:
        """Do something in the proxy's thread and return when it is done."""
        done = threading.Event()

        def do() -> None:
            what()
            done.set()

        self._loop.call_soon_threadsafe(do)
        done.wait()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._socket)
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = self._loop.create_task(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            _reset(writer)
            return
        self._writers.add(writer)
        others: asyncio.StreamWriter | None = None
        try:
            await self._open.wait()
            with contextlib.suppress(OSError):
                there, others = await asyncio.open_connection(*self._target)
                self._writers.add(others)
                await asyncio.gather(self._pass(reader, others), self._pass(there, writer))
        finally:
            for each in (writer, others):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()
                    with contextlib.suppress(OSError):
                        await each.wait_closed()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Pass on one direction until it ends."""
        while piece := await source.read(PIECE):
            await self._hold()
            sink.write(piece)
            await sink.drain()
        await self._hold()
        if sink.can_write_eof():
            sink.write_eof()

    async def _hold(self) -> None:
        if self._late_s:
            await SystemClock().pause(self._late_s * 1000)
        await self._open.wait()

    def _reset_all(self) -> None:
        for writer in tuple(self._writers):
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a TCP reset."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
