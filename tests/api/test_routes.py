"""Looking and acting: deliveries, messages, recipients, history."""

from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.model.attempt import (
    Attempt,
    ErrorDetails,
    Event,
    FailureClass,
    Network,
    NextAction,
    Partner,
    Result,
    Trigger,
)
from holdfast.model.delivery import Status
from holdfast.model.lane import ClosedGate
from holdfast.model.message import NEVER
from holdfast.model.view import LaneView
from holdfast.testing.memory import MemoryEngine

WHY = {"reason": "the partner asked"}

SOON = 1_767_225_600_000
"""The memory engine's time: 2026-01-01T00:00:00Z in ms."""


def send(client: TestClient[Any], flow: str = "one", **fields: Any) -> dict[str, Any]:
    """Send a message; return its receipt."""
    answer = client.post(f"/v1/flows/{flow}/messages", json={"payload": {"a": 1}} | fields)
    receipt: dict[str, Any] = answer.json()
    return receipt


async def kill(engine: MemoryEngine, delivery_id: str) -> None:
    """Put a delivery into the review queue."""
    delivery = await engine.delivery(delivery_id)
    engine.put(
        msgspec.structs.replace(
            delivery, status=Status.DEAD, code="HARD_FAILURE", failure_class="business"
        )
    )


def event(position: int, delivery_id: str = "dlv_" + "0" * 31 + "2") -> Event:
    """Return an event as the journal has it."""
    attempt = Attempt(
        event_id=f"evt_{position}",
        original_event_id="evt_1",
        delivery_id=delivery_id,
        message_id="msg_1",
        account="default",
        flow="one",
        step="acme",
        recipient="acme",
        endpoint="main",
        step_type="delivery",
        attempt_number=position - 1,
        generation=0,
        cumulative_attempt=position - 1,
        counted=True,
        trigger=Trigger.AUTOMATIC,
        trigger_detail="backoff",
        retry_timestamp=1_767_225_600_000 + position,
        retry_outcome="failure",
        outcome=Result.ERROR,
        retryable=True,
        request_timestamp=1_767_225_600_000,
        acknowledgment_timestamp=1_767_225_600_120,
        latency_ms=120,
        processing_time_ms=1.5,
        configuration="pol_1",
        next_action=NextAction("retry", 1_767_225_602_000, "server 503"),
        context="ctx_1",
        partner=Partner("closed", 0.9),
        network=Network(connect_ms=3.5),
        failure_class=FailureClass.SERVER,
        error_details=ErrorDetails("server", http_status=503, excerpt="try later"),
    )
    configuration = msgspec.Raw(b'{"strategy":"exponential","initial_delay":2.0}')
    context = msgspec.Raw(b'{"system":{"cpu":0.25},"queue":{"depth":3}}')
    return Event(position, attempt, configuration, context, None)


def test_delivery(client: TestClient[Any]) -> None:
    """A delivery shows instants as ISO 8601 in UTC with milliseconds, and why it waits."""
    delivery_id = send(client)["deliveries"][0]["id"]
    found = client.get(f"/v1/deliveries/{delivery_id}").json()
    assert found["created_at"] == "2026-01-01T00:00:00.000Z"
    assert (found["expires_at"], found["ended_at"]) == (None, None)
    assert found["waiting"] == {"gate": "backoff", "until": found["due_at"], "reason": None}


