"""Parallel and sequential flows."""

from typing import Any

import pytest

from holdfast.channel import Request
from holdfast.errors import Conflict
from holdfast.model.delivery import Status
from holdfast.testing.channel import Scripted, always
from holdfast.testing.clock import run
from holdfast.testing.rig import Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "fixed"}


def test_parallel_steps_deliver_independently() -> None:
    """One step's trouble does not touch the other."""
    rig = Rig(catalog(recipient("a"), recipient("b")))
    rig.channel.script = lambda request, _: Scripted(400 if request.recipient == "a" else 200)

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            found = {d.recipient: d.status for d in await rig.deliveries()}
            assert found == {"a": Status.DEAD, "b": Status.DELIVERED}

    run(main(), rig.clock)


def test_sequential_steps_wait_for_each_other() -> None:
    """Step two starts when step one succeeded, three when two did."""
    steps = [recipient(name) for name in ("a", "b", "c")]
    rig = Rig(catalog(*steps, mode="sequential"), always(200, takes_ms=1000))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(10)
            assert [request.recipient for _, request in rig.channel.sent] == ["a", "b", "c"]
            instants = [at for at, _ in rig.channel.sent]
            assert instants[1] >= instants[0] + 1000
            assert instants[2] >= instants[1] + 1000

    run(main(), rig.clock)


def test_a_failed_step_discards_the_rest_and_redrive_revives_it() -> None:
    """What cannot follow is discarded PREDECESSOR, and waits again when the step is redriven."""
    steps = [recipient(name) for name in ("a", "b", "c")]
    rig = Rig(catalog(*steps, mode="sequential"))
    refuse = {"a"}

    def script(request: Request, _: int) -> Scripted:
        return Scripted(400 if request.recipient in refuse else 200)

    rig.channel.script = script

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            found = {d.recipient: (d.status, d.code) for d in await rig.deliveries()}
            assert found["a"] == (Status.DEAD, "HARD_FAILURE")
            assert found["b"] == found["c"] == (Status.DISCARDED, "PREDECESSOR")
            refuse.clear()
            (dead,) = await rig.deliveries(Status.DEAD)
            await rig.engine.actions.redrive(dead.id, **BY)
            await rig.wait(1)
            assert {d.status for d in await rig.deliveries()} == {Status.DELIVERED}
            assert [r.recipient for _, r in rig.channel.sent] == ["a", "a", "b", "c"]

    run(main(), rig.clock)


def test_counters_add_up_through_all_of_it() -> None:
    """Created = delivered + pending + dead + discarded, per lane (promise 2)."""
    steps = [recipient(name) for name in ("a", "b", "c")]
    rig = Rig(catalog(*steps, mode="sequential"))
    rig.channel.script = lambda request, _: Scripted(400 if request.recipient == "b" else 200)

    async def main() -> None:
        async with running(rig):
            await rig.send(10)
            await rig.wait(2)
            counts = await rig.store.counts()
            assert counts["a"].delivered == 10
            assert counts["b"].dead == 10
            assert counts["c"].discarded == 10
            for lane in counts.values():
                ended = lane.delivered + lane.dead + lane.discarded + lane.pruned
                assert lane.created == ended + lane.pending == 10

    run(main(), rig.clock)


def test_a_step_is_not_redriven_before_the_one_before_it_arrived() -> None:
    """Undo and redrive of a step cannot overtake the step that it waits for."""
    rig = Rig(catalog(recipient("a"), recipient("b"), mode="sequential"), always(400))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            first, second = (each.id for each in receipt.deliveries)
            await rig.engine.actions.undo(second, **BY)
            with pytest.raises(Conflict, match=f"the step before it, {first}, is dead"):
                await rig.engine.actions.redrive(second, **BY)
            await rig.engine.actions.prove(first, **BY)
            await rig.engine.actions.redrive(second, **BY)
            await rig.wait(1)
            assert [r.recipient for _, r in rig.channel.sent] == ["a", "b"]

    run(main(), rig.clock)
