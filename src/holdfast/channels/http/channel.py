"""The send itself: one request on the wire, and whatever comes back as facts."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from holdfast.channel import Request
from holdfast.channels.http.connections import (
    ADDRESSES_MAX,
    Connections,
    Route,
    RouteKey,
    route_key,
)
from holdfast.channels.http.fault import Fault, Unsendable, body_fault, send_fault
from holdfast.channels.http.prepare import Plan, Prepared
from holdfast.channels.http.resolve import Lookup, SystemLookup
from holdfast.clock import Clock
from holdfast.model.attempt import FailureClass, Network, Reply
from holdfast.model.flow import Endpoint

PLANS_MAX: Final = 20_000
"""Endpoints whose plans are kept; the oldest is let go and made again when needed."""
HEADER_MAX: Final = 4096
"""Longest header value that is kept, in characters; the client takes at most 100 headers."""
_ELSEWHERE: Final = frozenset({"ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"})
_BODILESS: Final = frozenset({204, 205, 304})
_CLEAN: Final = Network(error_share=0.0)
_UNBUILT: Final = Fault(
    FailureClass.CONFIGURATION,
    "REQUEST_INVALID",
    "the request cannot be built: check `url` and `headers`",
    maybe_received=False,
)
_TOO_LATE: Final = Fault(
    FailureClass.TIMEOUT, "ETIMEDOUT", "no connection in time", maybe_received=False
)
_UPGRADED: Final = Fault(
    FailureClass.PROTOCOL,
    "UPGRADE_UNEXPECTED",
    "the partner left HTTP for another protocol",
    maybe_received=True,
)


class _Known:
    """An endpoint that was sent to, with its plan and its present route."""

    __slots__ = ("key", "plan", "route")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.key: RouteKey = route_key(plan.endpoint, plan.target)
        self.route: Route | None = None


class _Answer(NamedTuple):
    fault: Fault | None = None
    status: int | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    truncated: bool = False
    resolve_ms: float | None = None


class HttpChannel:
    """Sends requests over HTTP/1.1 with kept-alive connections.

    Args:
        clock: time of the replies; time-outs run on the machine's clock.
        lookup: names to addresses; default: the system's resolver.
    """

    def __init__(self, clock: Clock, *, lookup: Lookup | None = None) -> None:
        self._clock = clock
        self._system_lookup = SystemLookup() if lookup is None else None
        self._connections = Connections(clock, lookup or self._system_lookup or SystemLookup())
        self._known: dict[int, _Known] = {}

    async def send(self, request: Request) -> Reply:
        """Send once; see `holdfast.channel.Channel`."""
        began = self._clock.monotonic()
        at = self._clock.now()
        try:
            known = self._know(request.endpoint)
            prepared = known.plan.prepare(request, at)
        except Unsendable as problem:
            return self._reply(at, began, _Answer(problem.fault), None)
        answer = await self._exchange(known, prepared, began)
        share = known.plan.note(answered=answer.status is not None)
        return self._reply(at, began, answer, share)

    async def close(self) -> None:
        """Close all connections; sends under way are cut and answered as cancelled."""
        await self._connections.close()
        if self._system_lookup is not None:
            self._system_lookup.close()

    def _know(self, endpoint: Endpoint) -> _Known:
        # The entry holds the endpoint, so its id cannot be given to another one meanwhile.
        known = self._known.get(id(endpoint))
        if known is None:
            known = _Known(Plan(endpoint))
            while len(self._known) >= PLANS_MAX:
                del self._known[next(iter(self._known))]
            self._known[id(endpoint)] = known
        return known

    async def _exchange(self, known: _Known, prepared: Prepared, began: float) -> _Answer:
        """Send on the endpoint's route; while no connection can be made, on the next address."""
        resolve_ms: float | None = None
        for _ in range(ADDRESSES_MAX):
            route = known.route
            if route is None or began >= route.until:
                try:
                    route = known.route = await self._connections.route(known.key)
                except Unsendable as problem:
                    return _Answer(problem.fault)
                resolve_ms = route.resolve_ms
            answer = await self._once(known, route, prepared, began)
            if answer.fault is None or answer.fault.maybe_received:
                break
            known.route = None
            self._connections.failed(known.key, route)
            if answer.fault.code not in _ELSEWHERE or len(route.addresses) < 2:
                break
        return answer if resolve_ms is None else answer._replace(resolve_ms=resolve_ms)

    async def _once(self, known: _Known, route: Route, prepared: Prepared, began: float) -> _Answer:
        endpoint = known.plan.endpoint
        spent = self._clock.monotonic() - began
        left = endpoint.total_timeout - spent / 1000
        if left <= 0:
            return _Answer(_TOO_LATE)
        try:
            builder = (
                route.client.request(endpoint.method, prepared.url)
                .headers(prepared.headers)
                .streamed_read_buffer_limit(0)  # the status must survive a broken body
            )
            if prepared.body is not None:
                builder = builder.body_bytes(prepared.body)
            if spent > 1.0:  # less is not worth a timer of its own
                builder = builder.timeout(timedelta(seconds=left))
            exchange = builder.build_streamed()
        except (BuilderError, ValueError):
            return _Answer(_UNBUILT)
        try:
            # Not `async with`: leaving it costs as much as a tenth of the send, and an answer
            # that was read to its end needs no closing.
            response = await exchange.__aenter__()
        except DetailedPyreqwestError as error:
            return _Answer(send_fault(error))
        return await _read(exchange, response, endpoint.capture_bytes)

    def _reply(self, at: int, began: float, answer: _Answer, share: float | None) -> Reply:
        fault = answer.fault
        network: Network | None = None
        if share is not None:
            network = _CLEAN
            if share or fault is not None or answer.resolve_ms is not None:
                network = Network(
                    dns_ms=answer.resolve_ms,
                    errno=fault.code if fault is not None else None,
                    error_share=share,
                )
        return Reply(
            request_at=at,
            acknowledged_at=self._clock.now(),
            duration_ms=self._clock.monotonic() - began,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            truncated=answer.truncated,
            error=fault.error if fault is not None else None,
            error_code=fault.code if fault is not None else None,
            error_message=fault.message if fault is not None else None,
            maybe_received=fault.maybe_received if fault is not None else False,
            network=network,
        )


