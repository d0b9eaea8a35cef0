"""One try: what came back (`Reply`), what it means (`Outcome`) and the record of it (`Attempt`)."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from holdfast.model.judgement import Judgement
from holdfast.model.learned import ProbePlan


class Result(StrEnum):
    """What a try came to, in LeadConduit's words; always shown together with `retryable`."""

    SUCCESS = "success"
    FAILURE = "failure"
    """Hard: it would recur."""
    ERROR = "error"
    """Soft: it may pass."""
    SKIP = "skip"
    """Not tried."""


class FailureClass(StrEnum):
    """The one taxonomy of causes, shared by all channels (S1.122)."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    DNS = "dns"
    TLS = "tls"
    RATE_LIMIT = "rate_limit"
    SERVER = "server"
    AUTH = "auth"
    DATA = "data"
    BUSINESS = "business"
    PROTOCOL = "protocol"
    CONFIGURATION = "configuration"
    """We are set up wrongly: a template lacks a field, an address is refused, a payload is gone."""
    PHYSICAL = "physical"
    CANCELLED = "cancelled"


class Network(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the connection cost, in ms; None where it was reused or the phase was not reached."""

    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    reused: bool | None = None
    errno: str | None = None
    error_share: float | None = None
    """Share of this endpoint's last 100 sends without an answer (0-1)."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What a channel brings back from one send. It holds facts only; `policy.failure` judges them.

    Attributes:
        request_at: when the send began, ms since the epoch.
        acknowledged_at: when the answer (or the error) was complete, ms since the epoch.
        duration_ms: the same on the monotonic clock.
        status: HTTP status (or the channel's equal), None without an answer.
        headers: header names in lower case.
        body: the first bytes of the answer, at most the endpoint's `capture_bytes`.
        truncated: the answer was longer than `body`.
        error: what went wrong when there was no whole answer, else None.
        error_code: the platform's word for it, such as `ECONNREFUSED` or `ETIMEDOUT` (S5.38).
        error_message: one line for people, without secrets.
        maybe_received: the request may have been processed although no whole answer came.
        network: what the connection cost, None when the channel does not know.
    """

    request_at: int
    acknowledged_at: int
    duration_ms: float
    status: int | None = None
    headers: Mapping[str, str] = {}
    body: bytes = b""
    truncated: bool = False
    error: FailureClass | None = None
    error_code: str | None = None
    error_message: str | None = None
    maybe_received: bool = False
    network: Network | None = None


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What a reply means.

    Attributes:
        result: success, failure, error or skip.
        retryable: whether an automatic retry makes sense (error alone is not enough: C1).
        failure_class: the cause, None on success.
        reason: short and aggregatable; never holds payload data.
        code: the partner's own error code, or the platform's (`ECONNREFUSED`), else None.
        http_status: status of the reply, else None.
        message: one line for people, masked.
        excerpt: the start of the reply, masked, at most 2 kB; None on success.
        reference: the partner's id for what it got, else None.
        price: what the partner pays, else None.
        rule: name of the rule that decided, else None.
        retry_after_ms: the partner asks for this much patience, else None.
        duplicate: the partner says it has this already.
        maybe_received: the request may have been processed although no whole answer came.
        disable_endpoint: the partner says it is gone for good (410).
    """

    result: Result
    retryable: bool = False
    failure_class: FailureClass | None = None
    reason: str | None = None
    code: str | None = None
    http_status: int | None = None
    message: str | None = None
    excerpt: str | None = None
    reference: str | None = None
    price: float | None = None
    rule: str | None = None
    retry_after_ms: int | None = None
    duplicate: bool = False
    maybe_received: bool = False
    disable_endpoint: bool = False

    @property
    def ok(self) -> bool:
        """Tell whether the partner has it."""
        return self.result is Result.SUCCESS


class Trigger(StrEnum):
    """Who started a try (S1.9); `trigger_detail` says how."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    SCHEDULED = "scheduled"


