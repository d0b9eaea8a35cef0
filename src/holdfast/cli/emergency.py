"""Break-glass: `elevate`, `lower`, and `emergency`, which does both around one recovery (S1.36)."""

import sys
from typing import Annotated, Any

import typer

from holdfast.cli import show as views
from holdfast.cli.acting import Recipient, told
from holdfast.cli.client import DEFAULT_URL, Api, segment
from holdfast.cli.complaint import USAGE, Complaint
from holdfast.cli.options import Json, Reason, Token, Url
from holdfast.cli.spans import instant_ms, iso
from holdfast.clock import SystemClock
from holdfast.demo.words import clean

_PATH = "/v1/elevation"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("emergency")(emergency)
    app.command("elevate")(elevate)
    app.command("lower")(lower)


def elevate(
    *,
    reason: Reason,
    minutes: Annotated[int, typer.Option(min=1, max=60, help="For how long.")] = 15,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Raise the token's owner for some minutes, so that it may act in an emergency."""
    with Api(url, token) as api:
        until = api.post(_PATH, {"reason": reason, "minutes": minutes}).json().get("until")
    views.console().print(f"raised until {views.when(until)}; end it with: holdfast lower")


def lower(*, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Be as before `elevate`, at once."""
    with Api(url, token) as api:
        api.delete(_PATH)
    views.console().print("as before")


def emergency(  # each is an option of the command
    recipient: Recipient,
    *,
    reason: Reason,
    since: Annotated[
        str | None, typer.Option(help="Only accepted from then on: 2h, 7d, or an instant.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only accepted before then: 2h, 7d, or an instant.")
    ] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="NAME", help="The recipient's name again; else asked.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Sign in as this user, not with a token.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin, do not ask.")
    ] = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Lift pause, hold and breaker of a lane, and send again all that is dead or waits.

    Raises you for it and lowers you after it; both are lines of the audit journal. Consents,
    regions, rules and the lane's pace still hold.
    """
    if user is not None and token is not None:
        raise Complaint("--user: a token says who you are already; give one of both", USAGE)
    body = {"reason": reason, **_span(since, until), "confirm": _confirmed(recipient, confirm)}
    password = None if user is None else _password(stdin=password_stdin)
    with Api(url, token) as api:
        if user is not None and password is not None:
            api.sign_in(user, password)
        try:
            api.post(_PATH, {"reason": reason, "minutes": 1, "password": password})
            try:
                answer = api.post(f"/v1/recipients/{segment(recipient)}/emergency", body)
                _show(answer.body, answer.json(), as_json=as_json)
            finally:
                api.delete(_PATH)
        finally:
            if user is not None:
                api.delete("/v1/session")


def _span(since: str | None, until: str | None) -> dict[str, str | None]:
    now = SystemClock().now()
    return {
        name: None if text is None else iso(instant_ms(f"--{name}", text, now, past=True))
        for name, text in (("since", since), ("until", until))
    }


def _confirmed(recipient: str, given: str | None) -> str:
    if given is None:
        given = typer.prompt(f"Everything that holds {recipient} is lifted. Type its name")
    if given != recipient:
        raise Complaint(f"--confirm: {given!r} is not {recipient!r}; nothing was done", USAGE)
    return given


def _password(*, stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = typer.prompt("Password", hide_input=True)
    return asked


def _show(body: bytes, item: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(body.decode() + "\n")
        return
    console = views.console()
    console.print(told(item.get("recipient", {})), markup=False)
    for one in item.get("operations", ()):
        words = "at least " if one.get("at_least") else ""
        line = f"{one.get('kind')} {one.get('state')}, {words}{one.get('expected', 0):,} deliveries"
        console.print(clean(f"{one.get('id')}: {line}"), markup=False)
    console.print("follow them with: holdfast operations show ID")
