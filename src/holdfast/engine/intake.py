"""The one door for payloads: validate, digest, strip, seal, route, commit, hand to the lanes."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from holdfast.clock import Clock
from holdfast.engine.book import Book
from holdfast.engine.fields import Fields
from holdfast.engine.rulings import Rulings
from holdfast.engine.spooler import Spooler
from holdfast.engine.writer import Writer
from holdfast.errors import (
    HoldfastError,
    InvalidInput,
    KeyCollision,
    Overloaded,
    StoreAway,
    StoreFull,
)
from holdfast.model.consent import Consent
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Flow, Step
from holdfast.model.identity import derived_id, new_id
from holdfast.model.message import NEVER, Message
from holdfast.model.shape import explain
from holdfast.model.submission import Receipt, Routed, Submission, millis
from holdfast.policy import redaction
from holdfast.policy.payload import read, read_exactly, too_deep
from holdfast.store import Accept, Accepted
from holdfast.vault import Vault

MESSAGE_BYTES: Final = 512
"""What a message takes on disk besides its payload, as measured, with its indexes."""
DELIVERY_BYTES: Final = 512
"""What a delivery takes on disk, as measured, with its indexes."""
SETTLEMENT_BYTES: Final = 1536
"""What the event of a try takes on disk, as measured; an excerpt of the answer may add more."""
_NO_ROOM: Final = (
    "the store has only its reserve left; free disk space, raise the quota, or run: "
    "holdfast purge --older-than 7d"
)

OnAccept = Callable[[Accept], None]


class Intake:
    """Accepts payloads; an answer means that they are safe on disk.

    Args:
        writer: commits them.
        vault: digests and seals.
        clock: time of acceptance.
        rng: ids.
        book: flows and policies.
        announce: told before the commit which lanes will get something; returns what to call
            after it.
        max_payload_bytes: larger payloads are refused.
        max_waiting: most accepts queued for the writer (back-pressure, S5.36) ...
        max_bytes: ... and most bytes that they will take.
        spooler: takes messages while the store is away; None: nothing does.
        rulings: asks the rules; None: nothing is asked.
        fields: makes the tokens of search fields; None: there are none.
    """

    def __init__(
        self,
        writer: Writer,
        vault: Vault,
        clock: Clock,
        rng: random.Random,
        *,
        book: Book,
        announce: Callable[[Accept], OnAccept],
        max_payload_bytes: int,
        max_waiting: int,
        max_bytes: int,
        spooler: Spooler | None = None,
        rulings: Rulings | None = None,
        fields: Fields | None = None,
    ) -> None:
        self._rulings = rulings
        self._fields = fields
        self._writer = writer
        self._vault = vault
        self._clock = clock
        self._rng = rng
        self._announce = announce
        self._max_payload = max_payload_bytes
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._spooler = spooler
        self.book = book
        self.full: str | None = None
        """Why nothing is accepted at present: the store has only its reserve left."""
        self.room = NEVER
        """Bytes left above the reserve, counted down between two looks at the disk."""
        self.taken = 0
        """Bytes that were asked of the store so far ..."""
        self.answered = 0
        """... and how many of them it has answered for: the rest is on its way."""
        self.accepted = 0
        self.duplicates = 0

    async def accept(
        self, flow: str, submissions: Sequence[Submission], *, account: str = "default"
    ) -> list[Receipt | HoldfastError]:
        """Accept payloads into a flow, in one commit when they come together.

        Returns one result per submission, in order: a receipt, or the error that refused it.

        Raises:
            NotFound: no such flow.
            StoreFull: no room; nothing was accepted.
            Overloaded: too much waits for the writer; nothing was accepted.
        """
        route = self.book.flow(flow, account)
        self._check_room(len(submissions))
        waits = [self._submit(route, submission) for submission in submissions]
        return list(await asyncio.gather(*waits)) if len(waits) > 1 else [await waits[0]]

    def _check_room(self, more: int) -> None:
        if self.full is not None or self._writer.full or self.room <= 0:
            raise StoreFull(self.full or _NO_ROOM)
        waiting = self._writer.waiting + (0 if self._spooler is None else self._spooler.waiting)
        if waiting + more > self._max_waiting:
            raise Overloaded(f"{waiting} messages wait to be written")
        coming = self.taken - self.answered
        if coming > self._max_bytes:
            raise Overloaded(f"messages of {coming} bytes wait to be written")

    def _submit(
        self, flow: Flow, submission: Submission
    ) -> "asyncio.Future[Receipt | HoldfastError]":
        """Prepare one message and queue it; the future never fails, errors are its value."""
        answer: asyncio.Future[Receipt | HoldfastError]
        answer = asyncio.get_running_loop().create_future()
        try:
            accept = self._prepare(flow, submission)
        except HoldfastError as error:
            answer.set_result(error)
            return answer
        except RecursionError:  # it could be read, and not be written
            answer.set_result(too_deep())
            return answer
        size = self._take(accept)
        if self.room <= 0:
            self.answered += size
            answer.set_result(StoreFull(_NO_ROOM))
            return answer
        self._hand_in(accept, size, answer)
        return answer

    def _hand_in(
        self, accept: Accept, size: int, answer: "asyncio.Future[Receipt | HoldfastError]"
    ) -> None:
        """Give a message to the writer, or to the spool when the store is away."""
        landed = self._announce(accept)
        spooler = self._spooler
        moved, coming = False, size

        def finish(result: Accepted | HoldfastError) -> None:
            nonlocal coming
            self.answered += coming
            coming = 0  # a commit that was given up answers again when it ends
            if not answer.done():  # the caller may have left
                answer.set_result(self._receipt(accept, result))

        def done(result: Accepted | HoldfastError) -> None:
            nonlocal moved
            if moved:
                return  # it is the spool's: whatever became of the commit, the drain finds out
            if isinstance(result, StoreAway) and spooler is not None and spooler.takes:
                moved = True
                spooler.take(accept, finish)
                return
            if isinstance(result, Accepted) and not (result.duplicate or result.collision):
                landed(accept)
            finish(result)

        if spooler is not None and (spooler.on or spooler.holds(accept.message)):
            spooler.take(accept, finish)
        else:
            self._writer.accept(accept, done)

    def _take(self, accept: Accept) -> int:
        """Count a message against the room left and return its size in bytes."""
        size = _bytes(accept)
        self.room -= size
        self.taken += size
        return size

    def _receipt(self, accept: Accept, result: Accepted | HoldfastError) -> Receipt | HoldfastError:
        if isinstance(result, HoldfastError):
            return result
        if result.collision:
            return KeyCollision(
                f"key {accept.message.key!r} was used for another payload "
                f"(message {result.message_id}); send the same payload or a new key"
            )
        if result.duplicate:
            self.duplicates += 1
        else:
            self.accepted += 1
        deliveries = tuple(
            Routed(delivery_id, step, recipient, Status.PENDING)
            for delivery_id, step, recipient in result.deliveries
        )
        return Receipt(result.message_id, deliveries, result.duplicate)

    def _prepare(self, flow: Flow, submission: Submission) -> Accept:
        payload = bytes(submission.payload)
        _check(submission, payload, self._max_payload)
        now = self._clock.now()
        value = read(payload)
        digest = b"" if submission.key is None else self._digest(flow, value)
        payload = _stripped(flow, payload)
        derived = self._spooler is not None and self._spooler.on and submission.key is not None
        message_id = new_id("msg", now, self._rng)
        if derived:  # so does every node that gets it while the store is away
            names = (flow.account, submission.key or "")
            told = self._vault.digest(*[name.encode() for name in names], digest)
            message_id = derived_id("msg", now, told)
        message = Message(
            message_id,
            flow.account,
            flow.name,
            submission.key,
            digest,
            self._vault.seal(payload, message_id),
            len(payload),
            submission.value,
            submission.priority,
            submission.quality,
            submission.region,
            _consent(submission),
            _instant(submission.not_before, 0),
            _instant(submission.expires_at, NEVER),
            now,
        )
        return self.routed(flow, message, payload, derived=derived)

    def _digest(self, flow: Flow, value: Any) -> bytes:
        """Return the digest of a payload's value: white space and key order do not count."""
        canonical = msgspec.json.encode(value, order="deterministic")
        return self._vault.digest(canonical, flow.name.encode())

    async def again(self, old: Message) -> Accepted:
        """Accept the payload of an old message anew (replay): new ids, no key."""
        flow = self.book.flow(old.flow, old.account)
        self._check_room(1)
        now = self._clock.now()
        message_id = new_id("msg", now, self._rng)
        payload = self._vault.open(old.sealed or b"", old.id)
        message = msgspec.structs.replace(
            old,
            id=message_id,
            key=None,
            digest=b"",
            sealed=self._vault.seal(payload, message_id),
            not_before=0,
            expires_at=NEVER,
            created_at=now,
        )
        accept = self.routed(flow, message, payload)
        size = self._take(accept)
        landed = self._announce(accept)
        answer: asyncio.Future[Accepted | HoldfastError]
        answer = asyncio.get_running_loop().create_future()

        def done(result: Accepted | HoldfastError) -> None:
            nonlocal size
            self.answered += size
            size = 0  # a commit that was given up answers again when it ends
            if isinstance(result, Accepted):
                landed(accept)
            if not answer.done():  # the caller may have left
                answer.set_result(result)

        self._writer.accept(accept, done)
        result = await answer
        if isinstance(result, HoldfastError):
            raise result
        return result

    def child(self, parent: Delivery, old: Message, payload: bytes) -> Accept:
        """Return another payload in the place of a delivery: new ids, no key, from its step on.

        Raises:
            InvalidInput: the payload is too large, or no JSON.
            StoreFull: no room.
        """
        self._check_room(1)
        if len(payload) > self._max_payload:
            allowed = f"at most {self._max_payload} bytes"
            raise InvalidInput("payload", f"{len(payload)} bytes", allowed)
        flow = self.book.route(parent).flow
        read(payload)
        payload = _stripped(flow, payload)
        now = self._clock.now()
        message_id = new_id("msg", now, self._rng)
        message = msgspec.structs.replace(
            old,
            id=message_id,
            key=None,
            digest=b"",
            sealed=self._vault.seal(payload, message_id),
            size=len(payload),
            not_before=0,
            expires_at=NEVER,
            created_at=now,
        )
        steps = _from(flow, parent)
        return self.routed(msgspec.structs.replace(flow, steps=steps), message, payload)

    def landing(self, accept: Accept) -> Callable[[], None]:
        """Count a message that is written elsewhere; return what to call once it is on disk."""
        size = self._take(accept)
        self.answered += size
        landed = self._announce(accept)
        return lambda: landed(accept)

    def routed(
        self, flow: Flow, message: Message, payload: bytes, *, derived: bool = False
    ) -> Accept:
        """Return the message with a delivery for every step of its flow.

        `derived`: the ids of the deliveries follow from that of the message.
        """
        deliveries = []
        notes = []
        predecessor = None
        last = len(flow.steps) - 1
        for index, step in enumerate(flow.steps):
            chained = flow.mode == "sequential"
            delivery = self._delivery(
                message,
                (flow.name, step.name, step.recipient),
                predecessor=predecessor if chained else None,
                followed=chained and index < last,
            )
            if derived:
                told = self._vault.digest(message.id.encode(), step.name.encode())
                name = derived_id("dlv", message.created_at, told)
                delivery = msgspec.structs.replace(delivery, id=name)
            if self.book.ruled and self._rulings is not None:
                delivery, note = self._rulings.accept(
                    self.book.route(delivery), message, delivery, payload
                )
                notes += [note] if note is not None else []
            predecessor = delivery.id
            deliveries.append(delivery)
        tokens = () if self._fields is None else self._fields.of_payload(flow, payload)
        return Accept(message, tuple(deliveries), tuple(notes), tokens)

    def _delivery(
        self,
        message: Message,
        place: tuple[str, str, str],
        *,
        predecessor: str | None,
        followed: bool,
    ) -> Delivery:
        now = message.created_at
        flow, step, recipient = place
        delivery = Delivery(
            new_id("dlv", now, self._rng),
            message.id,
            message.account,
            flow,
            step,
            recipient,
            message.priority,
            predecessor,
            followed,
            0,
            now,
            message.value,
            due_at=NEVER if predecessor else max(now, message.not_before),
            hold_gate="predecessor"
            if predecessor
            else "not_before"
            if message.not_before
            else None,
            updated_at=now,
        )
        max_age = round(self.book.route(delivery).policy.max_age * 1000)
        expires = min(now + max_age, message.expires_at)
        return msgspec.structs.replace(delivery, expires_at=expires)


