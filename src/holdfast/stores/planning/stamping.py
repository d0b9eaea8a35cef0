"""Which snapshots are in use, said at most once an hour each."""

from typing import Final

from holdfast.store import Batch

STAMP_MS: Final = 3_600_000
"""The use of a snapshot is written at most this often."""


class Stamps:
    """Remembers which snapshots were stamped of late."""

    def __init__(self) -> None:
        self._stamped: set[str] = set()
        self._hour = -1

    def due(self, batch: Batch) -> set[str]:
        """Return the snapshots whose use a batch must write; `written` when it has."""
        hour = batch.now // STAMP_MS
        if hour != self._hour:
            self._hour = hour
            self._stamped.clear()
        return {
            name
            for each in batch.transitions
            if each.attempt is not None
            for name in (each.attempt.configuration, each.attempt.context)
        } - self._stamped

    def written(self, names: set[str]) -> None:
        """Note that these are on disk."""
        self._stamped |= names
