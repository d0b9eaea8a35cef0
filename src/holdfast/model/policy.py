"""Retry policy: what an author may set (`PolicySettings`) and what results (`Policy`).

Durations are seconds, as the seeds give them (S2.16-S2.20); ranges and defaults stand in
`policy.precedence`.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from holdfast.model.attempt import FailureClass, Result


class Strategy(StrEnum):
    """How the next delay is found (S1.25-S1.32)."""

    IMMEDIATE = "immediate"
    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    JITTER = "jitter"
    CIRCUIT_BREAKER = "circuit_breaker"
    HYBRID = "hybrid"
    ADAPTIVE = "adaptive"


class JitterKind(StrEnum):
    """How a delay is randomised; always after the cap, never above it (S2.32)."""

    NONE = "none"
    FULL = "full"
    EQUAL = "equal"
    DECORRELATED = "decorrelated"
    PERCENT = "percent"


class Phase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One part of a hybrid strategy. Fields that are None are taken from the policy.

    Attributes:
        strategy: of this part.
        attempts: for so many retries; the last phase may leave it out and lasts until the limits.
        initial_delay: seconds before its first retry.
        multiplier: growth of exponential delays.
        max_interval: longest delay in seconds.
        increment: seconds added per retry by `linear`.
        jitter: how delays are randomised.
    """

    strategy: Strategy
    attempts: int | None = None
    initial_delay: float | None = None
    multiplier: float | None = None
    max_interval: float | None = None
    increment: float | None = None
    jitter: JitterKind | None = None


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One classification rule; the first that matches decides (S2.49, S2.50, C40).

    All given conditions must hold. A condition that is None is not asked.

    Attributes:
        name: shown in the event that it decided.
        status: HTTP statuses, as `503`, `5xx` or `500-599`.
        error: channel error classes.
        header: header name and a regular expression that its value must contain.
        body: a regular expression searched in the captured body.
        path: JSON path (`a.b.0.c`) or XPath (starting with `/`) into the body ...
        equals: ... whose text must equal this; with None it must only exist.
        result: what it means.
        failure_class: the cause, when it is not a success.
        retryable: default: true for error, false otherwise.
        reason: the aggregatable reason; default: the rule's name.
        delay: seconds to wait at least before the next try.
        duplicate: the partner says it has this already.
    """

    name: str
    result: Result
    status: tuple[str, ...] | None = None
    error: tuple[FailureClass, ...] | None = None
    header: tuple[str, str] | None = None
    body: str | None = None
    path: str | None = None
    equals: str | None = None
    failure_class: FailureClass | None = None
    retryable: bool | None = None
    reason: str | None = None
    delay: float | None = None
    duplicate: bool = False


class ResponseMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How an integration's answer is read (domain knowledge of lead delivery, G1).

    Attributes:
        outcome_search_term: text or `/regular expression/` looked for in the answer. None: a
            2xx is a success, other statuses as by the table.
        outcome_search_path: where to look: JSON path (`a.b.0`) or XPath (`/a/b`); None: whole body.
        outcome_on_match: what a match means; no match means the inverse.
        reason_path: where the partner's reason stands.
        default_reason: used when there is none.
        price_path: where the price stands.
        reference_path: where the partner's id stands.
    """

    outcome_search_term: str | None = None
    outcome_search_path: str | None = None
    outcome_on_match: Literal["success", "failure", "error"] = "success"
    reason_path: str | None = None
    default_reason: str | None = None
    price_path: str | None = None
    reference_path: str | None = None


