"""Intake while the store is away: into the spool, and from there into the store, once and in order.

What is in the spool has its ids; a message id that the store has means "done", so a batch may be
given to it again after a crash. New messages go past the spool as soon as the store answers, but
for those whose key is in it: they get the answer of the first.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from holdfast.clock import Clock
from holdfast.engine.loop import Loop
from holdfast.engine.round import OnAccepted
from holdfast.engine.writer import Writer
from holdfast.errors import HoldfastError, StoreAway, StoreError, StoreFull
from holdfast.model.delivery import Delivery, Status
from holdfast.model.message import NEVER, Message
from holdfast.model.overview import Spooling
from holdfast.policy.decide import Code
from holdfast.spool import Spool, Spooled
from holdfast.store import Accept, Accepted, Counts, Note
from holdfast.telemetry import LogEvent, log

FLUSH_MAX: Final = 500
"""Most messages of one flush."""
DRAIN_MAX: Final = 1_000
"""Most messages of one commit of the drain: new messages and settlements have the rest of it."""
REFUSALS_MAX: Final = 20
"""So often the store may refuse a message for what it is; then it is set aside."""


class Wake(Protocol):
    """Looks at a lane into which something came."""

    def __call__(self, recipient: str, due_at: int = 0) -> None:
        """Look, now or when it is due (ms since the epoch)."""
        ...


class Coming(msgspec.Struct):
    """A message that waits for the next flush, who waits for it, and the repeats of its key."""

    accept: Accept
    done: OnAccepted
    twins: list[tuple[Accept, OnAccepted]] = msgspec.field(default_factory=list)


class Spooler:
    """Takes what the store cannot.

    Args:
        spool: the journal.
        writer: the way to the store; its `away` is the switch.
        clock: time.
        wake: told of each lane into which the drain has put something. It reads the store: what is
            given to it again may have been sent already, so nothing is handed over from memory.
        patience_ms: a commit that takes longer means that the store is away.
    """

    def __init__(
        self,
        spool: Spool,
        writer: Writer,
        clock: Clock,
        *,
        wake: Wake,
        patience_ms: float,
    ) -> None:
        self._spool = spool
        self._writer = writer
        self._clock = clock
        self._wake_lane = wake
        self._places: dict[bytes, int] = {}
        self._named: dict[int, bytes] = {}
        self._coming: list[Coming] = []
        self._keys: dict[bytes, Coming] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._refusals: dict[int, int] = {}
        self.full = False
        """The last message did not fit."""
        self.since = spool.found.since
        """Acceptance of the oldest message in the spool, ms since the epoch; 0: it is empty."""
        self.drained = 0
        """Messages that went from the spool into the store, in this life."""
        self.loops: tuple[Loop, ...] = (Patience(clock, writer, patience_ms), Drain(clock, self))
        for place, account, key in spool.found.keys:
            self._remember(_name(account, key), place)
        spool.found = msgspec.structs.replace(spool.found, keys=())  # they may be many

    @property
    def on(self) -> bool:
        """Tell whether new messages go into the spool."""
        return self._writer.away and self.takes

    @property
    def takes(self) -> bool:
        """Tell whether it would take something."""
        return self._spool.refusal is None

    @property
    def pending(self) -> dict[str, Counts]:
        """Return what an earlier process left, by recipient."""
        return {name: Counts(pending=n) for name, n in self._spool.found.pending.items()}

    @property
    def waiting(self) -> int:
        """Return how many messages wait for the next flush."""
        return len(self._coming)

    def state(self) -> Spooling:
        """Return how it stands."""
        spool = self._spool
        return Spooling(
            on=self.on,
            messages=spool.messages + len(self._coming),
            bytes=spool.size,
            limit_bytes=spool.limit,
            since=self.since,
            drained=self.drained,
            kept=spool.kept,
            place=spool.label,
            refusal=spool.refusal,
        )

    def start(self) -> None:
        """Begin to take and to drain."""
        self._task = asyncio.create_task(self._flushing(), name="spool")
        for loop in self.loops:
            loop.start()

    async def stop_draining(self) -> None:
        """Leave the rest for the next start."""
        for loop in self.loops:
            await loop.stop()

    async def stop(self) -> None:
        """Write what was taken, and end."""
        await self._idle.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    # -- in --------------------------------------------------------------------------------

    def holds(self, message: Message) -> bool:
        """Tell whether the key of a message is in the spool, or on its way into it."""
        if message.key is None or not (self._places or self._keys):
            return False
        name = _name(message.account, message.key)
        return name in self._places or name in self._keys

    def take(self, accept: Accept, done: OnAccepted) -> None:
        """Queue a message for the next flush; `done` gets the answer after the fsync.

        A repeat of a key shares the answer of the first, or is a collision, as in a store.
        """
        name = None if accept.message.key is None else _named(accept.message)
        if name is not None:
            if (first := self._keys.get(name)) is not None:
                first.twins.append((accept, done))
                return
            known = self._known(name)
            if known is not None:
                done(_again(known, accept.message))
                return
        coming = Coming(accept, done)
        self._coming.append(coming)
        if name is not None:
            self._keys[name] = coming
        self._idle.clear()
        self._wake.set()

    def _known(self, name: bytes) -> Accept | None:
        place = self._places.get(name)
        return None if place is None else self._spool.at(place)

    def _remember(self, name: bytes, place: int) -> None:
        self._places[name] = place
        self._named[place] = name

    async def _flushing(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._coming:
                batch = self._coming[:FLUSH_MAX]
                del self._coming[:FLUSH_MAX]
                await self._flush(batch)
            self._idle.set()

    async def _flush(self, batch: list[Coming]) -> None:
        answer: HoldfastError | None = None
        try:
            places = await self._spool.append([each.accept for each in batch])
        except HoldfastError as error:
            places, answer = [], error
        except Exception as error:  # noqa: BLE001  # a caller must not wait for ever
            places, answer = [], StoreError(f"the spool failed: {type(error).__name__}: {error}")
        if places and not self.since:
            self.since = batch[0].accept.message.created_at
            log(LogEvent.SPOOLING, logging.WARNING, spool=self._spool.label)
        for each, place in zip(batch, places, strict=False):
            self._landed(each, place)
        if len(places) < len(batch):
            self._refuse(batch[len(places) :], answer or self._no_room())
        else:
            self.full = False

    def _landed(self, coming: Coming, place: int) -> None:
        accept = coming.accept
        if accept.message.key is not None:
            name = _named(accept.message)
            del self._keys[name]
            self._remember(name, place)
        coming.done(_answer(accept))
        for twin, done in coming.twins:
            done(_again(accept, twin.message))

    def _refuse(self, batch: Sequence[Coming], error: HoldfastError) -> None:
        if not self.full:
            log(LogEvent.SPOOL_FULL, logging.ERROR, error=str(error))
        self.full = True
        for coming in batch:
            if coming.accept.message.key is not None:
                del self._keys[_named(coming.accept.message)]
            coming.done(error)
            for _, done in coming.twins:
                done(error)

    def _no_room(self) -> StoreAway:
        return StoreAway(
            f"the store cannot be reached, and the spool has its {self._spool.limit} bytes; "
            "come back when the store does, or raise spool.max_bytes"
        )

    # -- out -------------------------------------------------------------------------------

    async def drain(self) -> bool:
        """Give the oldest messages to the store; tell whether there may be more to give now."""
        page = await self._spool.oldest(DRAIN_MAX)
        if not page:
            return False
        if self._writer.away:  # one tells as much as many
            page = page[:1]
        answers = await asyncio.gather(*[self._give(each.accept) for each in page])
        late = [
            (each.accept, answer)
            for each, answer in zip(page, answers, strict=True)
            if isinstance(answer, Accepted) and (answer.duplicate or answer.collision)
        ]
        settled = [self._give(ended(accept, answer, self._clock.now())) for accept, answer in late]
        if any(isinstance(each, HoldfastError) for each in await asyncio.gather(*settled)):
            return False
        refused = self._refused(page, answers)
        if refused is None:
            return False
        for accept, answer in late:
            _tell(accept, answer)
        await self._forget(page, refused)
        self._hand_over(page)
        return True

    async def _give(self, accept: Accept) -> Accepted | HoldfastError:
        """Return what the store says of a message."""
        answer: asyncio.Future[Accepted | HoldfastError]
        answer = asyncio.get_running_loop().create_future()

        def done(result: Accepted | HoldfastError) -> None:
            if not answer.done():
                answer.set_result(result)

        try:
            self._writer.accept(accept, done)
        except StoreError as error:
            return error
        return await answer

    def _hand_over(self, page: Iterable[Spooled]) -> None:
        lanes: dict[str, int] = {}
        for delivery in (one for each in page for one in each.accept.deliveries):
            due_at = min(delivery.due_at, lanes.get(delivery.recipient, NEVER))
            lanes[delivery.recipient] = due_at
        for recipient, due_at in lanes.items():
            self._wake_lane(recipient, due_at)

    def _refused(
        self, page: Sequence[Spooled], answers: Sequence[Accepted | HoldfastError]
    ) -> list[int] | None:
        """Return the places of what the store will never take; None: it is too early to tell."""
        errors = [
            (each.place, answer)
            for each, answer in zip(page, answers, strict=True)
            if isinstance(answer, HoldfastError)
        ]
        passing = (StoreAway, StoreFull)
        if any(isinstance(error, passing) or self._writer.ended for _, error in errors):
            return None
        for place, _ in errors:
            self._refusals[place] = self._refusals.get(place, 0) + 1
        if any(self._refusals[place] < REFUSALS_MAX for place, _ in errors):
            return None
        return [place for place, _ in errors]

    async def _forget(self, page: Sequence[Spooled], refused: Sequence[int]) -> None:
        places = [each.place for each in page]
        for place in places:
            self._refusals.pop(place, None)
            name = self._named.pop(place, None)
            if name is not None and self._places.get(name) == place:
                del self._places[name]
        await self._spool.forget(places, refused)
        self.drained += len(places) - len(refused)
        self.full = False
        if self._spool.messages:
            following = await self._spool.oldest(1)
            self.since = following[0].accept.message.created_at if following else 0
            return
        waited = (self._clock.now() - self.since) / 1000
        log(LogEvent.SPOOL_DRAINED, messages=self.drained, seconds=round(waited, 1))
        self.since = 0


class Patience(Loop):
    """Takes a store for away that leaves a commit without an answer: a cut line says nothing."""

    every_ms = 250

    def __init__(self, clock: Clock, writer: Writer, patience_ms: float) -> None:
        super().__init__(clock)
        self._writer = writer
        self._patience_ms = patience_ms

    async def run_once(self) -> None:
        """Answer those who wait that the store is away; what they gave goes into the spool."""
        if self._writer.commit_ms > self._patience_ms:
            self._writer.give_up(
                StoreAway(f"the store has not answered for {self._patience_ms / 1000:g} s")
            )


class Drain(Loop):
    """Empties the spool when the store is back; asks it with one message as long as it is not."""

    every_ms = 500

    def __init__(self, clock: Clock, spooler: Spooler) -> None:
        super().__init__(clock)
        self._spooler = spooler

    async def run_once(self) -> None:
        """Give the store what it takes."""
        while await self._spooler.drain():
            pass


def ended(accept: Accept, answer: Accepted, now: int) -> Accept:
    """Return a spooled message whose key the store knows already, as it is kept: for people.

    It gives up the key, which is the other's. With another payload its deliveries are dead, so
    that somebody looks at them; with the same one they are discarded. None is ever sent by itself.
    """
    code = Code.IDEMPOTENCY_KEY_COLLISION if answer.collision else Code.DUPLICATE
    payload = "another" if answer.collision else "the same"
    reason = f"the key is that of {answer.message_id}, with {payload} payload"
    message = msgspec.structs.replace(accept.message, key=None)
    deliveries = tuple(_ended(each, code, reason, now) for each in accept.deliveries)
    notes = tuple(
        Note(now, "engine", "spool", each.id, reason, f"{message.id} was {each.code}")
        for each in deliveries
    )
    return Accept(message, deliveries, (*accept.notes, *notes), accept.tokens)


def _ended(delivery: Delivery, code: Code, reason: str, now: int) -> Delivery:
    follows = delivery.predecessor is not None
    dead = code is Code.IDEMPOTENCY_KEY_COLLISION and not follows
    return msgspec.structs.replace(
        delivery,
        status=Status.DEAD if dead else Status.DISCARDED,
        code=Code.PREDECESSOR if follows else code,
        reason=reason,
        due_at=NEVER,
        hold_gate=None,
        updated_at=now,
        ended_at=now,
    )


def _tell(accept: Accept, answer: Accepted) -> None:
    if answer.collision:
        for each in accept.deliveries:
            log(
                LogEvent.SPOOL_COLLISION,
                logging.WARNING,
                delivery=each.id,
                recipient=each.recipient,
            )


def _answer(accept: Accept) -> Accepted:
    return Accepted(
        accept.message.id,
        tuple([(each.id, each.step, each.recipient) for each in accept.deliveries]),
    )


def _again(first: Accept, message: Message) -> Accepted:
    """Answer a message whose key is that of one in the spool."""
    same = message.digest == first.message.digest
    return msgspec.structs.replace(_answer(first), duplicate=same, collision=not same)


def _named(message: Message) -> bytes:
    return _name(message.account, message.key or "")


def _name(account: str, key: str) -> bytes:
    """Return a short name of a key: there may be very many."""
    return hashlib.blake2b(f"{account}\0{key}".encode(), digest_size=16).digest()
