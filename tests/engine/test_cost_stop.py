"""The cost-based stop: off by default, and where it is on planted numbers decide both ways."""

import pytest

from holdfast.model.delivery import Status
from holdfast.model.flow import Recipient
from holdfast.model.policy import BreakerSettings, CostStop, PolicySettings
from holdfast.testing.channel import always
from holdfast.testing.clock import run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

STOP = CostStop(attempt_cost=1.0)


def played(
    value: float, stop: CostStop | None, *, breaker: BreakerSettings = NO_BREAKER
) -> tuple[Rig, Status, str | None]:
    """Return how one delivery stands after a minute with a partner that is down."""
    partner: Recipient = recipient(breaker=breaker)
    policy = PolicySettings(max_retries=5, cost_stop=stop)
    rig = Rig(catalog(partner, policy=policy), always(503))

    async def main() -> tuple[Status, str | None]:
        async with running(rig):
            await rig.send(1, value=value)
            await rig.wait(60)
            (delivery,) = await rig.deliveries()
            return delivery.status, delivery.code

    return rig, *run(main(), rig.clock)


def test_it_is_off_by_default() -> None:
    """A delivery worth next to nothing is tried as often as one worth a fortune."""
    rig, _, code = played(0.01, None)
    assert code != "NOT_WORTH_IT"
    assert len(rig.channel.sent) > 3


@pytest.mark.parametrize(("value", "stops"), [(0.5, True), (1000.0, False), (0.0, False)])
def test_expected_value_against_cost_decides(value: float, *, stops: bool) -> None:
    """Half a unit never pays for a try of one; a thousand do; no value at all is not asked."""
    rig, status, code = played(value, STOP)
    assert (code == "NOT_WORTH_IT") is stops
    assert (len(rig.channel.sent) == 1) is stops
    if stops:
        assert status is Status.DEAD


def test_the_event_says_what_it_was_worth() -> None:
    """Promise 7: the numbers stand in the reason, the setting in the configuration."""
    rig, _, _ = played(0.5, STOP)

    async def main() -> None:
        (event,) = await rig.events()
        assert event["next_action"] == {
            "type": "dead_letter",
            "reason": "no try pays: worth 0.5 now, 1 a try, after 5 ms",
        }

    run(main(), rig.clock)


def test_what_is_worth_less_every_hour_stops_later() -> None:
    """With a half-life the same value pays at first and no more after some tries."""
    rig, _, code = played(2000.0, CostStop(attempt_cost=1.0, half_life=4.0))
    assert code == "NOT_WORTH_IT"
    assert 1 < len(rig.channel.sent) < 6


def test_a_recipient_that_is_down_is_the_lanes_trouble() -> None:
    """While the lane holds what it cannot send, waiting costs no tries: nothing is stopped."""
    rig, status, code = played(0.5, STOP, breaker=BreakerSettings())
    assert (status, code) == (Status.PENDING, None)
    assert rig.channel.sent
