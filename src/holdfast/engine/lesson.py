"""What a lane learns from a failed try besides its breaker: gates that close for a while."""

import random

from holdfast.engine.lane import Lane
from holdfast.engine.record import Try
from holdfast.model.attempt import FailureClass
from holdfast.model.delivery import Verb
from holdfast.model.message import NEVER
from holdfast.policy.breaker import health
from holdfast.policy.decide import HINT_AS_DELAY_MS, Decision, passes


def teach(lane: Lane, tried: Try, decision: Decision, now: int, rng: random.Random) -> bool:
    """Close the gates of a lane as outcome and decision say; tell whether they changed."""
    outcome = tried.outcome
    changed = False
    if decision.counted and decision.verb is Verb.RETRY and health(outcome) is False:
        lane.counted(tried.delivery.id)
    if outcome.disable_endpoint and not passes(outcome, tried.judgement):
        changed = lane.disable(tried.endpoint)
    if decision.open_breaker:
        changed = lane.trip(decision.reason or "", now, rng) or changed
    opens = 0  # the wish is the partner's: it counts for the lane whatever becomes of the delivery
    if outcome.retry_after_ms is not None:
        opens = now + min(outcome.retry_after_ms, int(tried.route.policy.max_hint * 1000))
    elif decision.bare_limit and lane.waits_for_bare_limit:
        ended = decision.due_at >= NEVER  # no delay was drawn: then the throttle's own counts
        opens = now if ended else min(decision.due_at, now + HINT_AS_DELAY_MS)
    if opens:
        if outcome.failure_class is FailureClass.RATE_LIMIT:
            opens = max(opens, now + lane.refused(tried.reply.request_at, now))
        spread = rng.uniform(0, 0.1 * (opens - now) + 100)
        changed = lane.hint(opens + round(spread), outcome.reason or "") or changed
    return changed
