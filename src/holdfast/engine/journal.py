"""Which changes of a lane's gates go on record, so that past waiting can be explained."""

import logging
from datetime import UTC, datetime

from holdfast.model.lane import ClosedGate, LaneState
from holdfast.model.message import NEVER
from holdfast.store import Note
from holdfast.telemetry import LogEvent, log

SETUP_REFUSALS = 3
"""Refusals of our credentials or set-up in a row that hold a lane."""


def lane_notes(before: LaneState, after: LaneState, now: int) -> list[Note]:
    """Return the audit lines of a change; none when no gate opened or closed for long.

    Retry-After is not on record here: every event that closed it says so.
    """
    notes = _calendar(before, after, now) if after.closed != before.closed else []
    if (note := _lane_note(before, after, now)) is not None:
        notes.append(note)
    return notes


def _calendar(before: LaneState, after: LaneState, now: int) -> list[Note]:
    """Return a line for each gate of the calendar that closed (or closed anew) or opened."""
    was = set(before.closed)
    names = {(one.gate, one.reason) for one in after.closed}
    opened = [one for one in before.closed if (one.gate, one.reason) not in names]
    closed = [one for one in after.closed if one not in was]
    lines = [(f"{one.gate}: open -> closed", _until(one)) for one in closed]
    lines += [(f"{one.gate}: closed -> open", one.reason or "") for one in opened]
    return [Note(now, "engine", "gate", after.recipient, why, detail) for detail, why in lines]


def _until(gate: ClosedGate) -> str:
    if gate.until >= NEVER:
        return f"{gate.reason}, without an end"
    until = datetime.fromtimestamp(gate.until / 1000, UTC)
    return f"{gate.reason}, until {until:%Y-%m-%dT%H:%M:%SZ}"


def _lane_note(before: LaneState, after: LaneState, now: int) -> Note | None:
    was, now_is = before.breaker.state, after.breaker.state
    if was is not now_is:
        detail = f"{was.value} -> {now_is.value}"
        _log(LogEvent.BREAKER, after, before=was.value, after=now_is.value)
        return Note(now, "engine", "breaker", after.recipient, after.breaker.reason or "", detail)
    if after.disabled != before.disabled:
        gone = ", ".join(sorted(set(after.disabled) - set(before.disabled)))
        _log(LogEvent.ENDPOINT_DISABLED, after, endpoint=gone)
        return Note(now, "engine", "disable_endpoint", after.recipient, "it answered 410", gone)
    if before.auth_failures < SETUP_REFUSALS <= after.auth_failures:
        reason = f"{SETUP_REFUSALS} refusals of credentials or set-up in a row"
        _log(LogEvent.LANE_HELD, after, gate="credentials")
        return Note(now, "engine", "hold", after.recipient, reason)
    return None


def _log(event: LogEvent, lane: LaneState, **fields: str) -> None:
    log(event, logging.WARNING, recipient=lane.recipient, reason=lane.breaker.reason, **fields)
