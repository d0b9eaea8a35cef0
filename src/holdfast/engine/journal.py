"""Which changes of a lane's gates go on record, so that past waiting can be explained."""

import logging

from holdfast.model.lane import LaneState
from holdfast.store import Note
from holdfast.telemetry import LogEvent, log

SETUP_REFUSALS = 3
"""Refusals of our credentials or set-up in a row that hold a lane."""


def lane_note(before: LaneState, after: LaneState, now: int) -> Note | None:
    """Return the audit line of a change, or None when no gate opened or closed for long.

    Retry-After is not on record here: every event that closed it says so.
    """
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
