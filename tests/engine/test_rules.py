"""Rules at work: the whole engine in virtual time."""

import logging
from typing import Any

import msgspec
import pytest

from holdfast.channel import Request
from holdfast.engine.exposition import Exposition
from holdfast.errors import InvalidInput, StoreError
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Catalog, Endpoint
from holdfast.model.policy import JitterKind, PolicySettings, Strategy
from holdfast.model.rule import DeliveryRule, Effects
from holdfast.testing.channel import Script, Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

EXACT = PolicySettings(jitter=JitterKind.NONE, exhausted_while_down="dead")
BY: dict[str, Any] = {"actor": "feed", "reason": "the market moved"}


def rule(when: str, name: str = "one", payload: tuple[str, ...] = (), **then: Any) -> DeliveryRule:
    """Return a rule for everything."""
    return DeliveryRule(name=name, when=when, payload=payload, then=Effects(**then))


def ruled(*rules: DeliveryRule, policy: PolicySettings = EXACT, **settings: Any) -> Catalog:
    """Return a catalog with the rules and one recipient without a breaker."""
    found = catalog(recipient(breaker=NO_BREAKER, **settings), policy=policy)
    return msgspec.structs.replace(found, rules=rules)


def played(rig: Rig, seconds: float, **fields: Any) -> tuple[Delivery, list[dict[str, Any]]]:
    """Send one message, let time pass; return its delivery and its events."""
    found: list[Any] = []

    async def main() -> None:
        async with running(rig):
            await rig.send(**fields)
            await rig.wait(seconds)
            found.extend([*(await rig.deliveries()), await rig.events()])

    run(main(), rig.clock)
    delivery, events = found
    return delivery, events


@pytest.mark.parametrize(("value", "sends"), [(10.0, 4), (1000.0, 6)])
def test_a_valuable_message_is_tried_more_often(value: float, sends: int) -> None:
    """Two retries more from the threshold on; the event says which rule gave them."""
    rig = Rig(ruled(rule("message.value >= 1000.0", "tiers", add_retries=2)), always(503))
    delivery, events = played(rig, 600, value=value)
    assert (delivery.code, delivery.attempts) == ("RETRY_LIMIT_EXCEEDED", sends)
    told = [event.get("rules") for event in events]
    mark = {"rule": "tiers", "effect": "add_retries", "before": 3, "after": 5}
    assert told == [(mark,) if sends == 6 else None] * sends


def test_low_quality_is_retried_once_and_a_hard_failure_never() -> None:
    """A low score limits soft retries; the partner's refusal of the data is hard as ever (C32)."""
    one = rule("message.quality < 40", retries=1)
    delivery, _ = played(Rig(ruled(one), always(503)), 600, quality=20)
    assert delivery.attempts == 2
    delivery, events = played(Rig(ruled(one), always(422)), 600, quality=20)
    assert (delivery.code, delivery.attempts) == ("HARD_FAILURE", 1)
    assert "rules" not in events[0]


def test_the_strategy_switches_on_a_pattern_also_after_a_restart() -> None:
    """From the third 503 in a row on, delays are fixed; the journal, not memory, has the count."""
    when = 'attempt.class == "server" && attempt.streak >= 3'
    policy = msgspec.structs.replace(EXACT, max_retries=5)
    rig = Rig(ruled(rule(when, strategy=Strategy.FIXED), policy=policy), always(503, takes_ms=0))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(3)  # two tries: at 0 and 2 s
        rig.again()
        async with running(rig):
            await rig.wait(60)
        instants = [(at - rig.channel.sent[0][0]) / 1000 for at, _ in rig.channel.sent]
        assert instants == [0, 2, 6, 8, 10, 12]
        marked = ["rules" in event for event in await rig.events()]
        assert marked == [False, False, True, True, True, True]

    run(main(), rig.clock)


