"""The wall clock is set back: what was to be later is not later by all that time."""

import random

import pytest

from holdfast.engine.tempo import Tempo
from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Catalog, Endpoint, Recipient
from holdfast.model.lane import Breaker, BreakerState
from holdfast.model.policy import BreakerSettings, CostStop, PolicySettings
from holdfast.policy import breaker as breakers
from holdfast.policy import outage, precedence
from holdfast.policy.decide import LaneFacts, decide

RNG = random.Random(1)
THRESHOLD = BreakerSettings(mode="threshold")


@pytest.mark.parametrize("mode", ["cusum", "threshold"])
def test_probes_count_when_the_clock_was_set_back(mode: str) -> None:
    """Else a recipient that is down gets one probe after the other until the clock is there."""
    settings = BreakerSettings(mode=mode)  # type: ignore[arg-type]
    state = Breaker(state=BreakerState.HALF_OPEN, since=7_200_000, openings=1)
    now = 3_600_000
    after = breakers.record(state, settings, ok=False, started_at=now, now=now, rng=RNG)
    assert after.state is BreakerState.OPEN


def test_a_rate_is_right_when_the_clock_was_set_back() -> None:
    """Ten a second stay about ten."""
    tempo = Tempo()
    start = 1_000_000_000
    for now in [*range(start, start + 60_000, 100), *range(start - 600_000, start + 120_000, 100)]:
        tempo.succeeded(now)
    assert tempo.rate < 20
    assert tempo.most < 20


def test_a_cost_stop_survives_a_clock_that_was_set_back() -> None:
    """2 to the power of the seconds it lies in the future is no float."""
    recipient = Recipient(name="r", endpoints=(Endpoint(name="m", url="https://p.example/"),))
    policy = precedence.resolve(
        Catalog(),
        flow=None,
        step=None,
        recipient=recipient,
        override=PolicySettings(cost_stop=CostStop(attempt_cost=0.01, half_life=10.0)),
    )
    lane = LaneFacts(BreakerState.CLOSED, 0, 15_000_000, hazards=outage.PRIOR)
    outcome = Outcome(
        result=Result.ERROR, retryable=True, failure_class=FailureClass.SERVER, http_status=500
    )
    one = Delivery(
        id="dlv_1",
        message_id="msg_1",
        account="acme",
        flow="leads",
        step="one",
        recipient="r",
        priority=5,
        predecessor=None,
        followed=False,
        expires_at=19_000_000,
        created_at=14_000_000,
        first_attempt_at=14_000_000,
    )
    decided = decide(one, outcome, policy, lane, now=1_000_000, active_ms=0, rng=RNG, value=5.0)
    assert decided.action == "retry"
