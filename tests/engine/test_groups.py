"""Failure groups in virtual time on the whole engine."""

from typing import Any

import pytest

from holdfast.channel import Request
from holdfast.engine.settings import EngineSettings
from holdfast.errors import Conflict, InvalidInput, NotFound, Stale
from holdfast.model.delivery import Status
from holdfast.model.group import (
    Cause,
    Group,
    GroupBy,
    GroupSort,
    GroupStatus,
    Line,
    Lines,
    Listing,
    Lookback,
)
from holdfast.model.judgement import Nature
from holdfast.model.operation import Kind, Plan
from holdfast.model.policy import JitterKind, PolicySettings
from holdfast.model.search import Search
from holdfast.policy import recovery
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "the partner asked"}


def refused(text: str, status: int = 422) -> Scripted:
    """Return an answer that refuses with a text."""
    return Scripted(status, body=f'{{"error": "{text}"}}'.encode())


def by_recipient(answers: dict[str, Scripted]) -> Any:
    """Return a script that answers by recipient."""

    def script(request: Request, _: int) -> Scripted:
        return answers[request.recipient]

    return script


async def lines(rig: Rig, query: str = "", **asked: Any) -> list[Line]:
    """Return the list of groups."""
    where = rig.engine.views.where(query)
    return (await rig.engine.groups.lines(Listing(where=where, **asked))).lines


async def only(rig: Rig, **asked: Any) -> Group:
    """Return the only group."""
    [line] = await lines(rig, **asked)
    [group] = line.groups
    return group


def test_what_fails_alike_is_one_group() -> None:
    """With how many are dead, what they are worth, and a search that means just them."""
    rig = Rig(
        catalog(recipient("acme", breaker=NO_BREAKER), recipient("beta", breaker=NO_BREAKER)),
        by_recipient({"acme": refused("zip 12345 is bad"), "beta": refused("zip 1 is bad", 400)}),
    )

    async def main() -> None:
        async with running(rig):
            await rig.send(3, value=10.0)
            await rig.wait(1)
            found = await lines(rig, sort=GroupSort.VALUE)
            assert [(one.tally.dead, one.tally.dead_value) for one in found] == [(3, 30.0)] * 2
            assert {one.groups[0].recipient for one in found} == {"acme", "beta"}
            first = found[0]
            assert first.failures == 3
            assert sum(first.spark) == 3
            assert first.spark[-1] == 3
            assert first.first_at <= first.last_at <= rig.clock.now()
            assert first.query is not None
            same = await rig.store.find(Search(rig.engine.views.where(first.query)))
            assert {each.fingerprint for each in same.deliveries} == {first.key}
            assert len(same.deliveries) == 3
            assert first.tally.newest == same.deliveries[0].id
            assert await lines(rig, "recipient:nowhere") == []
            [acme] = await lines(rig, "recipient:acme http:422 value:>=10")
            assert acme.groups[0].recipient == "acme"

    run(main(), rig.clock)


def test_group_by_brings_causes_under_one_heading() -> None:
    """One error at two recipients is one line with both of them; each recipient has its own."""
    same = refused("no such zip")
    rig = Rig(
        catalog(recipient("acme"), recipient("beta")),
        by_recipient({"acme": same, "beta": same}),
    )

    async def main() -> None:
        async with running(rig):
            await rig.send(2)
            await rig.wait(1)
            [error] = await lines(rig, by=GroupBy.ERROR)
            assert error.recipients == ("acme", "beta")
            assert error.tally.dead == 4
            assert len(error.groups) == 2
            found = await rig.store.find(Search(rig.engine.views.where(error.query or "")))
            assert len(found.deliveries) == 4
            [kind] = await lines(rig, by=GroupBy.CLASS)
            assert kind.key.startswith("data") or kind.key
            for by in (GroupBy.RECIPIENT, GroupBy.STEP, GroupBy.FINGERPRINT):
                assert len(await lines(rig, by=by)) == 2

    run(main(), rig.clock)


