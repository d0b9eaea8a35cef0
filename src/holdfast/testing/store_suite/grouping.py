"""Failure groups: counted with the failures, changed by compare and set, and what a tally finds."""

from typing import Any

import msgspec
import pytest

from holdfast.errors import Conflict
from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.group import (
    BUCKET_MS,
    GROUPS_MAX,
    Bucket,
    Cause,
    Change,
    Group,
    GroupStatus,
    Held,
    Sighting,
    Tally,
)
from holdfast.model.judgement import Nature
from holdfast.model.search import Choice, Predicate, Search
from holdfast.policy.search import FAILING, matches, parse
from holdfast.store import Accept, Batch, Note, Retention
from holdfast.testing.store_suite.case import DAY, NOW, Case, Suite

ANY = Search(Predicate((FAILING,)))


def sighting(name: str = "g1_0000000000000001", at: int = NOW, **fields: Any) -> Sighting:
    """Return a failure in a group; `fields` override."""
    made = Sighting(name, "acme", "leads", "one", "north", "data", "422", "bad zip #", at)
    return msgspec.structs.replace(made, **fields)


async def failed(
    case: Case, delivery: Delivery, verb: Verb, seen: Sighting, **fields: Any
) -> Delivery:
    """Let a try fail in a group and return the delivery after it."""
    change = case.transition(delivery, verb, Result.ERROR, fingerprint=seen.id, **fields)
    (answer,) = await case.apply(msgspec.structs.replace(change, sighting=seen))
    assert answer.applied
    return change.after


async def dead(case: Case, seen: Sighting, value: float = 2.5, **fields: Any) -> Delivery:
    """Return a delivery that died in a group."""
    message = case.message(value=value)
    delivery = case.delivery(message, value=value, **fields)
    await case.commit(accepts=(Accept(message, (delivery,)),))
    return await failed(case, delivery, Verb.DIE, seen)


async def group(case: Case, name: str) -> Group:
    """Return a group as it is stored."""
    [found] = await case.store.groups([name])
    return found


async def changed(case: Case, seen: int, after: Group, *notes: Note) -> None:
    """Commit a person's change."""
    await case.store.commit(Batch(case.epoch, case.now, notes=notes, group=Change(seen, after)))


