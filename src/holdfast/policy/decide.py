"""What happens after a try: the one place that branches on an outcome.

`decide` is pure: it sees the delivery as it was sent, the outcome, the resolved policy, the lane
after it took note of the outcome, the time and the randomness. Rules: design 2 and 4, C1, C5,
C6, C39; algorithms section 3.1.
"""

import math
import random
from enum import StrEnum
from typing import Final

import msgspec

from holdfast.model.attempt import FailureClass, Jitter, Outcome, Result
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.judgement import Judgement, Nature
from holdfast.model.lane import BreakerState
from holdfast.model.learned import Habits
from holdfast.model.message import NEVER
from holdfast.model.policy import Policy, Strategy
from holdfast.policy import backoff
from holdfast.policy.breaker import health
from holdfast.policy.habits import EXPLORE, MARGINAL, after_bad_hours, chance, share
from holdfast.policy.outage import Hazards
from holdfast.policy.probing import pays

HINT_AS_DELAY_MS: Final = 300_000
"""A partner's hint up to this is a delay; a longer one is a hold until that time (C6)."""

_SETUP: Final = frozenset({FailureClass.AUTH, FailureClass.CONFIGURATION})


class Code(StrEnum):
    """Why a delivery ended or waits, as people and programs see it."""

    RETRY_LIMIT_EXCEEDED = "RETRY_LIMIT_EXCEEDED"
    """Retries or total time are used up (S5.40)."""
    HARD_FAILURE = "HARD_FAILURE"
    """The answer means that a retry would fail the same way."""
    JUDGED_PERMANENT = "JUDGED_PERMANENT"
    """A person judged the failures of its group permanent."""
    EXPIRED = "EXPIRED"
    """`max_age` or the message's own `expires_at` has passed."""
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    """The breaker is open and the lane drops (C2)."""
    WORKER_CRASH = "WORKER_CRASH"
    """Three workers ended while sending it."""
    PAYLOAD_MISSING = "PAYLOAD_MISSING"
    """The payload was purged or does not open (C17)."""
    PREDECESSOR = "PREDECESSOR"
    """The step before it ended without success."""
    NOT_WORTH_IT = "NOT_WORTH_IT"
    """Trying on costs more than it can bring (`cost_stop`, S1.93)."""
    IDEMPOTENCY_KEY_COLLISION = "IDEMPOTENCY_KEY_COLLISION"
    """It was spooled, and its key belongs to a message with another payload."""
    DUPLICATE = "DUPLICATE"
    """It was spooled, and its key belongs to a message with the same payload."""
    CANCELLED = "CANCELLED"
    """A person gave it up."""
    SUPERSEDED = "SUPERSEDED"
    """A person sent another payload in its place; the child says which."""
    LIKELY_DELIVERED = "LIKELY_DELIVERED"
    """The partner called it a duplicate after a send without an answer."""
    BY_HAND = "BY_HAND"
    """A person marked it delivered, with proof."""
    CONSENT_MISSING = "CONSENT_MISSING"
    """The flow asks for a consent record and the message has none."""
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    """The consent had expired before a try (S1.127)."""
    CONSENT_REVOKED = "CONSENT_REVOKED"
    """The consent was revoked before a try."""
    REGION_NOT_ALLOWED = "REGION_NOT_ALLOWED"
    """The person's region may not be sent to the endpoint's (S1.128)."""


class Gate(StrEnum):
    """What can keep a delivery or a lane waiting."""

    PAUSED = "paused"
    """A person paused the recipient."""
    CREDENTIALS = "credentials"
    """The recipient refused our credentials or set-up three times in a row."""
    ENDPOINT = "endpoint"
    """Every endpoint answered 410."""
    HOURS = "hours"
    """It is outside the recipient's business hours."""
    MAINTENANCE = "maintenance"
    """The recipient announced maintenance."""
    CAP = "cap"
    """As many deliveries as the recipient takes in a period have succeeded, or still may."""
    LIMIT = "limit"
    """The recipient's rate limits: it got all it may get for now."""
    BUDGET = "budget"
    """The retry budget is empty: retries wait, first tries go on."""
    BREAKER = "breaker"
    """The recipient is down, or a probe is under way."""
    RATE = "rate"
    """The partner asked for patience."""
    PACE = "pace"
    """The recovery's rate."""
    CONCURRENCY = "concurrency"
    """The recipient has all the sends it may have at once."""
    STORE = "store"
    """There is no room on disk for settlements."""
    NOT_BEFORE = "not_before"
    """The message's own time, or a person's."""
    BACKOFF = "backoff"
    """The delivery's own retry time."""
    PREDECESSOR = "predecessor"
    """The step before it has not succeeded yet."""
    SHUTDOWN = "shutdown"
    """The send was cut and given back."""
    BATCH = "batch"
    """Retries go out only in the recipient's batch windows."""
    CONTACT_HOURS = "contact_hours"
    """People may not be contacted at this time of their day."""
    TURN = "turn"
    """Nothing keeps it: it waits for its turn, or is being sent."""
    RULE = "rule"
    """A rule holds the delivery."""
    SUSPECT = "suspect"
    """On its way at two crashes: it goes out alone once its worker has lived for a while."""


