"""The ledger: what was promised and what happened, noted outside the system under test.

It knows of acknowledgements, sends on the wire, receipts by partners and answers to people, and
judges at once what must never happen. What can only be judged at the end is in `promises`.
Instants here are virtual monotonic ms, which no clock jump moves.
"""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from holdfast.channel import Request
from holdfast.model.delivery import Verb
from holdfast.model.submission import Receipt
from holdfast.model.worker import Acquired
from holdfast.store import Batch, Committed, Transition

STORY: Final = 60
"""Most lines of a delivery's story that are told with a violation."""
STORIES: Final = 20
"""Most violations of a run that are told with their story."""
AHEAD_MS: Final = 1
"""A worker's time is never ahead of the store's, but for what rounding does."""
BEHIND_MS: Final = 60_000
"""It is behind by what the last answer took, which a pause of the process makes long."""


class Promise(StrEnum):
    """What is promised; the numbers are those of the design's promises."""

    DURABLE = "1 accepted means durable"
    COUNTERS = "2 the counters add up"
    ONE_KEY = "3 one key per delivery for ever"
    ONCE = "3 nothing is sent twice"
    DOUBT = "3 what may have been sent is sent again in doubt"
    OBEYED = "3 nothing is sent after a person stopped it"
    RECORDED = "4 every send is on record"
    HOLDS = "5 a hold uses no retry and no active time"
    NUMBERS = "5 attempts are numbered without gap or repeat"
    BLAME = "5 nothing dies of its recipient's trouble"
    STATES = "states follow the table"
    RECEIVED = "delivered means received"
    OWNER = "one owner at a time"
    TIME = "times are the store's"
    ORDER = "a step waits for the step before it"
    INTAKE = "one key, one message"
    PROMPT = "what may go out goes out"
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
        epoch: under which it worked then.
        delivery_id: the delivery.
        recipient: whom it went to.
        attempt: its number, as the request says.
        done: when it was no longer on the wire, on the wall clock.
        good_at: when the recipient last answered in good order, as known when this send ended.
    """

    at: float
    wall: int
    life: int
    epoch: int
    delivery_id: str
    recipient: str
    attempt: int
    done: int = 0
    good_at: float = -1.0


class Owners(Protocol):
    """Who may write and send, as the store has it at this instant."""

    def is_member(self, epoch: int) -> bool:
        """Tell whether what comes with an epoch may be written."""
        ...

    def owner(self, recipient: str) -> int | None:
        """Return the epoch of a lane's owner, None: nobody."""
        ...


class SoleOwner:
    """The last one that joined owns everything."""

    epoch = 0

    def is_member(self, epoch: int) -> bool:
        """Tell whether nobody came after."""
        return epoch >= self.epoch

    def owner(self, recipient: str) -> int | None:
        """Return the epoch of the owner."""
        del recipient
        return self.epoch


