"""Which policy is in force: levels resolved field by field, each value with its origin.

override > step > flow > recipient > account > global > default (S2.13-S2.29). A template named
on a level fills the fields that the level leaves open. Hard limits only tighten: of all levels
that set `max_age` or `max_hint` the shortest wins, whatever the order (promise 5).
"""

import functools
import hashlib
from typing import Any, Final, NamedTuple

import msgspec

from holdfast.errors import InvalidInput
from holdfast.model.flow import Account, Catalog, Flow, Limits, Recipient, Step
from holdfast.model.policy import (
    JitterKind,
    Phase,
    Policy,
    PolicySettings,
    ResponseMapping,
    Strategy,
)
from holdfast.policy import check, check_calendar, pointer, ruling

DEFAULTS: Final[dict[str, Any]] = {
    "strategy": Strategy.EXPONENTIAL,
    "max_retries": 3,
    "initial_delay": 2.0,
    "multiplier": 2.0,
    "max_interval": 60.0,
    "total_timeout": 300.0,
    "timeout_clock": "active",
    "jitter": JitterKind.PERCENT,
    "jitter_ratio": 0.2,
    "phases": (),
    "retry_on": (),
    "never_retry": (),
    "rules": (),
    "response": ResponseMapping(),
    "max_hint": 3600.0,
    "max_age": 72 * 3600.0,
    "exhausted_while_down": "hold",
    "cost_stop": None,
}
"""What holds where nobody says anything (S2.16-S2.20). `increment` follows `initial_delay`."""

TEMPLATES: Final = {
    "conservative": PolicySettings(
        strategy=Strategy.FIXED, max_retries=2, initial_delay=5.0, jitter=JitterKind.NONE
    ),
    "standard": PolicySettings(
        strategy=Strategy.EXPONENTIAL,
        max_retries=3,
        initial_delay=2.0,
        multiplier=2.0,
        jitter=JitterKind.NONE,
    ),
    "aggressive": PolicySettings(
        strategy=Strategy.EXPONENTIAL,
        max_retries=5,
        initial_delay=1.0,
        multiplier=2.0,
        jitter=JitterKind.NONE,
    ),
}
"""The built-in templates with their exact sequences (S2.26-S2.28)."""

_FIELDS: Final = (*DEFAULTS, "increment")
_TIGHTENING: Final = frozenset({"max_age", "max_hint"})
_DEFAULT: Final = "default"
_OPEN: Final = PolicySettings()
"""A level that sets nothing."""


class _Source(NamedTuple):
    """One place that may set fields: a level, or the template that a level names."""

    origin: str
    field: str
    settings: PolicySettings
    note: str = ""


def resolve(
    catalog: Catalog,
    *,
    flow: Flow | None,
    step: Step | None,
    recipient: Recipient,
    override: PolicySettings | None = None,
) -> Policy:
    """Return the policy for deliveries of a step to a recipient.

    Args:
        catalog: holds the limits, the templates, the account and global levels.
        flow: the flow level; its account gives the account level (without a flow: the
            recipient's).
        step: the step level.
        recipient: the recipient level.
        override: an operator's settings for one delivery.

    Raises:
        InvalidInput: a value is out of range or does not go with another; the field is the
            dotted path of the level that set it.
    """
    account = catalog.accounts.get(recipient.account if flow is None else flow.account)
    levels: list[tuple[str, str, PolicySettings]] = []
    if override is not None:
        levels.append(("override", "policy", override))
    if flow is not None:
        if step is not None:
            place = f"flows.{flow.name}.steps.{step.name}.policy"
            levels.append((f"step {flow.name}/{step.name}", place, step.policy))
        levels.append((f"flow {flow.name}", f"flows.{flow.name}.policy", flow.policy))
    place = f"recipients.{recipient.name}.policy"
    levels.append((f"recipient {recipient.name}", place, recipient.policy))
    if account is not None:
        levels.append(_account_level(account))
    levels.append(("global", "policy", catalog.policy))
    return _resolved(catalog, levels)


def snapshot(policy: Policy) -> bytes:
    """Return the policy as canonical JSON, for the journal; equal policies give equal bytes."""
    return msgspec.json.encode(policy, order="sorted")


