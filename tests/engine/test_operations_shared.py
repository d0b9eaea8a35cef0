"""Bulk work with several workers over one store, in virtual time."""

from typing import Any

from holdfast.engine.bulk import Bulk
from holdfast.model.delivery import Status
from holdfast.model.flow import Recipient
from holdfast.model.operation import Kind, Plan, State
from holdfast.testing.channel import Script, in_order
from holdfast.testing.clock import run
from holdfast.testing.crew import Crew, working
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running
from holdfast.testing.shelf import Alone

BY: dict[str, Any] = {"actor": "ann", "reason": "the partner is back"}


def healed(count: int) -> Script:
    """Return partners that refuse so many sends, then take all."""
    return in_order(*([400] * count), 200)


def steady(name: str = "acme") -> Recipient:
    """Return a recipient without breaker."""
    return recipient(name, breaker=NO_BREAKER)


def test_the_elected_of_several_workers_runs_it_and_another_takes_over() -> None:
    """Started on any worker, run by one; when that one crashes, each is still redriven once."""
    team = Crew(catalog(*(steady(f"r{lane}") for lane in range(4))), healed(80))

    async def main() -> None:
        async with working(team, "a", "b", "c") as hands:
            first, second, third = hands
            await team.send(second, 20)
            await team.wait(5)
            assert len(await team.deliveries(Status.DEAD)) == 80
            where = third.engine.views.where("status:dead")
            order = Plan(Kind.REDRIVE, where, 0, "status:dead", **BY, rate=8.0, batch=4)
            begun = await third.spawn(third.engine.operations.start(order))
            await team.wait(5)
            going = await second.spawn(second.engine.operations.operation(begun.id))
            assert 10 <= going.tallies.changed <= 60
            first.crash()
            await team.wait(90)
            done = await third.spawn(third.engine.operations.operation(begun.id))
            assert (done.state, done.tallies.changed) == (State.COMPLETED, 80)
            found = await team.deliveries()
            assert {(each.status, each.generation) for each in found} == {(Status.DELIVERED, 1)}

    run(main(), team.clock)


def test_a_pause_on_another_worker_meets_the_step_of_the_elected() -> None:
    """Whoever comes second decides anew; none of the work is lost or done twice."""
    team = Crew(catalog(steady("r0")), healed(60))

    async def main() -> None:
        async with working(team, "a", "b") as (first, second):
            await team.send(second, 60)
            await team.wait(5)
            where = second.engine.views.where("status:dead")
            order = Plan(Kind.REDRIVE, where, 0, "status:dead", **BY, rate=20.0, batch=1)
            begun = await first.spawn(first.engine.operations.start(order))
            for _ in range(10):
                await team.wait(0.2)
                desk = second.engine.operations
                await second.spawn(desk.pause(begun.id, **BY))
                await second.spawn(desk.resume(begun.id, **BY))
            await team.wait(60)
            done = await first.spawn(first.engine.operations.operation(begun.id))
            assert (done.state, done.tallies.delivered) == (State.COMPLETED, 60)
            assert {each.generation for each in await team.deliveries()} == {1}

    run(main(), team.clock)


class NotElected(Alone):
    """A worker among others, none of whose turn it is."""

    elected = False


def test_who_is_not_elected_runs_nothing() -> None:
    """The same loop does it once it is its turn."""
    rig = Rig(catalog(steady()), healed(10))

    async def main() -> None:
        async with running(rig):
            await rig.send(10)
            await rig.wait(5)
            engine = rig.engine
            for loop in engine._loops:
                await loop.stop()
            where = engine.views.where("status:dead")
            order = Plan(Kind.REDRIVE, where, 0, "status:dead", **BY, rate=1000.0, batch=7)
            begun = await engine.operations.start(order)
            parts = (rig.clock, rig.store, engine.operations, engine.actions)
            await Bulk(*parts, NotElected()).run_once()
            assert (await engine.operations.operation(begun.id)).revision == begun.revision
            await Bulk(*parts, Alone()).run_once()
            assert (await engine.operations.operation(begun.id)).tallies.changed == 7

    run(main(), rig.clock)