def test_delays_are_stretched() -> None:
    """A factor of three makes 2, 4, 8 seconds 6, 12, 24."""
    rig = Rig(ruled(rule("true", delay_factor=3.0)), always(503, takes_ms=0))
    played(rig, 600)
    instants = [(at - rig.channel.sent[0][0]) / 1000 for at, _ in rig.channel.sent]
    assert instants == [0, 6, 18, 42]


def test_what_is_not_worth_it_dies_and_what_is_goes_on() -> None:
    """Expected value against cost decides both ways (S1.93)."""
    one = rule("message.value * lane.p_success < 0.02", "worth", dead_letter="NOT_WORTH_IT")
    delivery, events = played(Rig(ruled(one), always(503)), 600, value=0.01)
    assert (delivery.status, delivery.code, delivery.attempts) == (
        Status.DEAD,
        "NOT_WORTH_IT",
        1,
    )
    assert events[0]["rules"] == (
        {"rule": "worth", "effect": "dead_letter", "before": "retry", "after": "NOT_WORTH_IT"},
    )
    delivery, _ = played(Rig(ruled(one), in_order(503, 200)), 600, value=5.0)
    assert delivery.status is Status.DELIVERED


@pytest.mark.slow
def test_a_hold_uses_no_retry_and_ends() -> None:
    """Held for an hour at a time while the condition holds; nothing is used, the audit tells."""
    rig = Rig(ruled(rule("message.age < 5400.0", "cooling", hold=3600.0)))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            (delivery,) = await rig.deliveries()
            assert (delivery.hold_gate, delivery.attempts, delivery.active_ms) == ("rule", 0, 0)
            assert rig.channel.sent == []
            await rig.wait(7200)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.counted) == (Status.DELIVERED, 1)
            notes = await rig.store.notes(delivery.id, 10)
            assert [note.reason for note in notes] == ["rule 'cooling' holds it"] * 2

    run(main(), rig.clock)


def test_a_skip_discards_without_a_send() -> None:
    """The rule's code ends it, nothing goes out, and event and audit name the rule."""
    rig = Rig(ruled(rule("message.region == 'XX'", "regions", skip="REGION_CLOSED")))
    delivery, events = played(rig, 5, region="XX")
    assert (delivery.status, delivery.code) == (Status.DISCARDED, "REGION_CLOSED")
    assert [event["outcome"] for event in events] == ["skip"]
    assert rig.channel.sent == []


def spare(script: Script, **then: Any) -> Rig:
    """Return a rig whose recipient has two endpoints, with a chronic rule."""
    endpoints = tuple(Endpoint(name=n, url=f"https://{n}.example/") for n in ("main", "spare"))
    one = rule("attempt.streak >= 2", "chronic", route="spare", **then)
    return Rig(ruled(one, endpoints=endpoints), script)


def test_a_chronic_failure_goes_another_way() -> None:
    """After two failures in a row the next send takes the other endpoint (S2.82)."""

    def script(request: Request, _: int) -> Scripted:
        return Scripted(503 if request.endpoint.name == "main" else 200)

    delivery, events = played(spare(script), 60)
    assert delivery.status is Status.DELIVERED
    assert [event["endpoint"] for event in events] == ["main", "main", "spare"]
    assert events[-1]["rules"] == (
        {"rule": "chronic", "effect": "route", "before": "main", "after": "spare"},
    )


def test_priority_is_set_when_a_message_is_accepted() -> None:
    """Valuable first: the delivery's priority, durable, with an audit line in the same commit."""
    rig = Rig(ruled(rule("message.value > 100.0", "vip", priority=9)))
    delivery, _ = played(rig, 5, value=500.0)
    assert delivery.priority == 9

    async def notes() -> None:
        (note,) = await rig.store.notes(delivery.id, 10)
        assert (note.reason, note.detail) == ("rule 'vip' sets priority", '{"priority":[5,9]}')

    run(notes(), rig.clock)


