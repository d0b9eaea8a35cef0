"""Searches over deliveries."""

from typing import Any

import asyncpg

from holdfast.model.search import Found, Search, Total
from holdfast.stores import rows
from holdfast.stores.planning import searching as planning
from holdfast.stores.postgres.sql import one


async def find(connection: asyncpg.Connection, search: Search) -> Found:
    """Return a page of what matches."""
    plan = planning.plan(search)
    floor = await _floor(connection, plan, planning.page_look(search, plan))
    text = await _asked(connection, search, plan, "page", floor=floor)
    return planning.found(search, rows.deliveries(text), floor)


async def count(connection: asyncpg.Connection, search: Search) -> Total:
    """Return how many match of the rows that are looked at."""
    plan = planning.plan(search)
    floor = await _floor(connection, plan, search.look)
    return Total(await _asked(connection, search, plan, "count", floor=floor), floor is not None)


async def _floor(connection: asyncpg.Connection, plan: planning.Plan, look: int) -> str | None:
    """Return the last id that may be looked at, None: the walk ends before."""
    if plan.few:
        return None
    found: str | None = await one(connection, "search_floor", plan.lines, look=look, **plan.values)
    return found


async def _asked(
    connection: asyncpg.Connection,
    search: Search,
    plan: planning.Plan,
    what: str,
    *,
    floor: str | None,
) -> Any:
    values: dict[str, Any] = {
        **plan.values,
        "look": search.look,
        "limit": search.limit if what == "page" else search.look,
        "floor": floor or plan.values["floor"],
        "places": [place for place, _ in plan.values.get("tokens", ())],
        "tokens": [token for _, token in plan.values.get("tokens", ())],
    }
    return await one(connection, "search", plan.lines | {what}, **values)
