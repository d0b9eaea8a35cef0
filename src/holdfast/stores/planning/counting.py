"""Counters by recipient, gathered for a transaction and written with it (promise 2)."""

from typing import Final

from holdfast.model.delivery import band

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
            row[_class(priority)] += 1

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
            row[_class(priority)] -= number
        elif after == "pending":
            row[_class(priority)] += number

    def ranked(self, recipient: str, before: int, after: int) -> None:
        """Count a pending delivery that got another priority."""
        row = self._row(recipient)
        row[_class(before)] -= 1
        row[_class(after)] += 1

    @property
    def new(self) -> list[tuple[str]]:
        """Return the recipients that got deliveries, as rows."""
        return [(recipient,) for recipient in sorted(self._new)]

    @property
    def moves(self) -> list[tuple[str | int, ...]]:
        """Return rows of a recipient and what to add to each of its counters.

        By recipient, so that two writers take the rows in one order.
        """
        return [(name, *row) for name, row in sorted(self._moves.items())]

    def _row(self, recipient: str) -> list[int]:
        row = self._moves.get(recipient)
        if row is None:
            row = self._moves[recipient] = [0] * _WIDTH
        return row


def _class(priority: int) -> int:
    """Return the column of a priority class; the database refuses what is out of range."""
    return _HIGH + band(priority, 0) // 2
