"""Commands about bulk work: what they ask of the API, and what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Canned, Run

ITEM: dict[str, Any] = {
    "id": "opr_1",
    "kind": "redrive",
    "state": "running",
    "q": "status:dead",
    "why": None,
    "reason": "fixed",
    "expected": 1200,
    "at_least": True,
    "changed": 1000,
    "waiting": 10,
    "delivered": 990,
    "skipped": 3,
    "skips": {"PREDECESSOR": 3},
}


def test_a_preview_shows_how_many_and_some(canned: Canned, run: Run) -> None:
    """What must be given to start is not asked for."""
    sample = [{"id": "dlv_1", "status": "pending", "recipient": "acme", "due_at": None}]
    strata = [{"recipient": "acme", "failure_class": None, "count": 7}]
    shown = {"count": 7, "at_least": True, "cut_off": "2026-01-01T00:00:00.000Z"}
    canned.on("POST /v1/operations/preview", {**shown, "sample": sample, "strata": strata})
    code, out, err = run(
        "operations", "preview", "reschedule", "recipient:acme", "age:>1h", "--url", canned.url
    )
    assert code == 0, err
    assert out.startswith("at least 7 deliveries until 2026-01-01")
    assert "acme, no class: 7" in out
    assert "dlv_1" in out
    assert (canned.body()["q"], canned.body()["kind"]) == ("recipient:acme age:>1h", "reschedule")


def test_an_operation_is_started(canned: Canned, run: Run) -> None:
    """Options go into the body; what is not given is left to the API."""
    canned.on("POST /v1/operations", ITEM, 202)
    options = ["--canary", "10", "--rate", "5", "-r", "fixed", "--url", canned.url]
    code, out, err = run("operations", "start", "redrive", "status:dead", *options)
    assert code == 0, err
    assert out.startswith("opr_1: redrive running, 1,000 of at least 1,200 changed, 10 waiting")
    assert "skipped PREDECESSOR: 3" in out
    body = canned.body()
    assert body["canary"] == {"size": 10, "bound": 0.8}
    assert (body["rate"], body["reason"], "priority" in body) == (5.0, "fixed", False)


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel", "undo"])
def test_an_operation_is_changed(canned: Canned, run: Run, verb: str) -> None:
    """With a reason, which is asked for."""
    canned.on(f"POST /v1/operations/opr_1/{verb}", {**ITEM, "why": "ann: later"})
    code, out, _ = run("operations", verb, "opr_1", "-r", "later", "--url", canned.url)
    assert (code, canned.body()) == (0, {"reason": "later"})
    assert "ann: later" in out
    assert run("operations", verb, "opr_1", "--url", canned.url)[0] == 2


def test_operations_are_listed_and_shown(canned: Canned, run: Run) -> None:
    """One line each; `--json` is what the API says."""
    canned.on("GET /v1/operations", {"items": [ITEM], "next_cursor": None})
    canned.on("GET /v1/operations/opr_1", ITEM)
    code, out, _ = run("operations", "ls", "--url", canned.url)
    assert code == 0
    assert "opr_1" in out
    assert "status:dead" in out
    assert run("operations", "show", "opr_1", "--json", "--url", canned.url)[1].startswith("{")


def test_results_come_as_lines_of_all_pages(canned: Canned, run: Run) -> None:
    """So that they can be piped on."""
    path = "GET /v1/operations/opr_1/results"
    canned.on(path, {"items": [{"delivery_id": "dlv_2"}], "next_cursor": "dlv_2"})
    canned.on(path, {"items": [{"delivery_id": "dlv_1"}], "next_cursor": None})
    code, out, _ = run("operations", "results", "opr_1", "--url", canned.url)
    assert (code, out) == (0, '{"delivery_id": "dlv_2"}\n{"delivery_id": "dlv_1"}\n')
    wanted = ("--outcome", "failed,ended")
    assert run("operations", "results", "opr_1", *wanted, "--url", canned.url)[0] == 0
    assert canned.asked[-1][2]["outcome"] == "failed,ended"


def test_square_brackets_are_text(canned: Canned, run: Run) -> None:
    """What somebody gave as a reason is no markup of ours."""
    canned.on("GET /v1/operations", {"items": [{**ITEM, "reason": "see [/x] and [red]y"}]})
    code, out, err = run("operations", "ls", "--url", canned.url)
    assert code == 0, err
    assert "see [/x] and [red]y" in out
