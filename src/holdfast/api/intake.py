"""The two intake routes, as plain ASGI in front of the framework.

They are the hot path: a framework's handling of a request costs more than all of this
(docs/decisions/0004-http-server.md).
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from holdfast.api.body import Receive, Send, check_media_type, decode, read, too_large
from holdfast.api.facade import Intake, Views
from holdfast.api.guard import Headers
from holdfast.api.problem import Problem, problem_of, unknown
from holdfast.config import Config
from holdfast.errors import HoldfastError, InvalidInput
from holdfast.model.shape import refuse
from holdfast.model.submission import KEY_CHARACTERS, Receipt, Routed, Submission

CHUNK: Final = 1000
"""Submissions of a batch that share one commit."""
ENVELOPE_BYTES: Final = 64 * 1024
"""Room for what stands around the payload."""
_JSON: Final = b"application/json"
_NDJSON: Final = b"application/x-ndjson"
_DECODER: Final = msgspec.json.Decoder(Submission)
_ENCODER: Final = msgspec.json.Encoder()


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one line of a batch: a receipt, or a problem."""

    line: Annotated[int, Meta(description="Number of the input line, from 1.", ge=1)]
    status: Annotated[int, Meta(description="202 accepted, 200 known already, 4xx or 5xx not.")]
    message_id: str | None = None
    deliveries: tuple[Routed, ...] | None = None
    duplicate: bool | None = None
    problem: Problem | None = None


class IntakeDoor:
    """Takes messages.

    Args:
        intake: where they go.
        views: knows the flows.
        config: the limits.
    """

    def __init__(self, intake: Intake, views: Views, config: Config) -> None:
        self._intake = intake
        self._views = views
        self._max_payload = config.engine.max_payload_bytes
        self._max_line = self._max_payload + ENVELOPE_BYTES
        self._max_lines = config.server.max_batch_lines
        self._max_batch = max(config.server.max_batch_bytes, self._max_line)

    async def one(self, flow: str, headers: Headers, receive: Receive, send: Send) -> None:
        """Serve `POST /v1/flows/{flow}/messages`."""
        account = self._account(flow)
        check_media_type(headers, _JSON)
        body = await read(headers, receive, self._max_line)
        submission = self._submission(body)
        if (key := headers.get(b"idempotency-key")) is not None:
            submission = _with_key(submission, key)
        answer = (await self._intake.accept(flow, (submission,), account=account))[0]
        if isinstance(answer, HoldfastError):
            raise answer
        status = 200 if answer.duplicate else 202
        await respond(send, status, _ENCODER.encode(answer), _JSON)

    async def batch(self, flow: str, headers: Headers, receive: Receive, send: Send) -> None:
        """Serve `POST /v1/flows/{flow}/messages/batch`: NDJSON in, one line out per line in."""
        account = self._account(flow)
        check_media_type(headers, _NDJSON)
        if b"idempotency-key" in headers:
            raise InvalidInput(
                "idempotency-key", "a header", "a key in each line; a batch has no key of its own"
            )
        lines = (await read(headers, receive, self._max_batch)).split(b"\n")
        if len(lines) - (not lines[-1].strip()) > self._max_lines:
            raise InvalidInput("lines", len(lines), f"at most {self._max_lines} in one batch")
        answers: list[bytes] = []
        for start in range(0, len(lines), CHUNK):
            chunk = lines[start : start + CHUNK]
            answers += await self._chunk(flow, account, start, chunk)
        await respond(send, 200, b"".join(answers), _NDJSON)

    async def _chunk(
        self, flow: str, account: str, start: int, lines: Sequence[bytes]
    ) -> list[bytes]:
        """Accept what is good of some lines in one commit; answer all that are not blank."""
        good: list[Submission] = []
        read_lines: list[tuple[int, HoldfastError | None]] = []
        for number, line in enumerate(lines, start + 1):
            if not line.strip():
                continue
            try:
                good.append(self._line(line))
                read_lines.append((number, None))
            except HoldfastError as error:
                read_lines.append((number, error))
        accepted = iter(await self._accept(flow, account, good, first=start == 0))
        answers = [(number, error or next(accepted)) for number, error in read_lines]
        return [_ENCODER.encode(_answer(number, answer)) + b"\n" for number, answer in answers]

    async def _accept(
        self, flow: str, account: str, good: list[Submission], *, first: bool
    ) -> Sequence[Receipt | HoldfastError]:
        if not good:
            return ()
        try:
            return await self._intake.accept(flow, good, account=account)
        except HoldfastError as error:
            if first:  # nothing is accepted yet, so the whole request may come again
                raise
            return [error] * len(good)

    def _line(self, line: bytes) -> Submission:
        if len(line) > self._max_line:
            raise too_large("the line", self._max_line, len(line))
        return self._submission(line)

    def _submission(self, body: bytes) -> Submission:
        submission = decode(body, _DECODER)
        payload = bytes(submission.payload)
        if len(payload) > self._max_payload:
            raise too_large("the payload", self._max_payload, len(payload))
        if payload[:1] != b"{":
            raise refuse("payload", payload.decode(), "a JSON object")
        return submission

    def _account(self, flow: str) -> str:
        flows = self._views.catalog.flows
        if flow not in flows:
            raise unknown("flow", flow, list(flows))
        return flows[flow].account


async def respond(
    send: Send, status: int, body: bytes, media_type: bytes, headers: dict[str, str] | None = None
) -> None:
    """Send a whole answer."""
    lines = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    for name, value in (headers or {}).items():
        lines.append((name.lower().encode(), value.encode()))
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": lines}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _with_key(submission: Submission, header: bytes) -> Submission:
    """Take the key from the header `Idempotency-Key`, which must not contradict the body's."""
    try:
        key = header.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("idempotency-key", header, "UTF-8 text") from error
    if not 1 <= len(key) <= KEY_CHARACTERS:
        raise refuse("idempotency-key", key, f"text of 1 to {KEY_CHARACTERS} characters")
    if submission.key is not None and submission.key != key:
        raise refuse("key", submission.key, f"the same as the header Idempotency-Key ({key!r})")
    return msgspec.structs.replace(submission, key=key)


def _answer(number: int, answer: Receipt | HoldfastError) -> Line:
    if isinstance(answer, Receipt):
        return Line(
            line=number,
            status=200 if answer.duplicate else 202,
            message_id=answer.message_id,
            deliveries=answer.deliveries,
            duplicate=answer.duplicate,
        )
    problem, _ = problem_of(answer)
    return Line(line=number, status=problem.status, problem=problem)
