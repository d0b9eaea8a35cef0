"""Operations: kept with what they change, or not at all."""

from typing import Any

import msgspec
import pytest

from holdfast.errors import Conflict, StoreError, StoreLost
from holdfast.model.attempt import Result as Tried
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.operation import (
    Canary,
    Kind,
    Operation,
    Outcome,
    Plan,
    Progress,
    Result,
    Stage,
    State,
    Tallies,
)
from holdfast.model.search import Choice, Predicate, Span
from holdfast.store import Batch, Counts, Note, Pruned, Retention
from holdfast.testing.store_suite.case import NOW, Case, Suite

PLAN = Plan(
    Kind.REDRIVE,
    Predicate((Choice("status", ("dead",)),), (Span("http", 500, 599),), ("a",), ((b"\x00\xff",),)),
    NOW,
    'status:dead http:500..599 "Größe"',
    "ann",
    "because",
    canary=Canary(5, 0.5, 1_000),
)


def operation(number: int = 1, **fields: Any) -> Operation:
    """Return an operation that runs; `fields` override."""
    made = Operation(
        id=f"opr_{number:032x}",
        revision=1,
        plan=PLAN,
        expected=3,
        at_least=True,
        state=State.RUNNING,
        stage=Stage.MAIN,
        created_at=NOW,
        resumed_at=NOW,
        rate=10.0,
    )
    return msgspec.structs.replace(made, **fields)


async def dead(case: Case) -> Delivery:
    """Return a dead delivery."""
    return await case.change(await case.take(), Verb.DIE, Tried.ERROR)


async def saved(case: Case, made: Operation, seen: int = 0, **parts: Any) -> Operation:
    """Commit an operation and return it as the store has counted it."""
    progress = Progress(seen, made, **parts.pop("told", {}))
    done = await case.store.commit(Batch(case.epoch, case.now, progress=progress, **parts))
    assert done.operation is not None
    return done.operation


