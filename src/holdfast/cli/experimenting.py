"""`lab list` and `lab run`: what would a policy do to a partner, and the partner to it?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from holdfast.lab.compare import Comparison, Interval
    from holdfast.lab.study import Done, Job

# ruff: noqa: PLC0415  # the engine is imported where it is used: `holdfast ls` should not wait

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
_COLUMNS = (
    ("recovered", "Recovered", "share"),
    ("tts_p50_s", "Median s", "plain"),
    ("tts_p99_s", "p99 s", "plain"),
    ("drain", "Drain", "plain"),
    ("wasted_per_message", "Wasted/msg", "plain"),
    ("peak", "Peak", "plain"),
    ("unwell_s", "Unwell s", "plain"),
    ("goodput", "Goodput", "share"),
    ("quota_used", "Quota", "share"),
    ("limited", "429", "share"),
    ("collateral_p99_s", "Others p99 s", "plain"),
    ("detect_s", "Seen after s", "plain"),
    ("sends_of_dead", "Sends/dead", "plain"),
    ("false_dead", "False dead", "share"),
    ("cost_balanced", "Cost", "plain"),
)
_WIDTH = 150
_RATIOS = ("wasted_per_message", "tts_p50_s", "tts_p99_s", "peak", "cost_balanced")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    lab = typer.Typer(help="Simulate policies against modelled partners, and compare them.")
    lab.command("list")(list_)
    lab.command("run")(run)
    app.add_typer(lab, name="lab")


def list_(*, as_json: Json = False) -> None:
    """List the scenarios and the policies they are run with."""
    from holdfast.lab.scenario import shipped
    from holdfast.lab.study import names

    scenarios, policies = shipped(), names()
    if as_json:
        found = {"scenarios": scenarios, "policies": policies}
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    table = Table("Scenario", "Title", "What it asks", "Seeds")
    for scenario in scenarios:
        table.add_row(scenario.id, scenario.title, scenario.about, str(scenario.seeds))
    people = Table("Policy", "What it is")
    for name, title in policies.items():
        people.add_row(name, title)
    console = Console(highlight=False)
    console.print(table, people)


def run(
    scenario: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCENARIO", help="Ids such as S2, or .toml files; none: all."),
    ] = None,
    *,
    policy: Annotated[
        Path | None,
        typer.Option(help="TOML file with [policy] and [recipient] for Holdfast's own run."),
    ] = None,
    baseline: Annotated[
        list[str] | None, typer.Option(help="Run only this baseline; may be repeated.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Worlds to draw; default: what each scenario says."),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Processes to use.")] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Folder for lab.json and a plot of every scenario.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run scenarios with Holdfast, the baselines and the oracle; every one meets the same luck."""
    from holdfast.lab import study
    from holdfast.lab.scenario import named, setup

    scenarios = named(scenario or [])
    work = study.jobs(scenarios, study.chosen(baseline or []), setup(policy), seeds=seeds)
    results = _run(work, processes)
    comparisons = [study.compared(each, results) for each in scenarios]
    if out is not None:
        _write(out, comparisons, results)
    if as_json:
        sys.stdout.write(msgspec.json.encode(comparisons).decode() + "\n")
        return
    console = _wide()
    for comparison in comparisons:
        console.print(_table(comparison))
        if comparison.ratios:
            console.print(_ratio_table(comparison))


def _wide() -> Console:
    """Return a console in which the tables fit, whatever the terminal says."""
    console = Console(highlight=False)
    return console if console.width >= _WIDTH else Console(highlight=False, width=_WIDTH)


def _run(work: "list[Job]", processes: int) -> "list[Done]":
    """Run the jobs under a progress bar on stderr."""
    from holdfast.lab import study

    results = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("worlds", total=len(work))
        for done in study.run(work, processes):
            results.append(done)
            progress.update(task, advance=1, description=f"{done.scenario}, seed {done.seed}")
    return results


def _write(folder: Path, comparisons: "list[Comparison]", results: "list[Done]") -> None:
    from holdfast.lab.plot import plot

    folder.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(comparisons), indent=1)
    (folder / "lab.json").write_bytes(text + b"\n")
    for comparison in comparisons:
        for done in results:
            if done.series and done.scenario == comparison.scenario:
                svg = plot(comparison, done.series)
                (folder / f"{comparison.scenario}.svg").write_text(svg)


def _table(comparison: "Comparison") -> Table:
    """Return the medians, with the columns that mean something in this scenario."""
    shown = [
        column
        for column in _COLUMNS
        if any(column[0] in figures for figures in comparison.policies.values())
    ]
    title = f"{comparison.scenario}: {comparison.title} (median of {comparison.seeds} seeds)"
    table = Table("Policy", *(head for _, head, _ in shown), title=title)
    for policy, figures in comparison.policies.items():
        cells = (_cell(figures.get(name), kind) for name, _, kind in shown)
        table.add_row(policy, *cells)
    return table


def _ratio_table(comparison: "Comparison") -> Table:
    table = Table("Holdfast by", *_RATIOS, title="Ratios, with 95 % intervals")
    for policy, figures in comparison.ratios.items():
        table.add_row(policy, *(_ratio(figures.get(name)) for name in _RATIOS))
    return table


def _cell(found: "Interval | None", kind: str) -> str:
    if found is None:
        return ""
    return f"{found.median:.1%}" if kind == "share" else _number(found.median)


def _ratio(found: "Interval | None") -> str:
    if found is None:
        return ""
    low, high = _number(found.low), _number(found.high)
    return f"{_number(found.median)} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
