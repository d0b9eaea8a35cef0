"""Deliveries: list, look at, act on."""

from collections.abc import Awaitable

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.api import wire, wire_review
from holdfast.api.match import changes, matched, revision_of, tagged
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.model.delivery import Delivery, Status
from holdfast.model.search import LOOK_COUNTING, Choice, ChoiceField, Predicate, Search, Span
from holdfast.model.submission import millis
from holdfast.policy.search import both
from holdfast.store import EventQuery


@get("/v1/deliveries", opt={"query": wire.DeliveriesQuery})
async def find_deliveries(request: Asked) -> wire.Page[wire.DeliveryView]:
    """List deliveries, newest first, by search `q`, by single filters, or both.

    A page looks at a limited number of deliveries: it may have fewer items than `limit`, or none,
    and still a `next_cursor` from which to go on.
    """
    asked = query_of(request, wire.DeliveriesQuery)
    search = Search(_where(request, asked), below=asked.cursor, limit=asked.limit)
    found = await facade_of(request).views.find(search)
    return wire.Page([wire.delivery(one) for one in found.deliveries], found.cursor)


@get("/v1/deliveries/count", opt={"query": wire.SelectionQuery})
async def count_deliveries(request: Asked) -> wire.DeliveryCount:
    """Count deliveries by search and filters, up to a limit of what is looked at."""
    where = _where(request, query_of(request, wire.SelectionQuery))
    total = await facade_of(request).views.count(Search(where, look=LOOK_COUNTING))
    return wire.DeliveryCount(count=total.count, at_least=total.more)


@get("/v1/deliveries/{delivery_id:str}", opt={"tagged": True})
async def show_delivery(request: Asked, delivery_id: FromPath[str]) -> Response[wire.DeliveryView]:
    """Show one delivery; while it is pending, also why it waits."""
    query_of(request, wire.Nothing)
    facade = facade_of(request)
    found = await facade.views.delivery(delivery_id)
    if found.status is not Status.PENDING:
        return tagged(wire.delivery(found), found.revision)
    closed = await facade.views.why(found)
    shown = wire.delivery(found, wire.gate(wire.binding(closed)))
    shown = msgspec.structs.replace(shown, why_not_now=[wire.gate(one) for one in closed])
    return tagged(shown, found.revision)


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


@post(
    "/v1/deliveries/{delivery_id:str}/redrive",
    status_code=200,
    opt=changes(wire.Redrive),
)
async def redrive(request: Asked, delivery_id: FromPath[str]) -> Response[wire.DeliveryView]:
    """Return a dead delivery to its lane, optionally with another policy or endpoint."""
    asked = await body_of(request, wire.Redrive)
    act = facade_of(request).actions.redrive(
        delivery_id,
        actor=actor_of(request),
        reason=asked.reason,
        policy=asked.policy,
        endpoint=asked.endpoint,
        seen=revision_of(request),
    )
    return await _changed(act)


@post(
    "/v1/deliveries/{delivery_id:str}/cancel",
    status_code=200,
    opt=changes(wire.Action),
)
async def cancel(request: Asked, delivery_id: FromPath[str]) -> Response[wire.DeliveryView]:
    """Give up a pending delivery."""
    return await _change(request, delivery_id, "cancel")


@post(
    "/v1/deliveries/{delivery_id:str}/discard",
    status_code=200,
    opt=changes(wire.Action),
)
async def discard(request: Asked, delivery_id: FromPath[str]) -> Response[wire.DeliveryView]:
    """Give up a dead delivery."""
    return await _change(request, delivery_id, "discard")


@post(
    "/v1/deliveries/{delivery_id:str}/undo",
    status_code=200,
    opt=changes(wire.Action),
)
async def undo(request: Asked, delivery_id: FromPath[str]) -> Response[wire.DeliveryView]:
    """Return a discarded delivery to the review queue."""
    return await _change(request, delivery_id, "undo")


@post(
    "/v1/deliveries/{delivery_id:str}/prove",
    status_code=200,
    opt=changes(wire_review.Prove),
)
async def prove(request: Asked, delivery_id: FromPath[str]) -> Response[wire.DeliveryView]:
    """Mark a delivery delivered by hand, with what shows it; the audit journal keeps that."""
    asked = await body_of(request, wire_review.Prove)
    act = facade_of(request).actions.prove(
        delivery_id,
        actor=actor_of(request),
        reason=asked.reason,
        seen=revision_of(request),
        proof=wire_review.proof(asked),
    )
    return await _changed(act)


@post(
    "/v1/deliveries/{delivery_id:str}/reschedule",
    status_code=200,
    opt=changes(wire.Reschedule),
)
async def reschedule(request: Asked, delivery_id: FromPath[str]) -> Response[wire.DeliveryView]:
    """Set the earliest next send of a pending delivery."""
    asked = await body_of(request, wire.Reschedule)
    act = facade_of(request).actions.reschedule(
        delivery_id,
        millis(asked.at),
        actor=actor_of(request),
        reason=asked.reason,
        seen=revision_of(request),
    )
    return await _changed(act)


def _where(request: Asked, asked: wire.SelectionQuery) -> Predicate:
    """Return what is meant, by the search and by the single filters."""
    filters: tuple[tuple[ChoiceField, str | None], ...] = (
        ("status", asked.status),
        ("recipient", asked.recipient),
        ("flow", asked.flow),
        ("class", asked.failure_class),
        ("message", asked.message_id),
    )
    choices = tuple(Choice(field, (word,)) for field, word in filters if word is not None)
    since = () if asked.since is None else (Span("created", millis(asked.since)),)
    return both(facade_of(request).views.where(asked.q or ""), Predicate(choices, since))


async def _change(request: Asked, delivery_id: str, verb: str) -> Response[wire.DeliveryView]:
    asked = await body_of(request, wire.Action)
    facade = facade_of(request)
    act = {
        "cancel": facade.actions.cancel,
        "discard": facade.actions.discard,
        "undo": facade.actions.undo,
    }[verb]
    actor, seen = actor_of(request), revision_of(request)
    return await _changed(act(delivery_id, actor=actor, reason=asked.reason, seen=seen))


async def _changed(act: Awaitable[Delivery]) -> Response[wire.DeliveryView]:
    changed = await matched(act, wire.delivery)
    return tagged(wire.delivery(changed), changed.revision)


HANDLERS = (
    find_deliveries,
    count_deliveries,
    show_delivery,
    list_attempts,
    redrive,
    cancel,
    discard,
    undo,
    prove,
    reschedule,
)