def _from(flow: Flow, parent: Delivery) -> tuple[Step, ...]:
    """Return the steps that are still to do where a delivery is replaced."""
    names = [step.name for step in flow.steps]
    if parent.step not in names:  # it has left the configuration
        return (Step(name=parent.step, recipient=parent.recipient),)
    at = names.index(parent.step)
    return flow.steps[at:] if flow.mode == "sequential" else flow.steps[at : at + 1]


def _bytes(accept: Accept) -> int:
    """Estimate what a message takes until each of its deliveries was settled once."""
    each = DELIVERY_BYTES + SETTLEMENT_BYTES
    return MESSAGE_BYTES + len(accept.message.sealed or b"") + each * len(accept.deliveries)


def _check(submission: Submission, payload: bytes, max_payload: int) -> None:
    """Refuse what the types could not: sizes and instants."""
    if len(payload) > max_payload:
        raise InvalidInput("payload", f"{len(payload)} bytes", f"at most {max_payload} bytes")
    if (
        submission.not_before is not None
        and submission.expires_at is not None
        and submission.expires_at <= submission.not_before
    ):
        raise InvalidInput("expires_at", submission.expires_at.isoformat(), "after not_before")


def _consent(submission: Submission) -> str | None:
    """Return the consent record as JSON text once what Holdfast reads of it has a good shape."""
    if submission.consent is None:
        return None
    try:
        msgspec.convert(submission.consent, Consent)
    except msgspec.ValidationError as error:
        found = explain(error, submission.consent, Consent)
        raise InvalidInput(f"consent.{found.field}", found.value, found.allowed) from error
    return msgspec.json.encode(submission.consent).decode()


def _stripped(flow: Flow, payload: bytes) -> bytes:
    """Return what of a payload is stored; no number of it changes."""
    if not flow.strip and flow.keep is None:
        return payload
    try:
        return msgspec.json.encode(redaction.strip(read_exactly(payload), flow.strip, flow.keep))
    except RecursionError:
        raise too_deep() from None


def _instant(value: datetime | None, default: int) -> int:
    """Return an instant in ms since the epoch; what was before it is long past, too."""
    return default if value is None else max(0, millis(value))
