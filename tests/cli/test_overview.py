"""Commands that show the whole, against a server that answers as the API does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cli.conftest import Canned, Run

LOAD: dict[str, Any] = {"cpu": 0.25, "memory": 0.5, "held": None}
WORKER: dict[str, Any] = {
    "name": "box:71",
    "epoch": 3,
    "host": "box",
    "pid": 71,
    "version": "1.2",
    "started_at": "2026-01-31T08:00:00.000Z",
    "lease_until": "2026-01-31T08:00:10.000Z",
    "in_flight": 7,
    "slots": 512,
    "open_slots": 16,
    "lanes": 4,
    "share": 6,
    "leaving": False,
    "load": LOAD,
}


def window(minutes: int, tries: int, good: int, p50: float | None) -> dict[str, Any]:
    """Return the sums of a window."""
    sums = {"minutes": minutes, "accepted": 9, "tries": tries, "successes": good}
    return sums | {"p50_ms": p50, "p95_ms": p50}


def test_overview(canned: Canned, run: Run) -> None:
    """Waiting, lanes and each window are shown; a window without tries has no share."""
    found = {
        "depth": 1234,
        "active": 3,
        "lanes": {"closed": 3, "open": 1, "recovery": 0},
        "windows": [window(1, 200, 150, 12.4), window(5, 0, 0, None)],
    }
    canned.on("GET /v1/overview", found)
    code, out, _ = run("overview", "--url", canned.url)
    assert code == 0
    assert "1,234 waiting, 3 under way; lanes: 3 closed, 1 open" in out
    assert "75.0%" in out
    assert "12 ms" in out


def test_workers(canned: Canned, run: Run) -> None:
    """Each worker is a line; of others the load is unknown."""
    alone = {"name": "alone", "lease_until": None, "load": None}
    lives = {"name": "lives", "lease_until": "2999-01-01T00:00:00.000Z", "leaving": True}
    items = [WORKER, WORKER | alone, WORKER | lives]
    canned.on("GET /v1/workers", {"items": items, "next_cursor": None})
    _, out, _ = run("workers", "--url", canned.url)
    late, single, leaving = out.splitlines()[1:]
    assert late.split()[:5] == ["box:71", "3", "box", "71", "1.2"]
    assert "25%" in late
    assert "not heard of in time" in late
    assert "25%" not in single
    assert "owns everything" in single
    assert "leaving, " in leaving


def test_policy(canned: Canned, run: Run) -> None:
    """Values stand beside their origin, and the schedule beside its delays."""
    policy = {"max_retries": 4, "origin": {"max_retries": "flow leads"}, "id": "abc"}
    retry = {"retry": 1, "low_ms": 800, "high_ms": 1200, "earliest_ms": 800, "latest_ms": 1200}
    step = {"step": "to-acme", "recipient": "acme", "policy": policy, "schedule": [retry]}
    canned.on("GET /v1/flows/leads", {"name": "leads", "steps": [step]})
    _, out, _ = run("policy", "leads", "--url", canned.url)
    assert "to-acme to acme" in out
    assert "flow leads" in out
    assert "0.8 s to 1.2 s" in out


def test_json_is_the_answer_itself(canned: Canned, run: Run) -> None:
    """`--json` prints what the API said."""
    for command, path in (("overview", "/v1/overview"), ("workers", "/v1/workers")):
        canned.on(f"GET {path}", b'{"x": 1}')
        assert run(command, "--json", "--url", canned.url)[1] == '{"x": 1}\n'
    canned.on("GET /v1/flows/leads", b'{"x": 2}')
    assert run("policy", "leads", "--json", "--url", canned.url)[1] == '{"x": 2}\n'
