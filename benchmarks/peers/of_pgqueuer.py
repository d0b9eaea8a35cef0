"""PgQueuer: `fill COUNT`, `left` or `work`; PostgreSQL, one process on one loop."""

import sys
from datetime import timedelta
from functools import partial

import asyncpg
import uvloop
from job import CHUNK, CONCURRENCY, RETRIES, STORE, payload, post
from pgqueuer import Queries, QueueManager
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.models import Job


async def main(words: list[str]) -> None:
    """Do what was asked."""
    async with asyncpg.create_pool(STORE, min_size=2, max_size=10) as pool:
        driver = AsyncpgPoolDriver(pool)
        match words:
            case ["fill", count]:
                await _fill(Queries(driver), int(count))
            case ["left"]:
                print(await pool.fetchval("SELECT count(*) FROM pgqueuer"))
            case _:
                await _work(driver)


async def _fill(queries: Queries, count: int) -> None:
    await queries.install()
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        await queries.enqueue(
            ["post"] * len(numbers), [payload(number) for number in numbers], [0] * len(numbers)
        )


async def _work(driver: AsyncpgPoolDriver) -> None:
    manager = QueueManager(Queries(driver))
    retrying = partial(DatabaseRetryEntrypointExecutor, max_attempts=RETRIES)

    @manager.entrypoint("post", executor_factory=retrying)
    async def deliver(job: Job) -> None:
        assert job.payload is not None
        await post(job.payload)

    await manager.run(
        dequeue_timeout=timedelta(seconds=1),
        batch_size=CONCURRENCY,
        max_concurrent_tasks=2 * CONCURRENCY,
    )


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
