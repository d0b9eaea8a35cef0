"""Failure groups and the review queue over HTTP."""

from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.model.delivery import Status
from holdfast.model.group import Group, GroupStatus
from holdfast.testing.memory import MemoryEngine

WHY = {"reason": "the partner asked"}
NAME = "g1_00000000000000aa"
AT = 1_767_225_600_000


@pytest.fixture
def dead(client: TestClient[Any], engine: MemoryEngine) -> str:
    """Return the id of a dead delivery in the only group."""
    body = {"payload": {"lead": {"zip": 1}}, "value": 7.5}
    sent = client.post("/v1/flows/one/messages", json=body).json()
    [name] = [each["id"] for each in sent["deliveries"]]
    engine.known_groups[NAME] = Group(
        NAME, "default", "one", "acme", "acme", "data", "422", "bad zip #", AT - 5, AT, 3
    )
    engine.put(
        msgspec.structs.replace(
            engine._deliveries[name],
            status=Status.DEAD,
            fingerprint=NAME,
            value=7.5,
            code="HARD_FAILURE",
            revision=4,
        )
    )
    return str(name)


def test_the_list_tells_what_fails(client: TestClient[Any], dead: str) -> None:
    """How much, since when, at what worth, and a search that means just that."""
    answer = client.get("/v1/groups").json()
    [line] = answer["items"]
    expected = {
        "key": NAME, "id": NAME, "q": f"group:{NAME}", "groups": 1, "status": "open",
        "owner": None, "failure_class": "data", "code": "422", "template": "bad zip #",
        "recipient": "acme", "flow": "one", "step": "acme", "recipients": ["acme"], "dead": 1,
        "pending": 0, "at_least": False, "value_at_risk": 7.5, "sample": dead, "failures": 3,
        "last_seen_at": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip
    assert {name: line[name] for name in expected} == expected
    assert len(line["spark"]) == 24
    assert answer["bucket_ms"] == 3_600_000
    found = client.get("/v1/deliveries", params={"q": line["q"]}).json()
    assert [each["id"] for each in found["items"]] == [dead]
    assert found["items"][0]["group"] == NAME


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ({"q": "recipient:acme"}, 1),
        ({"q": "recipient:beta"}, 0),
        ({"by": "class", "sort": "value", "window": "7d"}, 1),
        ({"status": "resolved,ignored"}, 0),
        ({"status": "open"}, 1),
        ({"cursor": 1}, 0),
    ],
)
def test_the_list_takes_filters(
    client: TestClient[Any], dead: str, asked: dict[str, Any], number: int
) -> None:
    """The search language, headings, statuses, pages."""
    del dead
    assert len(client.get("/v1/groups", params=asked).json()["items"]) == number


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"by": "colour"}, "by"), ({"status": "gone"}, "status"), ({"q": "x:y"}, "q"),
     ({"window": "1h"}, "window"), ({"limit": 0}, "limit"), ({"cursor": -1}, "cursor")],
)  # fmt: skip
def test_a_wrong_filter_is_named(
    client: TestClient[Any], asked: dict[str, Any], field: str
) -> None:
    """With what is allowed."""
    answer = client.get("/v1/groups", params=asked)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_group_explains_itself(client: TestClient[Any], dead: str) -> None:
    """Why these are one, samples, and who changed it and why."""
    client.post(f"/v1/groups/{NAME}/assign", json={**WHY, "owner": "bea"})
    answer = client.get(f"/v1/groups/{NAME}", params={"window": "3h"})
    shown = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert shown["explanation"]["version"] == 1
    assert shown["explanation"]["template"] == "bad zip #"
    assert [each["id"] for each in shown["samples"]] == [dead]
    [line] = shown["history"]
    assert (line["action"], line["reason"]) == ("group_assign", WHY["reason"])
    assert shown["group"]["owner"] == "bea"
    assert client.get("/v1/groups/g1_none").status_code == 404


