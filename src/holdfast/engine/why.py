"""Why not now? Every closed gate of a lane and of a delivery, in the order they are asked.

`Lane.gate` stops at the first closed gate, since it runs for every send; here all are named, for
people. A test holds the two together.
"""

from collections.abc import Iterator
from typing import Final

from holdfast.engine.book import Route
from holdfast.engine.journal import SETUP_REFUSALS
from holdfast.engine.lane import Lane
from holdfast.model.delivery import Delivery
from holdfast.model.lane import BreakerState, ClosedGate
from holdfast.model.message import NEVER, Message
from holdfast.policy.decide import Gate

_BY_ROW: Final = frozenset(
    {
        Gate.PREDECESSOR,
        Gate.NOT_BEFORE,
        Gate.BATCH,
        Gate.CONTACT_HOURS,
        Gate.RULE,
        Gate.SUSPECT,
    }
)
"""Gates that stand in a delivery's row until its due time; the others are the lane's own."""


def of_lane(lane: Lane, now: int) -> tuple[ClosedGate, ...]:
    """Return the closed gates of a lane; none: it may send."""
    return (*_by_people(lane), *_by_time(lane, now), *_by_load(lane, now))


def _by_people(lane: Lane) -> Iterator[ClosedGate]:
    """Yield what somebody has to do something about."""
    state = lane.state
    if state.paused is not None:
        yield ClosedGate(Gate.PAUSED, NEVER, state.paused)
    if lane.endpoint() is None:
        yield ClosedGate(Gate.ENDPOINT, NEVER, "every endpoint answered 410; resume when mended")
    if state.auth_failures >= SETUP_REFUSALS:
        told = f"{SETUP_REFUSALS} refusals of our credentials in a row; mend them and resume"
        yield ClosedGate(Gate.CREDENTIALS, NEVER, told)


def _by_time(lane: Lane, now: int) -> Iterator[ClosedGate]:
    if lane.timetable is not None:
        yield from lane.timetable.closed(now, lane.in_flight)
    if lane.state.gate_until > now:
        yield ClosedGate(Gate.RATE, lane.state.gate_until, lane.state.gate_reason)
    if lane.throttle is not None and (opens := lane.throttle.opens_at(now, lane.in_flight)) > now:
        yield ClosedGate(Gate.RATE, opens, "the partner's quota")
    if lane.limiter is not None and (opens := lane.limiter.opens_at(now)) > now:
        yield ClosedGate(Gate.LIMIT, opens, "its rate limits are used up")


def _by_load(lane: Lane, now: int) -> Iterator[ClosedGate]:
    """Yield what depends on how the recipient does and on what it has in hand."""
    breaker = lane.state.breaker
    if breaker.state is BreakerState.OPEN:
        yield ClosedGate(Gate.BREAKER, breaker.retry_at, breaker.reason)
    if breaker.state is BreakerState.HALF_OPEN and lane.in_flight > 0:
        yield ClosedGate(Gate.BREAKER, NEVER, "a probe is under way")
    if lane.in_flight >= lane.recipient.concurrency:
        told = f"{lane.in_flight} of {lane.recipient.concurrency} sends are under way"
        yield ClosedGate(Gate.CONCURRENCY, NEVER, told)
    if (opens := lane.paced_until(now)) is not None:
        yield ClosedGate(Gate.PACE, opens, "the rate rises step by step")


def of_delivery(
    delivery: Delivery,
    message: Message | None,
    *,
    lane: Lane,
    route: Route,
    held: Gate | None,
    now: int,
) -> tuple[ClosedGate, ...]:
    """Return everything that keeps a pending delivery: its lane's gates, then its own.

    Args:
        delivery: it.
        message: what it carries.
        lane: where it waits.
        route: its step, with the conditions of the flow.
        held: what holds the whole worker.
        now: ms since the epoch.
    """
    if delivery.id in lane.busy:
        return (ClosedGate(Gate.TURN, NEVER, "it is being sent, or its result is being written"),)
    worker = () if held is None else (ClosedGate(held, NEVER, "the whole worker is held"),)
    found = (*worker, *of_lane(lane, now), *_of_row(delivery, lane, now))
    if message is not None:
        found += tuple(_of_message(delivery, message, lane, route, now))
    if found:
        return found
    waits = f"it is due; {len(lane.buffered)} wait in the buffer of {delivery.recipient}"
    return (ClosedGate(Gate.TURN, now, waits),)


def _of_row(delivery: Delivery, lane: Lane, now: int) -> Iterator[ClosedGate]:
    if delivery.predecessor is not None and delivery.due_at == NEVER:
        yield ClosedGate(Gate.PREDECESSOR, NEVER, f"waits for {delivery.predecessor}")
    elif delivery.due_at > now:
        gate = Gate.BACKOFF if delivery.hold_gate is None else Gate(delivery.hold_gate)
        yield ClosedGate(gate, delivery.due_at, None if gate in _BY_ROW else delivery.reason)
    at = _retries_at(delivery, lane, now)
    if at > now and delivery.hold_gate != Gate.BATCH:
        yield ClosedGate(Gate.BATCH, at, "retries go out only in the batch windows")
    if delivery.attempt > 0 and lane.retries_at(now) > now:
        yield ClosedGate(Gate.BUDGET, lane.retries_at(now), "the retry budget is empty")


def _retries_at(delivery: Delivery, lane: Lane, now: int) -> int:
    if delivery.attempt == 0 or lane.timetable is None:
        return 0
    return lane.timetable.retries_at(now)


def _of_message(
    delivery: Delivery, message: Message, lane: Lane, route: Route, now: int
) -> Iterator[ClosedGate]:
    endpoint = lane.endpoint(delivery.endpoint) or route.recipient.endpoints[0]
    for refusal in route.admission.refusals(message, endpoint, now):
        gate = refusal.gate or refusal.code or Gate.TURN
        if gate != delivery.hold_gate or delivery.due_at <= now:
            yield ClosedGate(gate, refusal.due_at, refusal.reason)
