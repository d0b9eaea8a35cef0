"""Instants and shapes on the wire."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.wire import iso
from holdfast.model.message import NEVER
from holdfast.model.submission import LATEST, millis


@given(st.integers(min_value=1, max_value=4_102_444_800_000))
def test_instants_survive(at: int) -> None:
    """No millisecond is lost between our instants and ISO 8601."""
    text = iso(at)
    assert text is not None
    assert text.endswith("Z")
    assert len(text) == len("2026-01-01T00:00:00.000Z")
    assert millis(datetime.fromisoformat(text)) == at


def test_no_instant() -> None:
    """Not yet and never are both null."""
    assert iso(0) is None
    assert iso(NEVER) is None


def test_offsets_are_respected() -> None:
    """An instant is the same in every offset."""
    text = "2026-01-01T01:00:00+01:00"
    assert millis(datetime.fromisoformat(text)) == millis(datetime(2026, 1, 1, tzinfo=UTC))


def test_what_lies_beyond_all_dates_can_be_shown() -> None:
    """The last day of 9999 in the west is in the year 10000 in UTC."""
    beyond = datetime.fromisoformat("9999-12-31T23:59:59-14:00")
    assert millis(beyond) == LATEST
    assert iso(LATEST) == "9999-01-01T00:00:00.000Z"
    assert iso(LATEST + 400 * 86_400_000) == iso(LATEST)
