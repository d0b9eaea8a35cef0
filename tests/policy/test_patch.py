"""Edits of payloads."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidInput
from holdfast.model.review import Change
from holdfast.policy import patch
from holdfast.policy.redaction import masked

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


def text(value: Any) -> bytes:
    """Return JSON."""
    return json.dumps(value).encode()


def reference(target: Any, edit: Any) -> Any:
    """Return what RFC 7396 says, in its own words."""
    if not isinstance(edit, dict):
        return edit
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in edit.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = reference(result.get(name), value)
    return result


@given(JSON, OBJECTS)
def test_a_patch_is_a_json_merge_patch(target: Any, edit: Any) -> None:
    """As RFC 7396 defines it."""
    assert msgspec.json.decode(patch.merged(text(target), text(edit))) == reference(target, edit)


def test_what_a_patch_does_not_name_stays_as_it_was_written() -> None:
    """Digits, escapes and the order of members."""
    before = b'{"price":1.10,"id":12345678901234567890123,"u":"\\u00e9","zip":1}'
    after = patch.merged(before, b'{"zip":"10115"}')
    assert after == before.replace(b'"zip":1', b'"zip":"10115"')


@given(JSON, JSON)
def test_changes_are_where_payloads_differ(before: Any, after: Any) -> None:
    """None when they are the same, and at least one when they are not."""
    assert patch.changes(text(before), text(before)) == []
    assert bool(patch.changes(text(before), text(after))) == (
        json.dumps(before) != json.dumps(after)
        and json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True)
    )


def test_changes_tell_places_and_no_values() -> None:
    """Added, removed, changed; a tilde and a slash of a name are escaped."""
    before = b'{"a":{"b":1,"c":[1,2]},"x/y~":1,"same": "\\u00e9"}'
    after = '{"a":{"c":[1,3,4]},"x/y~":2,"new":1, "same":"é"}'.encode()
    assert patch.changes(before, after) == [
        Change("/a/b", "removed"),
        Change("/a/c/1", "changed"),
        Change("/a/c/2", "added"),
        Change("/x~1y~0", "changed"),
        Change("/new", "added"),
    ]


def test_the_mask_keeps_the_old_value() -> None:
    """Where it stands in place of something; elsewhere it is a text like any other."""
    before = b'{"name":"Ada","list":[{"n":"x"},{"n":"y"}],"n":1.10}'
    after = b'{"name":"***","list":[{"n":"***"},{"n":"z"}],"n":1.10,"new":"***"}'
    kept = b'{"name":"Ada","list":[{"n":"x"},{"n":"z"}],"n":1.10,"new":"***"}'
    assert patch.unmasked(before, after) == kept


@given(OBJECTS)
def test_a_payload_is_shown_masked_and_otherwise_as_it_was_written(payload: Any) -> None:
    """What comes back unmasked is what was there."""
    before = text(payload)
    hidden = masked(payload, ("a", "b.c", "c.*"))
    shown = patch.shown(before, text(hidden))
    assert msgspec.json.decode(shown) == hidden
    assert msgspec.json.decode(patch.unmasked(before, shown)) == payload


def test_a_patch_that_is_too_deep_is_refused() -> None:
    """With a clear word, and no recursion without end."""
    deep = b'{"a":' * 200 + b"1" + b"}" * 200
    with pytest.raises(InvalidInput, match="100 objects"):
        patch.merged(b"{}", deep)
    assert patch.changes(deep, deep.replace(b"1", b"2"))


def test_mask_in_a_list_that_grew_is_not_sent() -> None:
    """Whose the masks are is not known then; the partner must not get them."""
    before = b'{"people":[{"ssn":"123"},{"ssn":"456"}]}'
    after = b'{"people":[{"ssn":"***"},{"ssn":"***"},{"ssn":"789"}]}'
    with pytest.raises(InvalidInput, match="a list of 2 as before"):
        patch.unmasked(before, after)
