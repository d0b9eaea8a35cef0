"""Many runs: spread over processes, and summed up."""

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from holdfast.testing.simulator.faults import Fault
from holdfast.testing.simulator.run import Report, Simulation


def one(seed: int) -> Report:
    """Run one seed."""
    return Simulation(seed).run()


def reports(seeds: Sequence[int], *, jobs: int = 1) -> Iterator[Report]:
    """Run seeds and yield their reports in order.

    Args:
        seeds: which.
        jobs: processes; with 1 everything runs in this one.
    """
    if jobs == 1 or len(seeds) == 1:
        yield from map(one, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(seeds)), mp_context=context) as pool:
        yield from pool.map(one, seeds)


class Sum:
    """What runs came to together.

    Attributes:
        runs: how many.
        attempts: sends on the wire.
        crashes: processes that ended at once.
        messages: acknowledged.
        deliveries: in the stores.
        virtual_s: virtual time.
        faults: by kind.
        failed: reports with broken promises.
        last: the last report.
    """

    def __init__(self) -> None:
        self.runs = self.attempts = self.crashes = self.messages = self.deliveries = 0
        self.virtual_s = 0.0
        self.faults: Counter[Fault] = Counter()
        self.failed: list[Report] = []
        self.last: Report | None = None

    def add(self, report: Report) -> None:
        """Add a run."""
        self.runs += 1
        self.attempts += report.attempts
        self.crashes += report.crashes
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
        for fault in Fault:
            yield f"fault: {fault}", f"{self.faults[fault]:,}"
        yield "broken promises", f"{sum(len(each.violations) for each in self.failed):,}"
