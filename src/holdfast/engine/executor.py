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
from holdfast.engine import record
from holdfast.engine.book import Book, Route
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.lane import Lane
from holdfast.engine.meter import Meter
from holdfast.engine.rulings import Ruled, Rulings
from holdfast.engine.sampler import Sampler
from holdfast.engine.writer import Writer
from holdfast.errors import StoreError, VaultError
from holdfast.model.attempt import Attempt, FailureClass, Outcome, Reply
from holdfast.model.delivery import TRANSITIONS, Delivery, Status, Verb
from holdfast.model.flow import Endpoint
from holdfast.model.message import NEVER
from holdfast.model.policy import Policy, Strategy
from holdfast.policy import failure, redaction
from holdfast.policy.breaker import health
from holdfast.policy.decide import HINT_AS_DELAY_MS, Code, Decision, Gate, decide
from holdfast.policy.hint import quota
from holdfast.policy.reason import normalise
from holdfast.store import Applied, Note, Transition, Waiting
from holdfast.telemetry import LogEvent, log
from holdfast.vault import Vault

CRASHES_MAX: Final = 3
"""Claims without an end after which a delivery is dead `WORKER_CRASH`."""

_ADAPTS: Final = frozenset({Strategy.ADAPTIVE, Strategy.HYBRID})


