"""Options that many commands share, so that they are spelled and explained once."""

from typing import Annotated

import typer

from holdfast.cli.client import DEFAULT_URL

Url = Annotated[
    str,
    typer.Option(envvar="HOLDFAST_URL", help=f"Address of the API, such as {DEFAULT_URL}."),
]
Token = Annotated[
    str | None,
    typer.Option(envvar="HOLDFAST_TOKEN", help="Bearer token of the API.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON as it is.")]
Reason = Annotated[
    str,
    typer.Option("--reason", "-r", help="Why; it is kept in the audit journal."),
]
Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID", help="Deliveries, dlv_... ; - reads them from stdin."),
]
