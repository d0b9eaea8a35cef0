"""Refills and timers of the dispatcher, where turns of the loop decide."""

import asyncio
from typing import cast

import pytest

from holdfast.clock import Clock
from holdfast.engine.dispatcher import REFILLS_AT_ONCE, RETRY_MS, SPARE_TIMERS, Dispatcher
from holdfast.engine.lane import Lane
from holdfast.model.calendar import Hours, Period, Weekday
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER
from holdfast.model.throttle import RateLimits
from holdfast.policy.decide import Gate
from holdfast.store import Deliveries, DuePage, DueQuery
from holdfast.testing.clock import START, VirtualClock, run
from holdfast.testing.rig import Rig, catalog, recipient, running


class Shelf:
    """What a dispatcher asks of a store: every answer waits for `opened`, then is empty."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.asked: list[str] = []
        self.fails: Exception | None = None

    async def due(self, query: DueQuery) -> DuePage:
        """Return that nothing is due."""
        self.asked.append(query.recipient)
        await self.opened.wait()
        if self.fails is not None:
            raise self.fails
        return DuePage((), emptied=True, next_due=NEVER)


def dispatcher(shelf: Shelf, clock: Clock) -> Dispatcher:
    """Return a dispatcher over the shelf."""
    return Dispatcher(
        cast("Deliveries", shelf),
        clock,
        max_in_flight=8,
        first_slots=8,
        buffer_rows=8,
        buffer_total=100,
        on_tick=lambda _before, _after: None,
        on_reserve=lambda _lane: None,
    )


def hungry(name: str) -> Lane:
    """Return a lane of which the store holds something that is due."""
    lane = Lane(recipient(name), LaneState(name))
    lane.noted(0)
    return lane


def test_a_lane_that_hungers_as_all_refills_end_is_refilled() -> None:
    """In the turn of the loop in which the last feeders end, a new one starts."""
    clock = VirtualClock()

    async def main() -> None:
        shelf = Shelf()
        target = dispatcher(shelf, clock)
        for number in range(REFILLS_AT_ONCE):
            target.stir(hungry(f"early{number}"))

        async def commit() -> None:
            await shelf.opened.wait()
            target.stir(late)

        late = hungry("late")
        await asyncio.sleep(0)  # noqa: TID251  # a turn of the loop, no time
        assert len(shelf.asked) == REFILLS_AT_ONCE
        committing = asyncio.create_task(commit())
        await asyncio.sleep(0)  # noqa: TID251  # it waits behind the refills
        shelf.opened.set()
        await clock.pause(1)
        await committing
        assert "late" in shelf.asked
        assert not late.refilling
        await target.stop()

    run(main(), clock)


def test_a_bug_in_a_refill_leaves_no_lane_unread(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the lane asks again."""
    clock = VirtualClock()

    async def main() -> None:
        shelf = Shelf()
        shelf.fails = KeyError("no such column")
        shelf.opened.set()
        target = dispatcher(shelf, clock)
        lane = hungry("acme")
        target.stir(lane)
        await clock.pause(1)
        (record,) = caplog.records
        assert record.__dict__["fields"]["error"] == "KeyError: 'no such column'"
        shelf.fails = None
        await clock.pause(RETRY_MS)
        assert shelf.asked == ["acme", "acme"]
        assert lane.emptied
        await target.stop()

    run(main(), clock)


def test_timers_stay_few_and_the_far_ones_ring() -> None:
    """A lane that is woken for each send keeps its end of hours, and wakes at the next opening."""
    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    spans = (("08:00", "15:08"), ("15:10", "23:00"))
    hours = Hours(periods=tuple(Period(days=days, start=a, end=b) for a, b in spans))
    limits = RateLimits(per_second=50, smooth=True)
    rig = Rig(catalog(recipient(hours=hours, zone="UTC", limits=limits)))
    closes, opens = START + 80_000, START + 200_000

    async def main() -> None:
        async with running(rig):
            target = rig.engine.dispatcher
            for _ in range(7):
                await rig.send(count=500)
                await rig.wait(11)
                assert len(target._timers) <= 2 * len(target._wake_at) + SPARE_TIMERS
            assert len(rig.channel.sent) == 3_500
            await rig.send(count=500)
            await rig.wait((closes - rig.clock.now() + 10) / 1000)
            (gate,) = rig.engine.lane("acme").state.closed
            assert (gate.gate, gate.until) == (Gate.HOURS, opens)
            await rig.wait(130)
            sent = [at for at, _ in rig.channel.sent]
            assert len(sent) == 4_000
            assert not [at for at in sent if closes <= at < opens]
            assert min(at for at in sent if at >= opens) - opens < 50

    run(main(), rig.clock)


def test_a_lane_that_was_given_away_sets_no_timer() -> None:
    """Should it come back, what is left of it would keep its new timers from being set."""
    clock = VirtualClock()

    async def main() -> None:
        shelf = Shelf()
        shelf.fails = KeyError("no such column")
        target = dispatcher(shelf, clock)
        lane = hungry("acme")
        target.stir(lane)
        await clock.pause(1)
        target.close(lane)
        shelf.opened.set()
        await clock.pause(1)
        assert not target._timers
        assert not target._wake_at
        await target.stop()

    run(main(), clock)


def test_a_lane_at_rest_remembers_no_changes() -> None:
    """What people change while nothing is read is read as it is: a paused lane grows by nothing."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            actions = rig.engine.actions
            await actions.pause("acme", actor="ann", reason="as agreed")
            for each in await rig.send(count=20):
                await actions.cancel(each.deliveries[0].id, actor="ann", reason="as agreed")
            assert not rig.engine.lane("acme")._changed

    run(main(), rig.clock)
