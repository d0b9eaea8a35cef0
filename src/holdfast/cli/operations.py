"""Bulk work: `operations preview`, `start`, `ls`, `show`, `results`, `pause`, `resume`, ..."""

import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Api, segment
from holdfast.cli.options import Json, Reason, Token, Url
from holdfast.cli.spans import instant_ms, iso, span_ms
from holdfast.clock import SystemClock
from holdfast.demo.words import clean
from holdfast.model.operation import Kind

_PATH: Final = "/v1/operations"
_PAGE: Final = 1000

What = Annotated[Kind, typer.Argument(help="What is done to each delivery.")]
Query = Annotated[
    list[str], typer.Argument(metavar="SEARCH...", help="Such as: status:dead class:timeout")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The operation, opr_...")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="operations",
        help="Work on many deliveries at once: with progress, pause, undo and an audit trail.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("preview")(preview)
    group.command("start")(start)
    group.command("ls")(ls)
    group.command("show")(show)
    group.command("results")(results)
    for verb, text in (
        ("pause", "Stop an operation after the batch under way."),
        ("resume", "Let an operation go on; after a failed canary a new one is drawn."),
        ("cancel", "End an operation; what is done stays done."),
        ("undo", "Bring back what a discard took out of review, within its time."),
    ):
        group.command(verb, help=text)(_on_operation(verb))
    app.add_typer(group)


def preview(
    kind: What, search: Query, *, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None
) -> None:
    """Show what an operation would act on: how many, and a sample; nothing is changed."""
    body = {"kind": kind, "q": " ".join(search), "reason": "preview", **_stand_in(kind)}
    with Api(url, token) as api:
        answer = api.post(f"{_PATH}/preview", body)
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    item = answer.json()
    console = views.console()
    words = "at least " if item.get("at_least") else ""
    console.print(f"{words}{item.get('count', 0):,} deliveries until {item.get('cut_off')}")
    for each in item.get("strata", ()):
        name = f"{clean(each.get('recipient'))}, {clean(each.get('failure_class') or 'no class')}"
        console.print(f"  {name}: {each.get('count', 0):,} of the newest", markup=False)
    console.print(views.deliveries(item.get("sample", []), SystemClock().now(), console.width))


def _stand_in(kind: Kind) -> dict[str, Any]:
    """Return a value for what a kind cannot do without; a preview does not use it."""
    stand_ins: dict[Kind, dict[str, Any]] = {
        Kind.RESCHEDULE: {"at": iso(SystemClock().now())},
        Kind.PRIORITY: {"priority": 5},
        Kind.ENDPOINT: {"endpoint": "any"},
    }
    return stand_ins.get(kind, {})


def start(  # noqa: PLR0913  # each is an option of the command
    kind: What,
    search: Query,
    *,
    reason: Reason,
    cut_off: Annotated[str | None, typer.Option(help="That of a preview: just these.")] = None,
    rate: Annotated[float, typer.Option(help="Deliveries per second.")] = 100.0,
    concurrency: Annotated[int, typer.Option(help="Most redriven without outcome.")] = 500,
    batch: Annotated[int, typer.Option(help="Most deliveries of one commit.")] = 200,
    stop_error_rate: Annotated[
        float, typer.Option(help="Pause when surely more than this share fails again.")
    ] = 0.5,
    canary: Annotated[int, typer.Option(help="Redrive so many first; 0: none.")] = 0,
    bound: Annotated[float, typer.Option(help="What success of the canary must exceed.")] = 0.8,
    at: Annotated[str | None, typer.Option(help="reschedule: when; 15m, 2h, an instant.")] = None,
    priority: Annotated[int | None, typer.Option(help="priority: 0 to 9.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="endpoint, redrive: its name.")] = None,
    undo: Annotated[str, typer.Option(help="discard: how long it can be undone.")] = "1h",
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Start an operation on all deliveries that match now; it outlives restarts."""
    moment = None if at is None else instant_ms("--at", at, SystemClock().now(), past=False)
    body = {
        "kind": kind,
        "q": " ".join(search),
        "reason": reason,
        "cut_off": cut_off,
        "rate": rate,
        "concurrency": concurrency,
        "batch": batch,
        "stop_error_rate": stop_error_rate,
        "canary": {"size": canary, "bound": bound} if canary else None,
        "at": None if moment is None else iso(moment),
        "priority": priority,
        "endpoint": endpoint,
        "undo_seconds": span_ms("--undo", undo) / 1000,
    }
    with Api(url, token) as api:
        answer = api.post(_PATH, body)
    _print(answer.body, answer.json(), as_json=as_json)


def ls(
    *,
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="How many at most.")] = 20,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List operations, newest first."""
    with Api(url, token) as api:
        answer = api.get(_PATH, {"limit": limit})
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "kind", "state", "progress", "search", "why"):
        table.add_column(name, overflow="fold", no_wrap=name in {"id", "kind", "state"})
    for raw in answer.page().items:
        item = msgspec.json.decode(raw)
        row = [item.get(name) for name in ("id", "kind", "state")]
        row += [_progress(item), item.get("q"), item.get("why") or item.get("reason")]
        table.add_row(*(clean(str(each or "")) for each in row))
    views.console().print(table)


def show(
    operation: Id, *, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None
) -> None:
    """Show one operation with its progress."""
    with Api(url, token) as api:
        answer = api.get(f"{_PATH}/{segment(operation)}")
    _print(answer.body, answer.json(), as_json=as_json)


def results(
    operation: Id,
    *,
    outcome: Annotated[
        str | None, typer.Option(help="Only these, such as failed,ended or skipped.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write what became of each delivery, one JSON object a line."""
    query = {"limit": _PAGE, "outcome": outcome}
    with Api(url, token) as api:
        for page in api.pages(f"{_PATH}/{segment(operation)}/results", query):
            sys.stdout.writelines(bytes(each).decode() + "\n" for each in page.items)


def _on_operation(verb: str) -> Callable[..., None]:
    def command(
        operation: Id, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None
    ) -> None:
        with Api(url, token) as api:
            answer = api.post(f"{_PATH}/{segment(operation)}/{verb}", {"reason": reason})
        _print(answer.body, answer.json(), as_json=False)

    return command


def _print(body: bytes, item: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(body.decode() + "\n")
        return
    line = f"{item.get('id')}: {item.get('kind')} {item.get('state')}, {_progress(item)}"
    why = item.get("why")
    views.console().print(clean(f"{line}; {why}" if why else line), markup=False)
    for reason, count in (item.get("skips") or {}).items():
        views.console().print(clean(f"  skipped {reason}: {count:,}"), markup=False)


def _progress(item: dict[str, Any]) -> str:
    """Say how far an operation is."""
    words = "at least " if item.get("at_least") else ""
    parts = [f"{item.get('changed', 0):,} of {words}{item.get('expected', 0):,} changed"]
    names = ("waiting", "delivered", "failed", "skipped", "undone", "kept")
    parts += [f"{item[name]:,} {name}" for name in names if item.get(name)]
    return ", ".join(parts)
