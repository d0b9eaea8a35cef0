"""What rules whose conditions hold do, as pure functions.

Rules come in the order of the file. Of two that set the same thing the first decides;
`add_retries` and `delay_factor` of several add up. Everything stays in the limits (C31).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from holdfast.model.attempt import RuleMark
from holdfast.model.delivery import Verb
from holdfast.model.flow import Limits
from holdfast.model.policy import JitterKind, Phase, Policy, Strategy
from holdfast.model.rule import DeliveryRule, Effects
from holdfast.policy.decide import Decision, Gate
from holdfast.policy.facts import Scene, local

Marks = tuple[RuleMark, ...]


class Sending(msgspec.Struct, frozen=True, gc=False):
    """What rules say about a send that is about to begin.

    Attributes:
        decision: it waits or is discarded instead, else None.
        endpoint: name of the endpoint to use, None: the usual one.
        marks: what changed.
    """

    decision: Decision | None = None
    endpoint: str | None = None
    marks: Marks = ()


def priority(rules: Sequence[DeliveryRule], usual: int) -> RuleMark | None:
    """Return the mark of the rule that gives new deliveries another priority, or None."""
    found = _first(rules, "priority")
    if found is None or found[1] == usual:
        return None
    return RuleMark(found[0].name, "priority", usual, found[1])


def sending(
    rules: Sequence[DeliveryRule], scene: Scene, usual: str, closed: Sequence[str] = ()
) -> Sending:
    """Return what happens instead of the send, or where it goes. A skip beats a hold.

    Args:
        rules: those whose conditions hold.
        scene: what is known.
        usual: name of the endpoint without rules.
        closed: endpoints that are out of use (410): no rule routes there.
    """
    if (skip := _first(rules, "skip")) is not None:
        rule, code = skip
        reason = f"rule {rule.name!r} skips it"
        return Sending(
            Decision(Verb.SKIP, "discard", counted=False, code=code, reason=reason),
            marks=(RuleMark(rule.name, "skip", after=code),),
        )
    for rule in rules:
        if (until := _held_until(rule.then, scene)) is not None:
            reason = f"rule {rule.name!r} holds it"
            return Sending(
                Decision(Verb.HOLD, "hold", until, counted=False, gate=Gate.RULE, reason=reason),
                marks=(RuleMark(rule.name, "hold", after=until),),
            )
    route = _first(rules, "route")
    if route is None or route[1] == usual or route[1] in closed:
        return Sending()
    rule, endpoint = route
    return Sending(endpoint=endpoint, marks=(RuleMark(rule.name, "route", usual, endpoint),))


def _held_until(then: Effects, scene: Scene) -> int | None:
    if then.hold is not None:
        return scene.now + round(then.hold * 1000)
    if then.hold_until is None:
        return None
    here = local(scene)
    hour, minute = (int(part) for part in then.hold_until.split(":"))
    at = here.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    while (until := round(at.astimezone(UTC).timestamp() * 1000)) <= scene.now:
        at = _next_day(at)
    return until


def _next_day(at: datetime) -> datetime:
    """Return the same time of the clock on the next day, also where the clock changes."""
    return at + timedelta(days=1)


def retrying(rules: Sequence[DeliveryRule], policy: Policy, limits: Limits) -> tuple[Policy, Marks]:
    """Return the policy as the rules adapt it, and what changed."""
    adapted, marks = _strategy(rules, policy)
    adapted, more = _retries(rules, adapted, limits)
    marks += more
    adapted, more = _delays(rules, adapted, limits)
    return adapted, marks + more


def _strategy(rules: Sequence[DeliveryRule], policy: Policy) -> tuple[Policy, Marks]:
    found = _first(rules, "strategy")
    if found is None or found[1] is policy.strategy:
        return policy, ()
    rule, strategy = found
    mark = RuleMark(rule.name, "strategy", policy.strategy.value, strategy.value)
    changed: dict[str, Any] = {"strategy": strategy}
    if strategy is Strategy.JITTER:
        changed["jitter"] = JitterKind.FULL
    return msgspec.structs.replace(policy, **changed), (mark,)


def _retries(rules: Sequence[DeliveryRule], policy: Policy, limits: Limits) -> tuple[Policy, Marks]:
    marks: Marks = ()
    retries, most = policy.max_retries, limits.max_retries[1]
    if (found := _first(rules, "retries")) is not None:
        rule, wanted = found
        retries, marks = _moved(rule.name, "retries", retries, min(wanted, most), marks)
    for rule in rules:
        if (more := rule.then.add_retries) is not None:
            wanted = max(0, min(retries + more, max(most, retries)))
            retries, marks = _moved(rule.name, "add_retries", retries, wanted, marks)
    if not marks:
        return policy, ()
    return msgspec.structs.replace(policy, max_retries=retries), marks


def _moved(rule: str, effect: str, before: int, after: int, marks: Marks) -> tuple[int, Marks]:
    if before == after:
        return before, marks
    return after, (*marks, RuleMark(rule, effect, before, after))


def _delays(rules: Sequence[DeliveryRule], policy: Policy, limits: Limits) -> tuple[Policy, Marks]:
    total = 1.0
    marks: Marks = ()
    for rule in rules:
        if (factor := rule.then.delay_factor) is not None and factor != 1.0:
            marks = (*marks, RuleMark(rule.name, "delay_factor", total, total * factor))
            total *= factor
    if not marks:
        return policy, ()
    return _scaled(policy, total, limits), marks


def _scaled(policy: Policy, factor: float, limits: Limits) -> Policy:
    """Return the policy with its delays multiplied, each within its range."""
    bounds = {"initial_delay": limits.initial_delay, "max_interval": limits.max_interval}

    def part(value: float | None, key: str) -> float | None:
        if value is None:
            return None
        low, high = bounds[key]
        return max(min(value, low), min(value * factor, max(value, high)))

    def phase(one: Phase) -> Phase:
        return msgspec.structs.replace(
            one,
            initial_delay=part(one.initial_delay, "initial_delay"),
            max_interval=part(one.max_interval, "max_interval"),
            increment=None if one.increment is None else one.increment * factor,
        )

    return msgspec.structs.replace(
        policy,
        initial_delay=part(policy.initial_delay, "initial_delay"),
        max_interval=part(policy.max_interval, "max_interval"),
        increment=policy.increment * factor,
        phases=tuple(phase(one) for one in policy.phases),
    )


def final(rules: Sequence[DeliveryRule], decision: Decision) -> tuple[Decision, Marks]:
    """Return the decision, or the end that a rule puts in its place when it would wait."""
    found = _first(rules, "dead_letter")
    waits = decision.verb in (Verb.RETRY, Verb.HOLD) and decision.gate is not Gate.SHUTDOWN
    if found is None or not waits:
        return decision, ()
    rule, code = found
    ended = Decision(
        Verb.DIE,
        "dead_letter",
        counted=decision.counted,
        code=code,
        reason=f"rule {rule.name!r} ends it",
        open_breaker=decision.open_breaker,
        bare_limit=decision.bare_limit,
    )
    return ended, (RuleMark(rule.name, "dead_letter", decision.action, code),)


def _first(rules: Sequence[DeliveryRule], effect: str) -> tuple[DeliveryRule, Any] | None:
    for rule in rules:
        value = getattr(rule.then, effect)
        if value is not None:
            return rule, value
    return None