def validate(catalog: Catalog) -> None:
    """Check everything in a catalog, alone and together.

    Raises:
        InvalidInput: the first thing that is wrong, with its dotted path, value and range.
    """
    check.limits(catalog.limits)
    for name, template in catalog.templates.items():
        _template(name, template, catalog.limits)
    _resolved(catalog, [("global", "policy", catalog.policy)])
    for key, account in catalog.accounts.items():
        _named(f"accounts.{key}", key, account.name)
        check.budget(account.budget, f"accounts.{key}.budget")
        _resolved(catalog, [_account_level(account), ("global", "policy", catalog.policy)])
        check_calendar.account(account, f"accounts.{key}")
    accounts = {"default", *catalog.accounts}
    for key, recipient in catalog.recipients.items():
        _named(f"recipients.{key}", key, recipient.name)
        check.known(f"recipients.{key}.account", recipient.account, accounts)
        check.recipient(recipient, f"recipients.{key}")
        check_calendar.recipient(recipient, f"recipients.{key}")
        ruling.recipient(recipient, f"recipients.{key}")
        resolve(catalog, flow=None, step=None, recipient=recipient)
    for key, flow in catalog.flows.items():
        _named(f"flows.{key}", key, flow.name)
        check.known(f"flows.{key}.account", flow.account, accounts)
        _flow(catalog, flow, f"flows.{key}")
        check_calendar.flow(flow, f"flows.{key}")
        pointer.check_all(f"flows.{key}.search", flow.search)
    ruling.validate(catalog)


def _account_level(account: Account) -> tuple[str, str, PolicySettings]:
    return f"account {account.name}", f"accounts.{account.name}.policy", account.policy


def _named(field: str, key: str, name: str) -> None:
    check.name(field, key)
    if name != key:
        raise InvalidInput(f"{field}.name", name, f"{key!r}, the name of the entry")


def _template(name: str, template: PolicySettings, limits: Limits) -> None:
    field = f"templates.{name}"
    check.name(field, name)
    if name in TEMPLATES:
        raise InvalidInput(field, name, f"a name other than {', '.join(TEMPLATES)}")
    if template.template is not None:
        raise InvalidInput(f"{field}.template", template.template, "nothing inside a template")
    check.settings(template, limits, field)


def _flow(catalog: Catalog, flow: Flow, field: str) -> None:
    if not flow.steps:
        raise InvalidInput(f"{field}.steps", (), "at least one step")
    check.unique(f"{field}.steps", (step.name for step in flow.steps))
    for key in ("strip", "keep", "mask"):
        for index, path in enumerate(getattr(flow, key) or ()):
            if not all(path.split(".")):
                raise InvalidInput(f"{field}.{key}.{index}", path, "a path such as lead.phones.0")
    for index, step in enumerate(flow.steps):
        check.name(f"{field}.steps.{index}.name", step.name)
        place = f"{field}.steps.{step.name}.recipient"
        check.known(place, step.recipient, catalog.recipients)
        recipient = catalog.recipients[step.recipient]
        if recipient.account != flow.account:
            raise InvalidInput(
                place, step.recipient, f"a recipient of the flow's account {flow.account!r}"
            )
        resolve(catalog, flow=flow, step=step, recipient=recipient)


def _resolved(catalog: Catalog, levels: list[tuple[str, str, PolicySettings]]) -> Policy:
    """Resolve levels, nearest first, and check the result as a whole."""
    levels = [level for level in levels if level[2] != _OPEN]
    if not levels:
        return _defaults(catalog.limits)
    return _merged(catalog, levels)


@functools.lru_cache(maxsize=16)
def _defaults(limits: Limits) -> Policy:
    """Return the policy where no level sets anything: most recipients of a large catalog."""
    return _merged(Catalog(limits=limits), [])


def _merged(catalog: Catalog, levels: list[tuple[str, str, PolicySettings]]) -> Policy:
    sources = [source for level in levels for source in _sources(catalog, *level)]
    winners = {key: _winner(key, sources) for key in _FIELDS}
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for key, source in winners.items():
        if source is not None:
            values[key], origin[key] = getattr(source.settings, key), source.origin
        elif key in DEFAULTS:
            values[key], origin[key] = _default(key, catalog.limits)
    if winners["increment"] is None:
        values["increment"], origin["increment"] = values["initial_delay"], origin["initial_delay"]
    if winners["jitter"] is None and values["strategy"] is Strategy.JITTER:
        values["jitter"], origin["jitter"] = JitterKind.FULL, "strategy jitter"
    policy = Policy(**values, origin=origin, id=_id(values, origin))
    _check_phases(policy, winners)
    _check_delays(policy, winners, catalog.limits)
    return policy


