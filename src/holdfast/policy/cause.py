"""What lies behind a failure group: presumed from its class, unless a person has said it. Pure."""

from collections.abc import Mapping
from typing import Final

from holdfast.model.attempt import FailureClass
from holdfast.model.group import Cause, Group
from holdfast.policy.decide import Code

_OF_CLASS: Final[Mapping[str, Cause]] = {
    FailureClass.TIMEOUT: Cause.PERFORMANCE,
    FailureClass.CONNECT: Cause.CONNECTION,
    FailureClass.DNS: Cause.CONNECTION,
    FailureClass.TLS: Cause.SECURITY,
    FailureClass.RATE_LIMIT: Cause.PERFORMANCE,
    FailureClass.SERVER: Cause.SYSTEM,
    FailureClass.AUTH: Cause.AUTH,
    FailureClass.DATA: Cause.DATA,
    FailureClass.BUSINESS: Cause.BUSINESS,
    FailureClass.PROTOCOL: Cause.SYSTEM,
    FailureClass.CONFIGURATION: Cause.CONFIGURATION,
    FailureClass.PHYSICAL: Cause.PHYSICAL,
}
_OF_CODE: Final[Mapping[str, Cause]] = {
    Code.EXPIRED: Cause.PERFORMANCE,
    Code.PAYLOAD_MISSING: Cause.DATA,
    Code.IDEMPOTENCY_KEY_COLLISION: Cause.DATA,
    Code.DUPLICATE: Cause.DATA,
    Code.PREDECESSOR: Cause.BUSINESS,
    Code.NOT_WORTH_IT: Cause.BUSINESS,
    Code.CONSENT_MISSING: Cause.BUSINESS,
    Code.CONSENT_EXPIRED: Cause.BUSINESS,
    Code.CONSENT_REVOKED: Cause.BUSINESS,
    Code.REGION_NOT_ALLOWED: Cause.BUSINESS,
    Code.CIRCUIT_OPEN: Cause.CONNECTION,
}
"""Of deliveries that died without a try; any other code is one of the system."""


def presumed(group: Group) -> Cause:
    """Return the cause that class and code suggest (S1.57)."""
    return _OF_CLASS.get(group.failure_class) or _OF_CODE.get(group.code, Cause.SYSTEM)


def root(group: Group) -> Cause:
    """Return what lies behind a group: a person's word, else what is presumed."""
    return group.cause or presumed(group)
