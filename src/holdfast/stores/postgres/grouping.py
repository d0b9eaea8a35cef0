"""Failure groups: what a commit writes of them, and reading them."""

from collections.abc import Collection, Sequence

import asyncpg

from holdfast.model.alert import Alerted, AlertQuery, Critical, CriticalQuery
from holdfast.model.group import GROUPS_MAX, Bucket, Change, Counted, Group, Held, Sighting
from holdfast.model.search import Search
from holdfast.stores import rows
from holdfast.stores.planning import grouping as planning
from holdfast.stores.planning.searching import EVERY
from holdfast.stores.postgres.searching import token_values
from holdfast.stores.postgres.sql import Part, columns, one


def counted(sightings: Sequence[Sighting], endings: Sequence[planning.Ending]) -> list[Part]:
    """Return what is counted in a commit."""
    groups, buckets = planning.counted(sightings, endings)
    parts = []
    if groups:
        parts.append(Part("sight_groups", columns(planning.COUNTED, groups)))
    if buckets:
        parts.append(Part("count_failures", columns(planning.BUCKETS, buckets)))
    return parts


def looked(change: Change | None) -> list[Part]:
    """Return what is looked up for a person's change."""
    return [] if change is None else [Part("group_revision", {"id": change.after.id})]


def check(change: Change | None, stored: int | None) -> None:
    """Refuse a change of a group that is not as it was seen."""
    if change is not None:
        planning.check(change, int(stored == change.seen))


def written(change: Change | None) -> list[Part]:
    """Return a person's change."""
    return [] if change is None else [Part("change_group", planning.changed(change), 1)]


async def tallies(connection: asyncpg.Connection, search: Search) -> list[Counted]:
    """Return groups with their failing deliveries that match."""
    plan, more = planning.asked(search, GROUPS_MAX)
    values = {**plan.values, **token_values(plan), **more}
    lines = plan.lines | ({"grouped", EVERY} if plan.whole else {"grouped"})
    return planning.tallies(await one(connection, "search", lines, **values))


async def groups(connection: asyncpg.Connection, ids: Collection[str]) -> list[Group]:
    """Return these groups."""
    return rows.groups(await one(connection, "groups", {"ids"}, ids=list(ids)))


async def returned(connection: asyncpg.Connection) -> list[Group]:
    """Return groups that came back unnoticed."""
    return rows.groups(await one(connection, "groups", {"untold"}))


async def judged(connection: asyncpg.Connection) -> list[Group]:
    """Return groups that a person judged."""
    return rows.groups(await one(connection, "groups", {"judged"}))


async def failures(
    connection: asyncpg.Connection, ids: Collection[str], first: int, width: int
) -> dict[str, dict[int, Bucket]]:
    """Return failures by group and time."""
    values = {"ids": list(ids), "first": first, "width": width}
    return rows.failures(await one(connection, "failures", **values))


async def assignees(connection: asyncpg.Connection, account: str | None, limit: int) -> list[Held]:
    """Return who looks at dead deliveries."""
    given = {} if account is None else {"scope": account}
    return rows.held(await one(connection, "assignees", given, limit=limit, **given))


async def alerts(connection: asyncpg.Connection, query: AlertQuery) -> Alerted:
    """Return groups that were new or came back last."""
    values = planning.alerts(query)
    return rows.alerted(await one(connection, "alerts", values, **values))


async def critical(connection: asyncpg.Connection, query: CriticalQuery) -> Critical:
    """Return failing deliveries of a priority or above."""
    values = planning.critical(query)
    return rows.critical(query, await one(connection, "critical", values, **values))
