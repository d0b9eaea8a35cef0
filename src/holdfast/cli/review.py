"""The review queue: `review ls`, `assign`, `edit`, `lineage`, `payload`."""

import sys
from typing import Annotated, Any, Final

import msgspec
import typer

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Api, segment
from holdfast.cli.complaint import USAGE, Complaint
from holdfast.cli.given import json_of, raw_json
from holdfast.cli.options import Json, Reason, Token, Url
from holdfast.clock import SystemClock
from holdfast.demo.words import clean

_PATH: Final = "/v1/deliveries"

Id = Annotated[str, typer.Argument(metavar="ID", help="The delivery, dlv_...")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="review",
        help="Dead deliveries in your hands: whose they are, and what is sent instead.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("ls")(ls)
    group.command("assign")(assign)
    group.command("edit")(edit)
    group.command("lineage")(lineage)
    group.command("payload")(payload)
    app.add_typer(group)


def ls(
    search: Annotated[
        list[str] | None, typer.Argument(metavar="SEARCH...", help="Such as: group:g1_...")
    ] = None,
    *,
    assignee: Annotated[str | None, typer.Option(help="Whose; nobody: nobody's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show the review queue: how much is whose and of which group, and the newest."""
    query: dict[str, str | int | None] = {
        "q": " ".join(search or ()) or None,
        "assignee": assignee,
        "limit": limit,
    }
    with Api(url, token) as api:
        answer = api.get("/v1/review", query)
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    item = answer.json()
    console = views.console()
    console.print(f"{item.get('dead', 0):,} dead, {item.get('unassigned', 0):,} nobody's")
    for each in item.get("assignees", ()):
        told = f"  {each.get('assignee')}: {each.get('count', 0):,}, {each.get('value', 0):,.2f}"
        console.print(clean(told), markup=False)
    for each in item.get("groups", ()):
        names = ("id", "recipient", "failure_class", "code", "template")
        words = " ".join(str(each.get(name, "")) for name in names)
        console.print(clean(f"  {each.get('count', 0):,} in {words}", 300), markup=False)
    console.print(views.deliveries(item.get("items", []), SystemClock().now(), console.width))


def assign(
    delivery: Id,
    assignee: Annotated[
        str | None, typer.Argument(help="Who looks at it; leave out: nobody.")
    ] = None,
    *,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Give a dead delivery to somebody to look at."""
    body = {"reason": reason, "assignee": assignee}
    with Api(url, token) as api:
        item = api.post(f"{_PATH}/{segment(delivery)}/assign", body).json()
    whose = item.get("assignee") or "nobody"
    views.console().print(clean(f"{delivery}: {whose} looks at it"), markup=False)


def edit(  # each is an option of the command
    delivery: Id,
    *,
    reason: Reason,
    patch: Annotated[
        str | None, typer.Option(help='JSON Merge Patch: \'{"zip": "10115"}\', or @FILE.')
    ] = None,
    payload: Annotated[str | None, typer.Option(help="The whole payload: JSON, or @FILE.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Endpoint for the child.")] = None,
    policy: Annotated[str | None, typer.Option(help="Policy for the child, as JSON.")] = None,
    even_if_in_doubt: Annotated[
        bool, typer.Option("--even-if-in-doubt", help="Also when the old one may have arrived.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what differs.")] = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Send another payload in the place of a dead delivery, as its child."""
    if (patch is None) == (payload is None):
        raise Complaint("give either --patch or --payload", USAGE)
    body: dict[str, Any] = {
        "reason": reason,
        "patch": None if patch is None else raw_json("--patch", patch),
        "payload": None if payload is None else raw_json("--payload", payload),
        "endpoint": endpoint,
        "policy": None if policy is None else json_of("--policy", policy),
        "even_if_in_doubt": even_if_in_doubt,
        "dry_run": dry_run,
    }
    with Api(url, token) as api:
        answer = api.post(f"{_PATH}/{segment(delivery)}/edit", body)
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    item = answer.json()
    child = (item.get("child") or {}).get("id")
    told = f"{delivery}: {f'{child} takes its place' if child else 'nothing is sent'}"
    views.console().print(clean(told), markup=False)
    _changes(item)


def lineage(
    delivery: Id, *, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None
) -> None:
    """Show where a delivery comes from, what took its place, and what differs."""
    with Api(url, token) as api:
        answer = api.get(f"{_PATH}/{segment(delivery)}/lineage")
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    item = answer.json()
    console = views.console()
    for name in ("ancestors", "children"):
        for each in item.get(name, ()):
            told = f"{name}: {each.get('id')} {each.get('status')} {each.get('code') or ''}"
            console.print(clean(told).rstrip(), markup=False)
    _changes(item)


def payload(delivery: Id, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Write the payload of a delivery, masked as its flow says; that you saw it is kept."""
    with Api(url, token) as api:
        answer = api.post(f"{_PATH}/{segment(delivery)}/payload", {"reason": reason})
    shown = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
    sys.stdout.write(bytes(shown.get("payload", msgspec.Raw(b"null"))).decode() + "\n")


def _changes(item: dict[str, Any]) -> None:
    for each in item.get("changes") or ():
        told = f"  {each.get('change')} {each.get('pointer') or '/'}"
        views.console().print(clean(told, 300), markup=False)
