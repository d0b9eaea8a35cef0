"""What people may do to a lane, as changes of its state."""

from enum import StrEnum

import msgspec

from holdfast.model.lane import LaneState
from holdfast.policy import breaker as breakers


class Action(StrEnum):
    """What a person wants of a lane."""

    PAUSE = "pause"
    RESUME = "resume"
    OPEN_BREAKER = "open_breaker"
    RESET_BREAKER = "reset_breaker"


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
