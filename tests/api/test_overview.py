"""Overview, workers, and what holds for the steps of a flow."""

from typing import Any

from litestar.testing import TestClient

from holdfast.api import wire_overview
from holdfast.model.attempt import Jitter


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
