"""Break-glass: raise oneself for a short time, and bring a lane back past its holds (S1.36)."""

import logging
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, delete, post
from litestar.params import FromPath
from msgspec import Meta

from holdfast.api import bulk, wire, wire_access, wire_lane
from holdfast.api.problem import Refused
from holdfast.api.request import Asked, actor_of, body_of, facade_of, house_of, principal_of
from holdfast.errors import InvalidInput
from holdfast.model.operation import Kind, Plan
from holdfast.model.search import HIGHEST, LOWEST, Choice, Predicate, Span
from holdfast.model.submission import Aware, millis
from holdfast.store import Note
from holdfast.telemetry import LogEvent, log

RATE = 1_000.0
"""Deliveries per second that an emergency releases; the lane's pacer still holds."""


class Elevate(wire.Action, frozen=True):
    """Body that raises oneself; a user shows its password once more."""

    minutes: Annotated[int, Meta(ge=1, le=60)] = 15
    password: wire_access.Password = ""


class Emergency(wire.Action, frozen=True):
    """Body of an emergency; `confirm` is the recipient's name, typed once more."""

    confirm: wire.Name
    since: Aware | None = None
    until: Aware | None = None


class ElevationView(msgspec.Struct, frozen=True, kw_only=True):
    """Until when somebody is raised."""

    until: wire.Instant | None


class EmergencyView(msgspec.Struct, frozen=True, kw_only=True):
    """The lane after it, and the operations that bring its deliveries home."""

    recipient: wire_lane.RecipientView
    operations: list[bulk.OperationView]


@post("/v1/elevation", status_code=200, opt={"body": Elevate})
async def elevate(request: Asked) -> ElevationView:
    """Raise oneself for a few minutes, with a reason that everybody can read."""
    asked = await body_of(request, Elevate)
    principal, house = principal_of(request), house_of(request)
    actor = actor_of(request)
    raised = await house.desk.elevate(
        principal, asked.minutes, asked.password, actor=actor, reason=asked.reason
    )
    log(LogEvent.EMERGENCY, logging.WARNING, action="elevate", actor=actor, reason=asked.reason)
    return ElevationView(until=wire.iso(raised.until))


@delete("/v1/elevation", status_code=200)
async def lower(request: Asked) -> ElevationView:
    """Be as before, at once."""
    await house_of(request).desk.lower(principal_of(request), actor=actor_of(request))
    return ElevationView(until=None)


@post("/v1/recipients/{recipient:str}/emergency", status_code=202, opt={"body": Emergency})
async def recover_recipient(request: Asked, recipient: FromPath[str]) -> Response[EmergencyView]:
    """Lift pause, hold and breaker of a lane, and send again all that is dead or waits.

    Only what was accepted from `since` on, and before `until`, when these are given. Only for who
    has raised itself by `POST /v1/elevation`. Consents, regions, rules and the lane's pacer hold.
    """
    asked = await body_of(request, Emergency)
    await _check(request, recipient, asked)
    facade, actor = facade_of(request), actor_of(request)
    known = facade.views.catalog.recipients.get(recipient)
    await facade.views.lane(recipient)
    log(
        LogEvent.EMERGENCY,
        logging.WARNING,
        action="recover",
        actor=actor,
        subject=recipient,
        reason=asked.reason,
    )
    house = house_of(request)
    span = f"{asked.since or ''}..{asked.until or ''}"
    account = "" if known is None else known.account
    note = Note(house.desk.clock.now(), actor, "emergency", recipient, asked.reason, span, account)
    await house.desk.people.keep(None, note)  # on disk before anything is done
    await facade.actions.resume(recipient, actor=actor, reason=asked.reason)
    lane = await facade.actions.reset_breaker(recipient, actor=actor, reason=asked.reason)
    begun = [
        await facade.operations.start(plan)
        for plan in plans(recipient, asked, actor, house.desk.clock.now())
    ]
    view = EmergencyView(
        recipient=wire_lane.recipient(lane, known),
        operations=[bulk.operation(one) for one in begun],
    )
    return Response(view, status_code=202)


async def _check(request: Asked, recipient: str, asked: Emergency) -> None:
    if not await house_of(request).desk.elevated(principal_of(request)):
        raise Refused(
            403,
            "ELEVATION_REQUIRED",
            "an emergency action needs POST /v1/elevation first; it lasts some minutes",
        )
    if asked.confirm != recipient:
        raise InvalidInput("confirm", asked.confirm, f"the recipient's name, {recipient}")
    if asked.since is not None and asked.until is not None and asked.until <= asked.since:
        raise InvalidInput("until", asked.until.isoformat(), "an instant after since")


def plans(recipient: str, asked: Emergency, actor: str, now: int) -> list[Plan]:
    """Return the operations that bring home what is dead, and what waits, of a lane.

    Args:
        recipient: the lane.
        asked: why, and what was accepted when.
        actor: who asks.
        now: what waits becomes due then, ms since the epoch.
    """
    low = LOWEST if asked.since is None else _whole(asked.since)
    high = HIGHEST if asked.until is None else _whole(asked.until) - 1
    spans = () if (low, high) == (LOWEST, HIGHEST) else (Span("created", low, high),)
    plans = []
    for kind, status in ((Kind.REDRIVE, "dead"), (Kind.RESCHEDULE, "pending")):
        where = Predicate((Choice("recipient", (recipient,)), Choice("status", (status,))), spans)
        plans.append(
            Plan(
                kind=kind,
                where=where,
                cut_off=0,
                query=f"recipient:{recipient} status:{status}",
                actor=actor,
                reason=asked.reason,
                rate=RATE,
                stop=1.0,
                at=now if kind is Kind.RESCHEDULE else 0,
            )
        )
    return plans


def _whole(at: datetime) -> int:
    """Return the first whole ms that is not before an instant."""
    return millis(at) + (at.microsecond % 1000 > 0)


HANDLERS = (elevate, lower, recover_recipient)
