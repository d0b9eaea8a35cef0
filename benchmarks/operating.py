"""How long bulk work takes: a redrive, a discard and its undo over many dead deliveries.

python benchmarks/operating.py [--count 100000]

A whole engine over SQLite on disk, on the machine's clock; the partner is a scripted one inside.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from holdfast.clock import SystemClock
from holdfast.engine.engine import Engine
from holdfast.engine.settings import EngineSettings
from holdfast.model.delivery import Delivery, Status
from holdfast.model.identity import new_id
from holdfast.model.message import NEVER, Message
from holdfast.model.operation import Kind, Operation, Plan, State
from holdfast.store import Accept, Batch, Retention, Store
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import ScriptedChannel, always
from holdfast.testing.rig import NO_BREAKER, catalog, idle_machine, recipient
from holdfast.vault import Vault

CHUNK = 2_000
LANES = 10
AGE = 90 * 86_400_000
RESTING = frozenset({State.COMPLETED, State.PAUSED, State.UNDONE})


def vault() -> Vault:
    """Return the keys."""
    rng = random.Random(1)
    return Vault({"k001": rng.randbytes(32)}, "k001", rng.randbytes(32))


def dead(keys: Vault, rng: random.Random, number: int, now: int) -> Accept:
    """Return a message whose delivery is dead."""
    message_id = new_id("msg", now, rng)
    message = Message(
        message_id, "default", "leads", None, bytes(32), keys.seal(b"{}", message_id), 2, 0.0, 5,
        None, None, None, 0, NEVER, now,
    )  # fmt: skip
    name = f"p{number % LANES}"
    delivery = Delivery(
        new_id("dlv", now, rng), message_id, "default", "leads", name, name, 5, None,
        followed=False, expires_at=NEVER - 1, created_at=now, status=Status.DEAD, revision=1,
        attempts=1, failure_class="data", code="HARD_FAILURE", ended_at=now, updated_at=now,
    )  # fmt: skip
    return Accept(message, (delivery,))


async def fill(store: Store, count: int, keys: Vault) -> None:
    """Put dead deliveries in."""
    rng = random.Random(2)
    owner = await store.join(0)
    now = SystemClock().now() - 60_000
    for start in range(0, count, CHUNK):
        numbers = range(start, min(count, start + CHUNK))
        accepts = tuple(dead(keys, rng, number, now) for number in numbers)
        await store.commit(Batch(owner.epoch, now, accepts=accepts))
    await store.leave(owner.epoch)


def engine(store: SqliteStore) -> Engine:
    """Return an engine whose partners take everything."""
    clock = SystemClock()
    limits: dict[str, Any] = {"breaker": NO_BREAKER, "concurrency": 64}
    return Engine(
        store,
        {"http": ScriptedChannel(clock, always())},
        catalog(*(recipient(f"p{lane}", **limits) for lane in range(LANES))),
        vault(),
        clock=clock,
        rng=random.Random(3),
        probe=idle_machine,
        settings=EngineSettings(),
        ages=Retention(payloads=AGE, rows=AGE, events=AGE, keys=AGE),
        reserve_bytes=0,
    )


async def timed(running: Engine, operation: Operation) -> Operation:
    """Wait until an operation rests; print how long that took."""
    began = time.perf_counter()
    while operation.state not in RESTING:
        await asyncio.sleep(0.2)
        operation = await running.operations.operation(operation.id)
    took = time.perf_counter() - began
    done = msgspec.structs.asdict(operation.tallies)
    told = ", ".join(f"{name} {number:,}" for name, number in done.items() if number)
    rate = operation.tallies.changed / took
    print(f"{operation.plan.kind} {operation.state}: {told}; {took:.1f} s, {rate:,.0f} a second")
    return operation


async def main(count: int, folder: Path) -> None:
    """Fill, and run the operations."""
    store = SqliteStore.open(folder / "holdfast.db")
    await fill(store, count, vault())
    running = engine(store)
    await running.start()
    where = running.views.where("status:dead")
    plan = Plan(
        Kind.DISCARD, where, 0, "status:dead", "bench", "how fast", rate=10_000.0,
        concurrency=10_000, batch=500,
    )  # fmt: skip
    began = time.perf_counter()
    shown = await running.operations.preview(plan)
    print(f"preview: {shown.count:,}, {time.perf_counter() - began:.3f} s")
    discarded = await timed(running, await running.operations.start(plan))
    again = await running.operations.undo(discarded.id, actor="bench", reason="how fast")
    await timed(running, again)
    redrive = msgspec.structs.replace(plan, kind=Kind.REDRIVE)
    await timed(running, await running.operations.start(redrive))
    counts = await store.counts()
    print("delivered:", sum(each.delivered for each in counts.values()))
    await running.stop()
    await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        uvloop.run(main(given.count, Path(made)))
