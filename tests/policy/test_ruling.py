"""Rules: the truth tables of the ready-made ones, the bounds, and what load refuses."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.test_facts import NOW, scene

from holdfast.errors import InvalidInput
from holdfast.model.delivery import Verb
from holdfast.model.flow import Catalog, Limits
from holdfast.model.policy import PolicySettings, Strategy
from holdfast.model.rule import MOMENTS, DeliveryRule, Effects, Moment, Signal
from holdfast.policy import backoff, effect, expression, precedence, ruling
from holdfast.policy.decide import Decision, Gate
from holdfast.policy.facts import LaneSight, Scene
from holdfast.policy.ruling import select
from holdfast.testing.rig import catalog, recipient


def rule(when: str, name: str = "one", **then: Any) -> DeliveryRule:
    """Return a rule for everything."""
    payload = then.pop("payload", ())
    return DeliveryRule(name=name, when=when, payload=payload, then=Effects(**then))


def ruled(*rules: DeliveryRule, **settings: Any) -> Catalog:
    """Return a valid catalog with the rules, one recipient and one flow."""
    found = msgspec.structs.replace(catalog(recipient(**settings)), rules=rules)
    precedence.validate(found)
    return found


def holds(one: DeliveryRule, where: Scene) -> bool:
    """Tell whether the condition is true; it must not fail."""
    rules = select(ruled(one), "leads", "acme")
    assert rules is not None
    panel = next(p for p in (rules.accept, rules.send, rules.failure) if p.asked)
    hold, failed = panel.ask(where)
    assert failed == []
    return bool(hold)


def retries(one: DeliveryRule, where: Scene, limits: Limits | None = None) -> int:
    """Return the number of retries after the rule."""
    found = [one] if holds(one, where) else []
    return effect.retrying(found, where.policy, limits or Limits())[0].max_retries


@pytest.mark.parametrize(("value", "more", "expected"), [
    (999.99, 2, 3), (1000.0, 2, 5), (5000.0, 2, 5), (5000.0, 9, 10), (5000.0, 10, 10)
])  # fmt: skip
def test_value_tiers(value: float, more: int, expected: int) -> None:
    """From the threshold on the policy's three retries become more, never above 10."""
    assert retries(rule("message.value >= 1000.0", add_retries=more), scene(value=value)) == (
        expected
    )


@pytest.mark.parametrize(("quality", "expected"), [(0, 1), (39, 1), (40, 3), (100, 3), (None, 3)])
def test_quality_limits(quality: int | None, expected: int) -> None:
    """Below the threshold one retry is left; what nobody rated is not limited."""
    assert retries(rule("message.quality < 40", retries=1), scene(quality=quality)) == expected


@pytest.mark.parametrize(
    ("value", "failures", "dead"),
    [(0.05, 0, False), (0.05, 10, True), (1.0, 10, False), (0.01, 0, True), (0.0, 5, True)],
)
def test_cost_benefit(value: float, failures: int, *, dead: bool) -> None:
    """A retry is worth it while value x chance of success is above what a send costs (0.02)."""
    one = rule("message.value * lane.p_success < 0.02", dead_letter="NOT_WORTH_IT")
    assert holds(one, scene(value=value, lane=LaneSight(failures=failures, calls=10))) is dead


@pytest.mark.parametrize(("index", "age_ms", "expected"), [
    (1.3, 0, 5), (1.2, 0, 3), (1.3, 7_200_000, 3), (None, 0, 3)
])  # fmt: skip
def test_market_index(index: float | None, age_ms: int, expected: int) -> None:
    """A signal above its threshold gives more retries while it is fresh; unset it gives none."""
    signals = {} if index is None else {"market.index": Signal("market.index", index, NOW - age_ms)}
    when = (
        '"market.index" in signals && signals["market.index"] > 1.2'
        ' && signal_age["market.index"] < 3600.0'
    )
    assert retries(rule(when, add_retries=2), scene(signals=signals)) == expected


