"""Writes a try down: the delivery as it shall be and the retry event (S1.5-S1.20, S5.59)."""

import random
from typing import Final

import msgspec

from holdfast.engine.book import Route
from holdfast.engine.lane import Lane
from holdfast.model.attempt import (
    Attempt,
    ErrorDetails,
    FailureClass,
    NextAction,
    Outcome,
    Partner,
    Reply,
    Result,
    RuleMark,
    SuccessIndicators,
    Trigger,
)
from holdfast.model.delivery import TRANSITIONS, Delivery, Status, Verb
from holdfast.model.group import Sighting
from holdfast.model.identity import new_id
from holdfast.model.judgement import Judgement
from holdfast.model.lane import BreakerState
from holdfast.model.learned import ProbePlan
from holdfast.model.message import NEVER
from holdfast.policy import fingerprint
from holdfast.policy.decide import Decision

_DONE: Final = NextAction("done")


class Try(msgspec.Struct, frozen=True, gc=False):
    """A send that ended.

    Attributes:
        delivery: as it was sent.
        route: flow, step, recipient and policy.
        endpoint: name of the endpoint used.
        reply: what came back.
        outcome: what it means.
        probe: it tested a recipient that was down.
        context: id of the sample.
        refunded: counted tries that were given back to the delivery.
        rules: what rules changed about it.
        plan: when the lane probes next, where this try decided that.
        value: of the message.
        judgement: a person's word on such failures.
    """

    delivery: Delivery
    route: Route
    endpoint: str
    reply: Reply
    outcome: Outcome
    probe: bool
    context: str
    refunded: int = 0
    rules: tuple[RuleMark, ...] = ()
    plan: ProbePlan | None = None
    value: float = 0.0
    judgement: Judgement | None = None


def sighted(tried: Try, decision: Decision) -> Sighting | None:
    """Return the group in which a try failed; None: it did not, or says nothing."""
    if decision.verb is Verb.SUCCEED:
        return None
    return fingerprint.of_outcome(tried.delivery, tried.outcome, tried.reply.request_at)


def successor(
    tried: Try, decision: Decision, original: str, now: int, *, group: Sighting | None = None
) -> Delivery:
    """Return the delivery after the decision, its revision raised.

    Args:
        tried: the send.
        decision: what follows.
        original: id of attempt 0's event.
        now: ms since the epoch.
        group: in which it failed.
    """
    delivery, outcome = tried.delivery, tried.outcome
    status = TRANSITIONS[decision.verb][Status.PENDING]
    waits = status is Status.PENDING
    failed = not outcome.ok
    return msgspec.structs.replace(
        delivery,
        status=status,
        due_at=max(decision.due_at, now) if waits else NEVER,
        revision=delivery.revision + 1,
        attempt=delivery.attempt + 1,
        counted=delivery.counted + decision.counted,
        attempts=delivery.attempts + 1,
        active_ms=active_ms(tried) + decision.delay_ms,
        last_delay_ms=decision.delay_ms,
        first_attempt_at=delivery.first_attempt_at or tried.reply.request_at,
        in_doubt=delivery.in_doubt or outcome.maybe_received,
        crashes=0,
        hold_gate=decision.gate if waits else None,
        code=decision.code,
        failure_class=outcome.failure_class if failed else delivery.failure_class,
        http_status=outcome.http_status,
        reason=outcome.reason if failed else delivery.reason,
        original_event_id=original,
        fingerprint=delivery.fingerprint if group is None else group.id,
        cause=delivery.cause if waits else None,
        updated_at=now,
        ended_at=0 if waits else now,
    )


def active_ms(tried: Try) -> int:
    """Return the delivery's active time including this try."""
    return tried.delivery.active_ms + round(tried.reply.duration_ms)


