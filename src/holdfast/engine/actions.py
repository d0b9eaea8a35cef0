"""What people do: compare-and-set on one delivery or lane, always with actor and reason."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from holdfast.clock import Clock
from holdfast.engine import changes, consents
from holdfast.engine.book import Book
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.intake import Intake
from holdfast.engine.lanes import Lanes
from holdfast.engine.maintenance import Pruner
from holdfast.engine.signals import Signals
from holdfast.engine.steering import Steering
from holdfast.engine.views import Views
from holdfast.engine.writer import Writer
from holdfast.errors import Conflict, InvalidInput, NotFound, Stale
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.message import NEVER
from holdfast.model.policy import PolicySettings
from holdfast.model.review import Proof
from holdfast.model.rule import Signal
from holdfast.model.search import Choice, Predicate, Search, of_message
from holdfast.model.submission import Receipt, Routed
from holdfast.model.view import LaneView
from holdfast.policy.decide import Code
from holdfast.policy.steering import Action
from holdfast.store import Note, Pruned, Retention, Store, Transition
from holdfast.telemetry import LogEvent, log

TRIES: Final = 8
"""How often a change is decided anew when the delivery changed in between."""
REASON_MAX: Final = 500
STEPS_MAX: Final = 1000
"""Most deliveries of a message that are looked at."""

Change = Callable[[Delivery, int], dict[str, Any]]


class Actions:
    """Operator actions. Every one takes `actor` and `reason`; both go to the audit journal.

    `seen` is the revision of a delivery, or the tag of a lane, that the caller knows; when it is
    not the present one nothing is changed (`Stale`). None: whatever it is.
    """

    def __init__(
        self,
        store: Store,
        writer: Writer,
        dispatcher: Dispatcher,
        clock: Clock,
        *,
        book: Book,
        intake: Intake,
        lanes: Lanes,
        pruner: Pruner,
        views: Views,
        signals: Signals,
        steering: Steering,
        on_change: Callable[[str, str], None],
    ) -> None:
        self._on_change = on_change
        self._signals = signals
        self._steering = steering
        self._store = store
        self._writer = writer
        self._dispatcher = dispatcher
        self._clock = clock
        self._intake = intake
        self._lanes = lanes
        self._pruner = pruner
        self._views = views
        self.book = book
        self.revocations = 0
        """How many revocations have begun: bulk work looks again when one did meanwhile."""
        self.revoking: set[str] = set()
        """Messages whose consent is being revoked: their deliveries are left alone."""

    # -- deliveries -------------------------------------------------------------------------

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
        """Return a dead delivery to its lane: a new generation with all its retries (C15).

        Args:
            delivery_id: the delivery.
            actor: who does it.
            reason: why.
            policy: for this delivery only.
            endpoint: name of the endpoint to use, also a disabled one.
            seen: the revision that the caller knows.

        Raises:
            Conflict: the step before it has not succeeded: redrive that one.
        """
        present = await self._views.delivery(delivery_id)
        check_seen(present, seen)
        await changes.check_order(self._store, present)

        def change(delivery: Delivery, now: int) -> dict[str, Any]:
            fields = changes.fresh(self.book, delivery, now, "operator")
            if policy is not None:
                fields["policy"] = self.book.check_override(delivery, policy)
            if endpoint is not None:
                recipient = self.book.recipient(delivery.recipient)
                fields["endpoint"] = self.book.endpoint(recipient, endpoint).name
            return fields

        message_id = present.message_id
        await consents.check(self._store, message_id)
        changed = await self.change(
            Verb.REDRIVE, delivery_id, change, actor=actor, reason=reason, seen=seen
        )
        await self.uphold(message_id)
        return changed

    async def cancel(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Give a pending delivery up; a send under way may still succeed, and then counts."""
        return await self.change(
            Verb.CANCEL,
            delivery_id,
            lambda _, __: changes.cancelled(),
            actor=actor,
            reason=reason,
            seen=seen,
        )

    async def revoke(self, message_id: str, *, actor: str, reason: str) -> list[Delivery]:
        """Revoke the consent behind a message (S1.127): what still waits is not sent any more.

        What was edited falls under the same consent.
        A send under way may still succeed, and then counts. Returns the message's deliveries.

        Raises:
            NotFound: no such message.
        """
        check_reason(reason)
        account = (await self._views.message(message_id)).account
        self.revocations += 1
        self.revoking.add(message_id)
        try:
            now = self._clock.now()
            note = Note(now, actor, consents.REVOKE, message_id, reason, account=account)
            self._writer.note(note)
            await self._writer.flush()  # from here on nothing brings it back
            await self._skip_waiting(message_id, actor=actor, reason=reason)
            await self._revoke_edited(message_id, actor=actor, reason=reason)
        finally:
            self.revoking.discard(message_id)
        return await self._of(of_message(message_id))

    async def uphold(self, message_id: str) -> None:
        """Skip what a person's action set going although the consent was revoked meanwhile."""
        reason = await consents.revoked(self._store, message_id)
        if reason is not None:
            await self._skip_waiting(message_id, actor="engine", reason=reason)
            await self._revoke_edited(message_id, actor="engine", reason=reason)

    async def _revoke_edited(self, message_id: str, *, actor: str, reason: str) -> None:
        """Revoke for the messages that took the place of this one's deliveries."""
        gone = await self._of(of_message(message_id, Choice("code", (Code.SUPERSEDED,))))
        for parent in gone:
            child = await self._store.get(parent.cause or "")
            if child is not None and await consents.revoked(self._store, child.message_id) is None:
                await self.revoke(child.message_id, actor=actor, reason=reason)

    async def _skip_waiting(self, message_id: str, *, actor: str, reason: str) -> None:
        waits = of_message(message_id, Choice("status", (Status.PENDING,)))
        for delivery in consents.last_first(await self._of(waits)):
            await self._skip(delivery.id, actor=actor, reason=reason)

    async def _of(self, where: Predicate) -> list[Delivery]:
        found = await self._store.find(Search(where, limit=STEPS_MAX))
        return found.deliveries

    async def _skip(self, delivery_id: str, *, actor: str, reason: str) -> None:
        fields = {"code": Code.CONSENT_REVOKED, "due_at": NEVER, "hold_gate": None}
        with suppress(Conflict):  # it ended meanwhile, or went with the step before it
            await self.change(
                Verb.SKIP, delivery_id, lambda _, __: fields, actor=actor, reason=reason
            )

    async def discard(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Take a dead delivery out of review; `undo` brings it back."""
        return await self.change(
            Verb.DISCARD,
            delivery_id,
            lambda delivery, _: changes.discarded(delivery),
            actor=actor,
            reason=reason,
            seen=seen,
        )

    async def undo(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Bring a discarded delivery back to review.

        Raises:
            Conflict: another took its place: act on that one.
        """

        def change(delivery: Delivery, _: int) -> changes.Fields:
            changes.check_place(delivery)
            return {}

        return await self.change(
            Verb.UNDO, delivery_id, change, actor=actor, reason=reason, seen=seen
        )

    async def prove(
        self,
        delivery_id: str,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
        proof: Proof | None = None,
    ) -> Delivery:
        """Mark a dead or discarded delivery delivered by hand; the audit journal keeps the proof.

        Raises:
            Conflict: another took its place: act on that one.
        """

        def change(delivery: Delivery, _: int) -> changes.Fields:
            changes.check_place(delivery)
            return {"code": Code.BY_HAND}

        more = {} if proof is None else {"proof": msgspec.to_builtins(proof)}
        changed = await self.change(
            Verb.PROVE, delivery_id, change, actor=actor, reason=reason, seen=seen, more=more
        )
        await self.uphold(changed.message_id)
        return changed

    async def reschedule(
        self, delivery_id: str, at: int, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Set the earliest next send of a pending delivery, in ms since the epoch."""
        return await self.change(
            Verb.RESCHEDULE,
            delivery_id,
            lambda delivery, now: changes.rescheduled(delivery, at, now),
            actor=actor,
            reason=reason,
            seen=seen,
        )

    async def change(
        self,
        verb: Verb,
        delivery_id: str,
        change: Change,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
        more: changes.Fields | None = None,
    ) -> Delivery:
        """Decide on the present state and write; decide anew when it changed meanwhile.

        `more` stands in the audit line besides what changed.

        Raises:
            Stale: the present revision is not the one that the caller has seen.
        """
        check_reason(reason)
        for _ in range(TRIES):
            before = await self._views.delivery(delivery_id)
            check_seen(before, seen)
            await self._views.look_at(before.recipient)
            now = self._clock.now()
            doubtful = self.possibly_sent(before)
            fields = change(before, now)
            changed = changes.changed(before, verb, fields, now, doubtful=doubtful)
            note = Note(
                now,
                actor,
                verb,
                delivery_id,
                reason,
                changes.told(before, changed, more),
                before.account,
            )
            transition = Transition(verb, before.revision, changed, note=note)
            landed = partial(self._after_change, changed, actor)
            if (await self._writer.change(transition, landed)).applied:
                return changed
        raise Conflict(f"delivery {delivery_id} keeps changing; try again")

    def now(self) -> int:
        """Return the present instant, ms since the epoch."""
        return self._clock.now()

    async def noted(self, note: Note) -> None:
        """Return when an audit line is on disk."""
        self._writer.note(note)
        await self._writer.flush()

    def possibly_sent(self, delivery: Delivery) -> bool:
        """Tell what the change would make us forget: it was sent, or is at this very moment.

        Of another worker's lane we only know what is due and whether it may send: should that
        worker have crashed just now, nothing else will tell.
        """
        if delivery.status is not Status.PENDING:
            return False
        lane = self._lanes.lane(delivery.recipient)
        if lane.possibly_sent(delivery):
            return True
        if self._lanes.owned(delivery.recipient) is not None:
            return delivery.id in lane.busy
        now = self._clock.now()
        return delivery.due_at <= now and lane.gate(now) is None

    def _after_change(self, changed: Delivery, actor: str) -> None:
        log(LogEvent.ACTION, action="change", subject=changed.id, actor=actor)
        self._tell(changed)

    def landed(self, *changed: Delivery) -> None:
        """Let the engine and the listeners know of deliveries that a person changed."""
        for each in changed:
            self._tell(each)
        self._dispatcher.pump()

    def _tell(self, changed: Delivery) -> None:
        lane = self._lanes.owned(changed.recipient)
        if lane is None:
            self._steering.tell(changed)
            return
        self._dispatcher.forget(changed.recipient, changed.id)
        self._on_change(changed.id, changed.recipient)
        if changed.status is Status.PENDING:
            lane.noted(changed.due_at)
            self._dispatcher.look(lane)

    async def replay(self, message_id: str, *, actor: str, reason: str) -> Receipt:
        """Make new deliveries, with new ids and keys, from an old message.

        Raises:
            NotFound: no such message.
            Conflict: its payload is gone.
        """
        check_reason(reason)
        old = await self._store.message(message_id)
        if old is None:
            raise NotFound(f"no message {message_id!r}")
        if old.sealed is None:
            raise Conflict(f"the payload of {message_id} was purged; send it again")
        await consents.check(self._store, message_id)
        result = await self._intake.again(old)
        note = Note(
            self._clock.now(), actor, "replay", message_id, reason, result.message_id, old.account
        )
        self._writer.note(note)
        return Receipt(
            result.message_id,
            tuple(Routed(d, step, to, Status.PENDING) for d, step, to in result.deliveries),
        )

    async def purge(self, older_than_ms: int, *, actor: str, reason: str) -> Pruned:
        """Remove payloads of ended messages that ended longer ago (S5.42); rows and events stay."""
        check_reason(reason)
        now = self._clock.now()
        self._writer.note(Note(now, actor, "purge", "payloads", reason, str(older_than_ms)))
        return await self._pruner.prune(Retention(payloads=now - older_than_ms))

    async def set_signal(self, name: str, value: float, *, actor: str, reason: str) -> Signal:
        """Set a number from outside that rules can use (S1.95)."""
        return await self._signals.put(name, value, actor=actor, reason=reason)

    # -- lanes ------------------------------------------------------------------------------

    async def pause(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Stop sending to a recipient; its deliveries are held."""
        return await self._steer(Action.PAUSE, recipient, actor, reason, seen)

    async def resume(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Send again: lifts a pause, a hold for refused credentials, and disabled endpoints."""
        return await self._steer(Action.RESUME, recipient, actor, reason, seen)

    async def open_breaker(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Hold a lane open until a person resets it."""
        return await self._steer(Action.OPEN_BREAKER, recipient, actor, reason, seen)

    async def reset_breaker(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Close a lane's breaker."""
        return await self._steer(Action.RESET_BREAKER, recipient, actor, reason, seen)

    async def _steer(
        self, action: Action, recipient: str, actor: str, reason: str, seen: str | None
    ) -> LaneView:
        check_reason(reason)
        self.book.recipient(recipient)
        return await self._steering.act(action, recipient, actor=actor, reason=reason, seen=seen)


def check_seen(present: Delivery, seen: int | None) -> None:
    """Refuse a change of what is not as the caller has seen it.

    Raises:
        Stale: it is not.
    """
    if seen not in {None, present.revision}:
        raise Stale(f"delivery {present.id} has changed since you looked", present)


def check_reason(reason: str) -> None:
    """Refuse an action without a reason, or with a novel."""
    if not 1 <= len(reason.strip()) <= REASON_MAX:
        raise InvalidInput("reason", reason[:40], f"1 to {REASON_MAX} characters")
