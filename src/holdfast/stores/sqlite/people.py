"""Who may do what, and the chain of audit lines."""

import hashlib
from typing import Any, Final

import apsw

from holdfast.errors import Conflict
from holdfast.model.access import Record
from holdfast.model.audit import DaySum, EventSums
from holdfast.people import CHAIN, Seal
from holdfast.store import Line, Note
from holdfast.stores import rows
from holdfast.stores.sqlite.session import transaction
from holdfast.stores.sqlite.sql import Bulk, change, one, sql

_NOTES: Final = Bulk("append_notes")
_SEALS: Final = Bulk("seal_notes")


def record(connection: apsw.Connection, kind: str, key: str) -> Record | None:
    """Return one record."""
    text: str | None = one(connection, "record", kind=kind, key=key)
    return None if text is None else rows.record(text)


def records(connection: apsw.Connection, kind: str, after: str, limit: int) -> list[Record]:
    """Return records of a kind, by key."""
    return rows.records(one(connection, "records", kind=kind, after=after, limit=limit))


def keep(connection: apsw.Connection, record: Record | None, note: Note | None) -> None:
    """Write a record and its audit line, both or none."""
    with transaction(connection):
        if record is not None:
            values = {"kind": record.kind, "key": record.key}
            stored = one(connection, "record_revision", **values) or 0
            if stored != record.revision - 1:
                raise Conflict(f"{record.kind} {record.key} was changed meanwhile")
            change(connection, "keep_record", **rows.record_row(record))
        if note is not None:
            _NOTES.run(connection, [rows.note_row(note)])


def forget(connection: apsw.Connection, kind: str, key: str) -> None:
    """Remove a record."""
    with transaction(connection):
        change(connection, "forget_record", kind=kind, key=key)


def forget_old(connection: apsw.Connection, now: int, limit: int) -> int:
    """Remove records whose time is over."""
    with transaction(connection):
        return change(connection, "forget_records", now=now, limit=limit)


def unsealed(connection: apsw.Connection, limit: int) -> list[Line]:
    """Return audit lines that are not in the chain."""
    return rows.lines(one(connection, "chain_unsealed", limit=limit))


def sealed(connection: apsw.Connection, after: int, limit: int) -> list[Line]:
    """Return audit lines of the chain after a number."""
    return rows.lines(one(connection, "chain_sealed", after=after, limit=limit))


def summed(connection: apsw.Connection, after: int, until: int, limit: int) -> EventSums:
    """Return sums of retry events after a position."""
    values = {"after": after, "until": until, "limit": limit}
    found: list[Any] = connection.execute(sql("sum_events"), values).fetchall()
    sums = [DaySum(day, count, hashlib.sha256(text).hexdigest()) for day, count, _, text in found]
    return EventSums(max((last for _, _, last, _ in found), default=after), tuple(sums))


def seal(connection: apsw.Connection, seal: Seal) -> None:
    """Change the chain, when it is as it was seen."""
    with transaction(connection):
        found = one(connection, "document", name=CHAIN)
        version = 0 if found is None else found[0]
        if version != seal.expected:
            raise Conflict(f"the chain has version {version}, not {seal.expected}")
        values = {"version": version + 1, "body": seal.chain, "now": seal.now}
        change(connection, "put_document", name=CHAIN, **values)
        if seal.prune:
            change(connection, "prune_notes", number=seal.prune)
        _SEALS.run(connection, [rows.line_row(each) for each in seal.lines])
