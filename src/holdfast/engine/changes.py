"""What a person's action makes of a delivery: for one delivery and for many alike."""

from typing import Any

import msgspec

from holdfast.engine.book import Book
from holdfast.errors import Conflict, InvalidInput
from holdfast.model.audit import differences
from holdfast.model.delivery import Delivery, Status, Verb, after
from holdfast.model.message import NEVER
from holdfast.policy.decide import Code
from holdfast.store import Deliveries

Fields = dict[str, Any]


def fresh(book: Book, delivery: Delivery, now: int, cause: str) -> Fields:
    """Return the fields of a new generation (C15); its age counts from now.

    `cause` is the detail of its first try's trigger: `operator`, or `bulk` for an operation.
    """
    max_age = round(book.route(delivery).policy.max_age * 1000)
    return {
        "due_at": now,
        "generation": delivery.generation + 1,
        "attempt": 0,
        "counted": 0,
        "active_ms": 0,
        "last_delay_ms": 0,
        "first_attempt_at": 0,
        "crashes": 0,
        "code": None,
        "hold_gate": None,
        "cause": cause,
        "expires_at": now + max_age,
    }


def cancelled() -> Fields:
    """Return the fields of what is given up while it waits."""
    return {"code": Code.CANCELLED, "due_at": NEVER, "hold_gate": None, "cause": None}


def discarded(delivery: Delivery) -> Fields:
    """Return the fields of what is taken out of review.

    What was dropped with its predecessor comes back with it; what a person discards does not.
    """
    return {"code": None} if delivery.code == Code.PREDECESSOR else {}


def rescheduled(delivery: Delivery, at: int, now: int) -> Fields:
    """Return the fields of a delivery with another earliest send.

    Raises:
        InvalidInput: it expires before.
        Conflict: it waits for another delivery.
    """
    if at >= delivery.expires_at:
        raise InvalidInput("at", at, f"before the delivery expires ({delivery.expires_at})")
    if delivery.hold_gate == "predecessor":
        raise Conflict("it waits for the step before it; reschedule that one")
    return {"due_at": max(at, now), "hold_gate": "not_before" if at > now else None}


async def check_order(store: Deliveries, delivery: Delivery) -> None:
    """Refuse to redrive what waits for another delivery.

    Raises:
        Conflict: the step before it has not succeeded.
    """
    if delivery.predecessor is None:
        return
    before = await store.get(delivery.predecessor)
    if before is not None and before.status is not Status.DELIVERED:
        raise Conflict(
            f"the step before it, {before.id}, is {before.status}; redrive or prove that one"
        )


def changed(before: Delivery, verb: Verb, fields: Fields, now: int, *, doubtful: bool) -> Delivery:
    """Return the delivery after a person's action.

    Args:
        before: as it is.
        verb: what is done.
        fields: what that changes.
        now: ms since the epoch.
        doubtful: an owner that crashed may have sent it, which the change would make us forget.

    Raises:
        Conflict: the verb is not allowed from its status.
    """
    status = after(verb, before.status)
    return msgspec.structs.replace(
        before,
        status=status,
        revision=before.revision + 1,
        updated_at=now,
        ended_at=0 if status is Status.PENDING else before.ended_at or now,
        in_doubt=before.in_doubt or doubtful,
        **fields,
    )


def check_place(delivery: Delivery) -> None:
    """Refuse to bring back what another delivery took the place of.

    Raises:
        Conflict: one did.
    """
    if delivery.code == Code.SUPERSEDED:
        raise Conflict("another delivery took its place with an edited payload; act on that one")


def told(before: Delivery, changed: Delivery, more: Fields | None = None) -> str:
    """Return what an action changed as JSON text: field -> [before, after], and what is `more`."""
    fields = differences(before, changed, Delivery.__struct_fields__)
    return msgspec.json.encode({**fields, **(more or {})}).decode()
