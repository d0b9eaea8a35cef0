"""The database's server is away, or slow: intake goes on, or says when to come back.

Real processes, a real server, and a proxy between them that is the bad network.
"""

from __future__ import annotations

import json
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.acceptance.configs import FLOWS, recipients

from holdfast.testing.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.conftest import Answer, Holdfast, Start, Witness

    from holdfast.testing.postgres import PostgresServer

pytestmark = pytest.mark.slow

OUTAGE_S: Final = 30.0
MESSAGES: Final = 15_000
"""The client rests after each post, so that these last longer than the outage."""
BUSY_S: Final = 300.0
"""How long so many may take on a machine that is busy with other things."""
CONFIG: Final = """
store = "{store}"
[engine]
lease_seconds = 3
intake_bytes = 4194304
[spool]
patience_seconds = {patience}
"""
LEADS: Final = "/v1/flows/leads/messages"


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[Proxy]:
    """Run the network between worker and server."""
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def worker(
    hire: Callable[..., list[Holdfast]],
    program: Start,
    witness: Witness,
    proxy: Proxy,
    *,
    server: PostgresServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Holdfast]:
    """Return a worker that runs and reaches its server through the proxy; a partner notes."""
    told = [witness.notes, "--latency", 10]
    store = server.url().replace(f":{server.port}/", f":{proxy.port}/")
    with program("partner.py", told, tmp_path / "partner.log") as partner:
        config = CONFIG.format(store=store, patience=getattr(request, "param", 1))
        config += FLOWS + recipients("abc", partner.said)
        (worker,) = hire(config)
        worker.up()
        yield worker


def spool(worker: Holdfast) -> Any:
    """Return how the spool stands; no question to the store is needed for it."""
    return worker.get("/v1/overview")["workers"][0]["spool"]


def settled(worker: Holdfast) -> bool:
    """Tell whether everything is in the store and delivered."""
    return spool(worker)["messages"] == 0 and worker.drained()


def delivered(server: PostgresServer) -> set[str]:
    """Return what is delivered; nothing else may be there."""
    assert server.execute("SELECT DISTINCT status FROM holdfast.deliveries") == "delivered"
    return set(server.execute("SELECT id FROM holdfast.deliveries").splitlines())


def batch(worker: Holdfast, prefix: str, count: int) -> list[Any]:
    """Post messages with keys and return the answers; all must be accepted."""
    lines = [json.dumps({"payload": {"n": n}, "key": f"{prefix}{n}"}) for n in range(count)]
    headers = {"Content-Type": "application/x-ndjson"}
    answer = worker.call("POST", f"{LEADS}/batch", "\n".join(lines).encode(), headers)
    assert answer.status == 200, answer
    found = [json.loads(line) for line in answer.body.splitlines()]
    assert {each["status"] for each in found} <= {200, 202}, found[:3]
    return found


def test_half_a_minute_without_the_store(
    worker: Holdfast,
    proxy: Proxy,
    server: PostgresServer,
    program: Start,
    tmp_path: Path,
    *,
    witness: Witness,
    wait_until: Callable[..., Any],
) -> None:
    """Packets are dropped for 30 s under load: intake goes on, nothing is lost or sent twice."""
    asked = [worker.url, witness.acks, "--messages", MESSAGES, "--pauses", 5]
    with program("client.py", asked, tmp_path / "client.log", says=False) as client:
        wait_until(lambda: len(witness.received()) > 1_000, "work goes on", BUSY_S)
        proxy.drop()
        began = time.monotonic()
        before = len(witness.acknowledged())
        wait_until(lambda: worker.get("/readyz")["status"] == "spooling", "it is noticed")
        noticed = time.monotonic() - began
        wait_until(lambda: time.monotonic() - began > OUTAGE_S, "half a minute")
        state, during = spool(worker), len(witness.acknowledged()) - before
        assert state["on"]
        assert state["messages"] > 1_000
        sent = witness.done() - len(witness.acknowledged())
        proxy.heal()
        healed = time.monotonic()
        wait_until(lambda: sum(witness.received().values()) > sent + 100, "sending resumes")
        resumed = time.monotonic() - healed
        wait_until(lambda: worker.events("spool_drained"), "the spool is empty")
        drained = time.monotonic() - healed
        wait_until(lambda: client.process.poll() is not None, "the client is content", BUSY_S)
        assert client.process.returncode == 0
    wait_until(lambda: settled(worker), "everything is delivered", BUSY_S)
    assert worker.get("/readyz")["status"] == "ready"
    assert worker.stop() == 0
    acknowledged = witness.acknowledged()
    assert delivered(server) == acknowledged.keys()
    assert set(witness.received().values()) == {1}, "lost or sent twice"
    print(  # noqa: T201
        f"\n  acknowledged {len(acknowledged)}, of these in {OUTAGE_S:g} s without the store "
        f"{during}\n  seconds until it was noticed {noticed:.2f}; from the healing to the first "
        f"sends {resumed:.2f}, to the empty spool {drained:.2f}\n"
        f"  in the spool at most {state['messages']} messages, {state['bytes']} bytes"
    )


