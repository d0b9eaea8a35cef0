"""Searches over the API: what they find, what they refuse, and that no text breaks the door."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient

from holdfast.model.delivery import Status
from holdfast.testing.memory import MemoryEngine


def sent(client: TestClient[Any], number: int, flow: str = "leads") -> list[str]:
    """Send messages and return the ids of their deliveries."""
    made = []
    for index in range(number):
        answer = client.post(
            f"/v1/flows/{flow}/messages", json={"payload": {"n": index}, "value": index * 10.0}
        )
        made += [one["id"] for one in answer.json()["deliveries"]]
    return made


async def died(engine: MemoryEngine, delivery_id: str, **fields: Any) -> None:
    """Let a delivery be dead."""
    delivery = await engine.delivery(delivery_id)
    engine.put(msgspec.structs.replace(delivery, status=Status.DEAD, **fields))


async def test_one_search_for_list_and_count(client: TestClient[Any], engine: MemoryEngine) -> None:
    """Both take the same query, alone or with single filters."""
    made = sent(client, 3)
    await died(engine, made[0], failure_class="timeout", reason="read: timed out", http_status=504)
    await died(engine, made[2], failure_class="data", reason="no tax_id", http_status=422)
    for query, ids in (
        ("status:dead", [made[2], made[0]]),
        ("status:dead class:timeout", [made[0]]),
        ("http:400..499", [made[2]]),
        ('"TAX_ID"', [made[2]]),
        ("value:>=10 recipient:beta", [made[5], made[3]]),
        ("-status:dead flow:leads value:<10", [made[1]]),
        ("age:>1s", []),
    ):
        found = client.get("/v1/deliveries", params={"q": query}).json()
        assert [one["id"] for one in found["items"]] == ids, query
        count = client.get("/v1/deliveries/count", params={"q": query}).json()
        assert count == {"count": len(ids), "at_least": False}, query
    both = client.get("/v1/deliveries", params={"q": "status:dead", "failure_class": "data"}).json()
    assert [one["id"] for one in both["items"]] == [made[2]]
    assert client.get("/v1/deliveries/count").json()["count"] == 6


@pytest.mark.parametrize(
    ("query", "position", "qualifier", "allowed"),
    [
        ("status:deaf", 8, "status", "pending, delivered, dead, discarded"),
        ("colour:red", 1, "qualifier", "status, recipient"),
        ('flow:"open', 6, "text", "closing"),
        ("/email:ada", 1, "field", "flows.NAME.search"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/deliveries", "/v1/deliveries/count"])
def test_a_query_that_cannot_be_read_is_explained(
    client: TestClient[Any], path: str, query: str, *, position: int, qualifier: str, allowed: str
) -> None:
    """422 with place, qualifier and what is allowed, for programs and for people."""
    answer = client.get(path, params={"q": query})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (422, "INVALID_QUERY", "q")
    assert (problem["position"], problem["qualifier"]) == (position, qualifier)
    assert allowed in problem["allowed"]


def test_one_field_is_said_once(client: TestClient[Any]) -> None:
    """A filter and a query that speak of the same field might contradict."""
    answer = client.get("/v1/deliveries", params={"q": "status:dead", "status": "pending"})
    assert (answer.status_code, answer.json()["field"]) == (422, "status")


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    text=st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            ["status:dead", "-", '"', "'", ";", "--", ":", ",", " ", "age:>", "1h", "/a:", "\\",
             "%00", "recipient:", "OR 1=1", "value:..", "http:", "\x00", "\ud7ff", "\U0001d4b3"]
        ),
        max_size=12,
    ).map("".join)
)  # fmt: skip
def test_no_text_breaks_the_door(client: TestClient[Any], text: str) -> None:
    """Whatever is asked is answered, or refused with 422; never with 500."""
    for path in ("/v1/deliveries", "/v1/deliveries/count"):
        for name in ("q", "recipient", "flow", "message_id"):
            answer = client.get(path, params={name: text})
            assert answer.status_code in {200, 422}, (name, text, answer.text)
