"""Commands that read, against a server that answers as the API does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Canned, Run

DELIVERY: dict[str, Any] = {
    "id": "dlv_" + "a" * 32,
    "message_id": "msg_" + "b" * 32,
    "flow": "leads",
    "step": "to-acme",
    "recipient": "acme",
    "status": "pending",
    "attempts": 2,
    "created_at": "2026-01-31T08:00:00.000Z",
    "due_at": "2026-01-31T08:00:04.000Z",
    "expires_at": "2026-02-03T08:00:00.000Z",
    "hold_gate": None,
    "code": None,
    "reason": "HTTP 503",
}
DEAD: dict[str, Any] = DELIVERY | {
    "id": "dlv_" + "c" * 32,
    "status": "dead",
    "code": "HARD_FAILURE",
}
ATTEMPT = {
    "position": 7,
    "delivery_id": DELIVERY["id"],
    "recipient": "acme",
    "attempt_number": 0,
    "counted": True,
    "outcome": "error",
    "latency_ms": 12,
    "retry_timestamp": "2026-01-31T08:00:00.000Z",
    "failure_reason": "HTTP 503",
    "error_details": {"class": "server", "message": "503: busy \x1b[31m[bold]now[/bold]"},
    "success_indicators": None,
    "next_action": {"type": "retry", "at": "2026-01-31T08:00:02.000Z", "reason": "server"},
}
LANE = {
    "recipient": "acme",
    "breaker": "open",
    "reason": "5 failures in a row",
    "manual": True,
    "pending": 1200,
    "delivered": 3,
}


def test_ls_shows_deliveries_and_sends_its_filters(canned: Canned, run: Run) -> None:
    """Each filter reaches the API under its own name; the table says why."""
    canned.on("GET /v1/deliveries", {"items": [DEAD], "next_cursor": None})
    code, out, _ = run(
        *("ls", "--status", "dead", "--recipient", "acme", "--flow", "leads"),
        *("--failure-class", "data", "--since", "2026-01-31T08:00Z", "--limit", "5"),
        *("--url", canned.url),
    )
    assert code == 0
    assert canned.asked[0][2] == {
        "status": "dead",
        "recipient": "acme",
        "flow": "leads",
        "failure_class": "data",
        "since": "2026-01-31T08:00:00.000Z",
        "limit": "5",
    }
    assert DEAD["id"] in out
    assert "HARD_FAILURE, HTTP 503" in out


def test_ls_json_is_the_answer_as_it_is(canned: Canned, run: Run) -> None:
    """--json prints the API's bytes: no number loses a digit, no member is dropped."""
    body = b'{"items":[{"id":"dlv_1","value":12345678901234567890.10}],"next_cursor":null}'
    canned.on("GET /v1/deliveries", body)
    assert run("ls", "--json", "--url", canned.url)[1] == body.decode() + "\n"


def test_ls_all_follows_the_cursor(canned: Canned, run: Run) -> None:
    """--all reads page after page; -q prints ids that other commands take from stdin."""
    canned.on("GET /v1/deliveries", {"items": [DELIVERY], "next_cursor": DELIVERY["id"]})
    canned.on("GET /v1/deliveries", {"items": [DEAD], "next_cursor": None})
    code, out, _ = run("ls", "--all", "-q", "--url", canned.url)
    assert (code, out.split()) == (0, [DELIVERY["id"], DEAD["id"]])
    assert canned.asked[1][2] == {"limit": "1000", "cursor": DELIVERY["id"]}


def test_ls_says_that_there_is_more(canned: Canned, run: Run) -> None:
    """A cut list says so; an empty one too."""
    canned.on("GET /v1/deliveries", {"items": [DELIVERY, DEAD], "next_cursor": "x"})
    canned.on("GET /v1/deliveries", {"items": [], "next_cursor": None})
    out = run("ls", "--limit", "1", "--url", canned.url)[1]
    assert DEAD["id"] not in out
    assert "newest 1; --limit or --all shows more" in out
    assert run("ls", "--url", canned.url)[1] == "No delivery matches.\n"


def test_show_tells_the_timeline_and_why_it_waits(canned: Canned, run: Run) -> None:
    """Every attempt is on the timeline with what followed; the closed gate is named."""
    waiting = {"gate": "breaker", "until": None, "reason": "5 failures in a row"}
    canned.on(f"GET /v1/deliveries/{DELIVERY['id']}", DELIVERY | {"waiting": waiting})
    canned.on(
        f"GET /v1/deliveries/{DELIVERY['id']}/attempts",
        {"items": [ATTEMPT | {"position": 8, "attempt_number": 1, "counted": False}, ATTEMPT]},
    )
    code, out, _ = run("show", DELIVERY["id"], "--url", canned.url)
    assert code == 0
    assert "judged" not in out
    assert "waits for gate: breaker (5 failures in a row)" in out
    assert "2 attempts" in out
    assert out.index("  0 20") < out.index("  1 20")
    assert "[not counted]" in out
    assert "then retry at" in out


