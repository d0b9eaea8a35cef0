"""Messages: look at, replay. The way in is `api.intake`."""

from litestar import get, post
from litestar.params import FromPath

from holdfast.api import wire
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.model.search import Search, of_message
from holdfast.model.submission import Receipt

_DELIVERIES_SHOWN = 1000
"""At most so many deliveries of a message are shown with it."""


@get("/v1/messages/{message_id:str}")
async def show_message(request: Asked, message_id: FromPath[str]) -> wire.MessageView:
    """Show a message with its deliveries, without the payload."""
    query_of(request, wire.Nothing)
    facade = facade_of(request)
    found = await facade.views.message(message_id)
    asked = Search(of_message(message_id), limit=_DELIVERIES_SHOWN)
    return wire.message(found, (await facade.views.find(asked)).deliveries)


@post("/v1/messages/{message_id:str}/replay", status_code=202, opt={"body": wire.Action})
async def replay(request: Asked, message_id: FromPath[str]) -> Receipt:
    """Make new deliveries from an old message."""
    asked = await body_of(request, wire.Action)
    return await facade_of(request).actions.replay(
        message_id, actor=actor_of(request), reason=asked.reason
    )


@post("/v1/messages/{message_id:str}/consent", status_code=200, opt={"body": wire.Action})
async def revoke_consent(request: Asked, message_id: FromPath[str]) -> wire.MessageView:
    """Revoke the consent behind a message: what still waits of it is discarded, for good."""
    asked = await body_of(request, wire.Action)
    facade = facade_of(request)
    deliveries = await facade.actions.revoke(
        message_id, actor=actor_of(request), reason=asked.reason
    )
    return wire.message(await facade.views.message(message_id), deliveries)


HANDLERS = (show_message, replay, revoke_consent)