@pytest.mark.parametrize(
    ("gates", "hold", "decides", "until"),
    [
        ([("paused", NEVER)], None, "paused", None),
        ([("breaker", SOON + 5000)], None, "breaker", "05.000Z"),
        ([("hours", SOON + 9000), ("rate", SOON + 7000)], None, "hours", "09.000Z"),
        ([("rate", SOON - 7000)], None, "backoff", "2026-01-01T00:00:00.000Z"),
        ([("paused", NEVER)], "predecessor", "predecessor", "2026-01-01T00:00:00.000Z"),
        ([], "not_before", "not_before", "2026-01-01T00:00:00.000Z"),
    ],
)
async def test_why_it_waits(
    client: TestClient[Any],
    engine: MemoryEngine,
    *,
    gates: list[tuple[str, int]],
    hold: str | None,
    decides: str,
    until: str | None,
) -> None:
    """All closed gates are named in order, and the one that decides, with times and reasons."""
    delivery_id = send(client)["deliveries"][0]["id"]
    delivery = await engine.delivery(delivery_id)
    engine.put(msgspec.structs.replace(delivery, hold_gate=hold))
    closed = tuple(ClosedGate(gate, at, f"why {gate}") for gate, at in gates)
    engine.put_lane(LaneView(recipient="acme", gates=closed))
    found = client.get(f"/v1/deliveries/{delivery_id}").json()
    assert found["waiting"]["gate"] == decides
    assert str(found["waiting"]["until"]).endswith(str(until))
    names = [gate for gate, _ in gates]
    assert [one["gate"] for one in found["why_not_now"]] == [*names, hold or "backoff"]
    shown = client.get("/v1/recipients/acme").json()["gates"]
    assert [(one["gate"], one["reason"]) for one in shown] == [(n, f"why {n}") for n in names]


def test_a_consent_is_revoked(client: TestClient[Any]) -> None:
    """What waits of a message is discarded; who did it and why is on record (S1.127)."""
    message_id = send(client, "leads")["message_id"]
    body = {"reason": "she called"}
    answer = client.post(f"/v1/messages/{message_id}/consent", json=body)
    assert answer.status_code == 200
    ended = {(one["status"], one["code"]) for one in answer.json()["deliveries"]}
    assert ended == {("discarded", "CONSENT_REVOKED")}
    assert client.post(f"/v1/messages/{message_id}/consent", json={}).status_code == 422
    assert client.post("/v1/messages/msg_none/consent", json=body).status_code == 404
    lines = client.get(f"/v1/audit?subject={message_id}").json()["items"]
    assert [(one["action"], one["reason"]) for one in lines] == [("revoke_consent", "she called")]


async def test_list_and_filters(client: TestClient[Any], engine: MemoryEngine) -> None:
    """Lists are paged by cursor, newest first, and filtered by what the query names."""
    made = [one["id"] for _ in range(3) for one in send(client, "leads")["deliveries"]]
    await kill(engine, made[0])
    found = client.get("/v1/deliveries", params={"limit": 4}).json()
    rest = client.get("/v1/deliveries", params={"limit": 4, "cursor": found["next_cursor"]}).json()
    assert [one["id"] for one in found["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None

    def count(**query: Any) -> int:
        return len(client.get("/v1/deliveries", params=query).json()["items"])

    assert count(status="dead") == 1
    assert count(failure_class="business") == 1
    assert count(recipient="beta") == 3
    assert count(flow="one") == 0
    assert count(since="2026-01-01T00:00:00Z") == 6
    assert count(since="2026-01-01T01:00:00+01:00") == 6
    assert count(since="2026-01-01T00:00:00.001Z") == 0


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("/v1/deliveries?limit=0", "limit", "an integer from 1 to 1000"),
        ("/v1/deliveries?limit=1001", "limit", "an integer from 1 to 1000"),
        ("/v1/deliveries?limit=ten", "limit", "'ten' is not allowed"),
        ("/v1/deliveries?status=lost", "status", "pending, delivered, dead, discarded"),
        ("/v1/deliveries?failure_class=x", "failure_class", "timeout, connect, dns"),
        ("/v1/deliveries?since=yesterday", "since", "ISO 8601"),
        ("/v1/deliveries?cursor=7", "cursor", "matching ^dlv_"),
        ("/v1/deliveries?recipent=acme", "recipent", "did you mean recipient?"),
        ("/v1/deliveries?flow=", "flow", "a value"),
        ("/v1/deliveries?flow=a&flow=b", "flow", "it is given twice"),
        ("/v1/events?after_id=-1", "after_id", "an integer from 0"),
        ("/v1/events?after_id=1&before_id=2", "before_id", "either after_id or before_id"),
        ("/v1/events?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", "end", "after start"),
        ("/v1/events?cursor=1", "cursor", "one of: after_id"),
        ("/v1/audit?limit=0", "limit", "1 to 1000"),
        ("/v1/recipients?limit=5", "limit", "is not allowed"),
    ],
)
def test_bad_queries(client: TestClient[Any], path: str, field: str, words: str) -> None:
    """A wrong, unknown, empty or repeated parameter is named with what is allowed."""
    answer = client.get(path)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert words in answer.json()["detail"]


