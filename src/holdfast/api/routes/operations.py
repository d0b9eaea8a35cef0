"""Operations: bulk work, previewed, started, watched and stopped."""

from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.api import bulk, wire
from holdfast.api.match import changes, matched, tag_of, tagged
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of
from holdfast.model.operation import Plan


@post("/v1/operations/preview", status_code=200, opt={"body": bulk.Order})
async def preview_operation(request: Asked) -> bulk.PreviewView:
    """Show what an operation would act on: how many, and a sample; nothing is changed.

    Hand its `cut_off` back to start the operation on just these.
    """
    plan = await _plan(request)
    return bulk.preview(await facade_of(request).operations.preview(plan))


@post("/v1/operations", status_code=202, opt={"body": bulk.Order})
async def start_operation(request: Asked) -> bulk.OperationView:
    """Start an operation on all deliveries that match now; it outlives restarts."""
    plan = await _plan(request)
    return bulk.operation(await facade_of(request).operations.start(plan))


@get("/v1/operations", opt={"query": bulk.OperationsQuery})
async def list_operations(request: Asked) -> wire.Page[bulk.OperationView]:
    """List operations, newest first."""
    asked = query_of(request, bulk.OperationsQuery)
    desk = facade_of(request).operations
    found = await desk.operations(asked.cursor, asked.limit, active=asked.active)
    cursor = found[-1].id if len(found) == asked.limit else None
    return wire.Page([bulk.operation(one) for one in found], cursor)


@get("/v1/operations/{operation_id:str}", opt={"tagged": True})
async def show_operation(
    request: Asked, operation_id: FromPath[str]
) -> Response[bulk.OperationView]:
    """Show one operation with its progress."""
    query_of(request, wire.Nothing)
    found = await facade_of(request).operations.operation(operation_id)
    return tagged(bulk.operation(found), found.tag)


@get("/v1/operations/{operation_id:str}/results", opt={"query": bulk.ResultsQuery})
async def list_results(request: Asked, operation_id: FromPath[str]) -> wire.Page[bulk.ResultView]:
    """List what became of each delivery so far, newest delivery first; all, or by outcome."""
    asked = query_of(request, bulk.ResultsQuery)
    wanted = bulk.outcomes(asked.outcome)
    found = await facade_of(request).operations.results(
        operation_id, asked.cursor, asked.limit, outcomes=wanted
    )
    cursor = found[-1].delivery_id if len(found) == asked.limit else None
    return wire.Page([wire.show(bulk.ResultView, one) for one in found], cursor)


@post("/v1/operations/{operation_id:str}/pause", status_code=200, opt=changes(wire.Action))
async def pause_operation(
    request: Asked, operation_id: FromPath[str]
) -> Response[bulk.OperationView]:
    """Stop an operation after the batch under way."""
    return await _change(request, operation_id, "pause")


@post("/v1/operations/{operation_id:str}/resume", status_code=200, opt=changes(wire.Action))
async def resume_operation(
    request: Asked, operation_id: FromPath[str]
) -> Response[bulk.OperationView]:
    """Let an operation go on; one that its canary stopped draws a new canary."""
    return await _change(request, operation_id, "resume")


@post("/v1/operations/{operation_id:str}/cancel", status_code=200, opt=changes(wire.Action))
async def cancel_operation(
    request: Asked, operation_id: FromPath[str]
) -> Response[bulk.OperationView]:
    """End an operation; what is done stays done."""
    return await _change(request, operation_id, "cancel")


@post("/v1/operations/{operation_id:str}/undo", status_code=200, opt=changes(wire.Action))
async def undo_operation(
    request: Asked, operation_id: FromPath[str]
) -> Response[bulk.OperationView]:
    """Bring back what a discard took out of review, until `undo_until`."""
    return await _change(request, operation_id, "undo")


async def _plan(request: Asked) -> Plan:
    order = await body_of(request, bulk.Order)
    where = facade_of(request).views.where(order.q or "")
    return bulk.plan(order, where, actor_of(request))


async def _change(request: Asked, operation_id: str, verb: str) -> Response[bulk.OperationView]:
    asked = await body_of(request, wire.Action)
    desk = facade_of(request).operations
    act = {
        "pause": desk.pause,
        "resume": desk.resume,
        "cancel": desk.cancel,
        "undo": desk.undo,
    }[verb]
    actor, seen = actor_of(request), tag_of(request)
    done = await matched(
        act(operation_id, actor=actor, reason=asked.reason, seen=seen), bulk.operation
    )
    return tagged(bulk.operation(done), done.tag)


HANDLERS = (
    preview_operation,
    start_operation,
    list_operations,
    show_operation,
    list_results,
    pause_operation,
    resume_operation,
    cancel_operation,
    undo_operation,
)
