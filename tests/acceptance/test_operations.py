"""Bulk work on a real process that is killed in the middle: nothing twice, nothing left out."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from holdfast.testing.partner import Act, Partner, Seen, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Holdfast, Launch

pytestmark = pytest.mark.slow

MESSAGES: Final = 1_500
CONFIG: Final = """
[recipients.acme]
url = "{url}"
allow_private = true
concurrency = 64
breaker = {{ enabled = false }}
[flows.leads]
[[flows.leads.steps]]
recipient = "acme"
"""


class Host:
    """Refuses everything until it is healed."""

    def __init__(self) -> None:
        self.healed = threading.Event()
        self.taken: Counter[str] = Counter()

    def __call__(self, seen: Seen) -> Iterable[Act]:
        """Answer 400 or 200."""
        if self.healed.is_set():
            self.taken[seen.headers["idempotency-key"]] += 1
            yield answer(200)
        else:
            yield answer(400)


@pytest.fixture
def host() -> Host:
    """Return what the partner does."""
    return Host()


@pytest.fixture
def holdfast(launch: Launch, host: Host, tmp_path: Path) -> Iterator[Holdfast]:
    """Run one in front of the partner."""
    with Partner(host) as partner, launch(tmp_path, CONFIG.format(url=partner.url)) as made:
        made.up()
        yield made


def all_die(holdfast: Holdfast, wait_until: Callable[..., Any]) -> None:
    """Send messages that the partner refuses."""
    lines = b"\n".join(json.dumps({"payload": {"n": n}}).encode() for n in range(MESSAGES))
    headers = {"Content-Type": "application/x-ndjson"}
    sent = holdfast.call("POST", "/v1/flows/leads/messages/batch", lines, headers)
    assert sent.status == 200
    wait_until(lambda: holdfast.totals()["dead"] == MESSAGES, "all are dead")


def test_a_redrive_outlives_two_kills(
    holdfast: Holdfast, host: Host, wait_until: Callable[..., Any]
) -> None:
    """It goes on by itself; every delivery is redriven once, and each is accounted for."""
    all_die(holdfast, wait_until)
    host.healed.set()
    order = {"kind": "redrive", "q": "status:dead", "reason": "it is healed", "rate": 300}
    begun = holdfast.post("/v1/operations", {**order, "batch": 50})
    assert begun.status == 202, begun
    path = f"/v1/operations/{begun.json['id']}"

    def changed() -> int:
        return int(holdfast.get(path)["changed"])

    for least in (200, 600):
        wait_until(lambda least=least: changed() >= least, f"{least} are redriven")
        seen = changed()
        holdfast.kill()
        holdfast.up()
        again = holdfast.get(path)
        assert again["changed"] >= seen
        assert again["state"] == "running"
    assert changed() < MESSAGES, "the kills came too late to mean anything"
    wait_until(lambda: holdfast.get(path)["state"] == "completed", "it is complete")
    done = holdfast.get(path)
    assert (done["changed"], done["delivered"], done["skipped"]) == (MESSAGES, MESSAGES, 0)
    holdfast.stop()
    with holdfast.stored() as store:
        generations = store.execute(
            "SELECT generation, status, count(*) FROM deliveries GROUP BY 1, 2"
        ).fetchall()
        redrives = store.execute(
            "SELECT count(*), count(DISTINCT subject) FROM notes WHERE action = 'redrive'"
        ).fetchall()
        outcomes = store.execute(
            "SELECT outcome, count(*) FROM operation_results GROUP BY 1"
        ).fetchall()
    assert generations == [(1, "delivered", MESSAGES)]
    assert redrives == [(MESSAGES, MESSAGES)]
    assert outcomes == [("delivered", MESSAGES)]
    assert len(host.taken) == MESSAGES
    twice = sum(host.taken.values()) - MESSAGES
    assert twice <= 2 * 512, "only what was on the wire at a kill may arrive twice"
