"""The ledger: what was promised and what happened, noted outside the system under test.

It knows of acknowledgements, sends on the wire, receipts by partners and answers to people, and
judges at once what must never happen. What can only be judged at the end is in `promises`.
Instants here are virtual monotonic ms, which no clock jump moves.
"""

from collections import Counter
from enum import StrEnum
from typing import Final

import msgspec

from holdfast.channel import Request
from holdfast.model.delivery import Verb
from holdfast.model.submission import Receipt
from holdfast.store import Batch, Committed

STORY: Final = 60
"""Most lines of a delivery's story that are told with a violation."""


class Promise(StrEnum):
    """What is promised; the numbers are those of the design's promises."""

    DURABLE = "1 accepted means durable"
    COUNTERS = "2 the counters add up"
    ONE_KEY = "3 one key per delivery for ever"
    ONCE = "3 nothing is sent twice"
    OBEYED = "3 nothing is sent after a person stopped it"
    RECORDED = "4 every send is on record"
    HOLDS = "5 a hold uses no retry and no active time"
    NUMBERS = "5 attempts are numbered without gap or repeat"
    BLAME = "5 nothing dies of its recipient's trouble"
    STATES = "states follow the table"
    RECEIVED = "delivered means received"
    OWNER = "one owner at a time"
    ORDER = "a step waits for the step before it"
    INTAKE = "one key, one message"
    ALIVE = "no part of the engine dies"
    ENDS = "everything ends"


class Violation(msgspec.Struct, frozen=True):
    """A broken promise, in words."""

    promise: Promise
    text: str


class Send(msgspec.Struct, gc=False):
    """A send on the wire.

    Attributes:
        at: when it began.
        wall: the same on the wall clock.
        life: number of the process that sent it.
        delivery_id: the delivery.
        recipient: whom it went to.
        attempt: its number, as the request says.
        done: when it was no longer on the wire, on the wall clock.
        good_at: when the recipient last answered in good order, as known when this send ended.
    """

    at: float
    wall: int
    life: int
    delivery_id: str
    recipient: str
    attempt: int
    done: int = 0
    good_at: float = -1.0


