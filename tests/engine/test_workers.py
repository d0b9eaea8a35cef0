"""Several workers over one store, in virtual time: who owns what, and what a hand-over costs."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from holdfast.model.delivery import Status
from holdfast.model.worker import Hint
from holdfast.store import EventQuery
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.crew import Crew, Hand, working
from holdfast.testing.rig import catalog, recipient

BY: dict[str, Any] = {"actor": "ann", "reason": "test"}
LEASE_S = 10


def crew(lanes: int, *, takes_ms: int = 5, **options: object) -> Crew:
    """Return a crew over so many recipients, each with a step of one flow."""
    parties = [recipient(f"r{number}", concurrency=2) for number in range(lanes)]
    return Crew(catalog(*parties), always(200, takes_ms), **options)  # type: ignore[arg-type]


async def _owners(crew: Crew) -> dict[str, int]:
    return await crew.reader.owners()


def _shares(hands: Sequence[Hand]) -> list[int]:
    return sorted(len(hand.lanes) for hand in hands)


async def _watch(crew: Crew) -> None:
    """Look at every step of time that no lane has two owners."""
    while True:
        assert crew.doubly_owned() == set()
        await crew.wait(0.003)


def test_lanes_are_shared_fairly_and_nothing_is_sent_twice() -> None:
    """Three workers get a third each; intake on any of them serves the lanes of all."""
    team = crew(9, takes_ms=200)

    async def main() -> None:
        async with working(team, "a", "b", "c") as hands:
            for hand in hands:
                await team.send(hand, 20)
            await team.wait(3)
            assert _shares(hands) == [3, 3, 3]
            await team.wait(15)
            assert len(await team.deliveries(Status.DELIVERED)) == 9 * 60
            assert set(team.sends().values()) == {1}

    run(main(), team.clock)


def test_one_worker_alone_has_everything() -> None:
    """No lane waits for a worker that is not there."""
    team = crew(5)

    async def main() -> None:
        async with working(team, "a") as (only,):
            await team.send(only)
            await team.wait(1)
            assert len(only.lanes) == 5
            assert only.engine.membership.elected
            assert len(await team.deliveries(Status.DELIVERED)) == 5

    run(main(), team.clock)


def test_shares_follow_the_slots() -> None:
    """A worker with three times the slots gets three times the lanes."""
    team = crew(8, takes_ms=1_000)

    async def main() -> None:
        async with working(team) as _:
            small = await team.start("small", slots=8)
            large = await team.start("large", slots=24)
            await team.send(small, 30)
            await team.wait(3)
            assert (len(small.lanes), len(large.lanes)) == (2, 6)

    run(main(), team.clock)


def test_a_worker_that_joins_gets_its_share_under_load() -> None:
    """Lanes move while they send: none has two owners, nothing is sent twice, nothing is lost."""
    team = crew(6, takes_ms=300)

    async def main() -> None:
        async with working(team, "a") as (first,):
            watch = asyncio.ensure_future(_watch(team))
            await team.send(first, 60)
            await team.wait(2)
            assert len(first.lanes) == 6
            second = await team.start("b")
            await team.wait(3)
            assert _shares((first, second)) == [3, 3]
            assert not watch.done()
            watch.cancel()
            await team.wait(20)
            assert len(await team.deliveries(Status.DELIVERED)) == 360
            assert set(team.sends().values()) == {1}
            assert not any(each.in_doubt for each in await team.deliveries())

    run(main(), team.clock)


def test_a_worker_that_leaves_gives_idle_lanes_at_once() -> None:
    """Within a second the other has them; a lane with a send under way follows after it."""
    slow = {"r0": 4_000}
    parties = [recipient(f"r{number}", concurrency=1) for number in range(4)]
    team = Crew(
        catalog(*parties), lambda request, _: Scripted(takes_ms=slow.get(request.recipient, 5))
    )

    async def main() -> None:
        async with working(team, "a") as (first,):
            await team.send(first, 3)
            await team.wait(1.5)
            second = await team.start("b")
            stopping = asyncio.ensure_future(team.stop(first))
            await team.send(second)
            await team.wait(1)
            assert second.lanes == {"r1", "r2", "r3"}
            await stopping
            await team.wait(1)
            assert second.lanes >= {"r0"}
            await team.wait(20)
            assert len(await team.deliveries(Status.DELIVERED)) == 16
            assert set(team.sends().values()) == {1}
            assert not any(each.in_doubt for each in await team.deliveries())
            assert len((await team.reader.survey()).members) == 1

    run(main(), team.clock)


def test_a_rolling_restart_sends_nothing_twice() -> None:
    """Every worker is replaced in turn, under load; what was accepted arrives once."""
    team = crew(6, takes_ms=100)

    async def main() -> None:
        async with working(team, "a", "b", "c") as hands:
            watch = asyncio.ensure_future(_watch(team))
            for number, hand in enumerate(hands):
                await team.send(hand, 50)
                await team.wait(1)
                await team.stop(hand)
                fresh = await team.start(f"new{number}")
                await team.send(fresh, 50)
            await team.wait(30)
            assert not watch.done()
            watch.cancel()
            assert len(await team.deliveries(Status.DELIVERED)) == 6 * 300
            assert set(team.sends().values()) == {1}
            assert not any(each.in_doubt for each in await team.deliveries())

    run(main(), team.clock)


def test_a_crash_is_taken_over_within_the_lease() -> None:
    """The lanes go to those who live; what was on the wire is claimed and sent again, in doubt."""
    team = crew(6, takes_ms=500)

    async def main() -> None:
        async with working(team, "a", "b", "c") as hands:
            await team.send(hands[0], 40)
            await team.wait(3)
            flying = len(hands[1].engine.executor.in_flight)
            assert flying
            hands[1].crash()
            crashed = team.clock.seconds
            while set((await _owners(team)).values()) & {hands[1].engine.ownership.epoch}:
                await team.wait(0.1)
            assert team.clock.seconds - crashed <= LEASE_S + 2
            await team.wait(60)
            assert len(await team.deliveries(Status.DELIVERED)) == 240
            assert _shares((hands[0], hands[2])) != [0, 6]
            twice = [name for name, times in team.sends().items() if times > 1]
            assert 1 <= len(twice) <= flying
            doubtful = {each.id for each in await team.deliveries() if each.in_doubt}
            assert set(twice) <= doubtful

    run(main(), team.clock)


def test_a_slow_worker_that_is_alone_takes_over_too() -> None:
    """Its own renewals come too late again and again; the dead one's lanes do not wait for ever."""
    team = crew(4, takes_ms=500)

    async def main() -> None:
        async with working(team, "a", "b") as (slow, crashed):
            await team.send(slow, 40)
            await team.wait(3)
            assert crashed.lanes
            crashed.crash()
            slow.store.line.lag_ms = 1.2 * LEASE_S * 1000
            epoch = crashed.engine.ownership.epoch
            began = team.clock.seconds
            while epoch in team.database.members:
                await team.wait(1)
                assert team.clock.seconds - began < 20 * LEASE_S
            slow.store.line.lag_ms = 0
            await team.wait(60)
            assert len(await team.deliveries(Status.DELIVERED)) == 160

    run(main(), team.clock)


