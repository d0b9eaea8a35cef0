"""Failure groups: list, look at, assign, resolve, ignore, judge, attribute, reopen."""

from collections.abc import Awaitable

from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.api import wire, wire_groups
from holdfast.api.match import changes, matched, revision_of, tagged
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.model.audit import LineQuery
from holdfast.model.group import Group, Listing
from holdfast.model.search import Choice, Predicate, Search
from holdfast.model.submission import millis
from holdfast.policy.search import FAILING

SAMPLES = 5
"""Deliveries that are shown with a group."""
HISTORY = 100
"""Most audit lines that are shown with a group."""


@get("/v1/groups", opt={"query": wire_groups.GroupsQuery})
async def list_groups(request: Asked) -> wire_groups.GroupPage:
    """List failure groups: what fails the same way, how much of it, since when, at what worth.

    Without `status` open and regressed ones that have failing deliveries. `by` brings several
    groups under one heading. A page goes by rank, so a line may move between two pages.
    """
    asked = query_of(request, wire_groups.GroupsQuery)
    facade = facade_of(request)
    listing = Listing(
        where=facade.views.where(asked.q or ""),
        by=asked.by,
        status=wire_groups.statuses(asked.status),
        sort=asked.sort,
        window=asked.window,
        start=asked.cursor,
        limit=asked.limit,
    )
    found = await facade.groups.lines(listing)
    return wire_groups.page(found, facade.groups.now(), asked.q)


@get("/v1/groups/{group_id:str}", opt={"query": wire_groups.GroupQuery, "tagged": True})
async def show_group(request: Asked, group_id: FromPath[str]) -> Response[wire_groups.GroupDetail]:
    """Show one group: counts, why it is one, samples, and who changed it and why."""
    asked = query_of(request, wire_groups.GroupQuery)
    facade = facade_of(request)
    found = await facade.groups.line(group_id, asked.window)
    where = Predicate((Choice("group", (group_id,)), FAILING))
    samples = (await facade.views.find(Search(where, limit=SAMPLES))).deliveries
    history = await facade.views.lines(LineQuery(subject=group_id, limit=HISTORY))
    notes = [line.note for line in history.lines]
    shown = wire_groups.detail(found, samples, notes, facade.groups.now())
    return tagged(shown, shown.group.revision)


@post("/v1/groups/{group_id:str}/assign", status_code=200, opt=changes(wire_groups.AssignGroup))
async def assign_group(request: Asked, group_id: FromPath[str]) -> Response[wire_groups.GroupView]:
    """Give a group to somebody, or to nobody."""
    asked = await body_of(request, wire_groups.AssignGroup)
    act = facade_of(request).groups.assign(
        group_id,
        asked.owner,
        actor=actor_of(request),
        reason=asked.reason,
        seen=revision_of(request),
    )
    return await _changed(request, act)


@post("/v1/groups/{group_id:str}/resolve", status_code=200, opt=changes(wire.Action))
async def resolve_group(request: Asked, group_id: FromPath[str]) -> Response[wire_groups.GroupView]:
    """Say that the cause is gone; a later send that fails the same way makes it `regressed`."""
    asked = await body_of(request, wire.Action)
    act = facade_of(request).groups.resolve(
        group_id, actor=actor_of(request), reason=asked.reason, seen=revision_of(request)
    )
    return await _changed(request, act)


@post("/v1/groups/{group_id:str}/ignore", status_code=200, opt=changes(wire_groups.IgnoreGroup))
async def ignore_group(request: Asked, group_id: FromPath[str]) -> Response[wire_groups.GroupView]:
    """Leave a group out of the open ones: until an instant, so many failures, or for good."""
    asked = await body_of(request, wire_groups.IgnoreGroup)
    act = facade_of(request).groups.ignore(
        group_id,
        until=None if asked.until is None else millis(asked.until),
        failures=asked.failures,
        actor=actor_of(request),
        reason=asked.reason,
        seen=revision_of(request),
    )
    return await _changed(request, act)


@post("/v1/groups/{group_id:str}/judge", status_code=200, opt=changes(wire_groups.JudgeGroup))
async def judge_group(request: Asked, group_id: FromPath[str]) -> Response[wire_groups.GroupView]:
    """Say that a group's failures are temporary or permanent, whatever the rules say.

    It holds for failures that come: `temporary` ones are retried as the policy retries, with
    `permanent` a delivery dies at once (`JUDGED_PERMANENT`). Null takes it back.
    """
    asked = await body_of(request, wire_groups.JudgeGroup)
    act = facade_of(request).groups.judge(
        group_id,
        asked.nature,
        actor=actor_of(request),
        reason=asked.reason,
        seen=revision_of(request),
    )
    return await _changed(request, act)


@post(
    "/v1/groups/{group_id:str}/attribute", status_code=200, opt=changes(wire_groups.AttributeGroup)
)
async def attribute_group(
    request: Asked, group_id: FromPath[str]
) -> Response[wire_groups.GroupView]:
    """Say what lies behind a group, whatever its class suggests; null takes it back."""
    asked = await body_of(request, wire_groups.AttributeGroup)
    act = facade_of(request).groups.attribute(
        group_id,
        asked.cause,
        actor=actor_of(request),
        reason=asked.reason,
        seen=revision_of(request),
    )
    return await _changed(request, act)


@post("/v1/groups/{group_id:str}/reopen", status_code=200, opt=changes(wire.Action))
async def reopen_group(request: Asked, group_id: FromPath[str]) -> Response[wire_groups.GroupView]:
    """Say that a group needs somebody again."""
    asked = await body_of(request, wire.Action)
    act = facade_of(request).groups.reopen(
        group_id, actor=actor_of(request), reason=asked.reason, seen=revision_of(request)
    )
    return await _changed(request, act)


async def _changed(request: Asked, act: Awaitable[Group]) -> Response[wire_groups.GroupView]:
    now = facade_of(request).groups.now()
    done = await matched(act, lambda group: wire_groups.group(group, now))
    return tagged(wire_groups.group(done, now), done.revision)


HANDLERS = (
    list_groups,
    show_group,
    assign_group,
    resolve_group,
    ignore_group,
    judge_group,
    attribute_group,
    reopen_group,
)