def test_a_delivery_leaves_its_group_when_it_is_delivered() -> None:
    """While it fails and waits it counts as pending; after a success the group is not listed."""
    policy = PolicySettings(jitter=JitterKind.NONE)
    rig = Rig(catalog(recipient(breaker=NO_BREAKER), policy=policy), in_order(503, 503, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send(value=5.0)
            await rig.wait(1)
            [line] = await lines(rig)
            assert (line.tally.pending, line.tally.dead, line.tally.pending_value) == (1, 0, 5.0)
            await rig.wait(60)
            assert await rig.deliveries(Status.DELIVERED)
            assert await lines(rig) == []
            [empty] = await lines(rig, status=frozenset({GroupStatus.OPEN}))
            assert (empty.tally.count, empty.failures) == (0, 2)

    run(main(), rig.clock)


def test_a_resolved_group_regresses_when_a_later_send_fails() -> None:
    """It comes back by itself, once, with a line in the audit journal; an older send does not."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), always(400, takes_ms=10_000))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(11)
            await rig.send()  # on the wire while the group is resolved
            await rig.wait(1)
            group = await only(rig)
            done = await rig.engine.groups.resolve(group.id, **BY)
            assert (done.status, done.revision) == (GroupStatus.RESOLVED, group.revision + 1)
            assert await lines(rig) == []
            await rig.wait(15)
            late = await rig.engine.groups.group(group.id)
            assert (late.status, late.failures) == (GroupStatus.RESOLVED, 2)
            await rig.send()
            await rig.wait(15)
            back = await only(rig)
            assert (back.status, back.told) == (GroupStatus.REGRESSED, True)
            assert back.regressed_at == back.last_at > done.resolved_at
            actions = [each.action for each in await rig.store.notes(group.id, 10)]
            assert actions == ["group_regress", "group_resolve"]
            assert (back.resolutions, back.regressions) == (1, 1)
            again = await rig.engine.groups.resolve(group.id, **BY)
            assert (again.resolutions, again.regressions) == (2, 1)
            with pytest.raises(Stale):
                await rig.engine.groups.resolve(group.id, seen=done.revision, **BY)

    run(main(), rig.clock)


def test_a_history_labels_what_passes_and_what_does_not() -> None:
    """Nine of ten that come home by a retry are temporary; ten that die are permanent (S1.3)."""
    doomed: list[str] = []

    def script(request: Request, _: int) -> Scripted:
        if request.recipient == "beta":
            return refused("closed", 400)
        doomed.append(request.delivery_id)
        return Scripted(503 if request.attempt == 0 or request.delivery_id == doomed[0] else 200)

    rig = Rig(
        catalog(recipient("acme", breaker=NO_BREAKER), recipient("beta", breaker=NO_BREAKER)),
        script,
    )

    async def main() -> None:
        async with running(rig):
            await rig.send(10)
            await rig.wait(3600)
            found = {one.recipients: one for one in await lines(rig, status=frozenset(GroupStatus))}
            ended = {names: (one.recovered, one.lost) for names, one in found.items()}
            assert ended == {("acme",): (9, 1), ("beta",): (0, 10)}
            natures = [recovery.presumed(*each) for each in ended.values()]
            assert set(natures) == {Nature.TEMPORARY, Nature.PERMANENT}

    run(main(), rig.clock)


def test_a_cause_is_said_and_kept_over_failures() -> None:
    """With its line in the audit; it decides nothing, so the delivery fails as before."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(2)
            group = await only(rig)
            said = await rig.engine.groups.attribute(group.id, Cause.SECURITY, **BY)
            assert (said.cause, said.caused_by) == (Cause.SECURITY, BY["actor"])
            with pytest.raises(Conflict, match="the cause is security already"):
                await rig.engine.groups.attribute(group.id, Cause.SECURITY, **BY)
            await rig.send()
            await rig.wait(2)
            later = await only(rig)
            assert (later.cause, later.failures) == (Cause.SECURITY, 2)
            none = await rig.engine.groups.attribute(group.id, None, **BY)
            assert (none.cause, none.caused_by) == (None, None)
            [_, note] = await rig.store.notes(group.id, 10)
            assert (note.action, note.detail) == ("group_attribute", '{"cause":[null,"security"]}')

    run(main(), rig.clock)


@pytest.mark.slow
def test_a_new_failure_is_an_alert_at_once() -> None:
    """It is there at the first look after its commit; back after it was resolved, again."""
    rig = Rig(
        catalog(recipient("acme", breaker=NO_BREAKER), recipient("beta", breaker=NO_BREAKER)),
        by_recipient({"acme": refused("zip 12345 is bad"), "beta": Scripted(200)}),
    )

    async def alerts(limit: int = 10) -> list[tuple[str, int, int]]:
        found = await rig.engine.groups.alerts(Lookback.HOURS_3, limit)
        return [
            (each.group.recipient, each.tally.dead, each.group.regressed_at)
            for each in found.alerts
        ]

    async def main() -> None:
        async with running(rig):
            assert await alerts() == []
            await rig.send(2, priority=8)
            await rig.wait(1)
            assert await alerts() == [("acme", 2, 0)]
            urgent = await rig.engine.groups.critical(None, 1)
            assert (urgent.priority, urgent.count, len(urgent.deliveries)) == (7, 2, 1)
            assert (await rig.engine.groups.critical(9, 1)).count == 0
            await rig.engine.groups.resolve((await only(rig)).id, **BY)
            assert await alerts() == []
            await rig.wait(5)
            await rig.send()
            await rig.wait(1)
            back = await only(rig)
            assert await alerts() == [("acme", 3, back.last_at)]
            await rig.wait(4 * 3600)
            assert await alerts() == []

    run(main(), rig.clock)


def test_the_threshold_of_critical_is_set() -> None:
    """In the configuration of the engine."""
    settings = EngineSettings(critical_priority=9)
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), always(400), settings=settings)

    async def main() -> None:
        async with running(rig):
            await rig.send(priority=8)
            await rig.send(priority=9)
            await rig.wait(1)
            found = await rig.engine.groups.critical(None, 5)
            assert (found.priority, found.count) == (9, 1)

    run(main(), rig.clock)


