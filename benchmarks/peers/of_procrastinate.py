"""Procrastinate: `fill COUNT`, `left` or `work`; PostgreSQL, one process on one loop."""

import sys

import uvloop
from job import CHUNK, CONCURRENCY, RETRIES, STORE, payload, post
from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=STORE))


@app.task(name="post", retry=RETRIES)
async def deliver(lead: str) -> None:
    """Post a lead."""
    await post(lead.encode())


async def main(words: list[str]) -> None:
    """Do what was asked."""
    async with app.open_async():
        match words:
            case ["fill", count]:
                await _fill(int(count))
            case ["left"]:
                found = await app.connector.execute_query_one_async(
                    "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
                )
                print(found["count"])
            case _:
                await app.run_worker_async(concurrency=CONCURRENCY, delete_jobs="never")


async def _fill(count: int) -> None:
    await app.schema_manager.apply_schema_async()
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        await deliver.batch_defer_async(*({"lead": payload(number).decode()} for number in numbers))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
