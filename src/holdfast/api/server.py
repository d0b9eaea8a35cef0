"""Uvicorn inside our own loop, on a socket that we bind: no signal handlers, no log of its own."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import uvicorn

from holdfast.api.body import Receive, Scope, Send
from holdfast.errors import ConfigError

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BACKLOG: Final = 2048
"""Connections that wait to be accepted."""
MAX_CONNECTIONS: Final = 4096
"""More are answered 503."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


@contextlib.asynccontextmanager
async def serve(
    app: Application,
    host: str,
    port: int,
    *,
    option: str = "--port",
    grace_s: float = 5.0,
    trusted: Sequence[str] = (),
) -> AsyncIterator[str]:
    """Serve `app` inside the block; gives the URL, with the real port when `port` was 0.

    Args:
        app: the ASGI application.
        host: address to listen on.
        port: 0 takes a free one.
        option: the option that the error for a taken port recommends.
        trusted: proxies that may say on whose behalf they ask; of others nobody believes it.
        grace_s: requests under way get this long to end when the block is left.

    Raises:
        ConfigError: the address cannot be bound.
    """
    listener = _bind(host, port, option)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted),
        forwarded_allow_ips=list(trusted),
        backlog=BACKLOG,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=max(1, round(grace_s)),
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]), name=f"serve {port}")
    try:
        while not server.started and not running.done():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0)  # noqa: TID251  # no waiting: the start is immediate
        if not running.done():
            yield _url(listener)
    finally:
        server.should_exit = True
        await running
        listener.close()


def _bind(host: str, port: int, option: str) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host!r}: {error.strerror}; use --host") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)  # noqa: FBT003  # the socket's own signature
    except OSError as error:
        listener.close()
        raise ConfigError(_trouble(error, host, port, option)) from error
    return listener


def _trouble(error: OSError, host: str, port: int, option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken: stop the program that has it, "
            f"or use {option} with another (0: any free one)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not ours to take; use {option} with one above 1023"
    return f"cannot listen on {host} port {port}: {error.strerror}"


def _url(listener: socket.socket) -> str:
    name: tuple[Any, ...] = listener.getsockname()
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"
