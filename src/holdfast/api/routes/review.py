"""The review queue: list, assign, see the payload, edit and send again, look back."""

from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.api import wire, wire_review
from holdfast.api.match import changes, matched, revision_of, tagged
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.errors import InvalidInput
from holdfast.model.delivery import Status
from holdfast.model.search import Choice, Predicate, Search
from holdfast.policy.search import NOBODY, both, standing


@get("/v1/review", opt={"query": wire_review.ReviewQuery})
async def show_review(request: Asked) -> wire_review.ReviewPage:
    """Show the review queue: dead deliveries, newest first, and how much is whose.

    `assignee` is a name, or `nobody`. The numbers are of the whole queue.
    """
    asked = query_of(request, wire_review.ReviewQuery)
    facade = facade_of(request)
    where = standing(facade.views.where(asked.q or ""), Status.DEAD)
    if where is None:
        raise InvalidInput("q", (asked.q or "")[:80], "no other status than dead")
    if asked.assignee is not None:
        name = "" if asked.assignee == NOBODY else asked.assignee
        where = both(where, Predicate((Choice("assignee", (name,)),)))
    found = await facade.views.find(Search(where, below=asked.cursor, limit=asked.limit))
    return wire_review.page(found, await facade.review.queue())


@get("/v1/deliveries/{delivery_id:str}/lineage")
async def show_lineage(request: Asked, delivery_id: FromPath[str]) -> wire_review.LineageView:
    """Show where a delivery comes from, what took its place, and what differs."""
    query_of(request, wire.Nothing)
    return wire_review.lineage(await facade_of(request).review.lineage(delivery_id))


@post("/v1/deliveries/{delivery_id:str}/payload", status_code=200, opt={"body": wire.Action})
async def reveal_payload(request: Asked, delivery_id: FromPath[str]) -> wire_review.RevealView:
    """Show a payload to a person, masked as the flow says; the audit journal keeps that."""
    asked = await body_of(request, wire.Action)
    found = await facade_of(request).review.reveal(
        delivery_id, actor=actor_of(request), reason=asked.reason
    )
    return wire_review.revealed(found)


@post("/v1/deliveries/{delivery_id:str}/assign", status_code=200, opt=changes(wire_review.Assign))
async def assign(request: Asked, delivery_id: FromPath[str]) -> Response[wire.DeliveryView]:
    """Give a dead delivery to somebody to look at, or to nobody."""
    asked = await body_of(request, wire_review.Assign)
    act = facade_of(request).review.assign(
        delivery_id,
        asked.assignee,
        actor=actor_of(request),
        reason=asked.reason,
        seen=revision_of(request),
    )
    changed = await matched(act, wire.delivery)
    return tagged(wire.delivery(changed), changed.revision)


@post("/v1/deliveries/{delivery_id:str}/edit", status_code=200, opt=changes(wire_review.EditOrder))
async def edit_delivery(
    request: Asked, delivery_id: FromPath[str]
) -> Response[wire_review.EditView]:
    """Send another payload in the place of a dead delivery, as its child.

    The child has its own id and idempotency key; the parent is discarded `SUPERSEDED` and keeps
    its payload and history. The ETag is the parent's.
    """
    asked = await body_of(request, wire_review.EditOrder)
    act = facade_of(request).review.edit(
        delivery_id,
        wire_review.edit(asked),
        actor=actor_of(request),
        reason=asked.reason,
        seen=revision_of(request),
    )
    done = await matched(act, wire.delivery)
    return tagged(wire_review.edited(done), done.parent.revision)


HANDLERS = (show_review, show_lineage, reveal_payload, assign, edit_delivery)
