"""Commands for versions of the configuration: `config ls|show|diff|propose|approve|reject`."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Answer, Api, actor
from holdfast.cli.complaint import USAGE, Complaint
from holdfast.cli.given import content
from holdfast.cli.options import Json, Reason, Token, Url
from holdfast.cli.running import Data
from holdfast.cli.spans import instant_ms, iso
from holdfast.clock import SystemClock
from holdfast.demo.words import clean

Number = Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="The version.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A holdfast.toml.")]
_COLUMNS = ("number", "stage", "author", "at", "approver", "effective_at", "loaded_at", "reason")
_INSTANTS = frozenset({"at", "effective_at", "loaded_at"})


def register(app: typer.Typer) -> None:
    """Add the commands."""
    config = typer.Typer(help="Versions of the configuration.", no_args_is_help=True)
    for command in (ls, show, diff, propose, approve, reject, override):
        config.command(command.__name__)(command)
    app.add_typer(config, name="config")


def ls(
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 20,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List the versions, newest first: who wrote each, who approved it, since when it is loaded."""
    with Api(url, token) as api:
        answer = api.get("/v1/configurations", {"limit": limit})
    if as_json:
        _raw(answer)
        return
    rows = [[_cell(name, item.get(name)) for name in _COLUMNS] for item in answer.json()["items"]]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    for row in (_COLUMNS, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def show(
    number: Number, *, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None
) -> None:
    """Show what a version says, as TOML; secrets are keyed sums (***...)."""
    with Api(url, token) as api:
        answer = api.get(f"/v1/configurations/{number}")
    if as_json:
        _raw(answer)
        return
    found = answer.json()
    version = found["version"]
    sys.stdout.write(f"# version {version['number']}, {version['stage']}\n")
    sys.stdout.write("".join(_plain(line) + "\n" for line in found["text"].splitlines()))


def diff(
    number: Number,
    *,
    against: Annotated[
        int | None,
        typer.Option(min=0, help="Another version; without: the one it was made of; 0: nothing."),
    ] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show what a version changes, place by place."""
    with Api(url, token) as api:
        answer = api.get(f"/v1/configurations/{number}", {"against": against})
    if as_json:
        _raw(answer)
        return
    found = answer.json()
    for line in _changes(found["changes"]):
        sys.stdout.write(line + "\n")
    if found["more"]:
        sys.stdout.write(f"and {found['more']} more\n")
    if not found["changes"]:
        sys.stdout.write("nothing differs\n")


def propose(file: File, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Propose a configuration; somebody else approves it before a process starts with it."""
    try:
        text = content("FILE", file).decode()
    except UnicodeDecodeError as error:
        raise Complaint(f"FILE: {file} is not UTF-8 text (byte {error.start})", USAGE) from error
    with Api(url, token) as api:
        made = api.post("/v1/configurations", {"content": text, "reason": reason}).json()
        number = made["number"]
        changes = api.get(f"/v1/configurations/{number}").json()["changes"]
    for line in _changes(changes):
        sys.stdout.write(line + "\n")
    _said(f"version {number} waits: holdfast config approve {number}, by somebody else")


def approve(
    number: Number,
    *,
    reason: Reason,
    effective_at: Annotated[
        str | None, typer.Option(help="Not before: 15m, 2h, or 2026-01-31T08:00:00Z.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Let processes start with a version that somebody else proposed."""
    at = None
    if effective_at is not None:
        at = iso(instant_ms("--effective-at", effective_at, SystemClock().now(), past=False))
    with Api(url, token) as api:
        body = {"reason": reason, "effective_at": at}
        said = api.post(f"/v1/configurations/{number}/approve", body).json()
    since = said.get("effective_at")
    when = "" if since is None else f" from {views.when(since)} on"
    _said(f"version {number} is approved; the next start may load it{when}")


def reject(number: Number, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Let no process start with a proposal; its author may take it back so, too."""
    with Api(url, token) as api:
        api.post(f"/v1/configurations/{number}/reject", {"reason": reason})
    _said(f"version {number} is rejected")


def override(file: File, *, reason: Reason, data: Data = None) -> None:
    """Let processes start with FILE without approval; the audit journal keeps that.

    It works on the store itself, on this machine; the embedded store must not be in use.
    """
    # What opens a store is imported where it is used: `holdfast ls` should not wait for it.
    from holdfast.app import Start, override  # noqa: PLC0415
    from holdfast.config import read  # noqa: PLC0415

    found = read(file, os.environ, {"data": data})
    version = override(found.config, Start(found.written, actor()), reason)
    _said(f"version {version.number}: the next start may load {file} without approval")


def _changes(changes: Iterable[dict[str, Any]]) -> Iterable[str]:
    for one in changes:
        place, before, after = clean(one["place"]), one["before"], one["after"]
        if before is None:
            yield f"+ {place} = {_value(after)}"
        elif after is None:
            yield f"- {place} = {_value(before)}"
        else:
            yield f"~ {place} = {_value(before)} -> {_value(after)}"


def _value(value: object) -> str:
    return clean(msgspec.json.encode(value).decode())


def _cell(name: str, value: object) -> str:
    return views.when(value) if name in _INSTANTS else clean("-" if value is None else value, 60)


def _plain(line: str) -> str:
    """Return a line without anything a terminal would obey, however long."""
    return clean(line, len(line) + 1)


def _raw(answer: Answer) -> None:
    sys.stdout.write(answer.body.decode().rstrip("\n") + "\n")


def _said(line: str) -> None:
    views.console().print(clean(line), markup=False)
