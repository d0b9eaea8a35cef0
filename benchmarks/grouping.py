"""How long the list of failure groups takes, and what counting failures costs a commit.

python benchmarks/grouping.py [--postgres] [--count 300000] [--groups 40] [--flow 500]
                              [--runs 40] [--keep FOLDER]

A third of `count` deliveries fail: nine of ten of these are dead, one waits for another try. The
rest failed once and was then delivered. `--flow` accepts and settles so many messages a second
beside the lists. At the end failures are settled with and without their group. `--keep` fills a
folder once and uses it again (SQLite only).

Each line has p50 and p95 by the clock, and the CPU of a call on the mean, the database server's
and that of traffic beside it included: on a machine that has other work to do the clock tells
more of that work.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil
import uvloop
from searching import COUNTED, RUNS, SPAN_MS, START, Filler, fill, flow, opened

from holdfast.engine.groups import Groups
from holdfast.engine.judgements import Judgements
from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.group import GroupBy, GroupSort, GroupStatus, Listing, Lookback, Sighting
from holdfast.model.identity import new_id
from holdfast.model.search import Search
from holdfast.model.worker import Ownership
from holdfast.policy.search import parse
from holdfast.store import Accept, Batch, Store, Transition
from holdfast.testing.clock import VirtualClock

CASES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("", {}),
    ("", {"by": GroupBy.ERROR, "sort": GroupSort.VALUE}),
    ("", {"by": GroupBy.RECIPIENT, "sort": GroupSort.COUNT, "window": Lookback.MONTH}),
    ("", {"status": frozenset(GroupStatus), "limit": 200}),
    ("status:dead", {}),
    ("recipient:partner03 class:timeout", {}),
    ("age:<5d priority:>3", {}),
    ("value:>=100", {}),
    ("number", {}),
)
BATCH: Final = 200
"""Failures of one commit."""


class Grouped(Filler):
    """Deliveries whose failures have a group.

    Args:
        count: of deliveries.
        groups: how many there are by recipient; some are much larger than others.
        grouped: False leaves the groups out, to see what they cost.
        start: when the first delivery came, in ms since the epoch.
        due: when those that wait are due.
    """

    def __init__(
        self,
        count: int,
        groups: int,
        *,
        grouped: bool = True,
        start: int = START,
        due: int | None = None,
    ) -> None:
        super().__init__(count, start, due)
        self._groups = groups
        self._grouped = grouped

    def attempt(self, delivery: Delivery, verb: Verb, result: Result, at: int) -> Transition:
        """Return one try; a failed one in its group."""
        made = super().attempt(delivery, verb, result, at)
        if not self._grouped or result is not Result.ERROR:
            return made
        number = min(int(self.rng.expovariate(8 / self._groups)), self._groups - 1)
        place = ("default", delivery.flow, "one", delivery.recipient)
        name = f"g1_{number:08x}{int(delivery.recipient[-2:]):08x}"
        kind = made.after.failure_class or "server"
        seen = Sighting(name, *place, kind, "503", f"error number {number}", at)
        after = msgspec.structs.replace(made.after, fingerprint=name)
        return msgspec.structs.replace(made, after=after, sighting=seen)


class Failing(Grouped):
    """Deliveries of which a third fail for good."""

    def tries(self, delivery: Delivery, at: int) -> list[Transition]:
        """Return two tries."""
        first = self.attempt(delivery, Verb.RETRY, Result.ERROR, at)
        draw = self.rng.random()
        if draw < 0.3:
            last = self.attempt(first.after, Verb.DIE, Result.ERROR, at + 2_000)
        elif draw < 1 / 3:
            last = self.attempt(first.after, Verb.RETRY, Result.ERROR, at + 2_000)
        else:
            last = self.attempt(first.after, Verb.SUCCEED, Result.SUCCESS, at + 2_000)
        return [first, last]


class _Alone:
    """The only worker."""

    ownership = Ownership(1, clean=True)
    elected = True


def _spent() -> float:
    """Return the CPU time of this process and of those it started, in s."""
    own = psutil.Process()
    times = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return sum(each.user + each.system + each.children_user for each in times)


async def _timed(call: Callable[[], Awaitable[Any]], runs: int) -> tuple[float, str, Any]:
    """Return the p95 in ms, all that was measured as text, and what the last one found."""
    times = []
    spent = _spent()
    for _ in range(runs):
        began = time.perf_counter()
        found = await call()
        times.append((time.perf_counter() - began) * 1000)
    cpu = (_spent() - spent) * 1000 / runs
    cuts = statistics.quantiles(times, n=20)
    return cuts[18], f"{cuts[9]:8.1f} {cuts[18]:8.1f} ms {cpu:8.1f} ms CPU", found


async def lists(store: Store, runs: int) -> float:
    """Print p50, p95 and CPU of every case and return the worst p95, in ms."""
    now = START + SPAN_MS
    desk = Groups(
        store,
        VirtualClock(now),
        member=_Alone(),
        tell=lambda _: None,
        judgements=Judgements(store),
    )
    worst = 0.0
    for query, asked in CASES:
        where = parse(query, now, digest=lambda _, __: ())
        p95, took, page = await _timed(
            lambda where=where, asked=asked: desk.lines(Listing(where=where, **asked)),  # type: ignore[misc]
            runs,
        )
        number = sum(line.tally.count for line in page.lines)
        words = ", ".join(f"{name} {value}" for name, value in asked.items() if name != "status")
        shown = f"{len(page.lines):>4} lines {number:>9,} deliveries"
        print(f"{took}  {shown}  {query or '(all)'} {words}", flush=True)
        worst = max(worst, p95)
    first = (await desk.lines(Listing(sort=GroupSort.COUNT))).lines[0]
    where = parse(first.query or "", now, digest=lambda _, __: ())
    asked_of: tuple[tuple[str, Callable[[], Awaitable[Any]]], ...] = (
        ("list of the largest group", lambda: store.find(Search(where))),
        ("count of the largest group", lambda: store.count(Search(where))),
        ("the largest group", lambda: desk.line(first.key)),
        ("who looks at what", lambda: store.assignees(None, 200)),
    )
    for name, call in asked_of:
        p95, took, _ = await _timed(call, runs)
        print(f"{took}  {name}", flush=True)
        worst = max(worst, p95)
    return worst


async def settling(store: Store, epoch: int, groups: int) -> None:
    """Print what settling a failure costs with its group and without, wall time per delivery."""
    costs: dict[bool, list[float]] = {True: [], False: []}
    for number in range(40):
        for grouped in (True, False):
            filler = Failing(10_000_000, groups, grouped=grouped)
            filler.rng.seed(number)
            accepts = [filler.accept(5_000_000 + BATCH * number + n)[0] for n in range(BATCH)]
            renamed = [_fresh(each, filler) for each in accepts]
            await store.commit(Batch(epoch, START, tuple(renamed)))
            tries = tuple(
                filler.attempt(each.deliveries[0], Verb.RETRY, Result.ERROR, START)
                for each in renamed
            )
            began = time.perf_counter()
            await store.commit(Batch(epoch, START, transitions=tries))
            costs[grouped].append((time.perf_counter() - began) * 1e6 / BATCH)
    for grouped, times in costs.items():
        words = "with its group" if grouped else "without"
        print(f"settling a failure {words}: {statistics.median(times):.1f} us", flush=True)


def _fresh(accept: Accept, filler: Failing) -> Accept:
    """Return a message under new ids, as two runs draw the same."""
    rng = filler.rng
    rng.seed(time.perf_counter_ns())
    message_id = new_id("msg", START, rng)
    (delivery,) = accept.deliveries
    moved = msgspec.structs.replace(
        delivery, id=new_id("dlv", START, rng), message_id=message_id, followed=not COUNTED
    )
    message = msgspec.structs.replace(accept.message, id=message_id)
    return msgspec.structs.replace(accept, message=message, deliveries=(moved,), tokens=())


async def run(options: argparse.Namespace, store: Store) -> None:
    """Fill, ask, ask again beside traffic, and look at the cost."""
    ownership = await store.join(START)
    if not await store.counts():
        await fill(store, Failing(options.count, options.groups), ownership.epoch)
    for rate in (0, options.flow):
        stop, told = asyncio.Event(), list[int]()
        beside = None
        if rate:
            beside = asyncio.create_task(flow(store, ownership.epoch, rate, stop, told))
        worst = await lists(store, options.runs)
        stop.set()
        if beside is not None:
            await beside
        print(f"worst p95 beside {told[0] if told else 0} messages/s: {worst:.1f} ms\n", flush=True)
    await settling(store, ownership.epoch, options.groups)
    await store.leave(ownership.epoch)


async def main(options: argparse.Namespace) -> None:
    """Open a store of the kind that is asked for and measure it."""
    async with opened(postgres=options.postgres, keep=options.keep) as store:
        await run(options, store)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--count", type=int, default=300_000)
    parser.add_argument("--groups", type=int, default=40)
    parser.add_argument("--flow", type=int, default=500)
    parser.add_argument("--runs", type=int, default=RUNS, help="of each list")
    parser.add_argument("--keep", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(_options()))
