"""Operations over HTTP."""

from typing import Any

import pytest
from litestar.testing import TestClient

from holdfast.model.operation import Outcome, Result
from holdfast.testing.memory import MemoryEngine

ORDER: dict[str, Any] = {"kind": "cancel", "q": "status:pending", "reason": "not wanted"}
BODY = {"reason": "as agreed"}


def send(client: TestClient[Any], count: int = 3) -> None:
    """Send messages; nothing sends them on."""
    for number in range(count):
        client.post("/v1/flows/one/messages", json={"payload": {"n": number}})


def start(client: TestClient[Any], **fields: object) -> dict[str, Any]:
    """Start an operation and return it."""
    answer = client.post("/v1/operations", json={**ORDER, **fields})
    assert answer.status_code == 202, answer.text
    item: dict[str, Any] = answer.json()
    return item


def test_a_preview_tells_what_would_be_done(client: TestClient[Any]) -> None:
    """How many, of which recipients and classes, and some of them; nothing is saved."""
    send(client)
    answer = client.post("/v1/operations/preview", json=ORDER)
    shown = answer.json()
    assert (answer.status_code, shown["count"], shown["at_least"]) == (200, 3, False)
    assert len(shown["sample"]) == 3
    assert shown["strata"] == [{"recipient": "acme", "failure_class": None, "count": 3}]
    assert client.get("/v1/operations").json() == {"items": [], "next_cursor": None}
    begun = start(client, cut_off=shown["cut_off"])
    assert begun["cut_off"] == shown["cut_off"]


def test_an_operation_is_started_and_shown(client: TestClient[Any]) -> None:
    """With what was asked for, who asked and why; the audit journal has it as well."""
    send(client)
    answer = client.post("/v1/operations", json=ORDER, headers={"Holdfast-Actor": "ann"})
    begun = answer.json()
    assert (begun["expected"], begun["state"], begun["stage"]) == (3, "running", "main")
    assert (begun["actor"], begun["reason"], begun["remaining"]) == ("ann", "not wanted", 3)
    shown = client.get(f"/v1/operations/{begun['id']}")
    assert shown.json() == begun
    assert shown.headers["etag"] == f'"{begun["tag"]}"'
    (line,) = client.get("/v1/audit", params={"subject": begun["id"]}).json()["items"]
    assert (line["action"], line["actor"]) == ("operation_start", "ann")
    results = client.get(f"/v1/operations/{begun['id']}/results").json()
    assert results == {"items": [], "next_cursor": None}


def test_results_are_asked_for_by_outcome(client: TestClient[Any], engine: MemoryEngine) -> None:
    """Some of the outcomes; a word that is none is refused with those that there are."""
    name = start(client)["id"]
    shelf: Any = engine.operations._store
    told = (
        Result("dlv_1", Outcome.DELIVERED, "", 1, 0),
        Result("dlv_2", Outcome.FAILED, "", 1, 0),
        Result("dlv_3", Outcome.SKIPPED, "GONE", 1, 0),
    )
    shelf._results[name] = {each.delivery_id: each for each in told}
    for query, expected in (
        ("", ["dlv_3", "dlv_2", "dlv_1"]),
        ("?outcome=failed", ["dlv_2"]),
        ("?outcome=skipped,delivered", ["dlv_3", "dlv_1"]),
        ("?outcome=kept", []),
    ):
        found = client.get(f"/v1/operations/{name}/results{query}").json()
        assert [each["delivery_id"] for each in found["items"]] == expected, query
    refused = client.get(f"/v1/operations/{name}/results?outcome=failed,ok")
    assert (refused.status_code, refused.json()["field"]) == (422, "outcome")
    assert "delivered" in refused.json()["allowed"]


def test_operations_are_listed_page_by_page(client: TestClient[Any]) -> None:
    """Newest first."""
    names = [start(client)["id"] for _ in range(3)]
    first = client.get("/v1/operations", params={"limit": 2}).json()
    rest = client.get("/v1/operations", params={"cursor": first["next_cursor"]}).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == sorted(names, reverse=True)


