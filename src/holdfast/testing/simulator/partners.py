"""Simulated partners with their troubles, and the wire to them."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

import msgspec

from holdfast.channel import Request
from holdfast.clock import Clock
from holdfast.model.attempt import FailureClass, Reply
from holdfast.testing.channel import elapse
from holdfast.testing.simulator.faults import Fault, Faults
from holdfast.testing.simulator.ledger import Ledger

POISON: Final = b'"poison"'
"""A payload that holds this ends the process that sends it, while faults are on."""
FOR_EVER_MS: Final = 1_000_000_000
_GOOD: Final = frozenset({400, 404, 409, 410, 422})
"""Refusals that show that the partner works."""


class Trouble(StrEnum):
    """What may be the matter with a partner."""

    FLAKY = "flaky"
    LIMITED = "limited"
    DOWN = "down"
    SLOW = "slow"
    ENDLESS = "endless"
    TIMEOUT = "timeout"
    HANGS_UP = "hangs up"
    GATEWAY = "gateway"
    LOCKED = "locked"
    GONE = "gone"
    PICKY = "picky"


class Spell(msgspec.Struct, frozen=True):
    """A time of trouble: which, from when to when (monotonic ms), and what share of requests."""

    trouble: Trouble
    start: float
    end: float
    share: float


class Conduct(msgspec.Struct, frozen=True, gc=False):
    """What a partner does with one request.

    Attributes:
        takes_ms: until the answer.
        arrives_ms: until the partner has the payload, if it keeps it.
        keeps: it has the payload afterwards, whatever it answers.
        status: of the answer.
        error: trouble instead of an answer.
        code: of the error.
        doubt: as `Reply.maybe_received`.
        headers: of the answer.
    """

    takes_ms: int
    arrives_ms: float = 0.0
    keeps: bool = False
    status: int = 200
    error: FailureClass | None = None
    code: str | None = None
    doubt: bool = False
    headers: dict[str, str] = {}


class Partner:
    """A recipient's system.

    Args:
        spells: its times of trouble.
        dedupes: it answers 409 to what it has already.
        pace_ms: longest time of a healthy answer.
        timeout_ms: the total timeout of its endpoint.
        patience_ms: longest Retry-After.
        rng: draws what happens.
    """

    def __init__(
        self,
        spells: tuple[Spell, ...],
        *,
        dedupes: bool,
        pace_ms: int,
        timeout_ms: int,
        patience_ms: int,
        rng: random.Random,
    ) -> None:
        self.healthy = False
        """All trouble is over."""
        self._spells = spells
        self._dedupes = dedupes
        self._pace_ms = pace_ms
        self._timeout_ms = timeout_ms
        self._patience_ms = patience_ms
        self._rng = rng
        self.known: dict[str, float] = {}
        """What it has, and since when; an instant to come is that of a payload on its way."""

    def conduct(self, request: Request, at: float) -> Conduct:
        """Return what happens to a request that is sent now."""
        rng = self._rng
        takes = rng.randint(1, self._pace_ms)
        if self._dedupes and self.known.get(request.delivery_id, math.inf) <= at:
            return Conduct(takes, status=409)
        if not self.healthy:
            for spell in self._spells:
                if spell.start <= at < spell.end and rng.random() < spell.share:
                    return self._troubled(spell.trouble, takes)
        return Conduct(takes, rng.random() * takes, keeps=True)

    def takes(self, delivery_id: str, arrives: float) -> None:
        """Note that a payload is on its way."""
        self.known[delivery_id] = min(arrives, self.known.get(delivery_id, math.inf))

    def misses(self, delivery_id: str, arrives: float) -> None:
        """Note that a payload that was on its way was cut."""
        if self.known.get(delivery_id) == arrives:
            del self.known[delivery_id]

    def _troubled(self, trouble: Trouble, takes: int) -> Conduct:
        rng, keeps = self._rng, self._rng.random() < 0.5
        limit = self._timeout_ms
        match trouble:
            case Trouble.FLAKY:
                return Conduct(takes, status=rng.choice((500, 502, 503)))
            case Trouble.LIMITED:
                return Conduct(takes, status=429, headers=self._patience())
            case Trouble.DOWN:
                return self._down(takes)
            case Trouble.SLOW:
                slow = rng.randint(takes, max(takes, limit - 1))
                return Conduct(slow, rng.random() * slow, keeps=True)
            case Trouble.ENDLESS:
                return Conduct(FOR_EVER_MS, rng.random() * limit, keeps=keeps)
            case _:
                return self._odd(trouble, takes, keeps=keeps)

    def _odd(self, trouble: Trouble, takes: int, *, keeps: bool) -> Conduct:
        rng, limit = self._rng, self._timeout_ms
        match trouble:
            case Trouble.TIMEOUT:
                return Conduct(limit, rng.random() * limit, keeps, error=FailureClass.TIMEOUT,
                               code="ETIMEDOUT", doubt=True)  # fmt: skip
            case Trouble.HANGS_UP:
                return Conduct(takes, rng.random() * takes, keeps, error=FailureClass.PROTOCOL,
                               code="ECONNRESET", doubt=True)  # fmt: skip
            case Trouble.GATEWAY:
                return Conduct(takes, rng.random() * takes, keeps, status=504)
            case Trouble.LOCKED:
                return Conduct(takes, status=401)
            case Trouble.GONE:
                return Conduct(takes, status=410)
            case _:
                return Conduct(takes, status=rng.choice((400, 404, 422)))

    def _patience(self) -> dict[str, str]:
        if self._rng.random() < 0.4:
            return {}
        return {"retry-after": str(self._rng.randint(0, self._patience_ms) // 1000)}

    def _down(self, takes: int) -> Conduct:
        if self._rng.random() < 0.5:
            return Conduct(takes, status=503)
        return Conduct(takes, error=FailureClass.CONNECT, code="ECONNREFUSED")


class Wire:
    """The channel of one process; every send passes the ledger.

    Args:
        life: number of the process.
        partners: by recipient.
        ledger: notes everything.
        clock: virtual time ...
        machine: ... and what the process's machine shows.
        faults: counts endless sends and poison.
        die: ends the process; does not return.
    """

    def __init__(
        self,
        life: int,
        partners: dict[str, Partner],
        ledger: Ledger,
        clock: Clock,
        *,
        machine: Clock,
        faults: Faults,
        die: Callable[[Fault], Awaitable[None]],
    ) -> None:
        self.dead = False
        self._life = life
        self._partners = partners
        self._ledger = ledger
        self._clock = clock
        self._machine = machine
        self._faults = faults
        self._die = die

    async def send(self, request: Request) -> Reply:
        """Send once."""
        if self.dead:
            raise asyncio.CancelledError
        clock, machine = self._clock, self._machine
        wall, began = machine.now(), clock.monotonic()
        send = self._ledger.sent(self._life, request, began, wall)
        partner = self._partners[request.recipient]
        conduct = partner.conduct(request, began)
        if conduct.takes_ms >= FOR_EVER_MS:
            self._faults.struck[Fault.ENDLESS] += 1
        arrives = began + conduct.arrives_ms
        if conduct.keeps:
            partner.takes(request.delivery_id, arrives)
        try:
            if POISON in request.payload and self._faults.on:
                await elapse(conduct.arrives_ms)
                self._faults.struck[Fault.POISON] += 1
                await self._die(Fault.POISON)
            await elapse(conduct.takes_ms)
        finally:
            at = clock.monotonic()
            self._ledger.returned(send, machine.now())
            if conduct.keeps and arrives <= at:
                partner.takes(request.delivery_id, arrives)
                self._ledger.took(send, arrives)
            elif conduct.keeps:
                partner.misses(request.delivery_id, arrives)
        good = conduct.error is None and (conduct.status < 300 or conduct.status in _GOOD)
        what = conduct.error.value if conduct.error else f"HTTP {conduct.status}"
        self._ledger.answered(send, at, good=good, what=what)
        return _reply(conduct, wall, machine.now(), at - began)

    async def close(self) -> None:
        """Nothing to give back."""


def _reply(conduct: Conduct, wall: int, now: int, duration_ms: float) -> Reply:
    return Reply(
        wall,
        now,
        duration_ms,
        status=None if conduct.error else conduct.status,
        headers=conduct.headers,
        error=conduct.error,
        error_code=conduct.code,
        error_message=conduct.code,
        maybe_received=conduct.doubt,
    )
