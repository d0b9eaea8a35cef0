"""Runs Holdfast itself: the whole engine, over a queue in memory, against modelled partners.

Nothing is copied: intake, writer, dispatcher, lanes, breaker, gates and `decide` are those of the
product. Only what surrounds them is the lab's: time, store, and the channel to the partner.
"""

import asyncio
from typing import Final

import msgspec

from holdfast.channel import Request
from holdfast.engine.engine import Engine
from holdfast.engine.sampler import SystemSample
from holdfast.engine.settings import EngineSettings
from holdfast.errors import HoldfastError
from holdfast.lab import clock as virtual
from holdfast.lab.clock import START, VirtualClock
from holdfast.lab.partner import Answer
from holdfast.lab.queue import Queue
from holdfast.lab.scenario import Setup, recipient
from holdfast.lab.trace import Trace
from holdfast.lab.world import Arrival, World
from holdfast.model.attempt import FailureClass, Reply
from holdfast.model.delivery import Status
from holdfast.model.flow import Catalog, Flow, Step
from holdfast.model.submission import Submission
from holdfast.store import Retention
from holdfast.vault import Vault

NAME: Final = "holdfast"
IDLE_MS: Final = 5_000
"""With nothing waiting, time leaps over a longer pause between arrivals at once."""
_POLL_MS: Final = 1_000
_REFUSALS: Final = frozenset({401, 403, 407})
_ERRORS: Final = {
    "refused": (FailureClass.CONNECT, "ECONNREFUSED"),
    "timeout": (FailureClass.TIMEOUT, "ETIMEDOUT"),
    "dns": (FailureClass.DNS, "ENOTFOUND"),
}


def run(world: World, setup: Setup, made: type[Engine] = Engine) -> Trace:
    """Return the trace of Holdfast in a world; `made`: its engine.

    Raises:
        InvalidInput: a value of the set-up is out of range.
    """
    clock = VirtualClock()
    return virtual.run(_Run(world, setup, clock, made).run(), clock)


def catalog(world: World, setup: Setup) -> Catalog:
    """Return the catalog: a recipient with a flow of its own for every partner."""
    recipients = {name: recipient(setup, name) for name in world.names}
    flows = {n: Flow(name=n, steps=(Step(name=n, recipient=n),)) for n in world.names}
    return Catalog(policy=setup.policy, recipients=recipients, flows=flows)


class _Run:
    """One run."""

    def __init__(self, world: World, setup: Setup, clock: VirtualClock, made: type[Engine]) -> None:
        self._world = world
        self._clock = clock
        self.trace = Trace(world, world.partners())
        self._queue = Queue()
        rng = world.stream("policy", NAME)
        self._numbers: dict[str, int] = {}
        self._engine = made(
            self._queue,
            {"http": _Line(self.trace, clock)},
            catalog(world, setup),
            Vault({"k001": rng.randbytes(32)}, "k001", rng.randbytes(32)),
            clock=clock,
            rng=rng,
            probe=_idle,
            settings=EngineSettings(max_in_flight=world.scenario.slots or 512),
            ages=Retention(),
            reserve_bytes=0,
        )

    async def run(self) -> Trace:
        """Send every message when it arrives, and wait until nothing waits any more."""
        await self._engine.start()
        mending = [asyncio.create_task(self._mend(*each)) for each in self._refusals()]
        try:
            for number, arrival in enumerate(self._world.arrivals):
                await self._until(arrival.at)
                await self._accept(number, arrival)
            while self._queue.waiting and self._now() < self._world.limit_ms:
                await self._clock.pause(_POLL_MS)
        finally:
            for task in mending:
                task.cancel()
            await asyncio.gather(*mending, return_exceptions=True)
            await self._engine.stop()
        return self._finish()

    def _refusals(self) -> list[tuple[str, int]]:
        """Return (partner, instant) of every end of refused credentials."""
        return [
            (name, span.end)
            for name, spans in zip(self._world.names, self._world.spans, strict=True)
            for span in spans
            if span.fault.answer in _REFUSALS
        ]

    async def _mend(self, name: str, at: int) -> None:
        """Be the person who sets the key right and lets the lane go on: no lane does that."""
        await self._clock.pause(at - self._now())
        await self._engine.actions.resume(name, actor="lab", reason="the key is right again")

    def _now(self) -> int:
        return self._clock.now() - START

    async def _until(self, at: int) -> None:
        """Let time pass; where nothing waits any more it leaps."""
        while (pause := at - self._now()) > IDLE_MS and self._queue.waiting:
            await self._clock.pause(_POLL_MS)
        if pause > IDLE_MS:
            self._clock.jump((pause - _POLL_MS) / 1000)
            pause = _POLL_MS
        if pause > 0:
            await self._clock.pause(pause)

    async def _accept(self, number: int, arrival: Arrival) -> None:
        payload = msgspec.Raw(b"%d" % number)
        flow = self._world.names[arrival.partner]
        (receipt,) = await self._engine.intake.accept(flow, [Submission(payload=payload)])
        if isinstance(receipt, HoldfastError):
            raise receipt
        self._numbers[receipt.deliveries[0].id] = number

    def _finish(self) -> Trace:
        trace = self.trace
        for delivery in self._queue.ended:
            if delivery.status is not Status.DELIVERED:
                trace.dead[self._numbers[delivery.id]] = delivery.ended_at - START
        index = {name: number for number, name in enumerate(self._world.names)}
        trace.opened = [(at - START, index[name]) for at, name in self._queue.opened]
        return trace


class _Line:
    """The channel to the modelled partners."""

    def __init__(self, trace: Trace, clock: VirtualClock) -> None:
        self._trace = trace
        self._clock = clock

    async def send(self, request: Request) -> Reply:
        """Ask the partner and come back when its answer would."""
        number = int(request.payload)
        arrival = self._trace.world.arrivals[number]
        began = self._clock.now()
        partner = self._trace.partners[arrival.partner]
        answer = partner.ask(began - START, poison=arrival.poison)
        self._trace.sends[number] += 1
        await self._clock.pause(answer.took)
        now = self._clock.now()
        if 200 <= answer.status < 300 and self._trace.delivered[number] < 0:
            self._trace.delivered[number] = now - START
        return reply(answer, began, now)

    async def close(self) -> None:
        """Nothing is open."""


def reply(answer: Answer, began: int, now: int) -> Reply:
    """Return a partner's answer as a channel's reply."""
    if not answer.status:
        kind, code = _ERRORS[answer.error]
        return Reply(
            began,
            now,
            float(answer.took),
            error=kind,
            error_code=code,
            maybe_received=kind is FailureClass.TIMEOUT,
        )
    headers = {}
    if answer.retry_after is not None:
        headers["retry-after"] = answer.retry_after
    if answer.rate_limit is not None:
        headers["ratelimit"] = answer.rate_limit
    return Reply(began, now, float(answer.took), status=answer.status, headers=headers)


def _idle(busy: float) -> SystemSample:
    return SystemSample(0.0, 0.0, 0.0, 0.0, 0, busy)
