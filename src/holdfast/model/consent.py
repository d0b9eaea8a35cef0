"""What a caller may say about the consent of the person behind a message (S1.127)."""

from datetime import datetime

import msgspec

from holdfast.model.message import NEVER
from holdfast.model.submission import Aware


class Consent(msgspec.Struct, frozen=True):
    """The part of a consent record that Holdfast reads; callers may keep more in it.

    Attributes:
        expires_at: nothing is sent from then on.
        revoked: true, or the instant from which it is revoked.
        certificate_url: where the proof stands, such as a TrustedForm certificate.
    """

    expires_at: Aware | None = None
    revoked: bool | Aware = False
    certificate_url: str | None = None

    def expires_ms(self) -> int:
        """Return when it expires in ms since the epoch, `NEVER`: it does not."""
        return NEVER if self.expires_at is None else _ms(self.expires_at)

    def revoked_ms(self) -> int:
        """Return from when it is revoked in ms since the epoch, `NEVER`: it is not."""
        if isinstance(self.revoked, datetime):
            return _ms(self.revoked)
        return 0 if self.revoked else NEVER


def _ms(value: datetime) -> int:
    return round(value.timestamp() * 1000)
