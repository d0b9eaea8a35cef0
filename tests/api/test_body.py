"""Reading bodies: limits of size and time."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from holdfast.api.body import Gone, read
from holdfast.api.problem import Refused


class Wire:
    """Gives the prepared messages, then nothing more ever."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next message."""
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)


def chunk(body: bytes, *, more: bool) -> dict[str, Any]:
    """Return a part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


async def test_body_in_parts() -> None:
    """A body is put together from its parts."""
    wire = Wire(chunk(b"ab", more=True), chunk(b"cd", more=False))
    assert await read({}, wire.receive, 4) == b"abcd"


async def test_too_slow() -> None:
    """A body that stays away is given up (408), so that it cannot hold a connection for ever."""
    wire = Wire(chunk(b"ab", more=True))
    with pytest.raises(Refused) as caught:
        await read({}, wire.receive, 4, seconds=0.0)
    assert (caught.value.status, caught.value.code) == (408, "REQUEST_TIMEOUT")


async def test_too_long_stops_reading() -> None:
    """Nothing is read after the limit is passed."""
    wire = Wire(chunk(b"abcde", more=True), chunk(b"f", more=False))
    with pytest.raises(Refused) as caught:
        await read({}, wire.receive, 4)
    assert caught.value.status == 413
    assert len(wire.messages) == 1


async def test_gone() -> None:
    """A caller that hangs up is no error of ours."""
    wire = Wire(chunk(b"ab", more=True), {"type": "http.disconnect"})
    with pytest.raises(Gone):
        await read({}, wire.receive, 4)
