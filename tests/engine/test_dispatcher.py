"""Refills of the dispatcher, where turns of the loop decide."""

import asyncio
from typing import cast

import pytest

from holdfast.clock import Clock
from holdfast.engine.dispatcher import REFILLS_AT_ONCE, RETRY_MS, Dispatcher
from holdfast.engine.lane import Lane
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER
from holdfast.store import Deliveries, DuePage, DueQuery
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.rig import recipient


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
