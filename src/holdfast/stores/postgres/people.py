"""Who may do what, and the chain of audit lines."""

from typing import Final

import asyncpg
import msgspec

from holdfast.errors import Conflict
from holdfast.model.access import Record
from holdfast.model.audit import DaySum, EventSums
from holdfast.people import CHAIN, Seal
from holdfast.store import Line, Note
from holdfast.stores import rows
from holdfast.stores.postgres.sql import change, columns, one

_SUMS: Final = msgspec.json.Decoder(tuple[int, list[tuple[int, int, str]]])


async def record(connection: asyncpg.Connection, kind: str, key: str) -> Record | None:
    """Return one record."""
    text: str | None = await one(connection, "record", kind=kind, key=key)
    return None if text is None else rows.record(text)


async def records(
    connection: asyncpg.Connection, kind: str, after: str, limit: int
) -> list[Record]:
    """Return records of a kind, by key."""
    return rows.records(await one(connection, "records", kind=kind, after=after, limit=limit))


async def keep(connection: asyncpg.Connection, record: Record | None, note: Note | None) -> None:
    """Write a record and its audit line, both or none."""
    async with connection.transaction():
        if record is not None and not await one(
            connection, "keep_record", **rows.record_row(record)
        ):
            raise Conflict(f"{record.kind} {record.key} was changed meanwhile")
        if note is not None:
            line = columns(Note.__struct_fields__, [rows.note_row(note)])
            await change(connection, "append_notes", **line)


async def forget(connection: asyncpg.Connection, kind: str, key: str) -> None:
    """Remove a record."""
    await change(connection, "forget_record", kind=kind, key=key)


async def forget_old(connection: asyncpg.Connection, now: int, limit: int) -> int:
    """Remove records whose time is over."""
    return await change(connection, "forget_records", now=now, limit=limit)


async def unsealed(connection: asyncpg.Connection, limit: int) -> list[Line]:
    """Return audit lines that are not in the chain."""
    return rows.lines(await one(connection, "chain_unsealed", limit=limit))


async def sealed(connection: asyncpg.Connection, after: int, limit: int) -> list[Line]:
    """Return audit lines of the chain after a number."""
    return rows.lines(await one(connection, "chain_sealed", after=after, limit=limit))


async def summed(connection: asyncpg.Connection, after: int, until: int, limit: int) -> EventSums:
    """Return sums of retry events after a position."""
    values = {"after": after, "until": until, "limit": limit}
    last, sums = _SUMS.decode(await one(connection, "sum_events", **values))
    return EventSums(last, tuple(DaySum(*each) for each in sums))


async def seal(connection: asyncpg.Connection, seal: Seal) -> None:
    """Change the chain, when it is as it was seen: the document's row decides who was first."""
    async with connection.transaction():
        values = {"body": seal.chain, "expected": seal.expected, "now": seal.now}
        if await one(connection, "put_document", name=CHAIN, **values) is None:
            raise Conflict(f"the chain has another version than {seal.expected}")
        if seal.prune:
            await change(connection, "prune_notes", number=seal.prune)
        if seal.lines:
            names = ("place", "number", "hash")
            given = columns(names, [rows.line_row(each) for each in seal.lines])
            await change(connection, "seal_notes", **given)
