"""Failure groups: changing and reading them."""

from collections.abc import Collection

import apsw

from holdfast.model.alert import Alerted, AlertQuery, Critical, CriticalQuery
from holdfast.model.group import GROUPS_MAX, Bucket, Change, Counted, Group, Held
from holdfast.model.search import Search
from holdfast.stores import rows
from holdfast.stores.planning import grouping as planning
from holdfast.stores.sqlite.searching import value
from holdfast.stores.sqlite.sql import change, one


def change_group(connection: apsw.Connection, asked: Change) -> None:
    """Keep what a person made of a group."""
    planning.check(asked, change(connection, "change_group", **planning.changed(asked)))


def tallies(connection: apsw.Connection, search: Search) -> list[Counted]:
    """Return groups with their failing deliveries that match."""
    plan, more = planning.asked(search, GROUPS_MAX)
    values = {name: value(name, each) for name, each in plan.values.items()} | more
    return planning.tallies(one(connection, "search", plan.lines | {"grouped"}, **values))


def groups(connection: apsw.Connection, ids: Collection[str]) -> list[Group]:
    """Return these groups."""
    text = one(connection, "groups", frozenset({"ids"}), ids=rows.json_text(list(ids)))
    return rows.groups(text)


def returned(connection: apsw.Connection) -> list[Group]:
    """Return groups that came back unnoticed."""
    return rows.groups(one(connection, "groups", frozenset({"untold"})))


def judged(connection: apsw.Connection) -> list[Group]:
    """Return groups that a person judged."""
    return rows.groups(one(connection, "groups", frozenset({"judged"})))


def failures(
    connection: apsw.Connection, ids: Collection[str], first: int, width: int
) -> dict[str, dict[int, Bucket]]:
    """Return failures by group and time."""
    values = {"ids": rows.json_text(list(ids)), "first": first, "width": width}
    return rows.failures(one(connection, "failures", **values))


def assignees(connection: apsw.Connection, account: str | None, limit: int) -> list[Held]:
    """Return who looks at dead deliveries."""
    given = {} if account is None else {"scope": account}
    return rows.held(one(connection, "assignees", frozenset(given), limit=limit, **given))


def alerts(connection: apsw.Connection, query: AlertQuery) -> Alerted:
    """Return groups that were new or came back last."""
    values = planning.alerts(query)
    return rows.alerted(one(connection, "alerts", frozenset(values), **values))


def critical(connection: apsw.Connection, query: CriticalQuery) -> Critical:
    """Return failing deliveries of a priority or above."""
    values = planning.critical(query)
    name = "critical" if query.account is None else "critical_account"
    return rows.critical(query, one(connection, name, **values))
