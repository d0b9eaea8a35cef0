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
    look = planning.page_look(search, plan)
    # Of one state: what comes into the walk between the two would push others out of its end.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        floor = await _floor(connection, plan, look)
        text = await _asked(connection, plan, "page", floor=floor, look=look, limit=search.limit)
    return planning.found(search, rows.deliveries(text), floor)


async def count(connection: asyncpg.Connection, search: Search) -> Total:
    """Return how many match of the rows that are looked at."""
    plan = planning.plan(search)
    look = planning.count_look(search, plan)
    floor = await _floor(connection, plan, look)
    number = await _asked(connection, plan, "count", floor=floor, look=look, limit=look)
    return Total(number, floor is not None)


async def _floor(connection: asyncpg.Connection, plan: planning.Plan, look: int) -> str | None:
    """Return the last id that may be looked at, None: the walk ends before."""
    if plan.few:
        return None
    found: str | None = await one(connection, "search_floor", plan.lines, look=look, **plan.values)
    return found


def token_values(plan: planning.Plan) -> dict[str, list[Any]]:
    """Return the tokens as two columns."""
    tokens = plan.values.get("tokens", ())
    return {"places": [place for place, _ in tokens], "tokens": [token for _, token in tokens]}


async def _asked(
    connection: asyncpg.Connection,
    plan: planning.Plan,
    what: str,
    *,
    floor: str | None,
    look: int,
    limit: int,
) -> Any:
    values: dict[str, Any] = {
        **plan.values,
        "look": look,
        "limit": limit,
        "floor": floor or plan.values["floor"],
        **token_values(plan),
    }
    return await one(connection, "search", plan.lines | {what}, **values)