def test_a_worker_that_is_cut_off_stops_before_its_lease_ends() -> None:
    """Also with a clock that is wrong by an hour: it counts from before it asked."""
    team = crew(2, takes_ms=100)

    async def main() -> None:
        async with working(team) as _:
            only = await team.start("a", skew_ms=3_600_000)
            await team.send(only, 2_000)
            await team.wait(4)
            only.cut()
            (member,) = team.database.members.values()
            until = member.lease_until
            await team.wait(LEASE_S + 5)
            last = max(at for at, _ in only.channel.sent)
            assert last < until
            assert only.engine.held == "store"
            only.mend()
            await team.wait(2)
            assert not only.engine.dispatcher.lapsed()
            assert only.engine.ownership.epoch == member.epoch
            assert max(at for at, _ in only.channel.sent) > until

    run(main(), team.clock)


def test_a_zombie_only_proves() -> None:
    """What it still hears changes nothing but for a success; then it works again, anew."""
    answers = in_order(Scripted(500, takes_ms=25_000), Scripted(200, takes_ms=25_000), 200)
    team = Crew(catalog(recipient("r0", concurrency=1), recipient("r1", concurrency=1)), answers)

    async def main() -> None:
        async with working(team, "a") as (zombie,):
            await team.send(zombie)
            await team.wait(2)
            assert len(zombie.channel.sent) == 2
            old = zombie.engine.ownership.epoch
            zombie.cut()
            second = await team.start("b")
            await team.wait(LEASE_S + 3)
            assert second.lanes == {"r0", "r1"}
            assert {each.status for each in await team.deliveries()} == {Status.DELIVERED}
            before = {each.id: each for each in await team.deliveries()}
            zombie.mend()
            await team.wait(20)
            assert zombie.engine.ownership.epoch > old
            assert {each.id: each for each in await team.deliveries()} == before
            events = await team.reader.events(EventQuery(after=0))
            late = [each.attempt for each in events if each.attempt.stale]
            assert sorted(each.outcome for each in late) == ["error", "success"]
            await team.send(zombie, 20)
            await team.wait(5)
            assert zombie.lanes | second.lanes == {"r0", "r1"}
            assert len(await team.deliveries(Status.DELIVERED)) == 42

    run(main(), team.clock)


