"""Compare and set over HTTP: `ETag` names a state, `If-Match` makes a change depend on it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from litestar import Response

from holdfast.api.problem import Refused
from holdfast.api.request import Asked
from holdfast.errors import InvalidInput, Stale

T = TypeVar("T")

_TAG: Final = re.compile(r'"([\x21\x23-\x7e]{0,64})"')
_NO_REVISION: Final = -1
"""What a tag that is not of ours can only mean: a state that never was."""


def changes(body: type) -> dict[str, Any]:
    """Return how the description learns of a change with this body that takes `If-Match`."""
    return {"body": body, "tagged": True}


def tagged(value: T, tag: str | int) -> Response[T]:
    """Return the answer with its `ETag`."""
    return Response(value, headers={"ETag": f'"{tag}"'})


def tag_of(request: Asked) -> str | None:
    """Return the state that the caller has seen; None: it does not say, or any will do."""
    given = request.headers.get("if-match", "*").strip()
    if given == "*":
        return None
    found = _TAG.fullmatch(given)
    if found is None:
        allowed = 'one tag as the header ETag gave it, such as "12", or *'
        raise InvalidInput("if-match", given[:80], allowed)
    return found[1]


def revision_of(request: Asked) -> int | None:
    """Return the revision that the caller has seen; None: it does not say, or any will do."""
    tag = tag_of(request)
    if tag is None:
        return None
    return int(tag) if tag.isdecimal() and len(tag) < 16 else _NO_REVISION


async def matched(act: Awaitable[T], show: Callable[[Any], object]) -> T:
    """Return what a change returns; a state that is not the one seen is 412, and shown."""
    try:
        return await act
    except Stale as error:
        detail = f"{error}; look at `current`, then decide anew"
        current = show(error.current)
        raise Refused(412, error.code, detail, field="if-match", current=current) from error
