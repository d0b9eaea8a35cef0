"""Numbers from outside that rules can use (S1.95)."""

from litestar import get, put
from litestar.params import FromPath

from holdfast.api import wire
from holdfast.api.request import Asked, actor_of, body_of, facade_of, query_of


@get("/v1/signals")
async def list_signals(request: Asked) -> wire.Page[wire.SignalView]:
    """List the signals with their values, by name."""
    query_of(request, wire.Nothing)
    found = await facade_of(request).views.signals()
    return wire.Page([wire.show(wire.SignalView, one) for one in found])


@put("/v1/signals/{name:str}", status_code=200, opt={"body": wire.SetSignal})
async def set_signal(request: Asked, name: FromPath[str]) -> wire.SignalView:
    """Set a signal, such as `market.index`; rules see it from the next decision on."""
    asked = await body_of(request, wire.SetSignal)
    found = await facade_of(request).actions.set_signal(
        name, asked.value, actor=actor_of(request), reason=asked.reason
    )
    return wire.show(wire.SignalView, found)


HANDLERS = (list_signals, set_signal)
