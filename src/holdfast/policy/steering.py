"""What people may do to a lane, as changes of its state."""

from enum import StrEnum
from typing import Any, Final

import msgspec

from holdfast.model.audit import differences
from holdfast.model.lane import LaneState
from holdfast.policy import breaker as breakers


class Action(StrEnum):
    """What a person wants of a lane."""

    PAUSE = "pause"
    RESUME = "resume"
    OPEN_BREAKER = "open_breaker"
    RESET_BREAKER = "reset_breaker"


_TOLD: Final = ("paused", "auth_failures", "disabled", "gate_until", "gate_reason")
"""What of a lane, besides its breaker, a person's action may change."""


def told(before: LaneState, after: LaneState) -> dict[str, Any]:
    """Return what an action changed, for the audit journal: field -> [before, after]."""
    breaker = differences(before.breaker, after.breaker, ("state", "manual"))
    if "state" in breaker:
        breaker["breaker"] = breaker.pop("state")
    return differences(before, after, _TOLD) | breaker


def steered(state: LaneState, action: Action, *, reason: str, now: int) -> LaneState:
    """Return a lane as the action leaves it."""
    replace = msgspec.structs.replace
    match action:
        case Action.PAUSE:
            return replace(state, paused=reason)
        case Action.RESUME:
            return replace(
                state, paused=None, auth_failures=0, disabled=(), gate_until=0, gate_reason=None
            )
        case Action.OPEN_BREAKER:
            forced = breakers.force_open(state.breaker, now=now, reason=reason)
            return replace(state, breaker=forced)
        case Action.RESET_BREAKER:
            return replace(state, breaker=breakers.reset(state.breaker, now))
