"""Audit lines in memory."""

from collections.abc import Iterable

from holdfast.model.audit import LineQuery, Scope
from holdfast.store import Line, Lines, Note


def page(lines: Iterable[Line], query: LineQuery) -> Lines:
    """Return a page of these lines, as a store makes it; all of them are looked at."""
    found = sorted((line for line in lines if _asked(line.note, query)), key=_place)
    if not query.forward:
        found.reverse()
    if query.cursor is not None:
        way = 1 if query.forward else -1
        found = [line for line in found if way * _compared(_place(line), query.cursor) > 0]
    shown = tuple(found[: query.limit])
    return Lines(shown, _place(shown[-1]) if len(shown) == query.limit else None)


def _place(line: Line) -> tuple[int, int]:
    return (line.note.at, line.place)


def _compared(one: tuple[int, int], other: tuple[int, int]) -> int:
    return (one > other) - (one < other)


def _asked(note: Note, query: LineQuery) -> bool:
    return (
        query.subject in {None, note.subject}
        and query.actor in {None, note.actor}
        and query.action in {None, note.action}
        and (query.start is None or note.at >= query.start)
        and (query.end is None or note.at < query.end)
        and (query.scope is None or _seen(note, query.scope))
    )


def _seen(note: Note, scope: Scope) -> bool:
    return note.account == scope.account or (not note.account and note.subject in scope.subjects)