ACTIONS = ["redrive", "cancel", "discard", "undo", "prove", "reschedule"]


@pytest.mark.parametrize("verb", ACTIONS)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "reason: None is not allowed; allowed: text of 1 to 500 characters"),
        ({"reason": ""}, "1 to 500 characters"),
        ({"reason": "  "}, "reason: '  '"),
        ({"reason": "x" * 501}, "1 to 500 characters"),
        ({"reason": 5}, "reason: 5"),
        ({"reason": "x", "reson": "y"}, "reson: 'y'"),
        ([], "body: '[]'"),
    ],
)
def test_every_action_needs_a_reason(
    client: TestClient[Any], *, verb: str, body: Any, words: str
) -> None:
    """No action without a reason; what is wrong with the body is named."""
    if isinstance(body, dict) and verb == "reschedule":
        body = {"at": "2026-02-01T00:00:00Z"} | body
    answer = client.post(f"/v1/deliveries/dlv_1/{verb}", json=body)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


async def test_life_by_hand(client: TestClient[Any], engine: MemoryEngine) -> None:
    """Every action answers with the delivery as it is after it, and leaves an audit line."""
    delivery_id = send(client)["deliveries"][0]["id"]
    await kill(engine, delivery_id)

    def act(verb: str, **fields: Any) -> dict[str, Any]:
        answer = client.post(f"/v1/deliveries/{delivery_id}/{verb}", json=WHY | fields)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    assert act("discard")["status"] == "discarded"
    assert act("undo")["status"] == "dead"
    redriven = act("redrive", policy={"max_retries": 2}, endpoint="main")
    assert (redriven["status"], redriven["endpoint"]) == ("pending", "main")
    assert redriven["policy"] == {"max_retries": 2}
    later = act("reschedule", at="2026-02-01T00:00:00+01:00")
    assert later["due_at"] == "2026-01-31T23:00:00.000Z"
    assert act("cancel")["code"] == "CANCELLED"
    assert act("prove")["status"] == "delivered"
    notes = client.get("/v1/audit", params={"subject": delivery_id, "limit": 2}).json()["items"]
    assert [note["action"] for note in notes] == ["prove", "cancel"]


def test_not_allowed_from_here(client: TestClient[Any]) -> None:
    """What the state does not allow is 409 and says which states would."""
    delivery_id = send(client)["deliveries"][0]["id"]
    answer = client.post(f"/v1/deliveries/{delivery_id}/redrive", json=WHY)
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert "it must be: dead" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"policy": {"max_retry": 1}}, "policy.max_retry", "did you mean max_retries?"),
        ({"policy": {"strategy": "later"}}, "policy.strategy", "immediate, fixed, linear"),
        ({"policy": {"phases": [{}]}}, "policy.phases.0.strategy", "it is required"),
    ],
)
def test_bad_redrive_policy(
    client: TestClient[Any], fields: dict[str, Any], field: str, words: str
) -> None:
    """A wrong value deep in a policy is named with its dotted path."""
    problem = client.post("/v1/deliveries/dlv_1/redrive", json=WHY | fields).json()
    assert problem["field"] == field
    assert words in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/deliveries/dlv_9"),
        ("GET", "/v1/deliveries/dlv_9/attempts"),
        ("GET", "/v1/messages/msg_9"),
        ("POST", "/v1/deliveries/dlv_9/cancel"),
        ("POST", "/v1/messages/msg_9/replay"),
        ("GET", "/v1/recipients/nobody"),
        ("GET", "/v1/recipients/nobody/breaker"),
        ("POST", "/v1/recipients/nobody/pause"),
        ("GET", "/v2/deliveries"),
    ],
)
def test_not_found(client: TestClient[Any], method: str, path: str) -> None:
    """What does not exist, thing or route, is a 404 problem; recipients name the known ones."""
    answer = client.request(method, path, json=WHY if method == "POST" else None)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (404, "NOT_FOUND")
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.get("known") == (["acme", "beta"] if "nobody" in path else None)