@pytest.mark.parametrize(
    ("kind", "streak", "expected"),
    [("server", 2, "exponential"), ("server", 3, "fixed"), ("timeout", 3, "exponential")],
)
def test_strategy_switching(kind: str, streak: int, expected: str) -> None:
    """Three failures in a row of one class under one strategy switch to another."""
    one = rule(
        'attempt.class == "server" && attempt.streak >= 3 && policy.strategy == "exponential"',
        strategy=Strategy.FIXED,
    )
    where = scene(failure_class=kind, streak=streak)
    policy, marks = effect.retrying([one] if holds(one, where) else [], where.policy, Limits())
    assert policy.strategy == expected
    changed = [(m.effect, m.before, m.after) for m in marks]
    assert changed == ([("strategy", "exponential", "fixed")] if expected == "fixed" else [])


@pytest.mark.parametrize(("payload", "expected"), [
    ({"lead.state": "CA"}, True), ({"lead.state": "NY"}, False), ({"lead.state": None}, False)
])  # fmt: skip
def test_declared_payload(payload: dict[str, Any], *, expected: bool) -> None:
    """A condition may compare what it declared; a missing value equals nothing."""
    one = rule('payload.lead.state == "CA"', retries=1, payload=("lead.state",))
    assert holds(one, scene(payload=payload)) is expected


@pytest.mark.parametrize(("minute", "until"), [("23:45", 15), ("23:30", 24 * 60), ("08:00", 510)])
def test_hold_until_is_the_next_time_of_day(minute: str, until: int) -> None:
    """At 23:30 UTC the next 23:45 is a quarter of an hour away, and 23:30 a day."""
    found = effect.sending([rule("true", hold_until=minute)], scene(), "main").decision
    assert found is not None
    assert found.due_at == NOW + until * 60_000
    assert (found.gate, found.counted) == ("rule", False)


def test_a_hold_survives_the_change_of_the_clock() -> None:
    """In the night of the change 02:30 does not exist in Berlin; the hold still ends."""
    spring = scene(now=1_774_738_800_000, zone="Europe/Berlin")  # 2026-03-29 00:00 local
    found = effect.sending([rule("true", hold_until="02:30")], spring, "main").decision
    assert found is not None
    assert 0 < found.due_at - spring.now <= 4 * 3_600_000


def test_the_first_rule_decides_and_a_skip_beats_a_hold() -> None:
    """Of two that set the same thing the first wins; what ends a delivery beats what delays it."""
    rules = [rule("true", "a", hold=5.0), rule("true", "b", hold=9.0)]
    first = effect.sending(rules, scene(), "main").decision
    assert first is not None
    assert first.due_at == NOW + 5000
    rules.append(rule("true", "c", skip="NOT_WANTED"))
    ended = effect.sending(rules, scene(), "main").decision
    assert ended is not None
    assert (ended.action, ended.code) == ("discard", "NOT_WANTED")


def test_no_route_to_an_endpoint_that_is_gone() -> None:
    """An endpoint that answered 410 is not used, and one that is used anyway is no change."""
    found = [rule("true", route="spare")]
    assert effect.sending(found, scene(), "main").endpoint == "spare"
    assert effect.sending(found, scene(), "main", ("spare",)).endpoint is None
    assert effect.sending(found, scene(), "spare").marks == ()


@given(
    st.lists(st.integers(-10, 10), max_size=6),
    st.lists(st.floats(0.1, 100), max_size=4),
    st.integers(1, 10),
    st.sampled_from([one for one in Strategy if one is not Strategy.HYBRID]),
)
def test_rules_never_leave_the_limits(
    more: list[int], factors: list[float], most: int, strategy: Strategy
) -> None:
    """Whatever rules add up, retries stay in 0 to the limit and every delay within its range."""
    limits = Limits(max_retries=(1, most))
    rules = [rule("true", f"r{i}", add_retries=n) for i, n in enumerate(more)]
    rules += [rule("true", f"d{i}", delay_factor=f) for i, f in enumerate(factors)]
    rules.append(rule("true", "s", strategy=strategy))
    where = recipient(policy=PolicySettings(max_retries=most))
    policy = precedence.resolve(Catalog(limits=limits), flow=None, step=None, recipient=where)
    adapted, _ = effect.retrying(rules, policy, limits)
    assert 0 <= adapted.max_retries <= most
    assert limits.initial_delay[0] <= adapted.initial_delay <= limits.initial_delay[1]
    assert adapted.initial_delay <= adapted.max_interval <= limits.max_interval[1]
    for n in range(1, 12):
        assert 0 <= backoff.plan(adapted, n, 0, random.Random(n)).draw_ms <= 300_000


