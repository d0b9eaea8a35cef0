"""What the overview, the workers and a flow's resolved policies look like as JSON."""

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.api.wire import Instant, show
from holdfast.model import overview as model
from holdfast.model.attempt import Jitter
from holdfast.model.flow import Flow, Recipient, Step
from holdfast.model.overview import Overview, Worker
from holdfast.model.policy import Policy, PolicySettings
from holdfast.model.worker import Placed
from holdfast.policy import backoff

SHOWN_MAX = 100
"""At most so many retries are previewed."""


class PolicyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many retries to preview; default: as many as the policy allows, at most 100."""

    retries: Annotated[int, Meta(ge=1, le=SHOWN_MAX)] | None = None


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a plot: sums and latency of a stretch that ends at `at`."""

    at: Instant | None
    span_ms: int
    accepted: int
    tries: int
    successes: int
    p50_ms: float | None
    p95_ms: float | None


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


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as all others see it; `load`: what only the one that answers knows of itself.

    `slots` is the most sends at once, `open_slots` how many there may be now: they follow the load.
    `share` is how many lanes it should own at most. `lease_until` is null where one process owns
    everything; a worker that is not heard of until then loses its lanes.
    """

    name: str
    epoch: int
    host: str
    pid: int
    version: str
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


def worker(value: Worker) -> WorkerView:
    """Show a worker."""
    return show(WorkerView, value)


def member(value: Placed, load: Worker | None) -> MemberView:
    """Show a worker among others."""
    seen, told = value.member, value.member.worker
    return show(
        MemberView,
        seen,
        **{name: getattr(told, name) for name in ("name", "host", "pid", "version", "slots")},
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
