"""Failure groups on the wire."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.api import wire
from holdfast.errors import InvalidInput
from holdfast.model.delivery import Delivery
from holdfast.model.group import (
    Cause,
    Group,
    GroupBy,
    GroupSort,
    GroupStatus,
    Line,
    Lines,
    Lookback,
)
from holdfast.model.judgement import Nature
from holdfast.model.submission import Aware
from holdfast.policy import fingerprint, recovery
from holdfast.policy.cause import root
from holdfast.policy.grouping import standing
from holdfast.store import Note

GroupId = Annotated[str, Meta(pattern="^g[0-9]{1,3}_[0-9a-f]{16}$")]
_WHY = (
    "The same failure class, code and masked reason, at the same recipient, flow and step. In "
    "the reason quoted values, addresses, hosts, ids, dates and numbers are masked."
)


class GroupsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Filters and paging of the list of groups."""

    q: wire.QueryText | None = None
    by: GroupBy = GroupBy.FINGERPRINT
    status: (
        Annotated[str, Meta(description="Some of the statuses, joined by commas.", max_length=100)]
        | None
    ) = None
    sort: GroupSort = GroupSort.SEEN
    window: Lookback = Lookback.DAY
    cursor: Annotated[int, Meta(ge=0, le=10_000)] = 0
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class GroupQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far back the spark of a group looks."""

    window: Lookback = Lookback.DAY


class AssignGroup(wire.Action, frozen=True):
    """Body that gives a group to somebody; without `owner`, or with null: to nobody."""

    owner: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class IgnoreGroup(wire.Action, frozen=True):
    """Body that ignores a group: until then, or until so many further failures, or for good."""

    until: Aware | None = None
    failures: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None


class JudgeGroup(wire.Action, frozen=True):
    """Body that says what a group's failures are; null takes it back."""

    nature: Nature | None


class AttributeGroup(wire.Action, frozen=True):
    """Body that says what lies behind a group; null takes it back."""

    cause: Cause | None


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list: one group, or several with the same `key`.

    What differs among them is null. `q` is a search that means just the deliveries counted here;
    null: too many groups for one search. `dead` and `pending` are failing deliveries, with
    `at_least` there may be more; the values are sums over their messages. `failures` are failed
    tries so far, `spark` those of each bucket. Of the deliveries that ended in these buckets
    `recovered` failed so, were tried again and arrived, `lost` died; `presumed` is what that says
    of such failures, null: nothing sure.
    """

    key: str
    q: str | None
    id: str | None
    groups: int
    status: GroupStatus
    owner: str | None
    nature: Nature | None
    cause: Cause | None
    failure_class: str | None
    code: str | None
    template: str | None
    flow: str | None
    step: str | None
    recipient: str | None
    recipients: tuple[str, ...]
    recipient_count: int
    dead: int
    pending: int
    at_least: bool
    dead_value: float
    pending_value: float
    value_at_risk: float
    sample: str | None
    failures: int
    first_seen_at: wire.Instant | None
    last_seen_at: wire.Instant | None
    spark: tuple[int, ...]
    recovered: int
    lost: int
    presumed: Nature | None


class GroupPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list.

    `since` is when the first bucket of the sparks begins, `bucket_ms` how long each is; with
    `at_least` there are older groups that were not looked at.
    """

    items: list[LineView]
    next_cursor: str | None
    since: wire.Instant | None
    bucket_ms: int
    at_least: bool


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group as people left it; its revision is its ETag.

    `nature` is what a person judged its failures to be; null: nobody did, the rules decide. `cause`
    is what lies behind it, by the word of `caused_by`; where that is null, as its class suggests.
    `regressions` says how many of its `resolutions` did not hold.
    """

    id: str
    revision: int
    account: str
    status: GroupStatus
    owner: str | None
    until: wire.Instant | None
    until_failures: int | None
    resolved_at: wire.Instant | None
    regressed_at: wire.Instant | None
    changed_at: wire.Instant | None
    changed_by: str | None
    why: str | None
    nature: Nature | None
    judged_at: wire.Instant | None
    judged_by: str | None
    cause: Cause
    caused_by: str | None
    resolutions: int
    regressions: int


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why these deliveries are one group: what went into its id, by which version of the method."""

    version: int
    text: str
    failure_class: str
    code: str
    template: str
    recipient: str
    flow: str
    step: str


class GroupDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A group with everything: counts, explanation, samples, and who changed it and why."""

    group: GroupView
    line: LineView
    since: wire.Instant | None
    bucket_ms: int
    explanation: Explanation
    samples: list[wire.DeliveryView]
    history: list[wire.NoteView]


def statuses(text: str | None) -> frozenset[GroupStatus] | None:
    """Return the statuses that are asked for.

    Raises:
        InvalidInput: one is none.
    """
    if text is None:
        return None
    known = ", ".join(GroupStatus)
    for word in text.split(","):
        if word not in set(GroupStatus):
            raise InvalidInput("status", word[:40], f"some of {known}, joined by commas")
    return frozenset(GroupStatus(word) for word in text.split(","))


def page(found: Lines, now: int, asked: str | None) -> GroupPage:
    """Show a page; `asked` is the search as it was typed."""
    return GroupPage(
        items=[line(one, now, asked) for one in found.lines],
        next_cursor=None if found.next_cursor is None else str(found.next_cursor),
        since=wire.iso(found.since),
        bucket_ms=found.bucket_ms,
        at_least=found.more,
    )


def line(value: Line, now: int, asked: str | None = None) -> LineView:
    """Show a line."""
    tally = value.tally
    same: dict[str, Any] = {
        name: _same({getattr(group, name) for group in value.groups})
        for name in (
            "id", "owner", "nature", "failure_class", "code", "template", "flow", "step",
            "recipient",
        )
    }  # fmt: skip
    return wire.show(
        LineView,
        value,
        **same,
        cause=_same({root(group) for group in value.groups}),
        q=_query(value.query, asked),
        groups=len(value.groups),
        status=standing(value.groups, now),
        dead=tally.dead,
        pending=tally.pending,
        at_least=tally.more,
        dead_value=tally.dead_value,
        pending_value=tally.pending_value,
        value_at_risk=tally.dead_value + tally.pending_value,
        sample=tally.newest,
        presumed=recovery.presumed(value.recovered, value.lost),
        first_seen_at=wire.iso(value.first_at),
        last_seen_at=wire.iso(value.last_at),
    )


def _same(values: set[Any]) -> Any:
    return next(iter(values)) if len(values) == 1 else None


def _query(own: str | None, asked: str | None) -> str | None:
    """Return the search of a line within the one that was asked."""
    if own is None or not asked:
        return own
    return None if "group:" in asked else f"{asked} {own}"


def group(value: Group, now: int) -> GroupView:
    """Show a group."""
    ceiling = value.ceiling or None
    return wire.show(
        GroupView,
        value,
        status=value.stands(now),
        until_failures=ceiling,
        cause=root(value),
    )


def detail(found: Lines, samples: list[Delivery], history: list[Note], now: int) -> GroupDetail:
    """Show a group with everything."""
    [own] = found.lines
    [value] = own.groups
    explanation = wire.show(Explanation, value, version=fingerprint.version(value.id), text=_WHY)
    return GroupDetail(
        group=group(value, now),
        line=line(own, now),
        since=wire.iso(found.since),
        bucket_ms=found.bucket_ms,
        explanation=explanation,
        samples=[wire.delivery(one) for one in samples],
        history=[wire.show(wire.NoteView, one) for one in history],
    )
