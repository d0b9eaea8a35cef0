"""What the overview, the workers, the alerts and a flow's resolved policies look like as JSON."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from holdfast.api.wire import DeliveryView, Instant, delivery, iso, show
from holdfast.model import overview as model
from holdfast.model.alert import Alerts, Critical
from holdfast.model.attempt import Jitter
from holdfast.model.flow import Flow, Recipient, Step
from holdfast.model.group import Counted, Lookback
from holdfast.model.overview import Overview, WorkerState
from holdfast.model.policy import Policy, PolicySettings
from holdfast.model.worker import Placed
from holdfast.policy import backoff

SHOWN_MAX = 100
"""At most so many retries are previewed."""
_TOLD: Final = ("name", "host", "pid", "version", "configuration", "slots")
"""What a worker tells of itself when it begins."""


class PolicyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many retries to preview; default: as many as the policy allows, at most 100."""

    retries: Annotated[int, Meta(ge=1, le=SHOWN_MAX)] | None = None


class AlertsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far back alerts are looked for, and how many at most."""

    window: Lookback = Lookback.DAY
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class CriticalQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which priority on, default: `engine.critical_priority`; and how many at most."""

    priority: Annotated[int, Meta(ge=0, le=9)] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 20


class AlertKind(StrEnum):
    """Why a group is an alert."""

    NEW = "new"
    """Never seen before."""
    REGRESSED = "regressed"
    """It was resolved, and came back."""


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """A failure group that is new or came back, at `at`, with what fails in it now.

    With `at_least` there may be more than `dead` and `pending`. `failures` are failed tries so
    far, `sample` is the newest failing delivery.
    """

    kind: AlertKind
    at: Instant | None
    group: str
    owner: str | None
    recipient: str
    flow: str
    step: str
    failure_class: str
    code: str
    template: str
    dead: int
    pending: int
    at_least: bool
    failures: int
    last_seen_at: Instant | None
    sample: str | None


class AlertPage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest alerts since an instant; with `at_least` there may be older ones."""

    items: list[AlertView]
    since: Instant | None
    at_least: bool


class CriticalPage(msgspec.Struct, frozen=True, kw_only=True):
    """Failing deliveries of `priority` or above, the most urgent and newest first.

    `count` are all there are; with `at_least` there may be more than were counted.
    """

    items: list[DeliveryView]
    priority: int
    count: int
    at_least: bool


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a plot: sums and latency of a stretch that ends at `at`."""

    at: Instant | None
    span_ms: int
    accepted: int
    tries: int
    successes: int
    p50_ms: float | None
    p95_ms: float | None


class SpoolView(msgspec.Struct, frozen=True, kw_only=True):
    """The spool: messages that were taken while the store was away. `on`: they are so now.

    `kept` counts files with something that could not be read, or that the store refused; `refusal`
    says why nothing is taken.
    """

    on: bool
    messages: int
    bytes: int
    limit_bytes: int
    since: Instant | None
    drained: int
    kept: int
    refusal: str | None


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One worker. Shares are 0-1, sizes bytes."""

    id: str
    started_at: Instant | None
    epoch: int
    clean: bool
    ready: bool
    held: str | None
    slots: int
    in_flight: int
    buffered: int
    lanes: int
    commits: int
    cpu: float
    memory: float
    load: float
    disk: float
    process_memory: int
    spool: SpoolView | None = None


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as all others see it; `load`: what only the one that answers knows of itself.

    `slots` is the most sends at once, `open_slots` how many there may be now: they follow the load.
    `share` is how many lanes it should own at most. `lease_until` is null where one process owns
    everything; a worker that is not heard of until then loses its lanes. `configuration` is the
    number of the version of the configuration that it started with; 0: that came from no file.
    """

    name: str
    epoch: int
    host: str
    pid: int
    version: str
    configuration: int
    started_at: Instant | None
    lease_until: Instant | None
    slots: int
    open_slots: int
    in_flight: int
    lanes: int
    share: int
    leaving: bool
    load: WorkerView | None = None


class OverviewView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole at a glance: now, and the last hour."""

    at: Instant | None
    active: int
    depth: int
    by_priority: dict[str, int]
    oldest_due_ms: int
    lanes: dict[str, int]
    windows: tuple[model.Window, ...]
    points: list[PointView]
    workers: list[WorkerView]


class RetryView(msgspec.Struct, frozen=True, kw_only=True):
    """The window of one retry: its delay, and when it starts after the first try."""

    retry: int
    low_ms: int
    high_ms: int
    earliest_ms: int
    latest_ms: int


class StepPolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a step: the resolved policy, where each field comes from, the schedule."""

    step: str
    recipient: str
    policy: Policy
    schedule: list[RetryView]


class FlowDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A flow with the policy of each step; `policy` is what the flow itself sets."""

    name: str
    account: str
    mode: str
    policy: PolicySettings
    steps: list[StepPolicyView]


def overview(value: Overview) -> OverviewView:
    """Show the overview."""
    return show(
        OverviewView,
        value,
        points=[show(PointView, one) for one in value.points],
        workers=[worker(one) for one in value.workers],
    )


def alerts(found: Alerts) -> AlertPage:
    """Show the newest alerts."""
    items = [_alert(one) for one in found.alerts]
    return AlertPage(items=items, since=iso(found.since), at_least=found.more)


def _alert(value: Counted) -> AlertView:
    group, tally = value.group, value.tally
    return show(
        AlertView,
        group,
        kind=AlertKind.REGRESSED if group.regressed_at else AlertKind.NEW,
        at=iso(group.alert_at),
        group=group.id,
        dead=tally.dead,
        pending=tally.pending,
        at_least=tally.more,
        last_seen_at=iso(group.last_at),
        sample=tally.newest,
    )


def critical(found: Critical) -> CriticalPage:
    """Show urgent deliveries that fail."""
    items = [delivery(one) for one in found.deliveries]
    return show(CriticalPage, found, items=items, at_least=found.more)


def worker(value: WorkerState) -> WorkerView:
    """Show a worker."""
    spool = None if value.spool is None else show(SpoolView, value.spool)
    return show(WorkerView, value, spool=spool)


def member(value: Placed, load: WorkerState | None) -> MemberView:
    """Show a worker among others."""
    seen, told = value.member, value.member.worker
    return show(
        MemberView,
        seen,
        **{name: getattr(told, name) for name in _TOLD},
        share=value.share,
        load=None if load is None else worker(load),
    )


def flow(value: Flow, steps: list[StepPolicyView]) -> FlowDetail:
    """Show a flow with its steps."""
    return show(FlowDetail, value, steps=steps)


def step(value: Step, recipient: Recipient, policy: Policy, retries: int | None) -> StepPolicyView:
    """Show what holds for a step."""
    count = min(policy.max_retries, SHOWN_MAX) if retries is None else retries
    return StepPolicyView(
        step=value.name,
        recipient=recipient.name,
        policy=policy,
        schedule=schedule(backoff.windows(policy, count)),
    )


def schedule(windows: list[Jitter]) -> list[RetryView]:
    """Show delays with their sums: sends that take no time, on a lane that is open."""
    found: list[RetryView] = []
    earliest = latest = 0
    for retry, one in enumerate(windows, 1):
        earliest, latest = earliest + one.low_ms, latest + one.high_ms
        found.append(
            RetryView(
                retry=retry,
                low_ms=one.low_ms,
                high_ms=one.high_ms,
                earliest_ms=earliest,
                latest_ms=latest,
            )
        )
    return found
