"""(h) Deliveries per second on PostgreSQL, against the embedded store.

The same as (a), once on the embedded store and once on a PostgreSQL server on the same machine,
which shares its cores with Holdfast and the partner. The server has its defaults, syncs every
commit and counts its statements.
"""

import tempfile
from pathlib import Path

import checked
import programs
from delivering import RECIPIENTS, drain, spread
from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from load import configure

from holdfast.testing.postgres import PostgresServer, running
from holdfast.vault import Vault

TITLE = "PostgreSQL against the embedded store"
_CALLS = """
SELECT coalesce(sum(calls), 0), coalesce(sum(total_exec_time), 0)
FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_%'
"""
_ROWS = """
SELECT sum(delivered), (SELECT count(*) FROM holdfast.attempts) FROM holdfast.counters
"""


def measure(size: Size, tell: Tell) -> Result:
    """Compare draining the two stores."""
    count = size.of(40_000, 500)
    rounds: list[Round] = []
    with running(PostgresServer()) as server:
        server.execute("CREATE EXTENSION pg_stat_statements")
        with programs.sink() as (sink, port):
            for number in range(size.rounds):
                tell(f"round {number + 1}: embedded, then PostgreSQL, {count} deliveries each")
                rounds.append(
                    {
                        "embedded": embedded(sink, port, count),
                        "postgres": postgres(sink, port, count, server),
                    }
                )
    return Result(tuple(_figures(rounds)), tuple(rounds))


def embedded(sink: programs.Program, port: int, count: int) -> Round:
    """Fill and drain an embedded store."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        config = configure(Path(folder), port, RECIPIENTS)
        programs.fill(config, spread(count, RECIPIENTS))
        figures = drain(sink, config, count)
        checked.expect("deliveries delivered", checked.found(config).delivered, count)
    return figures


def postgres(sink: programs.Program, port: int, count: int, server: PostgresServer) -> Round:
    """Fill and drain a database, and let it count its statements."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        config = filled(Path(folder), port, count, server)
        server.execute("SELECT pg_stat_statements_reset()")
        figures = drain(sink, config, count)
        calls, busy_ms = map(float, server.execute(_CALLS).split("|"))
        delivered, events = map(int, server.execute(_ROWS).split("|"))
    checked.expect("deliveries delivered", delivered, count)
    checked.expect("retry events", events, count)
    told = {"statements": round(calls / count, 4), "server_us": round(busy_ms * 1000 / count, 1)}
    return figures | told


def filled(folder: Path, port: int, count: int, server: PostgresServer, slots: int = 512) -> Path:
    """Fill an emptied database and return a configuration for it; `slots` of a worker."""
    config = configure(folder, port, RECIPIENTS, store=server.empty(), slots=slots)
    data = folder / "data"
    data.mkdir(mode=0o700)
    Vault.create(data)
    programs.fill(config, spread(count, RECIPIENTS))
    server.execute("ANALYZE; CHECKPOINT")
    return config


def _figures(rounds: list[Round]) -> list[Figure]:
    return [
        figure("PostgreSQL against the embedded store", ratios(rounds, "postgres", "embedded"),
               least=0.70),
        figure("statements per delivery", column(rounds, "postgres", "statements"), most=0.10),
        figure("PostgreSQL", column(rounds, "postgres"), "deliveries/s"),
        figure("embedded store", column(rounds, "embedded"), "deliveries/s"),
        figure("CPU of Holdfast on PostgreSQL", column(rounds, "postgres", "cpu_us"),
               "us/delivery"),
        figure("CPU of Holdfast on the embedded store", column(rounds, "embedded", "cpu_us"),
               "us/delivery"),
        figure("time in the server's statements", column(rounds, "postgres", "server_us"),
               "us/delivery"),
        figure("changes per commit on PostgreSQL, p50", column(rounds, "postgres", "commit_p50")),
        figure("changes per commit on the embedded store, p50",
               column(rounds, "embedded", "commit_p50")),
    ]  # fmt: skip
