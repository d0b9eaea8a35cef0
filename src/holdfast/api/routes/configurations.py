"""Versions of the configuration: list, show, propose, approve, reject."""

from litestar import get, post
from litestar.params import FromPath

from holdfast.api import wire, wire_configuration
from holdfast.api.request import Asked, body_of, house_of, person_of, query_of
from holdfast.config import parsed
from holdfast.errors import NotFound
from holdfast.model.configuration import Stage
from holdfast.model.submission import millis

PROPOSAL_BYTES = 4 * 1024 * 1024
"""Largest body of a proposal."""


@get("/v1/configurations", opt={"query": wire_configuration.VersionsQuery})
async def list_configurations(request: Asked) -> wire.Page[wire_configuration.VersionView]:
    """List the versions of the configuration, newest first."""
    asked = query_of(request, wire_configuration.VersionsQuery)
    found = await house_of(request).versions.page(asked.cursor, asked.limit)
    cursor = str(found[-1][0].number) if len(found) == asked.limit else None
    return wire.Page([wire_configuration.version(*each) for each in found], cursor)


@get("/v1/configurations/{number:str}", opt={"query": wire_configuration.VersionQuery})
async def show_configuration(
    request: Asked, number: FromPath[str]
) -> wire_configuration.ConfigurationView:
    """Show a version: what it says, without secrets, and what it changes."""
    asked = query_of(request, wire_configuration.VersionQuery)
    found = await house_of(request).versions.show(_number(number), asked.against)
    return wire_configuration.configuration(found)


@post(
    "/v1/configurations",
    status_code=200,
    opt={"body": wire_configuration.Propose},
    request_max_body_size=PROPOSAL_BYTES,
)
async def propose_configuration(request: Asked) -> wire_configuration.VersionView:
    """Propose a configuration, which somebody else approves before a process starts with it."""
    asked = await body_of(request, wire_configuration.Propose)
    written, by = parsed(asked.content), person_of(request)
    made = await house_of(request).versions.propose(written, by=by, why=asked.reason)
    return wire_configuration.version(made, Stage.PROPOSED)


@post(
    "/v1/configurations/{number:str}/approve",
    status_code=200,
    opt={"body": wire_configuration.Approve},
)
async def approve_configuration(
    request: Asked, number: FromPath[str]
) -> wire_configuration.VersionView:
    """Let processes start with a proposal of somebody else, at once or from an instant on."""
    asked = await body_of(request, wire_configuration.Approve)
    said = await house_of(request).versions.approve(
        _number(number),
        by=person_of(request),
        why=asked.reason,
        effective_at=0 if asked.effective_at is None else millis(asked.effective_at),
    )
    return wire_configuration.version(said, Stage.APPROVED)


@post(
    "/v1/configurations/{number:str}/reject",
    status_code=200,
    opt={"body": wire.Action},
)
async def reject_configuration(
    request: Asked, number: FromPath[str]
) -> wire_configuration.VersionView:
    """Let no process start with a proposal; its author may take it back so, too."""
    asked = await body_of(request, wire.Action)
    said = await house_of(request).versions.reject(
        _number(number), by=person_of(request), why=asked.reason
    )
    return wire_configuration.version(said, Stage.REJECTED)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise NotFound(f"there is no version {text!r} of the configuration; versions are numbers")
    return int(text)


HANDLERS = (
    list_configurations,
    show_configuration,
    propose_configuration,
    approve_configuration,
    reject_configuration,
)
