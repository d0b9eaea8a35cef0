"""httpbin under waitress on a free port; prints its address and ends when its stdin ends."""

import socket
import sys
import threading

import httpbin
import waitress  # type: ignore[import-untyped]


def main() -> None:
    """Run."""
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    serving = {"sockets": [listener], "threads": 16}
    threading.Thread(
        target=waitress.serve, args=(httpbin.app,), kwargs=serving, daemon=True
    ).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
