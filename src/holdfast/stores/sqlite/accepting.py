"""Intake: messages with their deliveries, once per key."""

from typing import Final

import apsw
import msgspec

from holdfast.model.message import Message
from holdfast.store import Accept, Accepted
from holdfast.stores.sqlite import rows
from holdfast.stores.sqlite.counting import Tally
from holdfast.stores.sqlite.sql import Bulk, one

_MESSAGES: Final = Bulk("accept_messages")
_PAYLOADS: Final = Bulk("accept_payloads")
_DELIVERIES: Final = Bulk("accept_deliveries")
_STRINGS: Final = msgspec.json.Decoder(list[str])
_KEYS: Final = msgspec.json.Decoder(list[tuple[str, str, str, str]])
_ANSWERS: Final = msgspec.json.Decoder(tuple[tuple[str, str, str], ...])

Key = tuple[str, str]


def accept(
    connection: apsw.Connection, accepts: tuple[Accept, ...], tally: Tally
) -> tuple[Accepted, ...]:
    """Write what is new and answer every member in its place."""
    known = _known_ids(connection, accepts)
    keys = _known_keys(connection, accepts)
    answers: dict[str, Accepted] = {}
    result = []
    fresh = []
    for member in accepts:
        message = member.message
        answer = _known(connection, message, known, keys, answers)
        if answer is None:
            fresh.append(member)
            answer = Accepted(
                message.id,
                tuple([(each.id, each.step, each.recipient) for each in member.deliveries]),
            )
            answers[message.id] = answer
            if message.key is not None:
                keys[message.account, message.key] = (message.id, message.digest)
        result.append(answer)
    _write(connection, fresh, tally)
    return tuple(result)


def _write(connection: apsw.Connection, fresh: list[Accept], tally: Tally) -> None:
    if not fresh:
        return
    # The places are chosen here: asking for those that SQLite chose would cost a query for each.
    first = one(connection, "last_place") + 1
    placed = list(enumerate((member.message for member in fresh), first))
    _MESSAGES.run(connection, [rows.message_row(*each) for each in placed])
    _PAYLOADS.run(connection, rows.payload_rows(placed))
    deliveries = [delivery for member in fresh for delivery in member.deliveries]
    _DELIVERIES.run(connection, [msgspec.structs.astuple(each) for each in deliveries])
    for delivery in deliveries:
        tally.created(delivery.recipient, delivery.status, delivery.priority)


def _known_ids(connection: apsw.Connection, accepts: tuple[Accept, ...]) -> set[str]:
    ids = rows.json_text([member.message.id for member in accepts])
    return set(_STRINGS.decode(one(connection, "known_ids", ids=ids)))


def _known_keys(
    connection: apsw.Connection, accepts: tuple[Accept, ...]
) -> dict[Key, tuple[str, bytes]]:
    pairs = [
        (member.message.account, member.message.key)
        for member in accepts
        if member.message.key is not None
    ]
    if not pairs:
        return {}
    found = one(connection, "known_keys", pairs=rows.json_text(pairs))
    return {
        (account, key): (message_id, bytes.fromhex(digest))
        for account, key, message_id, digest in _KEYS.decode(found)
    }


def _known(
    connection: apsw.Connection,
    message: Message,
    known: set[str],
    keys: dict[Key, tuple[str, bytes]],
    answers: dict[str, Accepted],
) -> Accepted | None:
    """Answer for a message that is stored already, by its id or its key; None: it is new."""
    if message.id in known or message.id in answers:
        # Our own message, committed before an answer that got lost: done, no duplicate.
        return answers.get(message.id) or _stored(connection, message.id)
    if message.key is None:
        return None
    owner = keys.get((message.account, message.key))
    if owner is None:
        return None
    message_id, digest = owner
    first = answers.get(message_id) or _stored(connection, message_id)
    same = digest == message.digest
    return msgspec.structs.replace(first, duplicate=same, collision=not same)


def _stored(connection: apsw.Connection, message_id: str) -> Accepted:
    found = one(connection, "message_deliveries", message_id=message_id)
    return Accepted(message_id, _ANSWERS.decode(found))
