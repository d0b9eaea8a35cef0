"""Fills a store with pending deliveries, in large commits, while no engine runs.

A program: CONFIG FLOW=COUNT ... [--open RECIPIENT]. The deliveries are those that intake would
make (ids, sealed payload, routing, policy); only the HTTP request is spared. `--open` leaves the
breaker of a recipient open, as an outage does.
"""

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import talk
import uvloop
from load import payload

from holdfast.app import App
from holdfast.clock import SystemClock
from holdfast.config import load
from holdfast.engine.book import Book
from holdfast.engine.intake import Intake
from holdfast.engine.writer import Writer
from holdfast.model.identity import new_id
from holdfast.model.lane import Breaker, BreakerState, LaneState
from holdfast.model.message import NEVER, Message
from holdfast.store import Accept, Batch, Store

CHUNK = 5_000
PER_MS = 10
"""Messages that are accepted in the same millisecond."""
OPEN_MS = 300_000
"""The longest open period of a breaker."""


def accepts(app: App, intake: Intake, flows: dict[str, int], now: int) -> Iterator[Accept]:
    """Yield messages with their deliveries, routed as intake does."""
    rng = random.Random()
    catalog, vault = app.config.catalog, app.engine.vault
    start = now - sum(flows.values()) // PER_MS
    whole = 0
    for name, count in flows.items():
        flow = catalog.flows[name]
        for number in range(count):
            at = start + whole // PER_MS  # ids follow the time, as those of an intake do
            whole += 1
            body = payload(number)
            message_id = new_id("msg", at, rng)
            message = Message(
                id=message_id,
                account=flow.account,
                flow=flow.name,
                key=None,
                digest=b"",
                sealed=vault.seal(body, message_id),
                size=len(body),
                value=0.0,
                priority=5,
                quality=None,
                region=None,
                consent=None,
                not_before=0,
                expires_at=NEVER,
                created_at=at,
            )
            yield intake.routed(flow, message, body)


def router(app: App) -> Intake:
    """Return an intake that only routes."""
    clock = SystemClock()
    writer = Writer(
        app.engine.store,
        clock,
        0,
        on_lost=lambda _: None,
        on_dead=lambda _: None,
        on_commit=_nothing,
    )
    return Intake(
        writer,
        app.engine.vault,
        clock,
        random.Random(time.monotonic_ns()),
        book=Book(app.config.catalog),
        announce=lambda _: _take,
        max_payload_bytes=1_000_000,
        max_waiting=1,
        max_bytes=1,
    )


def _nothing() -> None:
    """Take no notice."""


def _take(accept: Accept) -> None:
    """Take no notice."""
    del accept


async def commit(store: Store, batches: Iterator[Batch]) -> None:
    """Commit one batch while the next is made."""
    running: asyncio.Task[object] | None = None
    for batch in batches:
        if running is not None:
            await running
        running = asyncio.create_task(_commit(store, batch))
        await asyncio.sleep(0)
    if running is not None:
        await running


async def _commit(store: Store, batch: Batch) -> None:
    await store.commit(batch)


def _batches(epoch: int, now: int, found: Iterator[Accept]) -> Iterator[Batch]:
    chunk: list[Accept] = []
    for accept in found:
        chunk.append(accept)
        if len(chunk) == CHUNK:
            yield Batch(epoch, now, tuple(chunk))
            chunk = []
    yield Batch(epoch, now, tuple(chunk))


async def main(config: Path, flows: dict[str, int], opened: str | None) -> None:
    """Fill the store and say how many deliveries it got."""
    app = await App.open(load(config, {}))
    store: Store = app.engine.store
    now = SystemClock().now()
    ownership = await store.join(now)
    if opened is not None:
        lane = LaneState(opened, Breaker(BreakerState.OPEN, now, 5, retry_at=now + OPEN_MS))
        await store.acquire(ownership.epoch, (opened,))
        given = frozenset({opened})
        await store.commit(Batch(ownership.epoch, now, lanes=(lane,), released=given))
    await commit(store, _batches(ownership.epoch, now, accepts(app, router(app), flows, now)))
    await store.leave(ownership.epoch)
    await store.close()
    talk.say(count=sum(flows.values()))


def _parse(arguments: list[str]) -> tuple[Path, dict[str, int], str | None]:
    opened = None
    if "--open" in arguments:
        at = arguments.index("--open")
        opened = arguments[at + 1]
        del arguments[at : at + 2]
    flows = {name: int(count) for name, count in (pair.split("=") for pair in arguments[1:])}
    return Path(arguments[0]), flows, opened


if __name__ == "__main__":
    uvloop.run(main(*_parse(sys.argv[1:])))
