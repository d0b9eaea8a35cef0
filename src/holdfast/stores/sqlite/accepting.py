"""Intake: messages with their deliveries, once per key."""

from typing import Any, Final

import apsw
import msgspec

from holdfast.model.message import Message
from holdfast.store import Accept, Accepted
from holdfast.stores import rows
from holdfast.stores.planning import accepting as planning
from holdfast.stores.planning.counting import Tally
from holdfast.stores.sqlite.sql import Bulk, one

_MESSAGES: Final = Bulk("accept_messages")
_PAYLOADS: Final = Bulk("accept_payloads")
_DELIVERIES: Final = Bulk("accept_deliveries")
_TOKENS: Final = Bulk("accept_tokens")
_STRINGS: Final = msgspec.json.Decoder(list[str])


def accept(
    connection: apsw.Connection, accepts: tuple[Accept, ...], tally: Tally
) -> tuple[Accepted, ...]:
    """Write what is new and answer every member in its place."""
    answers, fresh = planning.accept(accepts, _known(connection, accepts), tally)
    _write(connection, fresh)
    return answers


def _write(connection: apsw.Connection, fresh: list[Accept]) -> None:
    if not fresh:
        return
    # The places are chosen here: asking for those that SQLite chose would cost a query for each.
    first = one(connection, "last_place") + 1
    placed = list(enumerate((member.message for member in fresh), first))
    _MESSAGES.run(connection, [message_row(*each) for each in placed])
    payloads = [(place, each.sealed) for place, each in placed if each.sealed is not None]
    _PAYLOADS.run(connection, payloads)
    deliveries = [delivery for member in fresh for delivery in member.deliveries]
    _DELIVERIES.run(connection, [msgspec.structs.astuple(each) for each in deliveries])
    _TOKENS.run(connection, planning.tokens(fresh))


def message_row(place: int, message: Message) -> tuple[Any, ...]:
    """Return the columns of `accept_messages.sql`; the payload has its own table."""
    row = msgspec.structs.astuple(message)
    return (place, message.sealed is None, *row[:5], *row[6:])


def _known(connection: apsw.Connection, accepts: tuple[Accept, ...]) -> planning.Known:
    own = rows.json_text([member.message.id for member in accepts])
    ids = frozenset(_STRINGS.decode(one(connection, "known_ids", ids=own)))
    pairs = planning.pairs(accepts)
    found = one(connection, "known_keys", pairs=rows.json_text(pairs)) if pairs else "[]"
    keys = planning.keys(planning.KEYS.decode(found))
    wanted = ids | {message_id for message_id, _ in keys.values()}
    if not wanted:
        return planning.Known()
    text = one(connection, "message_deliveries", ids=rows.json_text(sorted(wanted)))
    return planning.Known(ids, keys, planning.ANSWERS.decode(text))
