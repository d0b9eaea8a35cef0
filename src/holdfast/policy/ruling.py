"""Rules made ready: checked at load, chosen for each step, asked in order.

What does not apply to a flow or recipient is left out when the catalog is read, so a step
without rules costs nothing.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from holdfast.errors import InvalidInput
from holdfast.model.attempt import RuleMark
from holdfast.model.flow import Catalog, Recipient
from holdfast.model.policy import Strategy
from holdfast.model.rule import MOMENTS, DeliveryRule, Effects, Moment
from holdfast.policy import check, expression
from holdfast.policy.expression import Condition, Failed
from holdfast.policy.facts import Scene, gather

RULES_MAX: Final = 1000
"""Most rules of an installation."""
STEP_MAX: Final = 64
"""Most rules that may apply to one step: the bound of the time that asking them takes."""
PATHS_MAX: Final = 32
HOLD_MAX_S: Final = 30 * 86_400.0
RETRIES_MAX: Final = 10
"""Most retries that one rule may give or take (C31)."""
_UNTOLD: Final = "it cannot be evaluated for this payload"
"""Said instead of the reason where that might quote the payload (promise 8)."""
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_PATH: Final = re.compile(r"[A-Za-z_]\w{0,63}(\.[A-Za-z_]\w{0,63}){0,15}", re.ASCII)


class Asked(NamedTuple):
    """A rule with its compiled condition."""

    rule: DeliveryRule
    condition: Condition


class Panel(msgspec.Struct, frozen=True, gc=False):
    """The rules that are asked at one moment, in the order of the file.

    Attributes:
        asked: the rules.
        facts: the names that any of them may look at.
    """

    asked: tuple[Asked, ...] = ()
    facts: frozenset[str] = frozenset()

    def ask(self, scene: Scene) -> tuple[list[DeliveryRule], list[RuleMark]]:
        """Return the rules that hold, and a mark for each that could not be evaluated.

        A rule that fails is as if absent (promise 1): it never loses or delays a delivery.
        """
        facts = gather(self.facts, scene)
        hold: list[DeliveryRule] = []
        failed: list[RuleMark] = []
        for rule, condition in self.asked:
            try:
                if condition.holds(facts):
                    hold.append(rule)
            except Failed as error:
                told = _UNTOLD if rule.payload else str(error)
                failed.append(RuleMark(rule.name, "error", error=told))
        return hold, failed


class RuleSet(msgspec.Struct, frozen=True, gc=False):
    """The rules of one step.

    Attributes:
        accept: asked when a message is accepted.
        send: asked before a send.
        failure: asked after a failure that may pass.
        payload: dotted paths that any of them reads.
        streak: one of them looks at `attempt.streak`.
        lane: one of them looks at the lane.
        system: one of them looks at the machine.
    """

    accept: Panel
    send: Panel
    failure: Panel
    payload: tuple[str, ...]
    streak: bool
    lane: bool
    system: bool


def select(catalog: Catalog, flow: str, recipient: str) -> RuleSet | None:
    """Return the rules for deliveries of a flow to a recipient, None when there are none."""
    rules = [
        rule
        for rule in catalog.rules
        if flow in (rule.flows or (flow,)) and recipient in (rule.recipients or (recipient,))
    ]
    if not rules:
        return None
    accept, send, failure = (_panel(rules, moment) for moment in Moment)
    names = send.facts | failure.facts
    looked_at = {name.partition(".")[0] for name in names}
    return RuleSet(
        accept,
        send,
        failure,
        tuple(dict.fromkeys(path for rule in rules for path in rule.payload)),
        "attempt.streak" in names,
        "lane" in looked_at,
        "system" in looked_at,
    )


def _panel(rules: Sequence[DeliveryRule], moment: Moment) -> Panel:
    asked = tuple(
        Asked(rule, expression.compiled(rule.when, moment, rule.payload))
        for rule in rules
        if moment in _moments(rule.then)
    )
    return Panel(asked, frozenset().union(*(one.condition.facts for one in asked)))


def _moments(then: Effects) -> list[Moment]:
    found = {MOMENTS[name] for name in _given(then)}
    return [moment for moment in Moment if moment in found]


def _given(then: Effects) -> Iterator[str]:
    return (name for name in then.__struct_fields__ if getattr(then, name) is not None)


# -- checks at load -------------------------------------------------------------------------


def validate(catalog: Catalog) -> None:
    """Check the rules of a catalog, alone and against what they name.

    Raises:
        InvalidInput: the first thing that is wrong, such as `rules.3.when` with line and column.
    """
    rules = catalog.rules
    if len(rules) > RULES_MAX:
        raise InvalidInput("rules", len(rules), f"at most {RULES_MAX} rules")
    check.unique("rules", (rule.name for rule in rules))
    for index, rule in enumerate(rules):
        _rule(rule, catalog, f"rules.{index}")
    for flow in catalog.flows.values():
        for step in flow.steps:
            found = [rule for rule in rules if _applies(rule, flow.name, step.recipient)]
            if len(found) > STEP_MAX:
                place = f"flows.{flow.name}.steps.{step.name}"
                raise InvalidInput(place, len(found), f"at most {STEP_MAX} rules that apply to it")


def _applies(rule: DeliveryRule, flow: str, recipient: str) -> bool:
    return flow in (rule.flows or (flow,)) and recipient in (rule.recipients or (recipient,))


def _rule(rule: DeliveryRule, catalog: Catalog, field: str) -> None:
    if not (1 <= len(rule.name) <= 100 and rule.name.isprintable()):
        raise InvalidInput(f"{field}.name", rule.name[:80], "1 to 100 printable characters")
    for index, name in enumerate(rule.flows):
        check.known(f"{field}.flows.{index}", name, catalog.flows)
    for index, name in enumerate(rule.recipients):
        check.known(f"{field}.recipients.{index}", name, catalog.recipients)
    if len(rule.payload) > PATHS_MAX:
        raise InvalidInput(f"{field}.payload", len(rule.payload), f"at most {PATHS_MAX} paths")
    for index, path in enumerate(rule.payload):
        if _PATH.fullmatch(path) is None:
            allowed = "names joined by dots, such as lead.state; no items of lists"
            raise InvalidInput(f"{field}.payload.{index}", path[:80], allowed)
    effects(rule.then, f"{field}.then")
    _endpoints(rule, catalog, f"{field}.then.route")
    for moment in _moments(rule.then):
        try:
            expression.compiled(rule.when, moment, rule.payload)
        except InvalidInput as error:
            allowed = f"(rule {rule.name!r}) {error.allowed}"
            raise InvalidInput(f"{field}.{error.field}", error.value, allowed) from error


def effects(then: Effects, field: str) -> None:
    """Check what a rule changes."""
    if not any(_given(then)):
        raise InvalidInput(field, {}, f"at least one of: {', '.join(MOMENTS)}")
    for one, other in (("hold", "hold_until"), ("retries", "add_retries")):
        if getattr(then, one) is not None and getattr(then, other) is not None:
            raise InvalidInput(f"{field}.{other}", getattr(then, other), f"either this or {one}")
    _ranges(then, field)
    if then.hold_until is not None and _CLOCK.fullmatch(then.hold_until) is None:
        raise InvalidInput(f"{field}.hold_until", then.hold_until[:80], "a time such as 08:30")
    if then.strategy is Strategy.HYBRID:
        raise InvalidInput(f"{field}.strategy", "hybrid", "any strategy but hybrid")
    for key in ("skip", "dead_letter"):
        code = getattr(then, key)
        if code is not None and _CODE.fullmatch(code) is None:
            raise InvalidInput(f"{field}.{key}", code[:80], "a code such as NOT_WORTH_IT")


def _ranges(then: Effects, field: str) -> None:
    for key, low, high in (
        ("priority", 0, 9),
        ("hold", 1, HOLD_MAX_S),
        ("retries", 0, RETRIES_MAX),
        ("add_retries", -RETRIES_MAX, RETRIES_MAX),
        ("delay_factor", 0.1, 100),
    ):
        given = getattr(then, key)
        if given is not None:
            check.number(f"{field}.{key}", given, low, high)


def _endpoints(rule: DeliveryRule, catalog: Catalog, field: str) -> None:
    """Refuse a route to an endpoint that a recipient of the rule does not have."""
    if rule.then.route is None:
        return
    reached = {
        step.recipient
        for flow in catalog.flows.values()
        for step in flow.steps
        if _applies(rule, flow.name, step.recipient)
    } | set(rule.recipients)
    for name in sorted(reached):
        known = [endpoint.name for endpoint in catalog.recipients[name].endpoints]
        if rule.then.route not in known:
            allowed = f"an endpoint of recipient {name!r}: {', '.join(known)}"
            raise InvalidInput(field, rule.then.route[:80], allowed)


def recipient(value: Recipient, field: str) -> None:
    """Check the part of a recipient that only rules look at."""
    if len(value.tags) > PATHS_MAX or any(not 1 <= len(tag) <= 64 for tag in value.tags):
        allowed = f"at most {PATHS_MAX} tags of 1 to 64 characters"
        raise InvalidInput(f"{field}.tags", len(value.tags), allowed)