class ErrorDetails(
    msgspec.Struct, frozen=True, omit_defaults=True, rename={"kind": "class"}, gc=False
):
    """What went wrong (S1.14). The excerpt is kept apart, encrypted, and joined when read."""

    kind: str
    code: str | None = None
    http_status: int | None = None
    message: str | None = None
    excerpt: str | None = None


class SuccessIndicators(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What confirms that it arrived (S1.15)."""

    http_status: int | None = None
    reference: str | None = None
    price: float | None = None
    rule: str | None = None


class NextAction(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What happens next (S1.16): `type` is done, retry, hold, dead_letter, discard; `at` in ms."""

    type: str
    at: int | None = None
    reason: str | None = None


class Partner(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How the recipient stood when the try ended (S1.20)."""

    breaker: str
    health: float
    """Share of the last calls that the recipient answered in good order (0-1)."""
    last_success_at: int | None = None


class Jitter(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The window of the planned delay and what was drawn from it, in ms (promise 7)."""

    low_ms: int
    high_ms: int
    draw_ms: int


class RuleMark(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a rule did to a delivery, for its event (promise 7).

    Attributes:
        rule: the rule's name.
        effect: the effect's name; `error` when the condition could not be evaluated: then the
            rule was as if absent.
        before: the value without the rule.
        after: the value with it.
        error: what went wrong.
    """

    rule: str
    effect: str
    before: int | float | str | None = None
    after: int | float | str | None = None
    error: str | None = None


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One try as an immutable retry event (S1.5-S1.20, S5.59). Instants are ms since the epoch.

    `configuration` and `context` are ids of snapshots that many events share; readers of the
    journal get them joined. Attempt 0 has `original_event_id == event_id`.
    """

    event_id: str
    original_event_id: str
    delivery_id: str
    message_id: str
    account: str
    flow: str
    step: str
    recipient: str
    endpoint: str
    step_type: str
    attempt_number: int
    generation: int
    cumulative_attempt: int
    """Number over all generations, from 0."""
    counted: bool
    trigger: Trigger
    trigger_detail: str
    retry_timestamp: int
    retry_outcome: str
    outcome: Result
    retryable: bool
    request_timestamp: int
    acknowledgment_timestamp: int
    latency_ms: int
    processing_time_ms: float
    configuration: str
    next_action: NextAction
    context: str
    partner: Partner
    network: Network | None = None
    failure_reason: str | None = None
    """Reason of the failure that caused this try; of this try itself for attempt 0 (S1.8)."""
    failure_class: FailureClass | None = None
    error_details: ErrorDetails | None = None
    success_indicators: SuccessIndicators | None = None
    jitter: Jitter | None = None
    actor: str | None = None
    refunded: int = 0
    """Counted tries before this one that turned out to be the recipient's trouble: given back."""
    stale: bool = False
    """The delivery had changed meanwhile: the try is on record, its change was refused."""
    rules: tuple[RuleMark, ...] = ()
    """The rules that changed something about this try or what follows it."""
    probe: ProbePlan | None = None
    """Why the next probe goes when it goes, where this try opened the lane or kept it open."""
    judgement: Judgement | None = None
    """The person's word on the failure's group, where it decided what follows, not the rules."""


class Event(msgspec.Struct, frozen=True):
    """An attempt as the journal returns it, with its position and its shared snapshots joined.

    Attributes:
        position: place in commit order, from 1; cursors of the events route are positions.
        attempt: the try.
        configuration: the resolved policy as JSON.
        context: system and queue sample as JSON.
        excerpt: the encrypted start of the reply, or None.
    """

    position: int
    attempt: Attempt
    configuration: msgspec.Raw
    context: msgspec.Raw
    excerpt: bytes | None


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """That something was tried: an event without its body; `outcome` is a `Result`."""

    position: int
    delivery_id: str
    recipient: str
    outcome: str