def test_a_late_success_of_a_zombie_ends_the_delivery() -> None:
    """The new owner still waits for its own answer; the proof is enough."""
    answers = in_order(Scripted(200, takes_ms=20_000), Scripted(503, takes_ms=5))
    team = Crew(catalog(recipient("r0", concurrency=1)), answers)

    async def main() -> None:
        async with working(team, "a") as (zombie,):
            await team.send(zombie)
            await team.wait(2)
            zombie.cut()
            await team.start("b")
            await team.wait(LEASE_S + 4)
            (pending,) = await team.deliveries()
            assert (pending.status, pending.in_doubt) == (Status.PENDING, True)
            zombie.mend()
            await team.wait(10)
            (delivered,) = await team.deliveries()
            assert delivered.status is Status.DELIVERED

    run(main(), team.clock)


def test_lost_hints_cost_time_only() -> None:
    """New deliveries are found by polling within seconds."""
    team = crew(4)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            for hand in hands:
                hand.hush()
            await team.send(hands[0])
            await team.wait(3)
            for hand in hands:
                await team.send(hand)
            await team.wait(3)
            assert len(await team.deliveries(Status.DELIVERED)) == 12
            assert set(team.sends().values()) == {1}

    run(main(), team.clock)


def test_hints_make_it_quick() -> None:
    """What one worker accepts for a lane of another goes out at once."""
    team = crew(2)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(3)
            assert _shares(hands) == [1, 1]
            before = team.clock.seconds
            for hand in hands:
                await team.send(hand)
            await team.wait(0.1)
            assert len(await team.deliveries(Status.DELIVERED)) == 6
            assert team.clock.seconds - before < 0.2

    run(main(), team.clock)