def test_wrong_method(client: TestClient[Any]) -> None:
    """A method that a route does not take is a 405 problem with Allow."""
    answer = client.delete("/v1/deliveries")
    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["allow"]


def test_large_action_is_refused(client: TestClient[Any]) -> None:
    """The body of an action is bounded."""
    answer = client.post("/v1/recipients/acme/pause", json={"reason": "x" * 300_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


def test_message(client: TestClient[Any]) -> None:
    """A message shows everything but its payload; its consent keeps every digit."""
    made = send(client, "leads", key="k", consent={"at": 1.50}, value=125.0, region="EU")
    found = client.get(f"/v1/messages/{made['message_id']}").json()
    assert "payload" not in found
    assert "sealed" not in found
    assert (found["key"], found["value"], found["payload_kept"]) == ("k", 125.0, True)
    assert found["consent"] == {"at": 1.5}
    assert len(found["deliveries"]) == 2


def test_replay(client: TestClient[Any]) -> None:
    """A replay makes a new message with new deliveries, on record with who and why."""
    old = send(client)
    answer = client.post(
        f"/v1/messages/{old['message_id']}/replay", json=WHY, headers={"Holdfast-Actor": "ada"}
    )
    assert answer.status_code == 202
    assert answer.json()["deliveries"][0]["id"] != old["deliveries"][0]["id"]
    note = client.get("/v1/audit").json()["items"][0]
    assert (note["actor"], note["action"], note["reason"]) == ("ada", "replay", WHY["reason"])


@pytest.mark.parametrize("actor", ["", "x" * 101])
def test_bad_actor(client: TestClient[Any], actor: str) -> None:
    """The actor's name is bounded, as it goes into the audit journal."""
    answer = client.post("/v1/recipients/acme/pause", json=WHY, headers={"Holdfast-Actor": actor})
    assert (answer.status_code, answer.json()["field"]) == (422, "holdfast-actor")


def test_recipients(client: TestClient[Any]) -> None:
    """Recipients come with their lanes; of a URL only the origin is shown."""
    answer = client.get("/v1/recipients")
    acme, beta = answer.json()["items"]
    assert (acme["recipient"], beta["recipient"]) == ("acme", "beta")
    assert acme["description"] == "Buys solar leads"
    assert acme["endpoints"] == [
        {"name": "main", "method": "POST", "origin": "https://acme.example", "disabled": False}
    ]
    assert "secret" not in answer.text
    assert "s3cret" not in answer.text
    assert client.get("/v1/recipients/acme").json() == acme


def test_pause_and_breaker(client: TestClient[Any]) -> None:
    """A lane is paused, resumed, opened and reset; each answer shows the new state."""
    path = "/v1/recipients/acme"
    assert client.post(f"{path}/pause", json=WHY).json()["paused"] == WHY["reason"]
    assert client.post(f"{path}/resume", json=WHY).json()["paused"] is None
    opened = client.post(f"{path}/breaker/open", json=WHY).json()
    assert (opened["breaker"], opened["manual"], opened["retry_at"]) == ("open", True, None)
    assert client.get(f"{path}/breaker").json() == opened
    assert client.post(f"{path}/breaker/reset", json=WHY).json()["breaker"] == "closed"


def test_events(client: TestClient[Any], engine: MemoryEngine) -> None:
    """Events are shown flat, with shared snapshots joined; positions page both ways."""
    engine.journal = [event(position) for position in range(1, 6)]
    newest = client.get("/v1/events", params={"limit": 2}).json()
    assert [one["position"] for one in newest["items"]] == [5, 4]
    older = client.get("/v1/events", params={"before_id": newest["next_cursor"]}).json()
    assert [one["position"] for one in older["items"]] == [3, 2, 1]
    assert older["next_cursor"] is None
    after = client.get("/v1/events", params={"after_id": 3}).json()["items"]
    assert [one["position"] for one in after] == [4, 5]
    one = after[0]
    assert one["configuration"] == {"strategy": "exponential", "initial_delay": 2.0}
    assert one["context"]["system"] == {"cpu": 0.25}
    assert one["context"]["network"]["connect_ms"] == 3.5
    assert one["context"]["partner"]["breaker"] == "closed"
    assert one["error_details"] == {"class": "server", "http_status": 503, "excerpt": "try later"}
    assert one["next_action"]["at"] == "2026-01-01T00:00:02.000Z"
    assert one["retry_timestamp"] == "2026-01-01T00:00:00.004Z"


def test_events_by_time(client: TestClient[Any], engine: MemoryEngine) -> None:
    """`start` is inclusive, `end` exclusive."""
    engine.journal = [event(position) for position in range(1, 6)]
    query = {"start": "2026-01-01T00:00:00.002Z", "end": "2026-01-01T00:00:00.004Z"}
    found = client.get("/v1/events", params=query).json()["items"]
    assert [one["position"] for one in found] == [3, 2]


def test_attempts(client: TestClient[Any], engine: MemoryEngine) -> None:
    """A delivery's attempts come oldest first, in pages."""
    delivery_id = send(client)["deliveries"][0]["id"]
    engine.journal = [event(one, delivery_id) for one in (1, 3, 4)] + [event(2, "dlv_other")]
    path = f"/v1/deliveries/{delivery_id}/attempts"
    first = client.get(path, params={"limit": 2}).json()
    assert [one["position"] for one in first["items"]] == [1, 3]
    rest = client.get(path, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["position"] for one in rest["items"]] == [4]


def test_purge(client: TestClient[Any]) -> None:
    """A purge tells how much went."""
    send(client)
    answer = client.post("/v1/purge", json=WHY | {"older_than_ms": 0})
    assert answer.json()["payloads"] == 1
    assert client.post("/v1/purge", json=WHY | {"older_than_ms": -1}).status_code == 422


def test_flows(client: TestClient[Any]) -> None:
    """The flows in force are listed with their steps."""
    flows = client.get("/v1/flows").json()["items"]
    assert [flow["name"] for flow in flows] == ["leads", "one"]
    assert [step["recipient"] for step in flows[0]["steps"]] == ["acme", "beta"]


def test_probes(client: TestClient[Any], engine: MemoryEngine) -> None:
    """The probe healthz tells that we live, readyz that the store takes writes."""
    assert client.get("/healthz").json()["status"] == "alive"
    assert client.get("/readyz").json()["status"] == "ready"
    engine.writable = False
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")


def test_internal_errors_tell_nothing(client: TestClient[Any], engine: MemoryEngine) -> None:
    """An error of our own is a 500 problem without message or traceback."""
    engine.trouble = RuntimeError("password=hunter2")
    answer = client.post("/v1/recipients/acme/pause", json=WHY)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


def test_signals(client: TestClient[Any]) -> None:
    """A number from outside is set with a reason, and listed; what is no number is refused."""
    answer = client.put("/v1/signals/market.index", json={"value": 1.25, **WHY})
    assert answer.status_code == 200
    assert answer.json() == {
        "name": "market.index",
        "value": 1.25,
        "at": "2026-01-01T00:00:00.000Z",
        "actor": "api",
    }
    assert client.get("/v1/signals").json()["items"] == [answer.json()]
    (note,) = client.get("/v1/audit?subject=market.index").json()["items"]
    assert note["reason"] == WHY["reason"]
    assert client.put("/v1/signals/x", json={"value": "high", **WHY}).status_code == 422
    assert client.put("/v1/signals/x", json={"value": 1.0}).status_code == 422
