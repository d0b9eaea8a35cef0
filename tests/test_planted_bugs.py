"""The simulator earns its keep: bugs that are put in on purpose are found, by the right promise.

A bug is a small subclass that goes in through the parts of an engine or around its store; what it
overrides is marked, so that the type checker tells when a change left it without effect. Each test
names the seeds in which the simulator must find it. A change of the worlds moves them: look with
`seeds_until(..., most=60)` for the next one, and take one that is quick.
"""

import asyncio
import random

import apsw
import msgspec
import pytest
from typing_extensions import override

from holdfast.engine import record
from holdfast.engine.dispatcher import REFILLS_AT_ONCE
from holdfast.engine.executor import Executor
from holdfast.engine.lane import Lane
from holdfast.engine.maintenance import STUCK_GRACE_MS, Rescuer
from holdfast.engine.rulings import Ruled
from holdfast.errors import StoreLost
from holdfast.model.delivery import Status, Verb
from holdfast.model.message import NEVER
from holdfast.model.policy import Policy
from holdfast.policy.decide import Decision
from holdfast.store import Batch, Committed, Transition, Waiting
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import elapse
from holdfast.testing.simulator.faults import Fault, FaultyStore
from holdfast.testing.simulator.ledger import Promise
from holdfast.testing.simulator.life import LossyDispatcher, SimulatedEngine
from holdfast.testing.simulator.many import seeds_until
from holdfast.testing.simulator.world import World, make

pytestmark = pytest.mark.slow


class SettlesFirst(Executor):
    """Marks a delivery delivered, and then sends it."""

    @override
    async def _send(self, lane: Lane, waiting: Waiting, ruled: Ruled | None) -> None:
        delivery, now = waiting.delivery, self._clock.now()
        after = msgspec.structs.replace(
            delivery,
            status=Status.DELIVERED,
            due_at=NEVER,
            revision=delivery.revision + 1,
            updated_at=now,
            ended_at=now,
        )
        await self._writer.change(Transition(Verb.SUCCEED, delivery.revision, after))
        await super()._send(lane, waiting, ruled)


def test_settling_before_the_send() -> None:
    """Found by "delivered means received": a crash in between leaves the partner with nothing."""

    class Planted(SimulatedEngine):
        executor_type = SettlesFirst

    assert seeds_until(Promise.RECEIVED, engine_type=Planted, most=12)


class CountsHolds(Executor):
    """Lets a hold use a retry."""

    @override
    def _decide(self, tried: record.Try, lane: Lane, now: int, policy: Policy) -> Decision:
        decision = super()._decide(tried, lane, now, policy)
        if decision.verb is Verb.HOLD:
            return msgspec.structs.replace(decision, counted=True)
        return decision


def test_a_hold_that_counts_as_a_retry() -> None:
    """Found by "a hold uses no retry": more sends are counted than the policy has."""

    class Planted(SimulatedEngine):
        executor_type = CountsHolds

    assert seeds_until(Promise.HOLDS, engine_type=Planted, first=3, most=12)


class TrustingLane(Lane):
    """Takes in whatever it is given, also what it has already."""

    @override
    def push(self, waiting: Waiting) -> None:
        """Put a delivery into its band without a look at what is known."""
        delivery = waiting.delivery
        self.buffered.discard(delivery.id)
        known, self.busy = self.busy, set()
        super().push(waiting)
        self.busy = known


class ForgetfulLane(TrustingLane):
    """Asks the store also for what is buffered, in flight or settling."""

    @override
    def refill_begins(self) -> frozenset[str]:
        """Note the start of a refill and leave nothing out."""
        super().refill_begins()
        return frozenset()


def test_a_refill_without_exclusion() -> None:
    """Found by "nothing is sent twice": what is in flight is read and sent again."""

    class Planted(SimulatedEngine):
        lane_type = ForgetfulLane

    assert seeds_until(Promise.ONCE, engine_type=Planted, most=12)


class EagerLane(TrustingLane):
    """Takes a new delivery from memory even while a refill reads it from the store."""

    @override
    def offer(self, waiting: Waiting, refills: int, room: int) -> None:
        """Take a new delivery if there is room."""
        del refills
        if len(self.bands[waiting.delivery.band]) < room:
            self.push(waiting)
        else:
            self.noted(waiting.delivery.due_at)


def test_a_double_hand_off() -> None:
    """Found by "nothing is sent twice": a delivery comes from memory and from the store."""

    class Planted(SimulatedEngine):
        lane_type = EagerLane

    assert seeds_until(Promise.ONCE, engine_type=Planted, first=13, most=12)


class RevisionBlind(FaultyStore):
    """Accepts settlements whatever happened to the delivery since."""

    @override
    async def write(self, batch: Batch) -> Committed:
        """Write every transition as if it had been decided on the present state."""
        transitions = [await self._fitted(each) for each in batch.transitions]
        return await super().write(msgspec.structs.replace(batch, transitions=tuple(transitions)))

    async def _fitted(self, transition: Transition) -> Transition:
        stored = await self.inner.get(transition.after.id)
        if stored is None or stored.revision <= transition.revision:
            return transition
        after = msgspec.structs.replace(transition.after, revision=stored.revision + 1)
        return msgspec.structs.replace(transition, revision=stored.revision, after=after)