class GroupingSuite(Suite):
    """`Transition.sighting`, `Batch.group`, `tallies`, `groups`, `returned`, `failures`."""

    async def test_a_failure_makes_its_group_and_counts_in_it(self, case: Case) -> None:
        """First and last seen, how often, and at what time; also several in one batch."""
        first, later = sighting(), sighting(at=NOW + 2 * BUCKET_MS)
        delivery = await failed(case, await case.take(), Verb.RETRY, later)
        two = [await case.take() for _ in range(2)]
        changes = tuple(
            msgspec.structs.replace(
                case.transition(each, Verb.DIE, Result.ERROR, fingerprint=first.id), sighting=first
            )
            for each in two
        )
        await case.apply(*changes)
        found = await group(case, first.id)
        assert found == Group(
            first.id, "acme", "leads", "one", "north", "data", "422", "bad zip #",
            NOW, NOW + 2 * BUCKET_MS, 3,
        )  # fmt: skip
        start = NOW // BUCKET_MS
        assert await case.store.failures([first.id, "g1_none"], start, 1) == {
            first.id: {0: Bucket(2, 0, 2), 2: Bucket(1)}
        }
        assert await case.store.failures([first.id], start, 3) == {first.id: {0: Bucket(3, 0, 2)}}
        assert await case.store.failures([first.id], start + 1, 1) == {first.id: {1: Bucket(1)}}
        assert (await case.get(delivery)).fingerprint == first.id

    async def test_what_became_of_what_failed_is_counted(self, case: Case) -> None:
        """Recovered by another try, or lost; once, and not what a person sent again."""
        seen = sighting()
        first, second, third = [await case.take() for _ in range(3)]
        for each in (first, second, third):
            await failed(case, each, Verb.RETRY, seen)
        healed = case.transition(await case.get(first), Verb.SUCCEED, Result.SUCCESS, attempt=2)
        for _ in range(2):
            assert (await case.apply(healed))[0].applied
        again = case.transition(await case.get(second), Verb.SUCCEED, Result.SUCCESS, attempt=1)
        await case.apply(again)
        await failed(case, await case.get(third), Verb.DIE, seen)
        whole = await case.store.failures([seen.id], 0, 1 << 40)
        assert whole == {seen.id: {0: Bucket(4, recovered=1, lost=1)}}

    async def test_a_batch_that_is_written_again_counts_once(self, case: Case) -> None:
        """Its event is on record; a refused change whose try is new counts as well."""
        seen = sighting()
        delivery = await case.take()
        change = msgspec.structs.replace(
            case.transition(delivery, Verb.DIE, Result.ERROR, fingerprint=seen.id), sighting=seen
        )
        await case.apply(change)
        await case.apply(change)
        assert (await group(case, seen.id)).failures == 1
        late = msgspec.structs.replace(change, attempt=case.attempt(delivery, Result.ERROR))
        (answer,) = await case.apply(late.late())
        assert not answer.applied
        assert (await group(case, seen.id)).failures == 2

    async def test_a_tally_counts_what_fails(self, case: Case) -> None:
        """Dead and pending, their worth, the newest; not what was delivered or discarded."""
        seen = sighting()
        gone = [await dead(case, seen, value) for value in (1.0, 2.0)]
        message = case.message(value=8.0)
        waits = case.delivery(message, value=8.0)
        await case.commit(accepts=(Accept(message, (waits,)),))
        waits = await failed(case, waits, Verb.RETRY, seen)
        other = await dead(case, sighting("g1_0000000000000002", NOW + 1))
        found = await case.store.tallies(ANY)
        assert [each.group.id for each in found] == [other.fingerprint, seen.id]
        assert found[1].tally == Tally(2, 1, 3.0, 8.0, waits.id)
        await case.change(waits, Verb.SUCCEED, Result.SUCCESS)
        await case.change(gone[0], Verb.DISCARD)
        again = await case.store.tallies(ANY)
        assert again[1].tally == Tally(1, 0, 2.0, 0.0, gone[1].id)

    async def test_a_tally_counts_what_matches(self, case: Case) -> None:
        """Whatever is asked, as a predicate means it in Python; and only of the account."""
        deliveries = []
        for number in range(12):
            place = ("north", "east")[number % 2]
            seen = sighting(f"g1_{number % 6:016x}", recipient=place)
            delivery = await dead(case, seen, float(number), recipient=place, priority=number % 10)
            if number % 4 == 0:
                delivery = await case.change(delivery, Verb.REDRIVE)
            deliveries.append(delivery)
        for query in (
            "", "status:dead", "recipient:east", "-recipient:east", "priority:>=4",
            "value:3..7", "group:g1_0000000000000001", "status:pending group:g1_0000000000000000",
            "attempts:0", "zip", "code:NONE", "step:one flow:leads account:acme", "-status:dead",
            "recipient:east,none status:pending", "recipient:none", "step:two", "flow:two",
            "account:bolt", "-account:bolt -step:two", "recipient:east -priority:>=4",
        ):  # fmt: skip
            where = parse(query, NOW, digest=lambda _, __: ())
            where = msgspec.structs.replace(where, choices=(*where.choices, *_failing(where)))
            search = Search(where, account="acme")
            found = {each.group.id: each.tally for each in await case.store.tallies(search)}
            matching = [each for each in deliveries if matches(where, each, each.value, ())]
            assert {each.fingerprint for each in matching} <= found.keys(), query
            for name, tally in found.items():
                own = [each for each in matching if each.fingerprint == name]
                assert tally.count == len(own), (query, name)
                assert tally.dead_value + tally.pending_value == sum(e.value for e in own), query

    async def test_a_tally_looks_only_at_groups_that_can_match(self, case: Case) -> None:
        """However many others were seen since: of another account, recipient, flow or step."""
        await dead(case, sighting())
        messages = [case.message() for _ in range(GROUPS_MAX)]
        taken = [case.delivery(message) for message in messages]
        await case.commit(
            accepts=tuple(Accept(one, (its,)) for one, its in zip(messages, taken, strict=True))
        )
        other = sighting(at=NOW + 1, account="bolt", recipient="east", flow="calls", step="two")
        await case.apply(
            *(
                msgspec.structs.replace(
                    case.transition(delivery, Verb.RETRY, Result.ERROR),
                    sighting=msgspec.structs.replace(other, id=f"g1_{number + 2:016x}"),
                )
                for number, delivery in enumerate(taken)
            )
        )
        assert sighting().id not in {each.group.id for each in await case.store.tallies(ANY)}
        own = [await case.store.tallies(msgspec.structs.replace(ANY, account="acme"))]
        for query in ("recipient:north", "flow:leads", "step:one", "account:acme"):
            where = parse(query, NOW, digest=lambda _, __: ())
            where = msgspec.structs.replace(where, choices=(*where.choices, FAILING))
            own.append(await case.store.tallies(Search(where)))
        for found in own:
            assert [(each.group.id, each.tally.count) for each in found] == [(sighting().id, 1)]

    async def test_a_tally_of_named_groups_walks_only_these(self, case: Case) -> None:
        """Of what a delivery is worth, its own row knows; other groups are not in the answer."""
        seen, other = sighting(), sighting("g1_0000000000000002", NOW + 1)
        gone = [await dead(case, seen, value) for value in (1.0, 2.0, 4.0)]
        await dead(case, other, 2.0)
        for query, number in (("value:>=2", 2), ("-value:>=2", 1), ("", 3)):
            where = parse(f"group:{seen.id} {query}", NOW, digest=lambda _, __: ())
            where = msgspec.structs.replace(where, choices=(*where.choices, FAILING))
            [found] = await case.store.tallies(Search(where))
            assert (found.group.id, found.tally.count) == (seen.id, number), query
        assert found.tally.newest == gone[-1].id

    async def test_a_tally_looks_at_a_limited_number(self, case: Case) -> None:
        """Of each group, and says so when there are more."""
        seen = sighting()
        gone = [await dead(case, seen, 1.0) for _ in range(5)]
        few = await case.store.tallies(msgspec.structs.replace(ANY, look=3))
        assert few[0].tally == Tally(3, 0, 3.0, 0.0, gone[-1].id, more=True)
        all_of_them = await case.store.tallies(msgspec.structs.replace(ANY, look=5))
        assert all_of_them[0].tally == Tally(5, 0, 5.0, 0.0, gone[-1].id)

    async def test_a_change_is_compared_and_set(self, case: Case) -> None:
        """With its audit line, or not at all."""
        seen = sighting()
        await dead(case, seen)
        before = await group(case, seen.id)
        after = msgspec.structs.replace(
            before, revision=1, status=GroupStatus.IGNORED, owner="bea", until=NOW + 5, ceiling=9,
            changed_at=NOW, changed_by="ann", why="ünd so",
        )  # fmt: skip
        await changed(case, 0, after, Note(NOW, "ann", "group_ignore", seen.id, "because"))
        assert await group(case, seen.id) == after
        with pytest.raises(Conflict):
            await changed(case, 0, after, Note(NOW, "ann", "group_ignore", seen.id, "twice"))
        none = msgspec.structs.replace(after, id="g1_ffffffffffffffff")
        with pytest.raises(Conflict):
            await changed(case, 0, none)
        assert len(await case.store.notes(seen.id, 10)) == 1

    async def test_what_was_resolved_comes_back_by_a_later_send(self, case: Case) -> None:
        """In the commit of the failure, once, and it is told until somebody writes it down."""
        seen = sighting()
        await dead(case, seen)
        before = await group(case, seen.id)
        resolved = msgspec.structs.replace(
            before, revision=1, status=GroupStatus.RESOLVED, resolved_at=NOW + 10, resolutions=1,
            cause=Cause.DATA, caused_by="änn",
        )  # fmt: skip
        await changed(case, 0, resolved)
        assert await group(case, seen.id) == resolved
        await dead(case, sighting(at=NOW + 10))
        late = await group(case, seen.id)
        assert (late.status, late.revision) == (GroupStatus.RESOLVED, 1)
        assert await case.store.returned() == []
        await dead(case, sighting(at=NOW + 11))
        back = await group(case, seen.id)
        assert (back.status, back.revision, back.regressed_at) == (
            GroupStatus.REGRESSED, 2, NOW + 11,
        )  # fmt: skip
        assert (back.resolutions, back.regressions, back.cause) == (1, 1, Cause.DATA)
        assert await case.store.returned() == [back]
        await dead(case, sighting(at=NOW + 12))
        again = await group(case, seen.id)
        assert (again.revision, again.regressions) == (2, 1)
        told = msgspec.structs.replace(back, revision=3, told=True)
        await changed(case, 2, told)
        assert await case.store.returned() == []

    async def test_what_was_judged_is_found_and_stays(self, case: Case) -> None:
        """However old it is, until it is taken back; a failure that is counted leaves it alone."""
        seen, other = sighting(), sighting("g1_0000000000000002")
        await case.change(await dead(case, seen), Verb.DISCARD)
        await case.change(await dead(case, other), Verb.DISCARD)
        assert await case.store.judged() == []
        before = await group(case, seen.id)
        assert (before.nature, before.judged_at, before.judged_by) == (None, 0, None)
        for nature in Nature:
            after = msgspec.structs.replace(
                before, revision=before.revision + 1, nature=nature, judged_at=NOW, judged_by="änn"
            )
            await changed(case, before.revision, after)
            assert await case.store.judged() == [after]
            before = after
        await case.store.prune(NOW, Retention(events=NOW + DAY))
        assert await case.store.groups([seen.id, other.id]) == [before]
        await case.change(await dead(case, sighting(at=NOW + 1)), Verb.DISCARD)
        [counted] = await case.store.judged()
        assert (counted.nature, counted.failures) == (Nature.PERMANENT, 2)
        free = msgspec.structs.replace(counted, revision=counted.revision + 1, nature=None)
        await changed(case, counted.revision, free)
        assert await case.store.judged() == []
        await case.store.prune(NOW, Retention(events=NOW + DAY))
        assert await case.store.groups([seen.id]) == []

    async def test_old_groups_go_when_nothing_fails_in_them(self, case: Case) -> None:
        """And so does when they failed; what still fails keeps its group."""
        old, kept = sighting(), sighting("g1_0000000000000002")
        await case.change(await dead(case, old), Verb.DISCARD)
        await dead(case, kept)
        await case.store.prune(NOW, Retention(events=NOW))
        assert len(await case.store.groups([old.id, kept.id])) == 2
        await case.store.prune(NOW, Retention(events=NOW + DAY))
        assert [each.id for each in await case.store.groups([old.id, kept.id])] == [kept.id]
        assert await case.store.failures([old.id, kept.id], 0, 1) == {}

    async def test_who_looks_at_dead_deliveries(self, case: Case) -> None:
        """By name, with their number, worth and the oldest; only dead ones, only the account's."""
        gone = [await dead(case, sighting(), 2.0) for _ in range(4)]
        for each, name in zip(gone, ("bea", "bea", "ann", "ann"), strict=True):
            await case.change(each, Verb.ASSIGN, assignee=name)
        redriven = await case.get(gone[3])
        await case.change(redriven, Verb.REDRIVE)
        assert await case.store.assignees(None, 10) == [
            Held("ann", 1, 2.0, gone[2].id),
            Held("bea", 2, 4.0, gone[0].id),
        ]
        assert len(await case.store.assignees("acme", 1)) == 1
        assert await case.store.assignees("bolt", 10) == []
        for query, names in (
            ("assignee:bea", gone[1::-1]),
            ("status:dead assignee:bea", gone[1::-1]),
            ("status:dead assignee:nobody", []),
            ("status:dead -assignee:bea", gone[2:3]),
        ):
            where = parse(query, NOW, digest=lambda _, __: ())
            found = await case.store.find(Search(where))
            assert [each.id for each in found.deliveries] == [each.id for each in names], query
            assert (await case.store.count(Search(where))).count == len(names), query

    async def test_a_child_is_found_by_its_parent(self, case: Case) -> None:
        """And kept as it was written."""
        parent = await dead(case, sighting())
        child = await case.take(parent=parent.id, cause="edit")
        found = await case.store.find(Search(Predicate((Choice("parent", (parent.id,)),))))
        assert found.deliveries == [child]

    async def test_a_strict_batch_is_written_wholly_or_not_at_all(self, case: Case) -> None:
        """One change that is refused takes the message with it."""
        parent = await dead(case, sighting())
        moved = await case.change(parent, Verb.ASSIGN, assignee="bea")
        message = case.message()
        child = case.delivery(message, parent=parent.id)
        accept = Accept(message, (child,))
        for seen, lands in ((parent, False), (moved, True)):
            change = case.transition(seen, Verb.SUPERSEDE, code="SUPERSEDED", cause=child.id)
            batch = Batch(case.epoch, NOW, (accept,), (change,), strict=True)
            if lands:
                await case.store.commit(batch)
                await case.store.commit(batch)  # an answer that got lost
            else:
                with pytest.raises(Conflict):
                    await case.store.commit(batch)
            assert (await case.store.get(child.id) is not None) == lands
        stored = await case.get(parent)
        assert (stored.status, stored.code) == (Status.DISCARDED, "SUPERSEDED")


def _failing(where: Predicate) -> tuple[Choice, ...]:
    given = any(each.field == "status" and not each.negated for each in where.choices)
    return () if given else (FAILING,)
