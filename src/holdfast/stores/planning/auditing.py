"""What a page of audit lines, or of retry events, asks for, and how it goes on."""

from typing import Any, Final

from holdfast.model.audit import LineQuery, Place
from holdfast.model.message import NEVER
from holdfast.store import EventQuery, Line, Lines

_GIVEN: Final = ("subject", "actor", "action", "start", "end")
_FILTERS: Final = ("start", "end", "delivery_id", "recipient", "among")
_SIFTED: Final = ("actor", "action", "scope")
"""No index knows these: lines are looked at that are not wanted."""


def values(query: LineQuery) -> dict[str, Any]:
    """Return the values of `lines.sql`; a filter that nobody asked for has none."""
    given = {name: value for name in _GIVEN if (value := getattr(query, name)) is not None}
    if query.scope is not None:
        given |= {"account": query.scope.account, "subjects": list(query.scope.subjects)}
    if query.cursor is not None:
        given |= dict(zip(("at", "place"), query.cursor, strict=True))
    return given | {"limit": query.limit, "look": looked(query)}


def filters(query: LineQuery) -> frozenset[str]:
    """Return which lines of the statement there are."""
    asked = {name for name in _GIVEN if getattr(query, name) is not None}
    asked |= {"account"} if query.scope is not None else set()
    if query.cursor is not None:
        asked.add("after" if query.forward else "before")
    return frozenset(asked | {"forward" if query.forward else "backward"})


def events(query: EventQuery) -> tuple[dict[str, Any], set[str]]:
    """Return the values of `events.sql`, and the lines that its filters and direction ask for."""
    given = {name: value for name in _FILTERS if (value := getattr(query, name)) is not None}
    lines = {*given, "backward" if query.after is None else "forward"}
    before = NEVER if query.before is None else query.before
    return given | {"after": query.after or 0, "before": before, "limit": query.limit}, lines


def looked(query: LineQuery) -> int:
    """Return how many lines are looked at at most: no more than are wanted, if all are."""
    sifts = any(getattr(query, name) is not None for name in _SIFTED)
    return max(query.look, query.limit) if sifts else query.limit


def page(query: LineQuery, lines: list[Line], number: int, last: Place | None) -> Lines:
    """Return a page.

    Args:
        query: what was asked.
        lines: what was found, in order.
        number: how many lines were looked at ...
        last: ... and where the last of them stands; None: there was none.
    """
    if len(lines) == query.limit:
        return Lines(tuple(lines), (lines[-1].note.at, lines[-1].place))
    return Lines(tuple(lines), last if number == looked(query) else None)
