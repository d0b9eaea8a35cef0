"""Counters by recipient, gathered in a transaction and written at its end (promise 2)."""

from typing import Final

import apsw

from holdfast.model.delivery import band
from holdfast.stores.sqlite.sql import Bulk

_OPEN: Final = Bulk("open_counters")
_MOVE: Final = Bulk("move_counters")
_COLUMN: Final = {
    "created": 0,
    "pending": 1,
    "delivered": 2,
    "dead": 3,
    "discarded": 4,
    "pruned": 5,
}
_HIGH: Final = 6
"""Column of the pending ones of high priority; normal and low follow."""
_CLASS: Final = tuple(_HIGH + band(priority, 0) // 2 for priority in range(10))
_WIDTH: Final = _HIGH + 3


class Tally:
    """Differences of the counters."""

    def __init__(self) -> None:
        self._moves: dict[str, list[int]] = {}
        self._new: set[str] = set()

    def created(self, recipient: str, status: str, priority: int) -> None:
        """Count a new delivery."""
        self._new.add(recipient)
        row = self._row(recipient)
        row[0] += 1
        row[_COLUMN[status]] += 1
        if status == "pending":
            row[_CLASS[priority]] += 1

    def moved(
        self, recipient: str, before: str, after: str, *, priority: int = 0, number: int = 1
    ) -> None:
        """Count deliveries that changed from one status (or to `pruned`) to another."""
        if before == after:
            return
        row = self._row(recipient)
        row[_COLUMN[before]] -= number
        row[_COLUMN[after]] += number
        if before == "pending":
            row[_CLASS[priority]] -= number
        elif after == "pending":
            row[_CLASS[priority]] += number

    def write(self, connection: apsw.Connection) -> None:
        """Write the differences."""
        if self._new:
            _OPEN.run(connection, [(recipient,) for recipient in self._new])
        if self._moves:
            _MOVE.run(connection, [(name, *row) for name, row in self._moves.items()])

    def _row(self, recipient: str) -> list[int]:
        row = self._moves.get(recipient)
        if row is None:
            row = self._moves[recipient] = [0] * _WIDTH
        return row
