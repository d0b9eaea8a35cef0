"""Shapes of the audit journal on the wire: lists, and exports as NDJSON and CSV."""

import csv
import io
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from holdfast.access.sides import sides
from holdfast.api import wire
from holdfast.errors import InvalidInput
from holdfast.model.audit import LineQuery, Place
from holdfast.model.submission import Aware, millis
from holdfast.store import Line

Cursor = Annotated[str, Meta(pattern="^[0-9]{1,16}-[0-9]{1,16}$")]
Word = Annotated[str, Meta(pattern="^[a-z][a-z_]{0,63}$")]
_FORMULA: Final = re.compile(r"""(^|[;\t])([\s"']*)([=+\-@\uff1d\uff0b\uff0d\uff20])""")
"""Where a spreadsheet would begin to calculate: also behind a `;`, which some split at."""
_BREAKS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]+")


class Format(StrEnum):
    """How an export is written."""

    NDJSON = "ndjson"
    CSV = "csv"


MEDIA: Final = {
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; header=present",
}


class AuditFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines of the audit journal: of `since` and later, before `until`."""

    subject: wire.Name | None = None
    actor: wire.Name | None = None
    action: Word | None = None
    since: Aware | None = None
    until: Aware | None = None


class AuditQuery(AuditFilter, frozen=True):
    """Filters and paging of the audit journal, newest first."""

    cursor: Cursor | None = None
    limit: wire.Limit = 100


class ExportQuery(AuditFilter, frozen=True):
    """Filters of an export, and how it is written."""

    format: Format = Format.NDJSON


class VerifyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of the audit chain to check."""

    after: wire.Position = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    head: Annotated[str, Meta(pattern="^[0-9]{1,16}:[0-9a-f]{64}$")] | None = None


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the audit journal; `number` and `hash` once it is linked into the chain.

    `before` and `after` are the fields that changed, as far as `detail` says them.
    """

    number: int | None
    at: wire.Instant | None
    actor: str
    action: str
    subject: str
    account: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    detail: str
    hash: str | None


COLUMNS: Final = AuditLine.__struct_fields__
CONTENT: Final = {"application/x-ndjson": AuditLine, "text/csv": str}
"""What an export may be, for the API's description."""


def query(asked: AuditFilter) -> LineQuery:
    """Return what the filters mean.

    Raises:
        InvalidInput: the span ends before it begins.
    """
    start = None if asked.since is None else millis(asked.since)
    end = None if asked.until is None else millis(asked.until)
    if asked.until is not None and start is not None and end is not None and end <= start:
        raise InvalidInput("until", asked.until.isoformat(), "an instant after since")
    return LineQuery(
        subject=asked.subject, actor=asked.actor, action=asked.action, start=start, end=end
    )


def place(cursor: str | None) -> Place | None:
    """Return where a cursor goes on."""
    if cursor is None:
        return None
    at, _, number = cursor.partition("-")
    return int(at), int(number)


def cursor(place: Place | None) -> str | None:
    """Return a place as a cursor."""
    return None if place is None else f"{place[0]}-{place[1]}"


def line(value: Line) -> AuditLine:
    """Show a line."""
    before, after = sides(value.note)
    return wire.show(
        AuditLine,
        value.note,
        number=value.number or None,
        before=before,
        after=after,
        hash=value.hash.hex() or None,
    )


def head(kind: Format) -> bytes:
    """Return what stands before the first line of an export."""
    return _row(COLUMNS).encode() if kind is Format.CSV else b""


def rows(kind: Format, lines: Iterable[Line]) -> bytes:
    """Return lines as an export has them, each on one line of the file."""
    shown = [line(each) for each in lines]
    if kind is Format.NDJSON:
        return b"".join(msgspec.json.encode(each) + b"\n" for each in shown)
    cells = ([_cell(getattr(each, name)) for name in COLUMNS] for each in shown)
    return "".join(_row(row) for row in cells).encode()


def harmless(text: str) -> str:
    """Return text that no spreadsheet calculates, on one line; NDJSON has it as it was."""
    return _FORMULA.sub(r"\1\2'\3", _BREAKS.sub(" ", text))


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return harmless(msgspec.json.encode(value).decode())
    return harmless(str(value)) if value is not None else ""


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
