"""What the API takes and shows, as JSON shapes; instants are ISO 8601, UTC, with milliseconds."""

import functools
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from holdfast.model.attempt import (
    ErrorDetails,
    Event,
    FailureClass,
    Jitter,
    Network,
    Result,
    RuleMark,
    SuccessIndicators,
    Trigger,
)
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Flow, Step
from holdfast.model.judgement import Judgement
from holdfast.model.lane import ClosedGate
from holdfast.model.learned import ProbePlan
from holdfast.model.message import NEVER, Message
from holdfast.model.policy import PolicySettings
from holdfast.model.submission import EPOCH, LATEST, MS, Aware
from holdfast.policy.decide import Code

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
_OPTIONAL_INSTANT: Final = Instant | None

Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Position = Annotated[int, Meta(ge=0, le=NEVER)]
Name = Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
QueryText = Annotated[
    str, Meta(description="A search such as `status:dead class:timeout age:>1h`.", max_length=2000)
]
DeliveryId = Annotated[str, Meta(pattern="^dlv_[0-9a-f]{32}$")]


def iso(at: int) -> str | None:
    """Return an instant in ms as text; None for 0 and for `NEVER`."""
    if at in {0, NEVER}:
        return None
    moment = EPOCH + min(at, LATEST) * MS
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list.

    Attributes:
        items: the things.
        next_cursor: give it back to go on; None at the end.
    """

    items: list[T]
    next_cursor: str | None = None


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Body of an action; the reason goes into the audit journal."""

    reason: Reason


class Redrive(Action, frozen=True):
    """Body of a redrive; policy and endpoint hold for this delivery only."""

    policy: PolicySettings | None = None
    endpoint: str | None = None


class Reschedule(Action, frozen=True):
    """Body of a reschedule: the earliest next send."""

    at: Aware


class Purge(Action, frozen=True):
    """Body of a purge: the payloads of what ended longer ago than this go."""

    older_than_ms: Annotated[int, Meta(ge=0, le=NEVER)]


class SetSignal(Action, frozen=True):
    """Body that sets a number from outside."""

    value: Annotated[float, Meta(ge=-1e15, le=1e15)]


class SelectionQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which deliveries: a search, or single filters, or both."""

    q: QueryText | None = None
    status: Status | None = None
    recipient: Name | None = None
    flow: Name | None = None
    failure_class: FailureClass | None = None
    message_id: Name | None = None
    since: Aware | None = None


class DeliveriesQuery(SelectionQuery, frozen=True):
    """Filters and paging of the deliveries list."""

    cursor: DeliveryId | None = None
    limit: Limit = 100


class EventsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Filters of the events list: oldest first with `after_id`, else newest first."""

    after_id: Position | None = None
    before_id: Position | None = None
    start: Aware | None = None
    end: Aware | None = None
    delivery_id: DeliveryId | None = None
    recipient: str | None = None
    limit: Limit = 100


class StreamQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a listener wants to hear of, and the position that it heard of last."""

    topics: Annotated[str, Meta(description="Some of the topics, joined by commas.")] | None = None
    after_id: Position | None = None


class AttemptsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paging of a delivery's attempts, oldest first."""

    cursor: Position | None = None
    limit: Limit = 100


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A route without parameters."""


class Waiting(msgspec.Struct, frozen=True):
    """A closed gate: when it may open (null: not by time alone), and why it is closed."""

    gate: str
    until: Instant | None = None
    reason: str | None = None


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery; where one is asked for, also every closed gate and, in `waiting`, the last.

    `group` is that of its last failure; `parent` the delivery whose place it took; `cause` how a
    person set it going (operator, bulk, edit).
    """

    id: str
    message_id: str
    account: str
    flow: str
    step: str
    recipient: str
    priority: int
    predecessor: str | None
    status: Status
    revision: int
    code: str | None
    due_at: Instant | None
    expires_at: Instant | None
    created_at: Instant | None
    updated_at: Instant | None
    ended_at: Instant | None
    first_attempt_at: Instant | None
    generation: int
    attempt: int
    counted: int
    attempts: int
    active_ms: int
    in_doubt: bool
    hold_gate: str | None
    failure_class: str | None
    http_status: int | None
    reason: str | None
    original_event_id: str | None
    endpoint: str | None
    value: float
    parent: str | None
    group: str | None
    assignee: str | None
    cause: str | None
    superseded_by: str | None = None
    policy: msgspec.Raw | None = None
    waiting: Waiting | None = None
    why_not_now: list[Waiting] | None = None


class DeliveryCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries match; with `at_least` there may be more: not all were looked at."""

    count: int
    at_least: bool


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message without its payload; `payload_kept` tells whether it is still there."""

    id: str
    account: str
    flow: str
    key: str | None
    size: int
    value: float
    priority: int
    quality: int | None
    region: str | None
    consent: msgspec.Raw | None
    not_before: Instant | None
    expires_at: Instant | None
    created_at: Instant | None
    payload_kept: bool
    deliveries: list[DeliveryView]


class NextActionView(msgspec.Struct, frozen=True, kw_only=True):
    """What happens next."""

    type: str
    at: Instant | None
    reason: str | None


class PartnerView(msgspec.Struct, frozen=True, kw_only=True):
    """How the recipient stood when the try ended."""

    breaker: str
    health: float
    last_success_at: Instant | None


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """A retry event: one try, complete."""

    event_id: str
    position: int
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
    counted: bool
    stale: bool
    trigger: Trigger
    trigger_detail: str
    actor: str | None
    failure_reason: str | None
    retry_timestamp: Instant | None
    retry_outcome: str
    outcome: Result
    retryable: bool
    failure_class: FailureClass | None
    request_timestamp: Instant | None
    acknowledgment_timestamp: Instant | None
    latency_ms: int
    processing_time_ms: float
    jitter: Jitter | None
    probe: ProbePlan | None
    refunded: int
    rules: tuple[RuleMark, ...]
    judgement: Judgement | None
    configuration: msgspec.Raw
    error_details: ErrorDetails | None
    success_indicators: SuccessIndicators | None
    next_action: NextActionView
    context: dict[str, Any]


class FlowView(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as configured."""

    name: str
    account: str
    mode: str
    steps: tuple[Step, ...]
    policy: PolicySettings


class NoteView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit journal."""

    at: Instant | None
    actor: str
    action: str
    subject: str
    reason: str
    detail: str


class SignalView(msgspec.Struct, frozen=True, kw_only=True):
    """A number from outside that rules can use."""

    name: str
    value: float
    at: Instant | None
    actor: str


class Health(msgspec.Struct, frozen=True):
    """The process lives, or is ready."""

    status: str
    version: str


def show(kind: type[S], value: msgspec.Struct, /, **fields: Any) -> S:
    """Return `value` as `kind`: same names, instants as text; `fields` replaces single ones."""
    shown: dict[str, Any] = {}
    for name, instant in _plan(kind):
        if name in fields:
            shown[name] = fields[name]
        elif hasattr(value, name):
            found = getattr(value, name)
            shown[name] = iso(found or 0) if instant else found
    return kind(**shown)


@functools.cache
def _plan(kind: type[msgspec.Struct]) -> tuple[tuple[str, bool], ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple((name, hints[name] == _OPTIONAL_INSTANT) for name in kind.__struct_fields__)


def delivery(value: Delivery, waiting: Waiting | None = None) -> DeliveryView:
    """Show a delivery."""
    policy = None if value.policy is None else msgspec.Raw(value.policy.encode())
    replaced = value.cause if value.code == Code.SUPERSEDED else None
    return show(
        DeliveryView,
        value,
        policy=policy,
        waiting=waiting,
        group=value.fingerprint,
        cause=None if replaced else value.cause,
        superseded_by=replaced,
    )


def message(value: Message, deliveries: list[Delivery]) -> MessageView:
    """Show a message with its deliveries."""
    return show(
        MessageView,
        value,
        consent=None if value.consent is None else msgspec.Raw(value.consent.encode()),
        payload_kept=value.sealed is not None,
        deliveries=[delivery(one) for one in deliveries],
    )


def event(value: Event) -> EventView:
    """Show a retry event; the connection and the partner stand in its context."""
    attempt = value.attempt
    context = msgspec.json.decode(value.context, type=dict[str, Any])
    network: Network | None = attempt.network
    context |= {"network": network, "partner": show(PartnerView, attempt.partner)}
    return show(
        EventView,
        attempt,
        position=value.position,
        configuration=value.configuration,
        next_action=show(NextActionView, attempt.next_action),
        context=context,
    )


def flow(value: Flow) -> FlowView:
    """Show a flow."""
    return show(FlowView, value)


def binding(closed: Sequence[ClosedGate]) -> ClosedGate:
    """Return the gate that decides: the step before it, else the one that opens last."""
    decides = [one for one in closed if one.gate == "predecessor"]
    return decides[0] if decides else max(closed, key=lambda one: one.until)


def gate(value: ClosedGate) -> Waiting:
    """Show a closed gate."""
    return show(Waiting, value)