def test_a_group_is_changed_by_compare_and_set(
    client: TestClient[Any], engine: MemoryEngine, dead: str
) -> None:
    """Each with a reason; a state that is not the one seen is 412, and shown."""
    del dead
    for verb, body, status in (
        ("resolve", {}, "resolved"),
        ("reopen", {}, "open"),
        ("ignore", {"until": "2027-01-01T00:00:00Z", "failures": 5}, "ignored"),
    ):
        assert client.post(f"/v1/groups/{NAME}/{verb}", json=body).status_code == 422, verb
        tag = client.get(f"/v1/groups/{NAME}").headers["etag"]
        answer = client.post(
            f"/v1/groups/{NAME}/{verb}", json={**WHY, **body}, headers={"If-Match": tag}
        )
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        again = client.post(
            f"/v1/groups/{NAME}/{verb}", json={**WHY, **body}, headers={"If-Match": tag}
        )
        assert again.status_code == 412
        assert again.json()["current"]["status"] == status
    assert engine.known_groups[NAME].status is GroupStatus.IGNORED
    assert client.get(f"/v1/groups/{NAME}").json()["group"]["until_failures"] == 8


def test_a_group_is_judged_and_taken_back(
    client: TestClient[Any], engine: MemoryEngine, dead: str
) -> None:
    """As it was seen, with a reason; the word must be said, also to take it back."""
    del dead
    path = f"/v1/groups/{NAME}/judge"
    for wrong, field in ((WHY, "nature"), ({**WHY, "nature": "gone"}, "nature"), (
        {"nature": "permanent"}, "reason"
    )):  # fmt: skip
        answer = client.post(path, json=wrong)
        assert (answer.status_code, field in answer.text) == (422, True), answer.text
    assert engine.known_groups[NAME].revision == 0
    body = {**WHY, "nature": "permanent"}
    first = client.post(path, json=body, headers={"If-Match": '"0"'})
    assert first.status_code == 200
    assert (first.json()["nature"], first.headers["etag"]) == ("permanent", '"1"')
    assert first.json()["judged_by"] == first.json()["changed_by"]
    assert client.get("/v1/groups").json()["items"][0]["nature"] == "permanent"
    late = client.post(path, json={**WHY, "nature": "temporary"}, headers={"If-Match": '"0"'})
    assert (late.status_code, late.json()["current"]["nature"]) == (412, "permanent")
    assert client.post(path, json=body).status_code == 409
    back = client.post(path, json={**WHY, "nature": None}, headers={"If-Match": '"1"'})
    assert (back.status_code, back.json()["nature"]) == (200, None)
    history = client.get(f"/v1/groups/{NAME}").json()["history"]
    assert [each["action"] for each in history] == ["group_judge", "group_judge"]


def test_a_cause_is_said_and_taken_back(
    client: TestClient[Any], engine: MemoryEngine, dead: str
) -> None:
    """Until then it is what the class suggests; the word must be said, also to take it back."""
    del dead
    path = f"/v1/groups/{NAME}/attribute"
    suggested = client.get(f"/v1/groups/{NAME}").json()["group"]
    assert (suggested["cause"], suggested["caused_by"]) == ("data", None)
    for wrong, field in (
        (WHY, "cause"), ({**WHY, "cause": "fate"}, "cause"), ({"cause": "system"}, "reason"),
    ):  # fmt: skip
        answer = client.post(path, json=wrong)
        assert (answer.status_code, field in answer.text) == (422, True), answer.text
    body = {**WHY, "cause": "system"}
    said = client.post(path, json=body, headers={"If-Match": '"0"'}).json()
    assert (said["cause"], said["caused_by"]) == ("system", said["changed_by"])
    [listed] = client.get("/v1/groups?by=cause").json()["items"]
    assert (listed["key"], listed["cause"]) == ("system", "system")
    assert client.post(path, json=body).status_code == 409
    back = client.post(path, json={**WHY, "cause": None}, headers={"If-Match": '"1"'}).json()
    assert (back["cause"], back["caused_by"]) == ("data", None)
    history = client.get(f"/v1/groups/{NAME}").json()["history"]
    assert [each["action"] for each in history] == ["group_attribute", "group_attribute"]
    assert engine.known_groups[NAME].cause is None


