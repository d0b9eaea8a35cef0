"""What the acceptance tests share: `holdfast up` as a real process, a client and a partner.

Test modules reach these classes through the fixtures `launch`, `program` and `wait_until`.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

import apsw
import pytest

from holdfast.testing.ports import free_port
from holdfast.testing.postgres import PostgresServer, running
from holdfast.vault import Vault

T = TypeVar("T")
Ask = Callable[[str], list[tuple[Any, ...]]]
"""Returns the rows of a query."""

PROGRAMS: Final = Path(__file__).parent / "programs"
COMMAND: Final = Path(sys.executable).with_name("holdfast")
PATIENCE_S: Final = 120.0
"""How long anything may take on a machine that is busy with other things."""
SUMS: Final = """
SELECT recipient, created, pending, delivered, dead, discarded, pruned,
  (SELECT count(*) FROM deliveries d WHERE d.recipient = c.recipient),
  (SELECT count(*) FROM deliveries d WHERE d.recipient = c.recipient AND status = 'pending'),
  (SELECT count(*) FROM deliveries d WHERE d.recipient = c.recipient AND status = 'delivered')
FROM counters c
"""


def pause() -> None:
    """Let a real process get on."""
    time.sleep(0.02)  # noqa: TID251  # processes live in real time


def until(check: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Return what `check` returns once that is true; fail when it never is."""
    deadline = time.monotonic() + patience_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"it did not happen within {patience_s:g} s: {what}"
        pause()
    return found


class Answer(NamedTuple):
    """What the API said."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as a value."""
        return json.loads(self.body)


