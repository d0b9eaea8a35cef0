"""Failure groups: `groups ls`, `alerts`, `show`, `assign`, `resolve`, `judge`, ..."""

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Api, segment
from holdfast.cli.options import Json, Reason, Token, Url
from holdfast.cli.spans import instant_ms, iso
from holdfast.clock import SystemClock
from holdfast.demo.words import clean
from holdfast.model.group import Cause, GroupBy, GroupSort, Lookback
from holdfast.model.judgement import Nature

_PATH: Final = "/v1/groups"
_BARS: Final = " ▁▂▃▄▅▆▇█"

Id = Annotated[str, typer.Argument(metavar="ID", help="The group, g1_...")]


class Word(StrEnum):
    """What can be said of a group's failures."""

    TEMPORARY = Nature.TEMPORARY
    PERMANENT = Nature.PERMANENT
    NONE = "none"


class Behind(StrEnum):
    """What can be said to lie behind a group."""

    CONNECTION = Cause.CONNECTION
    AUTH = Cause.AUTH
    DATA = Cause.DATA
    SYSTEM = Cause.SYSTEM
    BUSINESS = Cause.BUSINESS
    PERFORMANCE = Cause.PERFORMANCE
    PHYSICAL = Cause.PHYSICAL
    SECURITY = Cause.SECURITY
    CONFIGURATION = Cause.CONFIGURATION
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="groups",
        help="What fails the same way: how much, since when, whose it is.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("ls")(ls)
    group.command("alerts")(alerts)
    group.command("show")(show)
    group.command("assign")(assign)
    group.command("ignore")(ignore)
    group.command("judge")(judge)
    group.command("attribute")(attribute)
    for verb, text in (
        ("resolve", "Say that the cause is gone; a later failure of the kind reopens it."),
        ("reopen", "Say that a group needs somebody again."),
    ):
        group.command(verb, help=text)(_on_group(verb))
    app.add_typer(group)


def ls(  # each is an option of the command
    search: Annotated[
        list[str] | None, typer.Argument(metavar="SEARCH...", help="Such as: recipient:acme")
    ] = None,
    *,
    by: Annotated[GroupBy, typer.Option(help="What makes one line.")] = GroupBy.FINGERPRINT,
    status: Annotated[
        str | None, typer.Option(help="open,regressed,ignored,resolved; the first two.")
    ] = None,
    sort: Annotated[GroupSort, typer.Option(help="What comes first.")] = GroupSort.SEEN,
    window: Annotated[Lookback, typer.Option(help="How far the bars look back.")] = Lookback.DAY,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List failure groups that match a search, seen last first."""
    query: dict[str, str | int | None] = {
        "q": " ".join(search or ()) or None,
        "by": by,
        "status": status,
        "sort": sort,
        "window": window,
        "limit": limit,
    }
    with Api(url, token) as api:
        answer = api.get(_PATH, query)
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("group", "status", "dead", "pending", "value", "last seen", window, "why"):
        right = name in {"dead", "pending", "value"}
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "why")
    for item in answer.json().get("items", ()):
        table.add_row(*(clean(each) for each in _row(item)))
    views.console().print(table)


def alerts(
    *,
    window: Annotated[Lookback, typer.Option(help="How far back.")] = Lookback.DAY,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 20,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List groups that are new, or were resolved and came back, the newest first."""
    with Api(url, token) as api:
        answer = api.get(f"{_PATH}/alerts", {"window": window, "limit": limit})
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    found = answer.json()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("group", "since", "", "dead", "pending", "why"):
        right = name in {"dead", "pending"}
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "why")
    for item in found.get("items", ()):
        cells = (item.get("group"), views.when(item.get("at")), item.get("kind"))
        table.add_row(*(clean(each) for each in (*cells, *_fails(item), _why(item))))
    console = views.console()
    console.print(table)
    if found.get("at_least"):
        console.print("there may be older ones", markup=False)


def _why(item: dict[str, Any]) -> str:
    """Say where it fails, and how."""
    parts = ("recipient", "failure_class", "code", "template")
    return " ".join(str(item[name]) for name in parts if item.get(name))


def _fails(item: dict[str, Any]) -> tuple[str, str]:
    """Return how many are dead and how many wait for another try."""
    more = "+" if item.get("at_least") else ""
    return f"{item.get('dead', 0):,}{more}", f"{item.get('pending', 0):,}{more}"


def _row(item: dict[str, Any]) -> list[str]:
    owner = f" ({item['owner']})" if item.get("owner") else ""
    word = f", {item['nature']}" if item.get("nature") else ""
    return [
        str(item.get("id") or item.get("key")),
        f"{item.get('status')}{word}{owner}",
        *_fails(item),
        f"{item.get('value_at_risk', 0):,.2f}",
        views.when(item.get("last_seen_at")),
        bars(item.get("spark", ())),
        _why(item),
    ]


