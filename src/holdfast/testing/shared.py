"""A database that several workers share, in memory and in virtual time: real SQLite below."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import apsw
import msgspec

from holdfast.clock import Clock
from holdfast.errors import StoreLost
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER
from holdfast.model.worker import (
    UNNAMED,
    Acquired,
    Hint,
    Load,
    Member,
    Order,
    Ownership,
    Survey,
    Worker,
)
from holdfast.store import Batch, Committed, Store
from holdfast.stores.sqlite import SqliteStore, opening
from holdfast.stores.sqlite.session import Session

T = TypeVar("T")


class _Placed(msgspec.Struct):
    """Who owns a lane, and how the last owner left it."""

    owner: int | None = None
    clean: bool = True
    stamp: int = 0
    offered: bool = False


class Line(Session):
    """A worker's way to the database, which may be cut.

    Attributes:
        up: set while it answers.
        lag_ms: how long each question takes.
        dead: the process has ended: nothing it asks is done.
    """

    def __init__(self, connection: apsw.Connection, clock: Clock) -> None:
        super().__init__(connection, inline=True)
        self._clock = clock
        self.lag_ms = 0.0
        self.up = asyncio.Event()
        self.up.set()
        self.dead = False

    async def reach(self) -> None:
        """Return when the database answers."""
        if self.lag_ms:
            await self._clock.pause(self.lag_ms)
        await self.up.wait()
        if self.dead:
            raise asyncio.CancelledError

    async def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """Return what `work` returns."""
        await self.reach()
        return await super().run(work)


class SharedDatabase:
    """What a server would hold; it outlives every worker.

    Args:
        clock: of the server; the workers' may be others.
        connection: the data; None: new.
    """

    def __init__(self, clock: Clock, connection: apsw.Connection | None = None) -> None:
        self.clock = clock
        self.connection = connection or apsw.Connection(":memory:")
        self.members: dict[int, Member] = {}
        self.placed: dict[str, _Placed] = {}
        self.sessions: list[SharedStore] = []
        self.orders: dict[str, Order] = {}
        self.epoch = 0
        self.inner = 0
        """The one owner that SQLite knows."""

    def session(self) -> "SharedStore":
        """Return a store for one worker."""
        store = SharedStore(self)
        self.sessions.append(store)
        return store

    def forget(self, store: Store) -> None:
        """Let go of the store of a worker that ended."""
        self.sessions = [each for each in self.sessions if each is not store]

    def take_off(self, epoch: int) -> None:
        """Take a worker off the list, and its lanes from it."""
        del self.members[epoch]
        for placed in self.placed.values():
            if placed.owner == epoch:
                placed.owner, placed.clean, placed.offered = None, False, False
                placed.stamp = self.clock.now()

    def is_member(self, epoch: int | None) -> bool:
        """Tell whether a worker is on the list."""
        return epoch in self.members

    def owner(self, recipient: str) -> int | None:
        """Return the epoch of a lane's owner, None: nobody."""
        placed = self.placed.get(recipient)
        return None if placed is None else placed.owner


