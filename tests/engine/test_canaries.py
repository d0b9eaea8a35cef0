"""Canaries beside what else happens: late outcomes, a cut-off, many lanes."""

from typing import Any

import pytest

from holdfast.api import bulk
from holdfast.channel import Request
from holdfast.engine import operations
from holdfast.model.delivery import Status
from holdfast.model.operation import Canary, Kind, Operation, Plan, Stage, State
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "the partner is back"}


def plan(rig: Rig, query: str, **fields: Any) -> Plan:
    """Return a plan of a redrive."""
    where = rig.engine.views.where(query)
    values: dict[str, Any] = {"rate": 1000.0, "batch": 7, "cut_off": 0, **BY, **fields}
    return Plan(kind=Kind.REDRIVE, where=where, query=query, **values)


async def halted(rig: Rig) -> Operation:
    """Return an operation on 60 dead deliveries whose canary nobody answered in time."""
    await rig.send(60)
    await rig.wait(5)
    assert len(await rig.deliveries(Status.DEAD)) == 60
    await rig.engine.actions.pause("acme", **BY)
    order = plan(rig, "status:dead", canary=Canary(20, 0.8, 1_000))
    begun = await rig.engine.operations.start(order)
    await rig.wait(5)
    found = await rig.engine.operations.operation(begun.id)
    assert found.state is State.PAUSED, found
    return found


async def again(rig: Rig, operation: Operation) -> None:
    """Go on with it, by a second canary, and let the lane send what waits of the first."""
    await rig.engine.operations.resume(operation.id, **BY)
    await rig.engine.actions.resume("acme", **BY)


def test_a_second_canary_is_not_judged_by_the_first() -> None:
    """A gate that counts 40 of 20 can neither be decided nor shown."""
    rig = Rig(catalog(recipient("acme", breaker=NO_BREAKER)), in_order(*([400] * 60), 200))

    async def main() -> None:
        async with running(rig):
            begun = await halted(rig)
            await again(rig, begun)
            for _ in range(30):
                await rig.wait(1)
                now = await rig.engine.operations.operation(begun.id)
                bulk.operation(now)  # can be shown
            assert now.state is State.COMPLETED

    run(main(), rig.clock)


def test_a_first_canary_that_comes_home_late_does_not_open_the_second_gate() -> None:
    """Only the second sample says whether the cause is mended."""
    first: set[str] = set()

    def script(request: Request, _: int) -> Scripted:
        if not first:
            return Scripted(400)
        return Scripted(200 if request.delivery_id in first else 503)

    rig = Rig(catalog(recipient("acme", breaker=NO_BREAKER)), script)

    async def main() -> None:
        async with running(rig):
            begun = await halted(rig)
            first.update(begun.sample)
            await again(rig, begun)
            for _ in range(4):
                await rig.wait(1)
                now = await rig.engine.operations.operation(begun.id)
            assert now.stage is Stage.GATE

    run(main(), rig.clock)


def test_what_died_since_the_cut_off_does_not_crowd_out_the_canary() -> None:
    """A preview tells it, and the canary is of what was previewed."""
    rig = Rig(catalog(recipient("acme", breaker=NO_BREAKER)), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send(30)
            await rig.wait(5)
            ops = rig.engine.operations
            shown = await ops.preview(plan(rig, "status:dead"))
            assert (shown.count, len(shown.sample)) == (30, 20)
            await rig.wait(1)
            for _ in range(21):
                await rig.send(10)
                await rig.wait(1)
            await rig.wait(5)
            await ops.preview(plan(rig, "status:dead", cut_off=shown.plan.cut_off))
            begun = await ops.start(
                plan(rig, "status:dead", cut_off=shown.plan.cut_off, canary=Canary(20))
            )
            for _ in range(10):
                await rig.wait(1)
                now = await ops.operation(begun.id)
            assert len(now.sample) == 20

    run(main(), rig.clock)


def test_a_canary_is_drawn_from_lanes_with_few_dead_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when none of the lanes that the sample is drawn from has any of the selection."""
    monkeypatch.setattr(operations, "LANES_MAX", 1)

    tried: list[str] = []

    def script(request: Request, _: int) -> Scripted:
        tried.append(request.recipient)
        few = request.recipient == "beta" and tried.count("beta") % 2
        return Scripted(422 if few else 400)

    rig = Rig(
        catalog(recipient("acme", breaker=NO_BREAKER), recipient("beta", breaker=NO_BREAKER)),
        script,
    )

    async def main() -> None:
        async with running(rig):
            await rig.send(30)
            await rig.wait(5)
            begun = await rig.engine.operations.start(
                plan(rig, "recipient:acme,beta http:422", canary=Canary(5, 0.5))
            )
            await rig.wait(0.5)
            now = await rig.engine.operations.operation(begun.id)
            assert (now.stage, len(now.sample)) == (Stage.GATE, 5)

    run(main(), rig.clock)
