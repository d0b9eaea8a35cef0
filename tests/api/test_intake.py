"""The way in: one message, batches, keys, limits, and what is refused."""

import json
from typing import Any

import pytest
from litestar.testing import TestClient

from holdfast.api.intake import CHUNK
from holdfast.errors import Overloaded, StoreError, StoreFull
from holdfast.testing.memory import MemoryEngine

ONE = "/v1/flows/leads/messages"
BATCH = "/v1/flows/leads/messages/batch"
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


def lines(answer: Any) -> list[dict[str, Any]]:
    """Return the lines of a batch's answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_one_message(client: TestClient[Any]) -> None:
    """A message is answered 202 with one pending delivery per step, in the flow's order."""
    answer = client.post(ONE, json={"payload": {"name": "Ada"}, "value": 125.5, "priority": 9})
    assert answer.status_code == 202
    body = answer.json()
    assert [one["recipient"] for one in body["deliveries"]] == ["acme", "beta"]
    assert {one["status"] for one in body["deliveries"]} == {"pending"}
    assert body["duplicate"] is False


async def test_payload_is_kept_byte_for_byte(client: TestClient[Any], engine: MemoryEngine) -> None:
    """No digit of a number is lost on the way in."""
    payload = b'{"big": 12345678901234567890123, "fine": 0.10, "odd": 1E400}'
    answer = client.post(ONE, content=b'{"payload": ' + payload + b"}", headers=JSON)
    message = await engine.message(answer.json()["message_id"])
    assert message.sealed == payload


def test_same_key_same_payload(client: TestClient[Any]) -> None:
    """A repeat gets 200 with the first answer; the header and the body name the same key."""
    first = client.post(ONE, json={"payload": {"a": 1}, "key": "k1"})
    again = client.post(ONE, json={"payload": {"a": 1}}, headers={"Idempotency-Key": "k1"})
    both = client.post(
        ONE, json={"payload": {"a": 1}, "key": "k1"}, headers={"Idempotency-Key": "k1"}
    )
    assert (first.status_code, again.status_code, both.status_code) == (202, 200, 200)
    assert again.json() == first.json() | {"duplicate": True} == both.json()


