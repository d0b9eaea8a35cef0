"""(k) Two workers against one: a partner that takes 100 ms, 64 slots a worker, one PostgreSQL.

`holdfast up` on a filled database, once and then twice; what counts is how many requests the
partner takes in a span after the start and the sharing of the lanes. With 64 slots of 100 ms one
worker cannot do more than 640 a second, two not more than 1,280: below that, each has all it needs.
"""

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import programs
from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from postgres import filled

from holdfast.testing.postgres import PostgresServer, running

TITLE = "Two workers against one"
SLOTS = 64
_PER_SECOND = 1000 // 100 * SLOTS
SETTLING_S = 8.0
"""Until every worker has its share of the lanes."""


def measure(size: Size, tell: Tell) -> Result:
    """Compare two workers with one."""
    span = max(1.0, 15.0 * size.scale)
    settling = max(1.0, SETTLING_S * size.scale)
    rounds: list[Round] = []
    with running(PostgresServer()) as server, programs.sink("--slow") as (sink, port):
        for number in range(size.rounds):
            tell(f"round {number + 1}: one worker, then two, {span:g} s each")
            rounds.append(
                {
                    name: _running((sink, port), server, workers, span, settling)
                    for name, workers in (("one", 1), ("two", 2))
                }
            )
    return Result(tuple(_figures(rounds)), tuple(rounds))


def _running(
    partner: tuple[programs.Program, int],
    server: PostgresServer,
    workers: int,
    span: float,
    settling: float,
) -> Round:
    """Count what the partner takes in a span, once every worker has its share of the lanes."""
    sink, port = partner
    count = round((span + 3 * settling) * workers * _PER_SECOND)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, ExitStack() as stack:
        config = filled(Path(folder) / "1", port, count, server, SLOTS)
        sink.ask("clear")
        running = [stack.enter_context(programs.up(config))[0]]
        for number in range(2, workers + 1):
            other = _another(config, Path(folder) / str(number))
            running.append(stack.enter_context(programs.up(other))[0])
        time.sleep(settling)
        with programs.metered(1, *running) as cpu:
            before, began = sink.ask("count")["count"], time.monotonic()
            time.sleep(span)
            taken, took = sink.ask("count")["count"] - before, time.monotonic() - began
        memory = max(worker.memory() for worker in running)
    return {
        "count": taken,
        "seconds": round(took, 3),
        "per_second": round(taken / took, 1),
        "cpu_us": round(cpu["cpu_us_all"] / max(taken, 1), 1),
        "peak_memory": memory,
    }


def _another(config: Path, folder: Path) -> Path:
    """Return the configuration of one more worker: its own folder, the same keys."""
    shutil.copytree(config.parent, folder)
    path = folder / config.name
    path.write_text(path.read_text().replace(str(config.parent), str(folder)))
    return path


def _figures(rounds: list[Round]) -> list[Figure]:
    peak = [max(each[name]["peak_memory"] for name in ("one", "two")) / 1e6 for each in rounds]
    return [
        figure("two workers against one", ratios(rounds, "two", "one"), least=1.9),
        figure("CPU per delivery, two against one", ratios(rounds, "two", "one", "cpu_us"),
               most=1.15),
        figure("largest memory of a worker", peak, "MB", most=400),
        figure("one worker", column(rounds, "one"), "deliveries/s"),
        figure("two workers", column(rounds, "two"), "deliveries/s"),
        figure("CPU, one worker", column(rounds, "one", "cpu_us"), "us/delivery"),
        figure("CPU, two workers", column(rounds, "two", "cpu_us"), "us/delivery"),
    ]  # fmt: skip
