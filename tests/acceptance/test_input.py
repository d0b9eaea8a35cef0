"""Bad input over HTTP: an error that names field, value and range; nothing changes (promise 9)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.conftest import Answer, Holdfast, Launch

pytestmark = pytest.mark.slow

TOKEN: Final = "s3cret-token-of-the-test"
CONFIG: Final = f"""
[server]
token = "{TOKEN}"
max_batch_lines = 5
[engine]
max_payload_bytes = 2048
[recipients.acme]
url = "http://127.0.0.1:9/leads"
allow_private = true
[flows.leads]
[[flows.leads.steps]]
recipient = "acme"
[flows.news]
[[flows.news.steps]]
recipient = "acme"
"""
ONE: Final = "/v1/flows/leads/messages"
BATCH: Final = f"{ONE}/batch"
NDJSON: Final = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def holdfast(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    """Run one for all tests; it holds its lane, so that nothing moves."""
    with launch(tmp_path_factory.mktemp("input"), CONFIG) as made:
        made.token = TOKEN
        made.up()
        assert made.post("/v1/recipients/acme/pause", {"reason": "test"}).status == 200
        yield made


@pytest.fixture(autouse=True)
def unchanged(request: pytest.FixtureRequest, holdfast: Holdfast) -> Iterator[None]:
    """Nothing is accepted by what is refused; tests that accept something say how much."""
    before = holdfast.totals()["created"]
    yield
    accepts = request.node.get_closest_marker("parametrize") is None
    assert accepts or holdfast.totals()["created"] == before


def problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """Return the problem in an answer."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    found: dict[str, Any] = answer.json
    assert (found["status"], found["code"]) == (status, code), found
    assert found["type"] == f"urn:holdfast:problem:{code.lower().replace('_', '-')}"
    return found


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"payload": {"a": 1,}}', "line 1, column 21"),
        (b'{"payload":\n {"a" 1}}', "line 2, column 7"),
        (b"", "the body is empty"),
        (b'{"payload": {', "it ends too early"),
        (b'{"payload": {"a": "\xff"}}', "line 1, column 20"),
        (b"[" * 60_000, "too deeply"),
        (b'{"payload": {"a": %s}}' % (b"[" * 1000 + b"]" * 1000), "too deeply"),
    ],
)
def test_malformed_json(holdfast: Holdfast, body: bytes, where: str) -> None:
    """The place is named by line and column."""
    found = problem(holdfast.call("POST", ONE, body), 400, "MALFORMED_JSON")
    assert where in found["detail"]


@pytest.mark.parametrize(
    ("message", "field", "allowed"),
    [
        ({}, "payload", "required"),
        ({"payload": 1}, "payload", "a JSON object"),
        ({"payload": {}, "priority": 10}, "priority", "9"),
        ({"payload": {}, "priority": "high"}, "priority", "int"),
        ({"payload": {}, "value": -1}, "value", "0"),
        ({"payload": {}, "quality": 101}, "quality", "100"),
        ({"payload": {}, "key": ""}, "key", "1"),
        ({"payload": {}, "key": "k" * 256}, "key", "255"),
        ({"payload": {}, "key": "k\x00"}, "key", "matching"),
        ({"payload": {}, "not_before": "2026-01-01T00:00:00"}, "not_before", "offset"),
        ({"payload": {}, "expires_at": "soon"}, "expires_at", ""),
        ({"payload": {}, "urgent": True}, "urgent", "consent, expires_at, key"),
    ],
)
def test_wrong_values(
    holdfast: Holdfast, message: dict[str, Any], field: str, allowed: str
) -> None:
    """Field and allowed range are named."""
    found = problem(holdfast.post(ONE, message), 422, "INVALID_INPUT")
    assert found["field"] == field
    assert allowed in found["allowed"]
    shown = str(found.get("value", "None")).removesuffix("...")
    assert str(message.get(field)).startswith(shown)


@pytest.mark.parametrize("path", ["/v1/flows/lead/messages", "/v1/flows/lead/messages/batch"])
def test_unknown_flow(holdfast: Holdfast, path: str) -> None:
    """The known flows are listed."""
    found = problem(holdfast.post(path, {"payload": {}}), 404, "NOT_FOUND")
    assert (found["value"], found["known"]) == ("lead", ["leads", "news"])


@pytest.mark.parametrize("size", [2049, 3_000_000])
def test_a_payload_over_the_limit(holdfast: Holdfast, size: int) -> None:
    """It is refused with the limit, however large it is."""
    text = "x" * (size - len('{"a":""}'))
    found = problem(
        holdfast.call("POST", ONE, b'{"payload":{"a":"%s"}}' % text.encode()), 413, "TOO_LARGE"
    )
    assert "2048" in found["allowed"] or size > 100_000


