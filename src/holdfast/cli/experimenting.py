"""`lab list`, `run`, `real`: what would a policy do to a partner, and the partner to it?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from holdfast.lab.compare import Comparison
    from holdfast.lab.real import Check
    from holdfast.lab.study import Done, Job

# ruff: noqa: PLC0415  # the engine is imported where it is used: `holdfast ls` should not wait

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
_WIDTH = 150


def register(app: typer.Typer) -> None:
    """Add the commands."""
    lab = typer.Typer(help="Simulate policies against modelled partners, and compare them.")
    lab.command("list")(list_)
    lab.command("run")(run)
    lab.command("real")(real)
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


def real(
    scenario: Annotated[
        list[str], typer.Argument(metavar="SCENARIO...", help="Ids such as S2, or .toml files.")
    ],
    *,
    policy: Annotated[
        Path | None, typer.Option(help="TOML file with [policy] and [recipient] for both runs.")
    ] = None,
    times: Annotated[
        float, typer.Option(min=1, max=1000, help="Divide the scenario's times by this.")
    ] = 5.0,
    seeds: Annotated[int, typer.Option(min=1, max=64, help="Worlds, all at the same time.")] = 4,
    as_json: Json = False,
) -> None:
    """Check the model: run scenarios over real sockets, in real time, beside the lab's own runs."""
    import uvloop

    from holdfast.lab import real as reality
    from holdfast.lab.scenario import named, setup

    scenarios = named(scenario)
    made = setup(policy)
    longest = max(each.partners[0].seconds for each in scenarios) / times
    Console(stderr=True).print(f"in real time: {longest:,.0f} s and until all is delivered")
    checks = uvloop.run(reality.check(scenarios, made, times=times, seeds=seeds))
    if as_json:
        sys.stdout.write(msgspec.json.encode(checks).decode() + "\n")
        return
    for check in checks:
        _wide().print(_real_table(check))


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
    from holdfast.lab import columns

    title = f"{comparison.scenario}: {comparison.title} (median of {comparison.seeds} seeds)"
    table = Table("Policy", *(head for _, head, _ in columns.shown(comparison)), title=title)
    for policy in comparison.policies:
        table.add_row(policy, *columns.cells(comparison, policy))
    return table


def _ratio_table(comparison: "Comparison") -> Table:
    from holdfast.lab import columns

    heads = columns.ratios(comparison)
    table = Table("Holdfast by", *heads, title="Ratios, with 95 % intervals")
    for policy in comparison.ratios:
        table.add_row(policy, *columns.ratio_cells(comparison, policy))
    return table


def _real_table(check: "Check") -> Table:
    from holdfast.lab import columns

    title = f"{check.scenario}: {check.title} ({check.times:g} times as short, {check.seeds} seeds)"
    table = Table("Mean", "Model", "Real", "Real by model (95 %)", "Within 10 %", title=title)
    for row in check.rows:
        ratio = "" if row.ratio is None else columns.spread(row.ratio)
        values = columns.number(row.model), columns.number(row.real)
        table.add_row(row.what, *values, ratio, "yes" if row.close else "no")
    return table
