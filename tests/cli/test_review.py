"""Commands about failure groups and the review queue: what they ask, and what they show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.cli.groups import bars

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Canned, Run

GROUP: dict[str, Any] = {
    "id": "g1_a", "status": "open", "owner": "bea", "changed_by": "ann", "why": "so it is",
    "cause": "data", "caused_by": None, "resolutions": 3, "regressions": 2,
}  # fmt: skip
LINE: dict[str, Any] = {
    "key": "g1_a", "id": "g1_a", "status": "open", "owner": "bea", "recipient": "acme",
    "failure_class": "data", "code": "422", "template": "bad zip #", "dead": 1200, "pending": 3,
    "at_least": True, "value_at_risk": 99.5, "last_seen_at": None, "spark": [0, 1, 8],
}  # fmt: skip


def test_groups_are_listed(canned: Canned, run: Run) -> None:
    """Search and options go into the query."""
    canned.on("GET /v1/groups", {"items": [LINE]})
    options = ["--by", "error", "--sort", "value", "--window", "7d", "--status", "open"]
    code, out, err = run("groups", "ls", "recipient:acme", "age:<1d", *options, "--url", canned.url)
    assert code == 0, err
    assert "g1_a" in out
    assert "1,200+" in out
    assert "acme data 422 bad zip #" in out
    asked = canned.asked[-1][2]
    assert asked["q"] == "recipient:acme age:<1d"
    assert (asked["by"], asked["sort"], asked["window"]) == ("error", "value", "7d")


def test_alerts_are_listed(canned: Canned, run: Run) -> None:
    """What is new or came back, since when, how much, where and why."""
    item = {
        "group": "g1_a", "at": "2026-01-31T08:00:00.000Z", "kind": "regressed", "dead": 1000,
        "pending": 2, "at_least": True, "recipient": "acme", "failure_class": "data",
        "code": "422", "template": "bad \x1b[31mzip #",
    }  # fmt: skip
    canned.on("GET /v1/groups/alerts", {"items": [item], "since": None, "at_least": True})
    options = ("--window", "7d", "--limit", "3", "--url", canned.url)
    code, out, err = run("groups", "alerts", *options)
    assert (code, err) == (0, "")
    assert canned.asked[-1][2] == {"window": "7d", "limit": "3"}
    for told in ("g1_a", "regressed", "1,000+", "2+", "acme data 422 bad  [31mzip #"):
        assert told in out
    assert "there may be older ones" in out
    raw = run("groups", "alerts", "--json", "--url", canned.url)[1]
    assert json.loads(raw)["at_least"] is True


def test_bars_are_as_high_as_the_numbers() -> None:
    """The most fills a line; one of many still shows."""
    assert bars([0, 1, 8]) == " ▁█"
    assert bars([0, 0]) == "  "
    assert bars([]) == ""


def test_a_group_is_shown(canned: Canned, run: Run) -> None:
    """With its explanation, samples and history."""
    detail = {
        "group": GROUP,
        "line": LINE | {"recovered": 9, "lost": 1, "presumed": "temporary"},
        "explanation": {"version": 1, "text": "long", "template": "bad zip #"},
        "samples": [{"id": "dlv_1", "status": "dead", "recipient": "acme"}],
        "history": [{"at": None, "actor": "ann", "action": "group_assign", "reason": "hers"}],
    }
    canned.on("GET /v1/groups/g1_a", detail)
    code, out, err = run("groups", "show", "g1_a", "--url", canned.url)
    assert code == 0, err
    for part in (
        "g1_a: open, owner bea; ann: so it is",
        "1,200 dead",
        "9 of 10 that ended recovered by themselves: looks temporary",
        "bad zip #",
        "dlv_1",
        "hers",
    ):
        assert part in out


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["assign", "g1_a", "bea"], {"owner": "bea"}),
        (["assign", "g1_a"], {}),
        (["resolve", "g1_a"], {}),
        (["reopen", "g1_a"], {}),
        (["ignore", "g1_a", "--failures", "5"], {"failures": 5}),
        (["judge", "g1_a", "permanent"], {"nature": "permanent"}),
        (["judge", "g1_a", "none"], {"nature": None}),
        (["attribute", "g1_a", "security"], {"cause": "security"}),
        (["attribute", "g1_a", "none"], {"cause": None}),
    ],
)
def test_a_group_is_changed(
    canned: Canned, run: Run, words: list[str], body: dict[str, Any]
) -> None:
    """With a reason, which is asked for."""
    canned.on(f"POST /v1/groups/g1_a/{words[0]}", GROUP)
    assert run("groups", *words, "--url", canned.url)[0] == 2
    code, out, err = run("groups", *words, "-r", "so", "--url", canned.url)
    assert (code, out.startswith("g1_a: open")) == (0, True), err
    assert canned.body() == {"reason": "so", **body}


def test_a_judgement_is_shown(canned: Canned, run: Run) -> None:
    """With who gave it; another word than the three is refused before anything is sent."""
    judged = {**GROUP, "nature": "permanent", "judged_by": "bea"}
    canned.on("POST /v1/groups/g1_a/judge", judged)
    code, out, err = run("groups", "judge", "g1_a", "permanent", "-r", "gone", "--url", canned.url)
    assert (code, "owner bea, judged permanent by bea" in out) == (0, True), err
    assert run("groups", "judge", "g1_a", "always", "-r", "x", "--url", canned.url)[0] == 2
    canned.on("GET /v1/groups", {"items": [{**LINE, "nature": "permanent"}]})
    code, out, err = run("groups", "ls", "--url", canned.url)
    assert (code, "permanent" in out) == (0, True), err


def test_a_cause_is_shown(canned: Canned, run: Run) -> None:
    """With who said it, and whether what was resolved stayed away."""
    canned.on("POST /v1/groups/g1_a/resolve", GROUP)
    _, out, _ = run("groups", "resolve", "g1_a", "-r", "renewed", "--url", canned.url)
    assert "cause data, as its class suggests; resolved 3 times, came back 2" in out
    said = {**GROUP, "cause": "system", "caused_by": "bea", "resolutions": 0, "regressions": 0}
    canned.on("POST /v1/groups/g1_a/attribute", said)
    _, out, _ = run("groups", "attribute", "g1_a", "system", "-r", "full", "--url", canned.url)
    assert ("cause system, by bea's word" in out, "came back" in out) == (True, False)
    assert run("groups", "attribute", "g1_a", "fate", "-r", "x", "--url", canned.url)[0] == 2


def test_the_queue_is_shown(canned: Canned, run: Run) -> None:
    """How much is whose and of which group."""
    queue = {
        "dead": 12, "unassigned": 10, "items": [{"id": "dlv_1", "status": "dead"}],
        "assignees": [{"assignee": "bea", "count": 2, "value": 3.5}],
        "groups": [{"id": "g1_a", "recipient": "acme", "count": 9, "template": "bad zip #"}],
    }  # fmt: skip
    canned.on("GET /v1/review", queue)
    code, out, err = run("review", "ls", "--assignee", "bea", "--url", canned.url)
    assert code == 0, err
    for part in ("12 dead, 10 nobody's", "bea: 2, 3.50", "9 in g1_a acme", "dlv_1"):
        assert part in out
    assert canned.asked[-1][2]["assignee"] == "bea"


def test_a_payload_is_edited(canned: Canned, run: Run, tmp_path: Path) -> None:
    """From words or a file, as it is written; what differs is shown."""
    changes = [{"pointer": "/zip", "change": "changed"}]
    canned.on("POST /v1/deliveries/dlv_1/edit", {"child": {"id": "dlv_2"}, "changes": changes})
    options = ["-r", "so", "--url", canned.url]
    code, out, err = run(
        "review", "edit", "dlv_1", "--patch", '{"zip":1.10}', "--endpoint", "spare", *options
    )
    assert code == 0, err
    assert out == "dlv_1: dlv_2 takes its place\n  changed /zip\n"
    assert b'"patch":{"zip":1.10}' in canned.asked[-1][3]
    assert canned.body()["endpoint"] == "spare"
    (tmp_path / "new.json").write_text('{"zip": "1"}')
    code, _, err = run("review", "edit", "dlv_1", "--payload", f"@{tmp_path}/new.json", *options)
    assert code == 0, err
    assert canned.body()["payload"] == {"zip": "1"}
    for wrong in ([], ["--patch", "{}", "--payload", "{}"], ["--patch", "{"], ["--patch", "@no"]):
        code, _, err = run("review", "edit", "dlv_1", *wrong, *options)
        assert code == 2, wrong
        assert "patch" in err


def test_lineage_and_payload_are_shown(canned: Canned, run: Run) -> None:
    """The payload as it is written, alone on stdout."""
    canned.on(
        "GET /v1/deliveries/dlv_2/lineage",
        {
            "ancestors": [{"id": "dlv_1", "status": "discarded", "code": "SUPERSEDED"}],
            "children": [],
            "changes": [{"pointer": "", "change": "changed"}],
        },
    )
    code, out, err = run("review", "lineage", "dlv_2", "--url", canned.url)
    assert code == 0, err
    assert out == "ancestors: dlv_1 discarded SUPERSEDED\n  changed /\n"
    canned.on("POST /v1/deliveries/dlv_2/payload", b'{"payload":{"zip":1.10},"masked":[]}')
    code, out, err = run("review", "payload", "dlv_2", "-r", "so", "--url", canned.url)
    assert (code, out) == (0, '{"zip":1.10}\n'), err


def test_a_delivery_is_assigned(canned: Canned, run: Run) -> None:
    """To somebody, or to nobody."""
    canned.on("POST /v1/deliveries/dlv_1/assign", {"assignee": None})
    code, out, err = run("review", "assign", "dlv_1", "-r", "so", "--url", canned.url)
    assert (code, out) == (0, "dlv_1: nobody looks at it\n"), err


def test_overrides_and_proofs_go_into_the_body(canned: Canned, run: Run, tmp_path: Path) -> None:
    """A file is named with its digest; it is not sent."""
    options = ["-r", "so", "--url", canned.url]
    canned.on("POST /v1/deliveries/dlv_1/redrive", {"status": "pending"})
    override = ["--endpoint", "spare", "--policy", '{"max_retries":1}']
    assert run("redrive", "dlv_1", *override, *options)[0] == 0
    assert canned.body() == {
        "reason": "so", "endpoint": "spare", "policy": {"max_retries": 1}
    }  # fmt: skip
    canned.on("POST /v1/deliveries/dlv_1/prove", {"status": "delivered"})
    shot = tmp_path / "shot.png"
    shot.write_bytes(b"")
    given = ["--reference", "A-77", "--proof", "seen", "--file", str(shot)]
    assert run("prove", "dlv_1", *given, *options)[0] == 0
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert canned.body() == {
        "reason": "so", "reference": "A-77", "proof": "seen", "file": "shot.png", "sha256": empty
    }  # fmt: skip