def test_a_payload_at_the_limit(holdfast: Holdfast) -> None:
    """The limit itself is allowed."""
    text = "x" * (2048 - len('{"a":""}'))
    answer = holdfast.call("POST", ONE, b'{"payload":{"a":"%s"}}' % text.encode())
    assert answer.status == 202


def test_keys(holdfast: Holdfast) -> None:
    """The same again is the first answer, another payload or flow a collision."""
    message = {"payload": {"a": 1, "b": 2}, "key": "once"}
    first = holdfast.post(ONE, message)
    again = holdfast.call("POST", ONE, b'{"payload": {"b":2, "a":1}}', {"Idempotency-Key": "once"})
    assert (first.status, again.status) == (202, 200)
    assert again.json == first.json | {"duplicate": True}
    for path, other in ((ONE, {"a": 2}), ("/v1/flows/news/messages", {"a": 1, "b": 2})):
        answer = holdfast.post(path, {"payload": other, "key": "once"})
        found = problem(answer, 409, "IDEMPOTENCY_KEY_COLLISION")
        assert (found["field"], "'once'" in found["detail"]) == ("key", True)
    answer = holdfast.call("POST", ONE, json.dumps(message).encode(), {"Idempotency-Key": "two"})
    assert problem(answer, 422, "INVALID_INPUT")["field"] == "key"


def test_bad_lines_in_a_batch(holdfast: Holdfast) -> None:
    """Each line has its answer with its number; what is good is accepted."""
    lines = [
        b'{"payload": {"n": 1}}',
        b'{"payload": {"n": 2}',
        b"",
        b'{"payload": {"n": 4}, "priority": 77}',
        b'{"payload": {"n": 5}}',
    ]
    before = holdfast.totals()["created"]
    answer = holdfast.call("POST", BATCH, b"\n".join(lines), NDJSON)
    found = [json.loads(line) for line in answer.body.splitlines()]
    statuses = [(line["line"], line["status"]) for line in found]
    assert statuses == [(1, 202), (2, 400), (4, 422), (5, 202)]
    assert found[1]["problem"]["code"] == "MALFORMED_JSON"
    assert found[2]["problem"]["field"] == "priority"
    assert holdfast.totals()["created"] == before + 2


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b'{"payload":{}}\n' * 6, NDJSON, 422, "INVALID_INPUT"),
        (b'{"payload":{}}', {}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b'{"payload":{}}', NDJSON | {"Idempotency-Key": "k"}, 422, "INVALID_INPUT"),
    ],
)
def test_bad_batches(
    holdfast: Holdfast, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """Too many lines, another type, a key for all: nothing of it is accepted."""
    problem(holdfast.call("POST", BATCH, body, headers), status, code)


@pytest.mark.parametrize("given", ["", "Bearer wrong-token", f"Basic {TOKEN}", "Bearer \u00e9"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", ONE), ("GET", "/v1/deliveries"), ("GET", "/openapi.json")]
)
def test_wrong_tokens(holdfast: Holdfast, method: str, path: str, given: str) -> None:
    """Without the token there is 401 and nothing else; the probes are open."""
    answer = holdfast.call(method, path, b'{"payload":{}}', {"Authorization": given})
    problem(answer, 401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.body.decode()
    assert holdfast.call("GET", "/readyz", None, {"Authorization": given}).status == 200


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/deliveries?limit=1001", "limit"),
        ("/v1/deliveries?status=lost", "status"),
        ("/v1/deliveries?since=yesterday", "since"),
        ("/v1/deliveries?cursor=dlv_1", "cursor"),
        ("/v1/events?after_id=-1", "after_id"),
        ("/v1/events?colour=red", "colour"),
    ],
)
def test_bad_queries(holdfast: Holdfast, path: str, field: str) -> None:
    """Query parameters are checked like fields."""
    found = problem(holdfast.call("GET", path), 422, "INVALID_INPUT")
    assert found["field"] == field


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/deliveries/dlv_1/cancel", {"reason": "r"}, 404, "NOT_FOUND"),
        ("/v1/deliveries/dlv_1/cancel", {}, 422, "INVALID_INPUT"),
        ("/v1/deliveries/dlv_1/cancel", {"reason": ""}, 422, "INVALID_INPUT"),
        ("/v1/recipients/acne/pause", {"reason": "r"}, 404, "NOT_FOUND"),
        ("/v1/purge", {"reason": "r", "older_than_ms": -1}, 422, "INVALID_INPUT"),
        ("/v1/nowhere", {"reason": "r"}, 404, "NOT_FOUND"),
    ],
)
def test_bad_actions(
    holdfast: Holdfast, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    """Actions on what does not exist, or without a reason, are refused."""
    problem(holdfast.post(path, body), status, code)