def test_show_says_by_whose_word_it_goes_on(canned: Canned, run: Run) -> None:
    """Who judged which group what, where that decided."""
    word = {"group": "g1_a", "nature": "temporary", "actor": "ann\x1b[31m"}
    canned.on(f"GET /v1/deliveries/{DELIVERY['id']}", DELIVERY)
    canned.on(
        f"GET /v1/deliveries/{DELIVERY['id']}/attempts", {"items": [ATTEMPT | {"judgement": word}]}
    )
    code, out, _ = run("show", DELIVERY["id"], "--url", canned.url)
    assert (code, "judged g1_a temporary" in out, "\x1b[31m" in out) == (0, True, False)


def test_show_names_every_closed_gate(canned: Canned, run: Run) -> None:
    """Each closed gate stands on a line of its own, with its reason, in the API's order."""
    gates = [
        {"gate": "hours", "until": None, "reason": "outside the business hours"},
        {"gate": "contact_hours", "until": None, "reason": None},
    ]
    shown = DELIVERY | {"waiting": gates[0], "why_not_now": gates}
    canned.on(f"GET /v1/deliveries/{DELIVERY['id']}", shown)
    canned.on(f"GET /v1/deliveries/{DELIVERY['id']}/attempts", {"items": []})
    out = run("show", DELIVERY["id"], "--url", canned.url)[1]
    assert out.index("gate: hours (outside the business hours)\n") < out.index("contact hours\n")


def test_nothing_from_outside_steers_the_terminal(canned: Canned, run: Run) -> None:
    """A partner's text is shown as text: no escape sequence, no markup."""
    canned.on(f"GET /v1/deliveries/{DELIVERY['id']}", DELIVERY)
    canned.on(f"GET /v1/deliveries/{DELIVERY['id']}/attempts", {"items": [ATTEMPT]})
    out = run("show", DELIVERY["id"], "--url", canned.url)[1]
    assert "\x1b" not in out
    assert "[bold]now[/bold]" in out


def test_show_takes_messages_too(canned: Canned, run: Run) -> None:
    """A message is shown with its deliveries."""
    message = {"id": DELIVERY["message_id"], "value": 12.5, "deliveries": [DELIVERY, DEAD]}
    canned.on(f"GET /v1/messages/{DELIVERY['message_id']}", message)
    code, out, _ = run("show", DELIVERY["message_id"], "--url", canned.url)
    assert code == 0
    assert "12.5" in out
    assert DEAD["id"] in out


def test_recipients_say_why_they_wait(canned: Canned, run: Run) -> None:
    """The table of lanes shows breaker, counts and the reason for waiting."""
    canned.on("GET /v1/recipients", {"items": [LANE], "next_cursor": None})
    code, out, _ = run("recipients", "--url", canned.url)
    assert code == 0
    assert "1,200" in out
    assert "held open by a person" in out


def test_events_come_oldest_first(canned: Canned, run: Run) -> None:
    """The newest events are printed in the order they were written; --since bounds them."""
    canned.on("GET /v1/events", {"items": [ATTEMPT | {"position": 9}, ATTEMPT]})
    code, out, _ = run("events", "--since", "2026-01-31T08:00Z", "--url", canned.url)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["7", "9"]
    assert canned.asked[0][2]["start"] == "2026-01-31T08:00:00.000Z"


def test_events_show_what_came_of_each_try(canned: Canned, run: Run) -> None:
    """Not what had made it necessary: a success does not stand beside an error."""
    good = {"error_details": None, "success_indicators": {"http_status": 201, "reference": "r7"}}
    late = {"error_details": {"code": "ETIMEDOUT", "message": None}, "position": 8}
    items = [ATTEMPT | good | {"position": 9, "outcome": "success"}, ATTEMPT | late, ATTEMPT]
    canned.on("GET /v1/events", {"items": items})
    first, second, third = run("events", "--url", canned.url)[1].splitlines()
    assert "503: busy" in first
    assert second.endswith("#0 ETIMEDOUT")
    assert third.endswith("#0 HTTP 201, reference r7")


def test_what_arrived_tells_its_last_trouble(canned: Canned, run: Run) -> None:
    """As such: it is not why it is delivered."""
    canned.on("GET /v1/deliveries", {"items": [DELIVERY | {"status": "delivered"}]})
    assert "last trouble: HTTP 503" in run("ls", "--url", canned.url)[1]


