"""Commands that show the whole: `overview`, `workers`, `policy`."""

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
    console.print(_windows(found["windows"]))


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
    table = _table("worker", "epoch", "host", "pid", "version", "since", *_LOAD, "held by")
    for one in answer.json()["items"]:
        load = one["load"] or {}
        table.add_row(
            clean(one["name"]),
            str(one["epoch"]),
            clean(one["host"]),
            str(one["pid"]),
            clean(one["version"]),
            views.when(one["started_at"]),
            *(f"{one[name]:,}" for name in ("in_flight", "open_slots", "slots", "lanes", "share")),
            *(f"{load[name]:.0%}" if load else "-" for name in ("cpu", "memory")),
            _lease(one, now),
            clean(load.get("held") or "-"),
        )
    views.console().print(table)


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
