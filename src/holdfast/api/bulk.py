"""Shapes of operations on the wire, and their plans from them."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from holdfast.api import wire
from holdfast.errors import InvalidInput
from holdfast.model.operation import Canary, Kind, Operation, Outcome, Plan, Preview, Stage, State
from holdfast.model.search import Choice, Predicate
from holdfast.model.submission import Aware, millis
from holdfast.policy.operation import asked
from holdfast.policy.proportion import lower
from holdfast.policy.search import both

OperationId = Annotated[str, Meta(pattern="^opr_[0-9a-f]{32}$")]
_NEEDS: Final = {Kind.RESCHEDULE: "at", Kind.PRIORITY: "priority", Kind.ENDPOINT: "endpoint"}
"""What a kind cannot do without."""
_TAKES: Final = {**_NEEDS, Kind.REDRIVE: "endpoint"}


class CanaryOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sample goes first; the rest when the lower bound of its success (95 %) is above `bound`."""

    size: Annotated[int, Meta(ge=1, le=200)] = 20
    bound: Annotated[float, Meta(ge=0, lt=1)] = 0.8
    patience_seconds: Annotated[float, Meta(ge=1, le=604_800)] = 900.0


class Order(wire.Action, frozen=True, kw_only=True):
    """What shall be done to which deliveries: those of the search, or those named, or both."""

    kind: Kind
    q: wire.QueryText | None = None
    ids: Annotated[list[wire.DeliveryId], Meta(min_length=1, max_length=1000)] | None = None
    cut_off: Aware | None = None
    rate: Annotated[float, Meta(ge=0.01, le=10_000, description="Per second.")] = 100.0
    concurrency: Annotated[int, Meta(ge=1, le=10_000)] = 500
    batch: Annotated[int, Meta(ge=1, le=500)] = 200
    stop_error_rate: Annotated[float, Meta(ge=0, le=1)] = 0.5
    canary: CanaryOrder | None = None
    at: Aware | None = None
    priority: Annotated[int, Meta(ge=0, le=9)] | None = None
    endpoint: wire.Name | None = None
    undo_seconds: Annotated[float, Meta(ge=0, le=604_800)] = 3600.0


class OperationsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paging of the operations list, newest first; `active`: only those that run."""

    active: bool = False
    cursor: OperationId | None = None
    limit: wire.Limit = 100


class ResultsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Filter and paging of an operation's results, newest delivery first."""

    outcome: (
        Annotated[str, Meta(description="Some of the outcomes, joined by commas.", max_length=100)]
        | None
    ) = None
    cursor: wire.DeliveryId | None = None
    limit: wire.Limit = 100


class CanaryView(msgspec.Struct, frozen=True, kw_only=True):
    """The sample that was asked for."""

    size: int
    bound: float
    patience_seconds: float


class GateView(msgspec.Struct, frozen=True, kw_only=True):
    """How the canary does while it is waited for; `lower_bound` must come to be above `bound`.

    That is lower than it was asked when fewer matched than should go first: then all of them must
    be delivered.
    """

    size: int
    delivered: int
    failed: int
    lower_bound: float
    bound: float
    since: wire.Instant | None


class OperationView(msgspec.Struct, frozen=True, kw_only=True):
    """An operation; `tag` is its ETag. With `at_least` there may be more than `expected`.

    `changed` is all that was changed; of a redrive `waiting` of them have no outcome yet.
    """

    id: str
    revision: int
    tag: str
    kind: Kind
    state: State
    stage: Stage
    why: str | None
    q: str
    ids: int
    actor: str
    reason: str
    cut_off: wire.Instant | None
    expected: int
    at_least: bool
    changed: int
    waiting: int
    delivered: int
    failed: int
    ended: int
    skipped: int
    undone: int
    kept: int
    remaining: int
    skips: dict[str, int]
    rate: float
    present_rate: float
    concurrency: int
    batch: int
    stop_error_rate: float
    canary: CanaryView | None
    gate: GateView | None
    at: wire.Instant | None
    priority: int | None
    endpoint: str | None
    created_at: wire.Instant | None
    released_at: wire.Instant | None
    ended_at: wire.Instant | None
    undo_until: wire.Instant | None


class Stratum(msgspec.Struct, frozen=True, kw_only=True):
    """How many of those that the sample was drawn from are of this recipient and class."""

    recipient: str
    failure_class: str | None
    count: int


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation would act on; with `at_least` there may be more."""

    kind: Kind
    cut_off: wire.Instant | None
    count: int
    at_least: bool
    sample: list[wire.DeliveryView]
    strata: list[Stratum]


class ResultView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one delivery; `reason` of what was skipped or kept."""

    delivery_id: str
    outcome: Outcome
    reason: str
    revision: int
    at: wire.Instant | None


