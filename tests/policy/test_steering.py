"""What an action of a person changes of a lane, as the audit journal tells it."""

import pytest

from holdfast.model.lane import LaneState
from holdfast.policy.steering import Action, steered, told

HELD = LaneState("acme", paused="x", auth_failures=3, disabled=("a",), gate_until=9)


@pytest.mark.parametrize(
    ("before", "action", "fields"),
    [
        (LaneState("acme"), Action.PAUSE, {"paused": [None, "why"]}),
        (LaneState("acme"), Action.RESUME, {}),
        (
            HELD,
            Action.RESUME,
            {
                "paused": ["x", None],
                "auth_failures": [3, 0],
                "disabled": [("a",), ()],
                "gate_until": [9, 0],
            },
        ),
        (
            LaneState("acme"),
            Action.OPEN_BREAKER,
            {"breaker": ["closed", "open"], "manual": [False, True]},
        ),
        (LaneState("acme"), Action.RESET_BREAKER, {}),
    ],
)
def test_before_and_after(
    before: LaneState, action: Action, fields: dict[str, list[object]]
) -> None:
    """Every field that a person's action changes, and no other."""
    assert told(before, steered(before, action, reason="why", now=1)) == fields
