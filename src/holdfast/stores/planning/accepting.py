"""Intake: which messages are new, and the answer to each."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from holdfast.model.message import Message
from holdfast.store import Accept, Accepted, Note
from holdfast.stores.planning.counting import Tally

Key = tuple[str, str]
"""Account and idempotency key."""
Answer = tuple[tuple[str, str, str], ...]
"""(id, step, recipient) of a message's deliveries in the flow's order."""

KEYS: Final = msgspec.json.Decoder(list[tuple[str, str, str, str]])
"""Decodes [account, key, message id, digest in hex]."""
ANSWERS: Final = msgspec.json.Decoder(dict[str, Answer])
"""Decodes message id -> its deliveries."""


class Known(msgspec.Struct, frozen=True):
    """What a store has of the messages of a batch.

    Attributes:
        ids: those of the batch's own ids that are stored.
        keys: (account, key) of the batch that are taken -> message id and digest.
        answers: message id -> its deliveries, for every id in `ids` and `keys`.
    """

    ids: frozenset[str] = frozenset()
    keys: Mapping[Key, tuple[str, bytes]] = {}
    answers: Mapping[str, Answer] = {}


def pairs(accepts: Sequence[Accept]) -> list[Key]:
    """Return the keys to look up."""
    return [
        (member.message.account, member.message.key)
        for member in accepts
        if member.message.key is not None
    ]


def keys(found: Sequence[tuple[str, str, str, str]]) -> dict[Key, tuple[str, bytes]]:
    """Return `Known.keys` from what `KEYS` decodes."""
    return {(account, key): (name, bytes.fromhex(digest)) for account, key, name, digest in found}


def accept(
    accepts: Sequence[Accept], known: Known, tally: Tally
) -> tuple[tuple[Accepted, ...], list[Accept]]:
    """Answer every member in its place; return with it the members that are to be written."""
    taken = dict(known.keys)
    answers: dict[str, Accepted] = {}
    result = []
    fresh = []
    for member in accepts:
        message = member.message
        answer = _known(message, known, taken, answers)
        if answer is None:
            fresh.append(member)
            answer = Accepted(
                message.id,
                tuple([(each.id, each.step, each.recipient) for each in member.deliveries]),
            )
            answers[message.id] = answer
            if message.key is not None:
                taken[message.account, message.key] = (message.id, message.digest)
            for each in member.deliveries:
                tally.created(each.recipient, each.status, each.priority)
        result.append(answer)
    return tuple(result), fresh


def _known(
    message: Message,
    known: Known,
    taken: dict[Key, tuple[str, bytes]],
    answers: dict[str, Accepted],
) -> Accepted | None:
    """Answer for a message that is stored already, by its id or its key; None: it is new."""
    if message.id in known.ids or message.id in answers:
        # Our own message, committed before an answer that got lost: done, no duplicate.
        return answers.get(message.id) or _stored(known, message.id)
    if message.key is None:
        return None
    owner = taken.get((message.account, message.key))
    if owner is None:
        return None
    message_id, digest = owner
    first = answers.get(message_id) or _stored(known, message_id)
    same = digest == message.digest
    return msgspec.structs.replace(first, duplicate=same, collision=not same)


def tokens(fresh: Sequence[Accept]) -> list[tuple[bytes, str]]:
    """Return the search fields of new messages as (token, delivery id)."""
    return [
        (token, each.id)
        for member in fresh
        if member.tokens
        for each in member.deliveries
        for token in member.tokens
    ]


def _stored(known: Known, message_id: str) -> Accepted:
    return Accepted(message_id, known.answers.get(message_id, ()))


def notes(accepts: Sequence[Accept], answers: Sequence[Accepted]) -> list[Note]:
    """Return the audit lines of the messages that are new."""
    return [
        note
        for member, answer in zip(accepts, answers, strict=True)
        if member.notes and answer.message_id == member.message.id
        for note in member.notes
    ]