def meddlesome(rng: random.Random, workers: int) -> World:
    """Draw a small world in which people are busy and the fate of many commits is unknown.

    Elsewhere few settlements come twice, or to a delivery that a person has changed meanwhile.
    """
    drawn = make(rng, workers)
    return msgspec.structs.replace(
        drawn,
        people=20.0,
        messages=max(10, 300 // len(drawn.partners)),
        span_ms=20_000,
        rates={Fault.AMBIGUOUS: 0.3, Fault.LEFT: 0.1, Fault.READ: 0.02},
    )


def test_a_stale_settlement_that_is_accepted() -> None:
    """Found by "everything ends": a delivery goes back to a state in which nobody looks for it."""
    assert seeds_until(Promise.ENDS, store_type=RevisionBlind, world=meddlesome, most=12)


class EpochBlind(FaultyStore):
    """Lets a process write that is no longer the owner."""

    @override
    async def write(self, batch: Batch) -> Committed:
        """Write with the epoch of whoever is the owner."""
        for epoch in range(batch.epoch, batch.epoch + 200):
            try:
                return await super().write(msgspec.structs.replace(batch, epoch=epoch))
            except StoreLost:
                continue
        raise StoreLost("no such epoch")


def test_an_epoch_that_is_not_checked() -> None:
    """Found by "one owner at a time": the process that was replaced goes on to write."""
    assert seeds_until(Promise.OWNER, store_type=EpochBlind, most=12)


class DeafRescuer(Rescuer):
    """Cuts overdue sends but does not poll for due deliveries."""

    @override
    async def run_once(self) -> None:
        """Cut overdue sends."""
        now = self.clock.monotonic()
        for key, flight in tuple(self._executor.in_flight.items()):
            if now - flight.began > flight.endpoint.total_timeout * 1000 + STUCK_GRACE_MS:
                self._executor.cut(key)


def test_a_lost_wake_up_that_is_fatal() -> None:
    """Found by "everything ends": a delivery that nobody was told about waits for ever."""

    class Planted(SimulatedEngine):
        rescuer_type = DeafRescuer

    assert seeds_until(Promise.ENDS, engine_type=Planted, first=142, most=12)


class LingeringRefills(LossyDispatcher):
    """Counts a refill for a tenth of a second after its end."""

    @override
    def _hunger(self, lane: Lane) -> None:
        lane.refilling = True
        self._hungry.append(lane)
        if len(self._refills) < REFILLS_AT_ONCE:
            task = asyncio.create_task(self._feed())
            self._refills.add(task)
            later = asyncio.get_running_loop().call_later
            task.add_done_callback(lambda ended: later(0.1, self._refills.discard, ended))


def test_a_refill_that_counts_after_its_end() -> None:
    """Found by "what may go out goes out": no refill starts, and no lane is told."""

    class Planted(SimulatedEngine):
        dispatcher_type = LingeringRefills

    assert seeds_until(Promise.PROMPT, engine_type=Planted, first=15, most=12)


def _counters(connection: apsw.Connection) -> dict[str, list[int]]:
    rows = connection.execute("SELECT * FROM counters")
    return {name: numbers for name, *numbers in rows}


def _move(connection: apsw.Connection, moved: dict[str, list[int]], sign: int) -> None:
    connection.executemany(
        "UPDATE counters SET created = created + ?, pending = pending + ?, "
        "delivered = delivered + ?, dead = dead + ?, discarded = discarded + ?, "
        "pruned = pruned + ?, high = high + ?, normal = normal + ?, low = low + ? "
        "WHERE recipient = ?",
        [(*(sign * number for number in row), name) for name, row in moved.items()],
    )


class LooseCounters(FaultyStore):
    """Moves the counters after the transaction instead of in it."""

    @override
    async def write(self, batch: Batch) -> Committed:
        """Write the batch; a little later, write the counters."""
        assert isinstance(self.inner, SqliteStore)
        connection = self.inner._writer.connection
        before = _counters(connection)
        committed = await super().write(batch)
        moved = {
            name: [new - old for new, old in zip(row, before.get(name, [0] * 9), strict=True)]
            for name, row in _counters(connection).items()
        }
        _move(connection, moved, -1)
        await elapse(self._commit_ms)
        _move(connection, moved, 1)
        return committed


def test_counters_outside_the_transaction() -> None:
    """Found by "the counters add up": a crash between the two writes leaves them behind."""
    assert seeds_until(Promise.COUNTERS, store_type=LooseCounters, first=7, most=12)


class Hasty(FaultyStore):
    """Makes every step of a sequential flow due at once."""

    @override
    async def commit(self, batch: Batch) -> Committed:
        """Write, without waiting for anything."""
        accepts = tuple(
            msgspec.structs.replace(
                accept,
                deliveries=tuple(
                    msgspec.structs.replace(each, due_at=min(each.due_at, batch.now))
                    for each in accept.deliveries
                ),
            )
            for accept in batch.accepts
        )
        return await super().commit(msgspec.structs.replace(batch, accepts=accepts))


def test_a_step_that_does_not_wait_for_the_one_before() -> None:
    """Found by "a step waits for the step before it"."""
    assert seeds_until(Promise.ORDER, store_type=Hasty, first=9, most=12)
