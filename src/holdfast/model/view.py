"""What the engine shows of itself."""

import functools
import hashlib

import msgspec

from holdfast.model.lane import BreakerState, ClosedGate
from holdfast.model.learned import ProbePlan


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """When a lane's backlog is gone; `policy.forecast` holds the rules.

    Attributes:
        p50: with a chance of one half by then, ms since the epoch, 0: unknown.
        p90: with nine chances of ten by then, 0: unknown.
        unknown: why a number is missing, None: none is.
        backlog: deliveries it speaks of.
        arrivals: new deliveries per second, None: not measured yet.
        rate: most sends per second that the recipient was seen to take, None: none were seen.
        endless: deliveries without a due time, which are not in the backlog: something else has
            to happen first.
    """

    p50: int = 0
    p90: int = 0
    unknown: str | None = None
    backlog: int = 0
    arrivals: float | None = None
    rate: float | None = None
    endless: int = 0


class LaneView(msgspec.Struct, frozen=True, kw_only=True):
    """A lane as it stands now. Instants are ms since the epoch, 0: none.

    Attributes:
        recipient: the lane's name.
        account: the tenant it belongs to.
        breaker: state of its breaker.
        since: when the breaker came into this state.
        reason: why it opened, None while closed.
        manual: a person set this state.
        retry_at: end of the open period (`NEVER`: held open by a person).
        next_probe: the next probing send.
        rate: sends per second that the pacer allows now, None: not limited.
        gate: the first closed gate of the lane, None when it may send.
        gate_until: no send before this instant (Retry-After, or the recipient's rate limits).
        gate_reason: why.
        paused: reason of the pause, None when running.
        disabled: endpoint names that answered 410.
        in_flight: sends under way.
        buffered: deliveries in memory.
        pending: deliveries that wait or are in flight.
        by_priority: the same by priority class (high, normal, low).
        delivered: deliveries the recipient has.
        dead: deliveries in the review queue.
        discarded: deliveries that were given up.
        created: the sum of the others and of `pruned`.
        pruned: ended deliveries whose rows are gone.
        last_success_at: time of the last success.
        concurrency: most sends at once.
        weight: share of sends when lanes compete.
        gates: every closed gate, in the order in which they are asked.
        retries_at: until when retries wait for the retry budget.
        probe: why the next probe goes when it goes, None: the lane does not probe.
        usual_failures: share of sends that fail as a rule, as learned.
        drain: when the backlog is gone, None: not asked for (lists).
        owner: epoch of the worker that sends for it, None: nobody does now. Of another worker's
            lane `in_flight` and `buffered` are unknown (0), and the rest is as it was saved.
        as_of: when this was looked up, ms since the epoch.
    """

    recipient: str
    account: str = "default"
    breaker: BreakerState = BreakerState.CLOSED
    since: int = 0
    reason: str | None = None
    manual: bool = False
    retry_at: int = 0
    next_probe: int = 0
    rate: float | None = None
    gate: str | None = None
    gate_until: int = 0
    gate_reason: str | None = None
    paused: str | None = None
    disabled: tuple[str, ...] = ()
    in_flight: int = 0
    buffered: int = 0
    pending: int = 0
    by_priority: dict[str, int] = {}
    delivered: int = 0
    dead: int = 0
    discarded: int = 0
    created: int = 0
    pruned: int = 0
    last_success_at: int = 0
    concurrency: int = 16
    weight: float = 1.0
    gates: tuple[ClosedGate, ...] = ()
    retries_at: int = 0
    probe: ProbePlan | None = None
    usual_failures: float = 0.05
    drain: Drain | None = None
    owner: int | None = None
    as_of: int = 0

    @property
    def tag(self) -> str:
        """Return a word that changes whenever what people decide about a lane has changed."""
        return tag(self.breaker, self.manual, self.paused, self.disabled)


@functools.lru_cache(4096)
def tag(breaker: BreakerState, manual: bool, paused: str | None, disabled: tuple[str, ...]) -> str:  # noqa: FBT001  # parts of one value
    """Return what names this state of a lane; see `LaneView.tag`."""
    decided = (breaker, manual, paused, disabled)
    return hashlib.sha256(msgspec.json.encode(decided)).hexdigest()[:16]