def test_same_key_other_payload(client: TestClient[Any]) -> None:
    """A key that came with another payload is a collision: 409 (S5.39, C16)."""
    client.post(ONE, json={"payload": {"a": 1}, "key": "k1"})
    answer = client.post(ONE, json={"payload": {"a": 2}, "key": "k1"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "IDEMPOTENCY_KEY_COLLISION"
    assert answer.json()["field"] == "key"


REFUSALS: list[tuple[bytes, int, str, str | None, str]] = [
    (b"", 400, "MALFORMED_JSON", "body", "the body is empty"),
    (b'{"payload": {"a": }}', 400, "MALFORMED_JSON", "body", "line 1, column 19 (byte 18)"),
    (b'{\n "payload":\n {]}', 400, "MALFORMED_JSON", "body", "line 3, column 3"),
    (b'{"payload": {', 400, "MALFORMED_JSON", "body", "it ends too early"),
    (b'{"payload": {}} {}', 400, "MALFORMED_JSON", "body", "column 18"),
    (b'{"payload": {"a": "\xff"}}', 400, "MALFORMED_JSON", "body", "not UTF-8"),
    (b'{"payload": {"a": NaN}}', 400, "MALFORMED_JSON", "body", "column 19"),
    (b'{"priority": "x", "payload": {]}', 400, "MALFORMED_JSON", "body", "column 31"),
    (b"[]", 422, "INVALID_INPUT", "body", "an object with: payload"),
    (b"{}", 422, "INVALID_INPUT", "payload", "an object; it is required"),
    (b'{"payload": [1]}', 422, "INVALID_INPUT", "payload", "a JSON object"),
    (b'{"payload": {}, "priority": 10}', 422, "INVALID_INPUT", "priority", "from 0 to 9"),
    (b'{"payload": {}, "priority": "high"}', 422, "INVALID_INPUT", "priority", "from 0 to 9"),
    (b'{"payload": {}, "priority": 1.5}', 422, "INVALID_INPUT", "priority", "an integer"),
    (b'{"payload": {}, "quality": 101}', 422, "INVALID_INPUT", "quality", "from 0 to 100"),
    (b'{"payload": {}, "value": -1}', 422, "INVALID_INPUT", "value", "a number from 0"),
    (b'{"payload": {}, "key": ""}', 422, "INVALID_INPUT", "key", "1 to 255 characters"),
    (b'{"payload": {}, "region": 5}', 422, "INVALID_INPUT", "region", "text"),
    (b'{"payload": {}, "consent": "yes"}', 422, "INVALID_INPUT", "consent", "an object"),
    (b'{"payload": {}, "not_before": "soon"}', 422, "INVALID_INPUT", "not_before", "ISO 8601"),
    (
        b'{"payload": {}, "expires_at": "2026-01-01T00:00:00"}',
        422,
        "INVALID_INPUT",
        "expires_at",
        "with offset",
    ),
    (b'{"payload": {}, "prority": 1}', 422, "INVALID_INPUT", "prority", "did you mean priority?"),
    (b'{"payload": {"a": "' + b"x" * 995 + b'"}}', 413, "TOO_LARGE", "payload", "1000 bytes"),
    (b'{"payload": {"a": "' + b"x" * 90_000 + b'"}}', 413, "TOO_LARGE", "body", "66536 bytes"),
    (
        b'{"payload": {"a": ' + b"[" * 3000 + b"]" * 3000 + b"}}",
        400,
        "MALFORMED_JSON",
        "body",
        "nested too deeply",
    ),
]


@pytest.mark.parametrize(("body", "status", "code", "field", "words"), REFUSALS)
def test_refusals(
    client: TestClient[Any],
    engine: MemoryEngine,
    *,
    body: bytes,
    status: int,
    code: str,
    field: str | None,
    words: str,
) -> None:
    """Bad input names field, value and allowed range, and changes nothing (promise 9)."""
    answer = client.post(ONE, content=body, headers=JSON)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem.get("field")) == (code, field)
    assert words in problem["detail"], problem
    assert engine.commits == []
    if status == 422:
        assert problem["allowed"]


@pytest.mark.parametrize(
    ("headers", "status", "field", "words"),
    [
        ({"Content-Type": "text/plain"}, 415, "content-type", "application/json"),
        ({"Content-Type": ""}, 415, "content-type", "application/json"),
        ({"Idempotency-Key": "other"}, 422, "key", "the same as the header Idempotency-Key"),
        ({"Idempotency-Key": ""}, 422, "idempotency-key", "1 to 255 characters"),
        ({"Idempotency-Key": "x" * 256}, 422, "idempotency-key", "1 to 255 characters"),
    ],
)
def test_refused_headers(
    client: TestClient[Any], headers: dict[str, Any], status: int, field: str, words: str
) -> None:
    """Content type and key are checked; a header that contradicts the body is refused."""
    body = b'{"payload": {}, "key": "mine"}'
    answer = client.post(ONE, content=body, headers=JSON | headers)
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (status, field)
    assert words in problem["detail"]


def test_content_type_may_have_parameters(client: TestClient[Any]) -> None:
    """`application/json; charset=utf-8` is JSON."""
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post(ONE, content=b'{"payload": {}}', headers=headers).status_code == 202


def test_unknown_flow(client: TestClient[Any]) -> None:
    """A flow that does not exist is 404 and names those that do."""
    answer = client.post("/v1/flows/leeds/messages", json={"payload": {}})
    problem = answer.json()
    assert answer.status_code == 404
    assert problem["known"] == ["leads", "one"]
    assert "'leeds'" in problem["detail"]
    assert (problem["field"], problem["value"]) == ("flow", "leeds")


@pytest.mark.parametrize("path", [ONE, BATCH])
def test_only_post(client: TestClient[Any], path: str) -> None:
    """Another method is 405 and says which one is allowed."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("trouble", "status", "code", "patience"),
    [
        (StoreFull("no space is left"), 507, "STORAGE_FULL", None),
        (Overloaded("10000 wait", retry_after_s=3), 503, "OVERLOADED", "3"),
        (StoreError("commit failed"), 503, "STORE_ERROR", "1"),
        (RuntimeError("secret detail"), 500, "INTERNAL", None),
    ],
)
@pytest.mark.parametrize(("path", "media"), [(ONE, JSON), (BATCH, NDJSON)])
def test_trouble_of_the_store(
    client: TestClient[Any],
    engine: MemoryEngine,
    *,
    path: str,
    media: dict[str, str],
    trouble: Exception,
    status: int,
    code: str,
    patience: str | None,
) -> None:
    """Nothing accepted is a plain refusal: 507, 503 with Retry-After, 500 without details."""
    engine.trouble = trouble
    answer = client.post(path, content=b'{"payload": {}}', headers=media)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("retry-after") == patience
    assert "secret" not in answer.text


def test_batch(client: TestClient[Any], engine: MemoryEngine) -> None:
    """Each line has one answer with its number; bad lines do not harm good ones; one commit."""
    body = b"\n".join(
        [
            b'{"payload": {"a": 1}, "key": "k"}',
            b"{nonsense",
            b"",
            b'{"payload": {"a": 1}, "key": "k"}',
            b'{"payload": {"a": 2}, "key": "k"}',
            b'{"payload": {}, "priority": 11}',
            b'{"payload": {"a": "' + b"x" * 1000 + b'"}}',
            b'{"payload": {}, "a": "' + b"x" * 70_000 + b'"}',
            b'{"payload": {"b": 1}}\r\n',
        ]
    )
    answers = lines(client.post(BATCH, content=body, headers=NDJSON))
    assert [(one["line"], one["status"]) for one in answers] == [
        (1, 202),
        (2, 400),
        (4, 200),
        (5, 409),
        (6, 422),
        (7, 413),
        (8, 413),
        (9, 202),
    ]
    assert answers[0]["duplicate"] is False
    assert answers[2]["message_id"] == answers[0]["message_id"]
    assert answers[4]["problem"]["field"] == "priority"
    assert engine.commits == [4]


def test_batch_of_many_chunks(client: TestClient[Any], engine: MemoryEngine) -> None:
    """Line numbers run through; a commit holds at most 1000 lines."""
    body = b'{"payload": {}}\n' * (2 * CHUNK + 1)
    answers = lines(client.post(BATCH, content=body, headers=NDJSON))
    assert [one["line"] for one in answers] == list(range(1, 2 * CHUNK + 2))
    assert engine.commits == [CHUNK, CHUNK, 1]


class FullLater(MemoryEngine):
    """An engine whose store is full after the first commit."""

    async def accept(self, *args: Any, **named: Any) -> Any:
        """Accept once."""
        if self.commits:
            raise StoreFull("no space is left")
        return await super().accept(*args, **named)


def test_batch_that_fails_half_way(client: TestClient[Any], engine: MemoryEngine) -> None:
    """What was accepted before the trouble stays accepted; the rest says why not, by line."""
    engine.__class__ = FullLater
    body = b'{"payload": {}}\n' * (CHUNK + 2)
    answers = lines(client.post(BATCH, content=body, headers=NDJSON))
    assert [one["status"] for one in answers[-3:]] == [202, 507, 507]
    assert answers[-1]["problem"]["code"] == "STORAGE_FULL"


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"{}\n" * 3001, {}, 422, "lines: 3002 is not allowed; allowed: at most 3000"),
        (b"x" * 200_001, {}, 413, "allowed: at most 200000 bytes"),
        (b"{}", {"Content-Type": "application/json"}, 415, "application/x-ndjson"),
        (b"{}", {"Idempotency-Key": "k"}, 422, "a key in each line"),
    ],
)
def test_refused_batches(
    client: TestClient[Any],
    engine: MemoryEngine,
    *,
    body: bytes,
    headers: dict[str, str],
    status: int,
    words: str,
) -> None:
    """A batch over a limit, of another type, or with a key of its own is refused whole."""
    answer = client.post(BATCH, content=body, headers=NDJSON | headers)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert engine.commits == []


def test_empty_batch(client: TestClient[Any]) -> None:
    """No lines in, no lines out."""
    assert lines(client.post(BATCH, content=b"\n \n", headers=NDJSON)) == []


def test_a_long_body_is_refused_before_it_is_read(client: TestClient[Any]) -> None:
    """A body without a length is cut off at the limit, and the connection is closed."""

    def endless() -> Any:
        while True:
            yield b"x" * 10_000

    sent = iter([next(endless()) for _ in range(30)])
    answer = client.post(ONE, content=sent, headers=JSON)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
