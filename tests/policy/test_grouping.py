"""The list of failure groups."""

import msgspec
import pytest

from holdfast.model.group import (
    Bucket,
    Counted,
    Group,
    GroupBy,
    GroupSort,
    GroupStatus,
    Line,
    Tally,
)
from holdfast.policy import grouping

NOW = 1_767_225_600_000


def counted(number: int, **fields: object) -> Counted:
    """Return a group with `number` dead deliveries; `fields` override those of the group."""
    group = Group(
        f"g1_{number:016x}", "default", "leads", "one", "acme", "data", "422", "bad zip",
        NOW, NOW + number, number,
    )  # fmt: skip
    return Counted(
        msgspec.structs.replace(group, **fields),
        Tally(number, 1, 10.0 / number, 0.0, f"dlv_{number}"),
    )


def lines(found: list[Counted], by: GroupBy, sort: GroupSort) -> list[Line]:
    """Return the whole list."""
    return [grouping.line(each) for each in grouping.headings(found, by, sort)]


def test_each_heading_brings_together_what_it_names() -> None:
    """By error, by cause, by class and code, by recipient, by step; or each group alone."""
    found = [
        counted(1),
        counted(2, recipient="beta"),
        counted(3, recipient="beta", template="other"),
        counted(4, recipient="beta", step="two", code="500"),
    ]
    numbers = {by: len(grouping.headings(found, by, GroupSort.SEEN)) for by in GroupBy}
    assert numbers == {
        GroupBy.FINGERPRINT: 4,
        GroupBy.ERROR: 3,
        GroupBy.CAUSE: 1,
        GroupBy.CLASS: 2,
        GroupBy.RECIPIENT: 2,
        GroupBy.STEP: 2,
    }
    [both, *_] = lines(found[:2], GroupBy.ERROR, GroupSort.SEEN)
    assert both.tally == Tally(3, 2, 15.0, 0.0, "dlv_2")
    assert (both.first_at, both.last_at, both.failures) == (NOW, NOW + 2, 3)
    assert both.recipients == ("acme", "beta")
    assert both.query == "group:g1_0000000000000001,g1_0000000000000002"


@pytest.mark.parametrize(
    ("sort", "first"), [(GroupSort.SEEN, 3), (GroupSort.COUNT, 3), (GroupSort.VALUE, 1)]
)
def test_the_order_is_the_one_asked_for(sort: GroupSort, first: int) -> None:
    """Seen last, most deliveries, most value."""
    found = lines([counted(2), counted(1), counted(3)], GroupBy.FINGERPRINT, sort)
    assert found[0].failures == first


def test_more_groups_than_a_search_can_name_have_none() -> None:
    """Rather no search than one that means less than was counted."""
    found = [counted(number) for number in range(1, grouping.QUERY_MAX + 2)]
    [line] = lines(found, GroupBy.CLASS, GroupSort.SEEN)
    assert line.query is None
    [line] = lines(found[1:], GroupBy.CLASS, GroupSort.SEEN)
    assert line.query is not None


def test_of_several_groups_the_one_that_needs_somebody_counts() -> None:
    """Regressed before open before ignored before resolved; what was ignored may be over."""
    groups = [counted(1, status=status).group for status in GroupStatus]
    assert grouping.standing(groups, NOW) is GroupStatus.REGRESSED
    assert grouping.standing(groups[:3], NOW) is GroupStatus.OPEN
    over = counted(1, status=GroupStatus.IGNORED, until=NOW).group
    assert over.stands(NOW - 1) is GroupStatus.IGNORED
    assert over.stands(NOW) is GroupStatus.OPEN


def test_what_happened_over_time_adds_up_over_the_groups_of_a_line() -> None:
    """Places outside are left out."""
    [line] = lines([counted(1), counted(2)], GroupBy.CLASS, GroupSort.SEEN)
    one, two = (group.id for group in line.groups)
    buckets = {
        one: {0: Bucket(1), 1: Bucket(0, 2, 1), 5: Bucket(9, 9, 9)},
        two: {0: Bucket(2), 2: Bucket(3, 1, 0)},
    }
    told = grouping.over_time(line, buckets, 3)
    assert (told.spark, told.recovered, told.lost) == ((3, 0, 3), 3, 1)
