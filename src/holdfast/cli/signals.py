"""Commands about numbers from outside that rules can use (S1.95)."""

import sys
from typing import Annotated

import msgspec
import typer

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Api, segment
from holdfast.cli.options import Json, Reason, Token, Url
from holdfast.demo.words import clean


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("signals")(signals)
    app.command("signal", context_settings={"ignore_unknown_options": True})(signal)


def signals(*, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List the numbers from outside that rules can use."""
    with Api(url, token) as api:
        answer = api.get("/v1/signals")
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    console = views.console()
    for raw in answer.page().items:
        item = msgspec.json.decode(raw)
        line = f"{clean(item.get('name'))} = {item.get('value')}, set {views.when(item.get('at'))}"
        console.print(f"{line} by {clean(item.get('actor'))}", markup=False)


def signal(
    name: Annotated[str, typer.Argument(help="Such as market.index.")],
    value: Annotated[float, typer.Argument(help="The number.")],
    *,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Set a number from outside; rules see it from the next decision on."""
    with Api(url, token) as api:
        body = {"value": value, "reason": reason}
        item = api.put(f"/v1/signals/{segment(name)}", body).json()
    views.console().print(f"{clean(item.get('name'))} = {item.get('value')}", markup=False)
