"""(j) Ten thousand against two million deliveries waiting, on PostgreSQL.

Two databases of one server, 50 recipients each. One holds what is drained and nothing else, the
other two million deliveries, all due and all for the same recipients; as many are taken from both.
Throughput and memory must not know the difference.
"""

import tempfile
from pathlib import Path

import programs
from delivering import drain
from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from postgres import filled

from holdfast.testing.postgres import PostgresServer, running

TITLE = "Two million deliveries waiting"


def measure(size: Size, tell: Tell) -> Result:
    """Compare a database with few deliveries to one with many."""
    count, many = size.of(10_000, 500), size.of(2_000_000, 5_000)
    rounds: list[Round] = []
    with (
        running(PostgresServer()) as few,
        running(PostgresServer()) as full,
        programs.sink() as (sink, port),
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
    ):
        tell(f"filling a database with {many} deliveries")
        config = filled(Path(folder) / "full", port, many, full)
        for number in range(size.rounds):
            tell(f"round {number + 1}: {count} deliveries of {count}, then of {many}")
            rounds.append(
                {
                    "few": _few(sink, port, count, few),
                    "many": drain(sink, config, count),
                }
            )
    return Result(tuple(_figures(rounds)), tuple(rounds))


def _few(sink: programs.Program, port: int, count: int, server: PostgresServer) -> Round:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        return drain(sink, filled(Path(folder), port, count, server), count)


def _figures(rounds: list[Round]) -> list[Figure]:
    peak = [each["many"]["peak_memory"] / 1e6 for each in rounds]
    return [
        figure("two million waiting against ten thousand", ratios(rounds, "many", "few"),
               least=0.9),
        figure("largest memory of the worker", peak, "MB", most=400),
        figure("ten thousand waiting", column(rounds, "few"), "deliveries/s"),
        figure("two million waiting", column(rounds, "many"), "deliveries/s"),
        figure("CPU, ten thousand waiting", column(rounds, "few", "cpu_us"), "us/delivery"),
        figure("CPU, two million waiting", column(rounds, "many", "cpu_us"), "us/delivery"),
    ]  # fmt: skip
