"""The last hour of the meter: sums, points, quantiles."""

from typing import Any, cast

import pytest

from holdfast.engine.intake import Intake
from holdfast.engine.meter import LATENCY_BUCKETS_MS, Meter
from holdfast.engine.sampler import QueueSample, Sampler
from holdfast.engine.trend import KEPT, POINTS, Trend, points, quantile, window
from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.delivery import Verb
from holdfast.model.overview import Beat
from holdfast.policy.decide import Decision
from holdfast.store import Snapshot
from holdfast.testing.channel import in_order
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.rig import Rig, catalog, idle_machine, recipient, running

BUCKETS = len(LATENCY_BUCKETS_MS) + 1


class Door:
    """As much of the intake as is looked at."""

    accepted = 0


def beat(at: int, good: int = 0, bad: int = 0, skipped: int = 0) -> Beat:
    """Return five seconds with tries of 20 ms."""
    latency = [0] * BUCKETS
    latency[2] = good + bad
    return Beat(
        at=at,
        span_ms=5000,
        accepted=good,
        outcomes={"success": good, "error": bad, "skip": skipped},
        failures={"server": bad} if bad else {},
        latency=tuple(latency),
    )


def test_a_window_sums_the_newest_beats() -> None:
    """A minute is twelve beats; skips are no tries; what was not seen is said."""
    beats = [beat(at * 5000, good=100) for at in range(8)]
    beats += [beat(at * 5000, good=1, bad=1, skipped=5) for at in range(8, 20)]
    found = window(beats, 1)
    assert (found.covered_ms, found.tries, found.successes) == (60_000, 24, 12)
    assert found.failures == {"server": 12}
    assert window(beats, 60).covered_ms == 100_000
    assert window([], 5).p50_ms is None


def test_points_end_with_the_newest_beat() -> None:
    """A full hour makes the most points; a rest makes a shorter first one."""
    hour = [beat(at * 5000, good=1) for at in range(KEPT)]
    assert len(points(hour, KEPT // POINTS)) == POINTS
    found = points(hour[:8], 6)
    assert [one.span_ms for one in found] == [10_000, 30_000]
    assert found[-1].at == hour[7].at
    assert sum(one.tries for one in found) == 8


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ({}, 0.5, None),
        ({0: 10}, 0.5, 2.5),
        ({2: 10}, 0.5, 17.5),
        ({2: 95, 5: 5}, 0.95, 25.0),
        ({BUCKETS - 1: 3}, 0.5, 60_000.0),
    ],
)
def test_quantiles(counts: dict[int, int], share: float, expected: float | None) -> None:
    """Within a bucket tries lie evenly; above the last bound that bound is told."""
    assert quantile([counts.get(at, 0) for at in range(BUCKETS)], share) == expected


async def test_the_first_minutes_are_drawn_fine() -> None:
    """Until the plot is full every beat is a point; then points grow, never beyond the most."""
    clock = VirtualClock()
    trend = Trend(clock, Meter(), cast("Intake", Door()))
    seen: list[int] = []
    for _ in range(KEPT):
        clock.jump(5)
        await trend.run_once()
        seen.append(len(trend.points()))
    assert seen[:POINTS] == list(range(1, POINTS + 1))
    assert max(seen) == POINTS
    assert min(seen[POINTS:]) > POINTS // 2


async def test_a_beat_holds_the_difference(decision: Decision) -> None:
    """Each beat holds what happened since the one before, and the first what since the start."""
    clock, meter, door = VirtualClock(), Meter(), Door()
    count(meter, decision, Result.SUCCESS)
    trend = Trend(clock, meter, cast("Intake", door))
    count(meter, decision, Result.ERROR, FailureClass.SERVER)
    door.accepted = 3
    clock.jump(5)
    await trend.run_once()
    clock.jump(5)
    await trend.run_once()
    first, second = trend.points()[0], trend.windows()[0]
    assert (first.tries, first.successes, first.accepted) == (1, 0, 3)
    assert (second.tries, second.failures, second.covered_ms) == (1, {"server": 1}, 10_000)


def count(meter: Meter, decision: Decision, result: Result, kind: Any = None) -> None:
    """Count one try."""
    meter.tried(Outcome(result, failure_class=kind), decision, duration_ms=20, lag_ms=0)


@pytest.fixture
def decision() -> Decision:
    """Return some decision."""
    return Decision(Verb.SUCCEED, "done")


def test_the_overview_shows_the_engine() -> None:
    """What waits, what was tried and who sends is what the engine holds."""
    rig = Rig(catalog(recipient()), in_order(200, 500))

    async def scenario() -> None:
        async with running(rig):
            await rig.wait(1)
            await rig.send()
            await rig.send()
            await rig.wait(1.5)
            seen = await rig.engine.views.overview()
            assert (seen.depth, seen.lanes["closed"], seen.active) == (1, 1, 0)
            assert seen.by_priority == {"high": 0, "normal": 1, "low": 0}
            await rig.wait(4)
            (worker,) = (await rig.engine.views.overview()).workers
            assert (worker.epoch, worker.ready, worker.held, worker.slots) == (1, True, None, 512)
            minute = (await rig.engine.views.overview()).windows[0]
            assert (minute.accepted, minute.successes) == (2, 1)
            assert minute.failures == {"server": minute.tries - 1}

    run(scenario(), rig.clock)


def test_each_lane_counts_by_priority() -> None:
    """What waits in a lane, as its counters in the store have it."""
    rig = Rig(catalog(recipient("acme"), recipient("beta")), in_order(200))

    async def scenario() -> None:
        async with running(rig):
            for name in ("acme", "beta"):
                await rig.engine.actions.pause(name, actor="ann", reason="to see it wait")
            for priority in (9, 7, 5, 0):
                await rig.send(priority=priority)
            lanes = await rig.engine.views.lanes()
            assert [lane.recipient for lane in lanes] == ["acme", "beta"]
            for lane in lanes:
                assert lane.by_priority == {"high": 2, "normal": 1, "low": 1}
                stored = (await rig.store.counts())[lane.recipient]
                assert (stored.high, stored.normal, stored.low) == (2, 1, 1)
            one = await rig.engine.views.lane("acme")
            assert one.by_priority == lanes[0].by_priority

    run(scenario(), rig.clock)


def test_a_look_names_no_sample() -> None:
    """Looking at the machine stores nothing: only events publish samples."""
    clock = VirtualClock()
    published: list[Snapshot] = []
    sampler = Sampler(
        clock,
        idle_machine,
        queue=lambda _: QueueSample(0, 0, 0, {}),
        busy=lambda: 0.5,
        publish=published.append,
    )
    assert sampler.look(clock.now()).busy == 0.5
    assert published == []
    sampler.current(clock.now(), "one")
    assert len(published) == 1
