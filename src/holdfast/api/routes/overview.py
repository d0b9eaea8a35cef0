"""The whole at a glance: overview, alerts, workers, and what holds for the steps of a flow."""

from litestar import get
from litestar.params import FromPath

from holdfast.api import wire, wire_overview
from holdfast.api.problem import unknown
from holdfast.api.request import Asked, facade_of, query_of
from holdfast.policy import precedence


@get("/v1/overview")
async def show_overview(request: Asked) -> wire_overview.OverviewView:
    """Show how everything does: now, over the last 1, 5, 15 and 60 minutes, and as points.

    Rates and latencies are this worker's since its start; each window says how much it covers.
    """
    query_of(request, wire.Nothing)
    return wire_overview.overview(await facade_of(request).views.overview())


@get("/v1/workers")
async def list_workers(request: Asked) -> wire.Page[wire_overview.MemberView]:
    """List all workers, the oldest first: leases, lanes, shares; of the answering one its load."""
    query_of(request, wire.Nothing)
    views = facade_of(request).views
    load = next(iter((await views.overview()).workers), None)
    found = await views.workers()
    return wire.Page([wire_overview.member(one, load if one.ours else None) for one in found])


@get("/v1/groups/alerts", opt={"query": wire_overview.AlertsQuery})
async def list_alerts(request: Asked) -> wire_overview.AlertPage:
    """List failure groups that are new or came back, the newest first, with what fails in each.

    What is resolved or ignored, or fails no more, is no alert.
    """
    asked = query_of(request, wire_overview.AlertsQuery)
    found = await facade_of(request).groups.alerts(asked.window, asked.limit)
    return wire_overview.alerts(found)


@get("/v1/deliveries/critical", opt={"query": wire_overview.CriticalQuery})
async def list_critical(request: Asked) -> wire_overview.CriticalPage:
    """List urgent deliveries that are dead, or pending after a failure: the most urgent first."""
    asked = query_of(request, wire_overview.CriticalQuery)
    found = await facade_of(request).groups.critical(asked.priority, asked.limit)
    return wire_overview.critical(found)


@get("/v1/flows/{flow:str}", opt={"query": wire_overview.PolicyQuery})
async def show_flow(request: Asked, flow: FromPath[str]) -> wire_overview.FlowDetail:
    """Show a flow with the resolved policy of each step, the origin of each field, the schedule.

    The schedule assumes sends that take no time on an open lane; a lane may send later.
    """
    asked = query_of(request, wire_overview.PolicyQuery)
    catalog = facade_of(request).views.catalog
    if flow not in catalog.flows:
        raise unknown("flow", flow, list(catalog.flows))
    found = catalog.flows[flow]
    steps = []
    for one in found.steps:
        recipient = catalog.recipients[one.recipient]
        policy = precedence.resolve(catalog, flow=found, step=one, recipient=recipient)
        steps.append(wire_overview.step(one, recipient, policy, asked.retries))
    return wire_overview.flow(found, steps)


HANDLERS = (show_overview, list_workers, list_alerts, list_critical, show_flow)
