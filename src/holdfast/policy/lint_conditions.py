"""Looks for rules that can never apply, although each is valid by itself.

A name that is no fact is refused at load, with line and column. What is looked for here are
names that are no mistake in CEL: of a field that is not stored, a recipient, a class of failure.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from holdfast.model.attempt import FailureClass
from holdfast.model.flow import Catalog, Flow
from holdfast.model.lane import BreakerState
from holdfast.model.policy import Strategy
from holdfast.model.rule import MOMENTS, DeliveryRule
from holdfast.policy import expression
from holdfast.policy.finding import Found, Severity, Subject

_TEXT: Final = r"""(?:"([^"\\]*)"|'([^'\\]*)')"""
_ONE: Final = re.compile(rf"(?<![.\w])([a-z_]+\.[a-z_]+)\s*==\s*{_TEXT}")
_MANY: Final = re.compile(r"(?<![.\w])([a-z_]+\.[a-z_]+)\s+in\s+\[([^\]]*)\]")
_TAG: Final = re.compile(rf"{_TEXT}\s+in\s+recipient\.tags\b")
_ITEM: Final = re.compile(_TEXT)


def _rules(subject: Subject) -> Iterator[tuple[str, DeliveryRule, list[Flow]]]:
    """Yield each rule with its place and the flows in which it is asked."""
    for index, rule in enumerate(subject.catalog.rules):
        flows = [
            flow
            for flow in subject.catalog.flows.values()
            if flow.name in (rule.flows or (flow.name,))
            and any(s.recipient in (rule.recipients or (s.recipient,)) for s in flow.steps)
        ]
        yield f"rules.{index}", rule, flows


def unmatched_rule(subject: Subject) -> Found:
    """A rule for flows and recipients of which no flow sends to any."""
    for place, rule, flows in _rules(subject):
        if not flows:
            yield (
                Severity.WARNING,
                place,
                f"rule {rule.name!r} is for a flow and a recipient that no step has together",
                "it is never asked",
                "mend its flows and recipients, or remove it",
            )


def missing_field(subject: Subject) -> Found:
    """A condition reads a part of the payload that none of its flows stores."""
    for place, rule, flows in _rules(subject):
        for path in rule.payload:
            if flows and not any(_stored(path, flow) for flow in flows):
                yield (
                    Severity.WARNING,
                    f"{place}.payload",
                    f"rule {rule.name!r} reads {path!r}, which no flow of it stores",
                    "the condition sees null, or cannot be evaluated: it never applies",
                    "take the field out of the flow's strip (or into keep), or mask it instead",
                )


def _stored(path: str, flow: Flow) -> bool:
    kept = flow.keep is None or any(
        path == one or path.startswith(f"{one}.") or one.startswith(f"{path}.") for one in flow.keep
    )
    return kept and not any(path == one or path.startswith(f"{one}.") for one in flow.strip)


def constant_condition(subject: Subject) -> Found:
    """A condition that looks at nothing and is false."""
    for place, rule, _ in _rules(subject):
        moments = {MOMENTS[name] for name in MOMENTS if getattr(rule.then, name) is not None}
        condition = expression.compiled(rule.when, min(moments), rule.payload)
        if condition.facts or any(f"payload.{path}" in rule.when for path in rule.payload):
            continue
        try:
            applies = condition.holds({})
        except expression.Failed:
            applies = False
        if not applies:
            yield (
                Severity.WARNING,
                f"{place}.when",
                f"the condition of rule {rule.name!r} is false, whatever happens",
                "it never applies",
                "compare a fact with something, or remove the rule",
            )


def unknown_name(subject: Subject) -> Found:
    """A condition compares a fact with a word that this fact never is."""
    known = _vocabulary(subject.catalog)
    tags = {tag for one in subject.catalog.recipients.values() for tag in one.tags}
    for place, rule, _ in _rules(subject):
        compared = [(fact, one or two) for fact, one, two in _ONE.findall(rule.when)]
        for fact, listed in _MANY.findall(rule.when):
            compared += [(fact, one or two) for one, two in _ITEM.findall(listed)]
        compared = [(fact, word) for fact, word in compared if word not in known.get(fact, (word,))]
        tagged = [one or two for one, two in _TAG.findall(rule.when)]
        compared += [("recipient.tags", tag) for tag in tagged if tag not in tags]
        for fact, word in compared:
            allowed = sorted(tags if fact == "recipient.tags" else known[fact])
            yield (
                Severity.WARNING,
                f"{place}.when",
                f"rule {rule.name!r} compares {fact} with {word!r}, which it never is",
                "that part of the condition never holds",
                f"one of: {', '.join(allowed) or 'none is configured'}",
            )


def _vocabulary(catalog: Catalog) -> Mapping[str, frozenset[str]]:
    """Return the words that each fact can be, of those whose words are known."""
    steps = [step for flow in catalog.flows.values() for step in flow.steps]
    return {
        "account.name": frozenset(flow.account for flow in catalog.flows.values()),
        "flow.name": frozenset(catalog.flows),
        "step.name": frozenset(step.name for step in steps),
        "step.type": frozenset(step.step_type for step in steps),
        "recipient.name": frozenset(catalog.recipients),
        "recipient.region": frozenset(one.region for one in catalog.recipients.values()),
        "policy.strategy": frozenset(Strategy),
        "attempt.class": frozenset({"", *FailureClass}),
        "lane.breaker": frozenset(BreakerState),
    }