def test_an_operator_may_act_on_any_worker() -> None:
    """A cancelled delivery leaves the owner's buffer; if the hint is lost, soon."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(2)
            owner = next(hand for hand in hands if hand.lanes)
            other = next(hand for hand in hands if hand is not owner)
            await owner.spawn(owner.engine.actions.pause("r0", **BY))
            first, second = await team.send(owner, 2)
            await team.wait(1)
            await other.spawn(other.engine.actions.cancel(first.deliveries[0].id, **BY))
            await team.wait(0.2)
            lane = owner.engine.lane("r0")
            assert first.deliveries[0].id not in lane.buffered
            other.hush()
            await other.spawn(other.engine.actions.cancel(second.deliveries[0].id, **BY))
            await team.wait(16)
            await owner.spawn(owner.engine.actions.resume("r0", **BY))
            await team.wait(1)
            assert len(owner.channel.sent) == 1

    run(main(), team.clock)


def test_lanes_without_work_are_given_back() -> None:
    """What had nothing to do for a minute belongs to nobody; new work finds an owner at once."""
    team = crew(3)

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(3)
            assert sum(len(hand.lanes) for hand in hands) == 3
            await team.wait(70)
            assert _shares(hands) == [0, 0]
            await team.send(hands[1])
            await team.wait(0.5)
            assert len(await team.deliveries(Status.DELIVERED)) == 6

    run(main(), team.clock)


def test_what_a_lane_knows_moves_with_it() -> None:
    """Pause, breaker and refusals are the next owner's."""
    team = crew(2)

    async def main() -> None:
        async with working(team, "a") as (first,):
            await team.send(first)
            await team.wait(1)
            await first.spawn(first.engine.actions.pause("r0", **BY))
            await first.spawn(first.engine.actions.open_breaker("r1", **BY))
            await team.stop(first)
            second = await team.start("b")
            await team.send(second)
            await team.wait(2)
            assert second.engine.lane("r0").state.paused == "test"
            assert second.engine.lane("r1").state.breaker.state == "open"
            assert len(second.channel.sent) == 0

    run(main(), team.clock)


def test_one_worker_prunes() -> None:
    """The one that has lived longest does what one of them should."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a", "b") as (first, second):
            await team.wait(2)
            assert (first.engine.membership.elected, second.engine.membership.elected) == (
                True,
                False,
            )
            first.crash()
            await team.wait(LEASE_S + 3)
            assert second.engine.membership.elected

    run(main(), team.clock)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_two_owners_never(seed: int) -> None:
    """Workers join, leave, crash and are cut off at random; at no instant may two send."""
    team = crew(7, takes_ms=40, seed=seed)
    rng = random.Random(seed)

    async def main() -> None:
        async with working(team, "a") as _:
            watch = asyncio.ensure_future(_watch(team))
            for number in range(25):
                await _stir(team, rng, f"w{number}")
                await team.wait(rng.choice((0.02, 0.5, 2.0, 6.0)))
                assert not watch.done(), watch.exception()
            for hand in team.hands:
                hand.mend()
            last = await team.start("last")
            await team.wait(240)
            watch.cancel()
            assert {each.status for each in await team.deliveries()} == {Status.DELIVERED}
            # A success that is proven late ends the doubt, but not the count of claims.
            ended = await team.deliveries()
            crashes = {each.id for each in ended if each.in_doubt or each.crashes}
            assert {name for name, times in team.sends().items() if times > 1} <= crashes
            assert last.engine.ready

    run(main(), team.clock)


async def _stir(team: Crew, rng: random.Random, name: str) -> None:
    """Let one thing happen."""
    able = [
        hand
        for hand in team.hands
        if not hand.store.line.dead and hand.store.line.up.is_set() and hand.engine.ready
    ]
    if len(able) < 2:
        able.append(await team.start(name, skew_ms=rng.randint(-(10**7), 10**7)))
    await team.send(rng.choice(able), rng.randint(1, 10))
    match rng.choice(("join", "leave", "crash", "cut", "nothing", "nothing")):
        case "join" if len(able) < 4:
            await team.start(name)
        case "leave":
            await team.stop(able[0])
            able[0].crash()
        case "crash":
            able[0].crash()
        case "cut":
            hand = able[-1]
            hand.cut()
            asyncio.get_running_loop().call_later(rng.choice((1, 8, 12, 25)), hand.mend)


def test_a_hint_that_says_some_were_missed_empties_the_buffers() -> None:
    """Whatever changed meanwhile is read anew."""
    team = crew(1)

    async def main() -> None:
        async with working(team, "a") as (only,):
            await team.send(only)
            await team.wait(1)
            await only.spawn(only.engine.actions.pause("r0", **BY))
            await team.send(only, 3)
            only.engine._heard(Hint(missed=True))
            assert only.engine.dispatcher.buffered == 0
            await only.spawn(only.engine.actions.resume("r0", **BY))
            await team.wait(1)
            assert len(only.channel.sent) == 4

    run(main(), team.clock)
