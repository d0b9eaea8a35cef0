"""Searches over deliveries; each sees one state."""

from typing import Any

import apsw

from holdfast.model.message import NEVER
from holdfast.model.search import Found, Search, Total
from holdfast.stores import rows
from holdfast.stores.planning import searching as planning
from holdfast.stores.sqlite.session import snapshot
from holdfast.stores.sqlite.sql import one


def find(connection: apsw.Connection, search: Search) -> Found:
    """Return a page of what matches."""
    plan = planning.plan(search)
    with snapshot(connection):
        floor = _floor(connection, plan, planning.page_look(search, plan))
        text = _asked(connection, plan, "page", floor, search.limit)
    return planning.found(search, rows.deliveries(text), floor)


def count(connection: apsw.Connection, search: Search) -> Total:
    """Return how many match of the rows that are looked at."""
    plan = planning.plan(search)
    with snapshot(connection):
        floor = _floor(connection, plan, planning.count_look(search, plan))
        number = _asked(connection, plan, "count", floor, NEVER)
    return Total(number, floor is not None)


def _floor(connection: apsw.Connection, plan: planning.Plan, look: int) -> str | None:
    """Return the last id that may be looked at, None: the walk ends before."""
    if plan.few:
        return None
    values = {name: plan.values[name] for name in ("below", "floor", "driver")}
    found: str | None = one(connection, "search_floor", plan.lines, look=look, **values)
    return found


def _asked(
    connection: apsw.Connection, plan: planning.Plan, what: str, floor: str | None, limit: int
) -> Any:
    values = {name: value(name, each) for name, each in plan.values.items()}
    values |= {"limit": limit, "floor": floor or plan.values["floor"]}
    return one(connection, "search", plan.lines | {what}, **values)


def value(name: str, given: Any) -> Any:
    """Return a value as the query takes it: lists are JSON, tokens in it hexadecimal."""
    if name == "tokens":
        given = [(group, token.hex()) for group, token in given]
    return rows.json_text(given) if isinstance(given, list) else given