def test_urgent_first_and_nobody_starves() -> None:
    """One at a time: what a rule made urgent overtakes, and what is old is served between."""
    found = ruled(rule("message.value > 100.0", priority=9), concurrency=1)
    rig = Rig(found, always(200, takes_ms=10_000))

    async def main() -> None:
        async with running(rig):
            old = await rig.send(3)
            for _ in range(90):
                await rig.send(value=500.0)
                await rig.wait(10)
            order = [request.delivery_id for _, request in rig.channel.sent]
            first, *rest = [receipt.deliveries[0].id for receipt in old]
            assert order[0] == first
            assert not set(rest) & set(order[1:10])
            assert set(rest) <= set(order)

    run(main(), rig.clock)


def test_rules_react_to_a_posted_signal() -> None:
    """A signal above its threshold gives a retry more; it survives a restart."""
    one = rule('"market.index" in signals && signals["market.index"] > 1.2', add_retries=1)
    rig = Rig(ruled(one), always(503))

    async def main() -> None:
        async with running(rig):
            await rig.engine.actions.set_signal("market.index", 1.5, **BY)
            (signal,) = await rig.engine.views.signals()
            assert (signal.name, signal.value, signal.actor) == ("market.index", 1.5, "feed")
            (note,) = await rig.store.notes("market.index", 5)
            assert (note.reason, note.detail) == ("the market moved", '{"value":[null,1.5]}')
        rig.again()
        async with running(rig):
            await rig.send()
            await rig.wait(600)
            (delivery,) = await rig.deliveries()
            assert delivery.attempts == 5
            await rig.engine.actions.set_signal("market.index", 0.5, **BY)
            await rig.send()
            await rig.wait(600)
            assert (await rig.deliveries())[-1].attempts == 4
            with pytest.raises(InvalidInput, match="value"):
                await rig.engine.actions.set_signal("x", float("nan"), **BY)
            with pytest.raises(InvalidInput, match="name"):
                await rig.engine.actions.set_signal("x y", 1.0, **BY)

    run(main(), rig.clock)


def test_a_rule_that_fails_costs_no_delivery(caplog: pytest.LogCaptureFixture) -> None:
    """It is as if absent: the send goes out at once; it is logged once, counted, in the event."""
    rules = (
        rule('signals["gone"] > 1.0', "broken hold", hold=3600.0),
        rule('signals["gone"] > 1.0', "broken end", dead_letter="GONE"),
    )
    rig = Rig(ruled(*rules), in_order(503, 200))
    with caplog.at_level(logging.WARNING, "holdfast"):
        logging.getLogger("holdfast").propagate = True
        delivery, events = played(rig, 30)
    assert (delivery.status, delivery.attempts) == (Status.DELIVERED, 2)
    assert [mark["rule"] for mark in events[0]["rules"]] == ["broken hold", "broken end"]
    assert {mark["effect"] for mark in events[0]["rules"]} == {"error"}
    logged = [r.fields["rule"] for r in caplog.records if r.message == "rule_failed"]  # type: ignore[attr-defined]
    assert sorted(logged) == ["broken end", "broken hold"]
    text = Exposition(rig.engine).text()
    assert 'holdfast_rule_failures_total{rule="broken hold"} 2.0' in text


def test_rules_read_only_declared_parts_of_the_payload() -> None:
    """A declared field decides; its value stands in no event."""
    one = rule('payload.lead.state == "CA"', payload=("lead.state",), dead_letter="NO_CA")
    rig = Rig(ruled(one), always(503))
    body = msgspec.Raw(b'{"lead":{"state":"CA"}}')
    delivery, events = played(rig, 60, payload=body)
    assert delivery.code == "NO_CA"
    assert "CA" not in str(events[0]).replace("NO_CA", "")