def test_the_queue_shows_what_is_whose(client: TestClient[Any], dead: str) -> None:
    """Dead deliveries, how many nobody looks at, and of which group they are."""
    before = client.get("/v1/review").json()
    assert (before["dead"], before["unassigned"]) == (1, 1)
    assert before["groups"][0]["id"] == NAME
    body = {**WHY, "assignee": "bea"}
    tag = client.get(f"/v1/deliveries/{dead}").headers["etag"]
    for status in (200, 412):
        answer = client.post(f"/v1/deliveries/{dead}/assign", json=body, headers={"If-Match": tag})
        assert answer.status_code == status
    after = client.get("/v1/review", params={"assignee": "bea", "q": f"group:{NAME}"}).json()
    assert [each["assignee"] for each in after["items"]] == ["bea"]
    assert after["assignees"] == [{"assignee": "bea", "count": 1, "value": 7.5, "oldest": dead}]
    assert client.get("/v1/review", params={"assignee": "nobody"}).json()["items"] == []
    wrong = client.get("/v1/review", params={"q": "status:pending"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "q")


def test_an_edit_answers_with_parent_and_child(client: TestClient[Any], dead: str) -> None:
    """And what differs, without the values; a dry run changes nothing."""
    path = f"/v1/deliveries/{dead}/edit"
    body: dict[str, Any] = {**WHY, "patch": {"lead": {"zip": "10115"}}}
    dry = client.post(path, json={**body, "dry_run": True}).json()
    assert dry["child"] is None
    assert dry["changes"] == [{"pointer": "/lead/zip", "change": "changed"}]
    done = client.post(path, json=body)
    assert done.status_code == 200
    child, parent = done.json()["child"], done.json()["parent"]
    assert (parent["status"], parent["code"]) == ("discarded", "SUPERSEDED")
    assert child["parent"] == dead
    lineage = client.get(f"/v1/deliveries/{child['id']}/lineage").json()
    assert [each["id"] for each in lineage["ancestors"]] == [dead]
    assert client.post(path, json=body).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "patch"),
        ({"patch": {}, "payload": {}}, "patch"),
        ({"patch": [1]}, "patch"),
        ({"patch": {}, "policy": {"max_retries": "x"}}, "policy.max_retries"),
        ({"patch": {}, "reason": " "}, "reason"),
    ],
)
def test_a_wrong_edit_is_named(
    client: TestClient[Any], dead: str, body: dict[str, Any], field: str
) -> None:
    """The field, and what is allowed."""
    answer = client.post(f"/v1/deliveries/{dead}/edit", json={**WHY, **body})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_payload_is_shown_with_a_reason(client: TestClient[Any], dead: str) -> None:
    """Who looked is on record."""
    path = f"/v1/deliveries/{dead}/payload"
    assert client.post(path, json={}).status_code == 422
    answer = client.post(path, json=WHY, headers={"Holdfast-Actor": "ann"})
    assert answer.json() == {"payload": {"lead": {"zip": 1}}, "masked": []}
    [note] = client.get("/v1/audit", params={"subject": dead}).json()["items"]
    assert (note["actor"], note["action"]) == ("ann", "reveal_payload")


def test_a_proof_has_a_shape(client: TestClient[Any], dead: str) -> None:
    """Reference, words, file; a digest is one."""
    path = f"/v1/deliveries/{dead}/prove"
    wrong = client.post(path, json={**WHY, "sha256": "abc"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "sha256")
    body = {**WHY, "reference": "A-77", "proof": "seen", "file": "a.png", "sha256": "0" * 64}
    assert client.post(path, json=body).json()["status"] == "delivered"
