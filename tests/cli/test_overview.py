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
    "configuration": 0,
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

SPOOL: dict[str, Any] = {
    "on": True,
    "messages": 1700,
    "bytes": 2 << 20,
    "since": "2026-01-31T08:00:00.000Z",
    "kept": 1,
    "limit_bytes": 256 << 20,
    "refusal": None,
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
        "workers": [{"spool": None}, {"spool": SPOOL}],
    }
    canned.on("GET /v1/overview", found)
    code, out, _ = run("overview", "--url", canned.url)
    assert code == 0
    assert "1,234 waiting, 3 under way; lanes: 3 closed, 1 open" in out
    assert "the store is away; 1,700 messages in the spool since " in out
    assert "(2.0 of 256.0 MiB); 1 files of the spool" in out
    assert "75.0%" in out
    assert "12 ms" in out


def test_the_overview_of_an_account_has_no_windows(canned: Canned, run: Run) -> None:
    """What waits is told; an empty table is not."""
    found = {"depth": 3, "active": 0, "lanes": {"closed": 1}, "windows": [], "workers": []}
    canned.on("GET /v1/overview", found)
    code, out, _ = run("overview", "--url", canned.url)
    assert (code, out) == (0, "3 waiting, 0 under way; lanes: 1 closed\n")


def test_workers_tell_of_their_spool(canned: Canned, run: Run) -> None:
    """Also when it is empty: how much it takes; and why it takes nothing."""
    empty = SPOOL | {"on": False, "messages": 0, "kept": 0}
    shut = empty | {"refusal": "its disk is full"}
    items = [
        WORKER | {"name": name, "load": LOAD | {"spool": spool}}
        for name, spool in (("one", SPOOL), ("two", empty), ("three", shut), ("four", None))
    ]
    canned.on("GET /v1/workers", {"items": items, "next_cursor": None})
    _, out, _ = run("workers", "--url", canned.url)
    first, second, third = out.splitlines()[5:]
    assert first.startswith("one: the store is away; 1,700 messages in the spool since ")
    assert second == "two: nothing in the spool, which takes 256.0 MiB"
    assert third == "three: the spool takes nothing: its disk is full"


def test_critical(canned: Canned, run: Run) -> None:
    """How many at the least, of which priority, and each delivery."""
    item = {"id": "dlv_1", "status": "dead", "recipient": "acme", "reason": "bad zip"}
    found = {"items": [item], "priority": 8, "count": 10_000, "at_least": True}
    canned.on("GET /v1/deliveries/critical", found)
    options = ("--priority", "8", "--limit", "5")
    code, out, _ = run("critical", *options, "--url", canned.url)
    assert code == 0
    assert canned.asked[-1][2] == {"priority": "8", "limit": "5"}
    assert out.startswith("at least 10,000 of priority 8 or above fail\n")
    assert "dlv_1" in out
    assert "bad zip" in out
    assert run("critical", "--priority", "10", "--url", canned.url)[0] == 2


def test_workers(canned: Canned, run: Run) -> None:
    """Each worker is a line; of others the load is unknown."""
    alone = {"name": "alone", "lease_until": None, "load": None}
    lives = {"name": "lives", "lease_until": "2999-01-01T00:00:00.000Z", "leaving": True}
    items = [WORKER, WORKER | alone, WORKER | lives]
    canned.on("GET /v1/workers", {"items": items, "next_cursor": None})
    _, out, _ = run("workers", "--url", canned.url)
    late, single, leaving = out.splitlines()[1:]
    assert late.split()[:6] == ["box:71", "3", "box", "71", "1.2", "-"]
    assert "25%" in late
    assert "not heard of in time" in late
    assert "25%" not in single
    assert "owns everything" in single
    assert "leaving, " in leaving


def test_workers_that_started_with_different_configurations(canned: Canned, run: Run) -> None:
    """Which versions these are, and how to see what differs; one without a file is no other."""
    items = [WORKER | {"configuration": number} for number in (7, 0, 5, 7)]
    canned.on("GET /v1/workers", {"items": items, "next_cursor": None})
    _, out, _ = run("workers", "--url", canned.url)
    (line,) = out.splitlines()[5:]
    assert line.startswith("workers started with versions 5 and 7 of the configuration: ")
    assert "holdfast config diff 7 --against 5" in line


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
    for command, path in (
        ("overview", "/v1/overview"),
        ("workers", "/v1/workers"),
        ("critical", "/v1/deliveries/critical"),
    ):
        canned.on(f"GET {path}", b'{"x": 1}')
        assert run(command, "--json", "--url", canned.url)[1] == '{"x": 1}\n'
    canned.on("GET /v1/flows/leads", b'{"x": 2}')
    assert run("policy", "leads", "--json", "--url", canned.url)[1] == '{"x": 2}\n'
