"""A worker that cannot reach the store any more stops sending before its lease ends.

A proxy between the two drops everything, in both directions, and tells nobody. Each worker has a
partner of its own, so that it is known who sent what, and when it arrived.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.acceptance.configs import lane

from holdfast.clock import SystemClock
from holdfast.testing.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Holdfast, Start

    from holdfast.testing.postgres import PostgresServer

pytestmark = pytest.mark.slow

LANES: Final = 4
EACH: Final = 900
"""Deliveries per lane: more than a worker sends in the time of a lease."""
WIRE_MS: Final = 250.0
"""What may pass between the look at the lease and the arrival, on a machine that is busy."""
CONFIG: Final = """
store = "{store}"
[engine]
lease_seconds = 3
max_in_flight = 4000
buffer_rows = 2000
"""


def test_a_worker_cut_off_stops_before_its_lease_ends(
    server: PostgresServer,
    hire: Callable[..., list[Holdfast]],
    program: Start,
    tmp_path: Path,
    *,
    wait_until: Callable[..., Any],
) -> None:
    """It sends on while others believe it to live, not after; then the other takes its lanes."""
    notes = [tmp_path / f"notes{number}.txt" for number in range(2)]
    log = tmp_path / "partner.log"
    with (
        Proxy(server.port) as proxy,
        program("partner.py", [notes[0], "--latency", 100], log) as near,
        program("partner.py", [notes[1], "--latency", 100], log) as far,
    ):
        through = server.url().replace(f":{server.port}/", f":{proxy.port}/")
        cut, other = hire(config(through, near.said), config(server.url(), far.said))
        cut.up()
        other.up()
        for number in range(LANES):
            post(other, number)
        wait_until(lambda: owned(server, cut) and owned(server, other), "both work")
        wait_until(lambda: len(arrivals(notes[0])) > 100, "it is in the middle of its work")
        lanes = owned(server, cut)
        proxy.drop()
        began = SystemClock().monotonic()
        ends = 0.0
        while owned(server, cut) == lanes:
            ends = max(ends, lease_end(server, cut))
        wait_until(lambda: not set(lanes) - set(owned(server, other)), "the other has its lanes")
        wait_until(lambda: pending(server) == 0, "the other has done all of it")
        sent = arrivals(notes[0])
        proxy.heal()
        wait_until(lambda: cut.events("joined"), "it works again")
        assert cut.stop() == 0
        assert other.stop() == 0
    last = max(sent.values())
    print(  # noqa: T201
        f"\n  sent after the cut: {sum(at > began for at in sent.values())}; last arrival "
        f"{(ends - last) / 1000:.2f} s before the lease ended, {(last - began) / 1000:.2f} s after "
        "the cut"
    )
    assert last > began + 500, "it did not go on after the cut: this shows nothing"
    assert last <= ends + WIRE_MS
    mine = {str(each) for (each,) in server.rows(OWNERS_WORK.format(lanes=quoted(lanes)))}
    taken = [at for delivery, at in arrivals(notes[1]).items() if delivery in mine]
    assert min(taken) > ends, "two sent at the same time"
    assert len(sent | arrivals(notes[1])) == LANES * EACH
    assert server.rows("SELECT DISTINCT status FROM deliveries") == [("delivered",)]


OWNERS_WORK: Final = "SELECT id FROM deliveries WHERE recipient IN ({lanes})"


def config(store: str, port: str) -> str:
    """Return a worker's configuration: its way to the store, and its partner."""
    return CONFIG.format(store=store) + "".join(lane(number, port) for number in range(LANES))


def post(worker: Holdfast, number: int) -> None:
    """Give a lane its work."""
    headers = {"Content-Type": "application/x-ndjson"}
    lines = b'{"payload":{"name":"Ada"}}\n' * EACH
    answer = worker.call("POST", f"/v1/flows/f{number}/messages/batch", lines, headers)
    assert all(json.loads(line)["status"] == 202 for line in answer.body.splitlines())


def arrivals(notes: Path) -> dict[str, float]:
    """Return when each delivery arrived first, in ms of CLOCK_MONOTONIC."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    found: dict[str, float] = {}
    for name, _, at in (line.split() for line in lines if line.count(" ") == 2):
        found.setdefault(name, int(at) / 1e6)
    return found


def owned(server: PostgresServer, worker: Holdfast) -> list[str]:
    """Return the lanes of a worker."""
    sql = "SELECT recipient FROM lanes JOIN workers ON owner = epoch WHERE pid = {pid} ORDER BY 1"
    return [str(name) for (name,) in server.rows(sql.format(pid=worker.process.pid))]


def lease_end(server: PostgresServer, worker: Holdfast) -> float:
    """Return when the lease of a worker ends, which the store tells, in ms of CLOCK_MONOTONIC."""
    sql = "SELECT lease_until FROM workers WHERE pid = {pid}"
    found = server.rows(sql.format(pid=worker.process.pid))
    clock = SystemClock()
    return found[0][0] - clock.now() + clock.monotonic() if found else 0.0


def pending(server: PostgresServer) -> int:
    """Return how many deliveries wait."""
    ((count,),) = server.rows("SELECT sum(pending) FROM counters")
    return int(count)


def quoted(names: list[str]) -> str:
    """Return names as SQL."""
    return ", ".join(f"'{name}'" for name in names)
