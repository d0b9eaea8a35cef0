"""Partners that speak of quotas, honestly or not: kept to, and never obeyed beyond reason."""

import itertools
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.channel import Request
from holdfast.engine.throttle import Throttle, floor_ms
from holdfast.model.delivery import Status
from holdfast.model.flow import Limits
from holdfast.model.policy import BreakerSettings, JitterKind, PolicySettings
from holdfast.policy.hint import Quota, quota
from holdfast.testing.channel import Script, Scripted, in_order
from holdfast.testing.clock import START, run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

THRESHOLD: Final = BreakerSettings(mode="threshold")
MODES: Final = {"cusum": BreakerSettings(), "threshold": THRESHOLD, "none": NO_BREAKER}


def played(
    script: Script,
    seconds: float,
    count: int = 200,
    *,
    max_hint: float = 86_400.0,
    mode: str = "cusum",
) -> Rig:
    """Return a rig after `count` deliveries and so much time with a partner."""
    partner = recipient(breaker=MODES[mode])
    rig = Rig(catalog(partner, policy=PolicySettings(max_hint=max_hint)), script)

    async def main() -> None:
        async with running(rig):
            await rig.send(count)
            await rig.wait(seconds)
            rig.statuses = [d.status for d in await rig.deliveries()]  # type: ignore[attr-defined]

    run(main(), rig.clock)
    return rig


def test_the_first_used_up_quota_closes_the_lane() -> None:
    """A success that says r=0 is believed at once: only what was on the wire goes out."""
    rig = played(lambda _, __: Scripted(200, headers={"ratelimit": '"a";r=0;t=600'}), 500)
    assert len(rig.channel.sent) == 16


