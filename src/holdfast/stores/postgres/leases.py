"""Workers: the list, their leases, and which lanes they own.

A renewal changes columns that are no key, which a commit's FOR KEY SHARE does not block; taking a
worker off the list deletes its row, which waits for the commit under way and makes the next one
find nothing.
"""

from collections.abc import Collection, Sequence
from typing import Final

import asyncpg
import msgspec

from holdfast.errors import StoreError, StoreLost
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER
from holdfast.model.worker import Acquired, Load, Order, Ownership, Survey, Worker
from holdfast.stores import rows
from holdfast.stores.postgres import reading
from holdfast.stores.postgres.sql import change, many, one, row

_SURVEY: Final = msgspec.json.Decoder(Survey)
_OWNERS: Final = msgspec.json.Decoder(dict[str, int])
_ORDER: Final = msgspec.json.Decoder(Order)
_STATE: Final = msgspec.json.Decoder(LaneState)


async def join(connection: asyncpg.Connection, worker: Worker) -> Ownership:
    """Put a worker on the list."""
    found = await row(connection, "join", **msgspec.structs.asdict(worker))
    if found is None:
        raise StoreError("the row that counts the epochs is missing")
    return Ownership(found["epoch"], clean=True, now=found["started_at"], shared=True)


async def renew(connection: asyncpg.Connection, epoch: int, load: Load) -> int:
    """Extend a lease and return store time.

    Raises:
        StoreLost: the worker is not on the list any more.
    """
    now: int | None = await one(connection, "renew", epoch=epoch, **msgspec.structs.asdict(load))
    if now is None:
        raise lost(epoch)
    return now


async def leave(connection: asyncpg.Connection, epoch: int) -> None:
    """Take the worker itself off the list.

    Raises:
        StoreLost: it is not on the list any more.
    """
    async with connection.transaction():
        if not await change(connection, "leave", epoch=epoch):
            raise lost(epoch)
        await change(connection, "free_lanes", epochs=[epoch])


async def survey(connection: asyncpg.Connection) -> Survey:
    """Return who is there and what waits without an owner."""
    return _SURVEY.decode(await one(connection, "survey"))


async def expel(connection: asyncpg.Connection, epochs: Sequence[int]) -> tuple[int, ...]:
    """Take workers off the list whose lease has ended."""
    async with connection.transaction():
        rows_gone = await many(connection, "expel", epochs=list(epochs))
        gone = tuple(each["epoch"] for each in rows_gone)
        if gone:  # a statement of its own: it sees what they acquired until now
            await change(connection, "free_lanes", epochs=list(gone))
    return gone


async def acquire(
    connection: asyncpg.Connection, epoch: int, recipients: Sequence[str]
) -> list[Acquired]:
    """Take lanes.

    Raises:
        StoreLost: the worker is not on the list any more.
    """
    names = sorted(recipients)  # in one order, so that two workers do not wait for each other
    bodies = [rows.lane_row(LaneState(name))[1] for name in names]
    found = await many(connection, "acquire", epoch=epoch, recipient=names, body=bodies)
    if not found and await one(connection, "epoch", epoch=epoch) is None:
        raise lost(epoch)
    states = [(_STATE.decode(each["body"]), each["clean"], each["stamp"]) for each in found]
    due = dict(await reading.due_lanes(connection, [state.recipient for state, _, _ in states]))
    return [
        Acquired(
            reading.stamped(state, stamp),
            clean,
            due.get(state.recipient, NEVER),
        )
        for state, clean, stamp in states
    ]


async def owners(connection: asyncpg.Connection) -> dict[str, int]:
    """Return the epoch of the owner of each lane that has one."""
    return _OWNERS.decode(await one(connection, "owners"))


async def order(connection: asyncpg.Connection, order: Order) -> None:
    """Leave word for the owner of a lane."""
    body = msgspec.json.encode(order).decode()
    await change(connection, "order", id=order.id, recipient=order.recipient, body=body)


async def take_orders(
    connection: asyncpg.Connection, epoch: int, recipients: Collection[str]
) -> list[Order]:
    """Take what was asked of lanes that are the worker's."""
    found = await many(connection, "take_orders", epoch=epoch, recipients=list(recipients))
    return sorted((_ORDER.decode(each["body"]) for each in found), key=lambda each: each.at)


async def withdraw(connection: asyncpg.Connection, order_id: str) -> bool:
    """Take an order back; False: it is not there any more."""
    return bool(await change(connection, "withdraw", id=order_id))


def lost(epoch: int) -> StoreLost:
    """Return what a worker hears that was taken off the list."""
    return StoreLost(f"worker {epoch} was not heard of in time: others have taken its lanes over")
