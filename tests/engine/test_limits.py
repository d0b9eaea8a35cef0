"""A recipient's rate limits hold in the running engine, crashes included."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine.limiter import Limiter
from holdfast.model.delivery import Status
from holdfast.model.throttle import RateLimits, WindowUse
from holdfast.policy import limit
from holdfast.testing.channel import Scripted, always
from holdfast.testing.clock import START, run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

SPANS = (("per_second", 1000), ("per_minute", 60_000), ("per_hour", 3_600_000),
         ("per_day", 86_400_000))  # fmt: skip


def exceeded(instants: list[int], limits: RateLimits) -> list[str]:
    """Return the limits that some window of the instants breaks."""
    found = []
    for name, span in SPANS:
        most = getattr(limits, name)
        if most is None:
            continue
        instants = sorted(instants)
        pairs = zip(instants, instants[most:], strict=False)
        if any(later - earlier <= span for earlier, later in pairs):
            found.append(name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_seed_and_no_crash_exceeds_a_limit(seed: int) -> None:
    """Seven lives, five of which end in a crash: no window of the partner's sees too many."""
    rng = random.Random(seed)  # a test's dice
    limits = RateLimits(per_second=5, per_minute=40, per_hour=150, per_day=200)
    partner = recipient(limits=limits, breaker=NO_BREAKER)

    def answer(_: object, __: int) -> Scripted:
        status = rng.choice((200, 200, 200, 503))
        return Scripted(status, takes_ms=rng.choice((0, 5, 400, 3000)))

    rig = Rig(catalog(partner), answer, seed=seed)

    async def main() -> None:
        for life in range(7):
            await rig.engine.start()
            await rig.send(60)
            await rig.wait(rng.choice((0.3, 7.0, 90.0, 700.0)))
            if life in (2, 6):
                await rig.engine.stop()
                rig.again()
            else:
                await rig.crash()
        async with running(rig):
            await rig.wait(3000)

    run(main(), rig.clock)
    sent = [at for at, _ in rig.channel.sent]
    assert exceeded(sent, limits) == []
    assert len(sent) > 150


def test_a_limited_lane_drains_at_its_limit_and_says_why_it_waits() -> None:
    """100 at 10 a second take ten seconds; meanwhile the gate is `limit`, with its time."""
    rig = Rig(catalog(recipient(limits=RateLimits(per_second=10))))

    async def main() -> None:
        async with running(rig):
            await rig.send(100)
            await rig.wait(0.5)
            lane = await rig.engine.views.lane("acme")
            assert lane.gate == "limit"
            assert rig.clock.now() < lane.gate_until <= rig.clock.now() + 1050
            (waiting, *_) = await rig.deliveries(Status.PENDING)
            assert [one.gate for one in await rig.engine.views.why(waiting)] == ["limit"]
            await rig.wait(10.5)
            assert len(await rig.deliveries(Status.DELIVERED)) == 100
            assert all(d.attempts == 1 for d in await rig.deliveries())

    run(main(), rig.clock)


def test_a_clean_restart_forfeits_nothing() -> None:
    """What was sent is known exactly: the day's limit is used up, not more and not less."""
    rig = Rig(catalog(recipient(limits=RateLimits(per_day=50))))

    async def main() -> None:
        for _ in range(5):
            async with running(rig):
                await rig.send(12)
                await rig.wait(60)
            rig.again()
        assert len(rig.channel.sent) == 50

    run(main(), rig.clock)


def test_a_crash_forfeits_at_most_a_sixteenth() -> None:
    """Of 160 a day, a crash costs ten; the rest can still be sent the same day."""
    rig = Rig(catalog(recipient(limits=RateLimits(per_day=160))))

    async def main() -> None:
        await rig.engine.start()
        await rig.send(5)
        await rig.wait(5)
        await rig.crash()
        async with running(rig):
            await rig.send(300)
            await rig.wait(3600)
        assert 150 - 5 <= len(rig.channel.sent) <= 160

    run(main(), rig.clock)


def test_smooth_spreads_a_burst() -> None:
    """60 a minute and smooth: one a second, not sixty at once."""
    rig = Rig(catalog(recipient(limits=RateLimits(per_minute=60, smooth=True))), always(200, 5))

    async def main() -> None:
        async with running(rig):
            await rig.send(10)
            await rig.wait(20)
            assert len(rig.channel.sent) == 10
            instants = [at for at, _ in rig.channel.sent]
            gaps = [b - a for a, b in itertools.pairwise(instants)]
            assert min(gaps) >= 999
            assert instants[0] < START + 100

    run(main(), rig.clock)


def test_one_limited_lane_slows_no_other() -> None:
    """A bulkhead (S2.36): the other recipient has everything at once."""
    slow, fast = recipient("slow", limits=RateLimits(per_minute=1)), recipient("fast")
    rig = Rig(catalog(slow, fast))

    async def main() -> None:
        async with running(rig):
            await rig.send(200)
            await rig.wait(5)
            delivered = await rig.deliveries(Status.DELIVERED)
            assert sum(d.recipient == "fast" for d in delivered) == 200
            assert sum(d.recipient == "slow" for d in delivered) == 1

    run(main(), rig.clock)


@given(
    st.lists(st.tuples(st.sampled_from(("take", "begin", "drop", "save", "land", "crash")),
                       st.integers(0, 400_000)), max_size=150),
    st.integers(1, 20),
)  # fmt: skip
def test_reservations_cover_every_send(steps: list[tuple[str, int]], most: int) -> None:
    """In any order of takes, begins, drops, saves and crashes no hour sees more than its limit."""
    limits = RateLimits(per_hour=most)
    disk: tuple[WindowUse, ...] = ()
    queued: tuple[WindowUse, ...] | None = None
    lane, taken, now, sent = Limiter(limits, disk, START, clean=True), 0, START, list[int]()
    for step, gap in steps:
        now += gap
        if step == "take" and lane.opens_at(now) <= now:
            lane.taken(now)
            taken += 1
        elif step == "begin" and taken:
            lane.began(now)
            sent.append(now)
            taken -= 1
        elif step == "drop" and taken:
            lane.dropped()
            taken -= 1
        elif step == "save" and lane.wants(now):
            queued = lane.reserve(now)
        elif step == "land" and queued is not None:
            disk, queued = queued, None
            lane.reserved()
        elif step == "crash":
            lane, taken, queued = Limiter(limits, disk, now, clean=False), 0, None
    assert exceeded(sent, limits) == []
    assert limit.windows(limits) == ((3_600_000, most),)
