"""What a person's word on a failure changes about the decision, and what it never does."""

import random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.flow import Catalog, Endpoint, Recipient
from holdfast.model.group import Group
from holdfast.model.judgement import Judgement, Nature
from holdfast.model.lane import BreakerState
from holdfast.model.policy import JitterKind, Policy, PolicySettings
from holdfast.policy.decide import Code, Decision, Gate, LaneFacts, decide, passes
from holdfast.policy.fingerprint import untried
from holdfast.policy.precedence import resolve

_FLAGS: Final = ("retryable", "duplicate", "maybe_received", "disable_endpoint", "in_doubt")
NOW: Final = 1_767_225_600_000
TEMPORARY: Final = Judgement("g1_0000000000000001", Nature.TEMPORARY, "ann")
PERMANENT: Final = Judgement("g1_0000000000000001", Nature.PERMANENT, "ann")
POLICY: Final = resolve(
    Catalog(),
    flow=None,
    step=None,
    recipient=Recipient(
        name="north",
        endpoints=(Endpoint(url="http://north.example"),),
        policy=PolicySettings(jitter=JitterKind.NONE, initial_delay=2.0, max_retries=3),
    ),
)
WELL: Final = LaneFacts(BreakerState.CLOSED, 0, NOW - 1)
DELIVERY: Final = Delivery(
    id="dlv_1",
    message_id="msg_1",
    account="acme",
    flow="leads",
    step="one",
    recipient="north",
    priority=5,
    predecessor=None,
    followed=False,
    expires_at=NOW + 1_000_000,
    created_at=NOW - 1_000,
    first_attempt_at=NOW - 500,
    counted=1,
)
HARD: Final = Outcome(Result.FAILURE, failure_class=FailureClass.DATA, reason="no", http_status=422)
SOFT: Final = Outcome(
    Result.ERROR, retryable=True, failure_class=FailureClass.SERVER, reason="no", http_status=503
)


def decided(
    outcome: Outcome,
    judgement: Judgement | None,
    delivery: Delivery = DELIVERY,
    policy: Policy = POLICY,
    lane: LaneFacts = WELL,
) -> Decision:
    """Decide with the same luck every time."""
    return decide(
        delivery,
        outcome,
        policy,
        lane,
        now=NOW,
        active_ms=10,
        rng=random.Random(1),
        judgement=judgement,
    )


def changed(value: Any, **fields: Any) -> Any:
    """Return a value with other fields."""
    return msgspec.structs.replace(value, **fields)


def test_permanent_ends_what_may_pass_at_once() -> None:
    """With a code that says that a person decided, and who."""
    for outcome in (SOFT, HARD, changed(SOFT, failure_class=FailureClass.RATE_LIMIT)):
        found = decided(outcome, PERMANENT)
        assert (found.verb, found.code) == (Verb.DIE, Code.JUDGED_PERMANENT)
        assert found.judgement == PERMANENT
        assert found.reason == "ann judged such failures permanent"


def test_temporary_retries_what_would_have_ended() -> None:
    """Exactly as the policy retries, and it says by whose word."""
    found = decided(HARD, TEMPORARY)
    assert (found.verb, found.due_at, found.counted) == (Verb.RETRY, NOW + 4_000, True)
    assert found.judgement == TEMPORARY
    assert found.reason == "retry 2 of 3; ann judged such failures temporary"


def test_a_word_that_changes_nothing_is_not_named() -> None:
    """What may pass by the rules is decided by these, temporary or not."""
    assert decided(SOFT, TEMPORARY) == decided(SOFT, None)
    assert decided(SOFT, None).judgement is None
    assert decided(HARD, None).code == Code.HARD_FAILURE


def test_temporary_keeps_the_limits() -> None:
    """Retries, total time, and what a lane holds; each by the usual code."""
    used = decided(HARD, TEMPORARY, changed(DELIVERY, counted=3))
    assert (used.verb, used.code) == (Verb.DIE, Code.RETRY_LIMIT_EXCEEDED)
    late = decided(HARD, TEMPORARY, policy=changed(POLICY, total_timeout=3.0))
    assert (late.verb, late.code) == (Verb.DIE, Code.RETRY_LIMIT_EXCEEDED)
    refused = Outcome(Result.ERROR, failure_class=FailureClass.AUTH, http_status=401)
    held = decided(refused, TEMPORARY, lane=changed(WELL, setup_held=True))
    assert (held.verb, held.gate, held.counted) == (Verb.HOLD, Gate.CREDENTIALS, False)
    assert decided(refused, TEMPORARY).verb is Verb.RETRY