class Holdfast:
    """`holdfast up` over a folder of its own; it can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "holdfast.toml"
        self.data = folder / "data"
        self.store = self.data / "holdfast.db"
        self.port = 0
        """Where the API shall be; 0: anywhere."""
        self.url = ""
        self.token = ""
        """Sent with every call when it is not empty."""
        self.environ = {"HOLDFAST_SPOOL_PATH": str(folder / "spool")}
        """Variables of every start."""
        self.command = COMMAND
        self._out = folder / "out.txt"
        self._log = folder / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, environ: dict[str, str] | None = None) -> None:
        """Start it; `ready` waits for it."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HOLDFAST_") and name != "RETRY_STRATEGY"
        }
        given = {
            "--config": self.config,
            "--data": self.data,
            "--port": self.port,
            "--metrics-port": 0,
        }
        words = [str(word) for pair in given.items() for word in pair]
        with self._out.open("wb") as out, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, "up", *words, *arguments],
                stdout=out,
                stderr=log,
                cwd=self.folder,
                env=clean | self.environ | (environ or {}),
            )

    def up(self, *arguments: str, environ: dict[str, str] | None = None) -> None:
        """Start it and wait until the API answers."""
        self.start(*arguments, environ=environ)
        until(self.ready, "the address is printed")

    def ready(self) -> bool:
        """Tell whether it has printed its address; fail when it has ended."""
        lines = self._out.read_text().split("\n")
        assert self.process.poll() is None, f"it has ended: {self.log()[-2000:]}"
        self.url = lines[0]
        return len(lines) > 1

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the process that was started last."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end (SIGTERM) and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return the exit code and what it wrote to stderr."""
        return self.process.wait(PATIENCE_S), self.log()

    def log(self) -> str:
        """Return what all its lives wrote to stderr."""
        return self._log.read_text() if self._log.exists() else ""

    def out(self) -> str:
        """Return what it wrote to stdout, in this life."""
        return self._out.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return its log lines of one event."""
        lines = [line for line in self.log().splitlines() if line.startswith("{")]
        return [found for line in lines if (found := json.loads(line))["event"] == name]

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask the API once, on a new connection."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            usual = {"Content-Type": "application/json"} if body is not None else {}
            if self.token:
                usual["Authorization"] = f"Bearer {self.token}"
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                # It need not read a body that it refuses; the answer is there nevertheless.
                connection.request(method, path, body, usual | (headers or {}))
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())

    def get(self, path: str) -> Any:
        """Return the JSON of a page that exists."""
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def post(self, path: str, body: object) -> Answer:
        """Post JSON."""
        return self.call("POST", path, json.dumps(body).encode())

    def send(self, flow: str, payload: object, **fields: object) -> list[str]:
        """Post a message that must be accepted; return the ids of its deliveries."""
        answer = self.post(f"/v1/flows/{flow}/messages", {"payload": payload, **fields})
        assert answer.status == 202, answer
        return [delivery["id"] for delivery in answer.json["deliveries"]]

    def delivery(self, delivery_id: str) -> Any:
        """Return a delivery."""
        return self.get(f"/v1/deliveries/{delivery_id}")

    def attempts(self, delivery_id: str) -> list[Any]:
        """Return the retry events of a delivery, oldest first."""
        found: list[Any] = self.get(f"/v1/deliveries/{delivery_id}/attempts")["items"]
        return found

    def totals(self) -> dict[str, int]:
        """Return the counters of all recipients together."""
        found = self.known()
        assert found is not None, "the store is away"
        return found

    def known(self) -> dict[str, int] | None:
        """Return the counters of all recipients together, None: the store is away."""
        answer = self.call("GET", "/v1/recipients")
        if answer.status == 503:
            return None
        assert answer.status == 200, answer
        names = ("created", "pending", "delivered", "dead", "discarded", "pruned")
        return {name: sum(lane[name] for lane in answer.json["items"]) for name in names}

    def drained(self) -> bool:
        """Tell whether nothing is pending, as far as that is known."""
        found = self.known()
        return found is not None and not found["pending"]

    @contextlib.contextmanager
    def stored(self) -> Iterator[apsw.Connection]:
        """Give a connection to a copy of the store as it stands on disk, nothing repaired."""
        copy = self.folder / "copy"
        copy.mkdir()
        for path in self.data.glob("holdfast.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, copy)
        try:
            with contextlib.closing(apsw.Connection(str(copy / self.store.name))) as connection:
                yield connection
        finally:
            shutil.rmtree(copy)

    def run(self, *words: str) -> tuple[int, str]:
        """Run another command of the same configuration; return its exit code and words."""
        places = ("--config", str(self.config), "--data", str(self.data))
        done = subprocess.run(
            [self.command, *words, *places],
            env=os.environ | self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return done.returncode, done.stdout + done.stderr

    def clear(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            self.kill()


class Launch(Protocol):
    """Makes a `Holdfast` from a folder and a configuration; it is not started."""

    def __call__(self, folder: Path, config: str) -> contextlib.AbstractContextManager[Holdfast]:
        """Give it for the time of the block."""
        ...


class Arrival(NamedTuple):
    """One request at `partner.py`; `at` in ns of CLOCK_MONOTONIC."""

    status: int
    at: int


class Witness:
    """What others wrote down: `client.py` what was acknowledged, `partner.py` what arrived."""

    ACK_BYTES: Final = 8 + 1 + 36 + 1
    ARRIVAL_BYTES: Final = 36 + 1 + 3 + 1 + 20 + 1

    def __init__(self, folder: Path) -> None:
        self.acks = folder / "acks.txt"
        self.notes = folder / "notes.txt"

    def done(self) -> int:
        """Return how many acknowledgements and arrivals there are."""
        return _size(self.acks) // self.ACK_BYTES + _size(self.notes) // self.ARRIVAL_BYTES

    def acknowledged(self) -> dict[str, set[str]]:
        """Return delivery id -> keys; the line that is being written is left out."""
        found = defaultdict(set)
        for line in self.acks.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                key, delivery_id = line.split()
                found[delivery_id].add(key)
        return found

    def arrivals(self) -> dict[str, list[Arrival]]:
        """Return delivery id -> what arrived, in order."""
        found = defaultdict(list)
        for line in self.notes.read_text().splitlines():
            delivery_id, status, at = line.split()
            found[delivery_id].append(Arrival(int(status), int(at)))
        return found

    def received(self) -> Counter[str]:
        """Return how often each delivery was taken."""
        found = self.arrivals().items()
        return Counter({one: sum(a.status == 200 for a in seen) for one, seen in found})

    def settled(self, worker: Holdfast) -> bool:
        """Tell whether all that was acknowledged is in the store, no spool, and has ended."""
        known = worker.known()
        return (
            known is not None
            and known["created"] >= len(self.acknowledged())
            and not known["pending"]
        )

    @staticmethod
    def assert_sums(ask: Ask) -> None:
        """Promise 2, by recipient: the counters add up and are those of the rows."""
        for name, created, *fates, rows, pending, delivered in ask(SUMS):
            assert created == sum(fates) == rows + fates[-1], name
            assert fates[:2] == [pending, delivered], name


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class Program(NamedTuple):
    """A running program of `programs/` and the first line that it printed."""

    process: subprocess.Popen[str]
    said: str


class Start(Protocol):
    """Starts a program of `programs/`."""

    def __call__(
        self, name: str, arguments: Sequence[object], log: Path, *, says: bool = True
    ) -> contextlib.AbstractContextManager[Program]:
        """Give it for the time of the block; its stdin is open that long."""
        ...


@contextlib.contextmanager
def _launched(folder: Path, config: str) -> Iterator[Holdfast]:
    holdfast = Holdfast(folder)
    holdfast.config.write_text(config)
    try:
        yield holdfast
    finally:
        holdfast.clear()


@contextlib.contextmanager
def _started(
    name: str, arguments: Sequence[object], log: Path, *, says: bool = True
) -> Iterator[Program]:
    words = [sys.executable, "-W", "ignore", str(PROGRAMS / name), *map(str, arguments)]
    pipe = subprocess.PIPE
    with (
        log.open("ab") as err,
        subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=err, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            yield Program(process, process.stdout.readline().strip() if says else "")
        finally:
            process.kill()


@pytest.fixture(scope="session")
def launch() -> Launch:
    """Return the maker of `holdfast up` processes."""
    return _launched


@pytest.fixture(scope="session")
def program() -> Start:
    """Return the starter of our own programs."""
    return _started


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """Return what reads the notes of client and partner."""
    return Witness(tmp_path)


@pytest.fixture
def hire(tmp_path: Path) -> Iterator[Callable[..., list[Holdfast]]]:
    """Return what makes workers with the same keys, each with a port; none is started."""
    with contextlib.ExitStack() as stack:

        def hire(*configs: str) -> list[Holdfast]:
            workers = []
            for number, config in enumerate(configs):
                folder = tmp_path / f"w{number}"
                folder.mkdir()
                workers.append(stack.enter_context(_launched(folder, config)))
                workers[-1].port = free_port()
                workers[-1].data.mkdir(mode=0o700)
            Vault.create(workers[0].data)
            for each in workers[1:]:
                shutil.copy(workers[0].data / "keys.json", each.data)
            return workers

        yield hire


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """Return `until`."""
    return until


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Return a database server, which syncs every commit."""
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
def server(postgres: PostgresServer) -> PostgresServer:
    """Return a database server without a store."""
    postgres.empty()
    return postgres


@pytest.fixture
def run(holdfast: Holdfast) -> Callable[..., tuple[int, str]]:
    """Return what runs another command of the same configuration."""
    return holdfast.run
