"""Edits of a payload: merged without loss of digits, and told as a list of changed places. Pure.

A patch is a JSON Merge Patch (RFC 7396): a member replaces, null removes, objects go on inside.
What a patch does not name stays as it was written, byte for byte: numbers are not read.
"""

from typing import Any, Final

import msgspec

from holdfast.errors import InvalidInput
from holdfast.model.review import Change
from holdfast.policy.redaction import MASK

DEPTH_MAX: Final = 100
"""Objects in objects that are looked into."""
CHANGES_MAX: Final = 1_000
"""Most changes that are told."""
_HIDDEN: Final = f'"{MASK}"'.encode()
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER: Final = msgspec.json.Encoder()


def merged(payload: bytes, patch: bytes) -> bytes:
    """Return the payload with the patch applied.

    Raises:
        InvalidInput: it is nested too deeply.
    """
    return bytes(_merged(msgspec.Raw(payload), msgspec.Raw(patch), DEPTH_MAX))


def _merged(target: msgspec.Raw | None, patch: msgspec.Raw, depth: int) -> msgspec.Raw:
    if _kind(patch) != "{":
        return patch
    if depth == 0:
        raise InvalidInput("patch", "...", f"at most {DEPTH_MAX} objects in objects")
    own = _OBJECT.decode(target) if target is not None and _kind(target) == "{" else {}
    for name, value in _OBJECT.decode(patch).items():
        if bytes(value).strip() == b"null":
            own.pop(name, None)
        else:
            own[name] = _merged(own.get(name), value, depth - 1)
    return msgspec.Raw(_ENCODER.encode(own))


def unmasked(before: bytes, after: bytes) -> bytes:
    """Return `after` with the values of `before` where it has only the mask `***`.

    So that a payload which was shown masked can be sent back with the rest edited.

    Raises:
        InvalidInput: a list with masks has another length, so that nothing says whose they are.
    """
    return bytes(_unmasked(msgspec.Raw(before), msgspec.Raw(after), DEPTH_MAX))


def _unmasked(before: msgspec.Raw, after: msgspec.Raw, depth: int) -> msgspec.Raw:
    if bytes(after).strip() == _HIDDEN:
        return before
    kind = _kind(after)
    if kind != _kind(before) or kind not in "{[" or depth == 0:
        return after
    if kind == "{":
        old, new = _OBJECT.decode(before), _OBJECT.decode(after)
        kept = {
            name: _unmasked(old[name], value, depth - 1) if name in old else value
            for name, value in new.items()
        }
        return msgspec.Raw(_ENCODER.encode(kept))
    was, now = _LIST.decode(before), _LIST.decode(after)
    if len(was) != len(now):  # which item is which is not known
        if _HIDDEN in bytes(after) and _HIDDEN not in bytes(before):
            allowed = f"values, or a list of {len(was)} as before: which {MASK} is which is unknown"
            raise InvalidInput("payload", MASK, allowed)
        return after
    items = [_unmasked(one, other, depth - 1) for one, other in zip(was, now, strict=True)]
    return msgspec.Raw(_ENCODER.encode(items))


def shown(payload: bytes, masked: bytes) -> bytes:
    """Return the payload with `***` where `masked`, the same payload read and masked, has it.

    All other values stay as they were written: reading a number may lose digits.
    """
    return bytes(_shown(msgspec.Raw(payload), msgspec.Raw(masked), DEPTH_MAX))


def _shown(payload: msgspec.Raw, masked: msgspec.Raw, depth: int) -> msgspec.Raw:
    kind = _kind(masked)
    if kind not in "{[" or kind != _kind(payload) or depth == 0:
        return masked if bytes(masked) == _HIDDEN or depth == 0 else payload
    if kind == "{":
        own, other = _OBJECT.decode(payload), _OBJECT.decode(masked)
        kept = {name: _shown(own[name], value, depth - 1) for name, value in other.items()}
        return msgspec.Raw(_ENCODER.encode(kept))
    pairs = zip(_LIST.decode(payload), _LIST.decode(masked), strict=True)
    return msgspec.Raw(_ENCODER.encode([_shown(*pair, depth - 1) for pair in pairs]))


def changes(before: bytes, after: bytes) -> list[Change]:
    """Return where two payloads differ, in order; numbers differ when they are written apart."""
    found: list[Change] = []
    _compare(msgspec.Raw(before), msgspec.Raw(after), "", found)
    return found[:CHANGES_MAX]


def _compare(before: msgspec.Raw, after: msgspec.Raw, at: str, found: list[Change]) -> None:
    if bytes(before).strip() == bytes(after).strip() or len(found) > CHANGES_MAX:
        return
    kind = _kind(after)
    if kind != _kind(before) or kind not in "{[" or at.count("/") >= DEPTH_MAX:
        if not _alike(before, after):
            found.append(Change(at, "changed"))
        return
    old, new = _members(before), _members(after)
    for name in (*old, *(name for name in new if name not in old)):
        place = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in new:
            found.append(Change(place, "removed"))
        elif name not in old:
            found.append(Change(place, "added"))
        else:
            _compare(old[name], new[name], place, found)


def _alike(before: msgspec.Raw, after: msgspec.Raw) -> bool:
    """Tell whether two texts are one string, escaped in two ways."""
    if _kind(before) != '"' or _kind(after) != '"':
        return False
    one: Any = msgspec.json.decode(before)
    return bool(one == msgspec.json.decode(after))


def _members(value: msgspec.Raw) -> dict[str, msgspec.Raw]:
    if _kind(value) == "{":
        return _OBJECT.decode(value)
    return {str(number): item for number, item in enumerate(_LIST.decode(value))}


def _kind(value: msgspec.Raw) -> str:
    """Return the first character, which tells objects, lists and texts."""
    return bytes(value).lstrip()[:1].decode("ascii", "replace")