@pytest.mark.parametrize("risk", ["maybe_received", "duplicate"])
def test_temporary_never_sends_again_what_the_partner_may_have(risk: str) -> None:
    """Where the rules stop as it may have arrived, no word makes another send."""
    outcome = changed(HARD, **{risk: True})
    assert not passes(outcome, TEMPORARY)
    plain, found = decided(outcome, None), decided(outcome, TEMPORARY)
    assert changed(found, reason=plain.reason) == plain
    assert (plain.verb, plain.code) == (Verb.DIE, Code.HARD_FAILURE)
    assert found.reason == "no; temporary by ann's word, but the partner may have it"


def test_no_word_beats_what_is_known() -> None:
    """A success, a duplicate in doubt, a condition, and a send that was cut are no failures."""
    ok = Outcome(Result.SUCCESS, http_status=200)
    skip = Outcome(Result.SKIP, reason="no consent")
    cut = changed(SOFT, failure_class=FailureClass.CANCELLED)
    doubt = changed(DELIVERY, in_doubt=True)
    for word in (TEMPORARY, PERMANENT):
        for outcome in (ok, skip, cut):
            assert decided(outcome, word) == decided(outcome, None)
        likely = decided(changed(HARD, duplicate=True), word, doubt)
        assert (likely.verb, likely.code) == (Verb.SUCCEED, Code.LIKELY_DELIVERED)
        assert passes(cut, word)


def test_an_endpoint_that_is_gone_follows_the_word() -> None:
    """410: held without one; retried when a person knows better; dead when that is final."""
    gone = changed(HARD, http_status=410, disable_endpoint=True)
    assert decided(gone, None).gate is Gate.ENDPOINT
    assert decided(gone, TEMPORARY).verb is Verb.RETRY
    assert decided(gone, PERMANENT).code == Code.JUDGED_PERMANENT


@given(
    kind=st.sampled_from(FailureClass),
    flags=st.fixed_dictionaries({name: st.booleans() for name in _FLAGS}),
    counted=st.integers(0, 5),
    breaker=st.sampled_from(BreakerState),
    lane_flags=st.fixed_dictionaries({name: st.booleans() for name in ("setup_held",)}),
)
def test_a_word_only_ever_moves_between_what_the_rules_know(
    kind: FailureClass,
    flags: dict[str, bool],
    counted: int,
    breaker: BreakerState,
    lane_flags: dict[str, bool],
) -> None:
    """Temporary is what a failure that may pass would get; permanent never leaves one waiting."""
    doubt = flags.pop("in_doubt")
    outcome: Outcome = changed(SOFT, failure_class=kind, http_status=400, **flags)
    delivery = changed(DELIVERY, counted=counted, in_doubt=doubt)
    lane = changed(WELL, breaker=breaker, **lane_flags)
    plain = decided(outcome, None, delivery, lane=lane)
    final = decided(outcome, PERMANENT, delivery, lane=lane)
    cut = kind is FailureClass.CANCELLED
    assert cut or final.verb in (Verb.DIE, Verb.SUCCEED)
    soft = decided(outcome, TEMPORARY, delivery, lane=lane)
    if soft.judgement is None:
        same = changed(soft, reason=plain.reason) == plain
        assert same or soft.gate is Gate.CREDENTIALS  # 410 and refused: held either way
        return
    may_pass = changed(outcome, retryable=True, disable_endpoint=False)
    as_usual = decided(may_pass, None, delivery, lane=lane)
    assert changed(soft, judgement=None, reason=as_usual.reason) == as_usual
    assert True not in (outcome.retryable, outcome.maybe_received, outcome.duplicate)
    if soft.verb is Verb.RETRY and soft.counted:
        assert counted < POLICY.max_retries


def test_what_died_without_a_try_cannot_be_judged() -> None:
    """Our own code and no reason; a partner's answer has one."""
    group = Group("g1_1", "acme", "leads", "one", "north", "server", "EXPIRED", "", 1, 1, 1)
    assert untried(group)
    assert not untried(changed(group, template="http #"))
    assert not untried(changed(group, code="E17"))
