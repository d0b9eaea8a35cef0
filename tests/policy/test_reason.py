"""Reasons can be grouped by: what is personal or unique is masked."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.reason import REASON_MAX, normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Duplicate lead", "Duplicate lead"),
        ("  Too \n\t old ", "Too old"),
        ("lead 12345678 rejected", "lead # rejected"),
        ("code 17 of 999", "code 17 of 999"),
        ("zip 90210 is out of area", "zip # is out of area"),
        ("jane.doe+x@mail.example is known", "<email> is known"),
        ("mail <a@b.example>, too", "mail <<email>>, too"),
        ('field "Jane Doe" is invalid', "field <value> is invalid"),
        ("value 'Jane' can't be used, won't", "value <value> can't be used, won't"),
        ("id 123e4567-e89b-12d3-a456-426614174000 gone", "id <id> gone"),
        ("object 507f1f77bcf86cd799439011 gone", "object <id> gone"),
        ("see https://x.example/a?lead=7&n=Jane now", "see https://x.example/a now"),
        ("call +1 (555) 123-4567 first", "call # first"),
        ("call 555-123-4567 first", "call # first"),
        ("", None),
        (" \n ", None),
    ],
)
def test_masks(text: str, expected: str | None) -> None:
    """Personal data, ids and numbers are masked; words stay."""
    assert normalise(text) == expected


def test_two_leads_one_reason() -> None:
    """Replies that differ only in the lead give the same reason."""
    reasons = {normalise(f'Lead {n}00045 ("P{n}", p{n}@x.example) exists') for n in range(50)}
    assert len(reasons) == 1


@given(st.text(max_size=3000))
def test_bounds(text: str) -> None:
    """Any text gives at most 200 characters without long numbers."""
    reason = normalise(text)
    assert reason is None or 0 < len(reason) <= REASON_MAX
    assert re.search(r"[0-9]{4}", reason or "") is None


@pytest.mark.parametrize("piece", ["a", "@", '"', "'", "1", "a@", "http://a", "“", "0a", "1-"])
def test_hostile_texts_are_cheap(piece: str) -> None:
    """Long runs that make careless expressions explode are handled."""
    assert len(normalise(piece * 100_000) or "") <= REASON_MAX