class CostStop(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When going on is not worth its cost any more (S1.93, algorithms 3.6).

    Attributes:
        attempt_cost: of one more try, in the unit of the message's `value`.
        half_life: seconds in which the value of a delivery halves, None: it keeps its value.
    """

    attempt_cost: float
    half_life: float | None = None


class PolicySettings(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What one level (global, account, recipient, flow, step, delivery) sets; None: not set here.

    Attributes:
        template: name of a template that fills the fields left open on this level
            (conservative, standard, aggressive or one's own; S2.26-S2.29).
        strategy: see `Strategy`.
        max_retries: retries after the original send (S2.16).
        initial_delay: seconds before the first retry (S2.17).
        multiplier: growth of exponential delays (S2.18).
        max_interval: the longest delay in seconds (S2.19).
        total_timeout: seconds of active (or wall) time after which no retry starts (S2.20, C5).
        timeout_clock: what `total_timeout` counts.
        increment: seconds added per retry by `linear`; default: `initial_delay`.
        jitter: how delays are randomised.
        jitter_ratio: half width of `percent` jitter (0-1).
        phases: the parts of `hybrid`.
        retry_on: statuses (`418`, `5xx`) and failure classes that are retried besides the table.
        never_retry: the same, not retried. Beats `retry_on`.
        rules: classification rules, asked before the table.
        response: how the answer is read.
        max_hint: longest Retry-After in seconds that is obeyed (C6).
        max_age: seconds of wall time after which a delivery is dead `EXPIRED`.
        exhausted_while_down: what happens to a delivery that runs out of retries on a lane
            without a success since its first attempt.
        cost_stop: when a delivery goes to review because trying on is not worth its cost;
            default: never. A message without a value (0) is not asked.
    """

    template: str | None = None
    strategy: Strategy | None = None
    max_retries: int | None = None
    initial_delay: float | None = None
    multiplier: float | None = None
    max_interval: float | None = None
    total_timeout: float | None = None
    timeout_clock: Literal["active", "wall"] | None = None
    increment: float | None = None
    jitter: JitterKind | None = None
    jitter_ratio: float | None = None
    phases: tuple[Phase, ...] | None = None
    retry_on: tuple[str, ...] | None = None
    never_retry: tuple[str, ...] | None = None
    rules: tuple[Rule, ...] | None = None
    response: ResponseMapping | None = None
    max_hint: float | None = None
    max_age: float | None = None
    exhausted_while_down: Literal["hold", "dead"] | None = None
    cost_stop: CostStop | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A resolved policy: every field has a value, `origin` says from which level.

    `id` is a short hash of all values: the events' `configuration` names it.
    """

    strategy: Strategy
    max_retries: int
    initial_delay: float
    multiplier: float
    max_interval: float
    total_timeout: float
    timeout_clock: Literal["active", "wall"]
    increment: float
    jitter: JitterKind
    jitter_ratio: float
    phases: tuple[Phase, ...]
    retry_on: tuple[str, ...]
    never_retry: tuple[str, ...]
    rules: tuple[Rule, ...]
    response: ResponseMapping
    max_hint: float
    max_age: float
    exhausted_while_down: Literal["hold", "dead"]
    cost_stop: CostStop | None
    origin: dict[str, str]
    id: str


class BreakerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Circuit breaker of a lane (C26, C27, G4, S2.34-S2.40, S2.58). Seconds.

    In `cusum` mode `consecutive`, `failure_rate`, `window`, `min_calls`, `ramp`, `ramp_seconds`
    and `relapse` are not used; in `threshold` mode `probe_...`, `delay_cost` and `calm_seconds`.

    Attributes:
        enabled: off only for tests of exact sequences and for partners that ask for it.
        mode: `cusum` learns what is usual, probes when it pays and paces the recovery;
            `threshold` counts, doubles and rises in stages.
        consecutive: failures in a row that open it.
        failure_rate: share of the last `window` calls that opens it ...
        window: ... of this many calls ...
        min_calls: ... once this many were seen.
        open_seconds: first open period; doubles with every failed probe ...
        open_max_seconds: ... up to this.
        open_jitter: each period is multiplied by a draw from 1 -/+ this.
        success_threshold: successful probes in a row that end half_open (S5.57).
        ramp: shares of the rate before the outage, one stage after the other (S2.40).
        ramp_seconds: length of a stage.
        relapse: failures in a row during the recovery that open it again (1: the first).
        open_policy: what happens to deliveries while open (C2).
        probe_cost: what a probe costs, in seconds of waiting of one delivery at `delay_cost` 1.
        delay_cost: what a second of waiting costs for each delivery.
        probe_min_seconds: shortest time between probes ...
        probe_max_seconds: ... and longest.
        calm_seconds: how long all must be well before a pace ends.
    """

    enabled: bool = True
    consecutive: int = 5
    failure_rate: float = 0.5
    window: int = 20
    min_calls: int = 10
    open_seconds: float = 30.0
    open_max_seconds: float = 300.0
    open_jitter: float = 0.2
    success_threshold: int = 3
    ramp: tuple[float, ...] = (0.10, 0.25, 0.50, 1.0)
    ramp_seconds: float = 5.0
    relapse: int = 3
    open_policy: Literal["queue", "drop"] = "queue"
    mode: Literal["cusum", "threshold"] = "cusum"
    probe_cost: float = 40.0
    delay_cost: float = 1.0
    probe_min_seconds: float = 1.0
    probe_max_seconds: float = 3600.0
    calm_seconds: float = 60.0