def test_ignored_groups_come_back_by_time_or_by_number() -> None:
    """Until then they are not among the open ones."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), always(400))

    async def main() -> None:
        async with running(rig):
            groups = rig.engine.groups
            await rig.send()
            await rig.wait(1)
            name = (await only(rig)).id
            until = rig.clock.now() + 60_000
            await groups.ignore(name, until=until, failures=None, **BY)
            assert await lines(rig) == []
            assert (await only(rig, status=frozenset({GroupStatus.IGNORED}))).id == name
            await rig.wait(61)
            assert (await only(rig)).stands(rig.clock.now()) is GroupStatus.OPEN
            await groups.ignore(name, until=None, failures=2, **BY)
            await rig.send()
            await rig.wait(1)
            assert await lines(rig) == []
            await rig.send()
            await rig.wait(1)
            assert (await only(rig)).id == name
            await groups.ignore(name, until=None, failures=None, **BY)
            await groups.reopen(name, **BY)
            assert (await only(rig)).status is GroupStatus.OPEN
            with pytest.raises(Conflict):
                await groups.reopen(name, **BY)
            with pytest.raises(InvalidInput, match="until"):
                await groups.ignore(name, until=1, failures=None, **BY)
            with pytest.raises(InvalidInput, match="reason"):
                await groups.reopen(name, actor="ann", reason=" ")
            with pytest.raises(NotFound):
                await groups.resolve("g1_0000000000000000", **BY)

    run(main(), rig.clock)


def test_a_group_has_an_owner() -> None:
    """Who may be asked; the audit journal keeps who gave it to whom, and why."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            group = await only(rig)
            owned = await rig.engine.groups.assign(group.id, "bea", seen=group.revision, **BY)
            assert (owned.owner, owned.changed_by, owned.why) == ("bea", "ann", BY["reason"])
            [note] = await rig.store.notes(group.id, 10)
            assert note.detail == '{"owner":[null,"bea"]}'
            assert (await rig.engine.groups.assign(group.id, None, **BY)).owner is None
            for wrong in ("", " ", "nobody", "x" * 101):
                with pytest.raises(InvalidInput, match="owner"):
                    await rig.engine.groups.assign(group.id, wrong, **BY)

    run(main(), rig.clock)


