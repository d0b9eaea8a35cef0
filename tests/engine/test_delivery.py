"""The life of one delivery through the whole engine, in virtual time."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from holdfast.model.attempt import FailureClass
from holdfast.model.delivery import Status
from holdfast.model.policy import JitterKind, PolicySettings
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

EXACT = PolicySettings(jitter=JitterKind.NONE)


def test_a_healthy_partner_gets_it_at_once() -> None:
    """One send, delivered, and one event that says everything the catalogue asks for."""
    clock = VirtualClock()
    rig = Rig(catalog(recipient()), always(200), clock=clock)

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send()
            await rig.wait(1)
            (delivery,) = await rig.deliveries()
            assert delivery.status is Status.DELIVERED
            assert delivery.id == receipt.deliveries[0].id
            (event,) = await rig.events()
            assert event["original_event_id"] == event["event_id"]
            assert event["attempt_number"] == 0
            assert event["trigger"] == "automatic"
            assert event["next_action"] == {"type": "done"}
            assert event["latency_ms"] == 5
            assert event["success_indicators"] == {"http_status": 200}
            assert rig.channel.received == {delivery.id: 1}

    run(main(), clock)


@pytest.mark.parametrize(
    ("template", "waits"),
    [("conservative", [5, 5]), ("standard", [2, 4, 8]), ("aggressive", [1, 2, 4, 8, 16])],
)
def test_templates_send_at_the_seeds_instants(template: str, waits: list[int]) -> None:
    """With the breaker off and no jitter, sends follow the sequence, then the delivery is dead."""
    policy = PolicySettings(template=template, jitter=JitterKind.NONE, exhausted_while_down="dead")
    rig = Rig(catalog(recipient(breaker=NO_BREAKER), policy=policy), always(503, takes_ms=0))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(120)
            instants = [at for at, _ in rig.channel.sent]
            gaps = [(b - a) / 1000 for a, b in pairwise(instants)]
            assert gaps == waits
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.code) == (Status.DEAD, "RETRY_LIMIT_EXCEEDED")
            events = await rig.events()
            assert [e["attempt_number"] for e in events] == list(range(len(waits) + 1))
            assert len({e["original_event_id"] for e in events}) == 1

    run(main(), rig.clock)


def test_a_retry_brings_it_home() -> None:
    """Two 503, then a 200: delivered on retry 2, counted as three sends."""
    rig = Rig(catalog(recipient(), policy=EXACT), in_order(503, 503, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(30)
            (delivery,) = await rig.deliveries()
            assert delivery.status is Status.DELIVERED
            assert (delivery.attempts, delivery.counted) == (3, 3)
            outcomes = [e["retry_outcome"] for e in await rig.events()]
            assert outcomes == ["failure", "failure", "success"]

    run(main(), rig.clock)


def test_a_hard_failure_is_dead_at_once() -> None:
    """A 400 is not tried again; it waits in review with its reason."""
    rig = Rig(catalog(recipient()), always(400))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(60)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.code) == (Status.DEAD, "HARD_FAILURE")
            assert len(rig.channel.sent) == 1

    run(main(), rig.clock)


def test_the_same_key_goes_out_on_every_attempt() -> None:
    """The idempotency key of a delivery never changes (promise 3)."""
    rig = Rig(catalog(recipient(), policy=EXACT), in_order(503, 500, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(30)
            assert len({request.delivery_id for _, request in rig.channel.sent}) == 1
            assert [request.attempt for _, request in rig.channel.sent] == [0, 1, 2]

    run(main(), rig.clock)


def test_retry_after_gates_the_lane_and_uses_no_retry() -> None:
    """A 429 with Retry-After: nothing goes to that recipient before, and no retry is used."""
    limited = Scripted(429, headers={"retry-after": "20"}, takes_ms=1)
    rig = Rig(catalog(recipient(concurrency=1)), in_order(limited, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send(3)
            await rig.wait(19)
            assert len(rig.channel.sent) == 1
            await rig.wait(30)
            deliveries = await rig.deliveries()
            assert {d.status for d in deliveries} == {Status.DELIVERED}
            assert [e["counted"] for e in await rig.events()] == [False, True, True, True]

    run(main(), rig.clock)


def test_three_refused_credentials_hold_the_lane() -> None:
    """One rotated key must not kill a million: after three 401 the lane waits for a person."""
    rig = Rig(catalog(recipient(concurrency=1)), always(401))

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            await rig.wait(60)
            assert len(rig.channel.sent) == 3
            assert len(await rig.deliveries(Status.DEAD)) == 2
            assert len(await rig.deliveries(Status.PENDING)) == 18
            lane = await rig.engine.views.lane("acme")
            assert lane.gate == "credentials"
            rig.channel.script = always(200)
            await rig.engine.actions.resume("acme", actor="ann", reason="new key")
            await rig.wait(10)
            assert len(await rig.deliveries(Status.DELIVERED)) == 18

    run(main(), rig.clock)


def test_gone_disables_the_endpoint() -> None:
    """A 410 takes the endpoint out of use; nothing else is sent there and nothing is lost."""
    rig = Rig(catalog(recipient(concurrency=1)), always(410))

    async def main() -> None:
        async with running(rig):
            await rig.send(5)
            await rig.wait(60)
            assert len(rig.channel.sent) == 1
            assert len(await rig.deliveries(Status.PENDING)) == 5
            lane = await rig.engine.views.lane("acme")
            assert (lane.gate, lane.disabled) == ("endpoint", ("main",))

    run(main(), rig.clock)


def test_a_duplicate_answer_after_an_ambiguous_timeout_means_delivered() -> None:
    """The partner had it although we heard nothing: in doubt, then likely delivered."""
    lost = Scripted(
        error=FailureClass.TIMEOUT, error_code="ETIMEDOUT", maybe_received=True, keeps=True
    )
    rig = Rig(catalog(recipient(), policy=EXACT), in_order(lost, Scripted(409)))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(30)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.code) == (Status.DELIVERED, "LIKELY_DELIVERED")

    run(main(), rig.clock)


def test_a_duplicate_answer_to_a_first_send_is_a_hard_failure() -> None:
    """Without doubt a duplicate is the partner's refusal."""
    rig = Rig(catalog(recipient()), always(409))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(30)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.code) == (Status.DEAD, "HARD_FAILURE")

    run(main(), rig.clock)


