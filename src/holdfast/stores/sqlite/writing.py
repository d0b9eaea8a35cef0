"""One batch, one durable transaction."""

from typing import Final

import apsw

from holdfast.errors import StoreLost
from holdfast.store import Batch, Committed
from holdfast.stores import rows
from holdfast.stores.planning import accepting as planning
from holdfast.stores.planning.counting import Tally
from holdfast.stores.planning.stamping import Stamps
from holdfast.stores.planning.transiting import check_all
from holdfast.stores.sqlite import grouping, operating
from holdfast.stores.sqlite.accepting import accept
from holdfast.stores.sqlite.session import transaction
from holdfast.stores.sqlite.sql import Bulk, change, one
from holdfast.stores.sqlite.transiting import transit

_LANES: Final = Bulk("save_lanes")
_SNAPSHOTS: Final = Bulk("save_snapshots")
_NOTES: Final = Bulk("append_notes")
_OPEN: Final = Bulk("open_counters")
_MOVE: Final = Bulk("move_counters")


class Writer:
    """Commits batches."""

    def __init__(self) -> None:
        self._stamps = Stamps()

    def commit(self, connection: apsw.Connection, batch: Batch) -> Committed:
        """Write a batch wholly, or not at all."""
        with transaction(connection):
            check_epoch(connection, batch.epoch)
            operating.check(connection, batch)
            tally = Tally()
            accepts = accept(connection, batch.accepts, tally) if batch.accepts else ()
            answers, notes = (
                transit(connection, batch.transitions, batch.now, tally)
                if batch.transitions
                else ((), [])
            )
            if batch.strict:
                check_all(batch.transitions, answers)
            write_counters(connection, tally)
            if batch.group is not None:
                grouping.change_group(connection, batch.group)
            operation = operating.write(connection, batch, answers)
            used = self._save_snapshots(connection, batch)
            _LANES.run(connection, [rows.lane_row(each) for each in batch.lanes])
            lines = (*batch.notes, *planning.notes(batch.accepts, accepts), *notes)
            _NOTES.run(connection, [rows.note_row(each) for each in lines])
        self._stamps.written(used)
        return Committed(accepts, answers, operation)

    def _save_snapshots(self, connection: apsw.Connection, batch: Batch) -> set[str]:
        saved = [rows.snapshot_row(each, batch.now) for each in batch.snapshots]
        _SNAPSHOTS.run(connection, saved)
        used = self._stamps.due(batch)
        if used:
            change(connection, "touch_snapshots", ids=rows.json_text(list(used)), now=batch.now)
        return used


def check_epoch(connection: apsw.Connection, epoch: int) -> None:
    """Refuse a writer that is no longer the owner.

    Raises:
        StoreLost: a later owner raised the epoch.
    """
    current, _ = one(connection, "owner")
    if current != epoch:
        raise StoreLost(f"epoch {epoch} is old: the store is owned with epoch {current}")


def write_counters(connection: apsw.Connection, tally: Tally) -> None:
    """Write the differences."""
    _OPEN.run(connection, tally.new)
    _MOVE.run(connection, tally.moves)
