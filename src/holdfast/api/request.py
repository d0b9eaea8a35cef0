"""What a route reads from its request."""

from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from holdfast.access.house import House
from holdfast.access.staff import label
from holdfast.api.body import check_media_type, decode, from_query
from holdfast.api.facade import Facade
from holdfast.api.scoped import Scoped
from holdfast.errors import InvalidInput
from holdfast.model.access import Means, Principal

T = TypeVar("T")
Asked = Request[Any, Any, Any]

PRINCIPAL = "holdfast.principal"
"""Where the scope of a request says who asks."""
ACTOR_HEADER = "Holdfast-Actor"
"""Names the person who acts, for the audit journal."""
_ACTOR_CHARACTERS = 100


def facade_of(request: Asked) -> Facade:
    """Return the engine, as who asks may see it."""
    whole = cast("Facade", request.app.state.facade)
    principal = request.scope[PRINCIPAL]  # type: ignore[literal-required]
    return whole if principal is None else seen_by(principal, whole)


def seen_by(principal: Principal, facade: Facade) -> Facade:
    """Return the engine as somebody sees it: the whole, or one account."""
    return facade if principal.account is None else Scoped(facade, principal.account)


def principal_of(request: Asked) -> Principal:
    """Return who asks."""
    return cast("Principal", request.scope[PRINCIPAL])  # type: ignore[literal-required]


def person_of(request: Asked) -> Principal:
    """Return who asks, under the name that the audit journal gives it."""
    principal = principal_of(request)
    if principal.kind in {Means.USER, Means.TOKEN}:
        return principal
    return msgspec.structs.replace(principal, name=actor_of(request))


def house_of(request: Asked) -> House:
    """Return what knows users and tokens."""
    return cast("House", request.app.state.house)


async def body_of(request: Asked, kind: type[T]) -> T:
    """Read and check the JSON body; the route's size limit holds."""
    check_media_type(dict(request.scope["headers"]), b"application/json")
    return decode(await request.body(), msgspec.json.Decoder(kind))


def query_of(request: Asked, kind: type[T]) -> T:
    """Read and check the query parameters."""
    text = request.scope["query_string"].decode("latin-1")
    return from_query(parse_qsl(text, keep_blank_values=True), kind)


def actor_of(request: Asked) -> str:
    """Return who acts: the user or the token, else the header `Holdfast-Actor`, or `api`.

    Whoever showed who it is cannot act under another name.
    """
    principal = principal_of(request)
    if principal.kind in {Means.USER, Means.TOKEN}:
        return label(principal)
    actor = request.headers.get(ACTOR_HEADER.lower(), "api").strip()
    if not 1 <= len(actor) <= _ACTOR_CHARACTERS or not actor.isprintable():
        raise InvalidInput(
            ACTOR_HEADER.lower(),
            actor[:_ACTOR_CHARACTERS],
            f"1 to {_ACTOR_CHARACTERS} printable characters",
        )
    return actor
