"""Conditions of a flow: consent, regions, hours of contact."""

from typing import Any

import msgspec
import pytest

from holdfast.model.calendar import ContactHours, Period
from holdfast.model.delivery import Verb
from holdfast.model.flow import Account, Endpoint, Flow, Step
from holdfast.model.message import NEVER, Message
from holdfast.policy.admission import Admission, allowed
from holdfast.policy.decide import Code, Gate

NOON = 1_780_315_200_000
"""Monday, 1 June 2026, 12:00 UTC."""
HOUR = 3_600_000


def message(**fields: Any) -> Message:
    """Return a message."""
    blank = Message("msg_1", "default", "leads", None, b"", b"", 0, 0.0, 5, None, None, None, 0,
                    NEVER, NOON)  # fmt: skip
    return msgspec.structs.replace(blank, **fields)


def flow(**fields: Any) -> Flow:
    """Return a flow."""
    return Flow(name="leads", steps=(Step(name="a", recipient="a"),), **fields)


def ask(
    conditions: Flow, carried: Message, region: str | None = None, account: Account | None = None
) -> tuple[Verb, str | None, Gate | None, int] | None:
    """Return what happens to a message at noon."""
    endpoint = Endpoint(url="https://a.example", region=region)
    found = Admission(conditions, account).refuse(carried, endpoint, NOON)
    return None if found is None else (found.verb, found.code, found.gate, found.due_at)


@pytest.mark.parametrize(
    ("consent", "code"),
    [
        (None, Code.CONSENT_MISSING),
        ("{}", None),
        ('{"expires_at":"2026-06-01T12:00:00.001Z"}', None),
        ('{"expires_at":"2026-06-01T12:00:00Z"}', Code.CONSENT_EXPIRED),
        ('{"expires_at":"2026-06-01T13:59:00+02:00"}', Code.CONSENT_EXPIRED),
        ('{"revoked":false,"certificate_url":"https://cert.example/1"}', None),
        ('{"revoked":true}', Code.CONSENT_REVOKED),
        ('{"revoked":"2026-06-01T12:00:00Z"}', Code.CONSENT_REVOKED),
        ('{"revoked":"2026-06-01T12:00:01Z","more":[1]}', None),
    ],
)
def test_consent_is_looked_at_before_every_try(consent: str | None, code: Code | None) -> None:
    """What has expired, is revoked or is missing is skipped with its code (S1.127)."""
    found = ask(flow(consent_required=True), message(consent=consent))
    assert found == (None if code is None else (Verb.SKIP, code, None, NEVER))


def test_a_record_counts_also_where_none_is_required() -> None:
    """A flow that asks for no consent still honours one that has expired; none at all is fine."""
    expired = message(consent='{"expires_at":"2026-01-01T00:00:00Z"}')
    assert ask(flow(), expired) == (Verb.SKIP, Code.CONSENT_EXPIRED, None, NEVER)
    assert ask(flow(), message()) is None


@pytest.mark.parametrize(
    ("subject", "target", "fine"),
    [
        ("EU", "EU", True),
        ("EU", "US", False),
        ("EU", None, False),
        ("US", "US", True),
        ("US", "EU", True),
        ("US", None, True),
        ("BR", "US", True),
        ("BR", "EU", False),
        (None, "US", True),
        (None, None, False),
    ],
)
def test_the_region_matrix(subject: str | None, target: str | None, *, fine: bool) -> None:
    """Rows list where a person's data may go; `*` is any; unknown goes by the row `*` (S1.128)."""
    matrix = {"EU": ("EU", "CH"), "US": ("*",), "*": ("US",)}
    assert allowed(matrix, subject, target) is fine
    found = ask(flow(regions=matrix), message(region=subject), target)
    assert (found is None) is fine
    if found is not None:
        assert found[:2] == (Verb.SKIP, Code.REGION_NOT_ALLOWED)


def test_without_a_row_nothing_is_allowed() -> None:
    """A matrix without the row and without `*` allows nothing."""
    assert not allowed({"EU": ("EU",)}, "US", "US")


def test_the_matrix_of_the_account_holds_as_well() -> None:
    """The flow may allow what it likes: the account only tightens (promise 5)."""
    open_flow, tight = flow(regions={"*": ("*",)}), Account(regions={"EU": ("EU",)})
    assert ask(open_flow, message(region="EU"), "US", tight) is not None
    assert ask(open_flow, message(region="EU"), "EU", tight) is None


def test_people_are_contacted_by_their_own_clock() -> None:
    """At noon UTC it is morning in New York and evening in Tokyo; elsewhere the default holds."""
    week = (Period(days=("mon", "tue"), start="09:00", end="20:00"),)
    zones = {"US-CA": "America/Los_Angeles", "JP": "Asia/Tokyo"}
    contact = flow(contact_hours=ContactHours(periods=week, zone="Europe/Paris", zones=zones))
    four_hours = (Verb.HOLD, None, Gate.CONTACT_HOURS, NOON + 4 * HOUR)
    assert ask(contact, message(region="US-CA")) == four_hours
    tomorrow = (Verb.HOLD, None, Gate.CONTACT_HOURS, NOON + 12 * HOUR)
    assert ask(contact, message(region="JP")) == tomorrow
    assert ask(contact, message(region="XX")) is None
    assert ask(contact, message()) is None
