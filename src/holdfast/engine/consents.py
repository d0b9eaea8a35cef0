"""Consents that a person revoked: they stand in the audit journal, for ever (S1.127)."""

from collections.abc import Iterable
from typing import Final

from holdfast.errors import Conflict
from holdfast.model.delivery import Delivery
from holdfast.store import Store

REVOKE: Final = "revoke_consent"
"""The audit journal's word for it; the subject is the message."""
LINES_MAX: Final = 1000
"""Most lines of a message that are looked through."""


async def revoked(store: Store, message_id: str) -> str | None:
    """Return why the consent behind a message was revoked, None: it was not."""
    for note in await store.notes(message_id, LINES_MAX):
        if note.action == REVOKE:
            return note.reason
    return None


async def check(store: Store, message_id: str) -> None:
    """Refuse to send a message again whose consent was revoked.

    Raises:
        Conflict: it was.
    """
    reason = await revoked(store, message_id)
    if reason is not None:
        raise Conflict(f"the consent of {message_id} is revoked: {reason}")


def last_first(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Return the deliveries of a message, those that wait for others before these.

    What is skipped by itself does not come back when the step before it succeeds after all.
    """
    known = {delivery.id: delivery for delivery in deliveries}

    def depth(delivery: Delivery) -> int:
        steps = 0
        while (before := known.get(delivery.predecessor or "")) is not None:
            steps, delivery = steps + 1, before
        return steps

    return sorted(known.values(), key=depth, reverse=True)
