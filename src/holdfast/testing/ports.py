"""Free ports for servers that we start ourselves."""

import random
import socket
from typing import Final

_RANGE: Final = range(20_000, 32_000)
"""Below what systems hand out by themselves: a connection or a server that asks for any port
must not get the port of a server that is only being started again."""
_TRIES: Final = 100


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on and nobody is given by chance.

    Raises:
        OSError: none was found.
    """
    rng = random.SystemRandom()
    for _ in range(_TRIES):
        port = rng.choice(_RANGE)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise OSError(f"no free port from {_RANGE.start} to {_RANGE.stop - 1} in {_TRIES} tries")
