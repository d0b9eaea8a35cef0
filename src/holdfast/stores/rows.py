"""Rows to values and back, for every backend: JSON arrays in the order of the fields."""

from operator import attrgetter
from types import GenericAlias
from typing import Any, Final

import msgspec

from holdfast.model.access import Record
from holdfast.model.alert import CRITICAL_LOOK, Alerted, Critical, CriticalQuery
from holdfast.model.attempt import Attempt, Event
from holdfast.model.audit import Place
from holdfast.model.delivery import Delivery
from holdfast.model.group import Bucket, Group, Held
from holdfast.model.lane import LaneState
from holdfast.model.message import Message
from holdfast.model.operation import Operation, Result
from holdfast.store import Line, Note, Snapshot, Waiting

_JSON: Final = msgspec.json.Encoder()
DELIVERY_FIELDS: Final = Delivery.__struct_fields__
MOVED: Final = (
    *DELIVERY_FIELDS[DELIVERY_FIELDS.index("due_at") : DELIVERY_FIELDS.index("ended_at")],
    "status",
    "ended_at",
    "expires_at",
)
"""What a transition may change, in the order of `turn_deliveries.sql`."""

moved: Final = attrgetter(*MOVED)


def _row_type(struct: type[msgspec.Struct], **instead: Any) -> Any:
    types = tuple(instead.get(field.name, field.type) for field in msgspec.structs.fields(struct))
    return GenericAlias(tuple, types)


# SQLite has no booleans: a lax decoder takes 0 and 1. Bytes come as hexadecimal text.
_DELIVERY = _row_type(Delivery)
_MESSAGE = _row_type(Message, digest=str, sealed=str | None)
_DELIVERIES = msgspec.json.Decoder(GenericAlias(list, (_DELIVERY,)), strict=False)
_ONE_MESSAGE = msgspec.json.Decoder(_MESSAGE, strict=False)
_MESSAGES = msgspec.json.Decoder(GenericAlias(list, (_MESSAGE,)), strict=False)
_EVENTS = msgspec.json.Decoder(list[tuple[int, Attempt, msgspec.Raw, msgspec.Raw, str | None]])
_OPERATION = msgspec.json.Decoder(Operation)
_OPERATIONS = msgspec.json.Decoder(list[Operation])
_RESULTS = msgspec.json.Decoder(list[Result])
_GROUPS = msgspec.json.Decoder(list[Group], strict=False)
_HELD = msgspec.json.Decoder(list[Held], strict=False)
_ALERTED = msgspec.json.Decoder(tuple[list[Group], bool], strict=False)
_CRITICAL = msgspec.json.Decoder(
    GenericAlias(tuple, (int, GenericAlias(list, (_DELIVERY,)))), strict=False
)
_FAILURES = msgspec.json.Decoder(list[tuple[str, int, int, int, int]])
_NOTE = _row_type(Note)
_LINES = msgspec.json.Decoder(
    GenericAlias(list, (GenericAlias(tuple, (int, int | None, str | None, _NOTE)),))
)
_PLACE: Final = msgspec.json.Decoder(Place)
_RECORD = GenericAlias(tuple, (str, str, int, msgspec.Raw, int))
_ONE_RECORD = msgspec.json.Decoder(_RECORD)
_RECORDS = msgspec.json.Decoder(GenericAlias(list, (_RECORD,)))


def json_text(value: Any) -> str:
    """Return JSON as databases read it."""
    return _JSON.encode(value).decode()


def deliveries(text: str) -> list[Delivery]:
    """Return deliveries from the JSON of `delivery_rows`."""
    return [Delivery(*row) for row in _DELIVERIES.decode(text)]


def _message(row: tuple[Any, ...], *, private: bool) -> Message:
    sealed = None if row[5] is None else bytes.fromhex(row[5])
    if private:
        return Message(*(*row[:4], bytes.fromhex(row[4]), sealed, *row[6:]))
    return Message(*(*row[:3], None, b"", sealed, *row[6:]))


def message(text: str) -> Message:
    """Return a message from the JSON of `message_rows`."""
    return _message(_ONE_MESSAGE.decode(text), private=True)


def waiting(delivery_text: str, message_text: str) -> tuple[Waiting, ...]:
    """Return deliveries with their messages, these without digest and key."""
    return tuple(
        Waiting(Delivery(*delivery), _message(row, private=False))
        for delivery, row in zip(
            _DELIVERIES.decode(delivery_text), _MESSAGES.decode(message_text), strict=True
        )
    )


