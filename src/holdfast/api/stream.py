"""`GET /v1/stream`: server-sent events (WHATWG HTML, 9.2), as plain ASGI in front of the framework.

A listener that does not read is let go: words wait in a short queue, never in a growing buffer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from holdfast.api.body import Receive, Send, from_query
from holdfast.api.facade import Broadcast, Listener
from holdfast.api.guard import Headers
from holdfast.api.problem import Refused
from holdfast.api.wire import StreamQuery
from holdfast.errors import InvalidInput
from holdfast.model.message import NEVER
from holdfast.model.stream import Topic

PATH: Final = "/v1/stream"
LAST_WORD_S: Final = 1.0
"""So long one who is let go may take to read the last word."""
_HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
_CHUNK: Final = "http.response.body"

Holds = Callable[[], Awaitable[bool]]
"""Tells whether who listens may still do so."""


class StreamDoor:
    """Serves listeners.

    Args:
        broadcast: tells what changed.
        holds: asked before each word: a session may have ended, a token been revoked.
    """

    def __init__(self, broadcast: Broadcast, holds: Holds) -> None:
        self._broadcast = broadcast
        self._holds = holds

    async def serve(
        self, method: str, query: bytes, headers: Headers, receive: Receive, send: Send
    ) -> None:
        """Tell what changes, from now or from the position that the caller heard of last.

        Topics are `lanes`, `deliveries`, `operations` and `events`; without `topics` all of them.
        Words are hints: load what they name. The header `Last-Event-ID` (or `after_id`) goes on
        where a stream broke off; `reset` says that too much was missed. Whoever cannot hold a
        stream asks `GET /v1/events?after_id=` instead.
        """
        if method != "GET":
            detail = "the route takes only GET"
            raise Refused(
                405, "METHOD_NOT_ALLOWED", detail, allowed="GET", headers={"Allow": "GET"}
            )
        asked = from_query(parse_qsl(query.decode("latin-1"), keep_blank_values=True), StreamQuery)
        after = _position(headers.get(b"last-event-id"), asked.after_id)
        listener = await self._broadcast.listen(_topics(asked.topics), after)
        try:
            start: dict[str, Any] = {"type": "http.response.start", "status": 200}
            await send({**start, "headers": list(_HEADERS)})
            await _tell(listener, receive, send, self._holds)
        finally:
            self._broadcast.leave(listener)


async def _tell(listener: Listener, receive: Receive, send: Send, holds: Holds) -> None:
    """Send words until the listener has gone, is let go, or does not read any more."""
    sending = asyncio.create_task(_send_words(listener, send, holds))
    leaving = asyncio.create_task(_gone(receive))
    ending = asyncio.create_task(listener.ended.wait())
    tasks: set[asyncio.Task[Any]] = {sending, leaving, ending}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if ending.done() and not leaving.done():
            await asyncio.wait({sending}, timeout=LAST_WORD_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send_words(listener: Listener, send: Send, holds: Holds) -> None:
    while (words := await listener.next()) is not None and await holds():
        await send({"type": _CHUNK, "body": words, "more_body": True})
    await send({"type": _CHUNK, "body": b""})


async def _gone(receive: Receive) -> None:
    """Return when the caller hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _topics(text: str | None) -> list[Topic]:
    if text is None:
        return list(Topic)
    known = set(Topic)
    for name in text.split(","):
        if name not in known:
            raise InvalidInput("topics", name[:80], ", ".join(Topic) + "; joined by commas")
    return [Topic(name) for name in text.split(",")]


def _position(header: bytes | None, given: int | None) -> int | None:
    """Return the position to go on from: a reconnecting browser's header, or the parameter."""
    if header is None:
        return given
    text = header.decode("latin-1").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and int(text) <= NEVER):
        raise InvalidInput("last-event-id", text[:80], "the id of a word of this stream")
    return int(text)
