"""The primary is killed under load and its standby promoted: nothing acknowledged is lost (S5.60).

Two workers and a client that posts to both; commits wait for the standby. Nobody helps.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.acceptance.configs import FLOWS, recipients

from holdfast.testing.postgres import running
from holdfast.testing.standby import PostgresPair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Holdfast, Start, Witness

pytestmark = pytest.mark.slow

MESSAGES: Final = 4_000


@pytest.fixture
def pair() -> Iterator[PostgresPair]:
    """Return two servers, of which one follows the other."""
    with running(PostgresPair()) as pair:
        yield pair


def doctor(worker: Holdfast) -> str:
    """Return what `holdfast doctor` says."""
    return worker.run("doctor", "--url", worker.url)[1]


def delivered(pair: PostgresPair) -> int:
    """Return how many deliveries the new primary knows to have been delivered."""
    ((count,),) = pair.standby.rows("SELECT sum(delivered) FROM counters")
    return int(count)


def test_a_fail_over_loses_nothing_acknowledged(
    pair: PostgresPair,
    hire: Callable[..., list[Holdfast]],
    program: Start,
    tmp_path: Path,
    *,
    witness: Witness,
    wait_until: Callable[..., Any],
) -> None:
    """Work resumes by itself, everything acknowledged arrives once, and the sums are right."""
    told = [witness.notes, "--latency", 10, "--refuse-one-in", 200]
    with program("partner.py", told, tmp_path / "partner.log") as partner:
        config = f'store = "{pair.url()}"\n{FLOWS}' + recipients("abc", partner.said)
        workers = hire(config, config)
        for worker in workers:
            worker.up()
        assert "fail-over" not in doctor(workers[0])
        urls = ",".join(worker.url for worker in workers)
        asked = [urls, witness.acks, "--messages", MESSAGES]
        with program("client.py", asked, tmp_path / "client.log", says=False) as client:
            wait_until(lambda: witness.done() >= MESSAGES // 2, "the middle of the work")
            pair.primary.crash()
            acknowledged = len(witness.acknowledged())
            began = time.monotonic()
            pair.standby.promote()
            promoted, before = time.monotonic(), delivered(pair)
            wait_until(lambda: delivered(pair) > before + 100, "it resumes")
            resumed = time.monotonic()
            wait_until(lambda: client.process.poll() is not None, "the client is content")
            assert client.process.returncode == 0
        wait_until(lambda: witness.settled(workers[0]), "everything is delivered")
        assert "a fail-over may lose" in doctor(workers[0]), "nobody follows the new primary"
        for worker in workers:
            assert worker.stop() == 0
    found = witness.acknowledged()
    ids = pair.standby.execute("SELECT id FROM holdfast.deliveries WHERE status = 'delivered'")
    assert set(ids.splitlines()) == found.keys()
    assert pair.standby.execute("SELECT DISTINCT status FROM holdfast.deliveries") == "delivered"
    witness.assert_sums(pair.standby.rows)
    assert set(witness.received().values()) == {1}, "lost or sent twice"
    print(  # noqa: T201
        f"\n  acknowledged {len(found)}, of these before the fail-over {acknowledged}\n"
        f"  seconds to promote {promoted - began:.2f}, from then to resume "
        f"{resumed - promoted:.2f}"
    )
