"""The drain forecast of a lane on a whole engine: right where it speaks, silent where it must."""

import math
import random
from typing import Any, Final

import pytest

from holdfast.channel import Request
from holdfast.model.lane import LaneState
from holdfast.model.learned import Learned, Tally
from holdfast.model.policy import BreakerSettings
from holdfast.model.view import Drain
from holdfast.policy import outage
from holdfast.store import Batch
from holdfast.testing.channel import Script, Scripted, always
from holdfast.testing.clock import START, run
from holdfast.testing.rig import Rig, catalog, recipient, running

BY: Final[dict[str, Any]] = {"actor": "ann", "reason": "holidays"}


async def forecast(rig: Rig) -> Drain:
    """Return what the lane says of its drain."""
    found = (await rig.engine.views.lane("acme")).drain
    assert found is not None
    return found


async def stream(rig: Rig, seconds: float, per_second: int) -> None:
    """Send evenly for so long."""
    for _ in range(round(seconds * 2)):
        await rig.send(per_second // 2)
        await rig.wait(0.5)


def test_nothing_is_said_before_something_is_known() -> None:
    """Arrivals first, then what it takes; a person's pause is the reason while it lasts."""
    rig = Rig(catalog(recipient(concurrency=1)), always(200, takes_ms=100))

    async def main() -> None:
        async with running(rig):
            assert (await forecast(rig)).p90 > 0  # nothing waits: it is empty now
            await rig.send(100)
            assert "not measured yet" in ((await forecast(rig)).unknown or "")
            await rig.wait(9)
            await rig.engine.actions.pause("acme", **BY)
            await rig.send(50)
            await rig.wait(3)
            assert (await forecast(rig)).unknown == "a person paused it: holidays"
            await rig.engine.actions.resume("acme", **BY)
            await rig.wait(1)
            found = await forecast(rig)
            assert found.unknown is None or "as much arrives" in found.unknown

    run(main(), rig.clock)


def test_what_waits_for_its_own_time_or_for_nothing_is_told_apart() -> None:
    """A message for later is part of the backlog; a step behind another one is not."""
    made = catalog(recipient("first"), recipient(), mode="sequential")
    rig = Rig(made, lambda request, _: Scripted(200 if request.recipient == "acme" else 503))

    async def main() -> None:
        async with running(rig):
            await rig.send(3)
            await rig.wait(15)
            found = await forecast(rig)
            assert (found.backlog, found.endless) == (0, 3)
            assert found.p90 > 0

    run(main(), rig.clock)


def test_in_mode_threshold_an_outage_is_not_forecast() -> None:
    """There is no model of outages to ask."""
    settings = BreakerSettings(mode="threshold")
    rig = Rig(catalog(recipient(breaker=settings)), always(503))

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            await rig.wait(20)
            assert "mode threshold" in ((await forecast(rig)).unknown or "")

    run(main(), rig.clock)


MEAN_S: Final = 100.0
"""Mean length of the outages, which are spread exponentially."""
DOWN_AT: Final = 30.0


def of_60_a_second(lasts: float) -> Script:
    """Return a partner that goes down after a while for so long and takes 60 a second else."""
    recent: list[int] = []

    def script(_: Request, now: int) -> Scripted:
        if DOWN_AT <= (now - START) / 1000 < DOWN_AT + lasts:
            return Scripted(503, takes_ms=5)
        recent[:] = [sent for sent in recent if sent > now - 1000]
        recent.append(now)
        return Scripted(200 if len(recent) <= 60 else 503, takes_ms=20)

    return script


def learned(rng: random.Random) -> LaneState:
    """Return a lane that has seen a hundred such outages end, and 40 a second taken after one."""
    tally = Tally()
    for _ in range(100):
        age = 1000 * rng.expovariate(1 / MEAN_S)
        tally = outage.ended(tally, outage.PRIOR, age, age + 100, START)
    return LaneState("acme", learned=Learned(outages={"server": tally}), most=40.0)


async def drained(rig: Rig) -> tuple[Drain, int]:
    """Return a forecast made 30 s into the outage and when the lane was empty."""
    ownership = await rig.store.join(START)
    await rig.store.commit(Batch(ownership.epoch, START, lanes=(learned(rig.rng),)))
    await rig.store.leave(ownership.epoch)
    async with running(rig):
        await stream(rig, DOWN_AT + 30, 10)
        told = await forecast(rig)
        while (await rig.store.counts())["acme"].pending > 10:
            await stream(rig, 1, 10)
        return told, rig.clock.now()


@pytest.mark.slow
def test_nine_of_ten_drains_end_by_their_p90_and_half_by_their_p50() -> None:
    """Asked 30 s into outages of a kind it has learned, whose rests are spread evenly by law."""
    found = []
    for seed in range(16):
        rest = -MEAN_S * math.log(1 - (seed + 0.5) / 16)
        rig = Rig(catalog(recipient(concurrency=64)), of_60_a_second(30 + rest), seed=seed)
        found.append(run(drained(rig), rig.clock))
    assert all(told.unknown is None for told, _ in found)
    assert sum(gone <= told.p90 for told, gone in found) >= 13
    assert 5 <= sum(gone <= told.p50 for told, gone in found) <= 11
    assert all(told.p90 - told.p50 < 1000 * 5 * MEAN_S for told, _ in found)
