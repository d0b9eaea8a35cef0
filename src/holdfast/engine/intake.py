"""The one door for payloads: validate, digest, strip, seal, route, commit, hand to the lanes."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from holdfast.clock import Clock
from holdfast.engine.book import Book
from holdfast.engine.fields import Fields
from holdfast.engine.rulings import Rulings
from holdfast.engine.writer import Writer
from holdfast.errors import HoldfastError, InvalidInput, KeyCollision, Overloaded, StoreFull
from holdfast.model.consent import Consent
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Flow
from holdfast.model.identity import new_id
from holdfast.model.message import NEVER, Message
from holdfast.model.shape import explain
from holdfast.model.submission import Receipt, Routed, Submission
from holdfast.policy import redaction
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
        max_waiting: most accepts queued for the writer (back-pressure, S5.36).
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
        if self._writer.waiting + more > self._max_waiting:
            raise Overloaded(f"{self._writer.waiting} messages wait to be written")

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
        except RecursionError:
            answer.set_result(InvalidInput("payload", "...", "less deeply nested JSON"))
            return answer
        size = self._take(accept)
        if self.room <= 0:
            self.answered += size
            answer.set_result(StoreFull(_NO_ROOM))
            return answer
        landed = self._announce(accept)

        def done(result: Accepted | HoldfastError) -> None:
            self.answered += size
            receipt = self._receipt(accept, result)
            if isinstance(receipt, Receipt) and not receipt.duplicate:
                landed(accept)
            if not answer.done():
                answer.set_result(receipt)

        self._writer.accept(accept, done)
        return answer

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
        digest = b"" if submission.key is None else self._digest(flow, payload)
        if flow.strip or flow.keep is not None:
            payload = msgspec.json.encode(
                redaction.strip(msgspec.json.decode(payload), flow.strip, flow.keep)
            )
        message_id = new_id("msg", now, self._rng)
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
        return self.routed(flow, message, payload)

    def _digest(self, flow: Flow, payload: bytes) -> bytes:
        """Return the digest of the payload as a value: white space and key order do not count."""
        canonical = msgspec.json.encode(msgspec.json.decode(payload), order="deterministic")
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
            self.answered += size
            if isinstance(result, Accepted):
                landed(accept)
            if not answer.done():  # the caller may have left
                answer.set_result(result)

        self._writer.accept(accept, done)
        result = await answer
        if isinstance(result, HoldfastError):
            raise result
        return result

    def routed(self, flow: Flow, message: Message, payload: bytes) -> Accept:
        """Return the message with a delivery for every step of its flow."""
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


def _instant(value: datetime | None, default: int) -> int:
    return default if value is None else round(value.timestamp() * 1000)
