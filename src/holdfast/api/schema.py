"""The OpenAPI description, generated from the routes and the shapes they name."""

import functools
import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from holdfast import __version__
from holdfast.api.intake import IntakeDoor, Line
from holdfast.api.problem import MEDIA_TYPE, Problem
from holdfast.api.routes.system import OPEN_PATHS
from holdfast.api.stream import PATH, StreamDoor
from holdfast.api.wire import StreamQuery
from holdfast.model.submission import Receipt, Submission

Json = dict[str, Any]

_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_REFERENCE: Final = "#/components/schemas/{name}"
_WORDS: Final = {
    "200": "Done.",
    "202": "Accepted: it is safe on disk.",
    "400": "The body is not JSON.",
    "401": "The bearer token is missing or wrong, or the session has ended.",
    "403": "Who asks may not, or the Host, Origin or Holdfast-Csrf header is not right.",
    "404": "There is no such thing.",
    "408": "The body took too long to arrive.",
    "409": "Not possible from the present state, or the key is taken by another payload.",
    "412": "The state is not the one that If-Match names; the problem holds the present one.",
    "413": "The body or the payload is too large.",
    "415": "The content type is another.",
    "429": "Too many tries; come back after Retry-After seconds.",
    "422": "A value is wrong; field, value and allowed range are named.",
    "500": "An error of the server's own.",
    "503": "Not now; come back after Retry-After seconds.",
    "507": "The store is out of space.",
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same as `key` in the body.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "description": "Change it only in the state that this ETag names.",
    "schema": {"type": "string"},
}
_LAST_EVENT_ID: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "Id of the last word that was heard.",
    "schema": {"type": "string"},
}
_ETAG: Final = {"description": "Names this state; for If-Match.", "schema": {"type": "string"}}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What the description tells of one route.

    Attributes:
        method: in lower case.
        path: with `{name}` parameters.
        name: operation id.
        text: docstring.
        answer: type of the good answer.
        status: status of the good answer.
        body: type of the body, if any.
        query: type of the query parameters, if any.
        media: content type of body and answer.
        content: content types that the answer may have instead, with their types.
        more: further good statuses.
        headers: header parameters.
        tagged: the answer has an ETag, and a change takes If-Match.
    """

    method: str
    path: str
    name: str
    text: str
    answer: Any
    status: str = "200"
    body: Any = None
    query: Any = None
    media: str = "application/json"
    content: Mapping[str, Any] = MappingProxyType({})
    more: tuple[str, ...] = ()
    headers: tuple[Json, ...] = ()
    tagged: bool = False


@functools.cache
def openapi(handlers: tuple[HTTPRouteHandler, ...]) -> bytes:
    """Return the description of the given routes and of intake, as indented JSON."""
    routes = [*_intake(), *_stream(), *(_of(one) for one in handlers if not one.opt.get("hidden"))]
    kinds = [kind for route in routes for kind in _kinds(route) if kind]
    kinds.append(Problem)
    _, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    paths: dict[str, Json] = {}
    for route in sorted(routes, key=lambda route: route.path):
        paths.setdefault(route.path, {})[route.method] = _operation(route, components)
    for query in {route.query.__name__ for route in routes if route.query}:
        del components[query]  # shown as parameters
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Holdfast", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {code: _problem(code) for code in _WORDS if code >= "400"},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "holdfast"},
            },
        },
        "security": [{}, {"token": []}, {"session": []}],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _kinds(route: Route) -> Iterable[Any]:
    return (route.answer, route.body, route.query, *route.content.values())


def _intake() -> Iterable[Route]:
    path = "/v1/flows/{flow}/messages"
    one, batch = IntakeDoor.one.__doc__, IntakeDoor.batch.__doc__
    yield Route(
        method="post",
        path=path,
        name="send_message",
        text=f"Take one message. {one}",
        answer=Receipt,
        status="202",
        body=Submission,
        more=("200",),
        headers=(_KEY,),
    )
    yield Route(
        method="post",
        path=f"{path}/batch",
        name="send_batch",
        text=f"Take many messages. {batch}",
        answer=Line,
        body=Submission,
        media="application/x-ndjson",
    )


def _stream() -> Iterable[Route]:
    yield Route(
        method="get",
        path=PATH,
        name="stream",
        text=inspect.cleandoc(StreamDoor.serve.__doc__ or ""),
        answer=str,
        query=StreamQuery,
        media="text/event-stream",
        headers=(_LAST_EVENT_ID,),
    )


def _of(handler: HTTPRouteHandler) -> Route:
    function = handler.fn
    method = next(iter(handler.http_methods - {"OPTIONS", "HEAD"})).lower()
    content = handler.opt.get("content", {})
    answer = None if content else typing.get_type_hints(function)["return"]
    tagged = bool(handler.opt.get("tagged"))
    return Route(
        method=method,
        path=_PARAMETER.sub(r"{\1}", next(iter(handler.paths))),
        name=function.__name__,
        text=inspect.getdoc(function) or "",
        answer=typing.get_args(answer)[0] if typing.get_origin(answer) is Response else answer,
        status=str(handler.status_code),
        body=handler.opt.get("body"),
        query=handler.opt.get("query"),
        content=content,
        headers=(_IF_MATCH,) if tagged and method != "get" else (),
        tagged=tagged,
    )


def _operation(route: Route, components: Json) -> Json:
    summary, _, rest = route.text.partition("\n\n")
    operation: Json = {"operationId": route.name, "summary": " ".join(summary.split())}
    if rest:
        operation["description"] = " ".join(rest.split())
    parameters = [*_parameters(route, components), *route.headers]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        content = {route.media: {"schema": _schema(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    kinds = route.content or {route.media: route.answer}
    good: Json = {"content": {media: {"schema": _schema(kind)} for media, kind in kinds.items()}}
    if route.tagged:
        good["headers"] = {"ETag": _ETAG}
    answers = {code: {"description": _WORDS[code], **good} for code in (route.status, *route.more)}
    answers |= {code: {"$ref": f"#/components/responses/{code}"} for code in _errors(route)}
    operation["responses"] = dict(sorted(answers.items()))
    return operation


def _problem(code: str) -> Json:
    content = {MEDIA_TYPE: {"schema": _schema(Problem)}}
    return {"description": _WORDS[code], "content": content}


def _parameters(route: Route, components: Json) -> Iterable[Json]:
    for name in _PARAMETER.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if route.query is not None:
        for name, shape in components[route.query.__name__]["properties"].items():
            yield {"name": name, "in": "query", "schema": shape}


def _errors(route: Route) -> list[str]:
    if route.path in OPEN_PATHS:
        return ["503"]
    codes = ["401", "403", "500", "503"]
    if "{" in route.path:
        codes.append("404")
    if route.query is not None or route.method == "get":
        codes.append("422")
    if route.body is not None:
        codes += ["400", "408", "409", "413", "415", "422", "507"]
    if route.tagged and route.body is not None:
        codes.append("412")
    if route.name == "sign_in":
        codes.append("429")
    return sorted(codes)


def _schema(kind: Any) -> Json:
    (schema,), _ = msgspec.json.schema_components((kind,), ref_template=_REFERENCE)
    return schema
