"""Every error as `application/problem+json` (RFC 9457)."""

import http
import logging
from typing import Annotated, Any, Final

import msgspec
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from msgspec import Meta

from holdfast.errors import (
    Conflict,
    Forbidden,
    HoldfastError,
    InvalidInput,
    KeyCollision,
    NotFound,
    Overloaded,
    QueryError,
    Stale,
    StoreError,
    StoreFull,
    Unanswered,
)
from holdfast.telemetry import LogEvent, log

MEDIA_TYPE: Final = "application/problem+json"
_STATUSES: Final = (
    (InvalidInput, 422),
    (Forbidden, 403),
    (NotFound, 404),
    (Stale, 412),
    (Conflict, 409),
    (StoreFull, 507),
    (StoreError, 503),
    (Overloaded, 503),
    (Unanswered, 503),
)
"""The first that fits; what is not here is an error of our own (500)."""
_KNOWN_SHOWN: Final = 100
"""At most so many known names are listed."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, for programs (`code`, `field`) and for people (`detail`)."""

    type: Annotated[str, Meta(description="`urn:holdfast:problem:` and the code.")]
    title: Annotated[str, Meta(description="The status in words.")]
    status: int
    detail: str
    code: Annotated[str, Meta(description="Stable name, such as `INVALID_INPUT`.")]
    field: Annotated[str, Meta(description="Dotted path of the wrong value.")] | None = None
    value: Annotated[Any, Meta(description="What was given, shortened.")] = None
    allowed: Annotated[str, Meta(description="The allowed range or names.")] | None = None
    known: Annotated[list[str], Meta(description="The names that exist.")] | None = None
    position: Annotated[int, Meta(description="Place in a query, in characters from 1.")] | None = (
        None
    )
    qualifier: Annotated[str, Meta(description="The part of a query that is wrong.")] | None = None
    current: Annotated[Any, Meta(description="The present state, where it is another.")] = None


class Refused(HoldfastError):
    """A request that the door itself turns away.

    Args:
        status: HTTP status.
        code: stable name.
        detail: one sentence for people.
        field: the wrong value's place, None when it is the whole request.
        value: what was given.
        allowed: the range or names, in words.
        known: the names that exist.
        current: the present state, where the caller has seen another.
        headers: response headers besides the usual.
    """

    def __init__(  # the fields of a problem
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        value: object = None,
        allowed: str | None = None,
        known: list[str] | None = None,
        current: object = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.field = field
        self.value = value
        self.allowed = allowed
        self.known = known
        self.current = current
        self.headers = headers or {}


def unknown(what: str, name: str, known: list[str]) -> Refused:
    """Return the refusal of a name that does not exist, with those that do."""
    names = sorted(known)[:_KNOWN_SHOWN]
    listed = f"known: {', '.join(names)}" if names else "none is configured"
    detail = f"there is no {what} {name!r}; {listed}"
    return Refused(404, "NOT_FOUND", detail, field=what, value=name, known=names)


def status_of(error: Exception) -> int:
    """Return the HTTP status that says what `error` means for the caller."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, HTTPException):
        return error.status_code
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def problem_of(error: Exception) -> tuple[Problem, dict[str, str]]:
    """Return the problem that tells of `error`, and the headers that go with it.

    What we did not foresee becomes a 500 without details; those are logged.
    """
    status = status_of(error)
    if isinstance(error, Refused):
        extra = {"field": error.field, "value": error.value, "allowed": error.allowed}
        extra |= {"known": error.known, "current": error.current}
        return _problem(status, error.code, str(error), **extra), error.headers
    if isinstance(error, InvalidInput):
        extra = {"field": error.field, "value": _plain(error.value), "allowed": error.allowed}
        if isinstance(error, QueryError):
            extra |= {"field": "q", "position": error.position, "qualifier": error.qualifier}
        return _problem(status, error.code, str(error), **extra), {}
    if isinstance(error, HTTPException):
        return _from_framework(error)
    if status == 500 or not isinstance(error, HoldfastError):
        log(LogEvent.API_ERROR, logging.ERROR, error=f"{type(error).__name__}: {error}")
        detail = "The server could not do this because of an error of its own; its log tells more."
        return _problem(500, "INTERNAL", detail), {}
    if isinstance(error, Forbidden):
        return _problem(status, error.code, str(error), allowed=error.allowed), {}
    patience = getattr(error, "retry_after_s", 1)
    field = "key" if isinstance(error, KeyCollision) else None
    return _problem(status, error.code, str(error), field=field), (
        {"Retry-After": str(patience)} if status == 503 else {}
    )


def encode(problem: Problem) -> bytes:
    """Return the body of the answer."""
    return msgspec.json.encode(problem)


def _from_framework(error: HTTPException) -> tuple[Problem, dict[str, str]]:
    headers = {str(name): str(value) for name, value in (error.headers or {}).items()}
    status = error.status_code
    if isinstance(error, NotFoundException):
        detail = "there is no such route; GET /openapi.json lists them"
        return _problem(status, "NOT_FOUND", detail), headers
    if isinstance(error, MethodNotAllowedException):
        allowed = headers.get("Allow") or headers.get("allow")
        detail = f"the route does not take this method; allowed: {allowed or 'see /openapi.json'}"
        return _problem(status, "METHOD_NOT_ALLOWED", detail, allowed=allowed), headers
    if status == 413:
        return _problem(status, "TOO_LARGE", "the body is larger than this route takes"), headers
    return _problem(status, http.HTTPStatus(status).name, error.detail), headers


def _problem(status: int, code: str, detail: str, **extra: Any) -> Problem:
    return Problem(
        type=f"urn:holdfast:problem:{code.lower().replace('_', '-')}",
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        **extra,
    )


def _plain(value: object) -> object:
    """Return a value that JSON can hold."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)
