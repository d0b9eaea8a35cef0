"""Gates that go by the calendar, on a whole engine in virtual time."""

import random
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.channel import Request
from holdfast.engine.timetable import Timetable
from holdfast.model.calendar import (
    Cap,
    ContactHours,
    Hours,
    Maintenance,
    MaintenanceWindow,
    Period,
    Weekday,
)
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Catalog, Recipient
from holdfast.model.lane import BreakerState
from holdfast.model.policy import JitterKind, PolicySettings
from holdfast.policy.decide import Gate
from holdfast.testing.channel import Scripted, in_order
from holdfast.testing.clock import START, VirtualClock, run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri")
EVERY: Final[tuple[Weekday, ...]] = (*WEEKDAYS, "sat", "sun")
MINUTE_MS: Final = 60_000
LATE_MS: Final = 60_000
"""How soon a wall clock that leapt is noticed."""
OFFICE: Final = Hours(periods=(Period(days=WEEKDAYS, start="09:00", end="17:00"),))
EXACT: Final = PolicySettings(jitter=JitterKind.NONE, initial_delay=2.0, max_retries=3)


def ms(text: str) -> int:
    """Return an ISO instant as ms since the epoch."""
    return round(datetime.fromisoformat(text).timestamp()) * 1000


def iso(at: int) -> str:
    """Return day and time of an instant."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%dT%H:%M:%S}"


def later(seconds: float) -> datetime:
    """Return so many seconds after the start."""
    return datetime.fromtimestamp(START / 1000 + seconds, UTC)


def clock_times(start: float, end: float) -> dict[str, str]:
    """Return start and end of a period as UTC times of day, seconds after the start."""
    return {"start": f"{later(start):%H:%M}", "end": f"{later(end):%H:%M}"}


def conditions(made: Catalog, **fields: Any) -> Catalog:
    """Return the catalog with conditions on its flow."""
    flow = msgspec.structs.replace(made.flows["leads"], **fields)
    return msgspec.structs.replace(made, flows={"leads": flow})


async def leap(rig: Rig, at: int) -> None:
    """Let the wall clock go to half a minute before an instant, and then pass it."""
    rig.clock.set_wall(at - 30_000)
    await rig.wait(120)


def test_friday_evening_is_sent_on_monday_at_nine() -> None:
    """Fri 17:30 with Mon-Fri 9-17 goes out Mon 09:00 local; nothing is used up (S1.39, S2.78)."""
    clock = VirtualClock(ms("2025-10-31T17:30:00-04:00"))  # the clock goes back on Sunday
    rig = Rig(catalog(recipient(zone="America/New_York", hours=OFFICE)), clock=clock)
    monday = ms("2025-11-03T09:00:00-05:00")

    async def main() -> None:
        async with running(rig):
            await rig.send(3)
            await rig.wait(60)
            lane = await rig.engine.views.lane("acme")
            assert [(one.gate, one.until) for one in lane.gates] == [("hours", monday)]
            assert rig.channel.sent == []
            await leap(rig, monday)
            assert {at - monday for at, _ in rig.channel.sent} <= set(range(10))
            for delivery in await rig.deliveries():
                assert (delivery.status, delivery.attempts) == (Status.DELIVERED, 1)
                assert delivery.active_ms < 1000

    run(main(), clock)


def test_a_retry_after_hours_waits_without_using_active_time() -> None:
    """A retry that falls into the night goes out next morning, within its total time (C5)."""
    clock = VirtualClock(ms("2025-06-16T16:59:59.500+00:00"))
    rig = Rig(catalog(recipient(hours=OFFICE), policy=EXACT), in_order(503, 200), clock=clock)

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(30)
            await leap(rig, ms("2025-06-17T09:00:00+00:00"))
            (delivery,) = await rig.deliveries()
            assert delivery.status is Status.DELIVERED
            assert (delivery.attempts, delivery.active_ms) == (2, 2010)
            assert 0 <= rig.channel.sent[1][0] - ms("2025-06-17T09:00:00+00:00") < LATE_MS

    run(main(), clock)


@pytest.mark.parametrize(("weekend", "delay"), [(False, 1000), (True, 8000)])
def test_hours_may_modulate_instead(*, weekend: bool, delay: int) -> None:
    """Inside retries come sooner, outside later, and the extra wait is no active time (C34)."""
    day = "2025-06-15" if weekend else "2025-06-16"
    clock = VirtualClock(ms(f"{day}T12:00:00+00:00"))
    hours = msgspec.structs.replace(OFFICE, mode="modulate", inside=0.5, outside=4.0)
    rig = Rig(catalog(recipient(hours=hours), policy=EXACT), in_order(503, 200), clock=clock)

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(60)
            (first, _), (second, _) = rig.channel.sent
            assert second - first == delay + 5
            (delivery,) = await rig.deliveries()
            assert delivery.active_ms == min(delay, 2000) + 10
            reason = (await rig.events())[0]["next_action"]
            assert f"delay x {'4' if weekend else '0.5'} by the hours" in str(reason)

    run(main(), clock)


def test_maintenance_holds_and_then_releases_gradually() -> None:
    """Nothing is sent inside a window; after it the lane ramps up instead of bursting (S1.41)."""
    window = MaintenanceWindow(start=later(60), end=later(600), reason="new database")
    partner = recipient(maintenance=Maintenance(windows=(window,)), concurrency=64)
    rig = Rig(catalog(partner))

    async def main() -> None:
        async with running(rig):
            await rig.send(5)
            await rig.wait(100)
            await rig.send(500)
            await rig.wait(400)
            lane = await rig.engine.views.lane("acme")
            assert [(one.gate, one.reason) for one in lane.gates] == [
                ("maintenance", "new database")
            ]
            assert len(rig.channel.sent) == 5
            await rig.wait(101)
            assert (await rig.engine.views.lane("acme")).breaker is BreakerState.RECOVERY
            assert 5 < len(rig.channel.sent) < 100
            await rig.wait(600)
            assert len(await rig.deliveries(Status.DELIVERED)) == 505
            assert (await rig.engine.views.lane("acme")).breaker is BreakerState.CLOSED

    run(main(), rig.clock)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["clean", "crash", "none"])
def test_the_pace_leads_out_of_a_maintenance_also_when_nobody_saw_it_end(ending: str) -> None:
    """In cusum mode it is the pacer's slow start: it doubles every 3 s from a tenth of before."""
    window = MaintenanceWindow(start=later(60), end=later(600))
    partner = recipient(maintenance=Maintenance(windows=(window,)), concurrency=64)
    rig = Rig(catalog(partner))

    async def main() -> None:
        await rig.engine.start()
        for _ in range(50):
            await rig.send(20)
            await rig.wait(1)
        await rig.wait(20)
        await rig.send(2000)
        if ending != "none":
            await (rig.crash() if ending == "crash" else rig.engine.stop())
        await rig.wait(530 if ending == "none" else 900)
        if ending != "none":
            await rig.again().start()
        begun = len(rig.channel.sent)
        at = rig.clock.now()
        await rig.wait(3)
        lane = await rig.engine.views.lane("acme")
        pace = rig.engine.lane("acme").pacing.pace
        assert (lane.breaker, lane.reason) == (BreakerState.RECOVERY, "maintenance is over")
        assert pace is not None
        assert (pace.cause, pace.slow_start) == ("outage", True)
        await rig.wait(597 if ending == "none" else 600)
        seconds = [(sent - at) // 1000 for sent, _ in rig.channel.sent[begun:]]
        if ending != "crash":  # a crash forgets how fast it was: one a second, and up
            assert seconds.count(9) > 3 * seconds.count(0) > 0
        assert max(map(seconds.count, range(3))) <= 6
        assert len(await rig.deliveries(Status.DELIVERED)) == 1000  # of those shown
        assert (await rig.store.counts())["acme"].delivered == 3000
        assert (await rig.engine.views.lane("acme")).breaker is BreakerState.CLOSED
        await rig.engine.stop()

    run(main(), rig.clock)


def test_a_restart_long_after_a_maintenance_is_no_reason_to_go_slow() -> None:
    """What was accepted after its end never waited for it."""
    window = MaintenanceWindow(start=later(10), end=later(20))
    rig = Rig(catalog(recipient(maintenance=Maintenance(windows=(window,)))))

    async def main() -> None:
        async with running(rig):
            await rig.wait(100)
            await rig.engine.actions.pause("acme", actor="ann", reason="later")
            await rig.send(20)
        rig.again()
        async with running(rig):
            await rig.engine.actions.resume("acme", actor="ann", reason="now")
            await rig.wait(1)
            assert len(rig.channel.sent) == 20
            assert (await rig.engine.views.lane("acme")).breaker is BreakerState.CLOSED

    run(main(), rig.clock)


def test_every_gate_of_the_calendar_goes_on_record() -> None:
    """What kept a lane waiting can be read afterwards: which gate, when, until when and why."""
    clock = VirtualClock(ms("2025-06-16T16:59:00+00:00"))
    window = MaintenanceWindow(
        start=datetime.fromisoformat("2025-06-16T16:59:40+00:00"),
        end=datetime.fromisoformat("2025-06-16T17:00:30+00:00"),
        reason="new database",
    )
    partner = recipient(
        hours=OFFICE, maintenance=Maintenance(windows=(window,)), caps=(Cap(maximum=3, per="day"),)
    )
    rig = Rig(catalog(partner), clock=clock)

    async def main() -> None:
        async with running(rig):
            await rig.send(3)
            await rig.wait(100)  # nothing more waits: time alone moves the calendars
        rig.again()
        clock.set_wall(ms("2025-06-17T09:00:01+00:00"))  # hours opened and the day ended meanwhile
        async with running(rig):
            await rig.send(1)
            await rig.wait(1)
        notes = [one for one in await rig.store.notes("acme", 20) if one.action == "gate"]
        closed, opened = "open -> closed", "closed -> open"
        told = [(iso(note.at), note.detail, note.reason) for note in notes[::-1]]
        assert told == [
            ("16T16:59:00", f"cap: {closed}", "Cap reached (day), until 2025-06-17T00:00:00Z"),
            ("16T16:59:40", f"maintenance: {closed}", "new database, until 2025-06-16T17:00:30Z"),
            (
                "16T17:00:00",
                f"hours: {closed}",
                "outside the business hours, until 2025-06-17T09:00:00Z",
            ),
            ("16T17:00:30", f"maintenance: {opened}", "new database"),
            ("17T09:00:01", f"hours: {opened}", "outside the business hours"),
            ("17T09:00:01", f"cap: {opened}", "Cap reached (day)"),
        ]

    run(main(), rig.clock)


@pytest.mark.slow
def test_batch_windows_are_for_retries_only() -> None:
    """First tries go at once; their retries only in the windows (S1.40, S2.112)."""
    windows = (Period(days=EVERY, **clock_times(7200, 10_800)),)
    rig = Rig(catalog(recipient(retry_windows=windows), policy=EXACT), in_order(503, 503, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send(2)
            await rig.wait(60)
            assert len(rig.channel.sent) == 2
            waiting = await rig.deliveries(Status.PENDING)
            assert {one.hold_gate for one in waiting} == {"batch"}
            assert all(one.counted == 1 and one.active_ms < 3000 for one in waiting)
            await rig.send(1)
            await rig.wait(60)
            assert len(rig.channel.sent) == 3
            await rig.wait(7200)
            opens = (START // 60_000 * 60_000) + 7_200_000
            assert [at - opens for at, _ in rig.channel.sent[3:]] == [0, 0]
            assert len(await rig.deliveries(Status.DELIVERED)) == 3

    run(main(), rig.clock)


def test_the_calendars_are_read_once_until_their_next_boundary() -> None:
    """Between two boundaries the answer is the same object: a send costs one comparison."""
    partner = recipient(hours=OFFICE)
    timetable = Timetable(partner, (), START, lambda: None)
    monday = ms("2025-06-16T09:00:00+00:00")
    closed = timetable.gate(START, 0)
    assert closed == (Gate.HOURS, monday)
    assert timetable.gate(monday - 1, 0) is closed
    assert timetable.gate(monday, 0) is None
    assert timetable.gate(START, 0) == closed  # also when the clock is set back


# -- caps -----------------------------------------------------------------------------------


def capped(maximum: int, per: str = "day", **more: Any) -> Recipient:
    """Return a recipient with one cap."""
    cap = Cap(maximum=maximum, per=per)  # type: ignore[arg-type]
    return recipient(caps=(cap,), breaker=NO_BREAKER, **more)


def test_the_one_too_many_waits_for_the_next_local_day() -> None:
    """With a cap of 100 a day the 101st goes at local midnight (S1.94)."""
    rig = Rig(catalog(capped(100, zone="Asia/Tokyo")))

    async def main() -> None:
        async with running(rig):
            await rig.send(101)
            await rig.wait(60)
            assert len(rig.channel.sent) == 100
            midnight = ms("2025-06-17T00:00:00+09:00")
            (gate,) = (await rig.engine.views.lane("acme")).gates
            told = "Cap reached: 100 of 100 in this day"
            assert (gate.gate, gate.until, gate.reason) == ("cap", midnight, told)
            (left,) = await rig.deliveries(Status.PENDING)
            assert (left.attempts, left.counted, left.active_ms) == (0, 0, 0)
            await leap(rig, midnight)
            assert midnight <= rig.channel.sent[100][0] < midnight + 1000

    run(main(), rig.clock)


def test_only_successes_count_against_a_cap() -> None:
    """What fails gives its place back."""
    rig = Rig(catalog(capped(3)), in_order(400, 400, 400, 400, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            await rig.wait(600)
            assert len(await rig.deliveries(Status.DELIVERED)) == 3
            assert len(await rig.deliveries(Status.DEAD)) == 4
            assert len(await rig.deliveries(Status.PENDING)) == 13

    run(main(), rig.clock)


def test_a_clean_restart_forgets_nothing_and_forfeits_nothing() -> None:
    """What was used is used after a restart, and what was left is left."""
    rig = Rig(catalog(capped(100)))

    async def main() -> None:
        async with running(rig):
            await rig.send(37)
            await rig.wait(10)
        rig.again()
        async with running(rig):
            await rig.send(100)
            await rig.wait(10)
            assert len(rig.channel.sent) == 100

    run(main(), rig.clock)


@pytest.mark.slow
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_caps_hold_under_load_and_crashes(seed: int) -> None:
    """No seed, no concurrency and no crash lets more succeed in a period than its cap."""
    rng = random.Random(seed)
    maximum = rng.choice([1, 3, 20, 45])
    script = _moody(rng)
    partner = capped(maximum, per="minute", concurrency=rng.choice([1, 4, 64]))
    rig = Rig(catalog(partner, policy=EXACT), script, seed=seed)

    async def main() -> None:
        for _ in range(4):
            await rig.engine.start()
            await rig.send(rng.randint(1, 60))
            await rig.wait(rng.choice([0.003, 0.02, 1, 70]))
            if rng.random() < 0.7:
                await rig.crash()
            else:
                await rig.engine.stop()
                rig.again()
        async with running(rig):
            await rig.wait(180)

    run(main(), rig.clock)
    taken: dict[int, set[str]] = {}
    for at, delivery_id in script.taken:
        taken.setdefault(at // MINUTE_MS, set()).add(delivery_id)
    assert max(len(ids) for ids in taken.values()) <= maximum


class _Moody:
    """A partner that answers 200 or 503 as it likes, and remembers what it took."""

    def __init__(self, rng: random.Random) -> None:
        self.taken: list[tuple[int, str]] = []
        self._rng = rng

    def __call__(self, request: Request, now: int) -> Scripted:
        """Answer."""
        takes = self._rng.choice([1, 5, 50])
        if self._rng.random() < 0.3:
            return Scripted(503, takes_ms=takes)
        self.taken.append((now + takes, request.delivery_id))
        return Scripted(200, takes_ms=takes)


def _moody(rng: random.Random) -> _Moody:
    return _Moody(rng)


# -- properties -----------------------------------------------------------------------------


Stretches = list[tuple[int, int]]
"""Seconds after the start: from, until."""


def _drawn(rng: random.Random) -> tuple[Stretches, tuple[Period, ...]]:
    """Draw some stretches of whole minutes within an hour and say them as periods, too."""
    edges = sorted(rng.sample(range(60), 2 * rng.randint(1, 3)))
    stretches = [
        (first * 60 - BEFORE, after * 60 - BEFORE)
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    ]
    return stretches, tuple(Period(days=EVERY, **clock_times(*one)) for one in stretches)


BEFORE: Final = START // 1000 % 60
"""Seconds since the last full minute at the start."""


def _within(stretches: Stretches, at: int) -> bool:
    return any(first <= (at - START) / 1000 < after for first, after in stretches)


@pytest.mark.slow
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_no_send_while_a_gate_is_closed_and_no_hold_costs_anything(seed: int) -> None:
    """Whatever the calendars: sends happen only while all are open; holds use nothing up."""
    rng = random.Random(seed)
    hours, periods = _drawn(rng)
    retries, windows = _drawn(rng)
    contact, calls = _drawn(rng)
    closed, _ = _drawn(rng)
    maintenance = tuple(MaintenanceWindow(start=later(a), end=later(b)) for a, b in closed)
    partner = recipient(
        hours=Hours(periods=periods),
        retry_windows=windows,
        maintenance=Maintenance(windows=maintenance),
        breaker=NO_BREAKER,
    )
    made = conditions(
        catalog(partner, policy=EXACT), contact_hours=ContactHours(periods=calls, zone="UTC")
    )
    rig = Rig(made, _moody(rng), seed=seed)

    async def main() -> None:
        async with running(rig):
            for _ in range(8):
                await rig.send(rng.randint(1, 4))
                await rig.wait(rng.randint(1, 400))
            await rig.wait(600)
            _nothing_used_up(await rig.deliveries(), await rig.events())

    run(main(), rig.clock)
    for at, request in rig.channel.sent:
        assert _within(hours, at)
        assert _within(contact, at)
        assert not _within(closed, at)
        assert request.attempt == 0 or _within(retries, at)


def _nothing_used_up(deliveries: list[Delivery], events: list[dict[str, Any]]) -> None:
    """Check that retries and active time come from sends and planned delays alone."""
    for delivery in deliveries:
        own = [event for event in events if event["delivery_id"] == delivery.id]
        assert delivery.counted == delivery.attempts == len(own) <= 4
        assert delivery.active_ms <= sum((2000, 4000, 8000)[: len(own)]) + 50 * len(own)
