"""What a flow asks of a message before every try: consent, regions, hours of contact.

What fails for good is skipped with a code; what time will mend is held until then. Pure: the
calendars are compiled once for each step of a flow.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from holdfast.model.consent import Consent
from holdfast.model.delivery import Verb
from holdfast.model.flow import Account, Endpoint, Flow
from holdfast.model.message import NEVER, Message
from holdfast.policy.decide import Code, Decision, Gate
from holdfast.policy.hours import Calendar

ANY: Final = "*"
"""Any region, as a key of a matrix or as an allowed region."""
_CONSENT: Final = msgspec.json.Decoder(Consent)

Matrix = Mapping[str, tuple[str, ...]]
"""Region of the data subject -> regions of endpoints that it may be sent to."""


class Admission:
    """The conditions of one flow, ready for use.

    Args:
        flow: its conditions.
        account: conditions of the tenant, which hold as well.
    """

    def __init__(self, flow: Flow, account: Account | None) -> None:
        matrices = (flow.regions, {} if account is None else account.regions)
        self._matrices: tuple[Matrix, ...] = tuple(matrix for matrix in matrices if matrix)
        self._consent_required = flow.consent_required
        self._calendars: dict[str | None, Calendar] = {}
        if flow.contact_hours is not None:
            contact = flow.contact_hours
            zones: dict[str | None, str] = {None: contact.zone}
            zones.update(contact.zones)
            self._calendars = {
                region: Calendar(zone, contact.periods) for region, zone in zones.items()
            }

    @property
    def asks(self) -> bool:
        """Tell whether the flow asks for anything."""
        return self._consent_required or bool(self._matrices) or bool(self._calendars)

    def refuse(self, message: Message, endpoint: Endpoint, now: int) -> Decision | None:
        """Return how a delivery ends or waits that must not be sent now, else None."""
        return next(self.refusals(message, endpoint, now), None)

    def refusals(self, message: Message, endpoint: Endpoint, now: int) -> Iterator[Decision]:
        """Yield every condition that is not met, in order."""
        if message.consent is None and self._consent_required:
            yield _skip(Code.CONSENT_MISSING, "the flow asks for a consent record")
        consent = consent_refusal(message, now)
        if consent is not None:
            yield consent
        if not all(allowed(matrix, message.region, endpoint.region) for matrix in self._matrices):
            subject, target = message.region or "unknown", endpoint.region or "unknown"
            yield _skip(Code.REGION_NOT_ALLOWED, f"region {subject} may not go to region {target}")
        if self._calendars:
            region = message.region if message.region in self._calendars else None
            calendar = self._calendars[region]
            if not calendar.is_open(now):
                yield Decision(
                    Verb.HOLD,
                    "hold",
                    calendar.next_change(now),
                    counted=False,
                    reason="outside the hours of contact",
                    gate=Gate.CONTACT_HOURS,
                )


def consent_refusal(message: Message, now: int) -> Decision | None:
    """Return the skip of a message whose consent has expired or is revoked, else None."""
    if message.consent is None:
        return None
    consent = _CONSENT.decode(message.consent)
    if consent.revoked_ms() <= now:
        return _skip(Code.CONSENT_REVOKED, "the consent is revoked")
    if consent.expires_ms() <= now:
        return _skip(Code.CONSENT_EXPIRED, "the consent has expired")
    return None


def allowed(matrix: Matrix, subject: str | None, target: str | None) -> bool:
    """Tell whether a matrix lets a subject's data go to an endpoint's region (S1.128).

    A subject without a row of its own, or of unknown region, goes by the row `*`; without such
    a row nothing is allowed.
    """
    row = matrix.get(subject or ANY, matrix.get(ANY, ()))
    return ANY in row or target in row


def _skip(code: Code, reason: str) -> Decision:
    return Decision(Verb.SKIP, "discard", NEVER, counted=False, code=code, reason=reason)
