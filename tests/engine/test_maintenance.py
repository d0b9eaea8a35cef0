"""Loops beside the traffic, room on disk, stops and crashes."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from holdfast.errors import Overloaded, StoreFull
from holdfast.model.delivery import Status
from holdfast.model.policy import PolicySettings
from holdfast.shelf import Space
from holdfast.store import Batch, Committed
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.rig import DAY_MS, Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "as agreed"}


class SmallDisk(SqliteStore):
    """A store with as much room as the test says."""

    free = 10**9
    """Bytes that `space` reports."""
    writable = True
    """Whether commits fit."""

    takes_ms = 0
    """How long a commit takes."""
    clock: VirtualClock
    changes = 0
    """Transitions that were asked for."""

    async def commit(self, batch: Batch) -> Committed:
        """Write unless there is no room."""
        if self.takes_ms:
            await self.clock.pause(self.takes_ms)
        if not self.writable:
            raise StoreFull("no space is left")
        self.changes += len(batch.transitions)
        return await super().commit(batch)

    async def space(self) -> Space:
        """Return the room that the test gives."""
        return Space(0, self.free)


def on_small_disk(rig: Rig, reserve: int = 1000) -> SmallDisk:
    """Put the rig's engine on a disk with little room."""
    store = SmallDisk.over(rig.connection)
    store.clock = rig.clock
    rig.store = rig.engine.store = store
    rig.engine._reserve = reserve
    return store


