"""The learned lane on a whole engine: probes when it pays, returns at what the partner takes."""

import itertools
import random
from collections import Counter

import pytest

from holdfast.channel import Request
from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.delivery import Status
from holdfast.model.lane import BreakerState, LaneState
from holdfast.model.policy import BreakerSettings, PolicySettings, Strategy
from holdfast.policy import habits
from holdfast.store import EventQuery
from holdfast.testing.channel import Script, Scripted
from holdfast.testing.clock import START, run
from holdfast.testing.rig import Rig, catalog, recipient, running

DOWN = Outcome(Result.ERROR, retryable=True, failure_class=FailureClass.SERVER, http_status=503)


def down_between(start: float, end: float, then: Script | None = None) -> Script:
    """Return a partner that is down for that span of seconds, else takes everything."""

    def script(request: Request, now: int) -> Scripted:
        if start <= (now - START) / 1000 < end:
            return Scripted(503, takes_ms=5)
        return then(request, now) if then else Scripted(200, takes_ms=5)

    return script


def of_capacity(capacity: int) -> Script:
    """Return a partner that takes so many in any second and refuses the others."""
    recent: list[int] = []

    def script(_: Request, now: int) -> Scripted:
        recent[:] = [at for at in recent if at > now - 1000]
        recent.append(now)
        return Scripted(200 if len(recent) <= capacity else 503, takes_ms=20)

    return script


