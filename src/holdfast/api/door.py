"""The ASGI applications: the API and the metrics."""

from collections.abc import MutableMapping
from functools import partial
from typing import Any, Final

from litestar import Litestar, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp

from holdfast.access.decide import refusal
from holdfast.access.house import House
from holdfast.access.table import OPEN
from holdfast.api import stream
from holdfast.api.body import Gone, Receive, Scope, Send
from holdfast.api.console import Console
from holdfast.api.facade import Facade, Views
from holdfast.api.guard import BACKGROUND_HEADER, Guard, Headers
from holdfast.api.intake import IntakeDoor, respond
from holdfast.api.problem import MEDIA_TYPE, Refused, encode, problem_of
from holdfast.api.request import PRINCIPAL, Asked, seen_by
from holdfast.api.routes import (
    configurations,
    deliveries,
    emergency,
    groups,
    journal,
    messages,
    operations,
    overview,
    recipients,
    review,
    sessions,
    signals,
    staff,
    system,
)
from holdfast.api.schema import openapi
from holdfast.config import Config
from holdfast.errors import Forbidden, HoldfastError, StoreError
from holdfast.model.access import Principal

HANDLERS: Final = (
    *deliveries.HANDLERS,
    *messages.HANDLERS,
    *recipients.HANDLERS,
    *operations.HANDLERS,
    *groups.HANDLERS,
    *review.HANDLERS,
    *journal.HANDLERS,
    *signals.HANDLERS,
    *system.HANDLERS,
    *overview.HANDLERS,
    *sessions.HANDLERS,
    *staff.HANDLERS,
    *configurations.HANDLERS,
    *emergency.HANDLERS,
)
Connection = ASGIConnection[Any, Any, Any, Any]
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
ACTION_BYTES: Final = 256 * 1024
"""Largest body of an action; a policy with many rules fits."""


class Api:
    """The API: the console, the guard, then intake and the stream, then the framework's routes.

    Args:
        facade: the engine.
        config: token, names and limits.
        house: knows users and tokens.
        console: the pages; default: those that came with the package.
    """

    def __init__(
        self, facade: Facade, config: Config, house: House, console: Console | None = None
    ) -> None:
        self._guard = Guard(config.server, house.desk)
        self._facade = facade
        self._intake = IntakeDoor(facade.intake, facade.views, config)
        self._config = config
        self._console = console or Console()
        self._routes: ASGIApp = _routes(facade, house)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._routes(scope, receive, send)  # type: ignore[arg-type]
            return
        if self._console.wants(scope):
            await self._console(scope, send)
            return
        send = hardened(send)
        headers: Headers = dict(scope["headers"])
        try:
            principal = await self._principal(scope, headers)
            scope[PRINCIPAL] = principal
            if scope["path"] == stream.PATH and principal is not None:
                permit(principal, "stream")
                query = scope["query_string"]
                holds = partial(self._holds, principal, headers)
                door = stream.StreamDoor(seen_by(principal, self._facade).broadcast, holds)
                await door.serve(scope["method"], query, headers, receive, send)
                return
            parts = scope["path"].split("/")
            if (
                parts[1:3] == ["v1", "flows"]
                and parts[4:] in (["messages"], ["messages", "batch"])
                and principal is not None
            ):
                await self._take(scope, principal, headers, receive, send)
                return
        except Gone:
            return
        except Exception as error:  # noqa: BLE001  # every error becomes a problem
            await _send_problem(error, send)
            return
        await self._routes(scope, receive, send)  # type: ignore[arg-type]

    async def _principal(self, scope: Scope, headers: Headers) -> Principal | None:
        """Return who asks; None: the operation is for everybody."""
        if scope["path"] in system.OPEN_PATHS:
            return None
        if (scope["method"], scope["path"]) == ("POST", sessions.PATH):
            self._guard.check_page(headers)  # no page of another site signs anybody in
            return None
        return await self._guard.identify(scope["method"], headers)

    async def _holds(self, principal: Principal, headers: Headers) -> bool:
        """Tell whether who asked is still known, and as the same; it is no use of a session."""
        asked = {**headers, BACKGROUND_HEADER.lower().encode(): b"1"}
        try:
            return await self._guard.identify("GET", asked) == principal
        except StoreError:  # nobody can tell now, and nothing of the store is told meanwhile
            return True
        except HoldfastError:
            return False

    async def _take(
        self, scope: Scope, principal: Principal, headers: Headers, receive: Receive, send: Send
    ) -> None:
        parts = scope["path"].split("/")
        permit(principal, "send_batch" if len(parts) == 6 else "send_message")
        if scope["method"] != "POST":
            raise Refused(
                405,
                "METHOD_NOT_ALLOWED",
                "the route takes only POST",
                allowed="POST",
                headers={"Allow": "POST"},
            )
        door = self._intake
        if principal.account is not None:
            facade = seen_by(principal, self._facade)
            door = IntakeDoor(facade.intake, facade.views, self._config)
        serve = door.batch if len(parts) == 6 else door.one
        await serve(parts[3], headers, receive, send)


class Metrics:
    """`GET /metrics` for Prometheus, on a port of its own (C21), behind the same guard.

    Args:
        views: the engine.
        config: token and names.
        house: knows users and tokens.
    """

    def __init__(self, views: Views, config: Config, house: House) -> None:
        self._guard = Guard(config.server, house.desk)
        self._views = views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        del receive  # nothing is read
        try:
            headers = dict(scope["headers"])
            permit(await self._guard.identify(scope["method"], headers), "metrics")
            body = self._body(scope["path"], scope["method"])
        except Exception as error:  # noqa: BLE001  # every error becomes a problem
            await _send_problem(error, send)
            return
        await respond(send, 200, body, b"text/plain; version=0.0.4; charset=utf-8")

    def _body(self, path: str, method: str) -> bytes:
        if path != "/metrics":
            raise Refused(404, "NOT_FOUND", "here is only GET /metrics")
        if method != "GET":
            detail = "the route takes only GET"
            raise Refused(
                405, "METHOD_NOT_ALLOWED", detail, allowed="GET", headers={"Allow": "GET"}
            )
        return self._views.metrics().encode()


def permit(principal: Principal, operation: str) -> None:
    """Raise `Forbidden` unless somebody may do an operation."""
    verdict = refusal(principal, operation)
    if verdict is not None:
        raise Forbidden(verdict.detail, verdict.allowed)


def hardened(send: Send) -> Send:
    """Return `send` with headers that keep an answer out of caches, frames and other pages."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            more = [each for each in _HEADERS if each[0] not in given]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sent


async def _permitted(request: Connection, handler: BaseRouteHandler) -> None:
    """Hold every route of the framework to the table."""
    operation = handler.fn.__name__
    if operation not in OPEN:
        permit(request.scope[PRINCIPAL], operation)  # type: ignore[literal-required]


def _routes(facade: Facade, house: House) -> Litestar:
    app = Litestar(
        route_handlers=HANDLERS,
        guards=[_permitted],
        exception_handlers={Exception: _answer_problem},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=ACTION_BYTES,
    )
    app.state.facade = facade
    app.state.house = house
    app.state.openapi = openapi(HANDLERS)
    return app


def _answer_problem(_: Asked, error: Exception) -> Response[bytes]:
    problem, headers = problem_of(error)
    return Response(
        encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers
    )


async def _send_problem(error: Exception, send: Send) -> None:
    problem, headers = problem_of(error)
    await respond(send, problem.status, encode(problem), MEDIA_TYPE.encode(), headers)
