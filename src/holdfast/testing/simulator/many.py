"""Many runs: spread over processes, and summed up."""

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from holdfast.testing.simulator.faults import Fault, FaultyStore
from holdfast.testing.simulator.ledger import Promise
from holdfast.testing.simulator.life import SimulatedEngine
from holdfast.testing.simulator.run import Report, Simulation
from holdfast.testing.simulator.world import Draw, make


def one(seed: int, workers: int = 1) -> Report:
    """Run one seed."""
    return Simulation(seed, workers).run()


def reports(seeds: Sequence[int], *, workers: int = 1, jobs: int = 1) -> Iterator[Report]:
    """Run seeds and yield their reports in order.

    Args:
        seeds: which.
        workers: most at once in each.
        jobs: processes; with 1 everything runs in this one.
    """
    run = partial(one, workers=workers)
    if jobs == 1 or len(seeds) == 1:
        yield from map(run, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(seeds)), mp_context=context) as pool:
        yield from pool.map(run, seeds)


class Sum:
    """What runs came to together.

    Attributes:
        runs: how many.
        attempts: sends on the wire.
        crashes: processes that ended at once.
        take_overs: workers whose lanes others took over.
        hand_overs: lanes that were handed over.
        messages: acknowledged.
        deliveries: in the stores.
        virtual_s: virtual time.
        faults: by kind.
        failed: reports with broken promises.
        last: the last report.
    """

    def __init__(self) -> None:
        self.runs = self.attempts = self.crashes = self.messages = self.deliveries = 0
        self.take_overs = self.hand_overs = 0
        self.virtual_s = 0.0
        self.faults: Counter[Fault] = Counter()
        self.failed: list[Report] = []
        self.last: Report | None = None

    def add(self, report: Report) -> None:
        """Add a run."""
        self.runs += 1
        self.attempts += report.attempts
        self.crashes += report.crashes
        self.take_overs += report.take_overs
        self.hand_overs += report.hand_overs
        self.messages += report.messages
        self.deliveries += report.deliveries
        self.virtual_s += report.virtual_s
        self.faults.update(report.faults)
        self.last = report
        if report.violations:
            self.failed.append(report)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what there is to show, as (name, number)."""
        yield "runs", f"{self.runs:,}"
        yield "virtual hours", f"{self.virtual_s / 3600:,.1f}"
        yield "messages acknowledged", f"{self.messages:,}"
        yield "deliveries", f"{self.deliveries:,}"
        yield "attempts", f"{self.attempts:,}"
        yield "crashes", f"{self.crashes:,}"
        yield "take-overs", f"{self.take_overs:,}"
        yield "lanes handed over", f"{self.hand_overs:,}"
        for fault in Fault:
            yield f"fault: {fault}", f"{self.faults[fault]:,}"
        yield "broken promises", f"{sum(len(each.violations) for each in self.failed):,}"


def seeds_until(
    promise: Promise,
    *,
    workers: int = 1,
    engine_type: type[SimulatedEngine] = SimulatedEngine,
    store_type: type[FaultyStore] = FaultyStore,
    world: Draw = make,
    first: int = 1,
    most: int,
) -> int:
    """Return at which seed a planted bug is found, by the promise that it breaks.

    Args:
        promise: by which.
        workers: most at once.
        engine_type: has the bug ...
        store_type: ... or this one.
        world: draws the worlds.
        first: seed to begin with.
        most: seeds.

    Raises:
        AssertionError: it was not found.
    """
    seen = set()
    for seed in range(first, first + most):
        simulation = Simulation(
            seed, workers, engine_type=engine_type, store_type=store_type, world=world
        )
        report = simulation.run()
        broken = {each.promise for each in report.violations}
        if promise in broken:
            return seed
        seen |= broken
    raise AssertionError(f"not found within {most} seeds; other broken promises: {seen}")
