"""Overview, workers, and what holds for the steps of a flow."""

from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.api import wire_overview
from holdfast.model.attempt import Jitter
from holdfast.model.delivery import Status
from holdfast.model.group import Group, GroupStatus
from holdfast.testing.memory import MemoryEngine

NOW = 1_767_225_600_000


def test_the_overview_counts(client: TestClient[Any]) -> None:
    """What waits is counted, instants are text."""
    client.post("/v1/flows/leads/messages", json={"payload": {"a": 1}})
    found = client.get("/v1/overview").json()
    assert found["depth"] == 2
    assert found["at"] == "2026-01-01T00:00:00.000Z"
    assert client.get("/v1/overview?x=1").status_code == 422


def test_workers_are_a_page(client: TestClient[Any]) -> None:
    """Workers come as every list does; where one owns everything it has no lease."""
    (only,) = client.get("/v1/workers").json()["items"]
    assert (only["name"], only["epoch"], only["slots"]) == ("memory", 1, 8)
    assert only["lease_until"] is None
    assert only["share"] == only["lanes"]


def test_a_flow_tells_what_holds(client: TestClient[Any]) -> None:
    """Each step has its resolved policy, the origin of each field, and its schedule."""
    found = client.get("/v1/flows/leads").json()
    first = found["steps"][0]
    assert (first["step"], first["recipient"]) == ("acme", "acme")
    assert first["policy"]["max_retries"] == 3
    assert first["policy"]["origin"]["max_retries"] == "default"
    assert [one["retry"] for one in first["schedule"]] == [1, 2, 3]
    assert first["schedule"][0] == {
        "retry": 1,
        "low_ms": 1600,
        "high_ms": 2400,
        "earliest_ms": 1600,
        "latest_ms": 2400,
    }


def test_the_length_of_a_schedule_is_bounded(client: TestClient[Any]) -> None:
    """More retries than are allowed can be previewed, up to a limit."""
    longer = client.get("/v1/flows/leads?retries=7").json()["steps"][0]["schedule"]
    assert len(longer) == 7
    refused = client.get("/v1/flows/leads?retries=101")
    assert (refused.status_code, refused.json()["field"]) == (422, "retries")


def test_an_unknown_flow_names_those_that_exist(client: TestClient[Any]) -> None:
    """A wrong name is answered with the known ones."""
    answer = client.get("/v1/flows/nope")
    assert (answer.status_code, answer.json()["known"]) == (404, ["leads", "one"])


def test_a_schedule_adds_up() -> None:
    """Earliest and latest are sums of the delays before."""
    windows = [Jitter(low_ms=1, high_ms=2, draw_ms=2), Jitter(low_ms=10, high_ms=20, draw_ms=20)]
    found = wire_overview.schedule(windows)
    assert [(one.earliest_ms, one.latest_ms) for one in found] == [(1, 2), (11, 22)]


def failing(client: TestClient[Any], engine: MemoryEngine, name: str, priority: int) -> str:
    """Let a delivery die in a group and return its id."""
    body = {"payload": {"a": 1}, "priority": priority}
    sent = client.post("/v1/flows/one/messages", json=body).json()
    delivery_id: str = sent["deliveries"][0]["id"]
    known = engine._deliveries[delivery_id]
    engine.put(
        msgspec.structs.replace(known, status=Status.DEAD, fingerprint=name, reason="bad zip")
    )
    return delivery_id


def known(engine: MemoryEngine, name: str, **fields: Any) -> None:
    """Make a failure group known."""
    made = Group(
        name, "default", "one", "acme", "acme", "data", "422", "bad zip #", NOW - 5000, NOW, 3
    )
    engine.known_groups[name] = msgspec.structs.replace(made, **fields)


def test_alerts_are_new_groups_and_those_that_came_back(
    client: TestClient[Any], engine: MemoryEngine
) -> None:
    """The newest first, with place, reason, number and a sample; seen by the very next question."""
    assert client.get("/v1/groups/alerts").json()["items"] == []
    new, back, gone = (f"g1_{number:016x}" for number in (1, 2, 3))
    samples = [failing(client, engine, name, 5) for name in (new, back, gone)]
    known(engine, new)
    known(engine, back, status=GroupStatus.REGRESSED, first_at=1, regressed_at=NOW - 1000)
    known(engine, gone, status=GroupStatus.RESOLVED)
    found = client.get("/v1/groups/alerts").json()
    assert [(one["group"], one["kind"]) for one in found["items"]] == [
        (back, "regressed"),
        (new, "new"),
    ]
    assert found["items"][1] == {
        "kind": "new",
        "at": "2025-12-31T23:59:55.000Z",
        "group": new,
        "owner": None,
        "recipient": "acme",
        "flow": "one",
        "step": "acme",
        "failure_class": "data",
        "code": "422",
        "template": "bad zip #",
        "dead": 1,
        "pending": 0,
        "at_least": False,
        "failures": 3,
        "last_seen_at": "2026-01-01T00:00:00.000Z",
        "sample": samples[0],
    }
    assert (found["since"], found["at_least"]) == ("2025-12-31T00:00:00.000Z", False)
    few = client.get("/v1/groups/alerts?limit=1").json()
    assert ([one["group"] for one in few["items"]], few["at_least"]) == ([back], True)
    known(engine, new, first_at=NOW - 4 * 3_600_000)
    assert len(client.get("/v1/groups/alerts?window=3h").json()["items"]) == 1
    assert client.get("/v1/groups/alerts?window=1y").status_code == 422


def test_critical_is_what_fails_at_the_threshold(
    client: TestClient[Any], engine: MemoryEngine
) -> None:
    """By default from priority 7 on; the question may say another, within the range."""
    ids = {
        priority: failing(client, engine, "g1_00000000000000aa", priority) for priority in (7, 6, 9)
    }
    found = client.get("/v1/deliveries/critical").json()
    assert [one["id"] for one in found["items"]] == [ids[9], ids[7]]
    assert (found["priority"], found["count"], found["at_least"]) == (7, 2, False)
    lower = client.get("/v1/deliveries/critical?priority=6&limit=1").json()
    assert ([one["id"] for one in lower["items"]], lower["count"]) == ([ids[9]], 3)


@pytest.mark.parametrize("query", ["priority=10", "priority=-1", "limit=0", "limit=201", "x=1"])
def test_a_wrong_question_for_critical_is_refused(client: TestClient[Any], query: str) -> None:
    """Field, value and range are named."""
    answer = client.get(f"/v1/deliveries/critical?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, query.split("=", maxsplit=1)[0])
