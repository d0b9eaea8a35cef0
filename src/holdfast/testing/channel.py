"""A channel that follows a script instead of a wire; time passes as the script says."""

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec

from holdfast.channel import Request
from holdfast.clock import Clock
from holdfast.model.attempt import FailureClass, Reply


class Scripted(msgspec.Struct, frozen=True):
    """What a scripted partner does with one request.

    Attributes:
        status: HTTP status; ignored when `error` is given.
        body: of the answer.
        headers: of the answer, names in lower case.
        error: trouble instead of an answer.
        error_code: its code.
        maybe_received: as in `Reply`.
        takes_ms: how long it takes.
        keeps: the partner has it afterwards, whatever it answered.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}
    error: FailureClass | None = None
    error_code: str | None = None
    maybe_received: bool = False
    takes_ms: int = 5
    keeps: bool | None = None


Script = Callable[[Request, int], Scripted]
"""From (request, now in ms) to what happens."""


async def elapse(duration_ms: float) -> None:
    """Let virtual time pass, whatever the wall clock does meanwhile."""
    await asyncio.sleep(duration_ms / 1000)


def always(status: int = 200, takes_ms: int = 5) -> Script:
    """Return a script that always answers the same."""
    answer = Scripted(status, takes_ms=takes_ms)
    return lambda _, __: answer


def in_order(*answers: Scripted | int) -> Script:
    """Return a script that gives the answers one after the other and then repeats the last."""
    waiting = [Scripted(item) if isinstance(item, int) else item for item in answers]

    def script(_: Request, __: int) -> Scripted:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return script


class ScriptedChannel:
    """Plays a script and remembers what was sent.

    Attributes:
        sent: every request with the instant it was sent.
        received: how often each delivery was taken by the partner.
        now_flying: requests under way by recipient.
    """

    def __init__(self, clock: Clock, script: Script) -> None:
        self.script = script
        self.sent: list[tuple[int, Request]] = []
        self.received: Counter[str] = Counter()
        self.now_flying: Counter[str] = Counter()
        self._clock = clock

    async def send(self, request: Request) -> Reply:
        """Do what the script says."""
        at, began = self._clock.now(), self._clock.monotonic()
        self.sent.append((at, request))
        answer = self.script(request, at)
        self.now_flying[request.recipient] += 1
        try:
            await self._pass(answer.takes_ms)
        finally:
            self.now_flying[request.recipient] -= 1
        taken = answer.error is None and 200 <= answer.status < 300
        if taken if answer.keeps is None else answer.keeps:
            self.received[request.delivery_id] += 1
        return Reply(
            at,
            self._clock.now(),
            self._clock.monotonic() - began,
            status=None if answer.error else answer.status,
            headers=answer.headers,
            body=answer.body,
            error=answer.error,
            error_code=answer.error_code,
            error_message=answer.error_code,
            maybe_received=answer.maybe_received,
        )

    async def _pass(self, takes_ms: int) -> None:
        if takes_ms > 0:
            await self._clock.pause(takes_ms)
        else:
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Nothing to give back."""