def test_what_runs_is_listed_by_itself(client: TestClient[Any]) -> None:
    """However many ended since it was started."""
    running = start(client)
    paused = start(client)
    client.post(f"/v1/operations/{paused['id']}/pause", json=BODY)
    found = client.get("/v1/operations", params={"active": "true", "limit": 1}).json()["items"]
    assert [each["id"] for each in found] == [running["id"]]


def test_the_canary_that_was_asked_for_is_shown(client: TestClient[Any]) -> None:
    """Also before it is drawn and after its gate; an operation without one says so."""
    canary = {"size": 5, "bound": 0.5, "patience_seconds": 60.0}
    begun = start(client, kind="redrive", q="status:dead", canary=canary)
    assert begun["canary"] == canary
    assert start(client)["canary"] is None


def test_a_change_needs_the_present_state(client: TestClient[Any]) -> None:
    """Two people at one operation: the second is shown what the first did."""
    begun = start(client)
    path = f"/v1/operations/{begun['id']}"
    seen = client.get(path).headers["etag"]
    paused = client.post(f"{path}/pause", json=BODY, headers={"If-Match": seen})
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    assert paused.json()["why"] == "api: as agreed"
    late = client.post(f"{path}/cancel", json=BODY, headers={"If-Match": seen})
    assert (late.status_code, late.json()["current"]["state"]) == (412, "paused")
    resumed = client.post(f"{path}/resume", json=BODY)
    assert resumed.json()["state"] == "running"
    assert client.post(f"{path}/cancel", json=BODY).json()["state"] == "cancelled"
    again = client.post(f"{path}/cancel", json=BODY)
    assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")
    assert client.post(f"{path}/undo", json=BODY).status_code == 409


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"q": None}, "q"),
        ({"q": "status:dead"}, "q"),
        ({"q": "nonsense:1"}, "q"),
        ({"rate": 0}, "rate"),
        ({"batch": 501}, "batch"),
        ({"canary": {"size": 3}}, "canary"),
        ({"kind": "redrive", "q": "status:dead", "canary": {"size": 0}}, "canary.size"),
        ({"kind": "redrive", "q": "status:dead", "canary": {"size": 10}}, "canary.size"),
        ({"kind": "redrive", "q": "status:dead", "canary": {"bound": 1}}, "canary.bound"),
        ({"kind": "reschedule"}, "at"),
        ({"kind": "priority"}, "priority"),
        ({"kind": "priority", "priority": 10}, "priority"),
        ({"kind": "endpoint"}, "endpoint"),
        ({"endpoint": "spare"}, "endpoint"),
        ({"cut_off": "2999-01-01T00:00:00Z"}, "cut_off"),
        ({"cut_off": "1970-01-01T00:00:00Z"}, "cut_off"),
        ({"kind": "reschedule", "at": "1960-01-01T00:00:00Z"}, "at"),
        ({"ids": []}, "ids"),
        ({"ids": ["dlv_1"]}, "ids.0"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: TestClient[Any], fields: dict[str, Any], field: str
) -> None:
    """422 with the field; nothing is saved."""
    answer = client.post("/v1/operations", json={**ORDER, **fields})
    assert answer.status_code == 422, answer.text
    assert field in str(answer.json().get("field")) + answer.json()["detail"]
    assert client.get("/v1/operations").json()["items"] == []


def test_ids_can_be_named(client: TestClient[Any]) -> None:
    """Alone, or with a search that they must match as well."""
    send(client)
    ids = [each["id"] for each in client.get("/v1/deliveries").json()["items"]]
    named = start(client, q=None, ids=ids[:2])
    assert (named["expected"], named["ids"]) == (2, 2)
    both = start(client, q="recipient:beta", ids=ids[:2])
    assert both["expected"] == 0


@pytest.mark.parametrize("path", ["", "/results"])
def test_an_unknown_operation_is_not_found(client: TestClient[Any], path: str) -> None:
    """Whatever is asked of it."""
    assert client.get(f"/v1/operations/opr_0{path}").status_code == 404
    assert client.post("/v1/operations/opr_0/pause", json=BODY).status_code == 404
