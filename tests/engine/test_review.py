"""The review queue in virtual time on the whole engine."""

import asyncio
from typing import Any

import msgspec
import pytest

from holdfast.channel import Request
from holdfast.errors import Conflict, InvalidInput, Stale
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Endpoint
from holdfast.model.policy import PolicySettings
from holdfast.model.review import Change, Edit, Proof
from holdfast.model.search import Search
from holdfast.store import EventQuery, Retention
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import DAY_MS, NO_BREAKER, Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "the zip was wrong"}
FIXED = Edit(patch=b'{"lead":{"zip":"10115"}}')


def rig_of(*answers: Scripted | int, mode: str = "parallel", **more: Any) -> Rig:
    """Return a rig with one recipient, or a chain of two."""
    names = ("acme", "beta") if mode == "sequential" else ("acme",)
    made = catalog(*(recipient(name, breaker=NO_BREAKER) for name in names), mode=mode, **more)
    return Rig(made, in_order(*answers))


async def one_dead(rig: Rig, payload: bytes = b'{"lead":{"name":"Ada","zip":1}}') -> Delivery:
    """Send a message that dies and return its delivery."""
    await rig.send(payload=msgspec.Raw(payload))
    await rig.wait(1)
    [dead] = await rig.deliveries(Status.DEAD)
    return dead


def test_an_edit_sends_a_child_in_the_place_of_its_parent() -> None:
    """With its own key and lineage; the parent keeps its payload and history."""
    rig = rig_of(422, 200)

    async def main() -> None:
        async with running(rig):
            parent = await one_dead(rig)
            done = await rig.engine.review.edit(parent.id, FIXED, seen=parent.revision, **BY)
            assert done.changes == [Change("/lead/zip", "changed")]
            assert done.child is not None
            await rig.wait(1)
            child = await rig.store.get(done.child.id)
            stored = await rig.store.get(parent.id)
            assert child is not None
            assert stored == done.parent
            assert (child.status, child.parent) == (Status.DELIVERED, parent.id)
            assert (stored.status, stored.code) == (Status.DISCARDED, "SUPERSEDED")
            first, second = (request for _, request in rig.channel.sent)
            assert first.delivery_id == parent.id
            assert second.delivery_id == child.id
            assert second.payload == b'{"lead":{"name":"Ada","zip":"10115"}}'
            event = (await rig.events(delivery_id=child.id))[0]
            assert (event["trigger"], event["trigger_detail"]) == ("manual", "edit")
            lineage = await rig.engine.review.lineage(child.id)
            assert [each.id for each in lineage.ancestors] == [parent.id]
            assert lineage.changes == done.changes
            above = await rig.engine.review.lineage(parent.id)
            assert [each.id for each in above.children] == [child.id]
            actions = [(await rig.store.notes(one.id, 5))[0].action for one in (parent, child)]
            assert actions == ["supersede", "edit"]

    run(main(), rig.clock)


def test_an_edit_is_refused_where_it_could_do_harm() -> None:
    """And says why; nothing is changed or sent."""
    rig = rig_of(422)

    async def main() -> None:
        async with running(rig):
            review = rig.engine.review
            parent = await one_dead(rig)
            before = len(rig.channel.sent)
            with pytest.raises(InvalidInput, match="redrive"):
                await review.edit(parent.id, Edit(patch=b'{"lead":{"zip":1}}'), **BY)
            with pytest.raises(Stale):
                await review.edit(parent.id, FIXED, seen=parent.revision - 1, **BY)
            with pytest.raises(InvalidInput, match="payload"):
                await review.edit(parent.id, Edit(payload=b'"' + b"x" * 2_000_000 + b'"'), **BY)
            elsewhere = msgspec.structs.replace(FIXED, endpoint="nowhere")
            with pytest.raises(InvalidInput, match="endpoint"):
                await review.edit(parent.id, elsewhere, **BY)
            often = msgspec.structs.replace(FIXED, policy=PolicySettings(max_retries=99))
            with pytest.raises(InvalidInput, match="max_retries"):
                await review.edit(parent.id, often, **BY)
            dry = await review.edit(parent.id, msgspec.structs.replace(FIXED, dry_run=True), **BY)
            assert (dry.child, len(dry.changes)) == (None, 1)
            await rig.engine.actions.revoke(parent.message_id, **BY)
            with pytest.raises(Conflict, match="consent"):
                await review.edit(parent.id, FIXED, **BY)
            await rig.engine.actions.discard(parent.id, **BY)
            with pytest.raises(Conflict, match="discarded"):
                await review.edit(parent.id, FIXED, **BY)
            assert len(await rig.deliveries()) == 1
            assert len(rig.channel.sent) == before

    run(main(), rig.clock)


