"""Consents that a person revoked: they stand in the audit journal, for ever (S1.127)."""

from typing import Final

from holdfast.errors import Conflict
from holdfast.model.delivery import Delivery
from holdfast.store import Store

REVOKE: Final = "revoke_consent"
"""The audit journal's word for it; the subject is the message."""
LINES_MAX: Final = 1000
"""Most lines of a message that are looked through."""


async def check(store: Store, delivery: Delivery) -> None:
    """Refuse to send a delivery again whose consent was revoked.

    Raises:
        Conflict: it was.
    """
    await check_message(store, delivery.message_id)


async def check_message(store: Store, message_id: str) -> None:
    """Refuse to send a message again whose consent was revoked.

    Raises:
        Conflict: it was.
    """
    for note in await store.notes(message_id, LINES_MAX):
        if note.action == REVOKE:
            raise Conflict(f"the consent of {message_id} is revoked: {note.reason}")
