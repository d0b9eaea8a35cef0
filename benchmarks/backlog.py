"""(d) A million deliveries held behind a dead recipient, and 10,000 recipients.

The healthy recipients must not notice: their throughput is compared with a store of 50 recipients
that holds nothing else, once with the same 50 recipients busy, once with all of them. `holdfast
up` must start on that store and send within seconds; memory must not grow with the backlog.
"""

import tempfile
import time
from pathlib import Path

import checked
import programs
from delivering import drain, spread
from figures import Figure, Result, Round, Size, Tell, column, figure, ratios
from load import DEAD, configure

TITLE = "A million deliveries behind a dead recipient"
SMALL = 50
BIG = 10_000
DUE = 200
"""Deliveries that wait for healthy recipients at the start."""


def measure(size: Size, tell: Tell) -> Result:
    """Compare a store with a large backlog to an empty one."""
    count = size.of(20_000, 500)
    held, recipients = size.of(1_000_000, 1000), size.of(BIG, SMALL)
    rounds: list[Round] = []
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        programs.sink() as (sink, port),
    ):
        big = configure(Path(folder), port, recipients, bad=[DEAD])
        tell(f"filling a store: {held} deliveries held, {recipients} recipients")
        began = time.monotonic()
        programs.fill(big, {DEAD: held}, opened=DEAD)
        filled = {"count": held, "seconds": round(time.monotonic() - began, 2)}
        for number in range(size.rounds):
            tell(f"round {number + 1}: {count} deliveries without and with the backlog; start")
            rounds.append(_round(sink, port, big, (count, recipients, number % 2 == 1)))
        checked.expect("still held", checked.found(big).pending, held)
        disk = sum(file.stat().st_size for file in (Path(folder) / "data").iterdir())
    figures = _figures(rounds)
    figures.append(figure("disk used by the store", [disk / 1e6], "MB"))
    return Result(tuple(figures), ({"fill": filled}, *rounds))


def _round(sink: programs.Program, port: int, big: Path, sizes: tuple[int, int, bool]) -> Round:
    """Measure once; the last of `sizes` tells which of the pair comes first."""
    count, recipients, backlog_first = sizes
    found = {}
    for name in ("backlog", "empty") if backlog_first else ("empty", "backlog"):
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            config = big if name == "backlog" else configure(Path(folder), port, SMALL)
            found[name] = drained(sink, config, count, SMALL)
    found["wide"] = drained(sink, big, count, recipients)
    found["start"] = started(sink, big, recipients)
    return found


def drained(sink: programs.Program, config: Path, count: int, recipients: int) -> Round:
    """Add deliveries for healthy recipients and drain them."""
    before = checked.found(config).delivered if _exists(config) else 0
    programs.fill(config, spread(count, recipients))
    figures = drain(sink, config, count)
    checked.expect("delivered", checked.found(config).delivered - before, count)
    return figures


def started(sink: programs.Program, config: Path, recipients: int) -> Round:
    """Start `holdfast up` with some deliveries due; time it to the first one received."""
    programs.fill(config, spread(DUE, min(recipients, DUE)))
    sink.ask("clear")
    with programs.up(config) as (server, _):
        ready = time.monotonic_ns()
        programs.until("everything is sent", lambda: sink.ask("count")["count"] >= DUE)
        memory = server.memory()
    first = sink.ask("count")["first"]
    return {
        "first_s": round((first - server.started) / 1e9, 3),
        "api_s": round((ready - server.started) / 1e9, 3),
        "peak_memory": memory,
    }


def _exists(config: Path) -> bool:
    return (config.parent / "data" / "holdfast.db").exists()


def _figures(rounds: list[Round]) -> list[Figure]:
    peak = [max(each[name]["peak_memory"] for name in ("backlog", "wide", "start")) / 1e6
            for each in rounds]  # fmt: skip
    return [
        figure("with the backlog against an empty store, 50 recipients busy",
               ratios(rounds, "backlog", "empty"), least=0.9),
        figure("the same, all 10,000 recipients busy", ratios(rounds, "wide", "empty")),
        figure("largest memory", peak, "MB", most=400),
        figure("start of the process to the first delivery", column(rounds, "start", "first_s"),
               "s", most=3),
        figure("start of the process to the API", column(rounds, "start", "api_s"), "s"),
        figure("empty store", column(rounds, "empty"), "deliveries/s"),
        figure("with the backlog, 50 busy", column(rounds, "backlog"), "deliveries/s"),
        figure("with the backlog, all busy", column(rounds, "wide"), "deliveries/s"),
        figure("CPU with the backlog, 50 busy", column(rounds, "backlog", "cpu_us_all"),
               "us/delivery"),
        figure("CPU on the empty store", column(rounds, "empty", "cpu_us_all"), "us/delivery"),
    ]  # fmt: skip
