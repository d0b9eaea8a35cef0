"""The command line: `holdfast up`, `demo`, `send`, `ls`, `show`, `redrive` and the rest."""

import sys

import typer
from rich.console import Console
from rich.text import Text

from holdfast.cli import (
    acting,
    auditing,
    checking,
    configuring,
    doctor,
    emergency,
    experimenting,
    groups,
    measuring,
    operations,
    overview,
    people,
    reading,
    review,
    running,
    sending,
    signals,
    storing,
)
from holdfast.cli.complaint import REFUSED, USAGE, Complaint
from holdfast.errors import ConfigError, HoldfastError, InvalidInput

app = typer.Typer(
    name="holdfast",
    help="Durable outbound delivery with retries done right.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
parts = (
    *(running, sending, reading, overview, acting, operations, groups, review, people),
    *(auditing, emergency),
    configuring,
    signals,
    *(storing, doctor, checking, measuring, experimenting),
)
for part in parts:
    part.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; an expected trouble is one line on stderr and an exit code.

    Args:
        arguments: those of the command line when None.
    """
    try:
        app(arguments)
    except Complaint as complaint:
        _leave(str(complaint), complaint.exit_code)
    except (ConfigError, InvalidInput) as error:
        _leave(str(error), USAGE)
    except HoldfastError as error:
        _leave(str(error), REFUSED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone (head, less): nobody is left to tell
        sys.exit(0)


def _leave(line: str, exit_code: int) -> None:
    text = Text("error: ", style="bold red")
    text.append(line, style="not bold default")
    Console(stderr=True, highlight=False, emoji=False, soft_wrap=True).print(text)
    sys.exit(exit_code)