class Flight(msgspec.Struct, frozen=True, gc=False):
    """A send on the wire; `started` in ms since the epoch, `value` of the message."""

    lane: Lane
    delivery: Delivery
    route: Route
    endpoint: Endpoint
    started: int
    probe: bool
    task: asyncio.Task[None] | None
    ruled: Ruled | None = None
    value: float = 0.0


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
        wake: looks at a lane in which a settled delivery released another.
        rulings: asks the rules.
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
    ) -> None:
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
        self.in_flight: dict[str, Flight] = {}
        """Sends on the wire, by delivery id."""

    async def run(self, lane: Lane, waiting: Waiting) -> None:
        """Take one delivery through one try, or end it without one."""
        delivery = waiting.delivery
        now = self._clock.now()
        refusal = self._refuse(lane, waiting, now)
        if refusal is not None:
            self._end(lane, delivery, refusal, now)
            return
        ruled = None
        if self.book.ruled:
            ruled = await self._rulings.before(lane, waiting, self.book.route(delivery), now)
            refusal = None if ruled is None else ruled.sending.decision
            now = self._clock.now()  # the rules may have read the journal
            refusal = refusal or self._refuse_by_flow(lane, waiting, now)
            if refusal is not None:
                self._end(lane, delivery, refusal, now)
                return
        if not lane.possibly_sent(delivery):
            await self._send(lane, waiting, ruled)
        elif delivery.crashes < CRASHES_MAX - 1:
            await self._claim_and_send(lane, waiting, ruled)
        else:
            async with self._last_claim:
                await self._claim_and_send(lane, waiting, ruled)

    async def _claim_and_send(self, lane: Lane, waiting: Waiting, ruled: Ruled | None) -> None:
        claimed = await self._claim(lane, waiting.delivery)
        if claimed is None:
            return
        waiting = Waiting(claimed, waiting.message)
        now = self._clock.now()
        refusal = self._refuse_by_flow(lane, waiting, now)  # the claim took its time
        if refusal is not None:
            self._end(lane, claimed, refusal, now)
            return
        await self._send(lane, waiting, ruled)

    # -- before the send --------------------------------------------------------------------

    def _refuse(self, lane: Lane, waiting: Waiting, now: int) -> Decision | None:
        """Return how a delivery ends or waits that must not be sent now, else None."""
        delivery, message = waiting.delivery, waiting.message
        if delivery.expires_at <= now:
            return _dead(Code.EXPIRED, "its time ran out")
        if message.not_before > now:
            return Decision(
                Verb.HOLD, "hold", message.not_before, counted=False, gate=Gate.NOT_BEFORE
            )
        if delivery.crashes >= CRASHES_MAX:
            return _dead(Code.WORKER_CRASH, f"{CRASHES_MAX} workers ended while sending it")
        if message.sealed is None:
            return _dead(Code.PAYLOAD_MISSING, "its payload is gone")
        if lane.drops:
            return _dead(Code.CIRCUIT_OPEN, "the breaker is open and the lane drops")
        return self._refuse_by_flow(lane, waiting, now)

    def _refuse_by_flow(self, lane: Lane, waiting: Waiting, now: int) -> Decision | None:
        """Ask the flow's conditions and the recipient's windows for retries."""
        delivery = waiting.delivery
        if delivery.attempt and lane.timetable is not None:
            opens = lane.timetable.retries_at(now)
            if opens > now:
                return Decision(Verb.HOLD, "hold", opens, counted=False, gate=Gate.BATCH)
        if not self.book.asks and waiting.message.consent is None:
            return None
        route = self.book.route(delivery)
        endpoint = lane.endpoint(delivery.endpoint) or route.recipient.endpoints[0]
        return route.admission.refuse(waiting.message, endpoint, now)

    def _end(self, lane: Lane, delivery: Delivery, decision: Decision, now: int) -> None:
        """Settle a delivery that was not sent."""
        lane.unsent()
        waits = decision.verb is Verb.HOLD
        after = msgspec.structs.replace(
            delivery,
            status=TRANSITIONS[decision.verb][Status.PENDING],
            due_at=decision.due_at,
            revision=delivery.revision + 1,
            hold_gate=decision.gate,
            code=decision.code,
            in_doubt=delivery.in_doubt or lane.possibly_sent(delivery),
            reason=decision.reason if decision.verb is Verb.SKIP else delivery.reason,
            updated_at=now,
            ended_at=0 if waits else now,
        )
        note = Note(now, "engine", decision.action, delivery.id, decision.reason or "")
        silent = waits and decision.gate is not Gate.RULE
        event = None
        if decision.verb is Verb.SKIP:
            event = self._skipped(lane, delivery, decision, now)
            after = msgspec.structs.replace(after, original_event_id=event.original_event_id)
        transition = Transition(
            decision.verb, delivery.revision, after, event, note=None if silent else note
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

    # -- the send ---------------------------------------------------------------------------

    async def _send(self, lane: Lane, waiting: Waiting, ruled: Ruled | None) -> None:
        delivery = waiting.delivery
        route = self.book.route(delivery)
        chosen = delivery.endpoint
        if ruled is not None and chosen is None:
            chosen = ruled.sending.endpoint
        endpoint = lane.endpoint(chosen) or route.recipient.endpoints[0]
        now = self._clock.now()
        if lane.lost or (self._dispatcher.deadline is not None and self._dispatcher.lapsed()):
            self._give_back(lane, delivery)
            return
        try:
            payload = self._vault.open(waiting.message.sealed or b"", delivery.message_id)
        except VaultError as error:
            self._end(lane, delivery, _dead(Code.PAYLOAD_MISSING, str(error)), now)
            return
        flight = Flight(
            lane,
            delivery,
            route,
            endpoint,
            now,
            record.is_probe(lane),
            asyncio.current_task(),
            ruled,
            waiting.message.value,
        )
        if lane.limiter is not None:
            lane.limiter.began(now)
        self.in_flight[delivery.id] = flight
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
                outcome = _scrubbed(outcome, payload, route, endpoint)
        except Exception as error:  # noqa: BLE001  # a bug here must not keep a slot for ever
            log(LogEvent.LOOP_ERROR, logging.ERROR, loop="executor", error=repr(error))
            self.cut(delivery.id)
            return
        self._finish(flight, reply, outcome)

    def _give_back(self, lane: Lane, delivery: Delivery) -> None:
        """Put a delivery back that was taken and may not be sent: others may do so by now."""
        lane.unsent()
        lane.settled(delivery, waits=True)
        self._dispatcher.settled()

    def cut(self, delivery_id: str) -> None:
        """End a send that does not end in time: it is given back, in doubt."""
        flight = self.in_flight[delivery_id]
        now = self._clock.now()
        reply, outcome = record.cut(flight.started, now, float(now - flight.started))
        self._finish(flight, reply, outcome)
        if flight.task is not None and flight.task is not asyncio.current_task():
            flight.task.cancel()

    # -- after the send ---------------------------------------------------------------------

    def _finish(self, flight: Flight, reply: Reply, outcome: Outcome) -> None:
        """Let the lane learn, decide, and hand the result to the writer."""
        lane, delivery = flight.lane, flight.delivery
        now = self._clock.now()
        del self.in_flight[delivery.id]
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
            save = self._teach(lane, tried, decision, now) or save
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
        after = record.successor(tried, decision, event.original_event_id, now)
        excerpt = None
        if outcome.excerpt:
            excerpt = self._vault.seal(outcome.excerpt.encode(), event.event_id)
        self._writer.snapshot(tried.route.snapshot)
        transition = Transition(decision.verb, tried.delivery.revision, after, event, excerpt)
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
            ruled, tried.route, lane, tried.delivery, outcome=tried.outcome, now=now
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
        )

    def _teach(self, lane: Lane, tried: record.Try, decision: Decision, now: int) -> bool:
        """Close the lane's gates as the outcome and the decision say; tell whether they changed."""
        outcome = tried.outcome
        changed = False
        if decision.counted and decision.verb is Verb.RETRY and health(outcome) is False:
            lane.counted(tried.delivery.id)
        if outcome.disable_endpoint:
            changed = lane.disable(tried.endpoint)
        if decision.open_breaker:
            changed = lane.trip(decision.reason or "", now, self._rng) or changed
        asked = outcome.retry_after_ms is not None
        if decision.bare_limit:
            asked = lane.waits_for_bare_limit
        if asked and decision.due_at < NEVER and decision.verb in (Verb.RETRY, Verb.HOLD):
            opens = decision.due_at
            if decision.bare_limit:  # a delivery may wait for hours of its own, its lane may not
                opens = min(opens, now + HINT_AS_DELAY_MS)
            if outcome.failure_class is FailureClass.RATE_LIMIT:
                opens = max(opens, now + lane.refused(tried.reply.request_at, now))
            spread = self._rng.uniform(0, 0.1 * (opens - now) + 100)
            changed = lane.hint(opens + round(spread), outcome.reason or "") or changed
        return changed

    def _settled(self, lane: Lane, after: Delivery, applied: Applied) -> None:
        """The change is on disk: free the slot, remember when the delivery is due again."""
        waits = after.status is Status.PENDING
        lane.settled(after, waits=waits and applied.applied)
        if not applied.applied:
            lane.noted(0)  # whatever changed it may have made it due
        if waits or not applied.applied:
            self._dispatcher.stir(lane)
        self._dispatcher.settled()
        for recipient in applied.woken:
            self._wake(recipient)


def _dead(code: Code, reason: str) -> Decision:
    return Decision(Verb.DIE, "dead_letter", counted=False, code=code, reason=reason)


def _scrubbed(outcome: Outcome, payload: bytes, route: Route, endpoint: Endpoint) -> Outcome:
    """Return the outcome without the payload's masked values and our secrets in its texts."""
    secrets = redaction.endpoint_secrets(endpoint)
    if route.flow.mask:
        try:
            secrets += redaction.values_at(msgspec.json.decode(payload), route.flow.mask)
        except msgspec.DecodeError:
            return msgspec.structs.replace(outcome, excerpt=None)
    if not secrets:
        return outcome
    # A reason is normalised, and what is left of a value in it must not show either.
    secrets += [short for value in secrets if (short := normalise(value)) not in {None, value}]
    texts = {
        field: redaction.mask_values(text, secrets)
        for field in ("reason", "message", "excerpt", "code", "reference")
        if (text := getattr(outcome, field))
    }
    return msgspec.structs.replace(outcome, **texts)


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
