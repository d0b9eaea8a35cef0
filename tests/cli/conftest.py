"""A small real HTTP server that answers what a test tells it to, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from holdfast.cli import main

Reply = tuple[int, bytes, dict[str, str]]


class Canned:
    """The server's script: (method, path) -> answers, the last of which is repeated."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.headers: list[dict[str, str]] = []
        self._answers: dict[tuple[str, str], list[Reply]] = {}

    def on(
        self, place: str, answer: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Answer `GET /path` or `POST /path` with JSON (or bytes as they are)."""
        method, _, path = place.partition(" ")
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self._answers.setdefault((method, path), []).append((status, body, headers or {}))

    def refuse(self, place: str, status: int, **problem: object) -> None:
        """Answer with a problem."""
        self.on(place, {"status": status, "title": "no", **problem}, status)

    def reply(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """Note the request and return its answer."""
        parts = urlsplit(target)
        self.asked.append((method, parts.path, dict(parse_qsl(parts.query)), body))
        self.headers.append(headers)
        answers = self._answers.get((method, parts.path))
        if not answers:
            return 404, b'{"status": 404, "detail": "there is no such route"}', {}
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def body(self, index: int = -1) -> Any:
        """Return the JSON of a request."""
        return json.loads(self.asked[index][3])


@pytest.fixture
def canned() -> Iterator[Canned]:
    """Run the server on a free port."""
    script = Canned()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = {name.lower(): text for name, text in self.headers.items()}
            status, answer, headers = script.reply(self.command, self.path, sent, body)
            self.send_response(status)
            for name, text in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815  # the base class names them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        script.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield script
        server.shutdown()
        thread.join()


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        code = left.value.code
        captured = capsys.readouterr()
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    return call