class LaneFacts(msgspec.Struct, frozen=True, gc=False):
    """How the lane stands after it took note of the outcome.

    Attributes:
        breaker: state of its breaker.
        retry_at: end of the open period in ms.
        last_success_at: last success of any delivery in ms, 0: never.
        setup_held: our credentials or set-up were refused three times in a row.
        breaker_enabled: false for tests of exact sequences.
        delay_factor: on planned delays, by the recipient's hours (S2.98, S2.99).
        hazards: how recoveries of the outcome's class spread over time, as learned.
        permanent: share of such failures that waiting does not end, as learned.
        habits: what is usual at each hour and for each further try, as learned.
        usual: share of sends that fail as a rule.
    """

    breaker: BreakerState
    retry_at: int
    last_success_at: int
    setup_held: bool = False
    breaker_enabled: bool = True
    delay_factor: float = 1.0
    hazards: Hazards | None = None
    permanent: float = 0.0
    habits: Habits | None = None
    usual: float = 0.0


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What happens next.

    Attributes:
        verb: the change of the delivery.
        action: the event's `next_action.type`.
        due_at: next earliest send (`NEVER` when it ended).
        counted: this try used a retry (or was the original).
        code: why it ended (a `Code`, or one of a rule's own), else None.
        reason: one phrase for people.
        gate: what it waits for when it is a hold.
        delay_ms: planned delay; part of the active time.
        jitter: window and draw of the delay.
        bare_limit: the partner refused for its rate (429) and did not say until when; what the
            lane makes of it says `engine.throttle`.
        open_breaker: the lane has to open: this delivery would have run out of retries although
            the recipient has taken nothing since its first try.
        judgement: a person's word that decided, None: the rules did.
    """

    verb: Verb
    action: str
    due_at: int = NEVER
    counted: bool = True
    code: str | None = None
    reason: str | None = None
    gate: Gate | None = None
    delay_ms: int = 0
    jitter: Jitter | None = None
    bare_limit: bool = False
    open_breaker: bool = False
    judgement: Judgement | None = None


_DONE: Final = Decision(verb=Verb.SUCCEED, action="done")
_LIKELY: Final = Decision(
    verb=Verb.SUCCEED,
    action="done",
    code=Code.LIKELY_DELIVERED,
    reason="the partner has it already, after a send without an answer",
)


def refused_setup(outcome: Outcome) -> bool:
    """Tell whether the recipient (or our guard) refused how we are set up, not the message."""
    return outcome.failure_class in _SETUP and not outcome.retryable


def passes(outcome: Outcome, judgement: Judgement | None) -> bool:
    """Tell whether a failure may pass: by what the answer means, unless a person judged it.

    No word makes a retry of what the partner may have taken, or says that it has already: where
    the rules stop there, another send could be a second one.
    """
    if judgement is None or outcome.failure_class is FailureClass.CANCELLED:
        return outcome.retryable
    if judgement.nature is Nature.PERMANENT:
        return False
    return outcome.retryable or not (outcome.maybe_received or outcome.duplicate)


def decide(  # noqa: PLR0911  # the one place of branching
    delivery: Delivery,
    outcome: Outcome,
    policy: Policy,
    lane: LaneFacts,
    *,
    now: int,
    active_ms: int,
    rng: random.Random,
    value: float = 0.0,
    judgement: Judgement | None = None,
) -> Decision:
    """Return what happens to `delivery` after `outcome`.

    Args:
        delivery: as it was when it was sent.
        outcome: what came back.
        policy: resolved for this delivery.
        lane: after it took note of the outcome.
        now: ms since the epoch.
        active_ms: the delivery's active time including this try.
        rng: draws the jitter.
        value: of the message, 0: unknown; only `cost_stop` asks for it.
        judgement: a person's word on such failures.
    """
    if outcome.ok:
        return _DONE
    if outcome.duplicate and delivery.in_doubt:
        return _LIKELY
    if outcome.result is Result.SKIP:
        return Decision(verb=Verb.SKIP, action="discard", counted=False, reason=outcome.reason)
    if outcome.failure_class is FailureClass.CANCELLED:
        return _hold(now, Gate.SHUTDOWN, "the send was cut; it is given back")
    if judgement is not None and judgement.nature is Nature.PERMANENT:
        return _judged_permanent(outcome, judgement)
    passing = passes(outcome, judgement)
    if outcome.disable_endpoint and not passing:
        return _hold(now, Gate.ENDPOINT, "the partner says the endpoint is gone (410)")
    if lane.setup_held and refused_setup(outcome):
        return _hold(now, Gate.CREDENTIALS, "three refusals in a row hold the lane")
    if not passing:
        return _hard(outcome, judgement)
    decision = _again(
        delivery, outcome, policy, lane, now=now, active_ms=active_ms, rng=rng, value=value
    )
    return decision if outcome.retryable else _by_word(decision, judgement)


def _again(
    delivery: Delivery,
    outcome: Outcome,
    policy: Policy,
    lane: LaneFacts,
    *,
    now: int,
    active_ms: int,
    rng: random.Random,
    value: float,
) -> Decision:
    """Return what happens after a failure that may pass."""
    if outcome.failure_class is FailureClass.RATE_LIMIT:
        return _rate_limited(delivery, outcome, policy, now, rng)
    if _down(outcome, lane):
        until = lane.retry_at if now < lane.retry_at < NEVER else now
        return _hold(until, Gate.BREAKER, "the recipient is down")
    stopped = _stopped(delivery, outcome, policy, lane, now=now, value=value)
    return stopped or _retry(delivery, outcome, policy, lane, now=now, active_ms=active_ms, rng=rng)


def _hold(until: int, gate: Gate, reason: str) -> Decision:
    return Decision(
        verb=Verb.HOLD, action="hold", due_at=until, counted=False, gate=gate, reason=reason
    )


def _hard(outcome: Outcome, judgement: Judgement | None) -> Decision:
    """End it; a word that is here was too much: it says temporary of what may have arrived."""
    reason = outcome.reason
    if judgement is not None:
        word = f"temporary by {judgement.actor}'s word, but the partner may have it"
        reason = f"{reason or 'it failed'}; {word}"
    return Decision(
        verb=Verb.DIE,
        action="dead_letter",
        code=Code.HARD_FAILURE,
        reason=reason,
        bare_limit=_bare(outcome),
    )


def _bare(outcome: Outcome) -> bool:
    return outcome.failure_class is FailureClass.RATE_LIMIT and outcome.retry_after_ms is None


def _judged_permanent(outcome: Outcome, judgement: Judgement) -> Decision:
    return Decision(
        verb=Verb.DIE,
        action="dead_letter",
        code=Code.JUDGED_PERMANENT,
        reason=f"{judgement.actor} judged such failures permanent",
        bare_limit=_bare(outcome),
        judgement=judgement,
    )


def _by_word(decision: Decision, judgement: Judgement | None) -> Decision:
    """Say that what happens is possible only as a person judged such failures temporary."""
    if judgement is None:
        return decision
    reason = f"{decision.reason}; {judgement.actor} judged such failures temporary"
    return msgspec.structs.replace(decision, reason=reason, judgement=judgement)


def _down(outcome: Outcome, lane: LaneFacts) -> bool:
    halted = lane.breaker in (BreakerState.OPEN, BreakerState.HALF_OPEN)
    return halted and health(outcome) is False


def _rate_limited(
    delivery: Delivery, outcome: Outcome, policy: Policy, now: int, rng: random.Random
) -> Decision:
    """Wait as long as the partner asks, without using a retry: the limit is the lane's."""
    hint = _hint(outcome, policy)
    jitter = backoff.plan(policy, max(1, delivery.counted), delivery.last_delay_ms, rng)
    wait = jitter.draw_ms if hint is None else hint
    if wait > HINT_AS_DELAY_MS:
        held = _hold(now + wait, Gate.RATE, "the partner asks for patience")
        return msgspec.structs.replace(held, bare_limit=hint is None)
    return Decision(
        verb=Verb.RETRY,
        action="retry",
        due_at=now + wait,
        counted=False,
        reason="rate limited",
        jitter=jitter,
        bare_limit=hint is None,
    )


def _hint(outcome: Outcome, policy: Policy) -> int | None:
    if outcome.retry_after_ms is None:
        return None
    return min(outcome.retry_after_ms, int(policy.max_hint * 1000))


def _retry(
    delivery: Delivery,
    outcome: Outcome,
    policy: Policy,
    lane: LaneFacts,
    *,
    now: int,
    active_ms: int,
    rng: random.Random,
) -> Decision:
    """Plan the next retry, or end: the delivery's own trouble uses its own retries."""
    used = delivery.counted + 1
    if used > policy.max_retries:
        return _exhausted(delivery, outcome, policy, lane, f"{policy.max_retries} retries used")
    if (vain := _vain(used, policy, lane, rng)) is not None:
        return _exhausted(delivery, outcome, policy, lane, vain)
    age_ms = now - delivery.first_attempt_at
    jitter = backoff.plan(
        policy, used, delivery.last_delay_ms, rng, hazards=lane.hazards, age_ms=age_ms
    )
    hint = _hint(outcome, policy) or 0
    planned = max(jitter.draw_ms, hint)
    delay = max(round(jitter.draw_ms * lane.delay_factor), hint)
    if hint > HINT_AS_DELAY_MS:
        return Decision(
            verb=Verb.HOLD,
            action="hold",
            due_at=now + hint,
            gate=Gate.RATE,
            reason="the partner asks for patience",
            jitter=jitter,
        )
    spent = active_ms if policy.timeout_clock == "active" else now - delivery.first_attempt_at
    counting = min(planned, delay)  # what the hours add is waiting, not active time
    if spent + counting > policy.total_timeout * 1000:
        limit = f"{policy.total_timeout:g} s of {policy.timeout_clock} time used"
        return _exhausted(delivery, outcome, policy, lane, limit)
    due_at, moved = _moved(now + delay, jitter.draw_ms, policy, lane)
    return Decision(
        verb=Verb.RETRY,
        action="retry",
        due_at=due_at,
        reason=_planned(used, policy, lane.delay_factor) + moved,
        delay_ms=counting,  # what the hours add is waiting, not active time
        jitter=jitter,
    )


def _vain(used: int, policy: Policy, lane: LaneFacts, rng: random.Random) -> str | None:
    """Tell why a retry is not worth making after the first, None: it is (S2.56)."""
    if policy.strategy is not Strategy.ADAPTIVE or lane.habits is None or used == 1:
        return None
    expected = chance(lane.habits, used)
    if expected >= MARGINAL or rng.random() < EXPLORE:
        return None
    return f"retry {used} succeeds in {expected:.1%} of all cases here"


def _moved(due_at: int, spread_ms: int, policy: Policy, lane: LaneFacts) -> tuple[int, str]:
    """Move a retry out of a bad hour of the day (S2.57); return its instant and the words."""
    if policy.strategy is not Strategy.ADAPTIVE or lane.habits is None:
        return due_at, ""
    later = after_bad_hours(lane.habits, due_at, lane.usual)
    if later == due_at:
        return due_at, ""
    failing = share(lane.habits, due_at) or 0.0
    return later + spread_ms, f", moved out of an hour in which {failing:.0%} fail"


def _planned(used: int, policy: Policy, factor: float) -> str:
    by_hours = "" if factor == 1.0 else f", delay x {factor:g} by the hours"
    return f"retry {used} of {policy.max_retries}{by_hours}"


def _stopped(
    delivery: Delivery,
    outcome: Outcome,
    policy: Policy,
    lane: LaneFacts,
    *,
    now: int,
    value: float,
) -> Decision | None:
    """End a delivery whose expected value of going on is 0, for review (algorithms 3.6)."""
    stop = policy.cost_stop
    if stop is None or value <= 0 or lane.hazards is None:
        return None
    if _blames_lane(delivery, outcome, policy, lane):
        return None  # what the lane holds costs no tries
    half_life = math.inf if stop.half_life is None else stop.half_life
    left = value * 0.5 ** (max(0, now - delivery.created_at) / 1000 / half_life)
    age_ms = max(0, now - (delivery.first_attempt_at or now))
    cost = stop.attempt_cost
    if pays(lane.hazards, lane.permanent, age_ms, value=left, half_life_s=half_life, cost=cost):
        return None
    told = f"no try pays: worth {left:.4g} now, {cost:g} a try, after {age_ms} ms"
    return Decision(Verb.DIE, "dead_letter", code=Code.NOT_WORTH_IT, reason=told)


def _blames_lane(delivery: Delivery, outcome: Outcome, policy: Policy, lane: LaneFacts) -> bool:
    """Tell whether a failure is the lane's: it has taken nothing since the first try."""
    return (
        policy.exhausted_while_down == "hold"
        and lane.breaker_enabled
        and lane.last_success_at < delivery.first_attempt_at
        and health(outcome) is False
    )


def _exhausted(
    delivery: Delivery, outcome: Outcome, policy: Policy, lane: LaneFacts, limit: str
) -> Decision:
    """Give up; or, when the recipient took nothing since the first try, blame the lane and hold."""
    if _blames_lane(delivery, outcome, policy, lane):
        return Decision(
            verb=Verb.HOLD,
            action="hold",
            due_at=0,
            counted=False,
            gate=Gate.BREAKER,
            reason=f"{limit}, but the recipient has taken nothing since: it is down",
            open_breaker=True,
        )
    return Decision(
        verb=Verb.DIE, action="dead_letter", code=Code.RETRY_LIMIT_EXCEEDED, reason=limit
    )