def test_what_may_have_arrived_is_edited_only_on_demand() -> None:
    """A send without an answer may be there already, and the child's key is another."""
    lost = Scripted(error="timeout", maybe_received=True)  # type: ignore[arg-type]
    rig = rig_of(lost, 422, 200)

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(30)
            [parent] = await rig.deliveries(Status.DEAD)
            assert parent.in_doubt
            with pytest.raises(Conflict, match="may have arrived"):
                await rig.engine.review.edit(parent.id, FIXED, **BY)
            sure = msgspec.structs.replace(FIXED, in_doubt=True)
            done = await rig.engine.review.edit(parent.id, sure, **BY)
            assert done.child is not None
            assert not done.child.in_doubt

    run(main(), rig.clock)


def test_of_two_edits_at_once_one_wins() -> None:
    """There is one child, and the other hears that the delivery has changed."""
    rig = rig_of(422, 200)

    async def main() -> None:
        async with running(rig):
            parent = await one_dead(rig)
            other = Edit(patch=b'{"lead":{"zip":"99999"}}')
            edits = [
                rig.engine.review.edit(parent.id, each, seen=parent.revision, **BY)
                for each in (FIXED, other)
            ]
            found = await asyncio.gather(*edits, return_exceptions=True)
            assert sum(isinstance(each, Exception) for each in found) == 1
            assert len(await rig.deliveries()) == 2

    run(main(), rig.clock)


def test_a_parent_does_not_come_back_beside_its_child() -> None:
    """Neither undo nor prove: act on the child."""
    rig = rig_of(422, 422)

    async def main() -> None:
        async with running(rig):
            parent = await one_dead(rig)
            await rig.engine.review.edit(parent.id, FIXED, **BY)
            for act in (rig.engine.actions.undo, rig.engine.actions.prove):
                with pytest.raises(Conflict, match="took its place"):
                    await act(parent.id, **BY)

    run(main(), rig.clock)


def test_in_a_chain_the_later_steps_get_the_new_payload() -> None:
    """They belong to the child's message; those that were dropped stay dropped."""
    rig = rig_of(422, 200, mode="sequential")

    async def main() -> None:
        async with running(rig):
            parent = await one_dead(rig)
            done = await rig.engine.review.edit(parent.id, FIXED, **BY)
            await rig.wait(1)
            found = {each.id: each for each in await rig.deliveries()}
            new = [each for each in found.values() if each.message_id != parent.message_id]
            assert [(each.step, each.status) for each in new] == [
                ("acme", Status.DELIVERED),
                ("beta", Status.DELIVERED),
            ]
            assert done.child is not None
            assert new[0].id == done.child.id
            old = [each for each in found.values() if each.message_id == parent.message_id]
            assert {each.status for each in old} == {Status.DISCARDED}
            assert len(rig.channel.sent) == 3

    run(main(), rig.clock)


def test_an_edit_may_go_elsewhere_with_another_policy() -> None:
    """Both hold for the child only; its event names where the policy comes from."""
    rig = rig_of(422, 200)
    acme = recipient(
        breaker=NO_BREAKER,
        endpoints=(
            Endpoint(url="http://acme.example/leads"),
            Endpoint(name="spare", url="http://spare.example/leads"),
        ),
    )
    rig = Rig(catalog(acme), in_order(422, 200))

    async def main() -> None:
        async with running(rig):
            parent = await one_dead(rig)
            edit = Edit(patch=FIXED.patch, endpoint="spare", policy=PolicySettings(max_retries=1))
            done = await rig.engine.review.edit(parent.id, edit, **BY)
            await rig.wait(1)
            assert [request.endpoint.name for _, request in rig.channel.sent][-1] == "spare"
            assert done.child is not None
            of_child = EventQuery(after=0, delivery_id=done.child.id)
            [event] = await rig.engine.views.events(of_child)
            assert b'"override"' in bytes(event.configuration)

    run(main(), rig.clock)


def test_a_masked_payload_is_shown_masked_and_may_be_sent_back_so() -> None:
    """The secret is kept where the mask stands; who looked is on record."""
    rig = rig_of(422, 200, mask=("lead.name",))

    async def main() -> None:
        async with running(rig):
            parent = await one_dead(rig, b'{"lead":{"name":"Ada","zip":1.10}}')
            seen = await rig.engine.review.reveal(parent.id, **BY)
            assert seen.payload == b'{"lead":{"name":"***","zip":1.10}}'
            [note] = [
                each
                for each in await rig.store.notes(parent.id, 9)
                if each.action == "reveal_payload"
            ]
            assert note.actor == "ann"
            edit = Edit(payload=b'{"lead":{"name":"***","zip":"10115"}}')
            done = await rig.engine.review.edit(parent.id, edit, **BY)
            assert done.changes == [Change("/lead/zip", "changed")]
            await rig.wait(1)
            assert rig.channel.sent[-1][1].payload == b'{"lead":{"name":"Ada","zip":"10115"}}'

    run(main(), rig.clock)


