"""What a caller hands in (`Submission`) and what it is told (`Receipt`)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

KEY_CHARACTERS = 255
"""Longest idempotency key."""

_NO_NUL = r"^[^\x00]*$"
"""Not every store takes U+0000 in a text."""
Key = Annotated[str, Meta(min_length=1, max_length=KEY_CHARACTERS, pattern=_NO_NUL)]
Region = Annotated[str, Meta(min_length=1, max_length=64, pattern=_NO_NUL)]
Aware = Annotated[datetime, Meta(tz=True)]
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MS: Final = timedelta(milliseconds=1)
"""Instants are whole ones of these since `EPOCH`."""
LATEST: Final = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // MS
"""The last instant that is taken. Dates end a year later, and calendars look ahead; in UTC what was
written as the last day of 9999 may lie beyond."""


def millis(at: datetime) -> int:
    """Return an aware date-time as whole ms since the epoch; later than `LATEST` is `LATEST`."""
    return min((at - EPOCH) // MS, LATEST)


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One message as it comes in, checked for shape and range only.

    Attributes:
        payload: the JSON text of the payload, byte for byte, so that no number loses a digit.
        key: the caller's idempotency key; without one nothing is deduplicated.
        value: worth in the account's currency.
        priority: 0 (least urgent) to 9.
        quality: 0-100, None when unknown.
        region: where the data subject lives.
        consent: the caller's consent record.
        not_before: no send before this instant.
        expires_at: no send after this instant.
    """

    payload: msgspec.Raw
    key: Key | None = None
    value: Annotated[float, Meta(ge=0, le=1e15)] = 0.0
    priority: Annotated[int, Meta(ge=0, le=9)] = 5
    quality: Annotated[int, Meta(ge=0, le=100)] | None = None
    region: Region | None = None
    consent: dict[str, Any] | None = None
    not_before: Aware | None = None
    expires_at: Aware | None = None


class Routed(msgspec.Struct, frozen=True, gc=False):
    """One delivery of a receipt."""

    id: str
    step: str
    recipient: str
    status: str


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """The answer to a submission that is safe on disk.

    Attributes:
        message_id: the new message, or the one that has the key already.
        deliveries: one per step, in the flow's order.
        duplicate: the key was known and the payload the same: this is the first answer again.
    """

    message_id: str
    deliveries: tuple[Routed, ...]
    duplicate: bool = False
