"""Commands for users and tokens."""

import sys
from typing import Annotated, Any

import typer

from holdfast.cli import show as views
from holdfast.cli.client import DEFAULT_URL, Answer, Api, segment
from holdfast.cli.options import Json, Reason, Token, Url
from holdfast.demo.words import clean
from holdfast.model.access import Permission, Role

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
Account = Annotated[
    str | None, typer.Option(help="The only account that it sees; without: all of them.")
]
Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin, do not ask.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    users = typer.Typer(help="People who sign in with a password.", no_args_is_help=True)
    users.command("ls")(list_users)
    users.command("add")(add_user)
    users.command("role")(role)
    users.command("password")(password)
    users.command("disable")(disable)
    users.command("enable")(enable)
    tokens = typer.Typer(help="Keys of programs.", no_args_is_help=True)
    tokens.command("ls")(list_tokens)
    tokens.command("add")(add_token)
    tokens.command("revoke")(revoke)
    app.add_typer(users, name="users")
    app.add_typer(tokens, name="tokens")


def list_users(*, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List the users with their roles."""
    with Api(url, token) as api:
        answer = api.get("/v1/users")
    _listed(answer, ("name", "role", "account", "disabled"), as_json=as_json)


def add_user(  # each is an option of the command
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="What it may do.")],
    account: Account = None,
    reason: Reason,
    password_stdin: Stdin = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Make a user; asks for the password."""
    body = {"name": name, "role": role, "account": account, "reason": reason}
    with Api(url, token) as api:
        api.post("/v1/users", body | {"password": _password(stdin=password_stdin)})
    _said(f"{name} may sign in as {role}")


def role(
    name: Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="The new role.")],
    *,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Give a user another role; its sessions end."""
    _act(name, "role", {"role": role, "reason": reason}, url, token)
    _said(f"{name} is {role} now")


def password(
    name: Name,
    *,
    reason: Reason,
    password_stdin: Stdin = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Give a user a new password; its sessions end."""
    body = {"password": _password(stdin=password_stdin), "reason": reason}
    _act(name, "password", body, url, token)
    _said(f"{name} has a new password")


def disable(name: Name, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Let a user in no more; its sessions end."""
    _act(name, "disable", {"reason": reason}, url, token)
    _said(f"{name} is disabled")


def enable(name: Name, *, reason: Reason, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Let a disabled user in again."""
    _act(name, "enable", {"reason": reason}, url, token)
    _said(f"{name} may sign in again")


def list_tokens(*, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """List the tokens, newest first; their secrets are kept nowhere."""
    with Api(url, token) as api:
        answer = api.get("/v1/tokens")
    fields = ("id", "name", "role", "only", "account", "expires_at", "revoked_at")
    _listed(answer, fields, as_json=as_json)


def add_token(  # each is an option of the command
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, for people.")],
    *,
    role: Annotated[Role, typer.Option(help="What it may do.")],
    only: Annotated[
        list[Permission] | None, typer.Option(help="Nothing but this of the role; repeat it.")
    ] = None,
    account: Account = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="How long it holds.")] = None,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Make a token; it is printed on stdout, this once."""
    body = {"name": name, "role": role, "only": only or [], "account": account}
    with Api(url, token) as api:
        made = api.post("/v1/tokens", body | {"days": days, "reason": reason}).json()
    sys.stdout.write(f"{made['secret']}\n")
    sys.stderr.write(f"{made['id']}: keep it; it is shown this once\n")


def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token, tok_...")],
    *,
    reason: Reason,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Let a token open nothing any more."""
    with Api(url, token) as api:
        api.post(f"/v1/tokens/{segment(token_id)}/revoke", {"reason": reason})
    _said(f"{token_id} is revoked")


def _act(name: str, verb: str, body: dict[str, Any], url: str, token: str | None) -> None:
    with Api(url, token) as api:
        api.post(f"/v1/users/{segment(name)}/{verb}", body)


def _password(*, stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return asked


def _listed(answer: Answer, fields: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(answer.body.decode() + "\n")
        return
    items = answer.json()["items"]
    rows = [[_word(item.get(field)) for field in fields] for item in items]
    widths = [max(map(len, column)) for column in zip(fields, *rows, strict=True)]
    for row in (fields, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value)) or "-"
    return clean(str(value)) if value is not None else "-"


def _said(line: str) -> None:
    views.console().print(clean(line), markup=False)
