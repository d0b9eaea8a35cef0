"""What was before a line of the audit journal, and after it, out of what its detail says.

Whoever writes a line says it in one of few ways: field -> [before, after] as JSON, an operation's
id before that, what was made as JSON, digests of configurations as `before` and `after`, or
`before -> after` of a gate. What says neither, such as
an age or another id, stands in the detail alone.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from holdfast.store import Note

Fields = Mapping[str, Any]
Sides = tuple[Fields | None, Fields | None]

_MAKES: Final = frozenset({"add_user", "add_token"})
"""Their detail is what was made."""
_LISTS: Final = frozenset({"payload"})
"""Fields whose value is a list, and no pair, however long it is."""
_BULK: Final = re.compile(r"^opr_[0-9a-f]{32} (?=\{)")
_GATE: Final = re.compile(r"^(?:(?P<gate>\w+): )?(?P<before>\w+) -> (?P<after>\w+)$")
_GATES: Final = frozenset({"gate", "breaker"})


def sides(note: Note) -> Sides:
    """Return the fields before and after, None where the line says nothing of that side."""
    if note.action in _GATES and (found := _GATE.match(note.detail)) is not None:
        name = found["gate"] or note.action
        return {name: found["before"]}, {name: found["after"]}
    said = _fields(_BULK.sub("", note.detail))
    if note.action in _MAKES:
        return None, said or None
    if said.keys() == {"before", "after"}:
        return {"digest": said["before"]}, {"digest": said["after"]}
    pairs = {
        name: value
        for name, value in said.items()
        if isinstance(value, list) and len(value) == 2 and name not in _LISTS
    }
    if not pairs:
        return None, None
    before, after = ({name: pair[side] for name, pair in pairs.items()} for side in (0, 1))
    return before, after


def _fields(detail: str) -> dict[str, Any]:
    if not detail.startswith("{"):
        return {}
    try:
        found = msgspec.json.decode(detail)
    except (msgspec.DecodeError, RecursionError):  # it begins like JSON and is none
        return {}
    return found if isinstance(found, dict) else {}
