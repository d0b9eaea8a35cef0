"""What a worker keeps of lanes that it lost, and that come back to it."""

from datetime import UTC, datetime

from holdfast.model.delivery import Status
from holdfast.testing.channel import Scripted, in_order
from holdfast.testing.clock import run
from holdfast.testing.crew import Crew, working
from holdfast.testing.rig import catalog, recipient


def test_a_worker_that_gets_its_lane_back_may_still_send_of_its_life_before() -> None:
    """Both sends of one delivery end in order, each for itself; none is left in flight."""
    answers = in_order(
        Scripted(200, takes_ms=28_000), Scripted(503), Scripted(503, takes_ms=12_000), 200
    )
    team = Crew(catalog(recipient("r0", concurrency=4)), answers)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(1)
            zombie, other = sorted(hands, key=lambda hand: not hand.lanes)
            assert len(zombie.channel.sent) == 1
            zombie.cut()
            while not other.channel.sent:
                await team.wait(0.5)
                assert team.clock.seconds < 60
            zombie.mend()
            await team.stop(other)
            await team.wait(3)
            assert zombie.lanes == {"r0"}
            assert len(zombie.channel.sent) == 2
            assert zombie.channel.now_flying["r0"] == 2
            await team.wait(60)
            (delivered,) = await team.deliveries()
            assert delivered.status is Status.DELIVERED
            assert zombie.engine.executor.in_flight == {}
            assert zombie.engine.dispatcher.unsettled == 0
            assert not zombie.engine.lane("r0").busy

    run(main(), team.clock)


def test_a_lane_that_comes_back_wakes_in_its_time() -> None:
    """A timer of the lane's life before stands in nobody's way."""
    team = Crew(catalog(recipient("r0")))

    async def main() -> None:
        async with working(team, "a") as (only,):
            due = team.clock.now() + 33_000
            await team.send(only, not_before=datetime.fromtimestamp(due / 1000, UTC))
            await team.wait(3)
            assert only.lanes == {"r0"}
            only.engine.membership.lost(only.engine.ownership.epoch)
            await team.wait(20)
            assert only.lanes == {"r0"}
            assert only.channel.sent == []
            await team.wait(20)
            ((at, _),) = only.channel.sent
            assert 0 <= at - due < 100

    run(main(), team.clock)
