"""Commands that change something; each needs a reason, which the audit journal keeps."""

import hashlib
import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Answer, Api, segment
from holdfast.cli.complaint import REFUSED, Complaint
from holdfast.cli.given import content, json_of
from holdfast.cli.options import Ids, Json, Reason, Token, Url
from holdfast.cli.spans import instant_ms, iso, span_ms
from holdfast.clock import SystemClock
from holdfast.demo.answers import lane
from holdfast.demo.words import clean, waits

Recipient = Annotated[str, typer.Argument(metavar="RECIPIENT", help="The recipient's name.")]


class Move(StrEnum):
    """What a person can do to a breaker."""

    OPEN = "open"
    RESET = "reset"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for verb, text in (
        ("cancel", "Stop waiting deliveries for good."),
        ("discard", "Take dead deliveries out of review."),
        ("undo", "Bring discarded deliveries back into review."),
    ):
        app.command(verb, help=text)(_on_deliveries(verb))
    app.command("redrive")(redrive)
    app.command("prove")(prove)
    app.command("reschedule")(reschedule)
    app.command("replay")(replay)
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("breaker")(breaker)
    app.command("purge")(purge)


def _on_deliveries(verb: str) -> Callable[..., None]:
    def command(ids: Ids, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None) -> None:
        with Api(url, token) as api:
            _each(_listed(ids), lambda name: _act(api, name, verb, {"reason": reason}))

    return command


def redrive(
    ids: Ids,
    *,
    reason: Reason,
    endpoint: Annotated[
        str | None, typer.Option(help="Name of the recipient's endpoint to use for these.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Policy for these, as JSON: '{\"max_retries\": 1}'.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Return dead deliveries to their lanes, with fresh retries."""
    settings = None if policy is None else json_of("--policy", policy)
    body = {"reason": reason, "endpoint": endpoint, "policy": settings}
    with Api(url, token) as api:
        _each(_listed(ids), lambda name: _act(api, name, "redrive", body))


def prove(
    ids: Ids,
    *,
    reason: Reason,
    reference: Annotated[str | None, typer.Option(help="The partner's id for it.")] = None,
    proof: Annotated[str | None, typer.Option(help="What was seen, and where.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="What shows it: its name and digest are kept.")
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Mark dead deliveries delivered by hand, with what shows that they are."""
    body: dict[str, Any] = {"reason": reason, "reference": reference, "proof": proof}
    if file is not None:
        body |= {"file": file.name, "sha256": hashlib.sha256(content("--file", file)).hexdigest()}
    with Api(url, token) as api:
        _each(_listed(ids), lambda name: _act(api, name, "prove", body))


def reschedule(
    ids: Ids,
    *,
    at: Annotated[str, typer.Option(help="When: 15m, 2h, or 2026-01-31T08:00:00Z.")],
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Choose the earliest next send of waiting deliveries."""
    moment = iso(instant_ms("--at", at, SystemClock().now(), past=False))
    with Api(url, token) as api:
        body = {"at": moment, "reason": reason}
        _each(_listed(ids), lambda name: _act(api, name, "reschedule", body))


def replay(
    ids: Annotated[list[str], typer.Argument(metavar="MESSAGE_ID", help="Messages, msg_...")],
    *,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Make new deliveries from old messages."""
    with Api(url, token) as api:

        def one(name: str) -> str:
            path = f"/v1/messages/{segment(name)}/replay"
            receipt = api.post(path, {"reason": reason}).json()
            made = ", ".join(str(item["id"]) for item in receipt.get("deliveries", ()))
            return f"{receipt.get('message_id')}: {made}"

        _each(_listed(ids), one)


def pause(
    recipient: Recipient, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None
) -> None:
    """Hold a recipient's lane; intake goes on."""
    with Api(url, token) as api:
        _lane(api.post(f"/v1/recipients/{segment(recipient)}/pause", {"reason": reason}))


def resume(
    recipient: Recipient, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None
) -> None:
    """Let a paused lane go on; also clears a hold after refused credentials."""
    with Api(url, token) as api:
        _lane(api.post(f"/v1/recipients/{segment(recipient)}/resume", {"reason": reason}))


def breaker(  # each is an option of the command
    recipient: Recipient,
    move: Annotated[Move | None, typer.Argument(help="Leave out to look.")] = None,
    *,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why (to open or reset).")] = "",
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show a recipient's breaker, hold it open, or reset it."""
    path = f"/v1/recipients/{segment(recipient)}/breaker"
    with Api(url, token) as api:
        body = {"reason": reason}
        answer = api.get(path) if move is None else api.post(f"{path}/{move}", body)
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
    else:
        _lane(answer)


def purge(
    *,
    older_than: Annotated[str, typer.Option(help="Age of what may go: 7d, 12h.")],
    reason: Reason,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Remove payloads of messages that ended longer ago; never of what still waits."""
    age = span_ms("--older-than", older_than)
    if not yes:
        what = f"the payloads of what ended more than {older_than} ago"
        typer.confirm(f"Remove {what}? It cannot be undone", abort=True)
    with Api(url, token) as api:
        gone = api.post("/v1/purge", {"older_than_ms": age, "reason": reason}).json()
    views.console().print(", ".join(f"{count:,} {name}" for name, count in gone.items()))


def _listed(ids: Iterable[str]) -> list[str]:
    """Return the ids; `-` stands for those on stdin, one a line."""
    return [
        name for given in ids for name in (sys.stdin.read().split() if given == "-" else [given])
    ]


def _act(api: Api, name: str, verb: str, body: dict[str, Any]) -> str:
    item = api.post(f"/v1/deliveries/{segment(name)}/{verb}", body).json()
    return f"{name}: {item.get('status', 'done')}"


def _each(names: list[str], act: Callable[[str], str]) -> None:
    """Act on one after the other; a refusal does not stop the rest but decides the exit code."""
    console = views.console()
    refused = 0
    for name in names:
        try:
            console.print(clean(act(name)), markup=False)
        except Complaint as complaint:
            if complaint.exit_code != REFUSED or len(names) == 1:
                raise
            refused += 1
            console.print(f"{clean(name)}: refused: {complaint}", markup=False)
    if refused:
        raise Complaint(f"{refused:,} of {len(names):,} were refused", REFUSED)


def _lane(answer: Answer) -> None:
    views.console().print(told(answer.json()), markup=False)


def told(item: dict[str, Any]) -> str:
    """Return how a lane stands, in a line."""
    seen = lane(item)
    parts = [f"breaker {seen.breaker.replace('_', ' ')}"]
    parts += [f"{seen.pending:,} waiting"] if "pending" in item else []
    parts += [halted] if (halted := waits(seen, SystemClock().now())) else []
    return f"{clean(seen.recipient)}: {', '.join(parts)}"