async def stream(rig: Rig, seconds: int, per_second: int) -> None:
    """Send evenly for so long."""
    for _ in range(seconds * 2):
        await rig.send(per_second // 2)
        await rig.wait(0.5)


@pytest.mark.slow
def test_the_backlog_drains_at_what_the_partner_takes() -> None:
    """After an outage nothing is lost, the peak is at most 1.2 times the capacity, few fail."""
    rig = Rig(catalog(recipient(concurrency=64)), down_between(60, 180, of_capacity(50)))

    async def main() -> None:
        async with running(rig):
            await stream(rig, 240, 20)
            await rig.wait(300)
            assert (await rig.store.counts())["acme"].delivered == 4800
            after = [at for at, _ in rig.channel.sent if at >= START + 180_000]
            assert max(Counter((at - START) // 1000 for at in after).values()) <= 60
            assert len(rig.channel.sent) < 4800 * 1.06
            lane = await rig.engine.views.lane("acme")
            assert (lane.breaker, lane.rate) == ("closed", None)

    run(main(), rig.clock)


@pytest.mark.slow
def test_a_bare_429_drives_the_lane_to_the_quota() -> None:
    """At 40 a second offered and 30 allowed, 90 % of the quota is used and 5 % are refused."""
    tokens = {"left": 30.0, "at": float(START)}

    def script(_: Request, now: int) -> Scripted:
        tokens["left"] = min(30.0, tokens["left"] + (now - tokens["at"]) * 0.03)
        tokens["at"] = now
        if tokens["left"] < 1:
            return Scripted(429, takes_ms=20)
        tokens["left"] -= 1
        return Scripted(200, takes_ms=50)

    rig = Rig(catalog(recipient(concurrency=64)), script)

    async def main() -> None:
        async with running(rig):
            await stream(rig, 120, 40)
            taken = rig.channel.received.total()
            assert taken >= 0.9 * 30 * 120
            assert len(rig.channel.sent) - taken <= 0.05 * len(rig.channel.sent)

    run(main(), rig.clock)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_brown_out_does_not_keep_the_lane_open(seed: int) -> None:
    """Four of ten sends fail for five minutes: it opens once at most, by bad luck, and goes on."""
    rng = random.Random(seed)
    rig = Rig(
        catalog(recipient(), policy=PolicySettings(max_retries=9)),
        lambda _, now: Scripted(
            503 if 60_000 <= now - START < 360_000 and rng.random() < 0.4 else 200
        ),
    )

    async def main() -> None:
        async with running(rig):
            await stream(rig, 360, 10)
            await rig.wait(400)
            notes = [note.detail or "" for note in await rig.store.notes("acme", 100)]
            assert sum(note.endswith("-> open") for note in notes) <= 1
            assert notes[0] == "recovery -> closed"
            assert (await rig.store.counts())["acme"].delivered == 3600

    run(main(), rig.clock)


def test_an_open_lane_sends_only_probes_and_each_says_why() -> None:
    """One at a time, at the planned instants; the event has every input (promise 7)."""
    rig = Rig(catalog(recipient()), down_between(0, 300))

    async def main() -> None:
        async with running(rig):
            await rig.send(100)
            await rig.wait(299)
            events = await rig.events()
            planned = [e for e in events if e.get("probe")]
            assert len(planned) > 10
            probes = [e for e in events if e["trigger_detail"] == "breaker_probe"]
            for before, probe in zip(planned, probes, strict=False):
                plan = before["probe"]
                assert isinstance(plan, dict)
                assert plan["waiting"] == 100
                due = int(str(before["acknowledgment_timestamp"])) + plan["wait_ms"]
                assert abs(int(str(probe["request_timestamp"])) - due) <= 2
            view = await rig.engine.views.lane("acme")
            assert view.probe is not None
            assert view.next_probe == view.retry_at

    run(main(), rig.clock)


def test_the_same_message_never_probes_twice_in_a_row() -> None:
    """A payload that the partner cannot take does not keep the lane down alone."""
    rig = Rig(catalog(recipient()), down_between(0, 1200))

    async def main() -> None:
        async with running(rig):
            await rig.send(1, priority=9)
            await rig.send(5)
            await rig.wait(1199)
            ids = [
                str(e["delivery_id"])
                for e in await rig.events()
                if e["trigger_detail"] == "breaker_probe"
            ]
            assert len(ids) > 3
            assert all(one != other for one, other in itertools.pairwise(ids))

    run(main(), rig.clock)


def test_what_was_learned_survives_a_restart() -> None:
    """The next owner knows the outage that goes on, and those that ended."""
    rig = Rig(catalog(recipient()), down_between(10, 70))

    async def main() -> None:
        async with running(rig):
            await stream(rig, 30, 10)
            before = rig.engine.lane("acme").state
            assert before.learned.outage_class == "server"
        rig.again()
        async with running(rig):
            assert rig.engine.lane("acme").state.learned == before.learned
            await rig.wait(200)
            learned = rig.engine.lane("acme").state.learned
            assert learned.outage_class is None
            assert 0.99 < sum(learned.outages["server"].ended) < 1.01
            assert rig.engine.fleet.outages("server") > 0.99

    run(main(), rig.clock)


def test_a_message_that_is_refused_teaches_nothing_about_outages() -> None:
    """A 422 is the message's trouble: the lane's model does not see it."""
    rig = Rig(catalog(recipient()), lambda _, __: Scripted(422))

    async def main() -> None:
        async with running(rig):
            await rig.send(50)
            await rig.wait(10)
            assert len(await rig.deliveries(Status.DEAD)) == 50
            lane = rig.engine.lane("acme")
            assert lane.state.breaker.state is BreakerState.CLOSED
            assert lane.learning.failures == 0

    run(main(), rig.clock)


def test_adaptive_delays_stay_in_the_policys_range() -> None:
    """S1.31, S2.54: a delivery's own retries come when they cost least, within the range."""
    policy = PolicySettings(
        strategy=Strategy.ADAPTIVE, max_retries=5, initial_delay=2, max_interval=40
    )
    quiet = recipient(breaker=BreakerSettings(enabled=False))
    rig = Rig(catalog(quiet, policy=policy), down_between(0, 3600))

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            await rig.wait(600)
            draws = [e["jitter"] for e in await rig.events() if e.get("jitter")]
            assert len(draws) == 100
            for draw in draws:
                assert isinstance(draw, dict)
                assert 2000 <= draw["low_ms"] <= draw["draw_ms"] <= draw["high_ms"] <= 40_000

    run(main(), rig.clock)


def test_a_reset_ends_the_pace_and_the_outage() -> None:
    """A person who closes the breaker decides: the lane is free at once (S5.58)."""
    rig = Rig(catalog(recipient()), down_between(0, 20))

    async def main() -> None:
        async with running(rig):
            await rig.send(200)
            await rig.wait(30)
            await rig.engine.actions.reset_breaker("acme", actor="ada", reason="they called")
            lane = rig.engine.lane("acme")
            assert lane.pacing.pace is None
            assert lane.state.learned.outage_class is None

    run(main(), rig.clock)


def test_a_lane_without_a_pace_is_not_slowed() -> None:
    """Nothing limits a healthy lane: no rate, no timer."""
    rig = Rig(catalog(recipient()))
    lane = rig.engine.lane_type(recipient(), LaneState("acme"))
    assert lane.rate is None
    assert lane.next_change() is None
    for n in range(4):
        lane.record(DOWN, started_at=n + 1, now=n + 1, rng=random.Random(1))
    assert lane.state.breaker.state is BreakerState.OPEN


@pytest.mark.slow
def test_hours_and_further_tries_are_remembered() -> None:
    """What an hour was like is kept when it has passed, over a restart too (S2.56, S2.57)."""
    policy = PolicySettings(strategy=Strategy.ADAPTIVE, max_retries=5)
    rig = Rig(catalog(recipient(), policy=policy), lambda _, now: Scripted(503 if now % 2 else 200))

    async def main() -> None:
        async with running(rig):
            for _ in range(70):
                await rig.send(1)
                await rig.wait(60.001)
        rig.again()
        async with running(rig):
            kept = rig.engine.lane("acme").state.learned.habits
            assert sum(kept.days) == 1
            assert 0.05 < kept.bad[15] + kept.bad[16] < 0.95
            assert kept.tries[0] > kept.good[0] > 0

    run(main(), rig.clock)


@pytest.mark.slow
def test_retries_that_never_help_are_not_made() -> None:
    """S2.56: a second retry never succeeded, so most deliveries end after the first; with words."""
    policy = PolicySettings(strategy=Strategy.ADAPTIVE, max_retries=5, max_interval=2)
    quiet = recipient(breaker=BreakerSettings(enabled=False))
    rig = Rig(catalog(quiet, policy=policy), lambda *_: Scripted(503))

    async def main() -> None:
        async with running(rig):
            for _ in range(40):
                await rig.send(10)
                await rig.wait(60)
            found = await rig.deliveries()
            assert [d.counted for d in found[:10]].count(6) == 10
            late = [d.counted for d in found[-100:]]
            assert late.count(2) >= 80
            assert max(late) > 2  # some go on, to see whether it is still so
            latest = await rig.store.events(EventQuery(limit=10))
            assert any(
                "retry 2 succeeds in" in (e.attempt.next_action.reason or "") for e in latest
            )

    run(main(), rig.clock)


def test_a_retry_leaves_a_bad_hour_without_using_its_time() -> None:
    """S2.57: what is due in an hour in which most fails waits for its end; the words say so."""
    policy = PolicySettings(strategy=Strategy.ADAPTIVE, max_retries=5)
    rig = Rig(catalog(recipient(), policy=policy), down_between(0, 60))
    hour = START // 3_600_000 % 24
    opens = (START // 3_600_000 + 1) * 3_600_000

    async def main() -> None:
        async with running(rig):
            lane = rig.engine.lane("acme")
            for _ in range(3):
                lane.learning.habits = habits.folded(lane.learning.habits, hour, 100, 90)
            await rig.send(1)
            await rig.wait(10)
            (delivery,) = await rig.deliveries()
            (event,) = await rig.events()
            assert opens < delivery.due_at < opens + 300_000
            assert "moved out of an hour in which 90% fail" in str(event["next_action"])
            assert delivery.active_ms < 300_000
            await rig.wait((opens - START) / 1000 + 300)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.attempts) == (Status.DELIVERED, 2)

    run(main(), rig.clock)
