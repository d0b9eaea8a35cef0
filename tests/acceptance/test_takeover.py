"""What a worker leaves behind: a zombie's answers, and a payload that ends one after another."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from holdfast.testing.partner import Act, Partner, Pause, Seen, Silence, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.acceptance.conftest import Holdfast

    from holdfast.testing.postgres import PostgresServer

pytestmark = pytest.mark.slow

CONFIG: Final = """
store = "{store}"
[engine]
lease_seconds = 3
[policy]
initial_delay = 60
"""
RECIPIENT: Final = """
[recipients.{name}]
url = "{url}/{name}"
allow_private = true
concurrency = 8
breaker = {{enabled = false}}
read_timeout = 120
total_timeout = 120
[flows.{name}]
[[flows.{name}.steps]]
recipient = "{name}"
"""


class Slow:
    """A partner that keeps the first arrival of each delivery until it is told to answer.

    The path tells what is answered then, and what at once when it comes again.
    """

    def __init__(self) -> None:
        self.go = threading.Event()
        self.seen: Counter[str] = Counter()

    def __call__(self, seen: Seen) -> Iterable[Act]:
        """Answer as the path says: /from-FIRST-to-SECOND."""
        _, first, _, second = seen.target.rpartition("/")[2].split("-")
        key = seen.headers["idempotency-key"]
        self.seen[key] += 1
        if self.seen[key] > 1:
            yield answer(int(second))
            return
        while not self.go.is_set():
            yield Pause(0.05)
        yield answer(int(first))


CASES: Final = {
    "from-200-to-503": "delivered",
    "from-400-to-503": "pending",
    "from-400-to-200": "delivered",
    "from-503-to-200": "delivered",
}
"""What the zombie hears, what its successor hears, and what becomes of the delivery."""


def test_a_zombie_changes_nothing_but_by_a_proven_success(
    server: PostgresServer, hire: Callable[..., list[Holdfast]], wait_until: Callable[..., Any]
) -> None:
    """Stopped past its lease and continued, it settles late: its tries are on record, as stale."""
    slow = Slow()
    with Partner(slow) as partner:
        config = CONFIG.format(store=server.url())
        config += "".join(RECIPIENT.format(name=name, url=partner.url) for name in CASES)
        zombie, successor = hire(config, config)
        zombie.up()
        sent = {name: zombie.send(name, {"name": "Ada"})[0] for name in CASES}
        wait_until(lambda: len(partner.seen) == len(CASES), "all are on the wire")
        zombie.process.send_signal(signal.SIGSTOP)
        successor.up()
        wait_until(lambda: len(partner.seen) == 2 * len(CASES), "the other has sent them again")
        wait_until(
            lambda: all(successor.delivery(one)["attempts"] == 1 for one in sent.values()),
            "the other has settled them",
        )
        before = {name: successor.delivery(one) for name, one in sent.items()}
        slow.go.set()
        zombie.process.send_signal(signal.SIGCONT)
        wait_until(lambda: zombie.events("joined"), "the zombie works again")
        wait_until(
            lambda: all(len(successor.attempts(one)) == 2 for one in sent.values()),
            "what the zombie heard is on record",
        )
        for name, status in CASES.items():
            after, tries = successor.delivery(sent[name]), successor.attempts(sent[name])
            assert after["status"] == status, name
            if status == before[name]["status"]:
                assert after == before[name], name
            (late,) = (each for each in tries if each["stale"])
            heard = late["success_indicators"] or late["error_details"]
            assert heard["http_status"] == int(name.split("-")[1]), name
        totals = successor.totals()
        assert (totals["created"], totals["pending"], totals["delivered"]) == (4, 1, 3)
        assert len(partner.seen) == 2 * len(CASES)


class Poisoned:
    """A partner that never answers a poisonous payload, and others after a moment."""

    def __call__(self, seen: Seen) -> Iterable[Act]:
        """Answer, or do not."""
        if b"poison" in seen.body:
            yield Silence()
        else:
            yield Pause(0.02)
            yield answer(200)


def test_a_payload_that_kills_its_workers_ends_in_review(
    server: PostgresServer, hire: Callable[..., list[Holdfast]], wait_until: Callable[..., Any]
) -> None:
    """Three workers die of it, one after the other; then it is dead, and nothing else is."""
    names = [f"r{number}" for number in range(6)]
    with Partner(Poisoned()) as partner:
        config = CONFIG.format(store=server.url())
        config += "".join(RECIPIENT.format(name=name, url=partner.url) for name in names)
        workers = hire(config, config, config)
        for worker in workers:
            worker.up()
        sent = [workers[0].send(name, {"n": n}) for n in range(20) for name in names]
        (poison,) = workers[0].send("r0", {"text": "poison"})
        sent += [workers[0].send(name, {"n": n}) for n in range(20, 40) for name in names]
        victims: list[int] = []
        for kill in range(1, 4):
            wait_until(lambda times=kill: arrived(partner, poison) == times, "it is on the wire")
            victims.append(owner(server, workers))
            workers[victims[-1]].kill()
            if kill > 1:  # not at once: another one shall take the lane
                workers[victims[-2]].start()
        workers[victims[-1]].start()
        for worker in workers:
            wait_until(worker.ready, "it runs for good")
        wait_until(lambda: workers[0].totals()["pending"] == 0, "all have ended")
        rows = server.rows("SELECT id, code FROM deliveries WHERE status <> 'delivered'")
        assert rows == [(poison, "WORKER_CRASH")]
        assert arrived(partner, poison) == 3
        assert len(set(victims)) > 1
        assert {one for (one,) in sent} <= {
            each.headers["idempotency-key"] for each in partner.seen
        }
        print("\n  killed one after the other: workers", *victims)  # noqa: T201


def arrived(partner: Partner, delivery_id: str) -> int:
    """Return how often a delivery came."""
    return sum(each.headers["idempotency-key"] == delivery_id for each in tuple(partner.seen))


def owner(server: PostgresServer, workers: list[Holdfast]) -> int:
    """Return the number of the worker that owns the lane of the poison."""
    sql = "SELECT pid FROM workers JOIN lanes ON owner = epoch WHERE recipient = 'r0'"
    ((pid,),) = server.rows(sql)
    return [worker.process.pid for worker in workers].index(pid)
