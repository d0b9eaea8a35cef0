"""`bench`: what this machine can do, in half a minute."""

import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from holdfast.cli.options import Json
from holdfast.telemetry import configure_logging

if TYPE_CHECKING:
    from holdfast.bench import Report

# ruff: noqa: PLC0415  # the engine is imported where it is used: `holdfast ls` should not wait


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    *,
    messages: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Messages to accept and deliver.")
    ] = 10_000,
    recipients: Annotated[int, typer.Option(min=1, max=500, help="Lanes that share them.")] = 50,
    as_json: Json = False,
) -> None:
    """Measure this machine: the engine on a temporary store, against a partner of our own."""
    import uvloop

    from holdfast.bench import measure

    configure_logging("error")
    console = Console(stderr=True, highlight=False)
    with console.status("starting") as status:

        def tell(words: str) -> None:
            status.update(words)

        report = uvloop.run(measure(messages, recipients, tell))
    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        Console(highlight=False).print(_table(report))


def _table(report: "Report") -> Table:
    table = Table("What", "Value", title="Holdfast on this machine")
    rows = [
        (f"delivered, to {report.recipients} recipients", f"{report.delivered_per_second:,.0f} /s"),
        ("accepted, in batches, meanwhile", f"{report.accepted_per_second:,.0f} /s"),
        ("one durable answer, median", f"{report.answer_p50_ms:.2f} ms"),
        ("one durable answer, 99 of 100", f"{report.answer_p99_ms:.2f} ms"),
        ("changes per commit", f"{report.per_commit:,.0f}"),
    ]
    for row in rows:
        table.add_row(*row)
    return table