class OperatingSuite(Suite):
    """`Batch.progress`, `operations`, `operation`, `results`; and other priorities."""

    async def test_an_operation_is_kept_as_it_was_saved(self, case: Case) -> None:
        """All of its plan and state; the last save wins."""
        first = await saved(case, operation())
        assert await case.store.operation(first.id) == first == operation()
        later = msgspec.structs.replace(
            first, revision=2, cursor="dlv_5", sample=("dlv_7",), recent=(1.5, 2.25), why="so"
        )
        await saved(case, later, 1)
        assert await case.store.operation(first.id) == later
        assert await case.store.operation("opr_none") is None

    async def test_operations_come_newest_first(self, case: Case) -> None:
        """Page by page; or only those with something to do."""
        for number, state in enumerate(State):
            await saved(case, operation(number, state=state))
        names = [each.id for each in await case.store.operations()]
        assert names == sorted(names, reverse=True)
        assert len(names) == len(State)
        page = await case.store.operations(limit=2)
        rest = await case.store.operations(below=page[-1].id)
        assert [each.id for each in (*page, *rest)] == names
        active = await case.store.operations(active=True)
        assert {each.state for each in active} == {State.RUNNING, State.UNDOING}

    async def test_changes_and_progress_are_one(self, case: Case) -> None:
        """What was applied is counted as that, what was refused as skipped."""
        taken = [await dead(case) for _ in range(3)]
        moved = await case.change(taken[2], Verb.DISCARD)
        transitions = tuple(case.transition(each, Verb.REDRIVE, generation=1) for each in taken)
        left = Result("dlv_left", Outcome.SKIPPED, "PREDECESSOR", 4, NOW)
        done = await saved(
            case,
            operation(),
            transitions=transitions,
            told={"outcome": Outcome.RELEASED, "results": (left,)},
        )
        assert done.tallies == Tallies(changed=2, skipped=2)
        assert done.skips == {"CHANGED": 1, "PREDECESSOR": 1}
        assert await case.store.operation(done.id) == done
        found = {each.delivery_id: each for each in await case.store.results(done.id, limit=10)}
        assert found["dlv_left"] == left
        assert found[taken[0].id] == Result(
            taken[0].id, Outcome.RELEASED, "", taken[0].revision + 1, NOW
        )
        assert found[moved.id].outcome is Outcome.SKIPPED
        assert (await case.get(taken[0])).generation == 1
        assert (await case.get(moved)) == moved

    async def test_a_stale_operation_changes_nothing(self, case: Case) -> None:
        """Whoever decided on another revision is refused with all of the batch."""
        await saved(case, operation())
        delivery = await dead(case)
        change = case.transition(delivery, Verb.REDRIVE, generation=1)
        note = Note(NOW, "ann", "x", "opr", "y")
        for seen, made in ((0, operation()), (2, operation(revision=3)), (1, operation(9))):
            with pytest.raises(Conflict):
                await saved(case, made, seen, transitions=(change,), notes=(note,))
        assert await case.get(delivery) == delivery
        assert await case.store.results(operation().id, limit=10) == []
        assert await case.store.notes("opr", 10) == []

    async def test_a_bad_change_takes_the_progress_with_it(self, case: Case) -> None:
        """A commit that fails leaves the operation where it was, and so does an old owner's."""
        first = await saved(case, operation())
        delivery = await dead(case)
        wrong = case.transition(delivery, Verb.REDRIVE, revision=delivery.revision)
        later = msgspec.structs.replace(first, revision=2)
        with pytest.raises(StoreError):
            await saved(case, later, 1, transitions=(wrong,))
        with pytest.raises(StoreLost):
            await case.store.commit(Batch(case.epoch + 1, NOW, progress=Progress(1, later)))
        assert await case.store.operation(first.id) == first

    async def test_a_later_outcome_takes_the_place_of_the_first(self, case: Case) -> None:
        """Then it is not open any more; the tallies know both."""
        names = [f"dlv_{number}" for number in range(4)]
        first = tuple(Result(name, Outcome.DONE, "", 1, NOW) for name in names[:2])
        first += tuple(Result(name, Outcome.RELEASED, "", 1, NOW) for name in names[2:])
        begun = await saved(case, operation(), told={"results": first})
        name = begun.id
        assert await case.store.results(name, limit=10, opened=True) == list(first[::-1])
        later = (
            Result("dlv_3", Outcome.DELIVERED, "", 1, NOW + 1),
            Result("dlv_0", Outcome.KEPT, "CHANGED", 1, NOW + 1),
        )
        done = await saved(
            case, msgspec.structs.replace(begun, revision=2), 1, told={"results": later}
        )
        assert done.tallies == Tallies(changed=4, delivered=1, kept=1)
        assert done.recent == (1.0, 0.0)
        opened = await case.store.results(name, limit=10, opened=True)
        assert [each.delivery_id for each in opened] == ["dlv_2", "dlv_1"]
        page = await case.store.results(name, limit=3)
        rest = await case.store.results(name, below=page[-1].delivery_id, limit=3)
        assert [each.delivery_id for each in (*page, *rest)] == names[::-1]
        assert page[0] == later[0]

    async def test_members_that_touch_each_other_count_as_well(self, case: Case) -> None:
        """The second change of one delivery in a batch is refused, and counted as skipped."""
        delivery = await dead(case)
        change = case.transition(delivery, Verb.REDRIVE, generation=1)
        done = await saved(
            case,
            operation(),
            transitions=(
                change,
                msgspec.structs.replace(
                    change, after=msgspec.structs.replace(change.after, generation=2)
                ),
            ),
            told={"outcome": Outcome.RELEASED},
        )
        assert (done.tallies.changed, done.tallies.skipped) == (1, 1)
        [result] = await case.store.results(done.id, limit=5)
        assert result.outcome is Outcome.RELEASED

    async def test_results_are_filtered_by_outcome(self, case: Case) -> None:
        """One or several; pages go on within them, and `opened` narrows further."""
        kinds = tuple(Outcome)
        told = tuple(
            Result(f"dlv_{number:02}", kinds[number % len(kinds)], "", 1, NOW)
            for number in range(2 * len(kinds))
        )
        name = (await saved(case, operation(), told={"results": told})).id
        results = case.store.results
        everything = await results(name, limit=99)
        assert everything == list(told[::-1])
        for outcome in kinds:
            some = await results(name, limit=99, outcomes=[outcome])
            assert [each.outcome for each in some] == [outcome] * 2
        failed = {Outcome.FAILED, Outcome.ENDED}
        expected = [each for each in everything if each.outcome in failed]
        first = await results(name, limit=3, outcomes=failed)
        below = first[-1].delivery_id
        rest = await results(name, below=below, limit=3, outcomes=failed)
        assert first + rest == expected
        opened = await results(name, limit=9, opened=True, outcomes=[Outcome.DONE, Outcome.FAILED])
        assert [each.outcome for each in opened] == [Outcome.DONE] * 2

    async def test_what_ended_long_ago_goes_with_its_results(self, case: Case) -> None:
        """A few at a time; what has not ended stays, however old."""
        results = tuple(Result(f"dlv_{n}", Outcome.DONE, "", 1, NOW) for n in range(3))
        ended: dict[str, Any] = {"state": State.COMPLETED, "ended_at": NOW}
        old = await saved(case, operation(1, **ended), told={"results": results})
        new = await saved(
            case, operation(2, **(ended | {"ended_at": NOW + 1})), told={"results": results}
        )
        paused = await saved(case, operation(3, state=State.PAUSED), told={"results": results})
        assert await case.store.prune(NOW, Retention(rows=NOW)) == Pruned()
        gone = [(await case.store.prune(NOW, Retention(rows=NOW + 1, limit=2))) for _ in range(3)]
        assert gone == [Pruned(operations=2), Pruned(operations=2), Pruned()]
        assert await case.store.operation(old.id) is None
        assert await case.store.results(old.id, limit=5) == []
        for kept in (new, paused):
            assert await case.store.operation(kept.id) == kept
            assert len(await case.store.results(kept.id, limit=5)) == 3

    async def test_another_priority_moves_the_counters_and_the_band(self, case: Case) -> None:
        """What waits is served in its new place."""
        first, second = await case.take(priority=5), await case.take(priority=5)
        raised = await case.change(second, Verb.REVISE, priority=9, endpoint="spare")
        assert await case.get(second) == raised
        counts = (await case.store.counts())["north"]
        assert counts == Counts(created=2, pending=2, high=1, normal=1)
        page = await case.due()
        assert [each.delivery.id for each in page.waiting] == [second.id, first.id]
        await case.change(raised, Verb.SUCCEED, Tried.SUCCESS)
        counts = (await case.store.counts())["north"]
        assert counts == Counts(created=2, pending=1, delivered=1, normal=1)
