"""What only the simulator had found: each find alone, in virtual time on the whole engine."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.engine.settings import EngineSettings
from holdfast.errors import StoreError
from holdfast.model.attempt import FailureClass
from holdfast.model.delivery import Status
from holdfast.store import DuePage, DueQuery
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "as agreed"}


class Patient(SqliteStore):
    """A store that bears so many refills: a lane without room would ask for ever."""

    refills = 500

    async def due(self, query: DueQuery) -> DuePage:
        """Return what a lane may send next."""
        self.refills -= 1
        assert self.refills, "a lane asks again and again"
        return await super().due(query)


def test_a_lane_that_fills_the_buffers_starves_no_other() -> None:
    """Each lane may buffer a few rows also when the buffers of all are full."""
    rig = Rig(
        catalog(recipient("slow", concurrency=1), recipient("quick")),
        lambda request, _: Scripted(takes_ms=20_000 if request.recipient == "slow" else 5),
        settings=EngineSettings(buffer_rows=4, buffer_total=1),
    )

    store = rig.store = rig.engine.store = Patient.over(rig.connection)

    async def main() -> None:
        async with running(rig):
            await rig.send(50)
            await rig.wait(10)
            assert rig.engine.dispatcher.buffered >= 1
            done = Counter(each.recipient for each in await rig.deliveries(Status.DELIVERED))
            assert done == {"quick": 50}
            assert store.refills > 0

    run(main(), rig.clock)


def test_what_is_due_later_keeps_out_nothing_that_is_due_now() -> None:
    """A buffer full of deliveries for later makes room, and they still go out in their time."""
    rig = Rig(catalog(recipient()), settings=EngineSettings(buffer_rows=1))

    async def main() -> None:
        async with running(rig):
            later = datetime.fromtimestamp(rig.clock.now() / 1000 + 3600, UTC)
            (first,) = await rig.send(not_before=later)
            assert rig.engine.dispatcher.buffered == 1
            (second,) = await rig.send()
            await rig.wait(5)
            assert [r.message_id for _, r in rig.channel.sent] == [second.message_id]
            await rig.wait(3600)
            assert [r.message_id for _, r in rig.channel.sent][1:] == [first.message_id]

    run(main(), rig.clock)


@pytest.mark.parametrize("late", [False, True], ids=["while it ends", "afterwards"])
def test_a_writer_that_ended_keeps_nobody_waiting(*, late: bool) -> None:
    """When another process took the store, every caller gets an error instead of silence."""
    rig = Rig(catalog(recipient()), always(200, takes_ms=60_000))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            await SqliteStore.over(rig.connection).join(rig.clock.now())
            if late:
                await asyncio.gather(*_calls(rig, receipt.deliveries[0].id), return_exceptions=True)
                assert rig.engine.lost.is_set()
            answers = await asyncio.gather(
                *_calls(rig, receipt.deliveries[0].id), return_exceptions=True
            )
            kinds = [type(answer) for answer in answers]
            assert all(issubclass(kind, StoreError) for kind in kinds), kinds

    run(main(), rig.clock)


def _calls(rig: Rig, delivery_id: str) -> list[Awaitable[object]]:
    """Return one call of each way to the writer; each gives up after ten seconds."""
    actions = rig.engine.actions
    calls = (rig.send(), actions.cancel(delivery_id, **BY), actions.pause("acme", **BY))
    return [asyncio.wait_for(call, 10) for call in calls]


def test_what_a_person_discarded_stays_so_when_the_step_before_arrives_late() -> None:
    """A late success of a cancelled step releases what fell with it, not what a person dropped."""
    flow = catalog(recipient("a"), recipient("b"), mode="sequential")
    rig = Rig(flow, always(200, takes_ms=10_000))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            first, second = (each.id for each in receipt.deliveries)
            await rig.engine.actions.cancel(first, **BY)
            await rig.engine.actions.undo(second, **BY)
            await rig.engine.actions.discard(second, **BY)
            await rig.wait(60)
            status = {each.recipient: each.status for each in await rig.deliveries()}
            assert status == {"a": Status.DELIVERED, "b": Status.DISCARDED}
            assert [request.recipient for _, request in rig.channel.sent] == ["a"]

    run(main(), rig.clock)


def test_what_timed_out_after_a_person_had_changed_it_stays_in_doubt() -> None:
    """The try changes nothing else any more; a "duplicate" answer to the next one is understood."""
    lost = Scripted(error=FailureClass.TIMEOUT, maybe_received=True, keeps=True, takes_ms=2_000)
    rig = Rig(catalog(recipient()), in_order(lost, 409))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            later = rig.clock.now() + 5_000
            await rig.engine.actions.reschedule(receipt.deliveries[0].id, later, **BY)
            await rig.wait(2)
            (waits,) = await rig.deliveries()
            assert (waits.status, waits.in_doubt, waits.due_at) == (Status.PENDING, True, later)
            await rig.wait(5)
            (arrived,) = await rig.deliveries()
            assert arrived.status is Status.DELIVERED

    run(main(), rig.clock)
