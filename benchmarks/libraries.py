"""(i) Deliveries per second on PostgreSQL, against job libraries that do the same job.

PgQueuer and Procrastinate on the same PostgreSQL server, Celery (`acks_late`) and Dramatiq on
Redis that syncs every write. Each posts the same bytes to the same sink with the same HTTP client
(the blocking kind where the library is not async), durable, with three retries, and keeps no
event of an attempt; Holdfast writes its full events, encrypts, and keeps a lane for each of 50
recipients. The store is filled before. What counts is what the sink sees, from the first request
to the last.
Holdfast, PgQueuer and Procrastinate run as one process, Celery and Dramatiq as one per core.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import checked
import programs
from delivering import drain
from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from postgres import filled
from redis_server import redis_server

from holdfast.testing.postgres import PostgresServer, running

TITLE = "Job libraries doing the same job"
PYTHON: Final = programs.HERE.parent / ".venv/peers/bin/python"
ON_POSTGRES: Final = ("pgqueuer", "procrastinate")
ON_REDIS: Final = ("celery", "dramatiq")
PEERS: Final = ON_POSTGRES + ON_REDIS
_SETTLED_S: Final = 60.0


def measure(size: Size, tell: Tell) -> Result:
    """Let each deliver the same number."""
    if not PYTHON.exists():
        sys.exit("the peers are not installed; run: make peers")
    count = size.of(6_000, 100)
    rounds: list[Round] = []
    with (
        running(PostgresServer()) as server,
        programs.sink() as (sink, port),
        redis_server(PYTHON) as redis,
    ):
        for number in range(size.rounds):
            tell(f"round {number + 1}: Holdfast and {len(PEERS)} libraries, {count} each")
            found = {"holdfast": _holdfast(sink, port, count, server)}
            for peer in PEERS:
                store = redis if peer in ON_REDIS else _emptied(server)
                found[peer] = _peer(peer, store, (sink, port), count)
            found["best"] = max((found[peer] for peer in PEERS), key=_rate)
            rounds.append(found)
    return Result(tuple(_figures(rounds)), tuple(rounds))


def _holdfast(sink: programs.Program, port: int, count: int, server: PostgresServer) -> Round:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        config = filled(Path(folder), port, count, server)
        sink.ask("clear")
        figures = drain(sink, config, count)
    return figures | _seen(sink, count)


def _peer(name: str, store: str, partner: tuple[programs.Program, int], count: int) -> Round:
    sink, port = partner
    ask = _Peer(name, store, port)
    ask.run("fill", str(count))
    sink.ask("clear")
    with ask.working():
        programs.until(f"{name} is done", lambda: sink.ask("count")["count"] >= count)
        programs.until(f"{name} has settled", lambda: ask.run("left") == "0")
    return _seen(sink, count)


class _Peer:
    """One library's program, with its store and its sink."""

    def __init__(self, name: str, store: str, port: int) -> None:
        self._words = [str(PYTHON), str(programs.HERE / "peers" / f"of_{name}.py")]
        where = {"PEER_STORE": store, "PEER_SINK": f"http://127.0.0.1:{port}/leads"}
        path = {"PYTHONPATH": str(programs.HERE / "peers")}  # Dramatiq's processes import anew
        self._environment = {**os.environ, **where, **path}

    def run(self, *words: str) -> str:
        """Run it to its end and return what it says."""
        done = subprocess.run(
            [*self._words, *words],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let its worker run."""
        quiet = subprocess.DEVNULL
        with subprocess.Popen(
            [*self._words, "work"], env=self._environment, stdout=quiet, stderr=quiet
        ) as worker:
            try:
                yield
            finally:
                worker.terminate()
                _end(worker)


def _end(worker: subprocess.Popen[bytes]) -> None:
    try:
        worker.wait(_SETTLED_S)
    except subprocess.TimeoutExpired:
        worker.kill()


def _emptied(server: PostgresServer) -> str:
    server.empty()
    server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return server.url()


def _seen(sink: programs.Program, count: int) -> Round:
    """Return the rate between the first and the last request of those that the sink took."""
    seen = sink.ask("count")
    checked.expect("requests at the sink", seen["count"], count)
    seconds = (seen["last"] - seen["first"]) / 1e9
    return {"count": count, "seconds": round(seconds, 4), "per_second": round(count / seconds, 1)}


def _rate(found: Round) -> float:
    rate: float = found["per_second"]
    return rate


def _figures(rounds: list[Round]) -> list[Figure]:
    named = [figure(peer, column(rounds, peer), "deliveries/s") for peer in PEERS]
    return [
        figure("Holdfast against the best of the libraries", ratios(rounds, "holdfast", "best"),
               least=2.0),
        figure("Holdfast", column(rounds, "holdfast"), "deliveries/s"),
        *named,
        figure("CPU of Holdfast", column(rounds, "holdfast", "cpu_us"), "us/delivery"),
    ]  # fmt: skip
