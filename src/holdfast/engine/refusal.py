"""Why a delivery that is due is not sent: it ends, or waits for a time of its own."""

from typing import Final

from holdfast.engine.book import Book
from holdfast.engine.lane import Lane
from holdfast.model.delivery import Delivery, Verb
from holdfast.policy.decide import Code, Decision, Gate
from holdfast.store import Waiting

CRASHES_MAX: Final = 3
"""Workers that ended while they may have been sending it make a delivery dead `WORKER_CRASH`."""
CLAIMS_MAX: Final = CRASHES_MAX - 1
"""Claims without an end that show as much: the first of these workers had not claimed it."""
CALM_MS: Final = 10_000
"""A lane's owner must have lived for so long before the send that may convict a delivery: where
workers end again and again for another reason, what happens to be on the wire is not guilty."""


def refuse(book: Book, lane: Lane, waiting: Waiting, now: int) -> Decision | None:
    """Return how a delivery ends or waits that must not be sent now, else None."""
    delivery, message = waiting.delivery, waiting.message
    if delivery.expires_at <= now:
        return dead(Code.EXPIRED, "its time ran out")
    if message.not_before > now:
        return Decision(Verb.HOLD, "hold", message.not_before, counted=False, gate=Gate.NOT_BEFORE)
    if delivery.crashes >= CLAIMS_MAX:
        return dead(Code.WORKER_CRASH, f"{CRASHES_MAX} workers ended while sending it")
    if message.sealed is None:
        return dead(Code.PAYLOAD_MISSING, "its payload is gone")
    if lane.drops:
        return dead(Code.CIRCUIT_OPEN, "the breaker is open and the lane drops")
    return _suspected(lane, delivery, now) or refuse_by_flow(book, lane, waiting, now)


def _suspected(lane: Lane, delivery: Delivery, now: int) -> Decision | None:
    """Let a suspect wait until its lane's owner has lived for a while."""
    calm = lane.state.stamp + CALM_MS
    if not last_chance(delivery) or now >= calm:
        return None
    return Decision(Verb.HOLD, "hold", calm, counted=False, gate=Gate.SUSPECT)


def last_chance(delivery: Delivery) -> bool:
    """Tell whether one more worker that ends while sending it makes it dead `WORKER_CRASH`."""
    return delivery.crashes == CLAIMS_MAX - 1


def refuse_by_flow(book: Book, lane: Lane, waiting: Waiting, now: int) -> Decision | None:
    """Ask the flow's conditions and the recipient's windows for retries."""
    delivery = waiting.delivery
    if delivery.attempt and lane.timetable is not None:
        opens = lane.timetable.retries_at(now)
        if opens > now:
            return Decision(Verb.HOLD, "hold", opens, counted=False, gate=Gate.BATCH)
    if not book.asks and waiting.message.consent is None:
        return None
    route = book.route(delivery)
    endpoint = lane.endpoint(delivery.endpoint) or route.recipient.endpoints[0]
    return route.admission.refuse(waiting.message, endpoint, now)


def dead(code: Code, reason: str) -> Decision:
    """Return the decision that ends a delivery without a try."""
    return Decision(Verb.DIE, "dead_letter", counted=False, code=code, reason=reason)
