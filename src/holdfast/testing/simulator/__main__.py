"""Runs seeds and shows the sum: `python -m holdfast.testing.simulator --seed N --runs K`."""

import argparse
import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from holdfast.testing.simulator.many import Sum, reports


def main(arguments: Sequence[str] | None = None) -> int:
    """Run seeds and return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m holdfast.testing.simulator",
        description="Run the engine in random worlds with faults and crashes; check its promises.",
    )
    parser.add_argument("--seed", type=int, default=1, help="first seed (default 1)")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="most workers at once (default 1)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    chosen = parser.parse_args(arguments)
    if min(chosen.runs, chosen.workers, chosen.jobs) < 1:
        parser.error("--runs, --workers and --jobs must be at least 1")
    out, err = Console(), Console(stderr=True)
    total = Sum()
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=chosen.runs)
        seeds = range(chosen.seed, chosen.seed + chosen.runs)
        for report in reports(seeds, workers=chosen.workers, jobs=chosen.jobs):
            total.add(report)
            if report.violations:
                err.print(report.explain(), markup=False, highlight=False)
            progress.advance(task)
    out.print(table(total))
    if total.runs == 1 and total.last is not None:
        out.print(f"journal {total.last.digest}", highlight=False)
    return 1 if total.failed else 0


def table(total: Sum) -> Table:
    """Return the summary."""
    shown = Table("what", "number", title="Simulation", title_justify="left")
    shown.columns[1].justify = "right"
    for what, number in total.rows():
        shown.add_row(what, number)
    return shown


if __name__ == "__main__":
    sys.exit(main())