class SharedStore(SqliteStore):
    """One worker's way to a shared database."""

    def __init__(self, database: SharedDatabase) -> None:
        opening.migrate(database.connection)
        self.line = Line(database.connection, database.clock)
        super().__init__(self.line)
        self.database = database
        self.heard: asyncio.Queue[Hint] = asyncio.Queue()
        self.tells = True
        """Its hints reach the others."""

    async def close(self) -> None:
        """Leave the connection to the others."""

    def _check(self, epoch: int) -> None:
        if not self.database.is_member(epoch):
            raise StoreLost(f"worker {epoch} is not on the list")

    async def commit(self, batch: Batch) -> Committed:
        """Write a batch of a worker that is on the list; of lanes only its own."""
        await self.line.reach()
        base = self.database
        self._check(batch.epoch)
        if not base.inner:
            base.inner = (await super().join(batch.now)).epoch
        own = tuple(
            each for each in batch.lanes if self.database.owner(each.recipient) == batch.epoch
        )
        plain = msgspec.structs.replace(batch, epoch=base.inner, lanes=own)
        done = await super().commit(plain)
        for each in own:
            if each.recipient in batch.released:
                base.placed[each.recipient].owner = None
                base.placed[each.recipient].clean = True
            base.placed[each.recipient].offered = each.recipient in batch.offered
        return done

    async def join(self, now: int, worker: Worker = UNNAMED) -> Ownership:
        """Become a worker."""
        await self.line.reach()
        del now  # the server's clock counts
        base = self.database
        base.epoch += 1
        now = base.clock.now()
        base.members[base.epoch] = Member(base.epoch, worker, now, now + worker.lease_ms, 0)
        return Ownership(base.epoch, clean=True, now=now, shared=True)

    async def renew(self, epoch: int, load: Load, now: int) -> int:
        """Extend the lease and return store time."""
        await self.line.reach()
        self._check(epoch)
        now = self.database.clock.now()
        member = self.database.members[epoch]
        worker = msgspec.structs.replace(member.worker, slots=load.slots)
        self.database.members[epoch] = msgspec.structs.replace(
            member,
            worker=worker,
            lease_until=now + worker.lease_ms,
            in_flight=load.in_flight,
            leaving=load.leaving,
            open_slots=load.open_slots,
        )
        return now

    async def leave(self, epoch: int) -> None:
        """Say goodbye."""
        await self.line.reach()
        self._check(epoch)
        self.database.take_off(epoch)

    async def survey(self) -> Survey:
        """Return who is there and what waits without an owner."""
        await self.line.reach()
        base = self.database
        owners = [each.owner for each in base.placed.values()]
        members = tuple(
            msgspec.structs.replace(each, lanes=owners.count(epoch))
            for epoch, each in sorted(base.members.items())
        )
        counts = await self.counts()
        free = {
            name
            for name, each in counts.items()
            if each.pending and self.database.owner(name) is None
        }
        free |= {name for name, each in base.placed.items() if each.offered and not each.owner}
        orders = {each.recipient for each in base.orders.values()}
        return Survey(base.clock.now(), members, tuple(sorted(free)), tuple(sorted(orders)))

    async def expel(self, epochs: Sequence[int]) -> tuple[int, ...]:
        """Take workers off the list whose lease has ended."""
        await self.line.reach()
        now, members = self.database.clock.now(), self.database.members
        gone = tuple(
            each for each in epochs if each in members and members[each].lease_until <= now
        )
        for each in gone:
            self.database.take_off(each)
        return gone

    async def acquire(self, epoch: int, recipients: Sequence[str]) -> list[Acquired]:
        """Take lanes that are free, or ours already."""
        await self.line.reach()
        self._check(epoch)
        due = dict(await self.due_lanes(recipients))
        states = {each.recipient: each for each in await self.lane_states()}
        got = []
        for name in sorted(recipients):
            placed = self.database.placed.setdefault(name, _Placed())
            if placed.owner not in {None, epoch}:
                continue
            placed.owner, placed.offered = epoch, False
            state = states.get(name) or LaneState(name)
            state = msgspec.structs.replace(state, stamp=max(state.stamp, placed.stamp))
            got.append(Acquired(state, placed.clean, due.get(name, NEVER)))
        return got

    async def owners(self) -> dict[str, int]:
        """Return the owner of each lane that has one."""
        await self.line.reach()
        return {
            name: placed.owner
            for name, placed in self.database.placed.items()
            if placed.owner is not None
        }

    async def lane_states(self, among: Collection[str] | None = None) -> list[LaneState]:
        """Return every saved lane (of these), with the instant of its last unclean end."""
        await self.line.reach()
        saved = {each.recipient: each for each in await super().lane_states(among)}
        for name, placed in self.database.placed.items():
            if among is None or name in among:
                state = saved.get(name) or LaneState(name)
                stamp = max(state.stamp, placed.stamp)
                saved[name] = msgspec.structs.replace(state, stamp=stamp)
        return [state for _, state in sorted(saved.items())]

    async def order(self, order: Order) -> None:
        """Leave word for the owner of a lane."""
        await self.line.reach()
        self.database.orders[order.id] = order

    async def take_orders(self, epoch: int, recipients: Collection[str]) -> list[Order]:
        """Take what was asked of lanes that are the worker's."""
        await self.line.reach()
        orders = self.database.orders
        asked = [each for each in orders.values() if each.recipient in recipients]
        mine = [each for each in asked if self.database.owner(each.recipient) == epoch]
        return [orders.pop(each.id) for each in sorted(mine, key=lambda each: each.at)]

    async def withdraw(self, order_id: str) -> bool:
        """Take an order back."""
        await self.line.reach()
        return self.database.orders.pop(order_id, None) is not None

    async def notify(self, hints: Sequence[Hint]) -> None:
        """Tell everybody."""
        await self.line.reach()
        for session in self.database.sessions if self.tells else ():
            for hint in hints:
                session.heard.put_nowait(hint)

    async def hints(self) -> tuple[Hint, ...]:
        """Wait for hints and return them."""
        heard = [await self.heard.get()]
        while not self.heard.empty():
            heard.append(self.heard.get_nowait())
        return tuple(dict.fromkeys(heard))
