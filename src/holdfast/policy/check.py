"""Ranges and shapes of what an author may set; every complaint names field, value and range.

Only what can be said about a value by itself stands here. What depends on several levels of a
policy stands in `precedence`.
"""

import base64
import binascii
import itertools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from holdfast.errors import InvalidInput
from holdfast.model.attempt import FailureClass
from holdfast.model.flow import BasicAuth, BearerAuth, Endpoint, Limits, Recipient
from holdfast.model.policy import (
    BreakerSettings,
    CostStop,
    Phase,
    PolicySettings,
    ResponseMapping,
    Rule,
    Strategy,
)
from holdfast.model.throttle import BudgetSettings, RateLimits
from holdfast.policy import pattern
from holdfast.policy.extract import check_path
from holdfast.policy.failure import check_term, status_range

WINDOW_MAX: Final = 60
"""Calls a breaker can remember: its window is one integer that every store keeps exact."""
YEAR_S: Final = 366 * 86_400.0
HIDDEN: Final = "***"
"""Stands in errors for values that may be secret."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.IGNORECASE | re.ASCII)
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7f]")
_PLACEHOLDER: Final = re.compile(r"\{\{[^{}]+\}\}")
_ORIGIN: Final = re.compile(r"[^:/?#]*://[^/?#]*")
_OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "transfer-encoding",
        "idempotency-key",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "holdfast-attempt",
    }
)
_CLASSES: Final = frozenset(FailureClass)


def number(field: str, value: float, low: float, high: float, note: str = "") -> None:
    """Refuse a number outside `low` to `high` (both allowed); NaN is outside."""
    if not low <= value <= high:
        raise InvalidInput(field, value, f"{low:.12g} to {high:.12g}{note}")


def name(field: str, value: str) -> None:
    """Refuse a name that would not fit URLs, metrics and file names."""
    if _NAME.fullmatch(value) is None:
        raise InvalidInput(
            field, value[:80], "1 to 64 of a-z, 0-9, _ . and -, the first a letter or digit"
        )


def known(field: str, value: str, names: Collection[str]) -> None:
    """Refuse a name that is not among the known ones, and list those."""
    if value not in names:
        shown = ", ".join(sorted(names)[:20]) + (", ..." if len(names) > 20 else "")
        raise InvalidInput(field, value, shown or "none is defined")


def unique(field: str, names: Iterable[str]) -> None:
    """Refuse a name that occurs twice."""
    seen: set[str] = set()
    for value in names:
        if value in seen:
            raise InvalidInput(field, value, "each name once")
        seen.add(value)


def settings(value: PolicySettings, limits: Limits, field: str, note: str = "") -> None:
    """Check one level of a policy, except what depends on other levels (`initial_delay`).

    Args:
        value: the level.
        limits: the installation's ranges.
        field: dotted path of the level.
        note: appended to the allowed range, such as where the value comes from.
    """
    for key in (
        "max_retries",
        "multiplier",
        "max_interval",
        "total_timeout",
        "max_age",
        "max_hint",
    ):
        given = getattr(value, key)
        if given is not None:
            low, high = getattr(limits, key)
            number(f"{field}.{key}", given, low, high, note)
    if value.increment is not None:
        number(f"{field}.increment", value.increment, 0, limits.max_interval[1], note)
    if value.jitter_ratio is not None:
        number(f"{field}.jitter_ratio", value.jitter_ratio, 0, 1, note)
    for index, phase in enumerate(value.phases or ()):
        last = index == len(value.phases or ()) - 1
        _phase(phase, limits, f"{field}.phases.{index}", last=last)
    for key in ("retry_on", "never_retry"):
        for index, word in enumerate(getattr(value, key) or ()):
            _condition(word, f"{field}.{key}.{index}")
    for index, rule in enumerate(value.rules or ()):
        _rule(rule, limits, f"{field}.rules.{index}")
    _cost_stop(value.cost_stop, f"{field}.cost_stop")
    if value.response is not None:
        _mapping(value.response, f"{field}.response")


def _cost_stop(value: CostStop | None, field: str) -> None:
    if value is None:
        return
    number(f"{field}.attempt_cost", value.attempt_cost, 1e-6, 1e6)
    if value.half_life is not None:
        number(f"{field}.half_life", value.half_life, 1, 1e8)


def _phase(phase: Phase, limits: Limits, field: str, *, last: bool) -> None:
    if phase.strategy is Strategy.HYBRID:
        raise InvalidInput(f"{field}.strategy", phase.strategy.value, "any strategy but hybrid")
    if phase.strategy is Strategy.IMMEDIATE and (phase.attempts != 1 or last):
        raise InvalidInput(
            f"{field}.attempts", phase.attempts, "1 for immediate, and another phase after it (C7)"
        )
    if phase.attempts is not None:
        number(f"{field}.attempts", phase.attempts, 1, max(1, limits.max_retries[1]))
    elif not last:
        raise InvalidInput(f"{field}.attempts", None, "a number; only the last phase is open-ended")
    for key in ("initial_delay", "multiplier", "max_interval"):
        given = getattr(phase, key)
        if given is not None and not (
            key == "initial_delay" and phase.strategy is Strategy.IMMEDIATE
        ):
            low, high = getattr(limits, key)
            number(f"{field}.{key}", given, low, high)
    if phase.increment is not None:
        number(f"{field}.increment", phase.increment, 0, limits.max_interval[1])


def _condition(word: str, field: str) -> None:
    if word not in _CLASSES:
        _status(word, field, f", or a failure class: {', '.join(sorted(_CLASSES))}")


def _status(word: str, field: str, more: str = "") -> None:
    bounds = status_range(word)
    if bounds is None or bounds[0] > bounds[1]:
        raise InvalidInput(field, word, f"a status such as 503, 5xx or 500-599{more}")


def _rule(rule: Rule, limits: Limits, field: str) -> None:
    if not rule.name or len(rule.name) > 200:
        raise InvalidInput(f"{field}.name", rule.name[:80], "1 to 200 characters")
    for index, word in enumerate(rule.status or ()):
        _status(word, f"{field}.status.{index}")
    if rule.header is not None:
        _header_name(rule.header[0], f"{field}.header.0")
        pattern.check(rule.header[1], f"{field}.header.1")
    if rule.body is not None:
        pattern.check(rule.body, f"{field}.body")
    if rule.path is not None:
        check_path(rule.path, f"{field}.path")
    elif rule.equals is not None:
        raise InvalidInput(f"{field}.equals", rule.equals, "only together with path")
    if rule.delay is not None:
        number(f"{field}.delay", rule.delay, 0, limits.max_hint[1])


def _mapping(mapping: ResponseMapping, field: str) -> None:
    for key in ("outcome_search_path", "reason_path", "price_path", "reference_path"):
        path = getattr(mapping, key)
        if path is not None:
            check_path(path, f"{field}.{key}")
    term = mapping.outcome_search_term
    if term is not None:
        if not term:
            raise InvalidInput(f"{field}.outcome_search_term", term, "at least one character")
        check_term(term, f"{field}.outcome_search_term")
    elif mapping.outcome_search_path is not None:
        raise InvalidInput(f"{field}.outcome_search_term", None, "needed by outcome_search_path")


def breaker(value: BreakerSettings, field: str) -> None:
    """Check a lane's breaker."""
    number(f"{field}.consecutive", value.consecutive, 1, 1000)
    number(f"{field}.failure_rate", value.failure_rate, 0.01, 1)
    number(f"{field}.window", value.window, 1, WINDOW_MAX)
    number(f"{field}.min_calls", value.min_calls, 1, value.window, " (window)")
    number(f"{field}.open_max_seconds", value.open_max_seconds, 0.1, 86_400)
    number(f"{field}.open_seconds", value.open_seconds, 0.1, value.open_max_seconds)
    number(f"{field}.open_jitter", value.open_jitter, 0, 0.9)
    number(f"{field}.success_threshold", value.success_threshold, 1, 100)
    number(f"{field}.ramp_seconds", value.ramp_seconds, 0.1, 3600)
    number(f"{field}.probe_cost", value.probe_cost, 0.001, 1_000_000)
    number(f"{field}.delay_cost", value.delay_cost, 0.000_001, 1_000_000)
    number(f"{field}.probe_max_seconds", value.probe_max_seconds, 0.1, 86_400)
    number(f"{field}.probe_min_seconds", value.probe_min_seconds, 0.1, value.probe_max_seconds)
    number(f"{field}.calm_seconds", value.calm_seconds, 1, 3600)
    rising = all(low < high for low, high in itertools.pairwise((0.0, *value.ramp)))
    if not (value.ramp and rising and value.ramp[-1] == 1):
        raise InvalidInput(
            f"{field}.ramp", value.ramp, "shares above 0 that rise to 1, such as 0.1, 0.25, 0.5, 1"
        )


