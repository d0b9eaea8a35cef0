"""Looks for what works and is unwise: each best practice is one small function (S1.132, S2.76).

A rule gets the valid configuration and yields findings. To add one, write the function and put
it into `RULES`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from holdfast.model.flow import Catalog, Endpoint, Flow, Recipient, Step
from holdfast.model.policy import JitterKind, Policy, Strategy
from holdfast.policy import lint_conditions, precedence
from holdfast.policy.finding import Finding, Found, Severity, Subject

USUAL_OUTAGE_S: Final = 600.0
"""An outage of this length is nothing special: retries should outlast it."""
_BY_CLOCK: Final = frozenset({"day", "week", "month"})
_LONG_TIMEOUT_S: Final = 120.0
_LONG_AGE_S: Final = 14 * 86_400.0
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")
_OURS: Final = frozenset({"message.id", "delivery.id", "recipient", "flow", "step"})
_SECRET_FIELD: Final = re.compile(r"passw|secret|token|ssn|iban|card|birth|tax", re.IGNORECASE)
_SECRET_KEY: Final = re.compile(r"^(token|password|value|secrets\.\d+)$")
_REFERENCE: Final = re.compile(r"(env|file):")


def lint(
    catalog: Catalog, raw: Mapping[str, Any], usual: Mapping[str, float] | None = None
) -> list[Finding]:
    """Return all findings, the worst first.

    Args:
        catalog: valid.
        raw: the tables of the file, references to secrets unresolved; {} when there is none.
        usual: recipient -> seconds in which three of four of its outages were over, where that
            was learned.
    """
    subject = Subject(catalog, raw, usual or {})
    found = [
        Finding(severity, rule.__name__, *rest)
        for rule in RULES
        for severity, *rest in rule(subject)
    ]
    order = list(Severity)
    return sorted(found, key=lambda one: (order.index(one.severity), one.place, one.rule))


# -- what is walked over --------------------------------------------------------------------


def _recipients(subject: Subject) -> Iterator[tuple[str, Recipient]]:
    for name, recipient in subject.catalog.recipients.items():
        yield f"recipients.{name}", recipient


def _endpoints(subject: Subject) -> Iterator[tuple[str, Recipient, Endpoint]]:
    for place, recipient in _recipients(subject):
        several = len(recipient.endpoints) > 1
        for index, endpoint in enumerate(recipient.endpoints):
            yield f"{place}.endpoints.{index}" if several else place, recipient, endpoint


def _steps(subject: Subject) -> Iterator[tuple[str, Flow, Step, Recipient, Policy]]:
    catalog = subject.catalog
    for flow in catalog.flows.values():
        for step in flow.steps:
            recipient = catalog.recipients[step.recipient]
            policy = precedence.resolve(catalog, flow=flow, step=step, recipient=recipient)
            yield f"flows.{flow.name}.steps.{step.name}", flow, step, recipient, policy


def _named(endpoint: Endpoint) -> set[str]:
    """Return the fields of the payload that an endpoint's texts name."""
    texts = [endpoint.url, endpoint.template or "", *endpoint.headers.values()]
    return {path for text in texts for path in _PLACEHOLDER.findall(text)} - _OURS


def _within(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(f"{place}.") for place in places)


# -- policies -------------------------------------------------------------------------------


def no_jitter(subject: Subject) -> Found:
    """Retries of deliveries that failed together come together."""
    for place, _, _, _, policy in _steps(subject):
        if policy.jitter is JitterKind.NONE:
            yield (
                Severity.WARNING,
                f"{place}.policy.jitter",
                f"no jitter (from {policy.origin.get('jitter', 'default')})",
                "deliveries that failed together are retried together",
                'set jitter = "percent", or another kind',
            )


def immediate_retries(subject: Subject) -> Found:
    """Retries without a delay meet the same trouble."""
    for place, _, _, _, policy in _steps(subject):
        if policy.strategy is Strategy.IMMEDIATE and policy.max_retries > 1:
            yield (
                Severity.WARNING,
                f"{place}.policy.strategy",
                f"{policy.max_retries} immediate retries",
                "they meet the same trouble, and add to it",
                "use hybrid: one immediate retry, then exponential",
            )


def short_window(subject: Subject) -> Found:
    """Retries that end before a usual outage does, as learned of the recipient or in general."""
    for place, _, _, recipient, policy in _steps(subject):
        held = policy.exhausted_while_down == "hold" and recipient.breaker.enabled
        learned = subject.usual.get(recipient.name)
        usual = USUAL_OUTAGE_S if learned is None else learned
        if not held and policy.total_timeout < usual:
            whose = "is usual" if learned is None else f"of {recipient.name} is usual, as learned"
            yield (
                Severity.WARNING,
                f"{place}.policy.total_timeout",
                f"retries end after {policy.total_timeout:g} s, and nothing holds the delivery",
                f"an outage of {usual:.3g} s {whose}: what it meets is dead after it",
                'set exhausted_while_down = "hold" with the breaker on, or a longer total_timeout',
            )


