"""Bodies: read with a limit, then decoded with errors that name the place."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeVar

import msgspec

from holdfast.api.problem import Refused
from holdfast.errors import InvalidInput
from holdfast.model.shape import explain, refuse

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_SECONDS: Final = 30.0
"""A body that takes longer to arrive is given up."""
_CLOSE: Final = {"Connection": "close"}
_BYTE: Final = re.compile(r"\(byte (\d+)\)")


class Gone(Exception):  # not an error of ours: the caller hung up
    """The caller closed the connection before its body was complete."""


async def read(
    headers: Mapping[bytes, bytes], receive: Receive, limit: int, seconds: float = BODY_SECONDS
) -> bytes:
    """Return the body, or refuse it once it is known to exceed `limit` bytes.

    Raises:
        Refused: too large (413), or too slow (408).
        Gone: the caller hung up.
    """
    length = headers.get(b"content-length")
    if length is not None and length.isdigit() and int(length) > limit:
        raise too_large("the body", limit, int(length))
    try:
        async with asyncio.timeout(seconds):
            body, more = await _chunk(receive)
            while more:
                if len(body) > limit:
                    break
                chunk, more = await _chunk(receive)
                body += chunk
    except TimeoutError as error:
        detail = f"the body did not arrive within {seconds:g} s"
        raise Refused(408, "REQUEST_TIMEOUT", detail, headers=_CLOSE) from error
    if len(body) > limit:
        raise too_large("the body", limit, None)
    return body


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)


def too_large(what: str, limit: int, size: int | None) -> Refused:
    """Return the refusal of something larger than `limit` bytes."""
    given = f"has {size} bytes" if size is not None else "is larger"
    return Refused(
        413,
        "TOO_LARGE",
        f"{what} {given}; allowed: at most {limit} bytes",
        field=what.removeprefix("the "),
        value=size,
        allowed=f"at most {limit} bytes",
        headers=_CLOSE,
    )


def check_media_type(headers: Mapping[bytes, bytes], wanted: bytes) -> None:
    """Refuse another content type; it also keeps forms of foreign web pages out."""
    given = headers.get(b"content-type", b"")
    if given != wanted and given.partition(b";")[0].strip().lower() != wanted:
        name = wanted.decode()
        raise Refused(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            f"the body must be {name}; send the header Content-Type: {name}",
            field="content-type",
            value=given.decode("latin-1") or None,
            allowed=name,
        )


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode JSON.

    Raises:
        Refused: it is not JSON (400); the detail says where.
        InvalidInput: it is, but not what is wanted; names field, value and range.
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec does not look into raw parts
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _explained(error, body, decoder.type) from error
    except msgspec.DecodeError as error:
        raise _malformed(str(error), body) from error
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8 text (byte {error.start})", body) from error
    except RecursionError as error:
        raise _malformed("nested too deeply", body) from error


def _explained(error: msgspec.ValidationError, body: bytes, kind: Any) -> Exception:
    try:
        return explain(error, msgspec.json.decode(body), kind)
    except msgspec.DecodeError as worse:  # the wrong value came before the malformed place
        return _malformed(str(worse), body)
    except RecursionError:
        return _malformed("nested too deeply", body)


def _malformed(text: str, body: bytes) -> Refused:
    where = "the body is empty" if not body.strip() else "it ends too early"
    if found := _BYTE.search(text):
        at = int(found[1])
        before = body[:at]
        column = at - (before.rfind(b"\n") + 1) + 1
        line = before.count(b"\n") + 1
        where = f"line {line}, column {column} (byte {at})"
    elif "deeply" in text:
        where = "it is nested too deeply"
    what = text.partition("(byte")[0].removeprefix("JSON is malformed: ").strip()
    detail = f"malformed JSON: {where}" + (f": {what}" if found else "")
    return Refused(400, "MALFORMED_JSON", detail, field="body")


def from_query(given: list[tuple[str, str]], kind: type[T]) -> T:
    """Convert query parameters; unknown and repeated ones are refused."""
    values: dict[str, str] = {}
    for name, value in given:
        if name in values:
            raise InvalidInput(name, value, "one value; it is given twice")
        if not value:
            raise InvalidInput(name, value, "a value; without the parameter it is not asked")
        values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        found = explain(error, values, kind)
        raise refuse(found.field, found.value, found.allowed) from error
