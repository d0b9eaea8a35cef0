"""What a route reads from its request."""

from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from holdfast.api.body import check_media_type, decode, from_query
from holdfast.api.facade import Facade
from holdfast.errors import InvalidInput

T = TypeVar("T")
Asked = Request[Any, Any, Any]

ACTOR_HEADER = "Holdfast-Actor"
"""Names the person who acts, for the audit journal."""
_ACTOR_CHARACTERS = 100


def facade_of(request: Asked) -> Facade:
    """Return the engine."""
    return cast("Facade", request.app.state.facade)


async def body_of(request: Asked, kind: type[T]) -> T:
    """Read and check the JSON body; the route's size limit holds."""
    check_media_type(dict(request.scope["headers"]), b"application/json")
    return decode(await request.body(), msgspec.json.Decoder(kind))


def query_of(request: Asked, kind: type[T]) -> T:
    """Read and check the query parameters."""
    text = request.scope["query_string"].decode("latin-1")
    return from_query(parse_qsl(text, keep_blank_values=True), kind)


def actor_of(request: Asked) -> str:
    """Return who acts: the header `Holdfast-Actor`, or `api`."""
    actor = request.headers.get(ACTOR_HEADER.lower(), "api").strip()
    if not 1 <= len(actor) <= _ACTOR_CHARACTERS or not actor.isprintable():
        raise InvalidInput(
            ACTOR_HEADER.lower(),
            actor[:_ACTOR_CHARACTERS],
            f"1 to {_ACTOR_CHARACTERS} printable characters",
        )
    return actor