def test_killed_with_messages_in_the_spool(
    worker: Holdfast,
    proxy: Proxy,
    server: PostgresServer,
    *,
    witness: Witness,
    wait_until: Callable[..., Any],
) -> None:
    """SIGKILL; no start while the store is away, which is said; then SIGKILL while it drains."""
    told = batch(worker, "before", 20)
    wait_until(lambda: settled(worker), "it is delivered")
    proxy.cut()
    told += batch(worker, "k", 500) + batch(worker, "l", 5_000)
    assert spool(worker)["messages"] == 5_500
    (place,) = Path(worker.environ["HOLDFAST_SPOOL_PATH"]).iterdir()
    assert not any(b"before" in each.read_bytes() for each in place.iterdir())
    worker.kill()
    worker.start()
    code, said = worker.ended()
    assert (code, "is kept in" in said) == (1, True)
    proxy.heal()
    for _ in range(3):
        worker.up()
        worker.kill()
    worker.up()
    wait_until(lambda: settled(worker), "everything is delivered")
    again = batch(worker, "k", 500)
    assert {each["status"] for each in again} == {200}
    ids = {one["id"] for each in told for one in each["deliveries"]}
    assert {one["id"] for each in again for one in each["deliveries"]} <= ids
    assert worker.stop() == 0
    assert delivered(server) == ids
    assert witness.received().keys() == ids
    print(f"\n  sent twice {sum(n > 1 for n in witness.received().values())}")  # noqa: T201
    assert not place.exists()


@pytest.mark.parametrize("worker", [60], indirect=True)
def test_a_slow_store_makes_callers_wait(
    worker: Holdfast, proxy: Proxy, server: PostgresServer, wait_until: Callable[..., Any]
) -> None:
    """Each commit takes seconds: 503 with Retry-After before memory grows (S5.36)."""
    proxy.delay(0.5)
    rng = random.Random(1)
    bodies = [{"payload": {"text": rng.randbytes(200_000).hex()}} for _ in range(8)]
    before = memory(worker, "VmRSS")
    with ThreadPoolExecutor(32) as threads:
        answers: list[Answer] = list(
            threads.map(lambda n: worker.post(LEADS, bodies[n % 8]), range(300))
        )
    peak = memory(worker, "VmHWM")
    refused = [each for each in answers if each.status == 503]
    taken = [each.json["deliveries"][0]["id"] for each in answers if each.status == 202]
    assert len(taken) + len(refused) == 300
    assert taken
    assert refused
    assert {each.json["code"] for each in refused} == {"OVERLOADED"}
    assert all(int(each.headers["retry-after"]) >= 1 for each in refused)
    assert peak - before < 200 << 20
    proxy.heal()
    wait_until(lambda: settled(worker), "everything is delivered")
    assert worker.stop() == 0
    assert delivered(server) == set(taken)
    print(  # noqa: T201
        f"\n  300 messages of 400 kB to a store that takes seconds: taken {len(taken)}, refused "
        f"{len(refused)}; memory {before >> 20} MiB before, {peak >> 20} MiB at most"
    )


def memory(worker: Holdfast, name: str) -> int:
    """Return what the kernel counts for the process, in bytes."""
    text = Path(f"/proc/{worker.process.pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10