def long_age(subject: Subject) -> Found:
    """Deliveries that are kept for weeks are seldom still wanted."""
    for place, _, _, _, policy in _steps(subject):
        if policy.max_age > _LONG_AGE_S:
            yield (
                Severity.HINT,
                f"{place}.policy.max_age",
                f"deliveries are tried for {policy.max_age / 86_400:g} days",
                "what a partner gets so late is seldom wanted any more",
                "set max_age to the time after which the data is worthless",
            )


def retries_over_limit(subject: Subject) -> Found:
    """One delivery's tries alone may use up a limit."""
    for place, _, _, recipient, policy in _steps(subject):
        for name in ("per_minute", "per_hour", "per_day"):
            most = getattr(recipient.limits, name)
            if most is not None and policy.max_retries + 1 > most:
                yield (
                    Severity.WARNING,
                    f"{place}.policy.max_retries",
                    f"{policy.max_retries + 1} tries, but {name} = {most}",
                    "one delivery that fails keeps out all others",
                    f"lower max_retries, or raise recipients.{recipient.name}.limits.{name}",
                )


# -- recipients -----------------------------------------------------------------------------


def no_breaker(subject: Subject) -> Found:
    """A recipient that is down is hammered."""
    for place, recipient in _recipients(subject):
        if not recipient.breaker.enabled:
            yield (
                Severity.WARNING,
                f"{place}.breaker.enabled",
                "the breaker is off",
                "while the recipient is down every delivery tries by itself and uses its retries",
                "remove enabled = false",
            )
        elif recipient.breaker.open_policy == "drop":
            yield (
                Severity.WARNING,
                f"{place}.breaker.open_policy",
                "deliveries are dropped while the breaker is open",
                "an outage ends in dead deliveries instead of late ones",
                'set open_policy = "queue"',
            )


def no_budget(subject: Subject) -> Found:
    """Retries may outnumber first tries."""
    for place, recipient in _recipients(subject):
        if not recipient.budget.enabled:
            yield (
                Severity.WARNING,
                f"{place}.budget.enabled",
                "the retry budget is off",
                "in a brown-out retries can keep the recipient down",
                "remove enabled = false, or raise ratio and min_rate",
            )


def concurrency_over_limit(subject: Subject) -> Found:
    """More sends at once than may begin in a second."""
    for place, recipient in _recipients(subject):
        most = recipient.limits.per_second
        if most is not None and recipient.concurrency > most:
            yield (
                Severity.HINT,
                f"{place}.concurrency",
                f"{recipient.concurrency} at once, but per_second = {most}",
                "the partner may count connections too",
                f"set concurrency = {most} or less, unless its answers take seconds",
            )


def unused(subject: Subject) -> Found:
    """What no flow and no level names."""
    catalog = subject.catalog
    routed = {step.recipient for flow in catalog.flows.values() for step in flow.steps}
    for place, recipient in _recipients(subject):
        if recipient.name not in routed:
            yield (
                Severity.WARNING,
                place,
                "no flow sends to it",
                "it gets nothing, and looks as if it did",
                "add it to a flow's steps, or remove it",
            )
    levels = [catalog.policy, *(one.policy for one in catalog.accounts.values())]
    levels += [one.policy for one in catalog.recipients.values()]
    for flow in catalog.flows.values():
        levels += [flow.policy, *(step.policy for step in flow.steps)]
    for name in sorted(catalog.templates.keys() - {level.template for level in levels}):
        yield (
            Severity.HINT,
            f"templates.{name}",
            "no level names it",
            "who changes it changes nothing",
            "name it with template = ..., or remove it",
        )


def odd_weight(subject: Subject) -> Found:
    """A weight far from the others starves somebody."""
    weights = [recipient.weight for _, recipient in _recipients(subject)]
    for place, recipient in _recipients(subject):
        if recipient.weight > 20 * min(weights):
            yield (
                Severity.HINT,
                f"{place}.weight",
                f"weight {recipient.weight:g}, the least is {min(weights):g}",
                "when slots are scarce the others get a twentieth or less",
                "use weights within 1 to 10",
            )


def hours_without_zone(subject: Subject) -> Found:
    """Times of day on nobody's clock go by UTC; a zone that does not exist is refused at load."""
    raw = subject.raw.get("recipients", {})
    for place, recipient in _recipients(subject):
        if recipient.zone != "UTC" or "zone" in raw.get(recipient.name, {"zone": ""}):
            continue
        hours, maintenance = recipient.hours, recipient.maintenance
        named = (
            ("hours", hours is not None and hours.zone is None),
            ("maintenance", maintenance is not None and maintenance.zone is None),
            ("retry_windows", bool(recipient.retry_windows)),
            ("caps", any(one.zone is None and one.per in _BY_CLOCK for one in recipient.caps)),
        )
        for key in (key for key, given in named if given):
            yield (
                Severity.WARNING,
                f"{place}.zone",
                f"{key} without a zone",
                "its times are UTC, and move by an hour against the partner's clock in summer",
                'set zone, such as "Europe/Berlin"; "UTC" where that is meant',
            )


# -- endpoints ------------------------------------------------------------------------------


