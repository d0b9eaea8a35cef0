"""`check`: lints the configuration before it meets the world."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.text import Text

from holdfast.app import usual_outages
from holdfast.cli import show as views
from holdfast.cli.complaint import REFUSED
from holdfast.cli.running import ConfigFile, Data
from holdfast.config import load, source
from holdfast.policy.finding import Finding, Severity
from holdfast.policy.lint import lint

_COLOURS: Final = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.HINT: "cyan",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    file: Annotated[
        Path | None, typer.Argument(help="holdfast.toml; the same as --config.")
    ] = None,
    *,
    config: ConfigFile = None,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
) -> None:
    """Check the configuration and look for what is unwise in it, without starting anything.

    Where the data folder has a store, retries are compared with the outages that were learned.

    Exit code 1 when a finding is an error (with --strict: or a warning), 2 when the file cannot
    be used at all.
    """
    path = file or config
    loaded = load(path, os.environ, {"data": data})
    catalog = loaded.catalog
    found = lint(catalog, source(path, os.environ), usual_outages(loaded))
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        _print(found)
    fatal = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    failed = any(one.severity in fatal for one in found)
    if failed:
        raise typer.Exit(REFUSED)
    if not as_json:
        names = ", ".join(sorted(catalog.flows)) or "none"
        sys.stdout.write(
            f"the configuration is good: {len(catalog.recipients)} recipients, "
            f"{len(catalog.flows)} flows ({names})\n"
        )


def _print(found: list[Finding]) -> None:
    console = views.console()
    for one in found:
        text = Text(f"{one.severity:8}", style=_COLOURS[one.severity])
        text.append(f"{one.place}: " if one.place else "", style="bold default")
        text.append(one.what, style="not bold default")
        text.append(f"\n{'':8}{one.why}\n{'':8}-> {one.fix}", style="not bold default")
        console.print(text, soft_wrap=True)
    counts = ", ".join(
        f"{sum(one.severity is severity for one in found)} {severity}s" for severity in Severity
    )
    if found:
        console.print(counts)