def test_payloads_go_after_their_time_and_rows_later() -> None:
    """S1.126, S5.42, C17: only what has ended; pending payloads stay however old."""
    rig = Rig(catalog(recipient()), in_order(200, 400, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send(2)
            await rig.wait(5)
            await rig.engine.actions.pause("acme", actor="ann", reason="holiday")
            await rig.send(1)
            rig.clock.set_wall(rig.clock.now() + 8 * DAY_MS)
            await rig.engine.pruner.run_once()
            kept = [(await rig.store.message(d.message_id)) for d in await rig.deliveries()]
            assert [m is not None and m.sealed is not None for m in kept] == [False, False, True]
            rig.clock.set_wall(rig.clock.now() + 90 * DAY_MS)
            await rig.engine.pruner.run_once()
            counts = (await rig.store.counts())["acme"]
            assert (counts.created, counts.pruned) == (3, 2)

    run(main(), rig.clock)


def test_a_redrive_of_a_purged_payload_is_dead_again_with_its_reason() -> None:
    """C17: without a payload nothing is sent; it waits in review as PAYLOAD_MISSING."""
    rig = Rig(catalog(recipient()), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            await rig.engine.actions.purge(0, actor="ann", reason="privacy request")
            (dead,) = await rig.deliveries()
            await rig.engine.actions.redrive(dead.id, actor="ann", reason="try")
            await rig.wait(1)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.code) == (Status.DEAD, "PAYLOAD_MISSING")
            assert len(rig.channel.sent) == 1

    run(main(), rig.clock)


def test_intake_stops_at_the_reserve_and_comes_back() -> None:
    """S5.41: below the reserve nothing is accepted, what is stored goes on, then it recovers."""
    rig = Rig(catalog(recipient()), in_order(503, 200))
    disk = on_small_disk(rig)

    async def main() -> None:
        async with running(rig):
            await rig.send()
            disk.free = 10
            await rig.wait(1.1)
            with pytest.raises(StoreFull, match="below the reserve of 1000"):
                await rig.send()
            assert not rig.engine.ready
            await rig.wait(10)
            assert len(await rig.deliveries(Status.DELIVERED)) == 1
            disk.free = 10**6
            await rig.wait(1.1)
            await rig.send()
            await rig.wait(1)
            assert len(await rig.deliveries(Status.DELIVERED)) == 2

    run(main(), rig.clock)


def test_what_is_on_its_way_to_the_disk_counts_against_the_room() -> None:
    """A look at the disk during a slow commit must not forget what that commit will take."""
    rig = Rig(catalog(recipient()))
    disk = on_small_disk(rig)

    async def main() -> None:
        async with running(rig):
            await rig.engine.actions.pause("acme", actor="ann", reason="holiday")
            disk.free, disk.takes_ms = 31_000, 5_000  # room for about ten messages
            await rig.wait(1.1)
            first = asyncio.ensure_future(rig.send(8))
            await rig.wait(2.2)  # the watch looks twice, the commit is still under way
            with pytest.raises(StoreFull):
                await rig.send(8)
            assert len(await first) == 8

    run(main(), rig.clock)


def test_settlements_wait_for_room_and_nothing_is_sent_meanwhile() -> None:
    """With the reserve gone dispatch holds; every settlement is written once there is room."""
    rig = Rig(catalog(recipient(concurrency=2)), always(200, takes_ms=100))
    disk = on_small_disk(rig)

    async def main() -> None:
        async with running(rig):
            await rig.send(50)
            await rig.wait(1)
            disk.writable = False
            await rig.wait(5)
            sent = len(rig.channel.sent)
            await rig.wait(60)
            assert len(rig.channel.sent) == sent
            with pytest.raises(StoreFull):
                await rig.send()
            disk.writable = True
            await rig.wait(10)
            assert len(await rig.deliveries(Status.DELIVERED)) == 50
            assert len(rig.channel.sent) == 50

    run(main(), rig.clock)


def test_a_store_that_only_refused_intake_opens_again() -> None:
    """S5.41: with nothing left to write, the watch on the disk lets intake try again."""
    rig = Rig(catalog(recipient()))
    disk = on_small_disk(rig)

    async def main() -> None:
        async with running(rig):
            disk.writable = False
            with pytest.raises(StoreFull):
                await rig.send()
            disk.writable = True
            await rig.wait(1.1)
            await rig.send()
            await rig.wait(1)
            assert len(await rig.deliveries(Status.DELIVERED)) == 1

    run(main(), rig.clock)


def test_intake_counts_what_it_takes_between_two_looks() -> None:
    """S5.41: a burst does not use up the room that is set aside for settlements."""
    rig = Rig(catalog(recipient()))
    disk = on_small_disk(rig)

    async def main() -> None:
        async with running(rig):
            disk.free = 20_000
            await rig.wait(1.1)
            with pytest.raises(StoreFull, match="only its reserve left"):
                await rig.send(20)
            assert 1 < len(await rig.deliveries()) < 20

    run(main(), rig.clock)


def test_too_much_at_once_is_refused_before_memory_grows() -> None:
    """S5.36: the intake queue has a limit; refused callers are told when to come back."""
    rig = Rig(catalog(recipient()))
    rig.settings = msgspec.structs.replace(rig.settings, intake_queue=10)
    rig.again()

    async def main() -> None:
        async with running(rig):
            with pytest.raises(Overloaded) as caught:
                await rig.send(11)
            assert caught.value.retry_after_s >= 1
            await rig.send(10)

    run(main(), rig.clock)


def test_a_send_that_never_ends_is_cut_and_given_back() -> None:
    """The rescuer ends what overruns its time; the delivery is in doubt and tried again."""
    rig = Rig(catalog(recipient()), in_order(Scripted(takes_ms=10**9), 200))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(120)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.in_doubt) == (Status.DELIVERED, True)
            first, _ = await rig.events()
            assert (first["failure_class"], first["counted"]) == ("cancelled", False)

    run(main(), rig.clock)


def test_a_stop_lets_sends_finish() -> None:
    """What ends within the limit is settled; nothing is in doubt at the next start."""
    rig = Rig(catalog(recipient()), always(200, takes_ms=3000))

    async def main() -> None:
        await rig.engine.start()
        await rig.send(3)
        await rig.wait(1)
        await rig.engine.stop()
        assert len(await rig.deliveries(Status.DELIVERED)) == 3
        rig.again()
        async with running(rig):
            assert rig.engine.ownership.clean

    run(main(), rig.clock)


def test_a_stop_gives_back_what_takes_too_long() -> None:
    """After the limit a send is cut, recorded, and goes out again at the next start."""
    rig = Rig(catalog(recipient()), in_order(Scripted(takes_ms=60_000), 200))

    async def main() -> None:
        await rig.engine.start()
        await rig.send()
        await rig.wait(1)
        before = rig.clock.now()
        await rig.engine.stop()
        assert rig.clock.now() - before <= 11_000
        (pending,) = await rig.deliveries(Status.PENDING)
        assert (pending.in_doubt, pending.hold_gate) == (True, "shutdown")
        rig.again()
        async with running(rig):
            await rig.wait(1)
            assert len(await rig.deliveries(Status.DELIVERED)) == 1

    run(main(), rig.clock)


def test_a_stop_with_unwritten_settlements_is_not_clean() -> None:
    """What could not be settled may have been sent: the next owner must know."""
    rig = Rig(catalog(recipient()), always(200, takes_ms=100))
    disk = on_small_disk(rig)

    async def main() -> None:
        await rig.engine.start()
        await rig.send(3)
        disk.writable = False
        await rig.wait(2)
        await rig.engine.stop()
        disk.writable = True
        rig.again()
        async with running(rig):
            assert not rig.engine.ownership.clean
            await rig.wait(5)
            assert {d.status for d in await rig.deliveries()} == {Status.DELIVERED}
            assert all(d.in_doubt for d in await rig.deliveries())

    run(main(), rig.clock)


def killed(rig: Rig, keep: Callable[[asyncio.Task[None]], bool] = lambda _: False) -> None:
    """End every task of the engine at once, as SIGKILL would, and let a new engine be built."""
    rig.engine.dispatcher.send = None
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task() and not keep(task):
            task.cancel()


def test_a_payload_that_kills_its_worker_is_known_after_three_crashes() -> None:
    """Claims are written after the first crash; the third one makes it WORKER_CRASH.

    Before the last one it waits until its worker has lived for ten seconds.
    """
    rig = Rig(catalog(recipient(concurrency=1)), always(200, takes_ms=5000))

    async def main() -> None:
        for lives_s in (2, 2, 12):
            await rig.engine.start()
            if not await rig.deliveries():
                await rig.send(3)
            await rig.wait(lives_s)  # in the middle of the first send
            killed(rig)
            await rig.wait(0.1)
            rig.again()
        rig.channel.script = always(200, takes_ms=5)
        async with running(rig):
            await rig.wait(20)
            found = [(d.status, d.code) for d in await rig.deliveries()]
            assert found[0] == (Status.DEAD, "WORKER_CRASH")
            assert {status for status, _ in found[1:]} == {Status.DELIVERED}

    run(main(), rig.clock)


def test_after_a_crash_only_what_was_unsettled_goes_out_again() -> None:
    """Promise 3: same key, at most what was in flight."""
    rig = Rig(catalog(recipient(concurrency=4)), always(200, takes_ms=1000))

    async def main() -> None:
        await rig.engine.start()
        await rig.send(20)
        await rig.wait(2.5)
        killed(rig)
        await rig.wait(0.1)
        rig.again()
        async with running(rig):
            await rig.wait(60)
        assert len(await rig.deliveries(Status.DELIVERED)) == 20
        assert len(rig.channel.sent) <= 20 + 4

    run(main(), rig.clock)


def test_workers_that_end_for_another_reason_convict_nobody() -> None:
    """Killed every two seconds: what was on its way twice waits until a worker lives for ten."""
    rig = Rig(catalog(recipient(concurrency=4)), always(200, takes_ms=1500))

    async def main() -> None:
        for number in range(12):
            await rig.engine.start()
            if not number:
                await rig.send(40)
            await rig.wait(2)
            killed(rig)
            await rig.wait(0.1)
            rig.again()
        async with running(rig):
            await rig.wait(1)
            suspects = [d for d in await rig.deliveries() if d.hold_gate == "suspect"]
            assert suspects
            assert (await rig.engine.views.why(suspects[0]))[0].gate == "suspect"
            await rig.wait(60)
            assert {d.status for d in await rig.deliveries()} == {Status.DELIVERED}

    run(main(), rig.clock)


def test_a_crash_takes_no_other_delivery_with_it() -> None:
    """Of many in flight at crash after crash, only one that is alone at the last is a suspect."""
    rig = Rig(catalog(recipient(concurrency=16)), always(200, takes_ms=5000))

    async def main() -> None:
        for lives_s in (2, 2, 12):
            await rig.engine.start()
            if not await rig.deliveries():
                await rig.send(16)
            await rig.wait(lives_s)
            killed(rig)
            await rig.wait(0.1)
            rig.again()
        rig.channel.script = always(200, takes_ms=5)
        async with running(rig):
            await rig.wait(20)
            codes = [d.code for d in await rig.deliveries()]
            assert codes.count("WORKER_CRASH") == 1
            assert codes.count(None) == 15

    run(main(), rig.clock)


@pytest.mark.parametrize("what", ["reschedule", "cancel", "expire"])
def test_what_people_do_does_not_forget_that_it_may_have_arrived(what: str) -> None:
    """After a crash a 409 means "likely delivered", also for what changed before it was resent."""
    policy = PolicySettings(max_age=60.0)
    rig = Rig(catalog(recipient(), policy=policy), always(200, takes_ms=5000))

    async def main() -> None:
        await rig.engine.start()
        (receipt,) = await rig.send()
        name = receipt.deliveries[0].id
        await rig.wait(1)
        await rig.engine.actions.pause("acme", **BY)
        killed(rig)
        await rig.wait(0.1)
        rig.again()
        rig.channel.script = always(409)
        async with running(rig):
            actions = rig.engine.actions
            if what == "reschedule":
                await actions.reschedule(name, rig.clock.now() + 1000, **BY)
            elif what == "cancel":
                await actions.cancel(name, **BY)
                await actions.undo(name, **BY)
                await actions.redrive(name, **BY)
            else:
                await rig.wait(90)
                await actions.redrive(name, **BY)
            await actions.resume("acme", **BY)
            await rig.wait(5)
            (found,) = await rig.deliveries()
            assert (found.status, found.code) == (Status.DELIVERED, "LIKELY_DELIVERED")

    run(main(), rig.clock)


def test_a_wall_clock_that_is_set_back_stalls_no_loop() -> None:
    """Loops and pauses count monotonic time: an hour back is no hour without expiry."""
    policy = PolicySettings(max_age=5.0)
    rig = Rig(catalog(recipient(), policy=policy), always(503))

    async def main() -> None:
        async with running(rig):
            await rig.wait(0.5)
            rig.clock.set_wall(rig.clock.now() - 3_600_000)
            await rig.send()
            await rig.wait(8)
            (found,) = await rig.deliveries()
            assert (found.status, found.code) == (Status.DEAD, "EXPIRED")

    run(main(), rig.clock)


def test_an_end_that_waits_to_be_written_is_asked_for_once() -> None:
    """A writer that is behind is not told every second what it has not written yet."""
    rig = Rig(catalog(recipient(), policy=PolicySettings(max_age=5.0)), always(200))
    store = on_small_disk(rig)

    async def main() -> None:
        async with running(rig):
            await rig.engine.actions.pause("acme", **BY)
            await rig.send(count=3)
            store.takes_ms = 10_000
            await rig.wait(40)
            assert {each.code for each in await rig.deliveries()} == {"EXPIRED"}
            assert store.changes == 3

    run(main(), rig.clock)