def events(text: str) -> list[Event]:
    """Return events; raw parts are copied, as they would keep the whole page alive."""
    return [
        Event(
            position,
            attempt,
            configuration.copy(),
            context.copy(),
            None if excerpt is None else bytes.fromhex(excerpt),
        )
        for position, attempt, configuration, context, excerpt in _EVENTS.decode(text)
    ]


def lines(text: str) -> list[Line]:
    """Return audit lines with their places in the chain."""
    return [
        Line(place, number or 0, bytes.fromhex(hashed or ""), Note(*row))
        for place, number, hashed, row in _LINES.decode(text)
    ]


def place(text: str | None) -> Place | None:
    """Return where an audit line stands by time."""
    return None if text is None else _PLACE.decode(text)


def line_row(line: Line) -> tuple[int, int, str]:
    """Return the columns of `seal_notes.sql`."""
    return (line.place, line.number, line.hash.hex())


def _record(row: tuple[str, str, int, msgspec.Raw, int]) -> Record:
    return Record(*row[:3], bytes(row[3]), row[4])


def record(text: str) -> Record:
    """Return a record of who may do what."""
    return _record(_ONE_RECORD.decode(text))


def records(text: str) -> list[Record]:
    """Return records of who may do what."""
    return [_record(row) for row in _RECORDS.decode(text)]


def record_row(record: Record) -> dict[str, Any]:
    """Return the values of `keep_record.sql`."""
    return {
        "kind": record.kind,
        "key": record.key,
        "revision": record.revision,
        "body": record.body.decode(),
        "until": record.until,
    }


def attempt_row(attempt: Attempt, excerpt: bytes | None) -> tuple[Any, ...]:
    """Return the columns of `append_attempts.sql`."""
    return (
        attempt.event_id,
        attempt.delivery_id,
        attempt.recipient,
        attempt.retry_timestamp,
        attempt.outcome,
        attempt.failure_class,
        json_text(attempt),
        excerpt,
    )


def note_row(note: Note) -> tuple[Any, ...]:
    """Return the columns of `append_notes.sql`."""
    return msgspec.structs.astuple(note)


def snapshot_row(snapshot: Snapshot, now: int) -> tuple[str, str, int]:
    """Return the columns of `save_snapshots.sql`."""
    return (snapshot.id, snapshot.body.decode(), now)


def lane_row(lane: LaneState) -> tuple[str, str]:
    """Return the columns of `save_lanes.sql`."""
    return (lane.recipient, json_text(lane))


def operation(text: str) -> Operation:
    """Return an operation."""
    return _OPERATION.decode(text)


def operations(text: str) -> list[Operation]:
    """Return operations."""
    return _OPERATIONS.decode(text)


def results(text: str) -> list[Result]:
    """Return results of an operation."""
    return _RESULTS.decode(text)


def groups(text: str) -> list[Group]:
    """Return failure groups from the JSON of `group_rows`."""
    return _GROUPS.decode(text)


def held(text: str) -> list[Held]:
    """Return who holds what."""
    return _HELD.decode(text)


def failures(text: str) -> dict[str, dict[int, Bucket]]:
    """Return failures by group and place in time."""
    found: dict[str, dict[int, Bucket]] = {}
    for group, place, *numbers in _FAILURES.decode(text):
        found.setdefault(group, {})[place] = Bucket(*numbers)
    return found


def alerted(text: str) -> Alerted:
    """Return groups that were new or came back last."""
    return Alerted(*_ALERTED.decode(text))


def critical(query: CriticalQuery, text: str) -> Critical:
    """Return failing deliveries with their number."""
    count, found = _CRITICAL.decode(text)
    deliveries = [Delivery(*row) for row in found]
    shown = min(count, CRITICAL_LOOK)
    return Critical(query.priority, deliveries, shown, more=count > shown)


def operation_row(operation: Operation) -> dict[str, Any]:
    """Return the values of `save_operation.sql`."""
    return {
        "id": operation.id,
        "revision": operation.revision,
        "active": operation.active,
        "body": json_text(operation),
    }


def result_row(result: Result) -> tuple[Any, ...]:
    """Return the columns of `save_results.sql`, without the operation."""
    return msgspec.structs.astuple(result)
