"""What never happens, whatever the configuration, the partner, the people and the crashes."""

import random
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.test_calendar import EVERY, clock_times, later
from tests.engine.test_limits import exceeded

from holdfast.channel import Request
from holdfast.model.calendar import Cap, Hours, Maintenance, MaintenanceWindow, Period, Weekday
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Recipient
from holdfast.model.policy import BreakerSettings, PolicySettings, Strategy
from holdfast.model.throttle import RateLimits
from holdfast.testing.channel import Scripted
from holdfast.testing.clock import START, run
from holdfast.testing.rig import Rig, catalog, recipient

MINUTE_MS: Final = 60_000
BY: Final[dict[str, Any]] = {"actor": "ann", "reason": "dice"}
_DAYS: Final[tuple[Weekday, ...]] = EVERY

Span = tuple[int, int]
"""From, until: ms since the epoch."""


class Sent(NamedTuple):
    """A send: when, until when, in which life of the process, and what it was."""

    at: int
    until: int
    life: int
    request: Request


class Asked(NamedTuple):
    """Not to be disturbed: the send that is answered so, when the answer is there, until when."""

    sent: int
    heard: int
    until: int


class Partner:
    """Answers as it likes, remembers what it got, and until when it asked not to be disturbed."""

    def __init__(self, rng: random.Random) -> None:
        self.sent: list[Sent] = []
        self.taken: list[tuple[int, str]] = []
        self.asked: list[Asked] = []
        self.life = 0
        self._rng = rng
        self._down_until = 0

    def __call__(self, request: Request, now: int) -> Scripted:
        """Answer."""
        rng = self._rng
        takes = rng.choice([1, 5, 50, 400])
        self.sent.append(Sent(now, now + takes, self.life, request))
        if now > self._down_until and rng.random() < 0.01:
            self._down_until = now + rng.choice([5_000, 60_000])
        if now < self._down_until:
            return Scripted(503, takes_ms=takes)
        dice = rng.random()
        if dice < 0.2:
            return Scripted(rng.choice([500, 503, 429]), takes_ms=takes)
        if dice < 0.22:
            self.asked.append(Asked(now, now + takes, now + takes + 7_000))
            return Scripted(429, takes_ms=takes, headers={"retry-after": "7"})
        self.taken.append((now + takes, request.delivery_id))
        return Scripted(200, takes_ms=takes)


def spans(rng: random.Random, number: int) -> list[Span]:
    """Draw stretches of whole minutes within the next half hour."""
    base = START // MINUTE_MS * MINUTE_MS
    edges = sorted(rng.sample(range(30), 2 * number))
    return [
        (base + first * MINUTE_MS, base + after * MINUTE_MS)
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    ]


def periods(found: list[Span]) -> tuple[Period, ...]:
    """Say stretches as periods of every day."""
    return tuple(
        Period(days=_DAYS, **clock_times((first - START) / 1000, (after - START) / 1000))
        for first, after in found
    )


class World(NamedTuple):
    """A recipient and what was drawn for it."""

    partner: Recipient
    policy: PolicySettings
    hours: list[Span]
    maintenance: list[Span]
    retries: list[Span]


def drawn(rng: random.Random) -> World:
    """Draw a recipient with any of the gates."""
    hours, maintenance, retries = spans(rng, 3), spans(rng, 1), spans(rng, 3)
    some = rng.random
    partner = recipient(
        concurrency=rng.choice([1, 3, 16]),
        breaker=BreakerSettings(enabled=some() < 0.8, mode=rng.choice(["cusum", "threshold"])),
        limits=RateLimits(per_second=rng.choice([None, 3]), per_minute=rng.choice([None, 40])),
        caps=(Cap(maximum=25, per="minute"),) if some() < 0.5 else (),
        hours=Hours(periods=periods(hours)) if some() < 0.5 else None,
        maintenance=Maintenance(
            windows=tuple(
                MaintenanceWindow(
                    start=later((first - START) / 1000), end=later((after - START) / 1000)
                )
                for first, after in maintenance
            )
        )
        if some() < 0.5
        else None,
        retry_windows=periods(retries) if some() < 0.4 else (),
    )
    policy = PolicySettings(
        max_retries=rng.choice([1, 3, 6]),
        strategy=rng.choice([Strategy.EXPONENTIAL, Strategy.FIXED, Strategy.ADAPTIVE]),
    )
    return World(partner, policy, hours, maintenance, retries)


