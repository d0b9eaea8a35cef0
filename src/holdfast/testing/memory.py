"""An engine that keeps everything in memory and sends nothing: for tests of doors and clients."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from holdfast.clock import Clock, SystemClock
from holdfast.engine.broadcast import Broadcast
from holdfast.engine.groups import Groups
from holdfast.engine.operations import Operations
from holdfast.errors import Conflict, HoldfastError, KeyCollision, NotFound, Stale
from holdfast.model.attempt import Event, Step
from holdfast.model.audit import LineQuery
from holdfast.model.delivery import Delivery, Status, Verb, after
from holdfast.model.flow import Catalog
from holdfast.model.lane import BreakerState, ClosedGate
from holdfast.model.message import NEVER, Message
from holdfast.model.overview import Overview
from holdfast.model.policy import PolicySettings
from holdfast.model.review import Proof
from holdfast.model.rule import Signal
from holdfast.model.search import Found, Predicate, Search, Total, of_message
from holdfast.model.stream import LaneWord
from holdfast.model.submission import Receipt, Routed, Submission
from holdfast.model.view import LaneView
from holdfast.model.worker import Member, Placed, Worker
from holdfast.policy import search
from holdfast.store import EventQuery, Line, Lines, Note, Pruned
from holdfast.testing.lines import page
from holdfast.testing.review import MemoryReview
from holdfast.testing.shelf import Alone, MemoryShelf, Still, groups_of, seen


class MemoryEngine:
    """Satisfies `api.facade.Facade`.

    Args:
        catalog: flows and recipients.
        now: the instant at which everything happens, in ms.
        clock: time between the words of the stream.

    Attributes:
        trouble: raised by the next call that writes, once; None: all is well.
        journal: what `events` returns; fill it at will.
        writable: what `ready` tells.
        commits: sizes of the accepted groups, in order.
        known_groups: failure groups by id; fill it at will.
    """

    def __init__(
        self, catalog: Catalog, now: int = 1_767_225_600_000, clock: Clock | None = None
    ) -> None:
        self._catalog = catalog
        self._now = now
        self._ids = itertools.count(1)
        self._messages: dict[str, Message] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._keys: dict[tuple[str, str], tuple[bytes, Receipt]] = {}
        self._lanes = {
            name: LaneView(recipient=name, account=one.account)
            for name, one in catalog.recipients.items()
        }
        self._notes: list[Note] = []
        self._broadcast = Broadcast(self, clock or SystemClock(), self._lane_words)
        self._signals: dict[str, Signal] = {}
        shelf = MemoryShelf(self._deliveries.values, self._notes.append)
        self._operations = Operations(
            shelf,
            self,
            Still(now),
            random.Random(1),
            member=Alone(),
            tell=self._broadcast.tell,
        )
        self._groups = groups_of(shelf, now, self._broadcast.tell)
        self._review = MemoryReview(self, self._deliveries, self.put, self._note)
        self.tallies = shelf.tallies
        self.known_groups = shelf.groups_by_id
        self.trouble: Exception | None = None
        self.journal: list[Event] = []
        self.writable = True
        self.commits: list[int] = []

    @property
    def catalog(self) -> Catalog:
        """Return the configuration in force."""
        return self._catalog

    @property
    def intake(self) -> "MemoryEngine":
        """Return itself: one object plays all parts."""
        return self

    @property
    def actions(self) -> "MemoryEngine":
        """Return itself."""
        return self

    @property
    def views(self) -> "MemoryEngine":
        """Return itself."""
        return self

    @property
    def operations(self) -> Operations:
        """Return bulk work: saved, and never run."""
        return self._operations

    @property
    def groups(self) -> Groups:
        """Return the failure groups in `known_groups`."""
        return self._groups

    @property
    def review(self) -> MemoryReview:
        """Return the review queue."""
        return self._review

    @property
    def broadcast(self) -> Broadcast:
        """Return who tells what changed: what `journal` gets, and the lanes."""
        return self._broadcast

    async def trail(self, after: int, limit: int) -> list[Step]:
        """Return what was tried after a position."""
        found = await self.events(EventQuery(after=after, limit=limit))
        steps = [(one.position, one.attempt) for one in found]
        return [Step(at, one.delivery_id, one.recipient, one.outcome) for at, one in steps]

    async def last_position(self) -> int:
        """Return the newest position."""
        return max((one.position for one in self.journal), default=0)

    def _lane_words(self) -> list[LaneWord]:
        return [
            LaneWord(name, one.breaker, one.paused is not None, one.tag, 0, 0, 0, 0, 0)
            for name, one in sorted(self._lanes.items())
        ]

    async def accept(
        self, flow: str, submissions: Sequence[Submission], *, account: str
    ) -> list[Receipt | HoldfastError]:
        """Store the submissions and answer each, in order."""
        self._raise_trouble()
        self.commits.append(len(submissions))
        return [self._take(flow, account, one) for one in submissions]

    def _take(self, flow: str, account: str, submission: Submission) -> Receipt | HoldfastError:
        payload = bytes(submission.payload)
        if submission.key is not None and (account, submission.key) in self._keys:
            first, receipt = self._keys[account, submission.key]
            if first != payload:
                return KeyCollision(f"key {submission.key!r} came with another payload")
            return msgspec.structs.replace(receipt, duplicate=True)
        receipt = self._route(flow, account, payload, submission)
        if submission.key is not None:
            self._keys[account, submission.key] = (payload, receipt)
        return receipt

    def _route(self, flow: str, account: str, payload: bytes, submission: Submission) -> Receipt:
        message = Message(
            id=self._id("msg"),
            account=account,
            flow=flow,
            key=submission.key,
            digest=b"",
            sealed=payload,
            size=len(payload),
            value=submission.value,
            priority=submission.priority,
            quality=submission.quality,
            region=submission.region,
            consent=None if submission.consent is None else _text(submission.consent),
            not_before=0,
            expires_at=NEVER,
            created_at=self._now,
        )
        self._messages[message.id] = message
        made = tuple(
            self._deliver(message, step.name, step.recipient) for step in self._steps(flow)
        )
        return Receipt(message.id, made)

    def _steps(self, flow: str) -> Sequence[Any]:
        return self._catalog.flows[flow].steps

    def _deliver(self, message: Message, step: str, recipient: str) -> Routed:
        delivery = Delivery(
            id=self._id("dlv"),
            message_id=message.id,
            account=message.account,
            flow=message.flow,
            step=step,
            recipient=recipient,
            priority=message.priority,
            predecessor=None,
            followed=False,
            expires_at=message.expires_at,
            created_at=self._now,
            due_at=self._now,
        )
        self._deliveries[delivery.id] = delivery
        return Routed(delivery.id, step, recipient, delivery.status)

    def put(self, delivery: Delivery) -> None:
        """Replace a delivery, to bring about a state."""
        self._deliveries[delivery.id] = delivery

    def put_lane(self, lane: LaneView) -> None:
        """Replace a lane, to bring about a state."""
        self._lanes[lane.recipient] = lane

    async def redrive(
        self,
        delivery_id: str,
        *,
        actor: str,
        reason: str,
        policy: PolicySettings | None = None,
        endpoint: str | None = None,
        seen: int | None = None,
    ) -> Delivery:
        """Return a dead delivery to its lane as a new generation."""
        self._check_seen(delivery_id, seen)
        text = None if policy is None else _text(policy)
        fields = {"policy": text, "endpoint": endpoint}
        return await self._change(Verb.REDRIVE, delivery_id, actor, reason, **fields)

    async def cancel(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Discard a pending delivery."""
        self._check_seen(delivery_id, seen)
        return await self._change(Verb.CANCEL, delivery_id, actor, reason, code="CANCELLED")

    async def discard(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Discard a dead delivery."""
        self._check_seen(delivery_id, seen)
        return await self._change(Verb.DISCARD, delivery_id, actor, reason)

    async def undo(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Return a discarded delivery to the review queue."""
        self._check_seen(delivery_id, seen)
        return await self._change(Verb.UNDO, delivery_id, actor, reason)

    async def prove(
        self,
        delivery_id: str,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
        proof: Proof | None = None,
    ) -> Delivery:
        """Mark a delivery delivered by hand."""
        del proof
        self._check_seen(delivery_id, seen)
        return await self._change(Verb.PROVE, delivery_id, actor, reason)

    async def reschedule(
        self, delivery_id: str, at: int, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Make a pending delivery due at an instant."""
        self._check_seen(delivery_id, seen)
        return await self._change(Verb.RESCHEDULE, delivery_id, actor, reason, due_at=at)

    def _check_seen(self, delivery_id: str, seen: int | None) -> None:
        known = self._deliveries.get(delivery_id)
        if known is not None and seen not in {None, known.revision}:
            raise Stale(f"delivery {delivery_id} has changed", known)

    def _check_tag(self, recipient: str, seen: str | None) -> None:
        known = self._lanes.get(recipient)
        if known is not None and seen not in {None, known.tag}:
            raise Stale(f"the lane of {recipient} has changed", known)

    async def changed(
        self, verb: Verb, delivery_id: str, actor: str, reason: str, seen: int | None, **fields: Any
    ) -> Delivery:
        """Change a delivery for its review."""
        self._check_seen(delivery_id, seen)
        return await self._change(verb, delivery_id, actor, reason, **fields)

    async def _change(
        self, verb: Verb, delivery_id: str, actor: str, reason: str, **fields: Any
    ) -> Delivery:
        self._raise_trouble()
        before = await self.delivery(delivery_id)
        fields["status"] = after(verb, before.status)
        changed = msgspec.structs.replace(before, revision=before.revision + 1, **fields)
        self._deliveries[delivery_id] = changed
        self._note(actor, verb, delivery_id, reason)
        return changed

    async def revoke(self, message_id: str, *, actor: str, reason: str) -> list[Delivery]:
        """Discard what waits of a message."""
        await self.message(message_id)
        found = (await self.find(Search(of_message(message_id)))).deliveries
        self._note(actor, "revoke_consent", message_id, reason)
        return [
            await self._change(Verb.SKIP, one.id, actor, reason, code="CONSENT_REVOKED")
            if one.status is Status.PENDING
            else one
            for one in found
        ]

    async def replay(self, message_id: str, *, actor: str, reason: str) -> Receipt:
        """Make new deliveries from an old message."""
        self._raise_trouble()
        old = await self.message(message_id)
        if old.sealed is None:
            raise Conflict(f"the payload of {message_id} is purged")
        self._note(actor, "replay", message_id, reason)
        submission = Submission(payload=msgspec.Raw(old.sealed))
        return self._route(old.flow, old.account, old.sealed, submission)

    async def pause(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Hold a lane."""
        self._check_tag(recipient, seen)
        return await self._set_lane("pause", recipient, actor, reason, paused=reason)

    async def resume(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """End a pause."""
        self._check_tag(recipient, seen)
        return await self._set_lane("resume", recipient, actor, reason, paused=None)

    async def open_breaker(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Open a breaker until a person resets it."""
        fields = {"breaker": BreakerState.OPEN, "retry_at": NEVER, "reason": reason, "manual": True}
        self._check_tag(recipient, seen)
        return await self._set_lane("open_breaker", recipient, actor, reason, **fields)

    async def reset_breaker(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Close a breaker."""
        fields = {"breaker": BreakerState.CLOSED, "retry_at": 0, "reason": None, "manual": False}
        self._check_tag(recipient, seen)
        return await self._set_lane("reset_breaker", recipient, actor, reason, **fields)

    async def _set_lane(
        self, action: str, recipient: str, actor: str, note: str, **fields: Any
    ) -> LaneView:
        self._raise_trouble()
        lane = msgspec.structs.replace(await self.lane(recipient), **fields)
        self._lanes[recipient] = lane
        self._note(actor, action, recipient, note)
        return lane

    async def set_signal(self, name: str, value: float, *, actor: str, reason: str) -> Signal:
        """Set a number from outside."""
        self._raise_trouble()
        self._note(actor, "signal", name, reason)
        self._signals[name] = Signal(name, value, self._now, actor)
        return self._signals[name]

    async def signals(self) -> list[Signal]:
        """Return the numbers from outside, by name."""
        return [one for _, one in sorted(self._signals.items())]

    async def purge(self, older_than_ms: int, *, actor: str, reason: str) -> Pruned:
        """Remove everything that is old enough; everything is as old as its creation."""
        self._raise_trouble()
        self._note(actor, "purge", f"older than {older_than_ms} ms", reason)
        return Pruned(payloads=0 if older_than_ms else len(self._messages))

    async def delivery(self, delivery_id: str) -> Delivery:
        """Return one delivery, or raise `NotFound`."""
        if delivery_id not in self._deliveries:
            raise NotFound(f"no delivery {delivery_id!r}")
        return self._deliveries[delivery_id]

    async def why(self, delivery: Delivery) -> list[ClosedGate]:
        """Return the gates of the lane and what stands in the row."""
        lane = await self.lane(delivery.recipient)
        return [*lane.gates, ClosedGate(delivery.hold_gate or "backoff", delivery.due_at)]

    async def message(self, message_id: str) -> Message:
        """Return one message, or raise `NotFound`."""
        if message_id not in self._messages:
            raise NotFound(f"no message {message_id!r}")
        return self._messages[message_id]

    def where(self, text: str, account: str | None = None) -> Predicate:
        """Return what a query means; payloads have no search fields here."""
        del account
        return search.parse(text, self._now, digest=lambda _, __: ())

    async def find(self, asked: Search) -> Found:
        """Return a page of deliveries, newest first."""
        below = asked.below or "~"
        found = [one for one in self._matching(asked) if one.id < below][: asked.limit]
        return Found(found, found[-1].id if len(found) == asked.limit else None)

    async def count(self, asked: Search) -> Total:
        """Return how many deliveries match; of `asked.look` at most."""
        found = len(self._matching(asked))
        return Total(min(found, asked.look), found > asked.look)

    def _matching(self, asked: Search) -> list[Delivery]:
        everything = sorted(self._deliveries.values(), key=lambda one: one.id, reverse=True)
        worth = {one.id: one.value for one in self._messages.values()}
        return [
            one
            for one in everything
            if asked.account in {None, one.account}
            and search.matches(asked.where, one, worth[one.message_id], ())
        ]

    async def events(self, query: EventQuery) -> list[Event]:
        """Return events by position: oldest first with `after`, else newest first."""
        found = [
            one
            for one in sorted(self.journal, key=lambda one: one.position)
            if query.delivery_id in {None, one.attempt.delivery_id}
            and query.recipient in {None, one.attempt.recipient}
            and (query.among is None or one.attempt.recipient in query.among)
            and (query.start is None or one.attempt.retry_timestamp >= query.start)
            and (query.end is None or one.attempt.retry_timestamp < query.end)
        ]
        if query.after is not None:
            return [one for one in found if one.position > query.after][: query.limit]
        below = query.before or NEVER
        return [one for one in reversed(found) if one.position < below][: query.limit]

    async def lines(self, query: LineQuery) -> Lines:
        """Return a page of audit lines by time; none is in a chain."""
        return page([Line(n, 0, b"", one) for n, one in enumerate(self._notes, 1)], query)

    async def lanes(self) -> list[LaneView]:
        """Return every lane, by name."""
        return [self._lanes[name] for name in sorted(self._lanes)]

    async def lane(self, recipient: str) -> LaneView:
        """Return one lane, or raise `NotFound`."""
        if recipient not in self._lanes:
            raise NotFound(f"no recipient {recipient!r}")
        return self._lanes[recipient]

    async def workers(self) -> list[Placed]:
        """Return the one that there is."""
        only = Member(1, Worker(name="memory", slots=8), self._now, NEVER, len(self._lanes))
        return [Placed(only, len(self._lanes), ours=True)]

    async def overview(self) -> Overview:
        """Return what can be counted here."""
        pending = sum(one.status is Status.PENDING for one in self._deliveries.values())
        return seen(self._now, pending, len(self._lanes))

    @property
    def spooling(self) -> None:
        """Return None: there is no spool."""
        return

    async def ready(self) -> bool:
        """Tell whether the store takes writes."""
        return self.writable

    def metrics(self) -> str:
        """Return one metric in Prometheus text format."""
        return f"# TYPE holdfast_pending gauge\nholdfast_pending {len(self._deliveries)}\n"

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._ids):032x}"

    def _note(self, actor: str, action: str, subject: str, reason: str) -> None:
        self._notes.append(Note(self._now, actor, action, subject, reason))

    def _raise_trouble(self) -> None:
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
