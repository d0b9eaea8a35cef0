"""Commands that change something: what they ask of the API, and how refusals end."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Canned, Run


@pytest.mark.parametrize("verb", ["redrive", "cancel", "discard", "undo", "prove"])
def test_actions_on_deliveries(canned: Canned, run: Run, verb: str) -> None:
    """Each id is one request with the reason; the new status is shown."""
    for name in ("dlv_1", "dlv_2"):
        canned.on(f"POST /v1/deliveries/{name}/{verb}", {"id": name, "status": "pending"})
    code, out, _ = run(verb, "dlv_1", "dlv_2", "--reason", "fixed", "--url", canned.url)
    assert (code, out) == (0, "dlv_1: pending\ndlv_2: pending\n")
    assert [canned.body(0), canned.body(1)] == [{"reason": "fixed"}] * 2


def test_a_refused_one_does_not_stop_the_rest(canned: Canned, run: Run) -> None:
    """The others are acted on, the refused are named, and the exit code is 1."""
    canned.refuse("POST /v1/deliveries/dlv_1/redrive", 409, detail="it must be: dead")
    canned.on("POST /v1/deliveries/dlv_2/redrive", {"status": "pending"})
    code, out, err = run("redrive", "dlv_1", "dlv_2", "-r", "fixed", "--url", canned.url)
    assert code == 1
    assert out == "dlv_1: refused: it must be: dead\ndlv_2: pending\n"
    assert "1 of 2 were refused" in err


def piped(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process with `text` on its stdin."""
    program = [sys.executable, "-c", "from holdfast.cli import main; main()"]
    return subprocess.run(
        [*program, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60
    )


def test_ids_may_come_from_stdin(canned: Canned) -> None:
    """`ls -q | redrive -` works."""
    for name in ("dlv_1", "dlv_2"):
        canned.on(f"POST /v1/deliveries/{name}/redrive", {"status": "pending"})
    done = piped("dlv_1\ndlv_2\n", "redrive", "-", "-r", "fixed", "--url", canned.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "dlv_1: pending\ndlv_2: pending\n"


@pytest.mark.parametrize(
    "arguments", [("redrive", "dlv_1"), ("pause", "acme"), ("replay", "msg_1"), ("redrive",)]
)
def test_a_missing_reason_is_a_usage_error(run: Run, arguments: tuple[str, ...]) -> None:
    """Without reason (or ids) nothing is asked of the API: exit code 2."""
    code, _, err = run(*arguments)
    assert code == 2
    assert "Missing" in err


def test_reschedule_sends_an_instant(canned: Canned, run: Run) -> None:
    """--at goes to the API as UTC with milliseconds."""
    canned.on("POST /v1/deliveries/dlv_1/reschedule", {"status": "pending"})
    at = "2030-01-31T09:00+01:00"
    run("reschedule", "dlv_1", "--at", at, "-r", "their window", "--url", canned.url)
    assert canned.body() == {"at": "2030-01-31T08:00:00.000Z", "reason": "their window"}


def test_replay_names_the_new_deliveries(canned: Canned, run: Run) -> None:
    """A replay shows the new message and its deliveries."""
    receipt = {"message_id": "msg_2", "deliveries": [{"id": "dlv_9"}], "duplicate": False}
    canned.on("POST /v1/messages/msg_1/replay", receipt)
    out = run("replay", "msg_1", "-r", "they lost it", "--url", canned.url)[1]
    assert out == "msg_2: dlv_9\n"


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("pause", "acme"), "pause"),
        (("resume", "acme"), "resume"),
        (("breaker", "acme", "open"), "breaker/open"),
        (("breaker", "acme", "reset"), "breaker/reset"),
    ],
)
def test_lanes(canned: Canned, run: Run, arguments: tuple[str, ...], path: str) -> None:
    """Lane commands send the reason and show the lane as it is then."""
    lane = {"recipient": "acme", "breaker": "half_open", "pending": 1200, "paused": None}
    canned.on(f"POST /v1/recipients/acme/{path}", lane)
    out = run(*arguments, "-r", "their release", "--url", canned.url)[1]
    assert out == "acme: breaker half open, 1,200 waiting, probing, one delivery at a time\n"
    assert canned.body() == {"reason": "their release"}


def test_names_are_one_segment_of_the_path(canned: Canned, run: Run) -> None:
    """A name with a slash cannot reach another route."""
    run("breaker", "a/../b?x", "--url", canned.url)
    assert canned.asked[0][1] == "/v1/recipients/a%2F..%2Fb%3Fx/breaker"


def test_purge_asks_first(canned: Canned, run: Run) -> None:
    """Removing needs a yes; with it, the age goes to the API in ms."""
    canned.on("POST /v1/purge", {"payloads": 1200, "rows": 2, "events": 3, "keys": 4})
    arguments = ("purge", "--older-than", "7d", "-r", "quarter end", "--url", canned.url)
    assert piped("n\n", *arguments).returncode == 1
    assert canned.asked == []
    code, out, _ = run(*arguments, "--yes")
    assert (code, out) == (0, "1,200 payloads, 2 rows, 3 events, 4 keys\n")
    assert canned.body() == {"older_than_ms": 604_800_000, "reason": "quarter end"}
