"""Bulk work on the whole engine, in virtual time."""

from typing import Any

import msgspec
import pytest

from holdfast.errors import Conflict, InvalidInput, NotFound, Stale
from holdfast.model.delivery import Status
from holdfast.model.flow import Endpoint, Recipient
from holdfast.model.operation import Canary, Kind, Operation, Outcome, Plan, Stage, State
from holdfast.testing.channel import always, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "the partner is back"}
FAST: dict[str, Any] = {"rate": 1000.0, "batch": 7}


def plan(rig: Rig, kind: Kind, query: str, **fields: Any) -> Plan:
    """Return a plan for what a query means now."""
    where = rig.engine.views.where(query)
    values: dict[str, Any] = {**FAST, "cut_off": 0, **BY, **fields}
    return Plan(kind=kind, where=where, query=query, **values)


async def start(rig: Rig, kind: Kind, query: str, **fields: Any) -> Operation:
    """Start an operation."""
    return await rig.engine.operations.start(plan(rig, kind, query, **fields))


async def now(rig: Rig, operation: Operation) -> Operation:
    """Return an operation as it is."""
    return await rig.engine.operations.operation(operation.id)


async def outcomes(rig: Rig, operation: Operation) -> list[Outcome]:
    """Return what became of its deliveries, by delivery."""
    return [each.outcome for each in await rig.engine.operations.results(operation.id, None, 1000)]


async def dead(rig: Rig, count: int) -> None:
    """Send messages that die."""
    await rig.send(count)
    await rig.wait(5)
    assert len(await rig.deliveries(Status.DEAD)) == count


def healed(count: int) -> Any:
    """Return partners that refuse so many sends, then take all."""
    return in_order(*([400] * count), 200)


def steady(name: str = "acme", **fields: Any) -> Recipient:
    """Return a recipient without breaker."""
    return recipient(name, breaker=NO_BREAKER, **fields)


def test_redrive_brings_all_home_and_waits_for_the_outcomes() -> None:
    """Each is redriven once; the operation is complete when it is known how each ended."""
    rig = Rig(catalog(steady()), healed(30))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 30)
            begun = await start(rig, Kind.REDRIVE, "status:dead")
            assert (begun.expected, begun.state, begun.revision) == (30, State.RUNNING, 1)
            await rig.wait(30)
            done = await now(rig, begun)
            assert (done.state, done.stage) == (State.COMPLETED, Stage.END)
            assert (done.tallies.changed, done.tallies.delivered) == (30, 30)
            found = await rig.deliveries()
            assert {(each.status, each.generation) for each in found} == {(Status.DELIVERED, 1)}
            assert await outcomes(rig, begun) == [Outcome.DELIVERED] * 30
            lines = await rig.store.notes(begun.id, 10)
            assert [(each.action, each.detail) for each in lines] == [
                ("operation_complete", '{"state":["running","completed"],"stage":["last","end"]}'),
                ("operation_start", "redrive status:dead"),
            ]
            (line, *_) = await rig.store.notes(found[0].id, 10)
            assert (line.action, line.actor, line.reason) == ("redrive", "ann", BY["reason"])
            assert line.detail.startswith(begun.id)

    run(main(), rig.clock)


def test_the_selection_is_frozen() -> None:
    """What dies after the cut-off is left alone, and so is what died anew since."""
    rig = Rig(catalog(steady()), always(400))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 4)
            shown = await rig.engine.operations.preview(plan(rig, Kind.REDRIVE, "status:dead"))
            assert (shown.count, shown.at_least, len(shown.sample)) == (4, False, 4)
            assert shown.strata == {("acme", "validation"): 4} or len(shown.strata) == 1
            await rig.wait(1)
            await rig.send(3)
            again = plan(rig, Kind.REDRIVE, "status:dead", cut_off=shown.plan.cut_off)
            await rig.wait(1)
            assert (await rig.engine.operations.preview(again)).count == 4
            (first, *_) = await rig.deliveries(Status.DEAD)
            await rig.engine.actions.redrive(first.id, **BY)
            await rig.wait(5)
            begun = await start(
                rig, Kind.REDRIVE, "status:dead", cut_off=shown.plan.cut_off, stop=1.0
            )
            await rig.wait(30)
            done = await now(rig, begun)
            assert (done.tallies.changed, done.tallies.failed) == (3, 3)
            generations = [each.generation for each in await rig.deliveries()]
            assert generations == [1, 1, 1, 1, 0, 0, 0]

    run(main(), rig.clock)


