"""Commands that show the whole: `overview`, `critical`, `workers`, `policy`."""

import sys
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Api, segment
from holdfast.cli.options import Json, Token, Url
from holdfast.clock import SystemClock
from holdfast.demo.answers import instant
from holdfast.demo.words import clean, span

_LOAD: Final = ("under way", "of", "slots", "lanes", "share", "cpu", "memory", "lease")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("overview")(overview)
    app.command("critical")(critical)
    app.command("workers")(workers)
    app.command("policy")(policy)


def overview(*, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show how everything does: now, and over the last 1, 5, 15 and 60 minutes."""
    with Api(url, token) as api:
        answer = api.get("/v1/overview")
    if as_json:
        _raw(answer.body)
        return
    found = answer.json()
    console = views.console()
    lanes = ", ".join(f"{count} {name}" for name, count in found["lanes"].items() if count)
    console.print(
        f"{found['depth']:,} waiting, {found['active']:,} under way; lanes: {lanes or 'none'}",
        markup=False,
    )
    for one in found["workers"]:
        if said := _spool(one.get("spool")):
            console.print(said, markup=False)
    if found["windows"]:  # of one account there are none
        console.print(_windows(found["windows"]))


def critical(
    *,
    priority: Annotated[
        int | None,
        typer.Option(min=0, max=9, help="From which on; default: engine.critical_priority."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List urgent deliveries that fail: dead, or pending after a failure; the most urgent first."""
    query: dict[str, str | int | None] = {"priority": priority, "limit": limit}
    with Api(url, token) as api:
        answer = api.get("/v1/deliveries/critical", query)
    if as_json:
        _raw(answer.body)
        return
    found = answer.json()
    console = views.console()
    least = "at least " if found["at_least"] else ""
    told = f"{least}{found['count']:,} of priority {found['priority']} or above fail"
    console.print(told, markup=False)
    console.print(views.deliveries(found["items"], SystemClock().now(), console.width))


def _spool(found: dict[str, Any] | None) -> str:
    """Say what of the spool a person should know; nothing when there is nothing."""
    if found is None:
        return ""
    said = []
    if found["messages"]:
        since, size, most = (views.when(found["since"]), *_sizes(found))
        said.append(
            f"{found['messages']:,} messages in the spool since {since} ({size} of {most} MiB)"
        )
    if found["refusal"]:
        said.append(f"the spool takes nothing: {clean(found['refusal'])}")
    if found["kept"]:
        said.append(f"{found['kept']} files of the spool could not be read or were refused")
    if found["on"]:
        return "; ".join(["the store is away", *said])
    return "; ".join(said)


def _sizes(found: dict[str, Any]) -> tuple[str, str]:
    """Return how much the spool holds and how much it may, in MiB."""
    return f"{found['bytes'] / 2**20:,.1f}", f"{found['limit_bytes'] / 2**20:,.1f}"


def _windows(windows: list[dict[str, Any]]) -> Table:
    table = _table("minutes", "accepted", "tries", "succeeded", "median", "95 of 100 below")
    for one in windows:
        tries, good = one["tries"], one["successes"]
        table.add_row(
            str(one["minutes"]),
            f"{one['accepted']:,}",
            f"{tries:,}",
            f"{good / tries:.1%}" if tries else "-",
            *(_ms(one[name]) for name in ("p50_ms", "p95_ms")),
        )
    return table


def workers(*, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List all workers: leases, lanes, and how many of them each should have."""
    with Api(url, token) as api:
        answer = api.get("/v1/workers")
    if as_json:
        _raw(answer.body)
        return
    now = SystemClock().now()
    table = _table(
        "worker", "epoch", "host", "pid", "version", "config", "since", *_LOAD, "held by"
    )
    for one in answer.json()["items"]:
        load = one["load"] or {}
        table.add_row(
            clean(one["name"]),
            str(one["epoch"]),
            clean(one["host"]),
            str(one["pid"]),
            clean(one["version"]),
            str(one["configuration"] or "-"),
            views.when(one["started_at"]),
            *(f"{one[name]:,}" for name in ("in_flight", "open_slots", "slots", "lanes", "share")),
            *(f"{load[name]:.0%}" if load else "-" for name in ("cpu", "memory")),
            _lease(one, now),
            clean(load.get("held") or "-"),
        )
    console = views.console()
    console.print(table)
    if differ := apart(answer.json()["items"]):
        console.print(": ".join(differ), markup=False)
    for one in answer.json()["items"]:
        if spool := (one["load"] or {}).get("spool"):
            most = _sizes(spool)[1]
            said = _spool(spool) or f"nothing in the spool, which takes {most} MiB"
            console.print(f"{clean(one['name'])}: {said}", markup=False)


def apart(workers: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Tell which versions of the configuration workers started with, if several, and what to do."""
    known = sorted({one["configuration"] for one in workers} - {0})
    if len(known) < 2:
        return None
    numbers = f"{', '.join(map(str, known[:-1]))} and {known[-1]}"
    advice = f"holdfast config diff {known[-1]} --against {known[0]}, then restart the older ones"
    return f"workers started with versions {numbers} of the configuration", advice


def _lease(item: dict[str, Any], now: int) -> str:
    """Say how a worker's lease stands."""
    end = instant(item.get("lease_until"))
    if end is None:
        return "owns everything"
    leaving = "leaving, " if item.get("leaving") else ""
    return f"{leaving}{span(end - now)} left" if end > now else "not heard of in time"


def policy(
    flow: Annotated[str, typer.Argument(help="Name of a flow.")],
    *,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show what holds for each step of a flow: every field, where it comes from, the schedule."""
    with Api(url, token) as api:
        answer = api.get(f"/v1/flows/{segment(flow)}")
    if as_json:
        _raw(answer.body)
        return
    console = views.console()
    for step in answer.json()["steps"]:
        console.print(f"{clean(step['step'])} to {clean(step['recipient'])}", markup=False)
        settings = _table("field", "value", "comes from")
        origin = step["policy"].pop("origin")
        for name, value in step["policy"].items():
            if name in origin:
                settings.add_row(name, clean(value, 60), clean(origin[name]))
        console.print(settings)
        schedule = _table("retry", "after", "starts")
        for one in step["schedule"]:
            schedule.add_row(
                str(one["retry"]),
                f"{span(one['low_ms'])} to {span(one['high_ms'])}",
                f"{span(one['earliest_ms'])} to {span(one['latest_ms'])}",
            )
        console.print(schedule)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _raw(body: bytes) -> None:
    sys.stdout.write(body.decode().rstrip("\n") + "\n")
