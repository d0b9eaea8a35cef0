"""Callers that hand messages in, and operators that interfere."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from holdfast.clock import Clock
from holdfast.errors import HoldfastError, StoreFull
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.policy import PolicySettings
from holdfast.model.search import Choice, Predicate, Search
from holdfast.model.submission import Receipt, Submission
from holdfast.testing.channel import elapse
from holdfast.testing.simulator.faults import Fault, Faults
from holdfast.testing.simulator.ledger import Ledger
from holdfast.testing.simulator.life import Life
from holdfast.testing.simulator.world import FLOW, World

BY: Final[dict[str, str]] = {"actor": "simulator", "reason": "at random"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Door = Callable[[], Life | None]


class Around(NamedTuple):
    """What callers and operators live in."""

    world: World
    """How much they do, and to what."""
    door: Door
    """Returns a process that takes calls, or None."""
    ledger: Ledger
    """Notes what is asked and what is answered."""
    clock: Clock
    faults: Faults
    """Makes callers leave."""


class Callers:
    """Hand messages in, some of them again, some with a key that is taken."""

    def __init__(self, around: Around, rng: random.Random) -> None:
        self._world, self._door, self._ledger, self._clock, self._faults = around
        self._rng = rng
        self._number = 0
        self._old: list[Submission] = []

    async def run(self) -> None:
        """Go on until cancelled."""
        rate = self._world.messages / self._world.span_ms
        while True:
            count = self._rng.choice((1, 1, 2, 5, 20, 50))
            await elapse(self._rng.expovariate(rate / count))
            life = self._door()
            if life is None:
                continue
            submissions = [self._submission() for _ in range(count)]
            task = life.spawn(self._submit(life, submissions))
            if self._faults.strikes(Fault.LEFT):
                loop = asyncio.get_running_loop()
                loop.call_later(self._rng.random() * 0.01, task.cancel)

    async def _submit(self, life: Life, submissions: list[Submission]) -> None:
        try:
            answers = await life.engine.intake.accept(FLOW, submissions)
        except HoldfastError:
            return
        for submission, answer in zip(submissions, answers, strict=True):
            if isinstance(answer, Receipt):
                payload = bytes(submission.payload)
                self._ledger.acknowledge(answer, submission.key, payload)
            elif not isinstance(answer, StoreFull):
                self._ledger.refused(str(answer))

    def _submission(self) -> Submission:
        rng = self._rng
        if self._old and rng.random() < 0.05:
            old = rng.choice(self._old)
            if rng.random() < 0.7:
                return old
            return msgspec.structs.replace(old, payload=self._payload())
        now = self._clock.now()
        start = now + rng.randint(1, 20_000) if rng.random() < 0.1 else 0
        end = max(start, now) + rng.randint(500, 60_000) if rng.random() < 0.1 else 0
        fresh = Submission(
            payload=self._payload(),
            key=f"key-{self._number}" if rng.random() < 0.5 else None,
            priority=rng.randint(0, 9),
            not_before=_date(start) if start else None,
            expires_at=_date(end) if end else None,
        )
        if fresh.key is not None:
            self._old.append(fresh)
        return fresh

    def _payload(self) -> msgspec.Raw:
        self._number += 1
        name = "poison" if self._rng.random() < self._world.poison else "Ada"
        return msgspec.Raw(b'{"n":%d,"name":"%s"}' % (self._number, name.encode()))


def _date(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)


class Operators:
    """Do what people do, to random deliveries and lanes."""

    def __init__(self, around: Around, rng: random.Random) -> None:
        self._world, self._door, self._ledger, self._clock, self._faults = around
        self._rng = rng
        self._recipients = sorted(around.world.catalog.recipients)
        self._works: tuple[Callable[[Life], Awaitable[None]], ...] = (
            self._pending,
            self._pending,
            self._dead,
            self._dead,
            self._discarded,
            self._lane,
            self._replay,
        )

    async def run(self) -> None:
        """Go on until cancelled; without actions, only look after held lanes."""
        rate = self._world.people / 1000
        while True:
            await elapse(self._rng.expovariate(rate) if rate else 10_000)
            life = self._door()
            if life is None:
                continue
            work = self._rng.choice(self._works) if rate else self._care
            task = life.spawn(self._act(work, life))
            if rate and self._faults.strikes(Fault.LEFT):
                loop = asyncio.get_running_loop()
                loop.call_later(self._rng.random() * 0.01, task.cancel)

    async def _act(self, work: Callable[[Life], Awaitable[None]], life: Life) -> None:
        try:
            await work(life)
        except HoldfastError:
            return  # somebody was faster, or the store failed: both are answers

    async def _pick(self, life: Life, status: Status) -> Delivery | None:
        where = Predicate((Choice("status", (status,)),))
        found = (await life.engine.views.find(Search(where, limit=50))).deliveries
        return self._rng.choice(found) if found else None

    async def _pending(self, life: Life) -> None:
        found = await self._pick(life, Status.PENDING)
        if found is None:
            return
        if self._rng.random() < 0.5:
            await self._do(life, Verb.CANCEL, found)
        else:
            at = self._clock.now() + self._rng.randint(-1_000, 10_000)
            await self._do(life, Verb.RESCHEDULE, found, at)

    async def _dead(self, life: Life) -> None:
        found = await self._pick(life, Status.DEAD)
        if found is None:
            return
        verb = self._rng.choice((Verb.REDRIVE, Verb.REDRIVE, Verb.DISCARD, Verb.PROVE))
        options: dict[str, Any] = {}
        if verb is Verb.REDRIVE and self._rng.random() < 0.3:
            options["policy"] = PolicySettings(max_retries=self._rng.randint(1, 4))
        await self._do(life, verb, found, **options)

    async def _discarded(self, life: Life) -> None:
        found = await self._pick(life, Status.DISCARDED)
        if found is not None:
            verb = self._rng.choice((Verb.UNDO, Verb.UNDO, Verb.PROVE))
            await self._do(life, verb, found)

    async def _do(
        self, life: Life, verb: Verb, found: Delivery, *arguments: int, **options: Any
    ) -> None:
        ledger, clock = self._ledger, self._clock
        ledger.ask(verb, found.id, clock.monotonic(), life.number)
        action = getattr(life.engine.actions, verb)
        await action(found.id, *arguments, **BY, **options)
        ledger.answer(verb, found.id, clock.monotonic(), life.number)

    async def _replay(self, life: Life) -> None:
        found = (await life.engine.views.find(Search(limit=50))).deliveries
        if found:
            message = self._rng.choice(found).message_id
            receipt = await life.engine.actions.replay(message, **BY)
            self._ledger.replayed(receipt)

    async def _lane(self, life: Life) -> None:
        name = self._rng.choice(self._recipients)
        match self._rng.randrange(6):
            case 0:
                await self.pause(life, name)
            case 1:
                at = self._clock.monotonic()
                ticket = self._ledger.stopping(name, "opened", at, life.number)
                await life.engine.actions.open_breaker(name, **BY)
                self._ledger.stop(name, "opened", self._clock.monotonic(), ticket)
            case 2:
                await self.reset(life, name)
            case _:
                await self.resume(life, name)

    async def _care(self, life: Life) -> None:
        for name in self._recipients:
            if (await life.engine.views.lane(name)).gate in ("credentials", "endpoint"):
                await self.resume(life, name)

    async def pause(self, life: Life, name: str) -> None:
        """Pause a lane."""
        ticket = self._ledger.stopping(name, "paused", self._clock.monotonic(), life.number)
        await life.engine.actions.pause(name, **BY)
        self._ledger.stop(name, "paused", self._clock.monotonic(), ticket)

    async def resume(self, life: Life, name: str) -> None:
        """Resume a lane."""
        self._ledger.go(name, "paused", self._clock.monotonic(), life.number)
        await life.engine.actions.resume(name, **BY)
        self._ledger.gone(name, "paused")

    async def reset(self, life: Life, name: str) -> None:
        """Close a lane's breaker."""
        self._ledger.go(name, "opened", self._clock.monotonic(), life.number)
        await life.engine.actions.reset_breaker(name, **BY)
        self._ledger.gone(name, "opened")