def test_a_canary_goes_first_and_the_rest_follows_faster_and_faster() -> None:
    """One per second at first, doubling; nothing of the rest before the gate has opened."""
    rig = Rig(catalog(steady()), healed(100))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 100)
            begun = await start(rig, Kind.REDRIVE, "status:dead", canary=Canary(20))
            assert begun.stage is Stage.DRAW
            await rig.wait(0.5)
            gated = await now(rig, begun)
            assert (gated.stage, gated.tallies.changed, len(gated.sample)) == (Stage.GATE, 20, 20)
            await rig.wait(7)
            slow = await now(rig, begun)
            assert slow.stage is Stage.MAIN
            (note, _) = await rig.store.notes(begun.id, 10)
            assert (note.action, note.actor) == ("operation_promote", "engine")
            assert note.detail == '{"stage":["gate","main"]}'
            assert "of 20 were delivered; success is surely above 8" in note.reason
            assert 20 < slow.tallies.changed < 35
            await rig.wait(60)
            done = await now(rig, begun)
            assert (done.state, done.tallies.delivered) == (State.COMPLETED, 100)
            assert {each.generation for each in await rig.deliveries()} == {1}

    run(main(), rig.clock)


def test_a_canary_that_dies_saves_the_rest() -> None:
    """It pauses and says why; after `resume` a new canary is drawn, and judged by itself."""
    rig = Rig(catalog(steady()), healed(40 + 10))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 40)
            begun = await start(rig, Kind.REDRIVE, "status:dead", canary=Canary(10, 0.7))
            await rig.wait(10)
            halted = await now(rig, begun)
            assert (halted.state, halted.tallies.changed) == (State.PAUSED, 10)
            assert halted.why is not None
            assert "canary: 0 of 10" in halted.why
            assert [each.generation for each in await rig.deliveries()].count(1) == 10
            await rig.engine.operations.resume(begun.id, **BY)
            await rig.wait(90)
            done = await now(rig, begun)
            assert (done.state, done.tallies.delivered) == (State.COMPLETED, 30)
            assert (done.tallies.failed, len(done.sample)) == (10, 20)

    run(main(), rig.clock)


def test_a_canary_of_all_there_is_passes_when_all_of_it_is_delivered() -> None:
    """Five cannot show 80 %, but no more matched: nothing is left that it could save."""
    rig = Rig(catalog(steady()), healed(5))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 5)
            begun = await start(rig, Kind.REDRIVE, "status:dead", canary=Canary(20))
            await rig.wait(60)
            done = await now(rig, begun)
            assert (done.state, done.tallies.delivered) == (State.COMPLETED, 5)

    run(main(), rig.clock)


def test_a_canary_that_could_never_pass_is_refused() -> None:
    """Ten deliveries that all succeed do not show 80 %; eleven do."""
    rig = Rig(catalog(steady()), always(400))

    async def main() -> None:
        async with running(rig):
            with pytest.raises(InvalidInput, match=r"canary\.size.*10.*at least 11"):
                await start(rig, Kind.REDRIVE, "status:dead", canary=Canary(10))
            assert await rig.engine.operations.operations(None, 10) == []
            await start(rig, Kind.REDRIVE, "status:dead", canary=Canary(11))

    run(main(), rig.clock)


def test_the_canary_is_of_every_recipient() -> None:
    """A partner with few dead ones is tried as well."""
    rig = Rig(catalog(steady("acme"), steady("beta")), healed(80))

    async def main() -> None:
        async with running(rig):
            await dead_both(rig)
            begun = await start(rig, Kind.REDRIVE, "status:dead", canary=Canary(6, 0.5))
            await rig.wait(0.5)
            sample = (await now(rig, begun)).sample
            names = {each.id: each.recipient for each in await rig.deliveries()}
            assert {names[each] for each in sample} == {"acme", "beta"}

    async def dead_both(rig: Rig) -> None:
        await rig.send(40)
        await rig.wait(5)

    run(main(), rig.clock)


def test_it_stops_by_itself_when_too_many_fail_again() -> None:
    """Long before all are through; the reason says what was seen."""
    rig = Rig(catalog(steady()), always(400))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 200)
            begun = await start(rig, Kind.REDRIVE, "status:dead", rate=10.0)
            await rig.wait(60)
            halted = await now(rig, begun)
            assert halted.state is State.PAUSED
            assert halted.why is not None
            assert "failed again" in halted.why
            assert halted.tallies.changed < 40

    run(main(), rig.clock)


def test_retries_that_fail_stop_it_before_they_die() -> None:
    """What fails and waits for its next try counts as well: a death may take days."""
    rig = Rig(catalog(steady()), in_order(*([400] * 100), 503))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 100)
            begun = await start(rig, Kind.REDRIVE, "status:dead", rate=5.0)
            await rig.wait(8)
            halted = await now(rig, begun)
            assert (halted.state, halted.tallies.failed) == (State.PAUSED, 0)

    run(main(), rig.clock)