class Ledger:
    """Notes what happens in one run.

    Args:
        concurrency: most sends at once, by recipient.
        max_in_flight: most sends at once of one process.
        owners: who owns what, None: who joined last.
        now: the store's time, None: the one clock that there is.
        hearsay_ms: what a person was answered elsewhere the owner knows after so long at most.
    """

    def __init__(
        self,
        concurrency: dict[str, int],
        max_in_flight: int,
        *,
        owners: Owners | None = None,
        now: Callable[[], int] | None = None,
        hearsay_ms: float = 0.0,
    ) -> None:
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
        self.late: set[str] = set()
        """Deliveries that a process sent which owned them no longer."""
        self.taken_over: set[int] = set()
        """Epochs of workers whose lanes others took over after an unclean end."""
        self.writers: dict[str, int] = {}
        """Of each event that is on record, the process that wrote it."""
        self.handed_over = 0
        """Lanes that another worker got after a clean end."""
        self.max_in_flight = max_in_flight
        self._concurrency = concurrency
        self._sole = SoleOwner()
        self._owners: Owners = owners or self._sole
        self._shared = owners is not None
        self._now = now
        self._hearsay_ms = hearsay_ms
        self._epochs: dict[int, int] = {}
        """Of each process, the last."""
        self._holders: dict[str, int] = {}
        """Of each lane, the last worker that acquired it."""
        self._open: dict[str, Send] = {}
        """The last send of each delivery whose end is not on record."""
        self._payloads: dict[str, bytes] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._ids: dict[tuple[str, str], str] = {}
        self._lane_of: dict[str, str] = {}
        self._flying: Counter[tuple[int, int, str]] = Counter()
        self._lanes: Counter[tuple[int, int, str]] = Counter()
        self._lives: Counter[int] = Counter()
        self._claimed: set[str] = set()
        self._doubted: set[str] = set()
        self._refused: set[str] = set()
        self._given_up: dict[str, float] = {}
        self._stopped: dict[tuple[str, str], float] = {}
        self._going: Counter[tuple[str, str]] = Counter()
        self._letting: Counter[tuple[str, str]] = Counter()
        """Orders under way that let a lane go on: what is asked meanwhile may come before them."""
        self._good_at: dict[str, float] = {}
        self._history: list[tuple[float, int, str, str]] = []

    def broken(self, promise: Promise, text: str, delivery_id: str | None = None) -> None:
        """Note a broken promise, with the story of the delivery concerned."""
        if delivery_id is not None and len(self.violations) < STORIES:
            text = f"{text}\n{self.story(delivery_id)}"
        self.violations.append(Violation(promise, text))

    def tell(self, at: float, life: int, subject: str, what: str) -> None:
        """Remember something for the stories."""
        self._history.append((at, life, subject, what))

    def story(self, subject: str) -> str:
        """Return what happened to a delivery and its lane, and the crashes and jumps around it."""
        subjects = {subject, "", self._lane_of.get(subject)}
        lines = [
            f"    {at / 1000:9.3f} s  process {life}  {what}"
            for at, life, about, what in self._history
            if about in subjects
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

    def stopping(self, recipient: str, how: str, at: float, life: int) -> int:
        """Note that a person asks to stop a lane (`paused` or `opened`); return a ticket."""
        self.tell(at, life, recipient, f"a person asks: {how}")
        return self._going[recipient, how]

    def stop(self, recipient: str, how: str, at: float, ticket: int) -> None:
        """Note that a person was told that it is stopped; void if somebody let it go meanwhile."""
        self.tell(at, 0, recipient, f"answered: {how}")
        if ticket == self._going[recipient, how] and not self._letting[recipient, how]:
            self._stopped[recipient, how] = at

    def go(self, recipient: str, how: str, at: float, life: int) -> None:
        """Note that a person asks that a lane goes on."""
        self.tell(at, life, recipient, f"a person asks: not {how}")
        self._going[recipient, how] += 1
        self._letting[recipient, how] += self._shared
        self._stopped.pop((recipient, how), None)

    def gone(self, recipient: str, how: str) -> None:
        """Note that this was answered; an order without an answer may be carried out later."""
        self._letting[recipient, how] -= self._shared

    # -- the store --------------------------------------------------------------------------

    def owned(self, life: int, epoch: int) -> None:
        """Note that a process became a worker."""
        if epoch <= self._sole.epoch:
            self.broken(Promise.OWNER, f"process {life} got the epoch {epoch}, which is used")
        self._epochs[life] = epoch
        self._sole.epoch = max(self._sole.epoch, epoch)

    def acquired(self, epoch: int, acquired: Acquired) -> None:
        """Note that a lane has an owner."""
        name = acquired.state.recipient
        before = self._holders.get(name, epoch)
        self._holders[name] = epoch
        if before == epoch:
            return
        if acquired.clean:
            self.handed_over += 1
        else:
            self.taken_over.add(before)

    def committed(self, at: float, life: int, batch: Batch, committed: Committed) -> None:
        """Note what was written, at the instant at which it was."""
        if not self._owners.is_member(batch.epoch):
            text = f"process {life} wrote with epoch {batch.epoch}, which is not valid any more"
            self.broken(Promise.OWNER, text)
        for transition, applied in zip(batch.transitions, committed.transitions, strict=True):
            name, verb = transition.after.id, transition.verb
            if applied.applied and verb is Verb.CLAIM:
                self._claimed.add(name)
            elif applied.applied:
                self._claimed.discard(name)
            if applied.applied:
                (self._doubted.add if transition.after.in_doubt else self._doubted.discard)(name)
            done = "" if applied.applied else " refused"
            proven = " proven" if applied.proven else ""
            self._history.append((at, life, name, f"{verb}{done}{proven}"))
            self._settled(life, batch, transition, applied=applied.applied)

    def _settled(self, life: int, batch: Batch, transition: Transition, *, applied: bool) -> None:
        """Note that a send's end is on record; only the lane's owner may change anything by it."""
        name, lane = transition.after.id, transition.after.recipient
        attempt, send = transition.attempt, self._open.get(name)
        if attempt is None or attempt.event_id in self.writers:
            return  # told again, as its answer was lost
        self.writers[attempt.event_id] = life
        if send is not None and (send.life, send.wall, send.attempt) == (
            life,
            attempt.request_timestamp,
            attempt.attempt_number,
        ):
            del self._open[name]
        own = lane in batch.released or self._owners.owner(lane) == batch.epoch
        if applied and not own:
            text = f"process {life} changed {name} by a send; the lane of {lane} is another's"
            self.broken(Promise.OWNER, text, name)

    # -- the wire ---------------------------------------------------------------------------

    def sent(self, life: int, request: Request, at: float, wall: int) -> Send:
        """Note a send, and judge it."""
        name, recipient = request.delivery_id, request.recipient
        epoch = self._epochs.get(life, 0)
        send = Send(at, wall, life, epoch, name, recipient, request.attempt)
        self.sends.append(send)
        self._history.append((at, life, name, f"send {request.attempt}"))
        self._judge_place(request)
        if self._judge_owner(send):
            self._judge_people(send)
            self._judge_doubt(send)
        self._flying[life, epoch, name] += 1
        self._lanes[life, epoch, recipient] += 1
        self._lives[life] += 1
        if self._flying[life, epoch, name] > 1:
            self.broken(Promise.ONCE, f"{name} is on the wire twice at once", name)
        if self._lanes[life, epoch, recipient] > self._concurrency[recipient]:
            self.broken(Promise.ONCE, f"more sends at once to {recipient} than its concurrency")
        if self._lives[life] > self.max_in_flight:
            self.broken(Promise.ONCE, f"more sends at once than max_in_flight: {self._lives[life]}")
        return send

    def _judge_place(self, request: Request) -> None:
        name, message = request.delivery_id, request.message_id
        place = (message, request.step)
        self._lane_of[name] = request.recipient
        if self._places.setdefault(name, place) != place:
            self.broken(Promise.ONE_KEY, f"{name} is the key of {self._places[name]} and {place}")
        if self._ids.setdefault(place, name) != name:
            self.broken(Promise.ONE_KEY, f"{place} has the keys {self._ids[place]} and {name}")
        if self._payloads.setdefault(message, request.payload) != request.payload:
            self.broken(Promise.DURABLE, f"{message} is sent with another payload", name)

    def _judge_owner(self, send: Send) -> bool:
        """Tell whether who sends owns the lane: where workers share a store nobody else may."""
        if self._now is not None:
            off = send.wall - self._now()
            if not -BEHIND_MS <= off <= AHEAD_MS:
                self.broken(Promise.TIME, f"process {send.life} is {off} ms off", send.delivery_id)
        owner = self._owners.owner(send.recipient)
        if owner == send.epoch:
            return True
        if self._shared:
            text = f"{send.recipient} is of worker {owner}, and sent to by worker {send.epoch}"
            self.broken(Promise.OWNER, text, send.delivery_id)
        return False  # it was replaced and cannot know what people told its successor

    def _judge_doubt(self, send: Send) -> None:
        """A send follows one without an end on record only when that was cut by an unclean end."""
        name = send.delivery_id
        before, self._open[name] = self._open.get(name), send
        if before is None:
            return
        if self._owners.is_member(before.epoch):
            text = f"{name} is sent again, and its send by process {before.life} is not settled"
            self.broken(Promise.ONCE, text, name)
        elif name not in self._doubted and not self.jumped:
            text = f"{name} may have been sent by process {before.life} and is not in doubt"
            self.broken(Promise.DOUBT, text, name)

    def _judge_people(self, send: Send) -> None:
        given_up = self._given_up.get(send.delivery_id)
        if given_up is not None and given_up + self._hearsay_ms < send.at:
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
        self.proven[send.delivery_id] = min(at, self.proven.get(send.delivery_id, at))
        if self._owners.owner(send.recipient) != send.epoch:
            self.late.add(send.delivery_id)
        self.tell(at, send.life, send.delivery_id, "received by the partner")

    def returned(self, send: Send, wall: int) -> None:
        """Note that a send is no longer on the wire."""
        send.done = wall
        self._flying[send.life, send.epoch, send.delivery_id] -= 1
        self._lanes[send.life, send.epoch, send.recipient] -= 1
        self._lives[send.life] -= 1

    def answered(self, send: Send, at: float, *, good: bool, what: str) -> None:
        """Note the partner's answer, and whether it shows that the partner works."""
        if good:
            self._good_at[send.recipient] = at
        send.good_at = self._good_at.get(send.recipient, -1.0)
        self._history.append((at, send.life, send.delivery_id, what))
