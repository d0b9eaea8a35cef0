"""Before and after, out of what the lines of the audit journal say."""

from collections.abc import Mapping
from typing import Any

import pytest

from holdfast.access.sides import sides
from holdfast.store import Note

OPERATION = "opr_" + "0" * 32


@pytest.mark.parametrize(
    ("action", "detail", "before", "after"),
    [
        ("redrive", '{"code":["X",null]}', {"code": "X"}, {"code": None}),
        ("redrive", f'{OPERATION} {{"attempt":[3,0]}}', {"attempt": 3}, {"attempt": 0}),
        ("prove", '{"code":["X",null],"proof":{"file":"a"}}', {"code": "X"}, {"code": None}),
        ("edit", '{"parent":"dlv_1","payload":["changed /a","added /b"]}', None, None),
        ("resume", '{"order":"or_1","disabled":[["a"],[]]}', {"disabled": ["a"]}, {"disabled": []}),
        ("add_token", '{"only":["read","audit"]}', None, {"only": ["read", "audit"]}),
        ("breaker", "closed -> open", {"breaker": "closed"}, {"breaker": "open"}),
        ("gate", "hours: open -> closed", {"hours": "open"}, {"hours": "closed"}),
        ("load", '{"before":"a1","after":"b2"}', {"digest": "a1"}, {"digest": "b2"}),
        ("rule", "closed -> open", None, None),
        (
            "operation_pause",
            '{"state":["running","paused"]}',
            {"state": "running"},
            {"state": "paused"},
        ),
        ("elevate", '{"until":[null,9]}', {"until": None}, {"until": 9}),
        ("purge", "86400000", None, None),
        ("pause", "", None, None),
        ("redrive", '{"status":["dead"', None, None),
        ("redrive", "{" * 100_000, None, None),
        ("redrive", '{"status":["a","b","c"]}', None, None),
        ("undo", OPERATION, None, None),
    ],
)
def test_sides(
    action: str, detail: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    """Pairs and what was made are found; anything else is no side, and no error."""
    assert sides(Note(1, "ada", action, "x", "y", detail)) == (before, after)