def test_a_rule_that_fails_is_as_if_absent() -> None:
    """An unset signal fails one rule only, and its mark says why; payloads are never quoted."""
    rules = select(
        ruled(
            rule('signals["gone"] > 1.0', "a", retries=1),
            rule("int(payload.secret) > 1", "b", retries=1, payload=("secret",)),
            rule("true", "c", retries=2),
        ),
        "leads",
        "acme",
    )
    assert rules is not None
    hold, failed = rules.failure.ask(scene(payload={"secret": "hunter2"}))
    assert [one.name for one in hold] == ["c"]
    assert [(m.rule, m.effect) for m in failed] == [("a", "error"), ("b", "error")]
    assert "gone" in (failed[0].error or "")
    assert "hunter2" not in (failed[1].error or "")


def test_a_text_is_not_a_truth() -> None:
    """A payload value that is not true or false fails its rule without being shown."""
    one = rule("payload.flag", retries=1, payload=("flag",))
    rules = select(ruled(one), "leads", "acme")
    assert rules is not None
    for value in ("hunter2", None, 3):
        hold, failed = rules.failure.ask(scene(payload={"flag": value}))
        assert hold == []
        assert "hunter2" not in (failed[0].error or "")


def test_dead_letter_ends_only_what_would_wait() -> None:
    """A retry or a hold ends; a success and a send that was cut stay what they are."""
    rules = [rule("true", dead_letter="ENOUGH")]
    retry = Decision(Verb.RETRY, "retry", NOW + 1)
    ended, marks = effect.final(rules, retry)
    assert (ended.action, ended.code, marks[0].before) == ("dead_letter", "ENOUGH", "retry")
    for kept in (
        Decision(Verb.SUCCEED, "done"),
        Decision(Verb.HOLD, "hold", NOW, counted=False, gate=Gate.SHUTDOWN),
        Decision(Verb.DIE, "dead_letter", code="HARD_FAILURE"),
    ):
        assert effect.final(rules, kept) == (kept, ())


def test_only_matching_steps_have_rules() -> None:
    """A step that no rule names has none at all; without rules nobody has."""
    one = DeliveryRule(name="a", when="true", recipients=("b",), then=Effects(retries=1))
    found = msgspec.structs.replace(catalog(recipient("a"), recipient("b")), rules=(one,))
    precedence.validate(found)
    assert select(found, "leads", "a") is None
    assert select(found, "leads", "b") is not None
    assert select(catalog(recipient("a")), "leads", "a") is None


def test_every_effect_has_its_moment() -> None:
    """The table of moments and the effects are the same set."""
    assert set(MOMENTS) == set(Effects.__struct_fields__)


