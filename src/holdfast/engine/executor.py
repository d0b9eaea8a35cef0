"""One try from the buffer to the journal: check, claim, open, send, judge, decide, settle."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from holdfast.channel import Channel, Request
from holdfast.clock import Clock
from holdfast.engine import record, refusal
from holdfast.engine.book import Book
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.flight import Flight, scrubbed
from holdfast.engine.judgements import Judgements
from holdfast.engine.lane import Lane
from holdfast.engine.lesson import teach
from holdfast.engine.meter import Meter
from holdfast.engine.rulings import Ruled, Rulings
from holdfast.engine.sampler import Sampler
from holdfast.engine.writer import Writer
from holdfast.errors import StoreError, VaultError
from holdfast.model.attempt import Attempt, Outcome, Reply
from holdfast.model.delivery import TRANSITIONS, Delivery, Status, Verb
from holdfast.model.policy import Policy, Strategy
from holdfast.policy import failure, fingerprint
from holdfast.policy.decide import Code, Decision, Gate, decide, passes
from holdfast.policy.hint import quota
from holdfast.store import Applied, Note, Transition, Waiting
from holdfast.telemetry import LogEvent, log
from holdfast.vault import Vault

Key = tuple[str, Lane]
"""Names a send: the delivery, and the lane as this worker owned it then."""

_ADAPTS: Final = frozenset({Strategy.ADAPTIVE, Strategy.HYBRID})


class Executor:
    """Runs tries. `run` never raises for what a partner or a payload does.

    Args:
        channels: by name.
        writer: takes the settlements.
        dispatcher: gets told when slots are free.
        vault: opens payloads and seals excerpts.
        clock: time.
        rng: ids and jitter.
        sampler: the events' context.
        wake: looks at a lane in which a settled delivery released another; hands nothing out.
        rulings: asks the rules.
        judgements: what people judged.
    """

    def __init__(
        self,
        *,
        channels: Mapping[str, Channel],
        writer: Writer,
        dispatcher: Dispatcher,
        vault: Vault,
        clock: Clock,
        rng: random.Random,
        sampler: Sampler,
        book: Book,
        meter: Meter,
        wake: Callable[[str], None],
        rulings: Rulings,
        judgements: Judgements,
    ) -> None:
        self._judgements = judgements
        self._rulings = rulings
        self._channels = channels
        self._writer = writer
        self._dispatcher = dispatcher
        self._vault = vault
        self._clock = clock
        self._rng = rng
        self._sampler = sampler
        self._wake = wake
        self.book = book
        self._meter = meter
        self._last_claim = asyncio.Lock()
        """Suspects go out one at a time: a crash names its payload and takes no other along."""
        self.in_flight: dict[Key, Flight] = {}
        """Sends on the wire; of one delivery two, when a lane was lost and came back meanwhile."""

    async def run(self, lane: Lane, waiting: Waiting) -> None:
        """Take one delivery through one try, or end it without one."""
        delivery = waiting.delivery
        now = self._clock.now()
        refused = refusal.refuse(self.book, lane, waiting, now)
        if refused is not None:
            self._end(lane, delivery, refused, now)
            return
        ruled = None
        if self.book.ruled:
            ruled = await self._rulings.before(lane, waiting, self.book.route(delivery), now)
            refused = None if ruled is None else ruled.sending.decision
            now = self._clock.now()  # the rules may have read the journal
            refused = refused or refusal.refuse_by_flow(self.book, lane, waiting, now)
            if refused is not None:
                self._end(lane, delivery, refused, now)
                return
        if refusal.last_chance(delivery):
            async with self._last_claim:
                if lane.stopped(self._clock.now()):  # while it waited for its turn
                    self._give_back(lane, delivery)
                    return
                await self._claim_and_send(lane, waiting, ruled)
        elif lane.possibly_sent(delivery):
            await self._claim_and_send(lane, waiting, ruled)
        else:
            await self._send(lane, waiting, ruled)

    async def _claim_and_send(self, lane: Lane, waiting: Waiting, ruled: Ruled | None) -> None:
        claimed = await self._claim(lane, waiting.delivery)
        if claimed is None:
            return
        if self._barred(lane):
            self._unclaim(lane, claimed)
            return
        waiting = Waiting(claimed, waiting.message)
        now = self._clock.now()
        refused = refusal.refuse_by_flow(self.book, lane, waiting, now)  # the claim took its time
        if refused is not None:
            unclaimed = msgspec.structs.replace(claimed, crashes=claimed.crashes - 1)
            self._end(lane, unclaimed, refused, now)
            return
        await self._send(lane, waiting, ruled)

    # -- before the send --------------------------------------------------------------------

    def _end(self, lane: Lane, delivery: Delivery, decision: Decision, now: int) -> None:
        """Settle a delivery that was not sent."""
        lane.unsent()
        waits = decision.verb is Verb.HOLD
        dies = decision.verb is Verb.DIE
        group = fingerprint.of_end(delivery, decision.code or "", now) if dies else None
        after = msgspec.structs.replace(
            delivery,
            status=TRANSITIONS[decision.verb][Status.PENDING],
            due_at=decision.due_at,
            revision=delivery.revision + 1,
            hold_gate=decision.gate,
            code=decision.code,
            in_doubt=delivery.in_doubt or lane.possibly_sent(delivery),
            reason=decision.reason if decision.verb is Verb.SKIP else delivery.reason,
            fingerprint=delivery.fingerprint if group is None else group.id,
            cause=delivery.cause if waits else None,
            updated_at=now,
            ended_at=0 if waits else now,
        )
        reason = decision.reason or ""
        note = Note(now, "engine", decision.action, delivery.id, reason, account=delivery.account)
        silent = waits and decision.gate is not Gate.RULE
        event = None
        if decision.verb is Verb.SKIP:
            event = self._skipped(lane, delivery, decision, now)
            after = msgspec.structs.replace(after, original_event_id=event.original_event_id)
        told = None if silent else note
        transition = Transition(
            decision.verb, delivery.revision, after, event, note=told, sighting=group
        )
        self._apply(lane, transition, after)
        if after.status is Status.DEAD:
            _log_dead(after)
        elif after.status is Status.DISCARDED:
            log(
                LogEvent.SKIPPED,
                delivery=after.id,
                recipient=after.recipient,
                code=after.code,
                reason=decision.reason,
            )

    def _skipped(self, lane: Lane, delivery: Delivery, decision: Decision, now: int) -> Attempt:
        """Return the event of a try that a condition forbids."""
        route = self.book.route(delivery)
        endpoint = lane.endpoint(delivery.endpoint) or route.recipient.endpoints[0]
        context = self._sampler.current(now, delivery.id[4:16])
        self._writer.snapshot(route.snapshot)
        tried = record.skipped(delivery, route, endpoint.name, decision, context=context, now=now)
        return record.attempt(tried, decision, lane, now=now, rng=self._rng)

    async def _claim(self, lane: Lane, delivery: Delivery) -> Delivery | None:
        """Write down that a send begins, so that a payload that kills workers is known."""
        claimed = msgspec.structs.replace(
            delivery,
            revision=delivery.revision + 1,
            crashes=delivery.crashes + 1,
            in_doubt=True,
        )
        try:
            applied = await self._writer.change(Transition(Verb.CLAIM, delivery.revision, claimed))
        except StoreError:
            return None  # nothing is written any more: the next owner sends it
        if applied.applied:
            return claimed
        lane.unsent()
        self._settled(lane, claimed, applied)
        return None

    def _unclaim(self, lane: Lane, claimed: Delivery) -> None:
        """Give a claim back of which no send began: no worker has ended in it."""
        lane.unsent()
        revision = claimed.revision + 1
        after = msgspec.structs.replace(claimed, revision=revision, crashes=claimed.crashes - 1)
        self._apply(lane, Transition(Verb.CLAIM, claimed.revision, after), after)

    def _barred(self, lane: Lane) -> bool:
        """Tell whether others may send in our place by now."""
        return lane.lost or (self._dispatcher.deadline is not None and self._dispatcher.lapsed())

    # -- the send ---------------------------------------------------------------------------

    async def _send(self, lane: Lane, waiting: Waiting, ruled: Ruled | None) -> None:
        delivery = waiting.delivery
        route = self.book.route(delivery)
        chosen = delivery.endpoint
        if ruled is not None and chosen is None:
            chosen = ruled.sending.endpoint
        endpoint = lane.endpoint(chosen) or route.recipient.endpoints[0]
        now = self._clock.now()
        if self._barred(lane):
            self._give_back(lane, delivery)
            return
        try:
            payload = self._vault.open(waiting.message.sealed or b"", delivery.message_id)
        except VaultError as error:
            self._end(lane, delivery, refusal.dead(Code.PAYLOAD_MISSING, str(error)), now)
            return
        flight = Flight(
            lane,
            delivery,
            route,
            endpoint,
            now,
            self._clock.monotonic(),
            record.is_probe(lane),
            asyncio.current_task(),
            ruled,
            waiting.message.value,
        )
        if lane.limiter is not None:
            lane.limiter.began(now)
        self.in_flight[delivery.id, lane] = flight
        request = Request(
            endpoint,
            payload,
            delivery.id,
            delivery.message_id,
            delivery.attempt,
            delivery.recipient,
            delivery.flow,
            delivery.step,
        )
        try:
            reply = await self._channels[route.recipient.channel].send(request)
            outcome = failure.classify(reply, route.policy)
            if not outcome.ok or outcome.reference is not None:
                outcome = scrubbed(outcome, payload, route, endpoint)
        except Exception as error:  # noqa: BLE001  # a bug here must not keep a slot for ever
            log(LogEvent.LOOP_ERROR, logging.ERROR, loop="executor", error=repr(error))
            self.cut((delivery.id, lane))
            return
        self._finish(flight, reply, outcome)

    def _give_back(self, lane: Lane, delivery: Delivery) -> None:
        """Put a delivery back that was taken and may not be sent now."""
        lane.unsent()
        lane.settled(delivery, waits=True)
        self._dispatcher.settled()

    def cut(self, key: Key) -> None:
        """End a send that does not end in time: it is given back, in doubt."""
        flight = self.in_flight[key]
        took = self._clock.monotonic() - flight.began
        reply, outcome = record.cut(flight.started, self._clock.now(), took)
        self._finish(flight, reply, outcome)
        if flight.task is not None and flight.task is not asyncio.current_task():
            flight.task.cancel()

    # -- after the send ---------------------------------------------------------------------

    def _finish(self, flight: Flight, reply: Reply, outcome: Outcome) -> None:
        """Let the lane learn, decide, and hand the result to the writer."""
        lane, delivery = flight.lane, flight.delivery
        now = self._clock.now()
        del self.in_flight[delivery.id, lane]
        lane.returned()
        before = lane.state
        save = lane.record(
            outcome,
            started_at=reply.request_at,
            now=now,
            rng=self._rng,
            took_ms=reply.duration_ms,
        )
        context = self._sampler.current(now, delivery.id[4:16])
        refunded = lane.refund(delivery.id)
        if refunded:
            left = max(0, delivery.counted - refunded)
            delivery = msgspec.structs.replace(delivery, counted=left)
        tried = record.Try(
            delivery,
            flight.route,
            flight.endpoint.name,
            reply,
            outcome,
            flight.probe,
            context,
            refunded,
            value=flight.value,
            judgement=self._judgements.of(delivery, outcome, reply.request_at),
        )
        if flight.ruled is None:
            decision = self._decide(tried, lane, now, flight.route.policy)
        else:
            decision, tried = self._decide_ruled(flight.ruled, tried, lane, now)
        self._count(tried, decision)
        adapts = flight.route.policy.strategy is Strategy.ADAPTIVE
        if adapts and (outcome.ok or decision.counted):
            lane.learning.tried(delivery.counted, ok=outcome.ok)
        if decision.verb is Verb.SUCCEED and lane.timetable is not None:
            lane.timetable.succeeded(now)
        if outcome.ok and delivery.attempt and lane.budget is not None and not flight.probe:
            lane.budget.refund(delivery.failure_class)
        if not outcome.ok:
            save = teach(lane, tried, decision, now, self._rng) or save
            if lane.state.plan is not before.plan:
                tried = msgspec.structs.replace(tried, plan=lane.state.plan)
        if outcome.retry_after_ms is None and (told := quota(reply.headers, now)) is not None:
            max_ms = int(flight.route.policy.max_hint * 1000)
            save = lane.heard(told, max_ms, now, self._rng) or save
        if save and not lane.lost:
            self._writer.lane_changed(before, lane.state)
        self._settle(lane, tried, decision, now)

    def _count(self, tried: record.Try, decision: Decision) -> None:
        delivery, reply = tried.delivery, tried.reply
        lag = reply.request_at - max(delivery.due_at, delivery.created_at)
        self._meter.tried(
            tried.outcome, decision, duration_ms=reply.duration_ms, lag_ms=max(0, lag)
        )

    def _settle(self, lane: Lane, tried: record.Try, decision: Decision, now: int) -> None:
        """Hand the delivery as it shall be and the event to the writer."""
        outcome = tried.outcome
        event = record.attempt(tried, decision, lane, now=now, rng=self._rng)
        group = record.sighted(tried, decision)
        after = record.successor(tried, decision, event.original_event_id, now, group=group)
        excerpt = None
        if outcome.excerpt:
            excerpt = self._vault.seal(outcome.excerpt.encode(), event.event_id)
        self._writer.snapshot(tried.route.snapshot)
        transition = Transition(
            decision.verb, tried.delivery.revision, after, event, excerpt, sighting=group
        )
        self._apply(lane, transition, after)
        if not outcome.ok:
            _log_failure(after, outcome, decision)

    def _apply(self, lane: Lane, transition: Transition, after: Delivery) -> None:
        """Queue a change; of a lane that others own now it may only say what happened."""
        if lane.lost:
            transition = transition.late()
        self._writer.apply(transition, partial(self._settled, lane, after))

    def _decide_ruled(
        self, ruled: Ruled, tried: record.Try, lane: Lane, now: int
    ) -> tuple[Decision, record.Try]:
        """Return what happens next as the rules say, and the try with what they changed."""
        verdict = self._rulings.after(
            ruled,
            tried.route,
            lane,
            tried.delivery,
            outcome=tried.outcome,
            now=now,
            passing=passes(tried.outcome, tried.judgement),
        )
        decision = self._decide(tried, lane, now, verdict.policy)
        decision, marks = self._rulings.final(verdict, decision)
        return decision, msgspec.structs.replace(tried, rules=marks)

    def _decide(self, tried: record.Try, lane: Lane, now: int, policy: Policy) -> Decision:
        delivery = tried.delivery
        if not delivery.first_attempt_at:
            delivery = msgspec.structs.replace(delivery, first_attempt_at=tried.reply.request_at)
        kind = None
        if not tried.outcome.ok and (policy.cost_stop is not None or policy.strategy in _ADAPTS):
            kind = tried.outcome.failure_class
        return decide(
            delivery,
            tried.outcome,
            policy,
            lane.facts(now, kind),
            now=now,
            active_ms=record.active_ms(tried),
            rng=self._rng,
            value=tried.value,
            judgement=tried.judgement,
        )

    def _settled(self, lane: Lane, after: Delivery, applied: Applied) -> None:
        """The change is on disk: free the slot, remember when the delivery is due again."""
        waits = after.status is Status.PENDING
        lane.settled(after, waits=waits and applied.applied)
        if not applied.applied:
            lane.noted(0)  # whatever changed it may have made it due
        if waits or not applied.applied:
            self._dispatcher.look(lane)
        self._dispatcher.settled()
        for recipient in applied.woken:
            self._wake(recipient)


def _log_failure(after: Delivery, outcome: Outcome, decision: Decision) -> None:
    log(
        LogEvent.ATTEMPT_FAILED,
        logging.INFO,
        delivery=after.id,
        recipient=after.recipient,
        detail=outcome.message,
        next=decision.action,
    )
    if after.status is Status.DEAD:
        _log_dead(after)


def _log_dead(after: Delivery) -> None:
    log(
        LogEvent.DEAD,
        logging.WARNING,
        delivery=after.id,
        recipient=after.recipient,
        code=after.code,
        reason=after.reason,
    )
