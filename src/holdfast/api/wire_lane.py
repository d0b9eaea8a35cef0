"""Recipients and their lanes on the wire."""

import msgspec

from holdfast.api.wire import Instant, Waiting, gate, show
from holdfast.model.flow import Recipient
from holdfast.model.lane import BreakerState
from holdfast.model.learned import ProbePlan
from holdfast.model.view import LaneView


class EndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint without its path and credentials, which may be secrets."""

    name: str
    method: str
    origin: str
    disabled: bool


class DrainView(msgspec.Struct, frozen=True, kw_only=True):
    """When a lane's backlog is gone, or why that is unknown."""

    p50: Instant | None
    p90: Instant | None
    unknown: str | None
    backlog: int
    arrivals: float | None
    rate: float | None
    endless: int


class RecipientView(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient and its lane."""

    recipient: str
    account: str
    description: str
    zone: str
    endpoints: list[EndpointView]
    breaker: BreakerState
    since: Instant | None
    reason: str | None
    manual: bool
    retry_at: Instant | None
    next_probe: Instant | None
    rate: float | None
    gate_until: Instant | None
    gate_reason: str | None
    paused: str | None
    disabled: tuple[str, ...]
    in_flight: int
    buffered: int
    pending: int
    by_priority: dict[str, int]
    delivered: int
    dead: int
    discarded: int
    created: int
    pruned: int
    last_success_at: Instant | None
    concurrency: int
    weight: float
    probe: ProbePlan | None
    usual_failures: float
    retries_at: Instant | None
    tag: str
    gates: list[Waiting] = []
    drain: DrainView | None = None
    owner: int | None = None
    as_of: Instant | None = None


class BreakerView(msgspec.Struct, frozen=True, kw_only=True):
    """A lane's breaker."""

    recipient: str
    breaker: BreakerState
    since: Instant | None
    reason: str | None
    manual: bool
    retry_at: Instant | None
    next_probe: Instant | None
    tag: str


def recipient(lane: LaneView, configured: Recipient | None) -> RecipientView:
    """Show a lane with what is configured; of a URL only the origin."""
    endpoints = [
        EndpointView(
            name=endpoint.name,
            method=endpoint.method,
            origin=_origin(endpoint.url),
            disabled=endpoint.name in lane.disabled,
        )
        for endpoint in (configured.endpoints if configured else ())
    ]
    description = configured.description if configured else ""
    gates = [gate(closed) for closed in lane.gates]
    return show(
        RecipientView,
        lane,
        description=description,
        zone=configured.zone if configured else "UTC",
        endpoints=endpoints,
        gates=gates,
        drain=None if lane.drain is None else show(DrainView, lane.drain),
    )


def _origin(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return scheme + separator + authority
