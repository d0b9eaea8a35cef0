"""What people want of lanes that another worker owns, and what they see of them."""

from collections.abc import Sequence
from typing import Any

import pytest

from holdfast.access.sides import sides
from holdfast.errors import Stale, Unanswered
from holdfast.model.delivery import Status
from holdfast.model.worker import Order
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.crew import Crew, Hand, working
from holdfast.testing.rig import catalog, recipient

BY: dict[str, Any] = {"actor": "ann", "reason": "test"}
LEASE_S = 10


def crew(lanes: int) -> Crew:
    """Return a crew over so many recipients, each with a step of one flow."""
    parties = [recipient(f"r{number}", concurrency=2) for number in range(lanes)]
    return Crew(catalog(*parties), always(200, 5))


def _owner_first(hands: Sequence[Hand]) -> list[Hand]:
    return sorted(hands, key=lambda hand: not hand.lanes)


def test_an_order_reaches_the_lane_of_another_worker() -> None:
    """It is done by the owner, within the answer; what both show is the same afterwards."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(2)
            owner, other = _owner_first(hands)
            epoch = owner.engine.ownership.epoch
            actions = other.engine.actions
            paused = await other.spawn(actions.pause("r0", **BY))
            assert (paused.paused, paused.owner) == ("test", epoch)
            assert owner.engine.lane("r0").state.paused == "test"
            await team.send(other)
            await team.wait(2)
            assert len(owner.channel.sent) == 1
            other.hush()  # polling does it too
            began = team.clock.seconds
            resumed = await other.spawn(actions.resume("r0", seen=paused.tag, **BY))
            assert resumed.paused is None
            assert team.clock.seconds - began < 2
            opened = await other.spawn(actions.open_breaker("r0", **BY))
            assert opened.breaker == "open"
            assert (await other.spawn(actions.reset_breaker("r0", **BY))).breaker == "closed"
            await team.wait(2)
            assert len(await team.deliveries(Status.DELIVERED)) == 2
            lines = [(each.action, each.actor) for each in await team.reader.notes("r0", 100)]
            assert lines.count(("pause", "ann")) == lines.count(("resume", "ann")) == 1
            (pause,) = [
                each for each in await team.reader.notes("r0", 100) if each.action == "pause"
            ]
            assert sides(pause)[0] == {"paused": None}
            assert team.database.orders == {}

    run(main(), team.clock)


def test_an_order_on_what_was_not_seen_changes_nothing() -> None:
    """The owner compares; the answer carries the present state."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(2)
            owner, other = _owner_first(hands)
            seen = (await other.spawn(other.engine.views.lane("r0"))).tag
            await owner.spawn(owner.engine.actions.pause("r0", **BY))
            with pytest.raises(Stale) as refused:
                await other.spawn(other.engine.actions.open_breaker("r0", seen=seen, **BY))
            assert refused.value.current.paused == "test"  # type: ignore[attr-defined]
            assert owner.engine.lane("r0").state.breaker.state == "closed"

    run(main(), team.clock)


@pytest.mark.parametrize("asked", ["the zombie", "another worker"])
def test_a_pause_that_a_lost_worker_cannot_write_is_never_called_done(asked: str) -> None:
    """Who lost the lane passes it on to the new owner; an order it had taken stays unanswered."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(2)
            zombie, other = _owner_first(hands)
            zombie.cut()
            await team.send(other)
            lane = zombie.engine.lane("r0")
            if asked == "the zombie":
                answer = zombie.spawn(zombie.engine.actions.pause("r0", **BY))
            else:
                order = Order("or_1", "r0", "pause", "ann", "test", team.clock.now())
                zombie.engine.actions._steering._steer(lane, order, {"order": "or_1"})
            await team.wait(LEASE_S + 3)
            assert other.lanes == {"r0"}
            zombie.mend()
            await team.wait(8)
            lines = [each.action for each in await team.reader.notes("r0", 100)]
            if asked == "the zombie":
                assert (await answer).paused == "test"
                assert other.engine.lane("r0").state.paused == "test"
                assert lines.count("pause") == 1
            else:
                assert other.engine.lane("r0").state.paused is None
                assert "pause" not in lines

    run(main(), team.clock)


def test_an_order_that_nobody_takes_is_withdrawn() -> None:
    """The answer says that nothing changed, and it stays so when the owner is back."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(2)
            owner, other = _owner_first(hands)
            owner.cut()
            began = team.clock.seconds
            with pytest.raises(Unanswered, match="withdrawn, nothing has changed"):
                await other.spawn(other.engine.actions.pause("r0", **BY))
            assert team.clock.seconds - began < 7
            owner.mend()
            await team.wait(5)
            assert owner.engine.lane("r0").state.paused is None
            assert team.database.orders == {}

    run(main(), team.clock)


