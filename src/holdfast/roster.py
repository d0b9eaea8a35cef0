"""What workers need of a store that they share: the list, leases, owners, orders, hints."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

from holdfast.model.lane import LaneState
from holdfast.model.worker import (
    UNNAMED,
    Acquired,
    Hint,
    Load,
    Order,
    Ownership,
    Survey,
    Worker,
)


class Lanes(Protocol):
    """Workers, which lanes they own, and what of a lane outlives its owner.

    A worker is one life of a process. It may write while it is on the list; who is taken off it
    (`expel`) after its lease has ended is refused from then on, whatever it still believes.
    """

    async def join(self, now: int, worker: Worker = UNNAMED) -> Ownership:
        """Become a worker: get an epoch above all others, and a lease.

        Where one process owns everything, `now` is the store's time and all lanes are its own.

        Raises:
            StoreBusy: another process owns everything.
        """
        ...

    async def renew(self, epoch: int, load: Load, now: int) -> int:
        """Extend the lease and return store time; never waits for a commit.

        Raises:
            StoreLost: the worker is not on the list any more.
        """
        ...

    async def leave(self, epoch: int) -> None:
        """Say goodbye: everything in flight is settled or given back.

        Raises:
            StoreLost: the worker is not on the list any more.
        """
        ...

    async def survey(self) -> Survey:
        """Return who is there and what waits without an owner."""
        ...

    async def expel(self, epochs: Sequence[int]) -> tuple[int, ...]:
        """Take workers off the list whose lease has ended; return those that went.

        Waits for their commits under way. Their lanes are free then, and not clean.
        """
        ...

    async def acquire(self, epoch: int, recipients: Sequence[str]) -> list[Acquired]:
        """Become the owner of lanes that are free, or ours already; return those we got.

        Raises:
            StoreLost: the worker is not on the list any more.
        """
        ...

    async def owners(self) -> dict[str, int]:
        """Return the epoch of the owner of each lane that has one."""
        ...

    async def lane_states(self, among: Collection[str] | None = None) -> list[LaneState]:
        """Return every saved lane (of these), each with the instant of its last unclean end."""
        ...

    async def order(self, order: Order) -> None:
        """Leave word for the owner of a lane; `Survey.orders` tells it."""
        ...

    async def take_orders(self, epoch: int, recipients: Collection[str]) -> list[Order]:
        """Take what was asked of these lanes, as far as the worker owns them; oldest first.

        Each order goes to one taker, or back to who gave it (`withdraw`).
        """
        ...

    async def withdraw(self, order_id: str) -> bool:
        """Take an order back; False: somebody has taken it."""
        ...


class Wakeup(Protocol):
    """Hints between workers. All is correct without them, only later."""

    async def notify(self, hints: Sequence[Hint]) -> None:
        """Tell the other workers."""
        ...

    async def hints(self) -> tuple[Hint, ...]:
        """Wait for hints and return them; one says so when some may have been missed."""
        ...


class SoleWorker:
    """`Lanes` and `Wakeup` but for `join` and `leave`, where one process owns everything."""

    async def renew(self, epoch: int, load: Load, now: int) -> int:
        """Return the time: there is no lease."""
        del epoch, load
        return now

    async def survey(self) -> Survey:
        """Return nothing: there are no others."""
        return Survey(0, ())

    async def expel(self, epochs: Sequence[int]) -> tuple[int, ...]:
        """Take nobody off the list."""
        del epochs
        return ()

    async def acquire(self, epoch: int, recipients: Sequence[str]) -> list[Acquired]:
        """Return nothing: all lanes are owned from the start."""
        del epoch, recipients
        return []

    async def owners(self) -> dict[str, int]:
        """Return nothing: it is always the same one."""
        return {}

    async def order(self, order: Order) -> None:
        """Do nothing: there are no others to ask."""
        del order

    async def take_orders(self, epoch: int, recipients: Collection[str]) -> list[Order]:
        """Return nothing: nobody asks."""
        del epoch, recipients
        return []

    async def withdraw(self, order_id: str) -> bool:
        """Tell that it is gone."""
        del order_id
        return True

    async def notify(self, hints: Sequence[Hint]) -> None:
        """Tell nobody."""

    async def hints(self) -> tuple[Hint, ...]:
        """Wait for ever."""
        await asyncio.Event().wait()
        return ()
