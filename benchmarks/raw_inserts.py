"""The ceiling of batch intake: the same rows, ready in memory, inserted 500 to a commit.

A program: CONFIG COUNT. The store is ours (schema, indexes, pragmas); the statements are plain
INSERTs by `executemany`. It prepares the rows, says that it is ready; `go` inserts.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec
import talk
import uvloop
from fill import accepts, router
from load import Stopwatch, names

from holdfast.app import App
from holdfast.config import load
from holdfast.model.delivery import Delivery
from holdfast.store import Accept
from holdfast.stores.sqlite import accepting, opening

PER_COMMIT = 500
_MESSAGE = (
    "place, purged, id, account, flow, key, digest, size, value, priority, quality, region,"
    " consent, not_before, expires_at, created_at"
)


def statement(table: str, columns: str) -> str:
    """Return a plain INSERT."""
    marks = ", ".join("?" * len(columns.split(",")))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  # our own names


MESSAGES = statement("messages", _MESSAGE)
PAYLOADS = statement("payloads", "place, sealed")
DELIVERIES = statement("deliveries", ", ".join(Delivery.__struct_fields__))


def insert(connection: apsw.Connection, members: Sequence[Accept]) -> None:
    """Insert in commits of 500."""
    for start in range(0, len(members), PER_COMMIT):
        chunk = members[start : start + PER_COMMIT]
        connection.execute("BEGIN IMMEDIATE")
        placed = list(enumerate((each.message for each in chunk), start + 1))
        connection.executemany(MESSAGES, [accepting.message_row(*each) for each in placed])
        connection.executemany(
            PAYLOADS, [(place, one.sealed) for place, one in placed if one.sealed is not None]
        )
        connection.executemany(
            DELIVERIES,
            [msgspec.structs.astuple(one) for each in chunk for one in each.deliveries],
        )
        connection.execute("COMMIT")


async def main(config: Path, count: int) -> None:
    """Prepare; insert when told."""
    app = await App.open(load(config, {}))
    flows = names(len(app.config.catalog.flows))
    each = count // len(flows)
    now = time.time_ns() // 1_000_000
    members = list(accepts(app, router(app), dict.fromkeys(flows, each), now))
    await app.engine.store.close()
    path = str(config.parent / "data" / "holdfast.db")
    connection = opening.writer(path, synchronous="FULL", quota_bytes=None, vfs=None)

    async def go() -> dict[str, Any]:
        watch = Stopwatch()
        await asyncio.to_thread(insert, connection, members)
        return watch.read(len(members))

    talk.say(ready=True)
    await talk.serve(go=go)
    connection.close()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))
