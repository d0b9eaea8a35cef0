"""History: retry events, the audit journal, purge."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from litestar import get, post
from litestar.response import Stream

from holdfast.api import wire, wire_audit
from holdfast.api.facade import Views
from holdfast.api.request import Asked, actor_of, body_of, facade_of, house_of, query_of
from holdfast.errors import InvalidInput
from holdfast.model.audit import Checked, LineQuery
from holdfast.model.submission import millis
from holdfast.store import EventQuery, Lines, Pruned

EXPORTED: Final = 500
"""Lines of an export that are held at once."""


@get("/v1/events", opt={"query": wire.EventsQuery})
async def list_events(request: Asked) -> wire.Page[wire.EventView]:
    """List retry events in commit order: oldest first after `after_id`, else newest first.

    `next_cursor` is the next `after_id` or `before_id`.
    """
    asked = query_of(request, wire.EventsQuery)
    if asked.after_id is not None and asked.before_id is not None:
        raise InvalidInput("before_id", asked.before_id, "either after_id or before_id")
    start = None if asked.start is None else millis(asked.start)
    end = None if asked.end is None else millis(asked.end)
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


@get("/v1/audit", opt={"query": wire_audit.AuditQuery})
async def list_notes(request: Asked) -> wire.Page[wire_audit.AuditLine]:
    """List who did what, why, and what was before and after; newest first.

    Each page looks at a limited number of lines, so it may be short, or empty: go on while there is
    a `next_cursor`. Lines that are written meanwhile move nothing.
    """
    asked = query_of(request, wire_audit.AuditQuery)
    query = msgspec.structs.replace(
        wire_audit.query(asked), cursor=wire_audit.place(asked.cursor), limit=asked.limit
    )
    found = await facade_of(request).views.lines(query)
    return wire.Page([wire_audit.line(one) for one in found.lines], wire_audit.cursor(found.cursor))


@get("/v1/audit/export", opt={"query": wire_audit.ExportQuery, "content": wire_audit.CONTENT})
async def export_audit(request: Asked) -> Stream:
    """Write the audit lines of a span of time, oldest first; without `until` up to now.

    NDJSON is exact. In CSV a cell that a spreadsheet would calculate begins with an apostrophe, and
    line breaks are spaces. An export that breaks off ends without its last chunk.
    """
    asked = query_of(request, wire_audit.ExportQuery)
    house, views = house_of(request), facade_of(request).views
    await house.chain.seal_quietly()
    query = wire_audit.query(asked)
    end = house.desk.clock.now() + 1 if query.end is None else query.end
    query = msgspec.structs.replace(query, end=end, forward=True, limit=EXPORTED)
    first = await views.lines(query)  # what hinders it is a problem, no broken file
    name = f"holdfast-audit.{asked.format}"
    return Stream(
        _exported(views, query, first, asked.format),
        media_type=wire_audit.MEDIA[asked.format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _exported(
    views: Views, query: LineQuery, page: Lines, kind: wire_audit.Format
) -> AsyncIterator[bytes]:
    """Yield page after page; no more than one is held."""
    yield wire_audit.head(kind) + wire_audit.rows(kind, page.lines)
    while page.cursor is not None:
        page = await views.lines(msgspec.structs.replace(query, cursor=page.cursor))
        yield wire_audit.rows(kind, page.lines)


@get("/v1/audit/verify", opt={"query": wire_audit.VerifyQuery})
async def verify_audit(request: Asked) -> Checked:
    """Check the chain of audit lines, at most `limit` of them after a number.

    Go on with `number` as `after` until `done` or `broken`. `head` is NUMBER:HASH as an earlier
    answer gave it: that line must still be as it was.
    """
    asked = query_of(request, wire_audit.VerifyQuery)
    head = None
    if asked.head is not None:
        number, _, hashed = asked.head.partition(":")
        head = (int(number), hashed)
    chain = house_of(request).chain
    if asked.after == 0:
        await chain.seal_quietly()
    return await chain.verify(asked.after, asked.limit, head)


@post("/v1/purge", status_code=200, opt={"body": wire.Purge})
async def purge(request: Asked) -> Pruned:
    """Remove the payloads of messages that ended long enough ago; rows and events stay."""
    asked = await body_of(request, wire.Purge)
    return await facade_of(request).actions.purge(
        asked.older_than_ms, actor=actor_of(request), reason=asked.reason
    )


HANDLERS = (list_events, list_notes, export_audit, verify_audit, purge)
