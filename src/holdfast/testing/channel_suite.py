"""The conformance suite of channels: what the engine relies on, whatever the protocol.

A channel proves itself by a subclass in its tests:

    class TestMyChannel(ChannelSuite):
        @pytest.fixture
        def stage(self) -> Iterator[Stage]: ...

The stage sets up a partner of the channel's protocol with one of the behaviours of `Manner`.
"""

import asyncio
from enum import StrEnum
from typing import Protocol

import pytest

from holdfast.channel import Channel, Request
from holdfast.clock import Clock
from holdfast.model.attempt import FailureClass, Reply

FLOOD_BYTES = 64 * 1024 * 1024
"""At least so much a flooding partner offers."""
PATIENCE_S = 10.0
"""A send with a time-out of a second that takes longer than this hangs."""


class Manner(StrEnum):
    """How a partner behaves."""

    ACCEPTS = "accepts"
    """Takes the payload and says so."""
    REFUSES = "refuses"
    """Takes the payload and answers with an error."""
    SILENT = "silent"
    """Takes the payload and never answers."""
    HANGS_UP = "hangs_up"
    """Takes the payload and ends the connection without an answer."""
    ABSENT = "absent"
    """Cannot be connected to."""
    FLOODS = "floods"
    """Answers with `FLOOD_BYTES` or more."""


class Stage(Protocol):
    """A channel and partners for it."""

    @property
    def clock(self) -> Clock:
        """The clock that the channel was given."""
        ...

    def channel(self) -> Channel:
        """Return the one channel of this stage; it is closed by the stage."""
        ...

    def request(self, manner: Manner, *, delivery_id: str = "dlv_1", attempt: int = 0) -> Request:
        """Return a request to a partner that behaves so.

        The endpoint has a total time-out of at most a second and captures at most 1,000 bytes.
        """
        ...

    def keys(self, manner: Manner) -> list[str]:
        """Return the idempotency keys that the partner has received, in order."""
        ...


class ChannelSuite:
    """Subclass it, name the class `Test...` and give it a `stage` fixture."""

    @pytest.fixture
    def stage(self) -> Stage:
        """Return the stage; the subclass does."""
        raise NotImplementedError

    async def test_a_send_arrives_once_with_its_key(self, stage: Stage) -> None:
        """One call is one send on the wire, and the partner gets the delivery id as key."""
        reply = await stage.channel().send(stage.request(Manner.ACCEPTS))
        assert reply.error is None
        assert not reply.maybe_received
        assert stage.keys(Manner.ACCEPTS) == ["dlv_1"]

    async def test_every_attempt_carries_the_same_key(self, stage: Stage) -> None:
        """The key is the delivery's on every attempt (promise 3)."""
        for attempt in range(3):
            await stage.channel().send(stage.request(Manner.ACCEPTS, attempt=attempt))
        assert stage.keys(Manner.ACCEPTS) == ["dlv_1"] * 3

    async def test_many_sends_at_once_arrive_once_each(self, stage: Stage) -> None:
        """Concurrent sends do not disturb each other."""
        ids = [f"dlv_{number}" for number in range(50)]
        requests = [stage.request(Manner.ACCEPTS, delivery_id=name) for name in ids]
        replies = await asyncio.gather(*(stage.channel().send(request) for request in requests))
        assert all(reply.error is None for reply in replies)
        assert sorted(stage.keys(Manner.ACCEPTS)) == sorted(ids)

    async def test_the_times_are_the_clocks(self, stage: Stage) -> None:
        """Both instants are the clock's and in order; the duration is not negative."""
        before = stage.clock.now()
        reply = await stage.channel().send(stage.request(Manner.ACCEPTS))
        assert before <= reply.request_at <= reply.acknowledged_at <= stage.clock.now()
        assert reply.duration_ms >= 0

    async def test_a_refusal_is_not_tried_again(self, stage: Stage) -> None:
        """An error answer is a whole answer: no error of ours, one send (promise 4)."""
        reply = await stage.channel().send(stage.request(Manner.REFUSES))
        assert reply.error is None
        assert len(stage.keys(Manner.REFUSES)) == 1

    async def test_silence_ends_in_time_and_in_doubt(self, stage: Stage) -> None:
        """A partner that never answers costs the total time-out and leaves doubt."""
        reply = await self._bounded(stage, Manner.SILENT)
        assert reply.error is FailureClass.TIMEOUT
        assert reply.error_code == "ETIMEDOUT"
        assert reply.maybe_received
        assert len(stage.keys(Manner.SILENT)) == 1

    async def test_hanging_up_leaves_doubt_and_is_not_tried_again(self, stage: Stage) -> None:
        """What was written may have been processed; the channel does not send it again."""
        reply = await self._bounded(stage, Manner.HANGS_UP)
        assert reply.error in {FailureClass.CONNECT, FailureClass.PROTOCOL}
        assert reply.maybe_received
        assert len(stage.keys(Manner.HANGS_UP)) == 1

    async def test_an_absent_partner_has_surely_not_received_it(self, stage: Stage) -> None:
        """Without a connection there is an error, a code, and no doubt."""
        reply = await self._bounded(stage, Manner.ABSENT)
        assert reply.error is FailureClass.CONNECT
        assert reply.error_code
        assert reply.status is None
        assert not reply.maybe_received

    async def test_a_flood_is_cut(self, stage: Stage) -> None:
        """At most `capture_bytes` of an answer are kept, and the reply says that it was longer."""
        request = stage.request(Manner.FLOODS)
        reply = await self._bounded(stage, Manner.FLOODS)
        assert len(reply.body) <= request.endpoint.capture_bytes
        assert reply.truncated

    async def test_cancelling_ends_the_send(self, stage: Stage) -> None:
        """`CancelledError` comes through, and the channel goes on to work."""
        task = asyncio.create_task(stage.channel().send(stage.request(Manner.SILENT)))
        while not stage.keys(Manner.SILENT):
            await asyncio.wait({task}, timeout=0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        reply = await stage.channel().send(stage.request(Manner.ACCEPTS))
        assert reply.error is None

    async def test_closing_cuts_sends_under_way(self, stage: Stage) -> None:
        """A send that is cut is a reply in doubt; later sends are replies as well."""
        channel = stage.channel()
        task = asyncio.create_task(channel.send(stage.request(Manner.SILENT)))
        while not stage.keys(Manner.SILENT):
            await asyncio.wait({task}, timeout=0.01)
        await channel.close()
        reply = await task
        assert reply.error is FailureClass.CANCELLED
        assert reply.maybe_received
        late = await channel.send(stage.request(Manner.ACCEPTS))
        assert late.error is FailureClass.CANCELLED
        assert not late.maybe_received
        assert stage.keys(Manner.ACCEPTS) == []

    async def test_closing_twice_is_harmless(self, stage: Stage) -> None:
        """`close` may be called again."""
        await stage.channel().close()
        await stage.channel().close()

    async def _bounded(self, stage: Stage, manner: Manner) -> Reply:
        async with asyncio.timeout(PATIENCE_S):
            return await stage.channel().send(stage.request(manner))