@pytest.mark.slow
def test_events_follow_goes_on_after_the_last(canned: Canned, run: Run) -> None:
    """-f asks for what came after the last position, as JSON one object a line."""
    canned.on("GET /v1/events", {"items": [ATTEMPT]})
    canned.on("GET /v1/events", {"items": [ATTEMPT | {"position": 8}]})
    canned.refuse("GET /v1/events", 401, detail="the bearer token is missing")
    code, out, err = run("events", "-f", "--json", "--url", canned.url)
    assert code == 1
    assert [json.loads(line)["position"] for line in out.splitlines()] == [7, 8]
    assert canned.asked[1][2]["after_id"] == "7"
    assert "HOLDFAST_TOKEN" in err


@pytest.mark.slow
def test_events_follow_begins_now_where_a_time_has_none(canned: Canned, run: Run) -> None:
    """And not with the first event of all."""
    canned.on("GET /v1/events", {"items": []})
    canned.on("GET /v1/events", {"items": [ATTEMPT | {"position": 90}]})
    canned.on("GET /v1/events", {"items": [ATTEMPT | {"position": 91}]})
    canned.refuse("GET /v1/events", 401, detail="the bearer token is missing")
    _, out, _ = run("events", "-f", "--since", "1m", "--json", "--url", canned.url)
    assert [json.loads(line)["position"] for line in out.splitlines()] == [91]
    assert canned.asked[2][2]["after_id"] == "90"


def test_audit_tells_who_and_why(canned: Canned, run: Run) -> None:
    """The audit journal is readable and can be asked for one subject."""
    note = {"at": "2026-01-31T08:00:00.000Z", "actor": "ann", "action": "pause", "subject": "acme"}
    canned.on("GET /v1/audit", {"items": [note | {"reason": "their release"}]})
    code, out, _ = run("audit", "--subject", "acme", "--url", canned.url)
    assert (code, "ann pause acme: their release" in out) == (0, True)
    assert canned.asked[0][2]["subject"] == "acme"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ({"detail": "wrong", "field": "limit", "allowed": "1 to 1000"}, "limit: wrong; allowed: 1"),
        ({"detail": "there is no flow 'x'", "known": ["leads"]}, "known: leads"),
        ({"title": "no"}, "error: no"),
    ],
)
def test_a_refusal_is_one_clear_line(
    canned: Canned, run: Run, problem: dict[str, object], said: str
) -> None:
    """Detail, field and what is allowed stand on one line of stderr; the exit code is 1."""
    canned.refuse("GET /v1/deliveries", 422, **problem)
    code, out, err = run("ls", "--url", canned.url)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert said in err


def test_the_token_is_sent(canned: Canned, run: Run) -> None:
    """--token reaches the API as a bearer token."""
    canned.on("GET /v1/recipients", {"items": []})
    run("recipients", "--token", "s3cret-token", "--url", canned.url)
    assert canned.headers[0]["authorization"] == "Bearer s3cret-token"


def test_not_reachable_says_how_to_start_it(run: Run) -> None:
    """Nothing listening is exit code 3 and says what to do."""
    code, _, err = run("ls", "--url", "http://127.0.0.1:9")
    assert code == 3
    assert "holdfast up" in err


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:8420", "ftp://x", "http://", "", "http://[::1", "http://localhost:99999"),
        *("http://localhost:port", "http://localhost:8420/?a=b", "http://local host"),
    ],
)
def test_a_bad_address_is_a_usage_error(run: Run, url: str) -> None:
    """An address that is none is exit code 2 and names the option."""
    code, _, err = run("ls", "--url", url)
    assert code == 2
    assert "--url" in err


def test_a_server_that_is_not_ours_is_noticed(canned: Canned, run: Run) -> None:
    """HTML instead of JSON is a clear line, not a traceback."""
    canned.on("GET /v1/deliveries", b"<html>hello</html>")
    code, _, err = run("ls", "--url", canned.url)
    assert (code, err.count("\n")) == (1, 1)


def test_show_of_a_name_is_the_lane_with_its_forecast(canned: Canned, run: Run) -> None:
    """What is no id is a recipient: its gates, and when its backlog is gone or why not."""
    gates = [{"gate": "hours", "until": "2099-01-01T09:00:00Z", "reason": "outside the hours"}]
    drain = {"p50": "2099-01-01T09:10:00Z", "p90": None, "unknown": "no [rate]", "backlog": 1200,
             "arrivals": 3.0, "rate": 2.5, "endless": 4}  # fmt: skip
    canned.on("GET /v1/recipients/acme", LANE | {"gates": gates, "drain": drain})
    code, out, _ = run("show", "acme", "--url", canned.url)
    assert code == 0
    for told in ("acme", "gate: hours", ", P90 unknown", "no [rate]", "4 wait for"):
        assert told in out
    canned.on("GET /v1/recipients/east", LANE | {"drain": drain | {"p50": None}})
    assert "gone       unknown" in run("show", "east", "--url", canned.url)[1]
