"""The ASGI applications: the API and the metrics."""

from typing import Final

from litestar import Litestar, Response
from litestar.types import ASGIApp

from holdfast.api import stream
from holdfast.api.body import Gone, Receive, Scope, Send
from holdfast.api.console import Console
from holdfast.api.facade import Facade, Views
from holdfast.api.guard import Guard, Headers
from holdfast.api.intake import IntakeDoor, respond
from holdfast.api.problem import MEDIA_TYPE, Refused, encode, problem_of
from holdfast.api.request import Asked
from holdfast.api.routes import (
    deliveries,
    journal,
    messages,
    operations,
    overview,
    recipients,
    signals,
    system,
)
from holdfast.api.schema import openapi
from holdfast.config import Config

HANDLERS: Final = (
    *deliveries.HANDLERS,
    *messages.HANDLERS,
    *recipients.HANDLERS,
    *operations.HANDLERS,
    *journal.HANDLERS,
    *signals.HANDLERS,
    *system.HANDLERS,
    *overview.HANDLERS,
)
ACTION_BYTES: Final = 256 * 1024
"""Largest body of an action; a policy with many rules fits."""


class Api:
    """The API: the console, the guard, then intake and the stream, then the framework's routes.

    Args:
        facade: the engine.
        config: token, names and limits.
        console: the pages; default: those that came with the package.
    """

    def __init__(self, facade: Facade, config: Config, console: Console | None = None) -> None:
        self._guard = Guard(config.server)
        self._intake = IntakeDoor(facade.intake, facade.views, config)
        self._stream = stream.StreamDoor(facade.broadcast)
        self._console = console or Console()
        self._routes: ASGIApp = _routes(facade)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in system.OPEN_PATHS:
            await self._routes(scope, receive, send)  # type: ignore[arg-type]
            return
        if self._console.wants(scope):
            await self._console(scope, send)
            return
        headers: Headers = dict(scope["headers"])
        try:
            self._guard.check(headers)
            if scope["path"] == stream.PATH:
                query = scope["query_string"]
                await self._stream.serve(scope["method"], query, headers, receive, send)
                return
            parts = scope["path"].split("/")
            if parts[1:3] == ["v1", "flows"] and parts[4:] in (["messages"], ["messages", "batch"]):
                await self._take(parts, scope["method"], headers, receive, send)
                return
        except Gone:
            return
        except Exception as error:  # noqa: BLE001  # every error becomes a problem
            await _send_problem(error, send)
            return
        await self._routes(scope, receive, send)  # type: ignore[arg-type]

    async def _take(
        self, parts: list[str], method: str, headers: Headers, receive: Receive, send: Send
    ) -> None:
        if method != "POST":
            raise Refused(
                405,
                "METHOD_NOT_ALLOWED",
                "the route takes only POST",
                allowed="POST",
                headers={"Allow": "POST"},
            )
        serve = self._intake.batch if len(parts) == 6 else self._intake.one
        await serve(parts[3], headers, receive, send)


class Metrics:
    """`GET /metrics` for Prometheus, on a port of its own (C21), behind the same guard.

    Args:
        views: the engine.
        config: token and names.
    """

    def __init__(self, views: Views, config: Config) -> None:
        self._guard = Guard(config.server)
        self._views = views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        del receive  # nothing is read
        try:
            self._guard.check(dict(scope["headers"]))
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


def _routes(facade: Facade) -> Litestar:
    app = Litestar(
        route_handlers=HANDLERS,
        exception_handlers={Exception: _answer_problem},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=ACTION_BYTES,
    )
    app.state.facade = facade
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
