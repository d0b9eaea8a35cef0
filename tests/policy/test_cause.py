"""What lies behind a failure group."""

import msgspec
import pytest

from holdfast.model.attempt import FailureClass
from holdfast.model.group import Cause, Counted, Group, GroupBy, GroupSort, Tally
from holdfast.policy import cause, grouping
from holdfast.policy.decide import Code

GROUP = Group("g1_0", "default", "leads", "s", "acme", "timeout", "ETIMEDOUT", "", 1, 1, 1)
NEVER_GROUPED = {FailureClass.CANCELLED}


@pytest.mark.parametrize(
    ("kind", "presumed"),
    [
        ("timeout", "performance"),
        ("rate_limit", "performance"),
        ("connect", "connection"),
        ("dns", "connection"),
        ("tls", "security"),
        ("auth", "auth"),
        ("data", "data"),
        ("business", "business"),
        ("server", "system"),
        ("protocol", "system"),
        ("configuration", "configuration"),
        ("physical", "physical"),
    ],
)
def test_a_class_suggests_its_cause(kind: str, presumed: str) -> None:
    """Each class that makes groups has one."""
    assert cause.presumed(msgspec.structs.replace(GROUP, failure_class=kind)) == presumed


def test_every_class_that_makes_groups_is_thought_of() -> None:
    """A new one without a cause would silently be one of the system."""
    assert set(cause._OF_CLASS) == set(FailureClass) - NEVER_GROUPED


@pytest.mark.parametrize(
    ("code", "presumed"),
    [
        (Code.EXPIRED, Cause.PERFORMANCE),
        (Code.PAYLOAD_MISSING, Cause.DATA),
        (Code.CONSENT_REVOKED, Cause.BUSINESS),
        (Code.WORKER_CRASH, Cause.SYSTEM),
    ],
)
def test_what_died_without_a_try_has_one_by_its_code(code: Code, presumed: Cause) -> None:
    """There is no class to go by."""
    assert cause.presumed(msgspec.structs.replace(GROUP, failure_class="", code=code)) is presumed


def test_a_word_goes_before_the_class() -> None:
    """A person knows better, and can take it back."""
    said = msgspec.structs.replace(GROUP, cause=Cause.DATA)
    assert (cause.root(said), cause.root(GROUP)) == (Cause.DATA, Cause.PERFORMANCE)


def test_groups_stand_under_their_cause() -> None:
    """Whether it was said or presumed."""
    said = msgspec.structs.replace(GROUP, id="g1_1", failure_class="data", cause=Cause.PERFORMANCE)
    other = msgspec.structs.replace(GROUP, id="g1_2", failure_class="data", last_at=0)
    found = [Counted(each, Tally(dead=1)) for each in (GROUP, said, other)]
    made = grouping.headings(found, GroupBy.CAUSE, GroupSort.SEEN)
    assert [(key, len(own)) for key, own in made] == [("performance", 2), ("data", 1)]
