"""Partners for tests: raw HTTP servers that do exactly what a script says, good or hostile.

A `Partner` runs in a thread of its own with its own event loop, so it serves any loop under test
and keeps serving while that one is stuck. It counts what arrived, which is what promises about
sending once are checked against.

    with Partner(lambda seen: [answer(200, b"ok")]) as partner:
        ... send to partner.url ...
    assert len(partner.seen) == 1
"""

import asyncio
import contextlib
import gzip
import re
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, NamedTuple, Self

_READ_MAX: Final = 1 << 20
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Seen(NamedTuple):
    """One request that arrived whole."""

    connection: int
    """Number of the connection, from 1."""
    number: int
    """Number of the request over all connections, from 1."""
    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Pause(NamedTuple):
    """Wait this many seconds, or until the client leaves."""

    seconds: float


class Drip(NamedTuple):
    """Send a piece again and again, with a pause after each, until the client leaves."""

    piece: bytes
    every: float = 0.0
    times: int | None = None


class Reset(NamedTuple):
    """End the connection with a TCP reset."""


class Close(NamedTuple):
    """End the connection in good order."""


class Silence(NamedTuple):
    """Do nothing until the client leaves."""


Act = bytes | Pause | Drip | Reset | Close | Silence
Script = Callable[[Seen], Iterable[Act]]
"""What a partner does about a request; afterwards it waits for the next on the connection."""


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole answer; underscores in header names become dashes."""
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def head(*lines: str) -> bytes:
    """Return a status line 200 and header lines."""
    return "\r\n".join(("HTTP/1.1 200 Scripted", *lines)).encode() + b"\r\n\r\n"


def bomb(mebibytes: int) -> bytes:
    """Return gzip data that grows about a thousandfold."""
    return gzip.compress(bytes(mebibytes << 20))


class Partner:
    """A server on the loopback address.

    Args:
        script: what to do about each request; default: answer 200 with an empty body.
        tls: wraps connections when given.
        greet: acts on every new connection before anything is read.
        address: where to listen; port 0 is a free one.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        greet: Iterable[Act] = (),
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.script: Script = script or (lambda _: [answer()])
        self.seen: list[Seen] = []
        self.connections = 0
        self.gone = threading.Event()
        """Set when a client ended a connection before the script had."""
        self._greet = tuple(greet)
        self._tls = tls
        self._socket = socket.create_server(address)
        self._host = address[0]
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="partner", daemon=True)

    @property
    def url(self) -> str:
        """Where it is, by address."""
        return self.at(self._host)

    def at(self, host: str) -> str:
        """Return its URL under another name."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._accept, sock=self._socket, ssl=self._tls, limit=_READ_MAX
        )
        await self._stop.wait()
        await self._close(server)
        await self._loop.shutdown_asyncgens()

    async def _close(self, server: asyncio.Server) -> None:
        """End every connection, also those that are only now being taken.

        A closed server does not let their transports be made, and a task that is cancelled before
        it begins does not let its socket go; so they are taken first, and ended after.
        """
        self._loop.remove_reader(self._socket)
        await _turn()
        await _turn()
        server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _turn()  # a closed transport lets its socket go one turn later

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step never comes to its `finally`.
        task.add_done_callback(lambda _: writer.close())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        gone = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        try:
            with contextlib.suppress(*gone):
                if await self._perform(self._greet, reader, writer):
                    async for seen in self._requests(connection, reader):
                        if not await self._perform(self.script(seen), reader, writer):
                            break
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _requests(self, connection: int, reader: asyncio.StreamReader) -> AsyncIterator[Seen]:
        while True:
            raw = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(raw)
            body = await reader.readexactly(int(length[1])) if length else b""
            first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
            method, target, _ = first.split(" ", 2)
            pairs = (line.split(": ", 1) for line in lines)
            headers = {name.lower(): value for name, value in pairs}
            number = len(self.seen) + 1
            self.seen.append(Seen(connection, number, method, target, headers, body))
            yield self.seen[-1]

    async def _perform(
        self, acts: Iterable[Act], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Do what the script says; return whether the connection goes on."""
        for act in acts:
            match act:
                case bytes():
                    writer.write(act)
                    await writer.drain()
                case Drip():
                    await self._drip(act, reader, writer)
                case Pause(seconds):
                    await self._left(reader, seconds)
                case Silence():
                    await self._left(reader, None)
                case Reset():
                    linger = struct.pack("ii", 1, 0)
                    raw = writer.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
                    return False
                case Close():
                    return False
        return True

    async def _drip(
        self, act: Drip, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        count = 0
        try:
            while act.times is None or count < act.times:
                writer.write(act.piece)
                await writer.drain()
                count += 1
                if act.every:
                    await self._left(reader, act.every)
        except OSError:
            self.gone.set()
            raise

    async def _left(self, reader: asyncio.StreamReader, seconds: float | None) -> None:
        """Wait; end early, by an exception, when the client closes the connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if not await reader.read(1):
                    self.gone.set()
                    raise asyncio.IncompleteReadError(b"", 1)


async def _turn() -> None:
    """Let the loop do what is due."""
    await asyncio.sleep(0)  # noqa: TID251  # no waiting


class Names:
    """A resolver that knows what it was told; every look-up is counted.

    Each name has a list of answers; the last one is given again and again.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        """Return the next answer for a name; there is none for names nobody told."""
        assert port > 0
        self.asked.append(host)
        answers = self.answers.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """Yield a port whose backlog is full: connections to it are neither made nor refused."""
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = deaf.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003  # the socket module's own signature
            filler.connect_ex(("127.0.0.1", port))
        yield port
