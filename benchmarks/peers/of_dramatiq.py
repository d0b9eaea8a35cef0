"""Dramatiq on Redis: `fill COUNT`, `left` or `work`; a process per core, eight threads each."""

import os
import sys

import dramatiq
import redis
from dramatiq import cli
from dramatiq.brokers.redis import RedisBroker
from job import RETRIES, STORE, payload, post_blocking

dramatiq.set_broker(RedisBroker(url=STORE))


@dramatiq.actor(actor_name="post", max_retries=RETRIES)
def deliver(lead: str) -> None:
    """Post a lead."""
    post_blocking(lead.encode())


def main(words: list[str]) -> None:
    """Do what was asked."""
    match words:
        case ["fill", count]:
            for number in range(int(count)):
                deliver.send(payload(number).decode())
        case ["left"]:
            store = redis.from_url(STORE)
            print(store.hlen("dramatiq:default.msgs"))
        case _:
            cores = str(os.cpu_count())
            parser = cli.make_argument_parser()
            cli.main(parser.parse_args(["of_dramatiq", "-p", cores, "-t", "8", "--skip-logging"]))


if __name__ == "__main__":
    main(sys.argv[1:])