def plain_http(subject: Subject) -> Found:
    """Payloads and credentials go over the wire readable."""
    for place, _, endpoint in _endpoints(subject):
        parts = urlsplit(_PLACEHOLDER.sub("x", endpoint.url))
        here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme == "http" and not here:
            yield (
                Severity.WARNING,
                f"{place}.url",
                "http without TLS",
                "payloads and credentials can be read and changed on the way",
                "use https://",
            )


def private_addresses(subject: Subject) -> Found:
    """The guard against requests into one's own network is off."""
    for place, _, endpoint in _endpoints(subject):
        if endpoint.allow_private or endpoint.proxy is not None:
            key = "allow_private" if endpoint.allow_private else "proxy"
            yield (
                Severity.HINT,
                f"{place}.{key}",
                "private addresses may be reached",
                "whoever sets the address or its name can reach your own network",
                "only for recipients on your own network, or a proxy that guards it",
            )


def long_timeout(subject: Subject) -> Found:
    """A recipient that hangs holds its slots."""
    for place, recipient, endpoint in _endpoints(subject):
        if endpoint.total_timeout > _LONG_TIMEOUT_S:
            rate = recipient.concurrency / endpoint.total_timeout
            yield (
                Severity.HINT,
                f"{place}.total_timeout",
                f"{endpoint.total_timeout:g} s for one exchange",
                f"while the partner hangs only {rate:.2g} sends a second are possible",
                "lower it to what the slowest good answer takes",
            )


def duplicate_endpoints(subject: Subject) -> Found:
    """Two lanes to one system: each believes that it has it for itself."""
    seen: dict[tuple[str, str], str] = {}
    for place, _, endpoint in _endpoints(subject):
        first = seen.setdefault((endpoint.method, endpoint.url), place)
        if first != place:
            yield (
                Severity.WARNING,
                f"{place}.url",
                f"the same address as {first}",
                "two lanes share one system: limits and breaker hold for each alone",
                "send both flows to one recipient",
            )


def plain_secrets(subject: Subject) -> Found:
    """Secrets in the file are in backups and version control too."""
    recipients = subject.raw.get("recipients", {})
    for place, text in _texts(recipients if isinstance(recipients, dict) else {}, "recipients"):
        tail = place.split(".auth.")[-1] if ".auth." in place else place.partition(".secrets.")[2]
        secret = ".auth." in place and _SECRET_KEY.match(tail)
        if (secret or ".secrets." in place) and not _REFERENCE.match(text):
            yield (
                Severity.WARNING,
                place,
                "a secret in plain text",
                "it is in every copy, backup and commit of the file",
                'use "env:NAME" or "file:PATH"',
            )


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(inner, f"{place}.{key}")


# -- flows ----------------------------------------------------------------------------------


def stripped_field(subject: Subject) -> Found:
    """A template names a field that is not stored: every delivery fails."""
    for place, flow, _, recipient, _ in _steps(subject):
        named = sorted(set().union(*(_named(endpoint) for endpoint in recipient.endpoints)))
        for path in named:
            kept = flow.keep is None or _within(path, flow.keep)
            if _within(path, flow.strip) or not kept:
                yield (
                    Severity.ERROR,
                    place,
                    f"recipients.{recipient.name} needs {path!r}, which the flow does not store",
                    "every delivery of this step fails with TEMPLATE_FIELD_MISSING",
                    f"take it out of flows.{flow.name}.strip (or into keep), or mask it instead",
                )


def unmasked_field(subject: Subject) -> Found:
    """A field that looks secret may show in logs and events."""
    for _, flow, _, recipient, _ in _steps(subject):
        named = sorted(set().union(*(_named(endpoint) for endpoint in recipient.endpoints)))
        for path in named:
            if _SECRET_FIELD.search(path) and not _within(path, flow.mask):
                yield (
                    Severity.WARNING,
                    f"flows.{flow.name}.mask",
                    f"{path!r} looks secret and is not masked",
                    "a partner that repeats it in an answer puts it into events and logs",
                    f'add "{path}" to mask',
                )


def slow_step(subject: Subject) -> Found:
    """In a sequential flow everything after a step waits for it."""
    for place, flow, step, recipient, policy in _steps(subject):
        last = flow.steps[-1] is step
        if flow.mode == "sequential" and not last and policy.max_age > 86_400:
            yield (
                Severity.HINT,
                f"{place}.policy.max_age",
                f"{recipient.name} may take {policy.max_age / 3600:g} h",
                "the steps after it wait as long",
                "give the step a shorter max_age, or make the flow parallel",
            )


RULES: Final[tuple[Callable[[Subject], Found], ...]] = (
    no_jitter,
    immediate_retries,
    short_window,
    long_age,
    retries_over_limit,
    no_breaker,
    no_budget,
    concurrency_over_limit,
    unused,
    odd_weight,
    hours_without_zone,
    plain_http,
    private_addresses,
    long_timeout,
    duplicate_endpoints,
    plain_secrets,
    stripped_field,
    unmasked_field,
    slow_step,
    lint_conditions.unmatched_rule,
    lint_conditions.missing_field,
    lint_conditions.constant_condition,
    lint_conditions.unknown_name,
)
"""Every rule; a new one only has to be added here."""
