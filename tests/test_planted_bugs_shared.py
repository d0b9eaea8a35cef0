"""Bugs of several workers that are put in on purpose are found, by the right promise.

As in `test_planted_bugs`; each test names the seeds in which the simulator must find it.
"""

import asyncio
import random
from collections.abc import Sequence

import msgspec
import pytest
from typing_extensions import override

from holdfast.clock import Clock, StoreClock
from holdfast.engine.executor import Executor
from holdfast.engine.lane import Lane
from holdfast.engine.lanes import Lanes
from holdfast.engine.membership import Membership
from holdfast.engine.writer import Writer
from holdfast.model.delivery import Delivery
from holdfast.model.worker import UNNAMED, Acquired, Ownership, Survey, Worker
from holdfast.store import Batch, Committed, Transition
from holdfast.testing.shared import SharedStore
from holdfast.testing.simulator.faults import Fault, FaultyStore
from holdfast.testing.simulator.ledger import Promise
from holdfast.testing.simulator.life import LossyDispatcher, SimulatedEngine
from holdfast.testing.simulator.many import seeds_until
from holdfast.testing.simulator.world import Draw, World, make

pytestmark = pytest.mark.slow

WORKERS = 4


def found(
    promise: Promise,
    *,
    engine_type: type[SimulatedEngine] = SimulatedEngine,
    store_type: type[FaultyStore] = FaultyStore,
    world: Draw = make,
    first: int = 1,
    most: int,
) -> bool:
    """Tell whether a bug is found within so many seeds."""
    return (
        seeds_until(
            promise,
            workers=WORKERS,
            engine_type=engine_type,
            store_type=store_type,
            world=world,
            first=first,
            most=most,
        )
        > 0
    )


def shared(store: FaultyStore) -> SharedStore:
    """Return what is behind the faults."""
    assert isinstance(store.inner, SharedStore)
    return store.inner


class FenceBlind(FaultyStore):
    """Writes for whoever comes, also for a worker that is not on the list any more."""

    @override
    async def write(self, batch: Batch) -> Committed:
        """Write with the epoch of somebody who is on the list."""
        members = shared(self).database.members
        epoch = batch.epoch if batch.epoch in members else max(members, default=batch.epoch)
        return await super().write(msgspec.structs.replace(batch, epoch=epoch))


def test_a_fence_that_is_not_checked() -> None:
    """Found by "one owner at a time": a worker that was taken off the list goes on to write."""
    assert found(Promise.OWNER, store_type=FenceBlind, most=12)


class Timeless(LossyDispatcher):
    """Never looks at the end of its lease."""

    @override
    def lapsed(self) -> bool:
        """Believe in eternity."""
        return False


def test_a_lease_that_is_not_checked_before_a_send() -> None:
    """Found by "one owner at a time": a zombie sends from its buffer."""

    class Planted(SimulatedEngine):
        dispatcher_type = Timeless

    assert found(Promise.OWNER, engine_type=Planted, first=26, most=12)


class LateLease(Membership):
    """Counts its lease from the answer to a renewal, not from the question."""

    @override
    def _extended(self, asked: float, now: int) -> None:
        super()._extended(max(asked, self._clock.boottime()), now)


