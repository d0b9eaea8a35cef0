"""Measures everything in one run: `make bench`, or `python benchmarks/run.py --help`."""

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Final

import machine
import report
from figures import Scenario, Size
from programs import load_average
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

ROOT: Final = Path(__file__).parents[1]

SCENARIOS: Final = (
    "delivering",
    "intake",
    "batch",
    "backlog",
    "latency",
    "fairness",
    "deciding",
    "postgres",
    "libraries",
    "waiting",
    "workers",
)
QUICK: Final = Size(scale=0.1, rounds=2)


def main(arguments: list[str] | None = None) -> None:
    """Measure what was asked for and write the pages."""
    options = _options().parse_args(arguments)
    size = QUICK if options.quick else Size()
    size = Size(options.scale or size.scale, options.rounds or size.rounds)
    only = options.only.split(",") if options.only else list(SCENARIOS)
    if unknown := set(only) - set(SCENARIOS):
        sys.exit(f"--only: no scenario {', '.join(sorted(unknown))}; known: {', '.join(SCENARIOS)}")
    whole = size == Size() and only == list(SCENARIOS)
    folder = options.out or ROOT / ("docs/reference" if whole else "benchmarks/out")
    console = Console(highlight=False)
    bench = report.Bench(machine.describe(), size, tuple(_measured(only, size, console)))
    folder.mkdir(parents=True, exist_ok=True)
    report.write(bench, folder)
    console.print(report.terminal(bench))
    console.print(f"written: {folder}/benchmarks.json, .md and .svg")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, two rounds")
    parser.add_argument("--only", help=f"some of: {','.join(SCENARIOS)}")
    parser.add_argument("--rounds", type=int, help="pairs of measurements")
    parser.add_argument("--scale", type=float, help="1 is the full size")
    parser.add_argument("--out", type=Path, help="folder of the results")
    return parser


def _measured(only: list[str], size: Size, console: Console) -> list[Scenario]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    found = []
    with Progress(*columns, console=console) as progress:
        for name in only:
            module = import_module(name)
            task = progress.add_task(module.TITLE, total=size.rounds + 1)

            def tell(words: str, title: str = module.TITLE, task: object = task) -> None:
                progress.update(task, description=f"{title}: {words}", advance=1)  # type: ignore[arg-type]

            began, load = time.monotonic(), load_average()
            result = module.measure(size, tell)
            found.append(
                Scenario(
                    name,
                    module.TITLE,
                    str(module.__doc__),
                    result,
                    round(time.monotonic() - began, 1),
                    (load, load_average()),
                )
            )
            progress.update(task, description=module.TITLE, completed=size.rounds + 1)
    return found


if __name__ == "__main__":
    main()
