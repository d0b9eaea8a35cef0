"""Commands that read the audit journal: `audit ls`, `audit export`, `audit verify`."""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec
import typer

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Api
from holdfast.cli.complaint import REFUSED, USAGE, Complaint
from holdfast.cli.options import Json, Token, Url
from holdfast.cli.spans import instant_ms, iso
from holdfast.cli.storing import progress
from holdfast.clock import SystemClock
from holdfast.demo.words import clean
from holdfast.model.audit import Checked

_LINES: Final = 1000
"""Most lines of one page ..."""
_CHECKED: Final = 5000
"""... and of one step of a check."""

Subject = Annotated[str | None, typer.Option(help="Only lines about this id or name.")]
Actor = Annotated[str | None, typer.Option(help="Only what this person or program did.")]
Action = Annotated[str | None, typer.Option(help="Only this, such as redrive or set_role.")]
Since = Annotated[str | None, typer.Option(help="From then on: 15m, 2h, 7d, or an instant.")]
Until = Annotated[str | None, typer.Option(help="Before then: 15m, 2h, 7d, or an instant.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
All = Annotated[bool, typer.Option("--all", help="All of them, page by page.")]


class Format(StrEnum):
    """How an export is written."""

    NDJSON = "ndjson"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the commands; without a word `audit` lists."""
    audit = typer.Typer(help="Who did what to which thing, and why.")
    audit.callback(invoke_without_command=True)(listed)
    audit.command("ls")(ls)
    audit.command("export")(export)
    audit.command("verify")(verify)
    app.add_typer(audit, name="audit")


def listed(  # each is an option of the command
    context: typer.Context,
    *,
    subject: Subject = None,
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    everything: All = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show who did what to which thing, and why; newest first."""
    if context.invoked_subcommand is not None:
        _check_unused(context)
    else:
        ls(
            subject=subject,
            actor=actor,
            action=action,
            since=since,
            until=until,
            limit=limit,
            everything=everything,
            as_json=as_json,
            url=url,
            token=token,
        )


def _check_unused(context: typer.Context) -> None:
    """Refuse options before the word, which it would not hear of: `audit --url URL verify`."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            raise Complaint(
                f"{option.opts[-1]}: give it after the word {context.invoked_subcommand}", USAGE
            )


def ls(  # each is an option of the command
    *,
    subject: Subject = None,
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    everything: All = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show who did what to which thing, and why; newest first.

    As JSON one object a line.
    """
    query = {**_span(since, until), "subject": subject, "actor": actor, "action": action}
    most = None if everything else limit
    query["limit"] = _LINES if everything else min(limit, _LINES)
    with Api(url, token) as api:
        lines = chain.from_iterable(page.items for page in api.pages("/v1/audit", query))
        for raw in islice(lines, most):
            _show(raw, as_json=as_json)


def _span(since: str | None, until: str | None) -> dict[str, str | int | None]:
    now = SystemClock().now()
    given = {"since": since, "until": until}
    return {
        name: None if text is None else iso(instant_ms(f"--{name}", text, now, past=True))
        for name, text in given.items()
    }


def _show(raw: msgspec.Raw, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(bytes(raw).decode() + "\n")
        return
    item = msgspec.json.decode(raw)
    line = " ".join(clean(item.get(name, "")) for name in ("actor", "action", "subject"))
    views.console().print(
        f"{views.when(item.get('at'))}  {line}: {clean(item.get('reason', ''))}", markup=False
    )


def export(  # each is an option of the command
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; else stdout.")
    ] = None,
    kind: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.NDJSON,
    subject: Subject = None,
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write all lines of a span, oldest first: who, what, when, before, after, and the chain.

    NDJSON is exact; in CSV nothing is a formula. FILE must not exist, and is there when it is
    whole.
    """
    query = {**_span(since, until), "subject": subject, "actor": actor, "action": action}
    with Api(url, token) as api, progress(quiet=False) as told, _file(output) as file:
        way = Way(kind, SystemClock().now() if query["until"] is None else _ms(query["until"]))
        for part in api.parts("/v1/audit/export", {**query, "format": kind}):
            file.write(part)
            way.take(part)
            told(f"export {way.lines:,} lines", way.done, way.whole)
        told(f"export {way.lines:,} lines", 1, 1)
    if output is not None:
        views.console().print(f"{way.lines:,} lines in {output}", markup=False, soft_wrap=True)


class Way:
    """How far an export is: by time, as nobody counts the lines before.

    Args:
        kind: how the lines are written; each is one line of the file.
        end: of the span, ms since the epoch.
    """

    def __init__(self, kind: Format, end: int) -> None:
        self._kind = kind
        self._end = end
        self._first: int | None = None
        self._last = 0
        self._rest = b""
        self.lines = -1 if kind is Format.CSV else 0
        """How many have come; the header is none."""

    @property
    def done(self) -> int:
        """How much of the time is written, ms."""
        return 0 if self._first is None else self._last - self._first

    @property
    def whole(self) -> int:
        """How much time there is, ms."""
        return 1 if self._first is None else max(1, self._end - self._first)

    def take(self, part: bytes) -> None:
        """Look at the next part of the file."""
        before, found, rest = part.rpartition(b"\n")
        if not found:
            self._rest += part
            return
        self.lines += before.count(b"\n") + 1
        line = (self._rest + before).rpartition(b"\n")[2]
        self._rest = rest
        at = self._at(line.decode())
        if at is not None:
            self._last = at
            self._first = at if self._first is None else self._first

    def _at(self, line: str) -> int | None:
        if self._kind is Format.NDJSON:
            return _ms(msgspec.json.decode(line)["at"])
        at = next(csv.reader([line]))[1]
        return None if at == "at" else _ms(at)


def _ms(at: str | int | None) -> int:
    return instant_ms("at", str(at), 0, past=True)


@contextmanager
def _file(output: Path | None) -> Iterator[BinaryIO]:
    """Give where to write; a file gets its name when everything is in it."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if output.exists():
        raise Complaint(f"--output: {output} exists; name another file", USAGE)
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.rename(output)
    except OSError as error:
        raise Complaint(f"--output: cannot write {part}: {error.strerror}", USAGE) from error
    finally:
        part.unlink(missing_ok=True)


def verify(
    *,
    head: Annotated[
        str | None,
        typer.Option(metavar="NUMBER:HASH", help="What an earlier check printed; still so?"),
    ] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Check that no audit line and no retry event was changed; exit code 1, and the first that was.

    Nor was one removed or added. Events are checked by the lines that sum them up.
    """
    with Api(url, token) as api, progress(quiet=as_json) as told:
        found = _step(api, 0, head)
        events = found.events
        while not found.done and found.broken is None:
            told("verify", found.number, found.last)
            found = _step(api, found.number, None)
            events += found.events
        told("verify", found.number, found.last)
        found = msgspec.structs.replace(found, events=events)
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    if found.broken is not None:
        at = f"line {found.broken.number:,}: " if found.broken.number else ""
        raise Complaint(f"the audit journal is broken: {at}{found.broken.why}", REFUSED)
    if not as_json:
        waiting = f"; {found.waiting:,} wait to be linked" if found.waiting else ""
        console = views.console()
        seen = f"{found.number:,} lines and {found.events:,} retry events"
        console.print(f"{seen}, none changed or removed{waiting}")
        console.print(f"head {found.last}:{found.hash}", soft_wrap=True)


def _step(api: Api, after: int, head: str | None) -> Checked:
    query = {"after": after, "limit": _CHECKED, "head": head}
    return msgspec.convert(api.get("/v1/audit/verify", query).json(), Checked)
