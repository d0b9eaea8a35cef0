"""(a) Deliveries per second, end to end, against the bare HTTP client.

A store is filled with payloads of 500 bytes for 50 recipients; an engine starts on it, sends
everything, settles it and writes the retry events, encryption on. The bare client posts the same
bytes to the same sink and keeps nothing.
"""

import tempfile
from pathlib import Path

import checked
import programs
from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from load import configure, names

TITLE = "Deliveries per second, end to end"
RECIPIENTS = 50
CONCURRENCY = 64


def measure(size: Size, tell: Tell) -> Result:
    """Compare draining a store with the bare client."""
    count = size.of(40_000, 500)
    rounds: list[Round] = []
    with programs.sink() as (sink, port):
        for number in range(size.rounds):
            tell(f"round {number + 1}: bare client, then Holdfast, {count} deliveries each")
            rounds.append({"bare": bare(sink, port, count), "holdfast": drained(sink, port, count)})
    return Result(tuple(_figures(rounds)), tuple(rounds))


def bare(sink: programs.Program, port: int, count: int) -> Round:
    """Let the bare client post."""
    with programs.talker("bare", port, CONCURRENCY) as (client, _):
        client.ask("go", 100)
        with programs.metered(count, client, sink) as cpu:
            figures = client.ask("go", count)
    return figures | cpu


def drained(sink: programs.Program, port: int, count: int) -> Round:
    """Fill a store, drain it, check it."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        config = configure(Path(folder), port, RECIPIENTS)
        programs.fill(config, spread(count, RECIPIENTS))
        sink.ask("clear")
        figures = drain(sink, config, count)
        after = checked.found(config)
        checked.expect("requests at the sink", sink.ask("count")["count"], count)
        checked.expect("deliveries delivered", after.delivered, count)
        checked.expect("retry events", after.attempts, count)
    return figures


def drain(sink: programs.Program, config: Path, count: int) -> Round:
    """Let an engine deliver what a store holds; its start is not measured."""
    with (
        programs.talker("drain", config) as (engine, _),
        programs.metered(count, sink) as cpu,
    ):
        figures = engine.ask("go", count)
    return figures | {"cpu_us_all": round(figures["cpu_us"] + cpu["cpu_us_all"], 1)}


def spread(count: int, recipients: int) -> dict[str, int]:
    """Return flow -> count, evenly over the recipients."""
    each, more = divmod(count, recipients)
    return {name: each + (at < more) for at, name in enumerate(names(recipients))}


def _figures(rounds: list[Round]) -> list[Figure]:
    return [
        figure("Holdfast against the bare client", ratios(rounds, "holdfast", "bare"), least=0.40),
        figure("Holdfast", column(rounds, "holdfast"), "deliveries/s"),
        figure("bare client (pyreqwest)", column(rounds, "bare"), "requests/s"),
        figure("CPU of Holdfast and the sink", column(rounds, "holdfast", "cpu_us_all"),
               "us/delivery"),
        figure("CPU of the bare client and the sink", column(rounds, "bare", "cpu_us_all"),
               "us/request"),
        figure("changes per commit, p50", column(rounds, "holdfast", "commit_p50")),
        figure("changes per commit, p99", column(rounds, "holdfast", "commit_p99")),
    ]  # fmt: skip