def late_answers(rng: random.Random, workers: int) -> World:
    """Draw a world in which nothing but answers about leases and lanes is late, or lost."""
    drawn = make(rng, workers)
    return msgspec.structs.replace(
        drawn,
        workers=3,
        rates={Fault.ANSWER: 0.3},
        span_ms=30_000.0,
        settings=msgspec.structs.replace(drawn.settings, lease_seconds=3.0),
        messages=max(20, 1_200 // len(drawn.partners)),
    )


def test_a_lease_that_counts_from_the_answer() -> None:
    """Found by "one owner at a time": a late answer makes it believe too long in itself."""

    class Planted(SimulatedEngine):
        membership_type = LateLease

    assert found(Promise.OWNER, engine_type=Planted, world=late_answers, most=12)


class Hurried(Lanes):
    """Gives a lane away while something of it is unsettled."""

    @override
    def release_closed(self) -> bool:
        """Give away what is closed."""
        for lane in tuple(self.held.values()):
            if lane.closed:
                self._release(lane, offered=True)
        return False


def test_a_hand_over_before_the_last_send() -> None:
    """Found by "nothing is sent twice": the next owner sends what is on the wire."""

    class Planted(SimulatedEngine):
        lanes_type = Hurried

    assert found(Promise.ONCE, engine_type=Planted, first=22, most=12)


class Trustful(FaultyStore):
    """Takes every lane for one that was given away in good order."""

    @override
    async def acquire(self, epoch: int, recipients: Sequence[str]) -> list[Acquired]:
        """Become the owner of lanes, and forget how the last one ended."""
        got = await super().acquire(epoch, recipients)
        return [
            msgspec.structs.replace(
                each, state=msgspec.structs.replace(each.state, stamp=0), clean=True
            )
            for each in got
        ]


def test_a_clean_take_over_after_an_unclean_end() -> None:
    """Found by "what may have been sent is sent again in doubt"."""
    assert found(Promise.DOUBT, store_type=Trustful, most=12)


class Unrepentant(Writer):
    """Says of lanes that it has lost what it would have said before."""

    @override
    def _disown(self) -> None:
        """Forget nothing."""


class UnrepentantExecutor(Executor):
    """The same for what ends later."""

    @override
    def _apply(self, lane: Lane, transition: Transition, after: Delivery) -> None:
        lane.lost = False
        super()._apply(lane, transition, after)


def test_a_settlement_of_a_zombie_that_changes_a_status() -> None:
    """Found by "one owner at a time": the lane's new owner alone may change its deliveries."""

    class Planted(SimulatedEngine):
        writer_type = Unrepentant
        executor_type = UnrepentantExecutor

    assert found(Promise.OWNER, engine_type=Planted, first=3, most=12)


class Grabbing(FaultyStore):
    """Gives a lane to everybody who asks."""

    @override
    async def acquire(self, epoch: int, recipients: Sequence[str]) -> list[Acquired]:
        """Become the owner, whoever is it already."""
        for name, placed in shared(self).database.placed.items():
            if name in recipients:
                placed.owner = None
        return await super().acquire(epoch, recipients)

    @override
    async def survey(self) -> Survey:
        """Return who is there, and every lane as free."""
        survey = await super().survey()
        return msgspec.structs.replace(survey, free=tuple(sorted(shared(self).database.placed)))


def test_two_owners_of_one_lane() -> None:
    """Found by "one owner at a time"."""
    assert found(Promise.OWNER, store_type=Grabbing, most=12)


class Reincarnating(FaultyStore):
    """Gives a worker the epoch of the last one."""

    @override
    async def join(self, now: int, worker: Worker = UNNAMED) -> Ownership:
        """Become somebody who was there before."""
        database = shared(self).database
        database.epoch = max(0, database.epoch - 1)
        return await super().join(now, worker)


def test_an_epoch_that_is_used_again() -> None:
    """Found by "one owner at a time"."""
    assert found(Promise.OWNER, store_type=Reincarnating, most=12)


class LocalTime(StoreClock):
    """Believes its own machine instead of the store."""

    @override
    def adopt(self, now: int) -> None:
        """Take no notice."""


def test_times_of_the_machine_instead_of_the_store() -> None:
    """Found by "times are the store's": machines are wrong by minutes to days."""

    class Planted(SimulatedEngine):
        @override
        def _enrolled(self) -> Membership:
            self.clock = _local(self.clock)
            return super()._enrolled()

    assert found(Promise.TIME, engine_type=Planted, first=2, most=12)


def _local(clock: Clock) -> Clock:
    assert isinstance(clock, StoreClock)
    return LocalTime(clock._inner)


class Faithful(Lanes):
    """Keeps its lanes although others have taken it for dead."""

    @override
    def lose_all(self) -> None:
        """Keep everything."""


def test_lanes_that_are_kept_by_a_worker_that_was_lost() -> None:
    """Found by "one owner at a time"."""

    class Planted(SimulatedEngine):
        lanes_type = Faithful

    assert found(Promise.OWNER, engine_type=Planted, first=2, most=12)


class Waits(Membership):
    """Looks for free lanes only when it is told to."""

    @override
    async def _looking(self) -> None:
        look = self._look
        while True:
            await self._look_again.wait()
            self._look_again.clear()
            await asyncio.gather(look(), return_exceptions=True)


def test_a_lost_wake_up_without_polling() -> None:
    """Found by "everything ends": lanes whose free state nobody was told of wait for ever."""

    class Planted(SimulatedEngine):
        membership_type = Waits

    assert found(Promise.ENDS, engine_type=Planted, first=1, most=12)
