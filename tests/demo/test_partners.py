"""The simulated partners: as real processes with a real client, and their rules one by one."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectError

from holdfast.clock import SystemClock
from holdfast.demo.partners import Kind, Partner
from holdfast.demo.processes import Partners

GOOD = {"email": "ada@example.com", "postal_code": "78701"}


def partner(kind: Kind, per_second: float = 20.0) -> Partner:
    """Return a partner in this process."""
    return Partner(kind, random.Random(1), SystemClock(), per_second)


def lead(number: int) -> bytes:
    """Return a lead of a person who was not here before."""
    return json.dumps(GOOD | {"email": f"p{number}@example.com"}).encode()


async def post(client: Client, url: str, key: str, body: bytes) -> tuple[int, dict[str, object]]:
    """Send a lead the way the engine does."""
    request = client.post(f"{url}/leads").header("Idempotency-Key", key).body_bytes(body)
    response = await request.build().send()
    return response.status, dict(await response.json())


def test_a_repeated_key_gets_the_first_answer_and_counts_once() -> None:
    """The partner recognises the key, so at-least-once delivery is received once."""
    acme = partner(Kind.ACME)
    first = acme._take("k1", lead(1))
    assert acme._take("k1", lead(1)) == first
    assert (acme.stats.accepted, acme.stats.repeats, acme.stats.confirmed) == (1, 1, 1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[1]", "Not a JSON object"),
        (b"{", "Not a JSON object"),
        (json.dumps(GOOD | {"postal_code": "ABCDE"}).encode(), "Invalid postal code"),
        (json.dumps(GOOD).encode(), "Duplicate lead"),
    ],
)
def test_business_refusals_say_why(body: bytes, reason: str) -> None:
    """A refused lead is answered with outcome failure and an aggregatable reason."""
    acme = partner(Kind.ACME)
    acme._take("k0", json.dumps(GOOD).encode())
    status, answer, _ = acme._take("k1", body)
    assert (status, answer.outcome, answer.reason) == (200, "failure", reason)
    assert acme.stats.refused == 1


def test_flaky_is_unavailable_about_three_times_in_ten() -> None:
    """`flaky` answers 503 to about 30 % and loses a few answers after taking the lead."""
    flaky = partner(Kind.FLAKY)
    statuses = Counter(flaky._take(f"k{n}", lead(n))[0] for n in range(2000))
    assert 500 < statuses[503] < 700
    assert 20 < statuses[504] < 100
    assert flaky.stats.accepted == flaky.stats.confirmed + statuses[504]


def test_ratelimited_names_its_patience() -> None:
    """Above its rate `ratelimited` answers 429 with Retry-After and takes nothing."""
    limited = partner(Kind.RATELIMITED, per_second=5.0)
    answers = [limited._take(f"k{n}", lead(n)) for n in range(50)]
    refused = [extra for status, _, extra in answers if status == 429]
    assert len(refused) >= 40
    assert all(extra == {"retry-after": "1"} for extra in refused)
    assert limited.stats.accepted == 50 - len(refused)


@pytest.mark.slow
async def test_partners_are_real_servers_and_leave_with_the_context() -> None:
    """Four processes answer over HTTP, the sleeper refuses, and all are gone afterwards."""
    partners = Partners(asleep=60, per_second=5, seed=1)
    async with partners, ClientBuilder().timeout(timedelta(seconds=10)).build() as client:
        pids = partners.pids
        await partners.open_doors()
        status, answer = await post(client, partners.urls[Kind.ACME], "k1", lead(1))
        assert (status, answer["outcome"]) == (200, "success")
        with pytest.raises(ConnectError):
            await post(client, partners.urls[Kind.SLEEPER], "k1", lead(1))
        missing = await client.get(f"{partners.urls[Kind.FLAKY]}/nothing").build().send()
        assert missing.status == 404
        stats = await partners.stats()
        assert (stats[Kind.ACME].accepted, stats[Kind.SLEEPER].requests) == (1, 0)
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.slow
async def test_the_sleeper_wakes_up() -> None:
    """After its sleep `sleeper` serves on the port it had announced."""
    clock = SystemClock()
    async with Partners(asleep=0.5, per_second=5, seed=1) as partners:
        await partners.open_doors()
        async with ClientBuilder().timeout(timedelta(seconds=10)).build() as client:
            for _ in range(200):
                try:
                    status, _ = await post(client, partners.urls[Kind.SLEEPER], "k1", lead(1))
                    break
                except ConnectError:
                    await clock.pause(50)
        assert status == 200


PARENT = """
import asyncio, sys
from holdfast.demo.processes import Partners

async def main():
    async with Partners(asleep=60, per_second=5, seed=1) as partners:
        print(*partners.pids, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.slow
def test_partners_leave_even_when_the_parent_is_killed(tmp_path: Path) -> None:
    """SIGKILL of the demo leaves no partner behind."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=tmp_path
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 4
        running = [psutil.Process(pid) for pid in pids]
        os.kill(parent.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(running, timeout=10)
    assert alive == []