def test_an_order_of_who_has_crashed_lapses() -> None:
    """The next owner, later, does not do what nobody knows of any more; that is on record."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(2)
            owner, other = _owner_first(hands)
            owner.crash()
            other.spawn(other.engine.actions.pause("r0", **BY))
            await team.wait(1)
            assert team.database.orders
            other.crash()
            await team.wait(LEASE_S + 5)
            third = await team.start("c")
            await team.send(third)
            await team.wait(5)
            assert third.lanes == {"r0"}
            assert third.engine.lane("r0").state.paused is None
            assert team.database.orders == {}
            lines = [(each.action, each.reason) for each in await team.reader.notes("r0", 100)]
            assert ("lapsed", "pause: test") in lines
            assert "pause" not in dict(lines)
            assert len(third.channel.sent) == 1

    run(main(), team.clock)


def test_a_lane_that_nobody_owns_is_taken_by_who_is_asked() -> None:
    """There is nobody else to do it; it is known to the next owner."""
    team = crew(2)

    async def main() -> None:
        async with working(team, "a", "b") as (first, second):
            assert not first.lanes | second.lanes
            shown = await first.spawn(first.engine.actions.pause("r1", **BY))
            assert (shown.paused, shown.owner) == ("test", first.engine.ownership.epoch)
            seen = await second.spawn(second.engine.views.lane("r1"))
            assert (seen.paused, seen.owner) == ("test", first.engine.ownership.epoch)
            await team.stop(first)
            await team.send(second)
            await team.wait(2)
            assert len(second.channel.sent) == 1

    run(main(), team.clock)


def test_lanes_of_others_are_shown_as_they_are_now() -> None:
    """Every view is read from the store, and says who owns the lane and when it was read."""
    team = crew(2)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(3)
            epochs = {name: hand.engine.ownership.epoch for hand in hands for name in hand.lanes}
            for hand in hands:
                views = await hand.spawn(hand.engine.views.lanes())
                assert {each.recipient: each.owner for each in views} == epochs
            owner = next(hand for hand in hands if "r0" in hand.lanes)
            other = next(hand for hand in hands if hand is not owner)
            await owner.spawn(owner.engine.actions.pause("r0", **BY))
            seen = await other.spawn(other.engine.views.lane("r0"))
            assert (seen.paused, seen.as_of) == ("test", team.clock.now())

    run(main(), team.clock)


def test_a_change_elsewhere_of_what_a_crashed_owner_may_have_sent_says_so() -> None:
    """What the store says of the lane counts, not what was read at the start."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(2)
            owner, other = _owner_first(hands)
            await owner.spawn(owner.engine.actions.pause("r0", **BY))
            (waits,) = await team.send(other)
            await team.wait(1)
            owner.crash()
            third = await team.start("c")
            await team.wait(LEASE_S + 3)
            (owns,) = (await team.reader.owners()).values()
            asked = next(hand for hand in (other, third) if hand.engine.ownership.epoch != owns)
            done = await asked.spawn(asked.engine.actions.cancel(waits.deliveries[0].id, **BY))
            assert done.in_doubt

    run(main(), team.clock)


def test_a_change_within_the_lease_of_a_crashed_owner_keeps_its_doubt() -> None:
    """Nobody knows yet that the owner crashed, nor that it had sent what is put off until later."""
    answers = in_order(Scripted(200, takes_ms=30_000, keeps=True), 409)
    team = Crew(catalog(recipient("r0", concurrency=2)), answers)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            (receipt,) = await team.send(hands[0])
            await team.wait(2)
            owner, other = _owner_first(hands)
            assert len(owner.channel.sent) == 1
            owner.crash()
            later = team.clock.now() + 30_000
            actions = other.engine.actions
            changed = await other.spawn(actions.reschedule(receipt.deliveries[0].id, later, **BY))
            assert changed.in_doubt
            await team.wait(35)
            (arrived,) = await team.deliveries(Status.DELIVERED)
            assert (arrived.id, len(other.channel.sent)) == (changed.id, 1)

    run(main(), team.clock)


def test_signals_set_on_one_worker_hold_on_all() -> None:
    """Within the polling time, and the next change builds on it."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as (first, second):
            await first.spawn(first.engine.actions.set_signal("market.index", 2.0, **BY))
            await team.wait(1.5)
            assert second.engine.signals.known["market.index"].value == 2.0
            await second.spawn(second.engine.actions.set_signal("market.index", 3.0, **BY))
            await team.wait(1.5)
            assert first.engine.signals.known["market.index"].value == 3.0

    run(main(), team.clock)


def test_every_worker_lists_all() -> None:
    """Names, leases, lanes and shares; each knows which one it is itself."""
    team = crew(4)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(3)
            for hand in hands:
                found = await hand.spawn(hand.engine.views.workers())
                assert [each.member.worker.name for each in found] == ["a", "b"]
                assert [(each.member.lanes, each.share) for each in found] == [(2, 2), (2, 2)]
                assert [each.ours for each in found] == [other is hand for other in hands]
                assert all(each.member.lease_until > team.clock.now() for each in found)
                page = hand.engine.views.metrics()
                assert "holdfast_lanes_held 2.0" in page
                assert "holdfast_lease_age_seconds" in page

    run(main(), team.clock)