def test_an_operators_policy_is_left_as_it_is() -> None:
    """What a person set for one delivery no rule changes."""
    rig = Rig(ruled(rule("true", add_retries=2)), always(503))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(600)
            (delivery,) = await rig.deliveries()
            assert delivery.attempts == 6
            own = PolicySettings(max_retries=1)
            await rig.engine.actions.redrive(delivery.id, policy=own, **BY)
            await rig.wait(600)
            (delivery,) = await rig.deliveries()
            assert delivery.attempts == 8

    run(main(), rig.clock)


@pytest.mark.slow
def test_a_rule_that_holds_kills_nobody_after_a_crash() -> None:
    """Suspects of an unclean take-over that a rule holds are not claimed: no WORKER_CRASH."""
    rig = Rig(ruled(rule("message.age < 86400.0", hold=60.0)))

    async def main() -> None:
        await rig.engine.start()
        await rig.send()
        await rig.wait(1)
        rig.store.abandon()
        rig.again()
        async with running(rig):
            await rig.wait(3600)
            (delivery,) = await rig.deliveries()
            assert (delivery.status, delivery.crashes) == (Status.PENDING, 0)
            assert delivery.hold_gate == "rule"

    run(main(), rig.clock)


def test_a_history_that_cannot_be_read_is_no_streak() -> None:
    """When the journal fails, rules about streaks are as if absent: policy and way stay."""

    async def broken(_: object) -> list[Any]:
        raise StoreError("the disk is gone")

    def script(request: Request, _: int) -> Scripted:
        return Scripted(503 if request.endpoint.name == "main" else 200)

    rig = spare(script)
    real = rig.store.events
    rig.store.events = broken  # type: ignore[method-assign, assignment]

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(600)
        rig.store.events = real  # type: ignore[method-assign]
        events = await rig.events()
        assert [event["endpoint"] for event in events] == ["main"] * 4
        assert [mark["effect"] for mark in events[-1]["rules"]] == ["error"]  # type: ignore[attr-defined]

    run(main(), rig.clock)


def test_a_rule_leads_nobody_where_the_flow_lets_no_such_message_go() -> None:
    """A route to an endpoint in a region that is not allowed is as if absent (S1.128)."""
    endpoints = (
        Endpoint(name="main", url="https://main.example/", region="EU"),
        Endpoint(name="spare", url="https://spare.example/", region="US"),
    )
    found = ruled(rule("true", "detour", route="spare"), endpoints=endpoints)
    flow = msgspec.structs.replace(found.flows["leads"], regions={"EU": ("EU",)})
    rig = Rig(msgspec.structs.replace(found, flows={"leads": flow}))
    delivery, events = played(rig, 5, region="EU")
    assert (delivery.status, events[0]["endpoint"]) == (Status.DELIVERED, "main")
    (mark,) = events[0]["rules"]
    assert (mark["rule"], mark["effect"]) == ("detour", "error")
    assert "region EU may not go to region US" in mark["error"]


def test_a_rule_that_holds_is_a_reason_why_not_now() -> None:
    """The delivery shows the gate and the time at which the rules are asked again."""
    rig = Rig(ruled(rule("true", hold=3600.0)))

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            (delivery,) = await rig.deliveries()
            gates = await rig.engine.views.why(delivery)
            assert ("rule", delivery.due_at) in [(gate.gate, gate.until) for gate in gates]

    run(main(), rig.clock)


def test_a_rule_may_name_the_strategy_adaptive() -> None:
    """From then on the learned hazards give the delay, drawn from their own window (S1.31)."""
    one = rule("attempt.streak >= 2", "learned", strategy=Strategy.ADAPTIVE)
    _, events = played(Rig(ruled(one), always(503)), 60)
    windows = [event["jitter"] for event in events if event["counted"] and event.get("jitter")]
    assert windows[0]["low_ms"] == windows[0]["high_ms"]  # the policy of these tests has no jitter
    assert windows[1]["low_ms"] < windows[1]["high_ms"]
    assert events[1]["rules"][0]["after"] == "adaptive"