def bars(spark: list[int]) -> str:
    """Return numbers as bars of eight heights; none is a space."""
    most = max(spark, default=0)
    last = len(_BARS) - 1
    return "".join(_BARS[-(-each * last // most)] if most else " " for each in spark)


def show(group: Id, *, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show one group: why it is one, samples, and who changed it and why."""
    with Api(url, token) as api:
        answer = api.get(f"{_PATH}/{segment(group)}")
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    item = answer.json()
    console = views.console()
    _print(item.get("group", {}))
    line = item.get("line", {})
    told = f"{line.get('dead', 0):,} dead, {line.get('pending', 0):,} pending"
    console.print(f"  {told}, at risk {line.get('value_at_risk', 0):,.2f}", markup=False)
    seen = [views.when(line.get(name)) for name in ("first_seen_at", "last_seen_at")]
    console.print(f"  seen {seen[0]} to {seen[1]}, {line.get('failures', 0):,} failed tries")
    if ended := line.get("recovered", 0) + line.get("lost", 0):
        word = f": looks {line['presumed']}" if line.get("presumed") else ""
        found = f"  {line['recovered']:,} of {ended:,} that ended recovered by themselves{word}"
        console.print(found, markup=False)
    for name, value in item.get("explanation", {}).items():
        if name != "text":
            console.print(clean(f"  {name:14} {value}"), markup=False)
    console.print(views.deliveries(item.get("samples", []), SystemClock().now(), console.width))
    for each in item.get("history", ()):
        words = " ".join(str(each.get(name, "")) for name in ("actor", "action"))
        told = f"{views.when(each.get('at'))}  {words}: {each.get('reason', '')}"
        console.print(clean(told, 400), markup=False)


def assign(
    group: Id,
    owner: Annotated[str | None, typer.Argument(help="Whose it is; leave out: nobody's.")] = None,
    *,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Give a group to somebody."""
    with Api(url, token) as api:
        body = {"reason": reason, "owner": owner}
        _print(api.post(f"{_PATH}/{segment(group)}/assign", body).json())


def ignore(
    group: Id,
    *,
    reason: Reason,
    until: Annotated[str | None, typer.Option(help="Until when: 2h, 7d, an instant.")] = None,
    failures: Annotated[
        int | None, typer.Option(min=1, help="Until so many further tries have failed.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Leave a group out of the open ones, for a time, a number of failures, or for good."""
    moment = (
        None if until is None else instant_ms("--until", until, SystemClock().now(), past=False)
    )
    body = {
        "reason": reason,
        "until": None if moment is None else iso(moment),
        "failures": failures,
    }
    with Api(url, token) as api:
        _print(api.post(f"{_PATH}/{segment(group)}/ignore", body).json())


def judge(
    group: Id,
    nature: Annotated[Word, typer.Argument(help="What its failures are; none: take it back.")],
    *,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Say that its failures pass or do not, whatever the rules say."""
    with Api(url, token) as api:
        said = msgspec.Raw(b"null") if nature is Word.NONE else nature  # it must be said
        body = {"reason": reason, "nature": said}
        _print(api.post(f"{_PATH}/{segment(group)}/judge", body).json())


def attribute(
    group: Id,
    cause: Annotated[Behind, typer.Argument(help="What lies behind it; none: its class says it.")],
    *,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Say what lies behind it, whatever its class suggests."""
    with Api(url, token) as api:
        said = msgspec.Raw(b"null") if cause is Behind.NONE else cause  # it must be said
        body = {"reason": reason, "cause": said}
        _print(api.post(f"{_PATH}/{segment(group)}/attribute", body).json())


def _on_group(verb: str) -> Callable[..., None]:
    def command(group: Id, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None) -> None:
        with Api(url, token) as api:
            _print(api.post(f"{_PATH}/{segment(group)}/{verb}", {"reason": reason}).json())

    return command


def _print(item: dict[str, Any]) -> None:
    owner = f", owner {item['owner']}" if item.get("owner") else ""
    why = f"; {item['changed_by']}: {item['why']}" if item.get("why") else ""
    word = f", judged {item['nature']} by {item['judged_by']}" if item.get("nature") else ""
    line = f"{item.get('id')}: {item.get('status')}{owner}{word}{why}"
    console = views.console()
    console.print(clean(line, 400), markup=False)
    by = f"by {item['caused_by']}'s word" if item.get("caused_by") else "as its class suggests"
    console.print(clean(f"  cause {item.get('cause')}, {by}{_held(item)}"), markup=False)


def _held(item: dict[str, Any]) -> str:
    """Say how often its resolutions held, where there were any."""
    resolved = item.get("resolutions", 0)
    came_back = item.get("regressions", 0)
    return f"; resolved {resolved} times, came back {came_back}" if resolved else ""
