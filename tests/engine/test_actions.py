"""What people do, in virtual time on the whole engine."""

import asyncio
from typing import Any

import msgspec
import pytest

from holdfast.errors import Conflict, HoldfastError, InvalidInput, KeyCollision, NotFound, Stale
from holdfast.model.delivery import Status
from holdfast.model.message import NEVER
from holdfast.model.policy import JitterKind, PolicySettings
from holdfast.model.submission import Submission
from holdfast.testing.channel import always, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "the partner asked"}


def test_redrive_starts_a_new_generation() -> None:
    """A dead delivery goes out again with all its retries, under the same key (C15)."""
    rig = Rig(catalog(recipient()), in_order(400, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            (dead,) = await rig.deliveries(Status.DEAD)
            await rig.engine.actions.redrive(dead.id, **BY)
            await rig.wait(1)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.generation) == (Status.DELIVERED, 1)
            first, second = await rig.events()
            assert (second["attempt_number"], second["generation"]) == (0, 1)
            assert (second["trigger"], second["trigger_detail"]) == ("manual", "operator")
            assert second["original_event_id"] == first["event_id"]
            assert second["cumulative_attempt"] == 1
            (note,) = await rig.store.notes(dead.id, 10)
            assert (note.actor, note.action, note.reason) == ("ann", "redrive", BY["reason"])

    run(main(), rig.clock)


def test_redrive_with_an_own_policy_leaves_the_stored_policy_alone() -> None:
    """The override is used for this delivery only and stands in its event (S1.35)."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), in_order(400, 503))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            (dead,) = await rig.deliveries(Status.DEAD)
            override = PolicySettings(
                strategy="fixed",  # type: ignore[arg-type]  # as the API hands it in
                max_retries=1,
                jitter=JitterKind.NONE,
                exhausted_while_down="dead",
            )
            await rig.engine.actions.redrive(dead.id, policy=override, **BY)
            await rig.wait(60)
            assert len(rig.channel.sent) == 3
            with pytest.raises(InvalidInput, match="max_retries"):
                await rig.engine.actions.redrive(
                    dead.id, policy=PolicySettings(max_retries=99), **BY
                )
            await rig.send()
            await rig.wait(60)
            assert len(rig.channel.sent) == 3 + 4

    run(main(), rig.clock)


def test_cancel_before_the_send_means_nothing_is_sent() -> None:
    """A cancelled delivery leaves the buffer at once."""
    rig = Rig(catalog(recipient(concurrency=1)), always(200, takes_ms=10_000))

    async def main() -> None:
        async with running(rig):
            _, second = await rig.send(2)
            await rig.wait(1)
            await rig.engine.actions.cancel(second.deliveries[0].id, **BY)
            await rig.wait(60)
            assert len(rig.channel.sent) == 1
            (cancelled,) = await rig.deliveries(Status.DISCARDED)
            assert cancelled.code == "CANCELLED"

    run(main(), rig.clock)


def test_a_success_after_a_cancel_still_counts() -> None:
    """What the partner has is delivered, whatever was decided meanwhile (design 4.7)."""
    rig = Rig(catalog(recipient()), always(200, takes_ms=10_000))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            await rig.engine.actions.cancel(receipt.deliveries[0].id, **BY)
            await rig.wait(20)
            (delivery,) = await rig.deliveries()
            assert delivery.status is Status.DELIVERED
            (event,) = await rig.events()
            assert event["stale"] is True

    run(main(), rig.clock)


def test_discard_undo_and_proof() -> None:
    """Review work: discard, take it back, mark delivered by hand."""
    rig = Rig(catalog(recipient()), always(400))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            delivery_id = receipt.deliveries[0].id
            actions = rig.engine.actions
            assert (await actions.discard(delivery_id, **BY)).status is Status.DISCARDED
            assert (await actions.undo(delivery_id, **BY)).status is Status.DEAD
            proved = await actions.prove(delivery_id, **BY)
            assert (proved.status, proved.code) == (Status.DELIVERED, "BY_HAND")
            with pytest.raises(Conflict, match="it must be: dead"):
                await actions.discard(delivery_id, **BY)

    run(main(), rig.clock)


def test_reschedule_moves_the_next_send() -> None:
    """A pending delivery goes out when a person says, within its life."""
    rig = Rig(catalog(recipient(concurrency=1)), in_order(503, 200))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            delivery_id = receipt.deliveries[0].id
            at = rig.clock.now() + 3_600_000
            await rig.engine.actions.reschedule(delivery_id, at, **BY)
            await rig.wait(3590)
            assert len(rig.channel.sent) == 1
            await rig.wait(20)
            assert len(rig.channel.sent) == 2
            (event,) = (await rig.events())[1:]
            assert event["trigger"] == "scheduled"
            with pytest.raises(Conflict):
                await rig.engine.actions.reschedule(delivery_id, at, **BY)

    run(main(), rig.clock)


def test_replay_makes_new_deliveries() -> None:
    """A replay has new ids and the old payload."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            again = await rig.engine.actions.replay(receipt.message_id, **BY)
            await rig.wait(1)
            assert again.deliveries[0].id != receipt.deliveries[0].id
            payloads = {request.payload for _, request in rig.channel.sent}
            assert len(rig.channel.sent) == 2
            assert len(payloads) == 1

    run(main(), rig.clock)


def test_pause_and_resume() -> None:
    """Nothing goes to a paused recipient; resume sends everything."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            await rig.engine.actions.pause("acme", **BY)
            await rig.send(10)
            await rig.wait(600)
            assert rig.channel.sent == []
            await rig.engine.actions.resume("acme", **BY)
            await rig.wait(1)
            assert len(await rig.deliveries(Status.DELIVERED)) == 10
            resumed, paused = await rig.store.notes("acme", 10)
            assert paused.detail == '{"paused":[null,"the partner asked"]}'
            assert resumed.detail == '{"paused":["the partner asked",null]}'

    run(main(), rig.clock)


def test_a_breaker_opened_by_hand_stays_open() -> None:
    """Only a person closes it, and what waited is sent then."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            await rig.engine.actions.open_breaker("acme", **BY)
            await rig.send(10)
            await rig.wait(3_600)
            assert rig.channel.sent == []
            view = await rig.engine.actions.reset_breaker("acme", **BY)
            assert view.breaker == "closed"
            await rig.wait(1)
            assert len(await rig.deliveries(Status.DELIVERED)) == 10

    run(main(), rig.clock)


def test_bad_calls_change_nothing() -> None:
    """Unknown ids, empty reasons and instants beyond the life are refused by name."""
    rig = Rig(catalog(recipient()), always(503))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            delivery_id = receipt.deliveries[0].id
            actions = rig.engine.actions
            with pytest.raises(NotFound, match="dlv_nope"):
                await actions.cancel("dlv_nope", **BY)
            with pytest.raises(NotFound, match="known recipients: acme"):
                await actions.pause("nobody", **BY)
            with pytest.raises(InvalidInput, match="reason"):
                await actions.cancel(delivery_id, actor="ann", reason=" ")
            with pytest.raises(InvalidInput, match="at"):
                await actions.reschedule(delivery_id, NEVER, **BY)
            assert len(await rig.deliveries(Status.PENDING)) == 1

    run(main(), rig.clock)


def test_keys_make_repeats_harmless() -> None:
    """Same key and payload: the first answer; other payload: a collision; spacing is no change."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            first, twin = await rig.send(2, key="k1")
            assert twin.message_id == first.message_id
            assert twin.duplicate
            spaced = msgspec.Raw(b'{ "lead" : {"name": "Ada"} }')
            (again,) = await rig.send(1, key="k1", payload=spaced)
            assert again.message_id == first.message_id
            other = Submission(payload=msgspec.Raw(b'{"lead":{}}'), key="k1")
            (refused,) = await rig.engine.intake.accept("leads", [other])
            assert isinstance(refused, KeyCollision)
            await rig.wait(1)
            assert len(rig.channel.sent) == 1

    run(main(), rig.clock)


def test_one_bad_submission_does_not_spoil_the_others() -> None:
    """Each line of a batch has its own answer."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            good = Submission(payload=msgspec.Raw(b"{}"))
            big = Submission(payload=msgspec.Raw(b'"' + b"x" * 2_000_000 + b'"'))
            results = await rig.engine.intake.accept("leads", [good, big, good])
            assert [isinstance(result, HoldfastError) for result in results] == [
                False,
                True,
                False,
            ]

    run(main(), rig.clock)


def test_what_was_not_seen_is_not_changed() -> None:
    """The second of two people is refused and shown the present state, at deliveries and lanes."""
    rig = Rig(catalog(recipient()), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(60)
            (dead,) = await rig.deliveries(Status.DEAD)
            actions = rig.engine.actions
            await actions.discard(dead.id, seen=dead.revision, **BY)
            for act in (actions.redrive, actions.prove, actions.undo):
                with pytest.raises(Stale) as caught:
                    await act(dead.id, seen=dead.revision, **BY)
                assert caught.value.current == (await rig.deliveries())[0]
            lane = await rig.engine.views.lane("acme")
            paused = await actions.pause("acme", seen=lane.tag, **BY)
            with pytest.raises(Stale):
                await actions.open_breaker("acme", seen=lane.tag, **BY)
            assert (await rig.engine.views.lane("acme")).breaker == "closed"
            await actions.resume("acme", seen=paused.tag, **BY)
            assert len(await rig.store.notes("acme", 10)) == 2

    run(main(), rig.clock)


def test_of_many_who_saw_the_same_one_wins() -> None:
    """Compare and set holds among calls at the same time."""
    rig = Rig(catalog(recipient()), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(60)
            (dead,) = await rig.deliveries(Status.DEAD)
            actions = rig.engine.actions
            calls = [
                act(dead.id, seen=dead.revision, **BY)
                for act in (actions.discard, actions.prove, actions.redrive)
            ]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert [isinstance(each, Stale) for each in answers] == [False, True, True]
            (after,) = await rig.deliveries()
            assert (after.status, after.revision) == (Status.DISCARDED, dead.revision + 1)

    run(main(), rig.clock)
