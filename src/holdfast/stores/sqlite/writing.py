"""One batch, one durable transaction."""

from typing import Final

import apsw

from holdfast.errors import StoreLost
from holdfast.model.lane import LaneState
from holdfast.store import Accepted, Batch, Committed, Note, Snapshot
from holdfast.stores.sqlite import rows
from holdfast.stores.sqlite.accepting import accept
from holdfast.stores.sqlite.counting import Tally
from holdfast.stores.sqlite.session import transaction
from holdfast.stores.sqlite.sql import Bulk, change, one
from holdfast.stores.sqlite.transiting import transit

_LANES: Final = Bulk("save_lanes")
_SNAPSHOTS: Final = Bulk("save_snapshots")
_NOTES: Final = Bulk("append_notes")
SNAPSHOT_STAMP_MS: Final = 3_600_000
"""The use of a snapshot is written at most this often."""


class Writer:
    """Commits batches; remembers which snapshots were stamped of late."""

    def __init__(self) -> None:
        self._stamped: set[str] = set()
        self._hour = -1

    def commit(self, connection: apsw.Connection, batch: Batch) -> Committed:
        """Write a batch wholly, or not at all."""
        with transaction(connection):
            check_epoch(connection, batch.epoch)
            tally = Tally()
            accepts = accept(connection, batch.accepts, tally) if batch.accepts else ()
            answers, notes = (
                transit(connection, batch.transitions, batch.now, tally)
                if batch.transitions
                else ((), [])
            )
            tally.write(connection)
            used = self._save_snapshots(connection, batch)
            _save_lanes(connection, batch.lanes)
            _append_notes(connection, (*batch.notes, *_accept_notes(batch, accepts), *notes))
        self._stamped |= used
        return Committed(accepts, answers)

    def _save_snapshots(self, connection: apsw.Connection, batch: Batch) -> set[str]:
        hour = batch.now // SNAPSHOT_STAMP_MS
        if hour != self._hour:
            self._hour = hour
            self._stamped.clear()
        _SNAPSHOTS.run(connection, [_snapshot_row(each, batch.now) for each in batch.snapshots])
        used = {
            name
            for each in batch.transitions
            if each.attempt is not None
            for name in (each.attempt.configuration, each.attempt.context)
        } - self._stamped
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


def _snapshot_row(snapshot: Snapshot, now: int) -> tuple[str, str, int]:
    return (snapshot.id, snapshot.body.decode(), now)


def _save_lanes(connection: apsw.Connection, lanes: tuple[LaneState, ...]) -> None:
    _LANES.run(connection, [(each.recipient, rows.json_text(each)) for each in lanes])


def _accept_notes(batch: Batch, answers: tuple[Accepted, ...]) -> list[Note]:
    """Return the audit lines of the messages that are new."""
    return [
        note
        for member, answer in zip(batch.accepts, answers, strict=True)
        if member.notes and answer.message_id == member.message.id
        for note in member.notes
    ]


def _append_notes(connection: apsw.Connection, notes: tuple[Note, ...]) -> None:
    _NOTES.run(
        connection,
        [
            (each.at, each.actor, each.action, each.subject, each.reason, each.detail)
            for each in notes
        ],
    )
