"""Commands for the store itself: `store migrate`, `store backup`, `store restore`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from holdfast.cli.client import actor
from holdfast.cli.running import ConfigFile, Data
from holdfast.model.archive import Archive, Told

# What opens a store is imported where it is used: `holdfast ls` should not wait for it.
# ruff: noqa: PLC0415

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and no progress.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    store = typer.Typer(help="Care for the store.", no_args_is_help=True)
    store.command("migrate")(migrate)
    store.command("backup")(backup)
    store.command("restore")(restore)
    app.add_typer(store, name="store")


def migrate(
    *,
    post: Annotated[
        bool, typer.Option("--post", help="Also take away what older versions needed (a database).")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is still to do.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Bring the store to this version's schema; a database also while older versions run on it.

    The embedded store must not be in use. What older versions need stays until `--post`, which is
    refused while one of them is connected.
    """
    from holdfast import app
    from holdfast.config import load

    found = load(config, os.environ, {"data": data})
    with progress(quiet=as_json) as told:
        done = app.migrate(found, post=post, dry=dry_run, told=told)
    if as_json:
        sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
        return
    if done.before == done.after and not done.applied:
        line = f"{done.store} is at schema version {done.after}"
        sys.stdout.write(line if done.pending else f"{line}; nothing to do")
    else:
        sys.stdout.write(f"{done.store} went from schema version {done.before} to {done.after}")
    sys.stdout.write("".join(["\n", *(f"done: {step}\n" for step in done.applied)]))
    sys.stdout.write("".join(f"pending: {step}\n" for step in done.pending))


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it must not exist.")],
    *,
    as_json: Json = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Write what the store holds at one instant to FILE, also while Holdfast runs, and verify it.

    FILE.sha256 holds its checksum. The keys are not in it: keep keys.json apart.
    """
    from holdfast import app
    from holdfast.config import load

    found = load(config, os.environ, {"data": data})
    with progress(quiet=as_json) as told:
        done = app.backup(found, file, told)
    _say(done, as_json=as_json, verb="holds")
    if not as_json:
        sys.stdout.write(
            f"The keys are not in it: keep a copy of {found.data / 'keys.json'} elsewhere.\n"
        )


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup, FILE.sha256 beside it.")],
    *,
    as_json: Json = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Make the store from a backup; there must be none yet, and its keys.json must be there.

    What was due when the backup was taken may have been sent since: the next start treats it as
    after a crash.
    """
    from holdfast import app
    from holdfast.config import load

    found = load(config, os.environ, {"data": data})
    with progress(quiet=as_json) as told:
        done = app.restore(found, file, actor=actor(), told=told)
    _say(done, as_json=as_json, verb="gave back")


def _say(done: Archive, *, as_json: bool, verb: str) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
        return
    sys.stdout.write(
        f"{done.path} ({done.bytes:,} bytes, verified) {verb} {done.messages:,} messages, "
        f"{done.deliveries:,} deliveries ({done.pending:,} pending), {done.events:,} events\n"
    )


@contextmanager
def progress(*, quiet: bool) -> Iterator[Told]:
    """Give what draws one bar per kind of work on stderr; nothing where nobody looks."""
    console = Console(stderr=True)
    parts = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    shown = console.is_terminal and not quiet
    with Progress(*parts, console=console, disable=not shown) as progress:
        bars = {}

        def told(what: str, done: int, total: int) -> None:
            kind = what.split(maxsplit=1)[0]
            if kind not in bars:
                bars[kind] = progress.add_task(kind, total=total)
            progress.update(bars[kind], description=what, completed=done, total=total)

        yield told