def test_the_rate_and_the_number_without_outcome_are_kept() -> None:
    """At 10 per second 30 take 3 seconds; with room for 5 it stalls while a lane is paused."""
    rig = Rig(catalog(steady()), healed(30))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 30)
            await rig.engine.actions.pause("acme", **BY)
            begun = await start(rig, Kind.REDRIVE, "status:dead", rate=10.0, concurrency=5)
            await rig.wait(20)
            assert (await now(rig, begun)).tallies.changed == 5
            await rig.engine.actions.resume("acme", **BY)
            await rig.wait(60)
            assert (await now(rig, begun)).tallies.delivered == 30

    run(main(), rig.clock)

    rig = Rig(catalog(steady()), healed(30))

    async def paced() -> None:
        async with running(rig):
            await dead(rig, 30)
            begun = await start(rig, Kind.REDRIVE, "status:dead", rate=10.0)
            await rig.wait(1.5)
            assert 10 <= (await now(rig, begun)).tallies.changed <= 26
            await rig.wait(3)
            assert (await now(rig, begun)).tallies.changed == 30

    run(paced(), rig.clock)


def test_people_pause_resume_and_cancel() -> None:
    """Each needs a reason and the state that was seen, where one is given; progress is none."""
    rig = Rig(catalog(steady()), healed(30))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 30)
            desk = rig.engine.operations
            begun = await start(rig, Kind.REDRIVE, "status:dead", rate=2.0)
            await rig.wait(2)
            with pytest.raises(Stale):
                await desk.pause(begun.id, seen="running-1", **BY)
            with pytest.raises(InvalidInput):
                await desk.pause(begun.id, actor="ann", reason=" ")
            assert (await now(rig, begun)).revision > begun.revision
            paused = await desk.pause(begun.id, actor="ann", reason="a\x00b", seen=begun.tag)
            (line, *_) = await rig.store.notes(begun.id, 10)
            assert (line.action, line.detail) == (
                "operation_pause", '{"state":["running","paused"]}',
            )  # fmt: skip
            assert (paused.state, paused.why) == (State.PAUSED, "ann: a\ufffdb")
            await rig.wait(60)
            assert (await now(rig, begun)).tallies.changed == paused.tallies.changed < 30
            with pytest.raises(Conflict):
                await desk.pause(begun.id, **BY)
            await desk.resume(begun.id, **BY)
            await rig.wait(3)
            assert (await now(rig, begun)).tallies.changed > paused.tallies.changed
            ended = await desk.cancel(begun.id, **BY)
            await rig.wait(60)
            assert (await now(rig, begun)).revision == ended.revision
            with pytest.raises(Conflict):
                await desk.resume(begun.id, **BY)
            with pytest.raises(Conflict):
                await desk.undo(begun.id, **BY)
            with pytest.raises(NotFound):
                await desk.operation("opr_0")

    run(main(), rig.clock)


def test_a_discard_can_be_undone_for_a_while() -> None:
    """What something else changed since stays; afterwards the time is over."""
    rig = Rig(catalog(steady()), always(400))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 20)
            desk = rig.engine.operations
            begun = await start(rig, Kind.DISCARD, "status:dead", undo_ms=60_000)
            await rig.wait(5)
            done = await now(rig, begun)
            assert (done.state, done.tallies.changed) == (State.COMPLETED, 20)
            assert len(await rig.deliveries(Status.DISCARDED)) == 20
            (first, *_) = await rig.deliveries()
            await rig.engine.actions.prove(first.id, **BY)
            await desk.undo(begun.id, **BY)
            await rig.wait(5)
            undone = await now(rig, begun)
            assert (undone.state, undone.tallies.undone, undone.tallies.kept) == (
                State.UNDONE,
                19,
                1,
            )
            assert len(await rig.deliveries(Status.DEAD)) == 19
            again = await start(rig, Kind.DISCARD, "status:dead", undo_ms=60_000)
            await rig.wait(65)
            with pytest.raises(Conflict, match="over"):
                await desk.undo(again.id, **BY)

    run(main(), rig.clock)


def test_what_waits_is_cancelled_rescheduled_ranked_and_sent_elsewhere() -> None:
    """Each kind does what it says to all that wait, and leaves what has ended alone."""
    other = Endpoint(name="spare", url="http://spare.example/leads")
    main_one = Endpoint(url="http://acme.example/leads")
    rig = Rig(catalog(steady(endpoints=(main_one, other))), always())

    async def main() -> None:
        async with running(rig):
            await rig.engine.actions.pause("acme", **BY)
            await rig.send(12)
            await start(rig, Kind.PRIORITY, "recipient:acme", priority=9)
            await start(rig, Kind.ENDPOINT, "recipient:acme", endpoint="spare")
            await rig.wait(3)
            found = await rig.deliveries()
            assert {(each.priority, each.endpoint) for each in found} == {(9, "spare")}
            counts = (await rig.store.counts())["acme"]
            assert (counts.high, counts.normal, counts.pending) == (12, 0, 12)
            at = rig.clock.now() + 100_000
            await start(rig, Kind.RESCHEDULE, "status:pending", at=at)
            await rig.wait(3)
            assert {each.due_at for each in await rig.deliveries()} == {at}
            await rig.engine.actions.resume("acme", **BY)
            await rig.wait(50)
            assert len(await rig.deliveries(Status.PENDING)) == 12
            begun = await start(rig, Kind.CANCEL, "status:pending")
            await rig.wait(3)
            assert (await now(rig, begun)).tallies.changed == 12
            assert len(await rig.deliveries(Status.DISCARDED)) == 12

    run(main(), rig.clock)


