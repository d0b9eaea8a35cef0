"""Standard Webhooks signatures (version 1: HMAC-SHA256 over `id.timestamp.body`)."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"


def secret_key(secret: str) -> bytes:
    """Return the key of a `whsec_...` secret.

    Raises:
        ValueError: it is not base64, or empty; the message does not show it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a webhook secret must be `whsec_` and base64") from None
    if not key:
        raise ValueError("a webhook secret must not be empty")
    return key


def sign(keys: tuple[bytes, ...], message_id: str, timestamp: str, body: bytes) -> str:
    """Return the `webhook-signature` header: one signature per key, so that keys can rotate.

    Args:
        keys: as `secret_key` returns them.
        message_id: the `webhook-id` header.
        timestamp: the `webhook-timestamp` header, seconds since the epoch.
        body: as it goes out.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join("v1," + _digest(key, content) for key in keys)


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Tell whether one of the signatures in the headers (lower-case names) is from this secret."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + _digest(secret_key(secret), content)
    given = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(expected, one) for one in given)


def _digest(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