class Headers(Mapping[str, str]):
    """The headers of an answer, read when somebody asks: most successes are not asked."""

    __slots__ = ("_found", "_response")

    def __init__(self, response: Response) -> None:
        self._response: Response | None = response
        self._found: dict[str, str] = {}

    def _read(self) -> dict[str, str]:
        if self._response is not None:
            self._found = _headers(self._response)
            self._response = None
        return self._found

    def get(self, name: str, default: Any = None) -> Any:
        """Return one header without reading the others when it is not there (0.2 us, not 4)."""
        if self._response is not None:
            try:
                if self._response.get_header(name) is None:
                    return default
            except ValueError:  # unreadable: the whole reading leaves it out
                pass
        return self._read().get(name, default)

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


async def _read(exchange: StreamRequest, response: Response, limit: int) -> _Answer:
    """Read at most `limit` bytes of the body; then the connection is dropped."""
    status, headers = response.status, Headers(response)
    fault: Fault | None = _UPGRADED if status == 101 else None
    length = _length(response)
    chunks: list[bytes] = []
    size = 0
    ended = status in _BODILESS or length == 0
    try:
        while not ended and fault is None and size <= limit:
            chunk = await response.body_reader.read_chunk()
            if chunk is None:
                ended = True
            else:
                chunks.append(chunk.to_bytes())
                size += len(chunks[-1])
                ended = size == length
    except DetailedPyreqwestError as error:
        fault = body_fault(error)
    finally:
        if not ended:
            await exchange.__aexit__(None, None, None)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return _Answer(fault, status, headers, body[:limit], truncated=size > limit)


def _headers(response: Response) -> dict[str, str]:
    """Return the headers; repeated ones joined, long ones cut, unreadable ones left out."""
    headers = response.headers
    try:
        found = dict(headers.items())
        whole = len(found) == len(headers)
    except ValueError:
        found, whole = dict.fromkeys(headers, ""), False
    if not whole:
        found = {name: _joined(response, name) for name in found}
    if found and max(map(len, found.values())) > HEADER_MAX:
        found = {name: value[:HEADER_MAX] for name, value in found.items()}
    return found


def _joined(response: Response, name: str) -> str:
    try:
        return ", ".join(response.headers.getall(name))
    except ValueError:
        return ""


def _length(response: Response) -> int | None:
    try:
        text = response.get_header("content-length") or ""
    except ValueError:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