def test_an_operation_acts_on_a_group() -> None:
    """Only its deliveries are redriven, and the events say that it was bulk work."""
    rig = Rig(
        catalog(recipient("acme", breaker=NO_BREAKER), recipient("beta", breaker=NO_BREAKER)),
        always(400),
    )

    async def main() -> None:
        async with running(rig):
            await rig.send(3)
            await rig.wait(1)
            [line] = await lines(rig, "recipient:acme")
            rig.channel.script = always(200)
            where = rig.engine.views.where(line.query or "")
            await rig.engine.operations.start(Plan(Kind.REDRIVE, where, 0, line.query or "", **BY))
            await rig.wait(20)
            delivered = await rig.deliveries(Status.DELIVERED)
            assert {each.recipient for each in delivered} == {"acme"}
            assert len(delivered) == 3
            events = [each for each in await rig.events() if each["generation"] == 1]
            told = {(each["trigger"], each["trigger_detail"]) for each in events}
            assert told == {("manual", "bulk")}

    run(main(), rig.clock)


def test_what_dies_without_a_try_has_a_group_too() -> None:
    """Its code says why; what ran out of time stays in the group of its last failure."""
    policy = PolicySettings(max_age=120.0)
    rig = Rig(catalog(recipient(breaker=NO_BREAKER), policy=policy), always(503))

    async def main() -> None:
        async with running(rig):
            actions = rig.engine.actions
            await actions.pause("acme", **BY)
            await rig.send()
            await rig.wait(130)
            [line] = await lines(rig)
            assert (line.groups[0].code, line.tally.dead) == ("EXPIRED", 1)
            await actions.resume("acme", **BY)
            await rig.send()
            await rig.wait(1)
            await actions.pause("acme", **BY)
            await rig.wait(200)
            codes = {one.groups[0].code: one.tally.dead for one in await lines(rig)}
            assert codes == {"EXPIRED": 1, "503": 1}

    run(main(), rig.clock)


def test_the_list_has_pages() -> None:
    """Every line once, in the order asked for."""
    names = [f"r{number}" for number in range(5)]
    rig = Rig(catalog(*(recipient(name, breaker=NO_BREAKER) for name in names)), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            found: list[str] = []
            start: int | None = 0
            while start is not None:
                asked = Listing(start=start, limit=2)
                page: Lines = await rig.engine.groups.lines(asked)
                found += [line.groups[0].recipient for line in page.lines]
                start = page.next_cursor
            assert sorted(found) == names

    run(main(), rig.clock)


def test_a_regression_is_on_record_although_somebody_was_quick() -> None:
    """A person who changes the group before the loop has looked does not hide it."""
    rig = Rig(catalog(recipient("acme", breaker=NO_BREAKER)), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(5)
            groups = rig.engine.groups
            [line] = (await groups.lines(Listing())).lines
            [group] = line.groups
            await groups.resolve(group.id, **BY)
            await rig.wait(2.5)
            await rig.send(1)
            await rig.wait(0.5)
            await groups.assign(group.id, "bea", **BY)
            await rig.wait(30)
            actions = [note.action for note in await rig.store.notes(group.id, 10)]
            assert "group_regress" in actions, actions

    run(main(), rig.clock)


def test_what_a_person_sends_again_says_nothing_of_the_failure() -> None:
    """One delivery that is redriven again and again is lost once."""
    rig = Rig(catalog(recipient("acme", breaker=NO_BREAKER)), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(5)
            (dead,) = await rig.deliveries(Status.DEAD)
            for _ in range(4):
                await rig.engine.actions.redrive(dead.id, **BY)
                await rig.wait(5)
            [line] = (await rig.engine.groups.lines(Listing())).lines
            assert (line.recovered, line.lost) == (0, 1)

    run(main(), rig.clock)