def test_what_cannot_be_changed_is_skipped_and_counted_by_reason() -> None:
    """An endpoint that it does not have, a revoked consent, a step before that is dead."""
    rig = Rig(catalog(steady("one"), steady("two"), mode="sequential"), always(400))

    async def main() -> None:
        async with running(rig):
            (receipt, _) = await rig.send(2)
            await rig.wait(5)
            await rig.engine.actions.revoke(receipt.message_id, **BY)
            for delivery in await rig.deliveries(Status.DISCARDED):
                await rig.engine.actions.undo(delivery.id, **BY)
            begun = await start(rig, Kind.REDRIVE, "status:dead", stop=1.0)
            await rig.wait(10)
            done = await now(rig, begun)
            assert done.skips == {"PREDECESSOR": 2, "CONSENT_REVOKED": 1}
            assert (done.tallies.changed, done.tallies.skipped) == (1, 3)
            elsewhere = await start(rig, Kind.REDRIVE, "recipient:one", endpoint="nowhere")
            await rig.wait(10)
            assert (await now(rig, elsewhere)).skips["ENDPOINT"] >= 1

    run(main(), rig.clock)


@pytest.mark.parametrize(
    ("kind", "query", "fields"),
    [
        (Kind.REDRIVE, "", {}),
        (Kind.REDRIVE, "status:pending", {}),
        (Kind.CANCEL, "status:dead,discarded", {}),
        (Kind.REDRIVE, "status:dead", {"cut_off": 10**15}),
        (Kind.RESCHEDULE, "status:pending", {}),
        (Kind.REDRIVE, "status:dead", {"reason": ""}),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(
    kind: Kind, query: str, fields: dict[str, Any]
) -> None:
    """And nothing is saved."""
    rig = Rig(catalog(steady()), always())

    async def main() -> None:
        async with running(rig):
            with pytest.raises(InvalidInput):
                await start(rig, kind, query, **fields)
            assert await rig.engine.operations.operations(None, 10) == []

    run(main(), rig.clock)


def test_a_crash_in_between_changes_nothing_twice() -> None:
    """The next owner goes on where the last commit ended; each delivery is redriven once."""
    rig = Rig(catalog(steady()), healed(60))

    async def main() -> None:
        await rig.engine.start()
        await dead(rig, 60)
        begun = await start(rig, Kind.REDRIVE, "status:dead", rate=10.0)
        changed = 0
        for _ in range(3):
            await rig.wait(1.3)
            await rig.crash()
            await rig.engine.start()
            assert (await now(rig, begun)).tallies.changed > changed
            changed = (await now(rig, begun)).tallies.changed
        await rig.wait(60)
        done = await now(rig, begun)
        assert (done.state, done.tallies.changed) == (State.COMPLETED, 60)
        assert {each.generation for each in await rig.deliveries()} == {1}
        for each in await rig.deliveries():
            lines = await rig.store.notes(each.id, 10)
            assert [line.action for line in lines] == ["redrive"]
        await rig.engine.stop()

    run(main(), rig.clock)


def test_listeners_hear_how_it_gets_on() -> None:
    """Of several steps at once only the last is told."""
    rig = Rig(catalog(steady()), healed(30))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 30)
            words: list[Any] = []
            rig.engine.operations._tell = words.append
            begun = await start(rig, Kind.REDRIVE, "status:dead")
            await rig.wait(30)
            assert [each.state for each in words][-1] is State.COMPLETED
            assert words[-1].delivered == 30
            assert len(words) < (await now(rig, begun)).revision

    run(main(), rig.clock)


def test_an_old_plan_reads_back_as_it_was() -> None:
    """What is stored of an operation is all of it."""
    rig = Rig(catalog(steady()), always(400))

    async def main() -> None:
        async with running(rig):
            await dead(rig, 1)
            begun = await start(
                rig, Kind.REDRIVE, "status:dead age:<1d", canary=Canary(5, 0.5, 1000), stop=0.9
            )
            found = await rig.store.operation(begun.id)
            assert found is not None
            assert found.plan == begun.plan
            assert msgspec.json.encode(found.plan.where) == msgspec.json.encode(begun.plan.where)

    run(main(), rig.clock)
