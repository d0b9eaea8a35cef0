"""The disk of the database is full, under load: intake says so, and nothing acknowledged is lost.

The kernel refuses every new block of the database; the server's log of changes has room. That one
fills only when it shares the disk, and then PostgreSQL ends, which is a crash like any other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from holdfast.testing.tight import TightServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Holdfast, Start, Witness

pytestmark = pytest.mark.slow

MESSAGES: Final = 3_000
CONFIG: Final = """
store = "{store}"
[engine]
lease_seconds = 3
[policy]
initial_delay = 1.0
max_retries = 10
[recipients.a]
url = "http://127.0.0.1:{port}/a"
allow_private = true
concurrency = 64
[flows.leads]
[[flows.leads.steps]]
recipient = "a"
[flows.pair]
[[flows.pair.steps]]
recipient = "a"
"""


@pytest.fixture
def tight() -> Iterator[TightServer]:
    """Return a server with a small disk."""
    server = TightServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


def test_a_full_disk_refuses_and_passes(
    tight: TightServer,
    hire: Callable[..., list[Holdfast]],
    program: Start,
    tmp_path: Path,
    *,
    witness: Witness,
    wait_until: Callable[..., Any],
) -> None:
    """507 while there is no room; with room work resumes by itself, and all arrives once."""
    told = [witness.notes, "--latency", 10, "--refuse-one-in", 50]
    with program("partner.py", told, tmp_path / "partner.log") as partner:
        (worker,) = hire(CONFIG.format(store=tight.url(), port=partner.said))
        worker.up()
        asked = [worker.url, witness.acks, "--messages", MESSAGES]
        with program("client.py", asked, tmp_path / "client.log", says=False) as client:
            wait_until(lambda: witness.done() >= MESSAGES // 2, "the middle of the work")
            tight.fill()
            message = {"payload": {"text": "x" * 10_000}}
            refusal = wait_until(
                lambda: given if (given := post(worker, message)).status != 202 else None, "full"
            )
            assert (refusal.status, refusal.json["code"]) == (507, "STORAGE_FULL")
            wait_until(lambda: worker.call("GET", "/readyz").status == 503, "it is not ready")
            until = time.monotonic() + 5  # longer than a lease
            wait_until(lambda: time.monotonic() > until, "a while without room")
            before = len(witness.acknowledged())
            assert before < MESSAGES, "nothing was left to do"
            began = time.monotonic()
            tight.free()
            wait_until(lambda: len(witness.acknowledged()) > before + 50, "it resumes")
            resumed = time.monotonic() - began
            wait_until(lambda: client.process.poll() is not None, "the client is content")
            assert client.process.returncode == 0
        wait_until(lambda: witness.settled(worker), "everything is delivered")
        assert worker.stop() == 0
    witness.assert_sums(tight.rows)
    found = {str(one) for (one,) in tight.rows("SELECT id FROM deliveries")}
    assert witness.acknowledged().keys() <= found
    assert tight.rows("SELECT DISTINCT status FROM deliveries") == [("delivered",)]
    received = witness.received()
    assert {received[one] for one in found} == {1}, "lost or sent twice"
    print(  # noqa: T201
        f"\n  acknowledged {len(witness.acknowledged())}, of these before the disk was full "
        f"{before}; seconds to resume once there was room {resumed:.2f}"
    )


def post(worker: Holdfast, message: object) -> Any:
    """Post a message of its own."""
    return worker.post("/v1/flows/leads/messages", message)
