"""Names to addresses: by us, so that the address that was vetted is the one that is reached."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) -> addresses, best first; raises `socket.gaierror`."""

_THREADS: Final = 32
"""A name server that is silent holds one thread per name, for as long as the system waits."""


class SystemLookup:
    """The system's resolver on its own threads, so that a slow one blocks nobody else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="holdfast-dns")

    async def __call__(self, host: str, port: int) -> list[str]:
        """Return the addresses in the order the system prefers (RFC 6724).

        Raises:
            socket.gaierror: there is no such name, or the name server does not answer.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _lookup, host, port)

    def close(self) -> None:
        """Give back the threads; look-ups under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _lookup(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