def _sources(catalog: Catalog, origin: str, field: str, settings: PolicySettings) -> list[_Source]:
    check.settings(settings, catalog.limits, field)
    own = _Source(origin, field, settings)
    if settings.template is None:
        return [own]
    templates = TEMPLATES | catalog.templates
    check.known(f"{field}.template", settings.template, templates)
    note = f" (set by template {settings.template})"
    template = templates[settings.template]
    check.settings(_open(template, settings), catalog.limits, field, note)
    return [own, _Source(f"template {settings.template} ({origin})", field, template, note)]


def _open(template: PolicySettings, settings: PolicySettings) -> PolicySettings:
    """Return the part of a template that a level leaves open: only that must be in range."""
    given = msgspec.structs.asdict(settings)
    return msgspec.structs.replace(
        template, **{key: None for key, value in given.items() if value is not None}
    )


def _winner(key: str, sources: list[_Source]) -> _Source | None:
    """Return the source that decides a field: the nearest, or the tightest of a hard limit."""
    given = [source for source in sources if getattr(source.settings, key) is not None]
    if not given:
        return None
    if key in _TIGHTENING:
        return min(given, key=lambda source: float(getattr(source.settings, key)))
    return given[0]


def _default(key: str, limits: Limits) -> tuple[Any, str]:
    """Return the default of a field, moved into the limits when an administrator narrowed them."""
    value = DEFAULTS[key]
    bounds = getattr(limits, key, None)
    if bounds is None or bounds[0] <= value <= bounds[1]:
        return value, _DEFAULT
    return min(max(value, bounds[0]), bounds[1]), "limits"


def _id(values: dict[str, Any], origin: dict[str, str]) -> str:
    body = msgspec.json.encode({**values, "origin": origin}, order="sorted")
    return hashlib.sha256(body).hexdigest()[:16]


def _check_phases(policy: Policy, winners: dict[str, _Source | None]) -> None:
    source = winners["strategy"]
    if policy.strategy is Strategy.HYBRID and not policy.phases and source is not None:
        raise InvalidInput(f"{source.field}.phases", (), "at least one phase for hybrid")


def _check_delays(policy: Policy, winners: dict[str, _Source | None], limits: Limits) -> None:
    """Check the delays that the strategy really uses: immediate ignores them (C7)."""
    if policy.strategy is Strategy.HYBRID:
        for index, phase in enumerate(policy.phases):
            if phase.strategy is not Strategy.IMMEDIATE:
                _check_phase(policy, phase, index, winners, limits)
    elif policy.strategy is not Strategy.IMMEDIATE:
        _check_initial(policy, winners["initial_delay"], limits)
        if policy.initial_delay > policy.max_interval:
            raise _too_long(policy, winners)


def _check_initial(policy: Policy, source: _Source | None, limits: Limits) -> None:
    if source is not None:
        low, high = limits.initial_delay
        check.number(f"{source.field}.initial_delay", policy.initial_delay, low, high, source.note)


def _check_phase(
    policy: Policy, phase: Phase, index: int, winners: dict[str, _Source | None], limits: Limits
) -> None:
    if phase.initial_delay is None:
        _check_initial(policy, winners["initial_delay"], limits)
    first = policy.initial_delay if phase.initial_delay is None else phase.initial_delay
    most = policy.max_interval if phase.max_interval is None else phase.max_interval
    source = winners["phases"]
    if first > most and source is not None:
        raise InvalidInput(
            f"{source.field}.phases.{index}.initial_delay",
            first,
            f"at most max_interval ({most:g})",
        )


def _too_long(policy: Policy, winners: dict[str, _Source | None]) -> InvalidInput:
    """Blame the level that set one of the two; the default alone is never to blame."""
    first, most = policy.initial_delay, policy.max_interval
    if (source := winners["initial_delay"]) is not None:
        allowed = f"at most max_interval ({most:g}, from {policy.origin['max_interval']})"
        return InvalidInput(f"{source.field}.initial_delay", first, allowed)
    source = winners["max_interval"]
    field = "limits" if source is None else source.field
    return InvalidInput(f"{field}.max_interval", most, f"at least initial_delay ({first:g})")