@pytest.mark.parametrize(
    ("fields", "place", "told"),
    [
        ({"when": "message.valeu > 1.0"}, "rules.0.when", "line 1, column 8: 'message.valeu'"),
        ({"when": "message.valeu > 1.0"}, "rules.0.when", "message.value"),
        ({"when": "true &&\n  ("}, "rules.0.when", "line 2, column 4"),
        ({"when": "message.value > 1"}, "rules.0.when", "with a point (3.0)"),
        ({"when": "message.value"}, "rules.0.when", "true or false"),
        ({"when": ""}, "rules.0.when", "1 to 1000"),
        ({"when": " " * 1001}, "rules.0.when", "1 to 1000"),
        ({"when": "payload.lead.state == 'x'"}, "rules.0.when", "not known"),
        ({"when": "(" * 300 + "true" + ")" * 300}, "rules.0.when", "simpler"),
        ({"then": Effects()}, "rules.0.then", "at least one of"),
        ({"then": Effects(retries=11)}, "rules.0.then.retries", "0 to 10"),
        ({"then": Effects(add_retries=11)}, "rules.0.then.add_retries", "-10 to 10"),
        ({"then": Effects(delay_factor=0.01)}, "rules.0.then.delay_factor", "0.1 to 100"),
        ({"then": Effects(hold=0.0)}, "rules.0.then.hold", "1 to"),
        ({"then": Effects(hold_until="24:00")}, "rules.0.then.hold_until", "08:30"),
        ({"then": Effects(hold=1.0, hold_until="08:00")}, "rules.0.then.hold_until", "either"),
        ({"then": Effects(retries=1, add_retries=1)}, "rules.0.then.add_retries", "either"),
        ({"then": Effects(priority=10)}, "rules.0.then.priority", "0 to 9"),
        ({"then": Effects(skip="no")}, "rules.0.then.skip", "a code"),
        ({"then": Effects(strategy=Strategy.HYBRID)}, "rules.0.then.strategy", "but hybrid"),
        ({"then": Effects(route="spare")}, "rules.0.then.route", "acme"),
        ({"flows": ("no",)}, "rules.0.flows.0", "leads"),
        ({"recipients": ("no",)}, "rules.0.recipients.0", "acme"),
        ({"payload": ("a.0",)}, "rules.0.payload.0", "no items of lists"),
        ({"name": ""}, "rules.0.name", "1 to 100"),
        (
            {"when": "attempt.number > 1", "then": Effects(priority=9)},
            "rules.0.when",
            "not known at the moment",
        ),
    ],
)
def test_load_refuses(fields: dict[str, Any], place: str, told: str) -> None:
    """What cannot work is refused with its place, and told what would be allowed."""
    base: dict[str, Any] = {"name": "one", "when": "true", "then": Effects(retries=1)}
    with pytest.raises(InvalidInput) as refused:
        ruled(DeliveryRule(**(base | fields)))
    assert refused.value.field == place
    assert told in refused.value.allowed


def test_twins_are_refused_and_the_number_of_rules_is_bounded() -> None:
    """A name stands for one rule, and a step is asked at most 64 of them."""
    with pytest.raises(InvalidInput, match="each name once"):
        ruled(rule("true", retries=1), rule("true", retries=1))
    many = [rule("true", f"r{i}", retries=1) for i in range(ruling.STEP_MAX + 1)]
    with pytest.raises(InvalidInput, match="at most 64 rules"):
        ruled(*many)


def test_tags_are_bounded() -> None:
    """A recipient has few and short tags, as every condition may look through them."""
    with pytest.raises(InvalidInput, match="at most 32 tags"):
        ruled(rule("true", retries=1), tags=("x",) * 33)


def test_an_evaluation_ends() -> None:
    """Nested macros over a fact meet the budget of iterations; the rule is as if absent."""
    varied = "true"
    for depth in range(8):
        varied = f"recipient.tags.all(v{depth}, {varied})"
    rules = select(ruled(rule(varied, retries=1)), "leads", "acme")
    assert rules is not None
    hold, failed = rules.failure.ask(scene(tags=tuple(f"t{i}" for i in range(ruling.PATHS_MAX))))
    assert hold == []
    assert "budget" in (failed[0].error or "")


def test_moments_of_a_rule() -> None:
    """A rule with effects of two moments is asked at both."""
    rules = select(ruled(rule("true", hold=5.0, retries=1)), "leads", "acme")
    assert rules is not None
    assert [bool(p.asked) for p in (rules.accept, rules.send, rules.failure)] == [
        moment in (Moment.SEND, Moment.FAILURE) for moment in Moment
    ]


@pytest.mark.parametrize(
    "text",
    [
        "attempt.status == 503 // the partner's outage\n && lane.rate > 0.5 && step.name == 'x'",
        "attempt.reason != '''it's''' && lane.rate > 0.5 && step.name == 'x'",
        "lane\n  .rate > 0.5",
    ],
)
def test_facts_of_a_condition_are_found(text: str) -> None:
    """A fact that is not found is not looked up, and the condition never holds."""
    facts = {"attempt.status": 503, "attempt.reason": "", "lane.rate": 1.0, "step.name": "x"}
    condition = expression.compiled(text, Moment.FAILURE)
    assert condition.holds({name: facts[name] for name in condition.facts if name in facts})
