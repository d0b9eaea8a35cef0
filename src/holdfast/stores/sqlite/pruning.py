"""Retention: what may go is looked up apart and removed in short transactions (C17)."""

from typing import Final

import apsw
import msgspec

from holdfast.model.group import BUCKET_MS
from holdfast.stores.planning.counting import Tally
from holdfast.stores.planning.stamping import STAMP_MS
from holdfast.stores.rows import json_text
from holdfast.stores.sqlite.session import transaction
from holdfast.stores.sqlite.sql import change, one
from holdfast.stores.sqlite.writing import write_counters

_PLACES: Final = msgspec.json.Decoder(list[int])
_FOUND: Final = msgspec.json.Decoder(tuple[list[int], int | None])
_GROUPS: Final = msgspec.json.Decoder(list[tuple[str, str, int]])


def payloads(
    connection: apsw.Connection, before: int, start: int, limit: int
) -> tuple[list[int], int | None]:
    """Return messages accepted since `start` whose payload may go, and when the last one came."""
    text = one(connection, "prunable_payloads", before=before, start=start, limit=limit)
    return _FOUND.decode(text)


def rows(connection: apsw.Connection, before: int, limit: int) -> list[int]:
    """Return messages that may go."""
    return _PLACES.decode(one(connection, "prunable_rows", before=before, limit=limit))


def prune_payloads(connection: apsw.Connection, places: list[int], before: int) -> int:
    """Remove payloads, but for those that somebody needs again meanwhile.

    Those that somebody removed from outside count too: else they would be found again and again.
    """
    with transaction(connection):
        # First the pages are freed: what is written next may need one, in a store that is full.
        text = json_text(places)
        change(connection, "prune_payloads", places=text, before=before)
        gone = change(connection, "mark_purged", places=text)
        change(connection, "prune_tokens", places=text)
        return gone


def prune_rows(connection: apsw.Connection, places: list[int], before: int) -> int:
    """Remove messages with their deliveries and count these as pruned."""
    with transaction(connection):
        gone, groups = one(connection, "prune_count", places=json_text(places), before=before)
        tally = Tally()
        for recipient, status, number in _GROUPS.decode(groups):
            tally.moved(recipient, status, "pruned", number=number)
        write_counters(connection, tally)
        change(connection, "prune_payloads", places=gone, before=before)
        for name in ("prune_tokens", "prune_deliveries", "prune_messages", "mark_purged"):
            change(connection, name, places=gone)
        return len(_PLACES.decode(gone))


def prune_events(connection: apsw.Connection, before: int, limit: int) -> int:
    """Remove old retry events, and snapshots that no kept event can name."""
    with transaction(connection):
        gone = change(connection, "prune_events", before=before, limit=limit)
        if gone < limit:
            # A stamp may be an hour older than the last use.
            change(connection, "prune_snapshots", before=before - 2 * STAMP_MS)
        return gone


def prune_keys(connection: apsw.Connection, before: int, limit: int) -> int:
    """Forget old keys."""
    with transaction(connection):
        return change(connection, "prune_keys", before=before, limit=limit)


def prune_groups(connection: apsw.Connection, before: int) -> None:
    """Forget groups that have nothing failing any more, and when they failed long ago."""
    with transaction(connection):
        change(connection, "prune_groups", before=before)
        change(connection, "prune_buckets", before=before // BUCKET_MS)


def prune_operations(connection: apsw.Connection, before: int, limit: int) -> int:
    """Remove results of old operations, and then these."""
    with transaction(connection):
        results = change(connection, "prune_results", before=before, limit=limit)
        return results + change(connection, "prune_operations", before=before)