@pytest.mark.parametrize(
    "style",
    [
        lambda r, t: {"ratelimit": f'"burst";r={r};t={t}'},
        lambda r, t: {"x-ratelimit-remaining": str(r), "x-ratelimit-reset": str(t)},
        lambda r, t: {"x-ratelimit-remaining": str(r), "x-ratelimit-reset": str(START // 1000 + t)},
    ],
)
def test_a_quota_is_not_exceeded(style: Callable[[int, int], dict[str, str]]) -> None:
    """40 in the first minute: that many are sent in it, none is refused, and more follow later."""
    taken = 0

    def answer(_: Request, now: int) -> Scripted:
        nonlocal taken
        taken += 1
        if now >= START + 60_000:
            return Scripted(200)
        left = (START + 60_000 - now + 999) // 1000
        assert taken <= 40
        return Scripted(200, headers=style(40 - taken, left if len(str(style(1, 1))) < 60 else 60))

    rig = played(answer, 300, count=60)
    early = sum(at < START + 60_000 for at, _ in rig.channel.sent)
    assert 36 <= early <= 40
    assert len(rig.channel.sent) == 60


LIES: dict[str, dict[str, str]] = {
    "retry at once": {"retry-after": "0"},
    "retry in years": {"retry-after": "999999999"},
    "retry in the past": {"retry-after": "-5"},
    "malformed": {"retry-after": "soon", "ratelimit": ";;r==,,t", "x-ratelimit-remaining": "∞"},
    "quota of years": {"ratelimit": '"a";r=0;t=99999999999'},
    "negative quota": {"ratelimit": '"a";r=-1;t=-1', "x-ratelimit-remaining": "-7"},
    "a reset in 1970": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"},
    "endless quota": {"ratelimit": '"a";r=999999999999999;t=1'},
    "nothing": {},
}
NAMES: Final = tuple(LIES)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lie", LIES)
def test_429_for_ever_does_not_flood(lie: str, mode: str) -> None:
    """S11: an hour of refusals costs at most the first round and a few hundred single sends."""
    rig = played(lambda _, __: Scripted(429, headers=LIES[lie]), 3600, mode=mode)
    assert len(rig.channel.sent) <= 16 + 160
    late = [at for at, _ in rig.channel.sent if at > START + 300_000]
    assert all(later - earlier >= 2000 for earlier, later in itertools.pairwise(late))
    assert set(rig.statuses) == {Status.PENDING}  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("status", [200, 429, 503])
@pytest.mark.parametrize("mode", MODES)
def test_no_lie_parks_a_lane_for_longer_than_the_policy_allows(
    lie: str, status: int, mode: str
) -> None:
    """S11: a partner that lies once gets everything within `max_hint` and its spread."""
    lied: list[int] = []

    def answer(_: Request, __: int) -> Scripted:
        if len(lied) < 16:
            lied.append(1)
            return Scripted(status, headers=LIES[lie])
        return Scripted(200)

    rig = played(answer, 1000, count=40, max_hint=600.0, mode=mode)
    assert set(rig.statuses) == {Status.DELIVERED}  # type: ignore[attr-defined]


ALTERNATING: Final[dict[str, tuple[Scripted, ...]]] = {
    "at once": (Scripted(429, headers={"retry-after": "0"}), Scripted(200)),
    "bare": (Scripted(429), Scripted(200)),
    "quota of nothing": (Scripted(200, headers={"ratelimit": '"a";r=0;t=1'}), Scripted(200)),
    "quota of everything": (
        Scripted(200, headers={"ratelimit": '"a";r=999999999;t=1'}),
        Scripted(429, headers={"ratelimit": '"a";r=999999999;t=1'}),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("turn", ALTERNATING)
def test_answers_that_alternate_neither_flood_nor_stop(turn: str, mode: str) -> None:
    """S11: refuse, take, refuse, take: everything arrives, and slowly enough."""
    turns = itertools.cycle(ALTERNATING[turn])
    rig = played(lambda _, __: next(turns), 900, count=100, mode=mode)
    assert set(rig.statuses) == {Status.DELIVERED}  # type: ignore[attr-defined]
    assert len(rig.channel.sent) <= 220


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(4))
def test_a_partner_that_answers_anything_harms_only_itself(seed: int, mode: str) -> None:
    """Any status with any lie, at random: no crash, no flood, and all has ended at last."""
    rng = random.Random(seed)
    honest = START + 1_800_000

    def answer(_: Request, now: int) -> Scripted:
        if now >= honest:
            return Scripted(200)
        status = rng.choice((200, 202, 302, 429, 429, 500, 503, 599))
        return Scripted(status, takes_ms=rng.choice((1, 20, 3000)), headers=LIES[rng.choice(NAMES)])

    rig = played(answer, 3600 + 900, count=150, max_hint=600.0, mode=mode)
    ended = {Status.DELIVERED, Status.DEAD}
    assert set(rig.statuses) <= ended  # type: ignore[attr-defined]
    tries = Counter(request.delivery_id for _, request in rig.channel.sent)
    assert len(tries) == 150
    seconds = Counter((at - START) // 1000 for at, _ in rig.channel.sent)
    assert max(seconds.values()) <= 150
    assert sum(tries.values()) < 150 * 12


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["threshold", "none"])
def test_a_bare_429_does_not_park_the_lane_for_a_deliverys_own_delay(mode: str) -> None:
    """With retries after hours the refused one waits for hours, the lane for minutes."""
    turns = itertools.chain((Scripted(429),), itertools.repeat(Scripted(200)))
    limits = Limits(initial_delay=(1.0, 7200.0), max_interval=(1.0, 7200.0))
    patient = PolicySettings(initial_delay=7200.0, max_interval=7200.0, jitter=JitterKind.NONE)
    made = catalog(recipient(concurrency=1, breaker=MODES[mode]), policy=patient)
    made = msgspec.structs.replace(made, limits=limits)
    rig = Rig(made, lambda _, __: next(turns))

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            await rig.wait(400)
            assert len(await rig.deliveries(Status.DELIVERED)) == 19
            await rig.wait(7200)
            assert len(await rig.deliveries(Status.DELIVERED)) == 20

    run(main(), rig.clock)


def test_whose_duty_a_bare_429_is() -> None:
    """A lane with a pace goes on, slower; one without waits. A 429 with a time always waits."""
    bare, timed = Scripted(429), Scripted(429, headers={"retry-after": "60"})
    for mode, stops in (("cusum", False), ("threshold", True)):
        for first, waits in ((bare, stops), (timed, True)):
            rig = played(in_order(first, 200), 1, count=5, mode=mode)
            gate = rig.engine.lane("acme").state.gate_until
            assert (gate > START) is waits
            assert (rig.engine.lane("acme").pacing.pace is not None) is (mode == "cusum")


@given(st.dictionaries(st.sampled_from(("ratelimit", "x-ratelimit-remaining", "ratelimit-reset",
       "x-ratelimit-reset", "ratelimit-remaining")), st.text(max_size=60)))  # fmt: skip
def test_nonsense_is_ignored_or_bounded(headers: dict[str, str]) -> None:
    """Whatever stands in the fields: no exception, and never more than a day."""
    found = quota(headers, START)
    assert found is None or (found.remaining >= 0 and 1 <= found.wait_ms <= 86_400_000)


def test_of_several_limits_the_tightest_counts() -> None:
    """An empty burst goes before a day with room; of two with room the slower one counts."""
    assert quota({"ratelimit": '"b";r=0;t=5, "d";r=40;t=3600'}, START) == Quota(0, 5000)
    assert quota({"ratelimit": '"b";r=10;t=1, "d";r=40;t=3600'}, START) == Quota(40, 3_600_000)


@given(st.integers(1, 50), st.integers(1, 100_000), st.lists(st.integers(0, 3000), max_size=200))
def test_no_more_than_the_quota_and_never_far_ahead(r: int, t: int, gaps: list[int]) -> None:
    """Between two replies at most r go out, and at most a tenth ahead of the even rate."""
    throttle, now, sent = Throttle(), START, 0
    throttle.heard(Quota(r, t), now, 0)
    for gap in gaps:
        now += gap
        if now >= START + t:
            break
        if throttle.opens_at(now, 0) <= now:
            throttle.taken(now)
            sent += 1
            assert sent <= r
            assert sent <= 2 + (now - START + t / 10) * r / t


def test_refusals_are_asked_ever_more_rarely() -> None:
    """0, 1, 2, 4 ... 60 seconds."""
    assert [floor_ms(n) for n in (1, 2, 3, 4, 99)] == [0, 1000, 2000, 4000, 60_000]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("retries", [1, 3])
def test_a_partner_that_is_down_is_not_probed_before_it_asked_for(mode: str, retries: int) -> None:
    """503 with Retry-After: neither the breaker's probes nor a delivery's death overrule it."""
    asked: list[int] = []

    def answer(_: Request, now: int) -> Scripted:
        asked.append(now)
        return Scripted(503, takes_ms=5, headers={"retry-after": "600"})

    policy = PolicySettings(max_retries=retries)
    rig = Rig(catalog(recipient(breaker=MODES[mode], concurrency=1), policy=policy), answer)

    async def main() -> None:
        async with running(rig):
            for _ in range(4):
                await rig.send()
                await rig.wait(640)

    run(main(), rig.clock)
    assert len(asked) >= 3
    assert all(later - earlier >= 600_000 for earlier, later in itertools.pairwise(asked))


@pytest.mark.parametrize(("crash_ms", "heard"), [(1, False), (399, False), (401, True)])
def test_a_crash_forgets_no_retry_after_that_was_heard(crash_ms: int, *, heard: bool) -> None:
    """It is on disk with the settlement; of an answer that the crash cut off nobody knows."""
    asked = START + 400 + 7_000

    def answer(_: Request, now: int) -> Scripted:
        if now == START:
            return Scripted(429, takes_ms=400, headers={"retry-after": "7"})
        return Scripted(200)

    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), answer)

    async def main() -> None:
        await rig.engine.start()
        await rig.send()
        await rig.wait(crash_ms / 1000)
        await rig.crash()
        async with running(rig):
            await rig.send()  # only the lane knows that this one must wait, too
            await rig.wait(30)
            assert len(await rig.deliveries(Status.DELIVERED)) == 2

    run(main(), rig.clock)
    first, again, last = [at for at, _ in rig.channel.sent]
    assert first == START
    assert (again > asked) if heard else (last <= START + crash_ms + 2)
