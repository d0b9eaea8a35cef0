"""Looks into a store after a measurement: what was claimed must be on disk."""

from pathlib import Path

import apsw
import msgspec


class Found(msgspec.Struct, frozen=True):
    """Rows of a store."""

    messages: int
    delivered: int
    pending: int
    attempts: int


def found(config: Path) -> Found:
    """Count what a store holds."""
    path = config.parent / "data" / "holdfast.db"
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM messages),"
            " coalesce(sum(delivered), 0), coalesce(sum(pending), 0),"
            " (SELECT count(*) FROM attempts) FROM counters"
        ).get
        return Found(*row)
    finally:
        connection.close()


def expect(what: str, seen: int, wanted: int) -> None:
    """Refuse a measurement that did not do what it claims.

    Raises:
        RuntimeError: it did something else.
    """
    if seen != wanted:
        raise RuntimeError(f"{what}: {seen}, but {wanted} were expected; the figures are worthless")
