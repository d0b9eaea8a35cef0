"""Why not now? Every closed gate is named, with its time, in order."""

import random
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from holdfast.model.calendar import (
    Cap,
    ContactHours,
    Hours,
    Maintenance,
    MaintenanceWindow,
    Period,
    Weekday,
)
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Catalog
from holdfast.model.message import NEVER
from holdfast.model.policy import JitterKind, PolicySettings
from holdfast.testing.channel import Scripted, in_order
from holdfast.testing.clock import START, run
from holdfast.testing.rig import Rig, catalog, recipient, running

WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri")
EVERY: Final[tuple[Weekday, ...]] = (*WEEKDAYS, "sat", "sun")
EXACT: Final = PolicySettings(jitter=JitterKind.NONE, initial_delay=2.0, max_retries=3)
OFFICE: Final = Hours(periods=(Period(days=WEEKDAYS, start="09:00", end="17:00"),))


def ms(text: str) -> int:
    """Return an ISO instant as ms since the epoch."""
    return round(datetime.fromisoformat(text).timestamp()) * 1000


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


async def told(rig: Rig, delivery: Delivery) -> list[tuple[str, int]]:
    """Return the closed gates of a delivery with their times."""
    return [(one.gate, one.until) for one in await rig.engine.views.why(delivery)]


def test_every_closed_gate_is_named_in_order() -> None:
    """Lane gates first, then the delivery's own, each with its time."""
    window = MaintenanceWindow(start=later(-60), end=later(600))
    partner = recipient(
        hours=OFFICE,
        maintenance=Maintenance(windows=(window,)),
        caps=(Cap(maximum=5, per="day"),),
    )
    made = conditions(
        catalog(partner),
        contact_hours=ContactHours(
            periods=(Period(days=("tue",), start="09:00", end="10:00"),), zone="UTC"
        ),
    )
    rig = Rig(made)

    async def main() -> None:
        async with running(rig):
            await rig.engine.actions.pause("acme", actor="ann", reason="holiday")
            await rig.send(1, not_before=later(300))
            await rig.wait(1)
            (delivery,) = await rig.deliveries()
            assert await told(rig, delivery) == [
                ("paused", NEVER),
                ("hours", ms("2025-06-16T09:00:00+00:00")),
                ("maintenance", START + 600_000),
                ("not_before", START + 300_000),
                ("contact_hours", ms("2025-06-17T09:00:00+00:00")),
            ]

    run(main(), rig.clock)


def test_backoff_predecessor_and_turn_are_told_too() -> None:
    """What waits for its retry, for the step before it, or only for its turn says so."""
    made = catalog(recipient("a", concurrency=1), recipient("b"), mode="sequential", policy=EXACT)
    rig = Rig(made, in_order(Scripted(503), Scripted(200, takes_ms=10_000)))

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(1)
            first, second = await rig.deliveries()
            assert await told(rig, first) == [("backoff", START + 2005)]
            assert await told(rig, second) == [("predecessor", NEVER)]
            await rig.send(1)
            await rig.wait(0.1)
            third = next(
                one for one in await rig.deliveries() if one.id in rig.engine.lane("a").busy
            )
            assert await told(rig, third) == [("turn", NEVER)]
            await rig.wait(1.5)
            assert await told(rig, first) == [("concurrency", NEVER)]

    run(main(), rig.clock)


def test_the_first_gate_told_is_the_one_the_lane_stops_at() -> None:
    """The list for people and the gate for sends agree on what is closed first, whenever asked."""
    window = MaintenanceWindow(start=later(500), end=later(700))
    partner = recipient(
        maintenance=Maintenance(windows=(window,)),
        hours=Hours(periods=(Period(days=EVERY, **clock_times(-600, 1200)),)),
        caps=(Cap(maximum=60, per="hour"),),
    )
    rng = random.Random(5)
    outage = range(START + 20_000, START + 120_000)
    rig = Rig(catalog(partner), lambda _, now: Scripted(503 if now in outage else 200))
    seen = set()

    async def main() -> None:
        async with running(rig):
            for _ in range(300):
                await rig.send(rng.randint(1, 2))
                await rig.wait(rng.choice([0.002, 1, 15]))
                first = rig.engine.lane("acme").gate(rig.clock.now())
                gates = (await rig.engine.views.lane("acme")).gates
                assert (gates[0].gate if gates else None) == (first[0] if first else None)
                seen.add(first and first[0])

    run(main(), rig.clock)
    assert {"maintenance", "hours", "cap", "breaker", None} <= seen