class Run:
    """One history: lives that end well or badly, with people who pause and resume.

    Args:
        seed: of everything.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = drawn(self.rng)
        self.script = Partner(self.rng)
        made = catalog(self.world.partner, policy=self.world.policy)
        self.rig = Rig(made, self.script, seed=seed)
        self.pauses: list[Span] = []
        self.crashes: list[int] = []

    async def play(self) -> None:
        """Run it."""
        rig, rng = self.rig, self.rng
        for life in range(4):
            self.script.life = life
            await rig.engine.start()
            for _ in range(3):
                await rig.send(rng.randint(1, 25))
                await rig.wait(rng.choice([0.01, 0.3, 20, 130]))
                if rng.random() < 0.3:
                    await self._pause()
            if rng.random() < 0.6:
                self.crashes.append(rig.clock.now())
                await rig.crash()
            else:
                await rig.engine.stop()
                rig.again()
        self.deliveries = await rig.deliveries()
        self.events = await rig.events()

    async def _pause(self) -> None:
        rig = self.rig
        await rig.engine.actions.pause("acme", **BY)
        begun = rig.clock.now()
        await rig.wait(30)
        self.pauses.append((begun, rig.clock.now()))
        await rig.engine.actions.resume("acme", **BY)


@pytest.mark.slow
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_no_gate_no_limit_and_no_retry_is_ever_overrun(seed: int) -> None:
    """Under any seed, crashes included (promise 5, S2.77, S1.94)."""
    played = Run(seed)
    run(played.play(), played.rig.clock)
    _gates(played)
    _limits(played)
    for delivery in played.deliveries:
        own = [one for one in played.events if one["delivery_id"] == delivery.id]
        _retries(delivery, own, played.world.policy.max_retries or 0)


def _inside(found: list[Span], at: int) -> bool:
    return any(first <= at < after for first, after in found)


def _gates(played: Run) -> None:
    """No send while a gate is closed: calendars, pauses, and what the partner asked for."""
    world, partner = played.world, played.world.partner
    for send in played.script.sent:
        assert partner.hours is None or _inside(world.hours, send.at)
        assert partner.maintenance is None or not _inside(world.maintenance, send.at)
        if partner.retry_windows and send.request.attempt:
            assert _inside(world.retries, send.at)
        # One that began in the very ms of the pause or of its end may.
        assert not any(first < send.at < after for first, after in played.pauses)
        for asked in played.script.asked:
            # A crash before the answer was there: nobody has heard it. Afterwards it is on disk.
            unheard = any(asked.sent <= crash <= asked.heard for crash in played.crashes)
            assert unheard or not asked.heard < send.at < asked.until


def _limits(played: Run) -> None:
    """No more at once, in a window, or in a period, than there may be."""
    partner, sent = played.world.partner, played.script.sent
    for send in sent:
        at_once = [one for one in sent if one.life == send.life and one.at <= send.at < one.until]
        assert len(at_once) <= partner.concurrency
    assert exceeded([one.at for one in sent], partner.limits) == []
    minutes: dict[int, set[str]] = {}
    for at, delivery_id in played.script.taken:
        minutes.setdefault(at // MINUTE_MS, set()).add(delivery_id)
    for cap in partner.caps:
        assert max((len(ids) for ids in minutes.values()), default=0) <= cap.maximum


def _retries(delivery: Delivery, events: list[dict[str, Any]], most: int) -> None:
    """Retries are spent by counted tries alone; active time by tries and planned delays alone."""
    counted, active = 0, 0
    for event in events:
        if event.get("stale"):
            continue
        counted = max(0, counted - event.get("refunded", 0)) + event["counted"]
        assert counted <= most + 1
        active += round(event["processing_time_ms"])
        following = event["next_action"]
        if following["type"] == "retry" and event["counted"]:
            active += following["at"] - event["acknowledgment_timestamp"]
    assert delivery.counted == counted
    assert delivery.active_ms <= active