def attempt(tried: Try, decision: Decision, lane: Lane, *, now: int, rng: random.Random) -> Attempt:
    """Return the retry event of a try."""
    delivery, route, reply, outcome = tried.delivery, tried.route, tried.reply, tried.outcome
    trigger, detail = triggered_by(tried)
    event_id = new_id("evt", now, rng)
    first = delivery.original_event_id or event_id
    ok = outcome.ok
    return Attempt(
        event_id,
        first,
        delivery.id,
        delivery.message_id,
        delivery.account,
        delivery.flow,
        delivery.step,
        delivery.recipient,
        tried.endpoint,
        route.step.step_type,
        delivery.attempt,
        delivery.generation,
        delivery.attempts,
        decision.counted,
        trigger,
        detail,
        reply.request_at,
        "success" if ok else "failure",
        outcome.result,
        outcome.retryable,
        reply.request_at,
        reply.acknowledged_at,
        reply.acknowledged_at - reply.request_at,
        round(reply.duration_ms, 3),
        route.policy.id,
        _next_action(decision, now),
        tried.context,
        _partner(lane),
        network=reply.network,
        failure_reason=delivery.reason if delivery.attempts else outcome.reason,
        failure_class=outcome.failure_class,
        error_details=None if ok else _details(outcome),
        success_indicators=_indicators(outcome) if ok else None,
        jitter=decision.jitter,
        refunded=tried.refunded,
        rules=tried.rules,
        probe=tried.plan,
        judgement=decision.judgement,
    )


def triggered_by(tried: Try) -> tuple[Trigger, str]:
    """Return who started the try and how (S1.9, C42)."""
    delivery = tried.delivery
    if tried.probe:
        return Trigger.AUTOMATIC, "breaker_probe"
    if delivery.attempt == 0 and (delivery.generation > 0 or delivery.cause is not None):
        return Trigger.MANUAL, delivery.cause or "operator"
    if delivery.hold_gate is not None:
        return Trigger.SCHEDULED if delivery.hold_gate == "not_before" else Trigger.AUTOMATIC, (
            delivery.hold_gate
        )
    return Trigger.AUTOMATIC, "backoff" if delivery.attempt else "queue"


def skipped(
    delivery: Delivery, route: Route, endpoint: str, decision: Decision, *, context: str, now: int
) -> Try:
    """Return the try that was not made, for its event: outcome `skip`, at no time at all (S1.96).

    It has the number that the try would have had, and is not counted among the delivery's tries.
    """
    outcome = Outcome(
        Result.SKIP,
        failure_class=FailureClass.BUSINESS,
        reason=decision.reason,
        code=decision.code,
        message=decision.reason,
    )
    reply = Reply(now, now, 0.0)
    return Try(delivery, route, endpoint, reply, outcome, probe=False, context=context)


def _next_action(decision: Decision, now: int) -> NextAction:
    if decision.verb is Verb.SUCCEED and decision.reason is None:
        return _DONE
    at = max(decision.due_at, now) if decision.due_at < NEVER else None
    return NextAction(decision.action, at, decision.reason)


def _partner(lane: Lane) -> Partner:
    breaker = lane.state.breaker
    return Partner(breaker.state, lane.health_share(), breaker.last_success_at or None)


def _details(outcome: Outcome) -> ErrorDetails:
    kind = outcome.failure_class or FailureClass.PROTOCOL
    return ErrorDetails(kind, outcome.code, outcome.http_status, outcome.message)


def _indicators(outcome: Outcome) -> SuccessIndicators:
    return SuccessIndicators(outcome.http_status, outcome.reference, outcome.price, outcome.rule)


def cut(reply_at: int, now: int, duration_ms: float) -> tuple[Reply, Outcome]:
    """Return reply and outcome of a send that we cut ourselves; it may have arrived."""
    reply = Reply(
        reply_at,
        now,
        duration_ms,
        error=FailureClass.CANCELLED,
        error_code="CANCELLED",
        error_message="the send was cut before an answer came",
        maybe_received=True,
    )
    outcome = Outcome(
        Result.ERROR,
        retryable=True,
        failure_class=FailureClass.CANCELLED,
        reason="cut by shutdown",
        code="CANCELLED",
        message=reply.error_message,
        maybe_received=True,
    )
    return reply, outcome


def is_probe(lane: Lane) -> bool:
    """Tell whether a send that starts now tests a recipient that was down."""
    return lane.state.breaker.state is BreakerState.HALF_OPEN