def limits(value: Limits, field: str = "limits") -> None:
    """Check the installation's own ranges: even an administrator cannot turn them around."""
    widest = {
        "max_retries": (0.0, 10_000.0),
        "multiplier": (1.0, 100.0),
        "max_age": (1.0, 10 * YEAR_S),
    }
    for key in msgspec.structs.asdict(value):
        low, high = getattr(value, key)
        bottom, top = widest.get(key, (0.0, YEAR_S))
        number(f"{field}.{key}.0", low, bottom, top)
        number(f"{field}.{key}.1", high, low, top)


def rate_limits(value: RateLimits, field: str) -> None:
    """Check a recipient's limits of sends."""
    for key, most in msgspec.structs.asdict(value).items():
        if key != "smooth" and most is not None:
            number(f"{field}.{key}", most, 1, 1_000_000_000)


def budget(value: BudgetSettings, field: str) -> None:
    """Check a retry budget: time must pay something in, or retries could wait for ever."""
    number(f"{field}.ratio", value.ratio, 0, 100)
    number(f"{field}.min_rate", value.min_rate, 0.01, 100_000)


def recipient(value: Recipient, field: str) -> None:
    """Check a recipient, except its policy."""
    breaker(value.breaker, f"{field}.breaker")
    number(f"{field}.concurrency", value.concurrency, 1, 10_000)
    number(f"{field}.weight", value.weight, 0.01, 100)
    rate_limits(value.limits, f"{field}.limits")
    budget(value.budget, f"{field}.budget")
    if not value.endpoints:
        raise InvalidInput(f"{field}.endpoints", (), "at least one endpoint")
    unique(f"{field}.endpoints", (endpoint.name for endpoint in value.endpoints))
    for index, one in enumerate(value.endpoints):
        endpoint(one, f"{field}.endpoints.{index}")


