"""`holdfast emergency`, `elevate` and `lower`."""

import io
import json

import pytest
from tests.cli.conftest import Canned, Run

LANE = {"recipient": "acme", "breaker": "closed", "paused": None, "pending": 12}
OPERATIONS = [
    {"id": "opr_1", "kind": "redrive", "state": "running", "expected": 1200},
    {"id": "opr_2", "kind": "reschedule", "state": "running", "expected": 34, "at_least": True},
]
WORDS = ("emergency", "acme", "--reason", "outage 17")
EMERGENCY = "POST /v1/recipients/acme/emergency"


@pytest.fixture
def ready(canned: Canned) -> Canned:
    """Return a server that lets an emergency through."""
    canned.on("POST /v1/elevation", {"until": "2026-01-31T08:00:00.000Z"})
    canned.on(EMERGENCY, {"recipient": LANE, "operations": OPERATIONS}, 202)
    canned.on("DELETE /v1/elevation", {"until": None})
    return canned


def asked(canned: Canned) -> list[str]:
    """Return what was asked, in order."""
    return [f"{method} {path}" for method, path, _, _ in canned.asked]


def test_an_emergency_raises_acts_and_lowers(ready: Canned, run: Run) -> None:
    """With the name for scripts and a span; it says how the lane stands and what brings it home."""
    span = ("--since", "2026-01-01T00:00:00Z", "--until", "2026-01-02T01:00:00+01:00")
    words = (*WORDS, *span, "--confirm", "acme", "--token", "long-enough")
    code, out, _ = run(*words, "--url", ready.url)
    assert code == 0
    assert out.splitlines() == [
        "acme: breaker closed, 12 waiting",
        "opr_1: redrive running, 1,200 deliveries",
        "opr_2: reschedule running, at least 34 deliveries",
        "follow them with: holdfast operations show ID",
    ]
    assert asked(ready) == ["POST /v1/elevation", EMERGENCY, "DELETE /v1/elevation"]
    assert ready.body(0) == {"reason": "outage 17", "minutes": 1}
    assert ready.body(1) == {
        "reason": "outage 17",
        "since": "2026-01-01T00:00:00.000Z",
        "until": "2026-01-02T00:00:00.000Z",
        "confirm": "acme",
    }
    assert {each["authorization"] for each in ready.headers} == {"Bearer long-enough"}


def test_a_user_gives_its_password(
    ready: Canned, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is of this command: its cookie and mark go along, and it ends."""
    cookie = {"Set-Cookie": "holdfast=s3cret; Path=/; HttpOnly"}
    ready.on("POST /v1/session", {"name": "ada", "csrf": "m4rk"}, headers=cookie)
    ready.on("DELETE /v1/session", {"name": "ada"})
    monkeypatch.setattr("sys.stdin", io.StringIO("long and strange\n"))
    words = (*WORDS, "--user", "ada", "--password-stdin", "--confirm", "acme", "--json")
    code, out, _ = run(*words, "--url", ready.url)
    assert (code, json.loads(out)["operations"]) == (0, OPERATIONS)
    assert asked(ready) == [
        "POST /v1/session",
        "POST /v1/elevation",
        EMERGENCY,
        "DELETE /v1/elevation",
        "DELETE /v1/session",
    ]
    assert ready.body(0) == {"user": "ada", "password": "long and strange"}
    assert ready.body(1)["password"] == "long and strange"
    for sent in ready.headers[1:]:
        assert (sent["cookie"], sent["holdfast-csrf"]) == ("holdfast=s3cret", "m4rk")


def test_the_name_is_typed_once_more(
    ready: Canned, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for; another name ends it before anything was asked of the API."""
    monkeypatch.setattr("sys.stdin", io.StringIO("acme\n"))
    code, out, _ = run(*WORDS, "--url", ready.url)
    assert (code, "Type its name" in out, len(ready.asked)) == (0, True, 3)
    monkeypatch.setattr("sys.stdin", io.StringIO("acne\n"))
    code, _, err = run(*WORDS, "--url", ready.url)
    assert (code, "'acne' is not 'acme'; nothing was done" in err, len(ready.asked)) == (2, True, 3)
    code, _, err = run(*WORDS, "--confirm", "beta", "--url", ready.url)
    assert (code, "--confirm" in err, len(ready.asked)) == (2, True, 3)


def test_a_refused_emergency_lowers_as_well(canned: Canned, run: Run) -> None:
    """Nobody stays raised after what went wrong."""
    canned.on("POST /v1/elevation", {"until": "2026-01-31T08:00:00.000Z"})
    canned.refuse(EMERGENCY, 404, detail="no recipient 'acme'")
    canned.on("DELETE /v1/elevation", {"until": None})
    code, _, err = run(*WORDS, "--confirm", "acme", "--url", canned.url)
    assert (code, "no recipient 'acme'" in err) == (1, True)
    assert asked(canned)[-1] == "DELETE /v1/elevation"


def test_a_token_and_a_user_are_too_much(ready: Canned, run: Run) -> None:
    """Who asks is said once."""
    words = (*WORDS, "--confirm", "acme", "--user", "ada", "--token", "long-enough")
    code, _, err = run(*words, "--url", ready.url)
    assert (code, "--user" in err, ready.asked) == (2, True, [])


def test_elevate_and_lower(ready: Canned, run: Run) -> None:
    """The two calls by themselves, for what takes longer."""
    code, out, _ = run("elevate", "--reason", "outage 17", "--minutes", "5", "--url", ready.url)
    assert (code, "holdfast lower" in out) == (0, True)
    assert ready.body() == {"reason": "outage 17", "minutes": 5}
    code, out, _ = run("lower", "--url", ready.url)
    assert (code, out, asked(ready)[-1]) == (0, "as before\n", "DELETE /v1/elevation")
