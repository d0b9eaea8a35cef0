"""A wall clock that is set while the engine runs: nothing stops for that, nothing is cut."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from holdfast.channel import Request
from holdfast.model.delivery import Status
from holdfast.model.lane import BreakerState
from holdfast.model.operation import Kind, Plan, State
from holdfast.model.policy import BreakerSettings
from holdfast.model.throttle import RateLimits
from holdfast.testing.channel import Script, Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

HOUR_MS: Final = 3_600_000
BY: dict[str, Any] = {"actor": "ann", "reason": "as agreed"}
THRESHOLD: Final = BreakerSettings(mode="threshold")


def fifth(answer: Scripted) -> Callable[[], Script]:
    """Return what makes a partner that is well, but for one answer."""
    return lambda: in_order(*([200] * 4), answer, 200)


def down() -> Script:
    """Return a partner that is down for 20 sends."""
    return in_order(*([503] * 20), 200)


def told(headers: dict[str, str]) -> Callable[[], Script]:
    """Return what makes a partner that speaks of its quota once."""
    return fifth(Scripted(200, headers=headers))


CASES: Final[dict[str, tuple[dict[str, Any], Callable[[], Script]]]] = {
    "spacing": ({"limits": RateLimits(per_second=5, smooth=True)}, always),
    "window": ({"limits": RateLimits(per_minute=30)}, always),
    "pace": ({}, fifth(Scripted(429))),
    "breaker": ({}, down),
    "threshold": ({"breaker": THRESHOLD}, down),
    "quota": ({"breaker": NO_BREAKER}, told({"ratelimit": '"default";r=3;t=60'})),
    "no quota": ({"breaker": NO_BREAKER}, told({"ratelimit": '"default";r=0;t=60'})),
    "retry-after": ({"breaker": NO_BREAKER}, fifth(Scripted(429, headers={"retry-after": "60"}))),
}
"""What keeps a lane waiting for an instant: settings of the recipient, and the partner."""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("after_s", [1, 20])
def test_a_clock_that_is_set_back_keeps_no_lane(case: str, after_s: int) -> None:
    """Whatever a lane waits for takes no longer for it; what comes then goes out."""
    settings, script = CASES[case]
    rig = Rig(catalog(recipient(**settings)), script())

    async def main() -> None:
        async with running(rig):
            await rig.send(count=50)
            await rig.wait(after_s)
            rig.clock.set_wall(rig.clock.now() - HOUR_MS)
            new = {each.deliveries[0].id for each in await rig.send(count=20)}
            await rig.wait(600)
            arrived = {each.id for each in await rig.deliveries(Status.DELIVERED)}
            assert new <= arrived
            assert rig.engine.lane("acme").state.breaker.state is BreakerState.CLOSED

    run(main(), rig.clock)


def test_a_clock_that_is_set_back_leaves_a_lane_as_open_as_it_was() -> None:
    """A breaker that has a while to go has no less; a person's hold has no end at all."""
    rig = Rig(catalog(recipient("acme"), recipient("held")), always(503))

    async def main() -> None:
        async with running(rig):
            await rig.engine.actions.open_breaker("held", **BY)
            await rig.send(count=30)
            await rig.wait(2)
            lane, held = rig.engine.lane("acme"), rig.engine.lane("held")
            left = lane.state.breaker.retry_at - rig.clock.now()
            assert lane.state.breaker.state is BreakerState.OPEN
            rig.clock.set_wall(rig.clock.now() - HOUR_MS)
            was = held.state.breaker.retry_at
            for each in (lane, held):
                each.tick(rig.clock.now())
            assert left <= lane.state.breaker.retry_at - rig.clock.now() <= left + 2_000
            assert held.state.breaker.retry_at == was

    run(main(), rig.clock)


def test_a_clock_that_is_set_forward_cuts_no_send() -> None:
    """A send ends when it has taken too long, not when its time seems to be over."""
    rig = Rig(catalog(recipient()), always(200, takes_ms=20_000))

    async def main() -> None:
        async with running(rig):
            await rig.send(count=3)
            await rig.wait(10)
            rig.clock.set_wall(rig.clock.now() + HOUR_MS)
            await rig.wait(50)
            assert [each.status for each in await rig.deliveries()] == [Status.DELIVERED] * 3
            assert len(rig.channel.sent) == 3

    run(main(), rig.clock)


def test_a_send_that_does_not_end_is_cut_although_the_clock_was_set_back() -> None:
    """And what is on record of it is how long it took."""
    rig = Rig(catalog(recipient()), in_order(Scripted(takes_ms=10**9), 200))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            rig.clock.set_wall(rig.clock.now() - HOUR_MS)
            await rig.wait(90)
            cut, *_ = await rig.events()
            assert cut["failure_class"] == "cancelled"
            assert 60_000 < float(str(cut["processing_time_ms"])) < 90_000

    run(main(), rig.clock)


def test_a_clock_that_is_set_back_keeps_no_operation() -> None:
    """The outcomes of what it redrove are looked at all the same."""
    answers: dict[str, int] = {}

    def heals(request: Request, _: int) -> Scripted:
        answers[request.delivery_id] = answers.get(request.delivery_id, 0) + 1
        first = answers[request.delivery_id] == 1
        return Scripted(400) if first else Scripted(200, takes_ms=5_000)

    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), heals)

    async def main() -> None:
        async with running(rig):
            await rig.send(count=10)
            await rig.wait(5)
            where = rig.engine.views.where("status:dead")
            plan = Plan(
                kind=Kind.REDRIVE, where=where, query="status:dead", rate=1000.0, batch=7,
                cut_off=0, **BY,
            )  # fmt: skip
            begun = await rig.engine.operations.start(plan)
            await rig.wait(3)
            rig.clock.set_wall(rig.clock.now() - HOUR_MS)
            await rig.wait(60)
            assert (await rig.engine.operations.operation(begun.id)).state is State.COMPLETED

    run(main(), rig.clock)
