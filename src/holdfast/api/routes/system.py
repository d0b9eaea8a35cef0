"""The configuration in force, the description of this API, and the probes."""

from litestar import Response, get

from holdfast import __version__
from holdfast.api import wire
from holdfast.api.problem import Refused
from holdfast.api.request import Asked, facade_of, query_of

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Probes carry no token and tell nothing."""


@get("/v1/flows")
async def list_flows(request: Asked) -> wire.Page[wire.FlowView]:
    """List the flows, by name."""
    query_of(request, wire.Nothing)
    flows = facade_of(request).views.catalog.flows
    return wire.Page([wire.flow(flows[name]) for name in sorted(flows)])


@get("/healthz")
async def healthz() -> wire.Health:
    """Tell that the process lives."""
    return wire.Health("alive", __version__)


@get("/readyz")
async def readyz(request: Asked) -> wire.Health:
    """Tell whether messages are accepted: 200 (`ready`, or `spooling`: the store is away), 503."""
    views = facade_of(request).views
    if not await views.ready():
        raise Refused(503, "NOT_READY", "the store does not take writes now")
    spool = views.spooling
    status = "spooling" if spool is not None and spool.on else "ready"
    return wire.Health(status, __version__)


@get("/openapi.json", opt={"hidden": True})
async def describe(request: Asked) -> Response[bytes]:
    """Return the OpenAPI description of this API."""
    return Response(request.app.state.openapi, media_type="application/json")


HANDLERS = (list_flows, healthz, readyz, describe)