def plan(order: Order, where: Predicate, actor: str) -> Plan:
    """Return the plan that an order means; `where` is what its search means.

    Raises:
        InvalidInput: a parameter is missing, or is one that the kind does not take.
    """
    needed = _NEEDS.get(order.kind)
    for name in ("at", "priority", "endpoint"):
        given = getattr(order, name)
        if given is None and name == needed:
            raise InvalidInput(name, None, f"a value, to {order.kind}")
        if given is not None and name != _TAKES.get(order.kind):
            raise InvalidInput(name, str(given), f"nothing, as {order.kind} takes no {name}")
    if order.canary is not None and order.kind is not Kind.REDRIVE:
        raise InvalidInput("canary", "given", "nothing: only a redrive has outcomes to wait for")
    if order.ids is not None:
        ids = tuple(dict.fromkeys(order.ids))
        where = both(where, Predicate((Choice("id", ids),)))
    return Plan(
        kind=order.kind,
        where=where,
        cut_off=0 if order.cut_off is None else _instant("cut_off", order.cut_off),
        query=order.q or "",
        actor=actor,
        reason=order.reason,
        rate=order.rate,
        concurrency=order.concurrency,
        batch=order.batch,
        stop=order.stop_error_rate,
        canary=None if order.canary is None else _canary(order.canary),
        at=0 if order.at is None else _instant("at", order.at),
        priority=order.priority or 0,
        endpoint=order.endpoint,
        undo_ms=round(order.undo_seconds * 1000),
    )


def _instant(field: str, given: Aware) -> int:
    at = millis(given)
    if at <= 0:
        raise InvalidInput(field, str(given), "an instant after 1970-01-01T00:00:00Z")
    return at


def _canary(order: CanaryOrder) -> Canary:
    return Canary(order.size, order.bound, round(order.patience_seconds * 1000))


def operation(value: Operation) -> OperationView:
    """Show an operation."""
    plan, done = value.plan, value.tallies
    more: dict[str, Any] = {
        "q": plan.query,
        "ids": sum(len(each.words) for each in plan.where.choices if each.field == "id"),
        "cut_off": wire.iso(plan.cut_off),
        "remaining": _remaining(value),
        "present_rate": value.rate,
        "rate": plan.rate,
        "stop_error_rate": plan.stop,
        "canary": _shown(plan.canary),
        "gate": _gate(value),
        "at": wire.iso(plan.at),
        "priority": plan.priority if plan.kind is Kind.PRIORITY else None,
        "undo_until": wire.iso(value.undo_until),
    }
    for name in ("kind", "actor", "reason", "concurrency", "batch", "endpoint"):
        more[name] = getattr(plan, name)
    return wire.show(OperationView, value, **more, **msgspec.structs.asdict(done))


def _remaining(value: Operation) -> int:
    """Return how many are left of what was counted; none once the walk has ended."""
    if value.stage is Stage.LAST or value.state not in {State.RUNNING, State.PAUSED}:
        return 0
    return max(0, value.expected - value.tallies.changed - value.tallies.skipped)


def _shown(canary: Canary | None) -> CanaryView | None:
    if canary is None:
        return None
    patience = canary.patience_ms / 1000
    return CanaryView(size=canary.size, bound=canary.bound, patience_seconds=patience)


def _gate(value: Operation) -> GateView | None:
    canary = value.plan.canary
    if canary is None or value.stage is not Stage.GATE:
        return None
    before, done = value.before_gate, value.tallies
    size = done.changed - before.changed - (done.ended - before.ended)
    delivered = done.delivered - before.delivered
    return GateView(
        size=size,
        delivered=delivered,
        failed=done.failed - before.failed,
        lower_bound=lower(delivered, size),
        bound=asked(value, canary),
        since=wire.iso(value.gate_at),
    )


def preview(value: Preview) -> PreviewView:
    """Show a preview, the largest strata first."""
    strata = [
        Stratum(recipient=recipient, failure_class=kind or None, count=count)
        for (recipient, kind), count in sorted(value.strata.items(), key=lambda each: -each[1])
    ]
    return PreviewView(
        kind=value.plan.kind,
        cut_off=wire.iso(value.plan.cut_off),
        count=value.count,
        at_least=value.at_least,
        sample=[wire.delivery(each) for each in value.sample],
        strata=strata,
    )


def outcomes(text: str | None) -> frozenset[Outcome]:
    """Return the outcomes that are asked for; none: all.

    Raises:
        InvalidInput: one is none.
    """
    known = ", ".join(Outcome)
    words = [] if text is None else text.split(",")
    for word in words:
        if word not in set(Outcome):
            raise InvalidInput("outcome", word[:40], f"some of {known}, joined by commas")
    return frozenset(Outcome(word) for word in words)
