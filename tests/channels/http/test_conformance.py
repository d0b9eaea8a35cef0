"""The HTTP channel passes the suite that every channel passes."""

from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from holdfast.channel import Request
from holdfast.channels.http import HttpChannel
from holdfast.clock import SystemClock
from holdfast.model.flow import Endpoint
from holdfast.testing.channel_suite import FLOOD_BYTES, ChannelSuite, Manner
from holdfast.testing.partner import (
    Close,
    Drip,
    Partner,
    Script,
    Silence,
    answer,
    head,
)
from holdfast.testing.ports import free_port

MIB = 1 << 20
SCRIPTS: dict[Manner, Script] = {
    Manner.ACCEPTS: lambda _: [answer(200, b"{}")],
    Manner.REFUSES: lambda _: [answer(503, b"busy")],
    Manner.SILENT: lambda _: [Silence()],
    Manner.HANGS_UP: lambda _: [Close()],
    Manner.FLOODS: lambda _: [
        head(f"Content-Length: {FLOOD_BYTES}"),
        Drip(bytes(MIB), times=FLOOD_BYTES // MIB),
    ],
}


class HttpStage:
    """Partners behind one HTTP channel."""

    def __init__(self, partners: dict[Manner, Partner]) -> None:
        self.clock = SystemClock()
        self._channel = HttpChannel(self.clock)
        self._partners = partners
        self._absent = f"http://127.0.0.1:{free_port()}/"

    def channel(self) -> HttpChannel:
        """Return the channel."""
        return self._channel

    def request(self, manner: Manner, *, delivery_id: str = "dlv_1", attempt: int = 0) -> Request:
        """Return a request to the partner with these manners."""
        url = self._absent if manner is Manner.ABSENT else self._partners[manner].url
        return Request(
            endpoint=Endpoint(url=url, allow_private=True, total_timeout=1.0, capture_bytes=1000),
            payload=b"{}",
            delivery_id=delivery_id,
            message_id="msg_1",
            attempt=attempt,
            recipient="acme",
            flow="leads",
            step="deliver",
        )

    def keys(self, manner: Manner) -> list[str]:
        """Return the keys that arrived."""
        return [seen.headers["idempotency-key"] for seen in self._partners[manner].seen]


class TestHttpChannel(ChannelSuite):
    """The suite, over HTTP."""

    @pytest.fixture
    async def stage(self) -> AsyncIterator[HttpStage]:
        """Yield a stage with one partner per manner."""
        with ExitStack() as stack:
            partners = {
                manner: stack.enter_context(Partner(script)) for manner, script in SCRIPTS.items()
            }
            stage = HttpStage(partners)
            yield stage
            await stage.channel().close()
