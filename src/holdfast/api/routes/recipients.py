"""Recipients and their lanes: look at, pause, resume, breaker."""

from collections.abc import Awaitable

from litestar import get, post
from litestar.params import FromPath

from holdfast.api import wire
from holdfast.api.problem import unknown
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.errors import NotFound
from holdfast.model.view import LaneView


@get("/v1/recipients")
async def list_recipients(request: Asked) -> wire.Page[wire.RecipientView]:
    """List all recipients with their lanes, by name."""
    query_of(request, wire.Nothing)
    return wire.Page([_view(request, lane) for lane in await facade_of(request).views.lanes()])


@get("/v1/recipients/{recipient:str}")
async def show_recipient(request: Asked, recipient: FromPath[str]) -> wire.RecipientView:
    """Show one recipient with its lane."""
    query_of(request, wire.Nothing)
    return _view(
        request, await _known(request, recipient, facade_of(request).views.lane(recipient))
    )


@post("/v1/recipients/{recipient:str}/pause", status_code=200, opt={"body": wire.Action})
async def pause(request: Asked, recipient: FromPath[str]) -> wire.RecipientView:
    """Hold all deliveries of a recipient."""
    reason = (await body_of(request, wire.Action)).reason
    act = facade_of(request).actions.pause(recipient, actor=actor_of(request), reason=reason)
    return _view(request, await _known(request, recipient, act))


@post("/v1/recipients/{recipient:str}/resume", status_code=200, opt={"body": wire.Action})
async def resume(request: Asked, recipient: FromPath[str]) -> wire.RecipientView:
    """End a pause."""
    reason = (await body_of(request, wire.Action)).reason
    act = facade_of(request).actions.resume(recipient, actor=actor_of(request), reason=reason)
    return _view(request, await _known(request, recipient, act))


@get("/v1/recipients/{recipient:str}/breaker")
async def show_breaker(request: Asked, recipient: FromPath[str]) -> wire.BreakerView:
    """Show a lane's breaker."""
    query_of(request, wire.Nothing)
    lane = await _known(request, recipient, facade_of(request).views.lane(recipient))
    return wire.show(wire.BreakerView, lane)


@post("/v1/recipients/{recipient:str}/breaker/open", status_code=200, opt={"body": wire.Action})
async def open_breaker(request: Asked, recipient: FromPath[str]) -> wire.BreakerView:
    """Open a breaker until a person resets it."""
    reason = (await body_of(request, wire.Action)).reason
    act = facade_of(request).actions.open_breaker(recipient, actor=actor_of(request), reason=reason)
    return wire.show(wire.BreakerView, await _known(request, recipient, act))


@post("/v1/recipients/{recipient:str}/breaker/reset", status_code=200, opt={"body": wire.Action})
async def reset_breaker(request: Asked, recipient: FromPath[str]) -> wire.BreakerView:
    """Close a breaker."""
    reason = (await body_of(request, wire.Action)).reason
    act = facade_of(request).actions.reset_breaker(
        recipient, actor=actor_of(request), reason=reason
    )
    return wire.show(wire.BreakerView, await _known(request, recipient, act))


def _view(request: Asked, lane: LaneView) -> wire.RecipientView:
    return wire.recipient(lane, facade_of(request).views.catalog.recipients.get(lane.recipient))


async def _known(request: Asked, recipient: str, act: Awaitable[LaneView]) -> LaneView:
    try:
        return await act
    except NotFound as error:
        names = list(facade_of(request).views.catalog.recipients)
        raise unknown("recipient", recipient, names) from error


HANDLERS = (
    list_recipients,
    show_recipient,
    pause,
    resume,
    show_breaker,
    open_breaker,
    reset_breaker,
)
