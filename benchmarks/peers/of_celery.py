"""Celery on Redis, acknowledged late: `fill COUNT`, `left` or `work`; a process per core."""

import os
import sys

import redis
from celery import Celery
from job import RETRIES, STORE, payload, post_blocking

app = Celery("of_celery", broker=STORE)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    broker_connection_retry_on_startup=True,
)


@app.task(name="post", autoretry_for=(Exception,), max_retries=RETRIES, retry_backoff=True)
def deliver(lead: str) -> None:
    """Post a lead."""
    post_blocking(lead.encode())


def main(words: list[str]) -> None:
    """Do what was asked."""
    match words:
        case ["fill", count]:
            with app.producer_or_acquire() as producer:
                for number in range(int(count)):
                    deliver.apply_async((payload(number).decode(),), producer=producer)
        case ["left"]:
            store = redis.from_url(STORE)
            print(store.llen("celery") + store.hlen("unacked"))
        case _:
            cores = str(os.cpu_count())
            app.worker_main(["worker", "-P", "prefork", "-c", cores, "-l", "ERROR",
                             "--without-gossip", "--without-mingle"])  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
