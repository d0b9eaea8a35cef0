"""Recipients and their lanes: look at, pause, resume, breaker."""

from collections.abc import Awaitable, Callable

from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.api import wire, wire_lane
from holdfast.api.match import changes, matched, tag_of, tagged
from holdfast.api.problem import unknown
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.errors import NotFound
from holdfast.model.view import LaneView


@get("/v1/recipients")
async def list_recipients(request: Asked) -> wire.Page[wire_lane.RecipientView]:
    """List all recipients with their lanes, by name."""
    query_of(request, wire.Nothing)
    return wire.Page([_view(request, lane) for lane in await facade_of(request).views.lanes()])


@get("/v1/recipients/{recipient:str}", opt={"tagged": True})
async def show_recipient(
    request: Asked, recipient: FromPath[str]
) -> Response[wire_lane.RecipientView]:
    """Show one recipient with its lane."""
    query_of(request, wire.Nothing)
    lane = await _known(request, recipient, facade_of(request).views.lane(recipient))
    return tagged(_view(request, lane), lane.tag)


@post(
    "/v1/recipients/{recipient:str}/pause",
    status_code=200,
    opt=changes(wire.Action),
)
async def pause(request: Asked, recipient: FromPath[str]) -> Response[wire_lane.RecipientView]:
    """Hold all deliveries of a recipient."""
    lane = await _act(request, recipient, facade_of(request).actions.pause)
    return tagged(_view(request, lane), lane.tag)


@post(
    "/v1/recipients/{recipient:str}/resume",
    status_code=200,
    opt=changes(wire.Action),
)
async def resume(request: Asked, recipient: FromPath[str]) -> Response[wire_lane.RecipientView]:
    """End a pause."""
    lane = await _act(request, recipient, facade_of(request).actions.resume)
    return tagged(_view(request, lane), lane.tag)


@get("/v1/recipients/{recipient:str}/breaker", opt={"tagged": True})
async def show_breaker(request: Asked, recipient: FromPath[str]) -> Response[wire_lane.BreakerView]:
    """Show a lane's breaker."""
    query_of(request, wire.Nothing)
    lane = await _known(request, recipient, facade_of(request).views.lane(recipient))
    return tagged(wire.show(wire_lane.BreakerView, lane), lane.tag)


@post(
    "/v1/recipients/{recipient:str}/breaker/open",
    status_code=200,
    opt=changes(wire.Action),
)
async def open_breaker(request: Asked, recipient: FromPath[str]) -> Response[wire_lane.BreakerView]:
    """Open a breaker until a person resets it."""
    lane = await _act(request, recipient, facade_of(request).actions.open_breaker)
    return tagged(wire.show(wire_lane.BreakerView, lane), lane.tag)


@post(
    "/v1/recipients/{recipient:str}/breaker/reset",
    status_code=200,
    opt=changes(wire.Action),
)
async def reset_breaker(
    request: Asked, recipient: FromPath[str]
) -> Response[wire_lane.BreakerView]:
    """Close a breaker."""
    lane = await _act(request, recipient, facade_of(request).actions.reset_breaker)
    return tagged(wire.show(wire_lane.BreakerView, lane), lane.tag)


def _view(request: Asked, lane: LaneView) -> wire_lane.RecipientView:
    return wire_lane.recipient(
        lane, facade_of(request).views.catalog.recipients.get(lane.recipient)
    )


async def _act(request: Asked, recipient: str, act: Callable[..., Awaitable[LaneView]]) -> LaneView:
    reason = (await body_of(request, wire.Action)).reason
    done = act(recipient, actor=actor_of(request), reason=reason, seen=tag_of(request))
    return await matched(_known(request, recipient, done), lambda lane: _view(request, lane))


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
