"""Deliveries: list, look at, act on."""

import msgspec
from litestar import get, post
from litestar.params import FromPath

from holdfast.api import wire
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.model.delivery import Delivery, Status
from holdfast.store import EventQuery, Find


@get("/v1/deliveries", opt={"query": wire.DeliveriesQuery})
async def find_deliveries(request: Asked) -> wire.Page[wire.DeliveryView]:
    """List deliveries, newest first."""
    asked = query_of(request, wire.DeliveriesQuery)
    found = await facade_of(request).views.find(
        Find(
            status=asked.status,
            recipient=asked.recipient,
            flow=asked.flow,
            failure_class=asked.failure_class,
            message_id=asked.message_id,
            since=None if asked.since is None else wire.millis(asked.since),
            cursor=asked.cursor,
            limit=asked.limit,
        )
    )
    cursor = found[-1].id if len(found) == asked.limit else None
    return wire.Page([wire.delivery(one) for one in found], cursor)


@get("/v1/deliveries/{delivery_id:str}")
async def show_delivery(request: Asked, delivery_id: FromPath[str]) -> wire.DeliveryView:
    """Show one delivery; while it is pending, also why it waits."""
    query_of(request, wire.Nothing)
    facade = facade_of(request)
    found = await facade.views.delivery(delivery_id)
    if found.status is not Status.PENDING:
        return wire.delivery(found)
    closed = await facade.views.why(found)
    shown = wire.delivery(found, wire.gate(wire.binding(closed)))
    return msgspec.structs.replace(shown, why_not_now=[wire.gate(one) for one in closed])


@get("/v1/deliveries/{delivery_id:str}/attempts", opt={"query": wire.AttemptsQuery})
async def list_attempts(request: Asked, delivery_id: FromPath[str]) -> wire.Page[wire.EventView]:
    """List the retry events of a delivery, oldest first."""
    asked = query_of(request, wire.AttemptsQuery)
    facade = facade_of(request)
    await facade.views.delivery(delivery_id)
    found = await facade.views.events(
        EventQuery(after=asked.cursor or 0, delivery_id=delivery_id, limit=asked.limit)
    )
    cursor = str(found[-1].position) if len(found) == asked.limit else None
    return wire.Page([wire.event(one) for one in found], cursor)


@post("/v1/deliveries/{delivery_id:str}/redrive", status_code=200, opt={"body": wire.Redrive})
async def redrive(request: Asked, delivery_id: FromPath[str]) -> wire.DeliveryView:
    """Return a dead delivery to its lane, optionally with another policy or endpoint."""
    asked = await body_of(request, wire.Redrive)
    changed = await facade_of(request).actions.redrive(
        delivery_id,
        actor=actor_of(request),
        reason=asked.reason,
        policy=asked.policy,
        endpoint=asked.endpoint,
    )
    return wire.delivery(changed)


@post("/v1/deliveries/{delivery_id:str}/cancel", status_code=200, opt={"body": wire.Action})
async def cancel(request: Asked, delivery_id: FromPath[str]) -> wire.DeliveryView:
    """Give up a pending delivery."""
    return await _change(request, delivery_id, "cancel")


@post("/v1/deliveries/{delivery_id:str}/discard", status_code=200, opt={"body": wire.Action})
async def discard(request: Asked, delivery_id: FromPath[str]) -> wire.DeliveryView:
    """Give up a dead delivery."""
    return await _change(request, delivery_id, "discard")


@post("/v1/deliveries/{delivery_id:str}/undo", status_code=200, opt={"body": wire.Action})
async def undo(request: Asked, delivery_id: FromPath[str]) -> wire.DeliveryView:
    """Return a discarded delivery to the review queue."""
    return await _change(request, delivery_id, "undo")


@post("/v1/deliveries/{delivery_id:str}/prove", status_code=200, opt={"body": wire.Action})
async def prove(request: Asked, delivery_id: FromPath[str]) -> wire.DeliveryView:
    """Mark a delivery delivered by hand; the reason is the proof."""
    return await _change(request, delivery_id, "prove")


@post("/v1/deliveries/{delivery_id:str}/reschedule", status_code=200, opt={"body": wire.Reschedule})
async def reschedule(request: Asked, delivery_id: FromPath[str]) -> wire.DeliveryView:
    """Set the earliest next send of a pending delivery."""
    asked = await body_of(request, wire.Reschedule)
    changed = await facade_of(request).actions.reschedule(
        delivery_id, wire.millis(asked.at), actor=actor_of(request), reason=asked.reason
    )
    return wire.delivery(changed)


async def _change(request: Asked, delivery_id: str, verb: str) -> wire.DeliveryView:
    asked = await body_of(request, wire.Action)
    facade = facade_of(request)
    act = {
        "cancel": facade.actions.cancel,
        "discard": facade.actions.discard,
        "undo": facade.actions.undo,
        "prove": facade.actions.prove,
    }[verb]
    changed: Delivery = await act(delivery_id, actor=actor_of(request), reason=asked.reason)
    return wire.delivery(changed)


HANDLERS = (
    find_deliveries,
    show_delivery,
    list_attempts,
    redrive,
    cancel,
    discard,
    undo,
    prove,
    reschedule,
)
