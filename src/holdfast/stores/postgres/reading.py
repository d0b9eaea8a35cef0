"""Queries; each is one statement and sees one consistent state."""

from collections.abc import Collection
from typing import Final

import asyncpg
import msgspec

from holdfast.errors import InvalidInput
from holdfast.model.attempt import Event, Step
from holdfast.model.audit import LineQuery
from holdfast.model.delivery import BANDS, Delivery
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER, Message
from holdfast.shelf import Later, Space
from holdfast.store import Counts, DuePage, DueQuery, EventQuery, Lines
from holdfast.stores import rows
from holdfast.stores.planning import auditing
from holdfast.stores.postgres.sql import one, row

_STEPS: Final = msgspec.json.Decoder(list[Step])
_DUE_LANES: Final = msgspec.json.Decoder(list[tuple[str, int]])
_LATER: Final = msgspec.json.Decoder(Later)
_COUNTS: Final = msgspec.json.Decoder(list[tuple[str, int, int, int, int, int, int, int, int, int]])
_LANES: Final = msgspec.json.Decoder(list[tuple[LaneState, int]])


async def due(connection: asyncpg.Connection, query: DueQuery) -> DuePage:
    """Return what a lane may send next."""
    if len(query.quotas) != BANDS:
        raise InvalidInput("quotas", query.quotas, f"{BANDS} numbers, one per band")
    found = await row(
        connection,
        "due",
        recipient=query.recipient,
        now=query.now,
        quotas=query.quotas,
        exclude=list(query.exclude),
        max_bytes=query.max_bytes,
    )
    assert found is not None  # noqa: S101  # an aggregate without GROUP BY has one row
    deliveries, messages, emptied, next_due = found
    waiting = rows.waiting(deliveries, messages)
    return DuePage(waiting, emptied, NEVER if next_due is None else next_due)


async def due_lanes(
    connection: asyncpg.Connection, among: Collection[str] | None = None
) -> list[tuple[str, int]]:
    """Return recipients (of these) with pending deliveries and their lowest due time."""
    given = {} if among is None else {"among": list(among)}
    return _DUE_LANES.decode(await one(connection, "due_lanes", given, **given))


async def later(connection: asyncpg.Connection, recipient: str, now: int, limit: int) -> Later:
    """Return what of a lane is due after an instant."""
    values = {"recipient": recipient, "now": now, "limit": limit, "never": NEVER}
    return _LATER.decode(await one(connection, "later", **values))


async def expired(connection: asyncpg.Connection, now: int, limit: int) -> list[Delivery]:
    """Return pending deliveries whose time has run out."""
    return rows.deliveries(await one(connection, "expired", now=now, limit=limit))


async def get(connection: asyncpg.Connection, delivery_id: str) -> Delivery | None:
    """Return one delivery."""
    found = rows.deliveries(await one(connection, "stored_deliveries", ids=[delivery_id]))
    return found[0] if found else None


async def message(connection: asyncpg.Connection, message_id: str) -> Message | None:
    """Return one message."""
    text = await one(connection, "get_message", id=message_id)
    return None if text is None else rows.message(text)


async def counts(connection: asyncpg.Connection) -> dict[str, Counts]:
    """Return the counters by recipient."""
    return {name: Counts(*row) for name, *row in _COUNTS.decode(await one(connection, "counts"))}


async def events(connection: asyncpg.Connection, query: EventQuery) -> list[Event]:
    """Return retry events with their snapshots."""
    values, lines = auditing.events(query)
    if query.delivery_id is None:
        lines.add("settled")
    return rows.events(await one(connection, "events", lines, **values))


async def trail(connection: asyncpg.Connection, after: int, limit: int) -> list[Step]:
    """Return what was tried after a position."""
    return _STEPS.decode(await one(connection, "trail", after=after, limit=limit))


async def last_position(connection: asyncpg.Connection) -> int:
    """Return the position up to which everything was tried that `trail` shows now."""
    return int(await one(connection, "last_position"))


async def lines(connection: asyncpg.Connection, query: LineQuery) -> Lines:
    """Return a page of audit lines by time."""
    values = auditing.values(query)
    found = await row(connection, "lines", auditing.filters(query), **values)
    assert found is not None  # noqa: S101  # a SELECT without FROM has one row
    text, number, last = found
    return auditing.page(query, rows.lines(text), number, rows.place(last))


async def lane_states(
    connection: asyncpg.Connection, among: Collection[str] | None = None
) -> list[LaneState]:
    """Return every saved lane."""
    given = {} if among is None else {"among": list(among)}
    found = _LANES.decode(await one(connection, "lane_states", given, **given))
    return [stamped(state, stamp) for state, stamp in found]


def stamped(state: LaneState, stamp: int) -> LaneState:
    """Return a lane with the later of the instants until which a lost owner may have sent."""
    return state if stamp <= state.stamp else msgspec.structs.replace(state, stamp=stamp)


async def space(connection: asyncpg.Connection) -> Space:
    """Return what the database takes; how much its disk has left is the server's secret."""
    return Space(await one(connection, "space"), NEVER)


async def document(connection: asyncpg.Connection, name: str) -> tuple[int, bytes] | None:
    """Return (version, body), or None."""
    found = await row(connection, "document", name=name)
    return None if found is None else (found["version"], found["body"])