def endpoint(value: Endpoint, field: str) -> None:
    """Check an endpoint; secrets are never repeated in the error."""
    name(f"{field}.name", value.name)
    _url(value.url, f"{field}.url")
    _headers(value.headers, f"{field}.headers")
    _auth(value, f"{field}.auth")
    for index, secret in enumerate(value.secrets):
        _secret(secret, f"{field}.secrets.{index}")
    if value.body == "raw" and value.template is None:
        raise InvalidInput(f"{field}.template", None, "a template, because body is raw")
    for key in ("connect_timeout", "read_timeout", "total_timeout"):
        number(f"{field}.{key}", getattr(value, key), 0.01, 3600)
    number(f"{field}.capture_bytes", value.capture_bytes, 0, 16 * 1024 * 1024)
    if value.proxy is not None and not re.fullmatch(r"https?://[^\s/]+/?", value.proxy):
        raise InvalidInput(f"{field}.proxy", HIDDEN, "an address such as http://proxy:3128")


def _url(url: str, field: str) -> None:
    """A placeholder in the host would make every payload a recipient of its own."""
    shape = _PLACEHOLDER.sub("x", url)
    if "{{" in shape or "}}" in shape or _NOT_IN_URL.search(shape):
        raise InvalidInput(field, url, "no blanks, every {{placeholder}} closed")
    try:
        parts = urlsplit(shape)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInput(field, url, "an address such as https://partner.example/leads")
    if "@" in parts.netloc:
        raise InvalidInput(field, HIDDEN, "no user and password in the address; use auth")
    origin = _ORIGIN.match(url)
    if origin is None or "{{" in origin.group():
        raise InvalidInput(field, url, "placeholders only in path and query")


def _header_name(value: str, field: str) -> None:
    if _TOKEN.fullmatch(value) is None:
        raise InvalidInput(field, value, "a header name such as X-Api-Key")


def _headers(headers: Mapping[str, str], field: str) -> None:
    for key, value in headers.items():
        _header_name(key, f"{field}.{key}")
        if key.lower() in _OURS:
            raise InvalidInput(f"{field}.{key}", HIDDEN, f"not one of {', '.join(sorted(_OURS))}")
        _printable(value, f"{field}.{key}")


def _printable(value: str, field: str) -> None:
    if _CONTROL.search(value):
        raise InvalidInput(field, HIDDEN, "one line without control characters")


def _auth(endpoint: Endpoint, field: str) -> None:
    auth = endpoint.auth
    if auth is None:
        return
    if isinstance(auth, BasicAuth):
        if ":" in auth.username:
            raise InvalidInput(f"{field}.username", HIDDEN, "no colon")
        _printable(auth.username, f"{field}.username")
        _printable(auth.password, f"{field}.password")
    elif isinstance(auth, BearerAuth):
        _printable(auth.token, f"{field}.token")
    else:
        _header_name(auth.name, f"{field}.name")
        _printable(auth.value, f"{field}.value")


def _secret(secret: str, field: str) -> None:
    allowed = "whsec_ and the base64 of 24 to 64 random bytes (Standard Webhooks)"
    try:
        size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not secret.startswith("whsec_") or not 24 <= size <= 64:
        raise InvalidInput(field, HIDDEN, allowed)
