"""Durations and instants as people type them: `90s`, `15m`, `1h30m`, `7d`, `2026-01-31T08:00Z`."""

import re
from datetime import UTC, datetime
from typing import Final

from holdfast.cli.complaint import USAGE, Complaint

_UNITS: Final = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SPAN: Final = re.compile(rf"(?:{_PART.pattern})+")
ALLOWED: Final = "a duration such as 90s, 15m, 1h30m or 7d"


def span_ms(field: str, text: str) -> int:
    """Return a duration in ms.

    Raises:
        Complaint: not a duration, or zero; names the field.
    """
    text = text.strip().lower()
    if _SPAN.fullmatch(text) and text.isascii():
        total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        if 1 <= total <= 100 * 365 * 86_400_000:
            return round(total)
    raise Complaint(f"{field}: {text!r} is not allowed; allowed: {ALLOWED}", USAGE)


def instant_ms(field: str, text: str, now: int, *, past: bool) -> int:
    """Return an instant in ms: a duration from `now` (backwards when `past`), or ISO 8601.

    Raises:
        Complaint: neither; names the field.
    """
    if _SPAN.fullmatch(text.strip().lower().removeprefix("+")):
        span = span_ms(field, text.strip().removeprefix("+"))
        return now - span if past else now + span
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Complaint(
            f"{field}: {text!r} is not allowed; allowed: {ALLOWED}, or an instant such as "
            "2026-01-31T08:00:00Z",
            USAGE,
        ) from error
    if at.tzinfo is None:
        raise Complaint(f"{field}: {text!r} names no zone; add Z or +01:00", USAGE)
    return round(at.timestamp() * 1000)


def iso(at: int) -> str:
    """Return an instant the way the API reads it: ISO 8601, UTC, with ms."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