def test_a_purged_payload_needs_a_whole_new_one() -> None:
    """A patch has nothing to go on."""
    rig = rig_of(422, 200)

    async def main() -> None:
        async with running(rig):
            parent = await one_dead(rig)
            await rig.store.prune(0, Retention(payloads=rig.clock.now() + DAY_MS))
            with pytest.raises(Conflict, match="gone"):
                await rig.engine.review.edit(parent.id, FIXED, **BY)
            with pytest.raises(Conflict, match="gone"):
                await rig.engine.review.reveal(parent.id, **BY)
            whole = Edit(payload=b'{"lead":{"zip":"10115"}}')
            done = await rig.engine.review.edit(parent.id, whole, **BY)
            assert done.child is not None
            await rig.wait(1)
            assert (await rig.engine.review.lineage(done.child.id)).changes is None

    run(main(), rig.clock)


def test_dead_deliveries_are_assigned() -> None:
    """The queue tells how many are whose; a search finds them."""
    rig = rig_of(422)

    async def main() -> None:
        async with running(rig):
            await rig.send(3, value=2.0)
            await rig.wait(1)
            first, *_ = await rig.deliveries(Status.DEAD)
            given = await rig.engine.review.assign(first.id, "bea", seen=first.revision, **BY)
            assert (given.assignee, given.status) == ("bea", Status.DEAD)
            queue = await rig.engine.review.queue()
            assert (queue.dead, queue.assigned) == (3, 1)
            [held] = queue.holders
            assert (held.assignee, held.count, held.value, held.oldest) == ("bea", 1, 2.0, first.id)
            assert queue.groups[0].tally.dead == 3
            for query, number in (("assignee:bea", 1), ("assignee:nobody", 2)):
                where = rig.engine.views.where(f"status:dead {query}")
                assert len((await rig.store.find(Search(where))).deliveries) == number
            await rig.engine.review.assign(first.id, None, **BY)
            assert (await rig.engine.review.queue()).assigned == 0
            await rig.engine.actions.discard(first.id, **BY)
            with pytest.raises(Conflict):
                await rig.engine.review.assign(first.id, "bea", **BY)

    run(main(), rig.clock)


def test_a_proof_stands_in_the_audit_journal() -> None:
    """With the partner's reference and the file that shows it."""
    rig = rig_of(422)

    async def main() -> None:
        async with running(rig):
            dead = await one_dead(rig)
            proof = Proof(reference="A-77", text="seen in their portal", file="shot.png")
            done = await rig.engine.actions.prove(dead.id, proof=proof, **BY)
            assert done.status is Status.DELIVERED
            note = (await rig.store.notes(dead.id, 1))[0]
            detail = msgspec.json.decode(note.detail)
            assert detail["proof"] == {
                "reference": "A-77", "text": "seen in their portal", "file": "shot.png"
            }  # fmt: skip

    run(main(), rig.clock)


def test_redrives_of_one_say_operator() -> None:
    """Also after bulk work touched the delivery before."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), always(422))

    async def main() -> None:
        async with running(rig):
            dead = await one_dead(rig)
            await rig.engine.actions.redrive(dead.id, **BY)
            await rig.wait(1)
            again = await rig.store.get(dead.id)
            assert again is not None
            assert (again.status, again.cause) == (Status.DEAD, None)
            assert (await rig.events())[-1]["trigger_detail"] == "operator"

    run(main(), rig.clock)


def test_what_was_edited_falls_under_the_revoked_consent_of_its_parent() -> None:
    """It is the same person who said no."""
    first = {"dead": True}

    def script(_: Request, __: int) -> Scripted:
        return Scripted(400 if first["dead"] else 200)

    rig = Rig(catalog(recipient("acme", breaker=NO_BREAKER)), script)

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(5)
            (dead,) = await rig.deliveries(Status.DEAD)
            await rig.engine.actions.pause("acme", **BY)
            first["dead"] = False
            done = await rig.engine.review.edit(dead.id, Edit(payload=b'{"n":"new"}'), **BY)
            assert done.child is not None
            await rig.engine.actions.revoke(dead.message_id, **BY)
            await rig.engine.actions.resume("acme", **BY)
            await rig.wait(60)
            child = await rig.store.get(done.child.id)
            assert child is not None
            assert (child.status, child.code) == (Status.DISCARDED, "CONSENT_REVOKED"), child

    run(main(), rig.clock)


def test_what_was_chosen_for_a_delivery_stays_with_it() -> None:
    """Why the console must say so: a redrive without an override keeps the one before."""
    ends = tuple(Endpoint(name=n, url=f"https://{n}.example/") for n in ("main", "spare"))
    rig = Rig(catalog(recipient("acme", breaker=NO_BREAKER, endpoints=ends)), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(5)
            (dead,) = await rig.deliveries(Status.DEAD)
            how: dict[str, Any] = {"policy": PolicySettings(max_retries=1), "endpoint": "spare"}
            await rig.engine.actions.redrive(dead.id, **how, **BY)
            await rig.wait(5)
            again = await rig.engine.actions.redrive(dead.id, **BY)
            assert (again.endpoint, again.policy) == ("spare", '{"max_retries":1}')

    run(main(), rig.clock)
