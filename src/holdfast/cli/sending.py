"""`send`: hands a file of messages to the batch route, with progress and an honest summary."""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from holdfast.cli.client import DEFAULT_URL, Answer, Api, Problem, segment
from holdfast.cli.complaint import REFUSED, USAGE, Complaint
from holdfast.cli.options import Token, Url
from holdfast.demo.words import clean

BATCH_LINES: Final = 500
BATCH_BYTES: Final = 4_000_000
LINE_BYTES: Final = 2_000_000
"""A longer line cannot be a message; it is refused here instead of filling the memory."""
_SHOWN: Final = 20
"""Refusals told in full; the rest is counted."""
_LATER: Final = frozenset({429, 503, 507})
"""What a line is answered that is not taken now and may be later: it is not refused."""
_PATIENCE: Final = 120
"""How many times in a row we come back when the API asks us to wait."""


class Line(msgspec.Struct, frozen=True):
    """One line of the file: its number and its bytes."""

    number: int
    body: bytes


class Tally(msgspec.Struct):
    """What became of the lines; `at`: where to go on, 0: nothing was sent yet."""

    at: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    reasons: list[str] = []

    def refuse(self, number: int, reason: str) -> None:
        """Count a refused line and keep the first reasons."""
        self.refused += 1
        if len(self.reasons) < _SHOWN:
            self.reasons.append(f"line {number}: {clean(reason, 300)}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("send")(send)


def send(
    file: Annotated[
        str, typer.Argument(metavar="FILE.ndjson", help="One message a line; - is stdin.")
    ],
    *,
    flow: Annotated[str, typer.Option(help="The flow that routes them.")],
    from_line: Annotated[int, typer.Option(min=1, help="Go on from this line.")] = 1,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Send messages from a file.

    It can be repeated: a line with a `key` is never taken twice. Exit code 1: some were refused.
    """
    tally = Tally()
    path = f"/v1/flows/{segment(flow)}/messages/batch"
    console = Console(stderr=True, highlight=False, emoji=False)
    with ExitStack() as stack:
        source, size = _opened(file, stack)
        api = stack.enter_context(Api(url, token))
        bar = stack.enter_context(_progress(console))
        task = bar.add_task("sending", total=size, tally="")
        for batch in _batches(_lines(source, from_line, tally)):
            left = [batch]
            while left:
                part = left.pop()
                try:
                    taken = _hand_over(api, path, part, tally)
                except Complaint as complaint:
                    _tell(console, tally)
                    raise _stopped(complaint, tally) from complaint
                if not taken:
                    half = len(part) // 2
                    left += [part[half:], part[:half]]
                    continue
                moved = sum(len(line.body) + 1 for line in part)
                bar.update(task, advance=moved, tally=_sums(tally))
    _tell(console, tally)
    sys.stdout.write(_sums(tally) + "\n")
    if tally.refused:
        raise typer.Exit(REFUSED)


def _tell(console: Console, tally: Tally) -> None:
    for reason in tally.reasons:
        console.print(reason, markup=False, soft_wrap=True)
    if tally.refused > len(tally.reasons):
        console.print(f"... and {tally.refused - len(tally.reasons):,} more")


def _sums(tally: Tally) -> str:
    return (
        f"{tally.accepted:,} accepted, {tally.duplicates:,} duplicates, {tally.refused:,} refused"
    )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[tally]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _opened(file: str, stack: ExitStack) -> tuple[BinaryIO, int | None]:
    if file == "-":
        return sys.stdin.buffer, None
    try:
        source = Path(file).open("rb")  # noqa: SIM115  # the stack closes it
    except OSError as error:
        raise Complaint(f"FILE: cannot read {file!r}: {error.strerror}", USAGE) from error
    return stack.enter_context(source), Path(file).stat().st_size or None


def _lines(source: BinaryIO, from_line: int, tally: Tally) -> Iterator[Line]:
    """Yield lines that are not blank; too long ones are refused and passed over."""
    number = 0
    while piece := source.readline(LINE_BYTES + 1):
        number += 1
        too_long = len(piece) > LINE_BYTES and not piece.endswith(b"\n")
        while too_long and piece and not piece.endswith(b"\n"):
            piece = source.readline(LINE_BYTES + 1)
        if number < from_line:
            continue
        if too_long:
            tally.refuse(number, f"longer than {LINE_BYTES:,} bytes")
        elif body := piece.strip():
            yield Line(number, body)


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == BATCH_LINES or size + len(line.body) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line.body) + 1
    if batch:
        yield batch


def _hand_over(api: Api, path: str, batch: list[Line], tally: Tally) -> bool:
    """Send one batch; what is not taken now comes again when the API asks for patience.

    False: it is more than this Holdfast takes at once, and can be sent in parts.
    """
    left, trouble = batch, Problem()
    for _ in range(_PATIENCE):
        tally.at = left[0].number
        body = b"\n".join(line.body for line in left) + b"\n"
        answer = api.try_post(path, body, content_type="application/x-ndjson")
        if answer.status == 413 and len(left) > 1 and left is batch:
            return False
        if answer.status not in {429, 503}:
            if answer.status >= 300:
                raise Complaint(answer.problem().line(), REFUSED)
            left, trouble = _count(answer, left, tally)
            if not left:
                return True
            tally.at = left[0].number
            if trouble.status == 507:
                break
        else:
            trouble = answer.problem()
        threading.Event().wait(min(answer.retry_after_s or 1.0, 30.0))
    raise Complaint(trouble.line(), REFUSED)


def _count(answer: Answer, batch: list[Line], tally: Tally) -> tuple[list[Line], Problem]:
    """Count what became of lines; return those that may come again, and why they have to."""
    results = [msgspec.json.decode(line) for line in answer.body.splitlines() if line.strip()]
    if len(results) != len(batch):
        raise Complaint(
            f"{len(results)} results came back for {len(batch)} lines: is this the batch route?",
            REFUSED,
        )
    left, trouble = [], Problem()
    for line, result in zip(batch, results, strict=True):
        problem = _problem(result)
        if problem is not None and problem.status in _LATER:
            left.append(line)
            trouble = problem
        elif problem is not None:
            tally.refuse(line.number, problem.line())
        elif result.get("duplicate"):
            tally.duplicates += 1
        else:
            tally.accepted += 1
    return left, trouble


def _problem(result: dict[str, Any]) -> Problem | None:
    """Return why a line was refused, None when it was taken."""
    if result.get("message_id"):
        return None
    return msgspec.convert(result.get("problem") or result, Problem)


def _stopped(complaint: Complaint, tally: Tally) -> Complaint:
    """Add to a complaint where the file can be taken up again, if anything was taken."""
    if not (tally.accepted or tally.duplicates or tally.refused):
        return complaint
    done = f"{_sums(tally)}; stopped at line {tally.at:,}"
    hint = f"go on with --from-line {tally.at} (lines with a key are never taken twice)"
    return Complaint(f"{complaint}. {done}: {hint}", complaint.exit_code)
