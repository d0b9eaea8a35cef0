"""Runs scenarios with every policy over many seeds, in several processes."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Final

import msgspec

from holdfast.lab import baseline, knowing, oracle, product
from holdfast.lab.compare import Comparison, compare
from holdfast.lab.measure import Figures, measure
from holdfast.lab.scenario import Scenario, Setup
from holdfast.lab.schedule import Schedule, baselines
from holdfast.lab.series import Series, series
from holdfast.lab.trace import Trace
from holdfast.lab.world import World
from holdfast.policy import check
from holdfast.telemetry import logger

ORACLE: Final = "O"


class Job(msgspec.Struct, frozen=True):
    """All policies in one world; `draw`: keep the series for a plot."""

    scenario: Scenario
    seed: int
    policies: tuple[str, ...]
    setup: Setup
    draw: bool


class Done(msgspec.Struct, frozen=True):
    """What came of a job, by policy; `cpu_s`: what running it took, in seconds of CPU time."""

    scenario: str
    seed: int
    figures: dict[str, Figures]
    series: dict[str, Series]
    cpu_s: dict[str, float] = {}


def names() -> dict[str, str]:
    """Return every policy's id and title."""
    titles = {each.id: each.title for each in baselines()}
    return {
        product.NAME: "Holdfast, its own engine",
        knowing.NAME: "Holdfast, told by which law outages end (where there is one)",
        **titles,
        ORACLE: "the best possible",
    }


def chosen(policies: list[str]) -> tuple[str, ...]:
    """Return the ids of policies, all when none is named; Holdfast and the bounds always run.

    Raises:
        InvalidInput: there is no such policy.
    """
    known = names()
    for policy in policies:
        check.known("baseline", policy, known)
    wanted = {product.NAME, knowing.NAME, ORACLE, *(policies or known)}
    return tuple(policy for policy in known if policy in wanted)


def jobs(
    scenarios: tuple[Scenario, ...],
    policies: tuple[str, ...],
    setup: Setup,
    *,
    seeds: int | None,
) -> list[Job]:
    """Return what has to be run; without `seeds`, as many as each scenario says."""
    return [
        Job(scenario, seed, policies, setup, seed == 1)
        for scenario in scenarios
        for seed in range(1, (seeds or scenario.seeds) + 1)
    ]


def run(work: list[Job], processes: int) -> Iterator[Done]:
    """Yield the results as they come; one process: this one, in order."""
    if processes == 1:
        yield from map(play, work)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(play, job) for job in work]
        try:
            for future in as_completed(pending):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def play(job: Job) -> Done:
    """Run all policies of a job, one after the other."""
    level = logger.level
    logger.setLevel(logging.ERROR)  # partners fail by the thousand here
    try:
        return _play(job)
    finally:
        logger.setLevel(level)


def _play(job: Job) -> Done:
    world = World(job.scenario, job.seed)
    schedules = {each.id: each for each in baselines()}
    best = oracle.run(world)
    figures, drawn, spent = {}, {}, {}
    for policy in job.policies:
        if policy == knowing.NAME and not knowing.knowable(world):
            continue
        began = time.process_time()
        trace = best if policy == ORACLE else _trace(world, policy, schedules, job.setup)
        spent[policy] = round(time.process_time() - began, 2)
        figures[policy] = measure(trace, best)
        if job.draw:
            drawn[policy] = series(trace)
    return Done(job.scenario.id, job.seed, figures, drawn, spent)


def _trace(world: World, policy: str, schedules: dict[str, Schedule], setup: Setup) -> Trace:
    if policy == product.NAME:
        return product.run(world, setup)
    if policy == knowing.NAME:
        return product.run(world, setup, knowing.engine(world))
    return baseline.run(world, schedules[policy])


def compared(scenario: Scenario, results: list[Done]) -> Comparison:
    """Return the comparison of a scenario's results."""
    mine = sorted(
        (done for done in results if done.scenario == scenario.id), key=lambda done: done.seed
    )
    policies = mine[0].figures if mine else {}
    runs = {policy: [done.figures[policy] for done in mine] for policy in policies}
    return compare(scenario.id, scenario.title, runs)
