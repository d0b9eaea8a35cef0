"""Several `holdfast up` on one database: shared, restarted one by one, killed, stopped in time.

Everything is judged by what others wrote down: the client its acknowledgements, the partner its
arrivals, and the log of each worker what it owned.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.acceptance.configs import lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Holdfast, Start

    from holdfast.testing.postgres import PostgresServer

pytestmark = pytest.mark.slow

LANES: Final = 12
WORKERS: Final = 3
MAX_IN_FLIGHT: Final = 32
CONFIG: Final = """
store = "{store}"
[engine]
max_in_flight = 32
lease_seconds = 3
[policy]
initial_delay = 1.0
max_retries = 10
"""
STEP: Final = """
[[flows.all.steps]]
name = "to-r{number}"
recipient = "r{number}"
"""
DELIVERIES: Final = 100_000
LINES: Final = 200
"""Messages in a batch."""
PATIENCE_S: Final = 300


class Fleet:
    """Three workers with the same keys, a partner, and what was acknowledged."""

    def __init__(self, workers: list[Holdfast], notes: Path, server: PostgresServer) -> None:
        self.workers = workers
        self.notes = notes
        self.server = server
        self.acknowledged: set[str] = set()

    def send(self, worker: Holdfast, count: int) -> None:
        """Post so many messages to every flow in batches; note what was acknowledged."""
        lines = b'{"payload":{"name":"Ada"}}\n' * count
        for number in range(LANES):
            path = f"/v1/flows/f{number}/messages/batch"
            headers = {"Content-Type": "application/x-ndjson"}
            answer = worker.call("POST", path, lines, headers)
            assert answer.status == 200, answer
            for line in answer.body.splitlines():
                told = json.loads(line)
                self.acknowledged |= {each["id"] for each in told["deliveries"]}

    def spread(self, worker: Holdfast, count: int) -> None:
        """Post messages that go to every recipient, so many deliveries in all, or a few more."""
        path = "/v1/flows/all/messages/batch"
        headers = {"Content-Type": "application/x-ndjson"}
        left = -(-count // LANES)
        while left:
            lines = min(left, LINES)
            answer = worker.call("POST", path, b'{"payload":{"name":"Ada"}}\n' * lines, headers)
            assert answer.status == 200, answer
            for line in answer.body.splitlines():
                self.acknowledged |= {each["id"] for each in json.loads(line)["deliveries"]}
            left -= lines

    def arrivals(self) -> Counter[str]:
        """Return how often each delivery was taken."""
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        return Counter(name for name, status, _ in lines if status == "200")

    def owners(self) -> dict[str, int]:
        """Return how many lanes each living worker owns."""
        rows = self.server.execute(
            "SELECT epoch || ' ' || count(recipient) FROM holdfast.workers "
            "LEFT JOIN holdfast.lanes ON owner = epoch GROUP BY epoch"
        )
        return {row.split()[0]: int(row.split()[1]) for row in rows.splitlines()}

    def orphans(self) -> int:
        """Return how many lanes have work and no living owner."""
        return int(
            self.server.execute(
                "SELECT count(*) FROM holdfast.counters AS c "
                "LEFT JOIN holdfast.lanes AS l USING (recipient) "
                "LEFT JOIN holdfast.workers AS w ON w.epoch = l.owner "
                "WHERE c.pending > 0 AND w.epoch IS NULL"
            )
        )

    def pending(self) -> int:
        """Return how many deliveries wait."""
        return int(self.server.execute("SELECT coalesce(sum(pending), 0) FROM holdfast.counters"))


@pytest.fixture
def fleet(
    hire: Callable[..., list[Holdfast]], program: Start, tmp_path: Path, server: PostgresServer
) -> Iterator[Fleet]:
    """Start a partner; the workers are made, not started."""
    notes = tmp_path / "notes.txt"
    told = [notes, "--latency", 40]
    with program("partner.py", told, tmp_path / "partner.log") as partner:
        config = CONFIG.format(store=server.url())
        config += "".join(lane(number, partner.said) for number in range(LANES))
        config += "[flows.all]\n" + "".join(STEP.format(number=n) for n in range(LANES))
        workers = hire(*[config] * WORKERS)
        yield Fleet(workers, notes, server)


def test_a_hundred_thousand_arrive_once(fleet: Fleet, wait_until: Callable[..., Any]) -> None:
    """Without faults all arrive exactly once, through two rebalances and a restart of everyone."""
    first, second, third = fleet.workers
    began = time.monotonic()
    first.up()
    second.up()
    fleet.spread(first, DELIVERIES // 5)
    third.up()  # a rebalance: one more
    wait_until(lambda: sorted(fleet.owners().values()) == [4, 4, 4], "a third each")
    for worker in fleet.workers:
        fleet.spread(worker, DELIVERIES // 5)
        assert worker.stop() == 0
        worker.up()
    wait_until(lambda: sorted(fleet.owners().values()) == [4, 4, 4], "a third each again")
    fleet.spread(first, DELIVERIES // 5)
    assert third.stop() == 0  # a rebalance: one less
    wait_until(lambda: sorted(fleet.owners().values()) == [6, 6], "a half each")
    wait_until(lambda: fleet.pending() == 0, "everything is delivered", PATIENCE_S)
    took = time.monotonic() - began
    arrived = fleet.arrivals()
    assert len(fleet.acknowledged) >= DELIVERIES
    assert arrived.keys() == fleet.acknowledged
    assert set(arrived.values()) == {1}
    moves = single_owner(fleet)
    assert moves > LANES
    for worker in fleet.workers[:2]:
        assert worker.stop() == 0
    print(  # noqa: T201
        f"\n  {len(arrived)} deliveries, each arrived once; lanes acquired {moves} times; "
        f"{took:.0f} s"
    )


def single_owner(fleet: Fleet) -> int:
    """Check by the logs that no lane was acquired before its last owner let go; return how often.

    A release is logged before its commit and an acquisition after it, on one machine's clock.
    """
    moves = [
        (line["time"], line["recipient"], line["event"])
        for worker in fleet.workers
        for name in ("lane_acquired", "lane_released")
        for line in worker.events(name)
    ]
    owned: set[str] = set()
    taken = 0
    moves.sort(key=lambda move: (move[0], move[2] == "lane_acquired"))
    for at, recipient, event in moves:
        if event == "lane_acquired":
            assert recipient not in owned, (at, recipient)
            owned.add(recipient)
            taken += 1
        else:
            owned.discard(recipient)
    return taken


def test_killed_and_stopped_in_time(fleet: Fleet, wait_until: Callable[..., Any]) -> None:
    """After SIGKILL and a zombie nothing is lost, and twice came only what was unsettled."""
    first, second, third = fleet.workers
    for worker in fleet.workers:
        worker.up()
    fleet.send(first, 300)
    wait_until(lambda: sorted(fleet.owners().values()) == [4, 4, 4], "a third each")
    fleet.send(first, 100)  # on a slow machine the others may be through before they are killed
    second.kill()
    third.process.send_signal(signal.SIGSTOP)
    # A lane that has nothing left to send stays without an owner.
    wait_until(lambda: len(fleet.owners()) == 1 and not fleet.orphans(), "one is left")
    third.process.send_signal(signal.SIGCONT)
    second.up()
    wait_until(lambda: third.events("joined"), "the zombie works again")
    fleet.send(third, 100)
    wait_until(lambda: fleet.pending() == 0, "everything is delivered")
    arrived = fleet.arrivals()
    assert arrived.keys() == fleet.acknowledged
    twice = [name for name, times in arrived.items() if times > 1]
    assert len(twice) <= 2 * MAX_IN_FLIGHT
    assert max(arrived.values()) <= 3
    print(f"\n  came twice: {len(twice)} of {len(arrived)}")  # noqa: T201
