"""History: retry events, the audit journal, purge."""

from litestar import get, post

from holdfast.api import wire
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.errors import InvalidInput
from holdfast.store import EventQuery, Pruned


@get("/v1/events", opt={"query": wire.EventsQuery})
async def list_events(request: Asked) -> wire.Page[wire.EventView]:
    """List retry events in commit order: oldest first after `after_id`, else newest first.

    `next_cursor` is the next `after_id` or `before_id`.
    """
    asked = query_of(request, wire.EventsQuery)
    if asked.after_id is not None and asked.before_id is not None:
        raise InvalidInput("before_id", asked.before_id, "either after_id or before_id")
    start = None if asked.start is None else wire.millis(asked.start)
    end = None if asked.end is None else wire.millis(asked.end)
    if start is not None and end is not None and end <= start:
        raise InvalidInput("end", wire.iso(end), "an instant after start")
    found = await facade_of(request).views.events(
        EventQuery(
            after=asked.after_id,
            before=asked.before_id,
            start=start,
            end=end,
            delivery_id=asked.delivery_id,
            recipient=asked.recipient,
            limit=asked.limit,
        )
    )
    cursor = str(found[-1].position) if len(found) == asked.limit else None
    return wire.Page([wire.event(one) for one in found], cursor)


@get("/v1/audit", opt={"query": wire.AuditQuery})
async def list_notes(request: Asked) -> wire.Page[wire.NoteView]:
    """List who did what and why, newest first."""
    asked = query_of(request, wire.AuditQuery)
    found = await facade_of(request).views.notes(asked.subject, asked.limit)
    return wire.Page([wire.show(wire.NoteView, note) for note in found])


@post("/v1/purge", status_code=200, opt={"body": wire.Purge})
async def purge(request: Asked) -> Pruned:
    """Remove the payloads of messages that ended long enough ago; rows and events stay."""
    asked = await body_of(request, wire.Purge)
    return await facade_of(request).actions.purge(
        asked.older_than_ms, actor=actor_of(request), reason=asked.reason
    )


HANDLERS = (list_events, list_notes, purge)