class Ledger:
    """Notes what happens in one run.

    Args:
        concurrency: most sends at once, by recipient.
        max_in_flight: most sends at once of one process.
    """

    def __init__(self, concurrency: dict[str, int], max_in_flight: int) -> None:
        self.violations: list[Violation] = []
        self.sends: list[Send] = []
        self.received: Counter[str] = Counter()
        self.proven: dict[str, float] = {}
        """When a delivery first was received, or a person first said that it was."""
        self.acknowledged: dict[str, Receipt] = {}
        self.keys: dict[str, tuple[str, bytes]] = {}
        self.asked: dict[str, set[Verb]] = {}
        self.ended: dict[int, bool] = {}
        """Processes that ended: True when gracefully."""
        self.jumped = False
        """The wall clock was set."""
        self.owner = 0
        """Number of the process that owns the lanes."""
        self.late: set[str] = set()
        """Deliveries that a process sent which owned them no longer."""
        self.max_in_flight = max_in_flight
        self._concurrency = concurrency
        self._epoch = 0
        self._payloads: dict[str, bytes] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._ids: dict[tuple[str, str], str] = {}
        self._flying: Counter[tuple[int, str]] = Counter()
        self._lanes: Counter[tuple[int, str]] = Counter()
        self._lives: Counter[int] = Counter()
        self._claimed: set[str] = set()
        self._refused: set[str] = set()
        self._given_up: dict[str, float] = {}
        self._stopped: dict[tuple[str, str], float] = {}
        self._going: Counter[tuple[str, str]] = Counter()
        self._good_at: dict[str, float] = {}
        self._history: list[tuple[float, int, str, str]] = []

    def broken(self, promise: Promise, text: str, delivery_id: str | None = None) -> None:
        """Note a broken promise, with the story of the delivery concerned."""
        if delivery_id is not None:
            text = f"{text}\n{self.story(delivery_id)}"
        self.violations.append(Violation(promise, text))

    def tell(self, at: float, life: int, subject: str, what: str) -> None:
        """Remember something for the stories."""
        self._history.append((at, life, subject, what))

    def story(self, subject: str) -> str:
        """Return what happened to a delivery, and the crashes and jumps around it."""
        lines = [
            f"    {at / 1000:9.3f} s  process {life}  {what}"
            for at, life, about, what in self._history
            if about in (subject, "")
        ]
        return "\n".join(lines[-STORY:])

    # -- intake -----------------------------------------------------------------------------

    def acknowledge(self, receipt: Receipt, key: str | None, payload: bytes) -> None:
        """Note a receipt that a caller was given."""
        known = self._payloads.setdefault(receipt.message_id, payload)
        if known != payload:
            self.broken(Promise.INTAKE, f"{receipt.message_id} stands for two payloads")
        self.acknowledged.setdefault(receipt.message_id, receipt)
        if key is None:
            return
        first = self.keys.setdefault(key, (receipt.message_id, payload))
        if first != (receipt.message_id, payload):
            text = f"key {key} was answered with {first[0]} and with {receipt.message_id}"
            self.broken(Promise.INTAKE, text)

    def refused(self, error: str) -> None:
        """Note an error that a caller got: one bad row must not fail its neighbours."""
        if not error.startswith("bad row"):
            return
        if error in self._refused or " dlv_" in error:
            self.broken(Promise.INTAKE, f"a neighbour of the bad row was refused: {error}")
        self._refused.add(error)

    def replayed(self, receipt: Receipt) -> None:
        """Note the receipt of a replay: another message with the payload of an old one."""
        self.acknowledged.setdefault(receipt.message_id, receipt)

    # -- people -----------------------------------------------------------------------------

    def ask(self, verb: Verb, delivery_id: str, at: float, life: int) -> None:
        """Note what a person asks for; a redrive lifts what was given up, whoever is told."""
        self.asked.setdefault(delivery_id, set()).add(verb)
        self.tell(at, life, delivery_id, f"a person asks: {verb}")
        if verb is Verb.REDRIVE:
            self._given_up.pop(delivery_id, None)
        elif verb is Verb.PROVE:
            self.proven.setdefault(delivery_id, at)

    def answer(self, verb: Verb, delivery_id: str, at: float, life: int) -> None:
        """Note that a person was told that it is done."""
        self.tell(at, life, delivery_id, f"answered: {verb}")
        if verb in (Verb.CANCEL, Verb.DISCARD):
            self._given_up[delivery_id] = at

    def stopping(self, recipient: str, how: str) -> int:
        """Note that a person asks to stop a lane (`paused` or `opened`); return a ticket."""
        return self._going[recipient, how]

    def stop(self, recipient: str, how: str, at: float, ticket: int) -> None:
        """Note that a person was told that it is stopped; void if somebody let it go meanwhile."""
        if ticket == self._going[recipient, how]:
            self._stopped[recipient, how] = at

    def go(self, recipient: str, how: str) -> None:
        """Note that a person asks that a lane goes on."""
        self._going[recipient, how] += 1
        self._stopped.pop((recipient, how), None)

    # -- the store --------------------------------------------------------------------------

    def owned(self, life: int, epoch: int) -> None:
        """Note that a process became the owner."""
        self.owner = life
        self._epoch = max(self._epoch, epoch)

    def committed(self, at: float, life: int, batch: Batch, committed: Committed) -> None:
        """Note what was written, at the instant at which it was."""
        if batch.epoch < self._epoch:
            text = f"process {life} wrote with epoch {batch.epoch}; the owner's is {self._epoch}"
            self.broken(Promise.OWNER, text)
        for transition, applied in zip(batch.transitions, committed.transitions, strict=True):
            name, verb = transition.after.id, transition.verb
            if applied.applied and verb is Verb.CLAIM:
                self._claimed.add(name)
            elif applied.applied:
                self._claimed.discard(name)
            done = "" if applied.applied else " refused"
            proven = " proven" if applied.proven else ""
            self._history.append((at, life, name, f"{verb}{done}{proven}"))

    # -- the wire ---------------------------------------------------------------------------

    def sent(self, life: int, request: Request, at: float, wall: int) -> Send:
        """Note a send, and judge it."""
        name, recipient = request.delivery_id, request.recipient
        send = Send(at, wall, life, name, recipient, request.attempt)
        self.sends.append(send)
        self._history.append((at, life, name, f"send {request.attempt}"))
        self._judge_place(request)
        self._judge_people(send)
        self._flying[life, name] += 1
        self._lanes[life, recipient] += 1
        self._lives[life] += 1
        if self._flying[life, name] > 1:
            self.broken(Promise.ONCE, f"{name} is on the wire twice at once", name)
        if self._lanes[life, recipient] > self._concurrency[recipient]:
            self.broken(Promise.ONCE, f"more sends at once to {recipient} than its concurrency")
        if self._lives[life] > self.max_in_flight:
            self.broken(Promise.ONCE, f"more sends at once than max_in_flight: {self._lives[life]}")
        return send

    def _judge_place(self, request: Request) -> None:
        name, message = request.delivery_id, request.message_id
        place = (message, request.step)
        if self._places.setdefault(name, place) != place:
            self.broken(Promise.ONE_KEY, f"{name} is the key of {self._places[name]} and {place}")
        if self._ids.setdefault(place, name) != name:
            self.broken(Promise.ONE_KEY, f"{place} has the keys {self._ids[place]} and {name}")
        if self._payloads.setdefault(message, request.payload) != request.payload:
            self.broken(Promise.DURABLE, f"{message} is sent with another payload", name)

    def _judge_people(self, send: Send) -> None:
        if send.life < self.owner:
            return  # it was replaced and cannot know what people told its successor
        given_up = self._given_up.get(send.delivery_id)
        if given_up is not None and given_up < send.at:
            text = f"{send.delivery_id} was given up at {given_up} and sent at {send.at}"
            self.broken(Promise.OBEYED, text, send.delivery_id)
        if send.delivery_id in self._claimed:
            return  # handed out before the lane was stopped, while its claim was written
        for how in ("paused", "opened"):
            stopped = self._stopped.get((send.recipient, how))
            if stopped is not None and stopped < send.at:
                text = f"{send.recipient} was {how} at {stopped} and sent to at {send.at}"
                self.broken(Promise.OBEYED, text, send.delivery_id)

    def took(self, send: Send, at: float) -> None:
        """Note that the partner has the payload."""
        self.received[send.delivery_id] += 1
        self.proven.setdefault(send.delivery_id, at)
        if send.life < self.owner:
            self.late.add(send.delivery_id)
        self.tell(at, send.life, send.delivery_id, "received by the partner")

    def returned(self, send: Send, wall: int) -> None:
        """Note that a send is no longer on the wire."""
        send.done = wall
        self._flying[send.life, send.delivery_id] -= 1
        self._lanes[send.life, send.recipient] -= 1
        self._lives[send.life] -= 1

    def answered(self, send: Send, at: float, *, good: bool, what: str) -> None:
        """Note the partner's answer, and whether it shows that the partner works."""
        if good:
            self._good_at[send.recipient] = at
        send.good_at = self._good_at.get(send.recipient, -1.0)
        self._history.append((at, send.life, send.delivery_id, what))
