"""The days of the event table: made when the first event of a day comes, dropped whole."""

from collections.abc import Iterable
from typing import Final

import asyncpg

from holdfast.stores.postgres.sql import one

DAY_MS: Final = 86_400_000


class Days:
    """Remembers which days have a partition; another process may have dropped or made some."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    async def open(self, connection: asyncpg.Connection, instants: Iterable[int]) -> None:
        """Make sure that events of these instants have a place."""
        missing = {instant // DAY_MS for instant in instants} - self._known
        if missing:
            await one(connection, "open_days", days=sorted(missing))
            self._known |= missing

    async def forgotten(
        self, connection: asyncpg.Connection, error: asyncpg.CheckViolationError
    ) -> bool:
        """Tell whether a write failed as a day is gone that was there; then look anew."""
        known = set(await existing(connection)) & self._known
        gone = error.constraint_name is None and known != self._known
        self._known = known
        return gone

    async def drop(self, connection: asyncpg.Connection, before: int) -> int:
        """Drop the days that ended before an instant and return how many events they had."""
        number = 0
        for day in await existing(connection):
            if (day + 1) * DAY_MS <= before:
                self._known.discard(day)
                number += await one(connection, "drop_day", day=day)
        return number


async def existing(connection: asyncpg.Connection) -> list[int]:
    """Return the days that have a partition, counted from 1970."""
    return sorted(await one(connection, "days") or ())
