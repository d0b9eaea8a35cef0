"""What arrived: an immutable payload with its key, its worth and its limits."""

import msgspec

NEVER = 9_007_199_254_740_991
"""An instant that does not come: the largest integer that JSON readers keep exact (2^53 - 1)."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One accepted payload. Instants are ms since the epoch; fields are in column order.

    Attributes:
        id: `msg_` and 32 hex digits, ordered by time of arrival.
        account: the tenant.
        flow: the flow that routed it.
        key: the caller's idempotency key, or None (then nothing is deduplicated).
        digest: HMAC-SHA256 of the canonical payload and flow, before stripping (C16).
        sealed: the payload after strip -> gzip -> encrypt, or None once purged.
        size: bytes of the payload as it is sent (after stripping, before gzip).
        value: worth of the message in the account's currency.
        priority: 0 (least urgent) to 9.
        quality: 0-100, or None when unknown.
        region: where the data subject lives, or None.
        consent: the caller's consent record as JSON text, or None.
        not_before: no send before this instant (0: at once).
        expires_at: no send after this instant (`NEVER`: no limit of its own).
        created_at: time of acceptance.
    """

    id: str
    account: str
    flow: str
    key: str | None
    digest: bytes
    sealed: bytes | None
    size: int
    value: float
    priority: int
    quality: int | None
    region: str | None
    consent: str | None
    not_before: int
    expires_at: int
    created_at: int
