"""Queries; each sees one consistent state."""

from typing import Final

import apsw
import msgspec

from holdfast.errors import InvalidInput
from holdfast.model.attempt import Event, Step
from holdfast.model.audit import LineQuery
from holdfast.model.delivery import BANDS, Delivery
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER, Message
from holdfast.shelf import Later
from holdfast.store import Counts, DuePage, DueQuery, EventQuery, Lines
from holdfast.stores import rows
from holdfast.stores.planning import auditing
from holdfast.stores.sqlite.session import snapshot
from holdfast.stores.sqlite.sql import one

_STEPS: Final = msgspec.json.Decoder(list[Step])
_DUE_LANES: Final = msgspec.json.Decoder(list[tuple[str, int]])
_PICKED: Final = msgspec.json.Decoder(list[tuple[int, int, int]])
_LATER: Final = msgspec.json.Decoder(Later)
_COUNTS: Final = msgspec.json.Decoder(list[tuple[str, int, int, int, int, int, int, int, int, int]])
_LANES: Final = msgspec.json.Decoder(list[LaneState])


def due(connection: apsw.Connection, query: DueQuery) -> DuePage:
    """Return what a lane may send next."""
    if len(query.quotas) != BANDS:
        raise InvalidInput("quotas", query.quotas, f"{BANDS} numbers, one per band")
    quotas = {f"quota_{band}": quota for band, quota in enumerate(query.quotas)}
    with snapshot(connection):
        found, next_due = one(
            connection,
            "due",
            recipient=query.recipient,
            now=query.now,
            exclude=rows.json_text(list(query.exclude)),
            never=NEVER,
            **quotas,
        )
        picked = _PICKED.decode(found)
        chosen = _chosen(picked, query)
        empty = ("[]", "[]")
        texts = one(connection, "waiting", places=rows.json_text(chosen)) if chosen else empty
    return DuePage(rows.waiting(*texts), emptied=len(chosen) == len(picked), next_due=next_due)


def _chosen(picked: list[tuple[int, int, int]], query: DueQuery) -> list[int]:
    """Return the places that fit into the quotas and the bytes."""
    left = list(query.quotas)
    size = 0
    chosen: list[int] = []
    for place, band, length in picked:
        left[band] -= 1
        if left[band] < 0:
            continue  # only asked for to learn that it exists
        size += length
        if chosen and size > query.max_bytes:
            break
        chosen.append(place)
    return chosen


def due_lanes(connection: apsw.Connection) -> list[tuple[str, int]]:
    """Return recipients with pending deliveries and their lowest due time."""
    return _DUE_LANES.decode(one(connection, "due_lanes", never=NEVER))


def later(connection: apsw.Connection, recipient: str, now: int, limit: int) -> Later:
    """Return what of a lane is due after an instant."""
    text = one(connection, "later", recipient=recipient, now=now, limit=limit, never=NEVER)
    return _LATER.decode(text)


def expired(connection: apsw.Connection, now: int, limit: int) -> list[Delivery]:
    """Return pending deliveries whose time has run out."""
    return rows.deliveries(one(connection, "expired", now=now, limit=limit))


def get(connection: apsw.Connection, delivery_id: str) -> Delivery | None:
    """Return one delivery."""
    text = one(connection, "get_delivery", id=delivery_id)
    return None if text is None else rows.deliveries(f"[{text}]")[0]


def message(connection: apsw.Connection, message_id: str) -> Message | None:
    """Return one message."""
    text = one(connection, "get_message", id=message_id)
    return None if text is None else rows.message(text)


def counts(connection: apsw.Connection) -> dict[str, Counts]:
    """Return the counters by recipient."""
    return {name: Counts(*row) for name, *row in _COUNTS.decode(one(connection, "counts"))}


def events(connection: apsw.Connection, query: EventQuery) -> list[Event]:
    """Return retry events with their snapshots."""
    values, lines = auditing.events(query)
    if query.among is not None:
        values["among"] = rows.json_text(query.among)
    return rows.events(one(connection, "events", frozenset({*lines, _walk(query)}), **values))


def _walk(query: EventQuery) -> str:
    """Return the index that finds the events; without one it is the table, which has an order."""
    if query.delivery_id is not None:
        return "by_delivery"
    if query.recipient is not None:
        return "by_recipient"
    spans = query.start is not None or query.end is not None
    return "by_time" if spans and query.after is None else "by_position"


def trail(connection: apsw.Connection, after: int, limit: int) -> list[Step]:
    """Return what was tried after a position."""
    return _STEPS.decode(one(connection, "trail", after=after, limit=limit))


def last_position(connection: apsw.Connection) -> int:
    """Return the position up to which everything was tried that `trail` shows now."""
    return int(one(connection, "last_position"))


def lines(connection: apsw.Connection, query: LineQuery) -> Lines:
    """Return a page of audit lines by time."""
    values = auditing.values(query)
    if "subjects" in values:
        values["subjects"] = rows.json_text(values["subjects"])
    text, number, last = one(connection, "lines", auditing.filters(query), **values)
    return auditing.page(query, rows.lines(text), number, rows.place(last))


def lane_states(connection: apsw.Connection) -> list[LaneState]:
    """Return every saved lane."""
    return _LANES.decode(one(connection, "lane_states"))