def test_max_age_ends_what_nothing_else_ends() -> None:
    """A delivery behind a dead recipient is dead EXPIRED when its age is reached."""
    policy = PolicySettings(max_age=600.0)
    rig = Rig(catalog(recipient(), policy=policy), always(503))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(590)
            assert len(await rig.deliveries(Status.PENDING)) == 1
            await rig.wait(20)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.code) == (Status.DEAD, "EXPIRED")

    run(main(), rig.clock)


def test_total_timeout_counts_active_time_only() -> None:
    """Retries end when durations and planned delays reach the limit (C5)."""
    policy = PolicySettings(
        jitter=JitterKind.NONE,
        max_retries=10,
        initial_delay=10.0,
        max_interval=100.0,
        total_timeout=100.0,
        exhausted_while_down="dead",
    )
    rig = Rig(catalog(recipient(breaker=NO_BREAKER), policy=policy), always(503, takes_ms=0))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(3600)
            (delivery,) = await rig.deliveries()
            assert delivery.status is Status.DEAD
            assert len(rig.channel.sent) == 4  # after 10 + 20 + 40 s the next 80 s do not fit

    run(main(), rig.clock)


def test_an_instant_before_all_time_is_past() -> None:
    """A start of the year 11 means at once, an end of then means expired: no store refuses it."""
    clock = VirtualClock()
    rig = Rig(catalog(recipient()), always(200), clock=clock)
    ancient = datetime(11, 3, 30, tzinfo=UTC)

    async def main() -> None:
        async with running(rig):
            await rig.send(not_before=ancient)
            await rig.send(expires_at=ancient)
            await rig.wait(1)
            found = sorted((each.status, each.code) for each in await rig.deliveries())
            assert found == [(Status.DEAD, "EXPIRED"), (Status.DELIVERED, None)]

    run(main(), clock)
