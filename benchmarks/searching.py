"""How long searches take on a large store: lists and counts, at rest and beside traffic.

python benchmarks/searching.py [--postgres] [--count 1000000] [--flow 500] [--keep FOLDER]

The store gets `count` deliveries with three attempts each: a tenth dead, some pending and
discarded, the rest delivered. `--flow` then accepts and settles so many messages a second beside
the searches. `--keep` fills a folder once and uses it again (SQLite only).
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from holdfast.model.attempt import Attempt, NextAction, Partner, Result, Trigger
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.identity import new_id
from holdfast.model.message import NEVER, Message
from holdfast.model.search import LOOK_COUNTING, Search
from holdfast.policy.search import narrowed, parse
from holdfast.store import Accept, Batch, Snapshot, Store, Transition
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.address import parse as address
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.postgres import PostgresServer, running

START: Final = 1_767_225_600_000
SPAN_MS: Final = 30 * 86_400_000
CHUNK: Final = 5_000
RUNS: Final = 40
COUNTED: Final = True
CLASSES: Final = ("server", "timeout", "connect", "data", "auth")
FIELDS: Final = ("/email", "/state")
QUERIES: Final = (
    "",
    "status:dead",
    "status:delivered recipient:partner03",
    "status:dead recipient:partner03",
    "status:dead class:timeout",
    "status:dead class:timeout http:503 value:>=100",
    'status:dead "never seen"',
    "class:auth",
    "class:auth status:pending",
    "recipient:partner07",
    "recipient:partner07 flow:flow2 attempts:>3",
    "flow:flow1 -status:delivered",
    "status:pending",
    "age:>20d status:dead",
    "age:<1d",
    "code:NOT_THERE",
    "value:>1000000",
    "/email:person77@example.com",
    "/state:state7",
    "/state:state7 status:dead recipient:partner03",
)


def token(name: str, word: str) -> bytes:
    """Return a token; which does not matter here."""
    return random.Random(f"{name}={word}").randbytes(16)


class Filler:
    """Makes deliveries with their attempts, spread over 30 days.

    Args:
        count: of deliveries.
        start: when the first one came, in ms since the epoch.
        due: when those that wait are due.
    """

    def __init__(self, count: int, start: int = START, due: int | None = None) -> None:
        self.rng = random.Random(1)
        self.count = count
        self.start = start
        self._due = due

    def accept(self, number: int) -> tuple[Accept, int]:
        """Return a message and its time."""
        rng = self.rng
        at = self.start + number * SPAN_MS // self.count
        message_id = new_id("msg", at, rng)
        message = Message(
            message_id, "default", f"flow{number % 4}", None, b"", rng.randbytes(300), 300,
            float(rng.randrange(200)), 5, None, None, None, 0, NEVER, at,
        )  # fmt: skip
        recipient = f"partner{min(int(rng.expovariate(0.25)), 19):02d}"
        delivery = Delivery(
            new_id("dlv", at, rng), message_id, "default", message.flow, "one", recipient, 5, None,
            followed=False, expires_at=NEVER, created_at=at, value=message.value, due_at=at,
        )  # fmt: skip
        tokens = (
            token("/email", f"person{number}@example.com"),
            token("/state", f"state{number % 50}"),
        )
        return Accept(message, (delivery,), tokens=tokens), at

    def tries(self, delivery: Delivery, at: int) -> list[Transition]:
        """Return three tries; the last one ends it, for most."""
        first = self.attempt(delivery, Verb.RETRY, Result.ERROR, at)
        second = self.attempt(first.after, Verb.RETRY, Result.ERROR, at + 2_000)
        draw = self.rng.random()
        if draw < 0.10:
            last = self.attempt(second.after, Verb.DIE, Result.ERROR, at + 6_000)
        elif draw < 0.11:
            last = self.attempt(second.after, Verb.SKIP, Result.ERROR, at + 6_000)
        elif draw < 0.13:
            last = self.attempt(second.after, Verb.RETRY, Result.ERROR, at + 6_000)
        else:
            last = self.attempt(second.after, Verb.SUCCEED, Result.SUCCESS, at + 6_000)
        return [first, second, last]

    def attempt(self, delivery: Delivery, verb: Verb, result: Result, at: int) -> Transition:
        """Return one try."""
        rng = self.rng
        statuses = {Verb.DIE: Status.DEAD, Verb.SKIP: Status.DISCARDED, Verb.RETRY: Status.PENDING}
        status = statuses.get(verb, Status.DELIVERED)
        kind = rng.choice(CLASSES) if result is Result.ERROR else None
        after = msgspec.structs.replace(
            delivery,
            status=status,
            revision=delivery.revision + 1,
            attempt=delivery.attempt + 1,
            attempts=delivery.attempts + 1,
            due_at=at + 10_000 if self._due is None else self._due,
            failure_class=kind,
            http_status=rng.choice((500, 503, 429, None)) if kind else 200,
            reason=f"{kind}: the partner said {rng.choice((500, 503, 429))}" if kind else None,
            code="RETRY_LIMIT_EXCEEDED" if verb is Verb.DIE else None,
            updated_at=at,
            ended_at=0 if status is Status.PENDING else at,
        )
        event = Attempt(
            new_id("evt", at, rng), "evt_first", delivery.id, delivery.message_id, "default",
            delivery.flow, "one", delivery.recipient, "main", "delivery", delivery.attempt, 0,
            delivery.attempts, COUNTED, Trigger.AUTOMATIC, "first", at,
            "success" if result is Result.SUCCESS else "failure", result, COUNTED, at, at + 20, 20,
            20.5, "policy-1", NextAction("done"), "context-1", Partner("closed", 1.0),
        )  # fmt: skip
        return Transition(verb, delivery.revision, after, event)


async def fill(store: Store, filler: Filler, epoch: int) -> None:
    """Write everything."""
    count = filler.count
    snapshots = (Snapshot("policy-1", b"{}"), Snapshot("context-1", b"{}"))
    began = time.monotonic()
    for start in range(0, count, CHUNK):
        made = [filler.accept(number) for number in range(start, min(start + CHUNK, count))]
        at = made[-1][1]
        accepts = tuple(accept for accept, _ in made)
        await store.commit(Batch(epoch, at, accepts, snapshots=snapshots))
        tries = [filler.tries(accept.deliveries[0], when) for accept, when in made]
        for group in zip(*tries, strict=True):
            await store.commit(Batch(epoch, at, transitions=group))
    print(f"filled {count:,} deliveries in {time.monotonic() - began:.0f} s", flush=True)


async def flow(store: Store, epoch: int, rate: int, stop: asyncio.Event, told: list[int]) -> None:
    """Accept and settle messages, in commits of a tenth of a second, as fast as asked."""
    filler = Filler(1_000_000)
    began, done = time.monotonic(), 0
    while not stop.is_set():
        batch = max(1, rate // 10)
        made = [filler.accept(1_000_000 + done + number)[0] for number in range(batch)]
        await store.commit(Batch(epoch, START, tuple(made)))
        done += len(made)
        settled = [
            filler.attempt(each.deliveries[0], Verb.SUCCEED, Result.SUCCESS, START) for each in made
        ]
        await store.commit(Batch(epoch, START, transitions=tuple(settled)))
        await asyncio.sleep(max(0.0, began + done / rate - time.monotonic()))
    told.append(round(done / (time.monotonic() - began)))


async def measure(store: Store) -> list[tuple[str, str, float, float, str]]:
    """Return query, kind, p50 and p95 in ms, and what was found."""
    lines = []
    now = START + SPAN_MS
    for query in QUERIES:
        where = parse(query, now, fields=FIELDS, digest=lambda name, word: (token(name, word),))
        page = narrowed(Search(where))
        count = narrowed(Search(where, look=LOOK_COUNTING))
        calls: tuple[tuple[str, Any], ...] = (
            ("list", lambda page=page: store.find(page)),
            ("count", lambda count=count: store.count(count)),
        )
        for kind, call in calls:
            times = []
            for _ in range(RUNS):
                began = time.perf_counter()
                found = await call()
                times.append((time.perf_counter() - began) * 1000)
            said = (
                f"{len(found.deliveries)}{'' if found.cursor is None else '+'}"
                if kind == "list"
                else f"{'>= ' if found.more else ''}{found.count:,}"
            )
            cuts = statistics.quantiles(times, n=20)
            lines.append((query, kind, cuts[9], cuts[18], said))
    return lines


async def run(options: argparse.Namespace, store: Store) -> None:
    """Fill, ask, ask again beside traffic."""
    ownership = await store.join(START)
    if not await store.counts():
        await fill(store, Filler(options.count), ownership.epoch)
    for rate in (0, options.flow):
        stop, told = asyncio.Event(), list[int]()
        beside = None
        if rate:
            beside = asyncio.create_task(flow(store, ownership.epoch, rate, stop, told))
        lines = await measure(store)
        stop.set()
        if beside is not None:
            await beside
        print(f"\nbeside {told[0] if told else 0} messages/s")
        for query, kind, p50, p95, said in lines:
            print(f"{p50:8.1f} {p95:8.1f} ms  {kind:5}  {said:>12}  {query or '(all)'}", flush=True)
        print(f"worst p95: {max(line[3] for line in lines):.1f} ms", flush=True)
    await store.leave(ownership.epoch)


@asynccontextmanager
async def opened(*, postgres: bool, keep: Path | None) -> AsyncIterator[Store]:
    """Yield a new store of the kind that is asked for, or the embedded one that was kept."""
    if postgres:
        with running(PostgresServer({"shared_buffers": "512MB"})) as server:
            database = await PostgresStore.open(address(server.empty()))
            yield database
            await database.close()
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        store = SqliteStore.open(folder / "holdfast.db", synchronous="NORMAL")
        yield store
        await store.close()


async def main(options: argparse.Namespace) -> None:
    """Open a store of the kind that is asked for and measure it."""
    async with opened(postgres=options.postgres, keep=options.keep) as store:
        await run(options, store)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--flow", type=int, default=500)
    parser.add_argument("--keep", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(_options()))
