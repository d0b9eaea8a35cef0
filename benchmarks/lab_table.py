"""Runs the whole lab and writes its page: every scenario, every policy, `make lab`.

`python benchmarks/lab_table.py`: within an hour on two cores. What is done is kept in a file as
it comes; a run that was broken off goes on from there with `--resume`. With `--again` only the
scenarios that `--only` names are measured, and take the place of what the page says of them.
"""

import argparse
from pathlib import Path
from typing import Final

import lab_page
import machine
import msgspec
import uvloop
from lab_targets import AILING
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from holdfast.lab import alarms, real, study
from holdfast.lab.scenario import Setup, named

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/explanation/lab-results.md"
KEPT: Final = ROOT / "benchmarks/out/lab-runs.jsonl"
SENDS: Final = 10_000_000
WIDTH: Final = 150
REAL: Final = ("S2", "S5a")


def main(arguments: list[str] | None = None) -> None:
    """Run what was asked for and write the page beside its data and plots."""
    options = _options().parse_args(arguments)
    console = Console(highlight=False)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        found = _simulated(options, progress)
        if options.again:
            found = lab_page.renewed(lab_page.read(options.page), found)
        else:
            found = msgspec.structs.replace(
                found,
                alarms=_alarmed(options.sends, progress) if options.sends else None,
                checks=_checked(options, progress) if options.real_seeds else [],
            )
    lab_page.write(found, options.page)
    Console(highlight=False, width=max(WIDTH, console.width)).print(lab_page.terminal(found))
    console.print(f"written: {options.page}, with data and plots in {options.page.with_suffix('')}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="scenarios; none: all")
    parser.add_argument("--seeds", type=int, help="worlds of each; default: what each says")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--sends", type=int, default=SENDS, help="for false alarms; 0: none")
    parser.add_argument("--real-seeds", type=int, default=8, help="over sockets; 0: none")
    parser.add_argument("--real-times", type=float, default=5.0, help="how much shorter")
    parser.add_argument("--real", nargs="*", default=list(REAL), help="scenarios over sockets")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--keep", type=Path, default=KEPT, help="file of what is done")
    parser.add_argument("--resume", action="store_true", help="do not do again what is kept")
    parser.add_argument(
        "--again", action="store_true", help="only what --only names; keep the rest"
    )
    return parser


def _simulated(options: argparse.Namespace, progress: Progress) -> lab_page.Table:
    scenarios = named(options.only)
    work = study.jobs(scenarios, study.chosen([]), Setup(), seeds=options.seeds)
    results = _kept(options.keep, work) if options.resume else []
    done = {(each.scenario, each.seed) for each in results}
    left = [job for job in work if (job.scenario.id, job.seed) not in done]
    left.sort(key=lambda job: job.scenario.seeds)  # few seeds: long ones; they begin first
    options.keep.parent.mkdir(parents=True, exist_ok=True)
    task = progress.add_task("worlds", total=len(work), completed=len(results))
    with options.keep.open("ab" if options.resume else "wb") as file:
        for each in study.run(left, options.processes):
            file.write(msgspec.json.encode(each) + b"\n")
            file.flush()
            results.append(each)
            progress.update(task, advance=1, description=f"{each.scenario}, seed {each.seed}")
    return lab_page.Table(
        machine=machine.describe(),
        comparisons=[study.compared(scenario, results) for scenario in scenarios],
        series={each.scenario: each.series for each in results if each.series},
        cpu_s={scenario.id: _spent(scenario.id, results) for scenario in scenarios},
        cpu_minutes=round(sum(sum(each.cpu_s.values()) for each in results) / 60),
    )


def _spent(scenario: str, results: list[study.Done]) -> float:
    mine = [sum(each.cpu_s.values()) for each in results if each.scenario == scenario]
    return round(sum(mine) / len(mine), 1)


def _kept(path: Path, work: list[study.Job]) -> list[study.Done]:
    """Return what an earlier run has done of this work."""
    if not path.exists():
        return []
    wanted = {(job.scenario.id, job.seed) for job in work}
    lines = path.read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=study.Done) for line in lines]
    return [each for each in found if (each.scenario, each.seed) in wanted]


def _alarmed(sends: int, progress: Progress) -> alarms.Alarms:
    task = progress.add_task("false alarms", total=sends)
    return alarms.measure(AILING, sends, 1, lambda number: progress.update(task, completed=number))


def _checked(options: argparse.Namespace, progress: Progress) -> list[real.Check]:
    task = progress.add_task("real sockets, real time", total=1)
    checking = real.check(
        named(options.real), Setup(), times=options.real_times, seeds=options.real_seeds
    )
    found = uvloop.run(checking)
    progress.update(task, completed=1)
    return found


if __name__ == "__main__":
    main()
