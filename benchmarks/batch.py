"""(c) Batch intake over HTTP against raw inserts of the same rows.

500 NDJSON lines a request, lanes paused. The ceiling inserts rows that are ready in memory into
the same schema, with the same pragmas, 500 to a commit: no HTTP, no JSON, no encryption.
"""

import tempfile
from pathlib import Path

import checked
import programs
from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from intake import pause
from load import configure, names

TITLE = "Batch intake over HTTP"
RECIPIENTS = 50
LINES = 500
CONNECTIONS = 4


def measure(size: Size, tell: Tell) -> Result:
    """Compare batch intake with raw inserts."""
    count = size.of(80, 2) * LINES
    rounds: list[Round] = []
    for number in range(size.rounds):
        tell(f"round {number + 1}: raw inserts, then batch intake, {count} messages each")
        rounds.append({"raw": raw(count), "holdfast": taken(count)})
    return Result(tuple(_figures(rounds)), tuple(rounds))


def raw(count: int) -> Round:
    """Insert rows."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        config = configure(Path(folder), 9, RECIPIENTS)
        with (
            programs.talker("raw_inserts", config, count) as (program, _),
            programs.metered(count, program) as cpu,
        ):
            figures = program.ask("go")
        checked.expect("messages stored", checked.found(config).messages, count)
    return figures | cpu


def taken(count: int) -> Round:
    """Post batches to `holdfast up`."""
    flows = names(RECIPIENTS)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        config = configure(Path(folder), 9, RECIPIENTS)
        with programs.up(config) as (server, url):
            pause(url, flows)
            with programs.talker("poster", url, CONNECTIONS, ",".join(flows)) as (poster, _):
                poster.ask("batch", LINES, LINES)
                with programs.metered(count, server, poster) as cpu:
                    figures = poster.ask("batch", count, LINES)
        checked.expect("messages stored", checked.found(config).messages, count + LINES)
    return figures | cpu


def _figures(rounds: list[Round]) -> list[Figure]:
    return [
        figure("batch intake against raw inserts", ratios(rounds, "holdfast", "raw"), least=0.3),
        figure("batch intake", column(rounds, "holdfast"), "messages/s"),
        figure("raw inserts", column(rounds, "raw"), "messages/s"),
        figure("CPU of Holdfast and the client", column(rounds, "holdfast", "cpu_us_all"),
               "us/message"),
        figure("CPU of raw inserts", column(rounds, "raw", "cpu_us_all"), "us/message"),
    ]  # fmt: skip
