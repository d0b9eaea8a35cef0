"""Commands that read: `ls`, `show`, `recipients`, `events`."""

import sys
import threading
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Api, Page, Query, segment
from holdfast.cli.options import Json, Token, Url
from holdfast.cli.spans import instant_ms, iso
from holdfast.clock import SystemClock
from holdfast.model.delivery import Status

_PAGE_MAX: Final = 1000
_FOLLOW_SECONDS: Final = 0.5
_KINDS: Final = {"dlv_": "deliveries", "msg_": "messages"}
"""What an id's first letters say that it names; everything else is a recipient."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ls")(ls)
    app.command("show")(show)
    app.command("recipients")(recipients)
    app.command("events")(events)


def ls(  # noqa: PLR0913  # each is an option of the command
    search: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SEARCH]...", help="Such as: status:dead class:timeout age:>1h"),
    ] = None,
    *,
    status: Annotated[Status | None, typer.Option(help="Where deliveries stand.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Only this recipient's.")] = None,
    flow: Annotated[str | None, typer.Option(help="Only this flow's.")] = None,
    failure_class: Annotated[str | None, typer.Option(help="Class of the last failure.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Accepted since: 15m, 2h, 7d, or an instant.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="All of them, page by page.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the ids.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Only how many.")] = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List deliveries, newest first; SEARCH as in docs/howto/search-deliveries.md."""
    now = SystemClock().now()
    query: Query = {
        "q": " ".join(search) if search else None,
        "status": status,
        "recipient": recipient,
        "flow": flow,
        "failure_class": failure_class,
        "since": iso(instant_ms("--since", since, now, past=True)) if since else None,
    }
    if count:
        _counted(query, url, token, as_json=as_json)
        return
    query = {**query, "limit": _PAGE_MAX if everything else min(limit, _PAGE_MAX)}
    with Api(url, token) as api:
        if as_json and not everything and limit <= _PAGE_MAX:
            _raw(api.get("/v1/deliveries", query).body)
            return
        found = _collect(api, query, None if everything else limit)
    if as_json:
        _raw(msgspec.json.encode(found))
        return
    items = [msgspec.json.decode(item) for item in found.items]
    if quiet:
        sys.stdout.writelines(f"{item['id']}\n" for item in items)
        return
    _listed(views.console(), items, more=found.next_cursor is not None, now=now)


def _counted(query: Query, url: str, token: str | None, *, as_json: bool) -> None:
    with Api(url, token) as api:
        answer = api.get("/v1/deliveries/count", query)
    if as_json:
        _raw(answer.body)
        return
    total = answer.json()
    words = "at least " if total.get("at_least") else ""
    views.console().print(f"{words}{total.get('count', 0):,}")


def _collect(api: Api, query: Query, limit: int | None) -> Page:
    """Read pages until `limit` items are there (None: to the end)."""
    items: list[msgspec.Raw] = []
    for page in api.pages("/v1/deliveries", query):
        items += page.items
        if limit is not None and len(items) >= limit:
            return Page(items[:limit], page.next_cursor)
    return Page(items)


def _listed(console: Console, items: list[dict[str, Any]], *, more: bool, now: int) -> None:
    if not items:
        console.print("No delivery matches.")
        return
    console.print(views.deliveries(items, now, console.width))
    if more:
        console.print(f"These are the newest {len(items):,}; --limit or --all shows more.")


def show(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="dlv_..., msg_..., or the name of a recipient.")
    ],
    *,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show a delivery with the timeline of its attempts, a message, or a recipient's lane."""
    now = SystemClock().now()
    name = segment(identity)
    kind = _KINDS.get(identity[:4], "recipients")
    console = views.console()
    with Api(url, token) as api:
        answer = api.get(f"/v1/{kind}/{name}")
        if as_json:
            _raw(answer.body)
            return
        item = answer.json()
        if kind == "messages":
            items = item.get("deliveries") or []
            console.print(views.message(item, items, now, console.width))
            return
        if kind == "recipients":
            console.print(views.recipient(item, now))
            return
        attempts = [
            msgspec.json.decode(raw)
            for page in api.pages(f"/v1/deliveries/{name}/attempts", {"limit": _PAGE_MAX})
            for raw in page.items
        ]
    attempts.sort(key=lambda attempt: attempt.get("position", 0))
    console.print(views.delivery(item, attempts, now))


def recipients(*, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List recipients with their lanes: breaker, what waits and why."""
    with Api(url, token) as api:
        answer = api.get("/v1/recipients")
    if as_json:
        _raw(answer.body)
        return
    items = [msgspec.json.decode(item) for item in answer.page().items]
    views.console().print(views.lanes(items, SystemClock().now()))


def events(  # each is an option of the command
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    since: Annotated[str | None, typer.Option(help="Tried since: 15m, 2h, or an instant.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_PAGE_MAX, help="How many at first.")] = 20,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show retry events in the order they were written; --json is one object a line with -f."""
    now = SystemClock().now()
    start = iso(instant_ms("--since", since, now, past=True)) if since else None
    with Api(url, token) as api:
        answer = api.get("/v1/events", {"limit": limit, "start": start})
        if as_json and not follow:
            _raw(answer.body)
            return
        items = answer.page().items[::-1]
        if follow and not items:  # else following would begin with the first event of all
            newest = api.get("/v1/events", {"limit": 1}).page().items
            position = max((msgspec.json.decode(raw)["position"] for raw in newest), default=0)
        else:
            position = _told(items, 0, as_json=as_json)
        while follow:
            try:
                threading.Event().wait(_FOLLOW_SECONDS)
            except KeyboardInterrupt:
                return
            query: Query = {"after_id": position, "limit": _PAGE_MAX}
            position = _told(api.get("/v1/events", query).page().items, position, as_json=as_json)


def _told(items: list[msgspec.Raw], position: int, *, as_json: bool) -> int:
    """Print events and return the position of the last one."""
    console = views.console()
    for raw in items:
        item = msgspec.json.decode(raw)
        position = max(position, item["position"])
        if as_json:
            _raw(bytes(raw))
        else:
            console.print(views.event(item), soft_wrap=True)
    sys.stdout.flush()
    return position


def _raw(body: bytes) -> None:
    sys.stdout.write(body.decode().rstrip("\n") + "\n")
