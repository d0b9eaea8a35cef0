"""Durations and instants as people type them."""

import pytest

from holdfast.cli.complaint import USAGE, Complaint
from holdfast.cli.spans import instant_ms, iso, span_ms

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", 90_000),
        ("15m", 900_000),
        ("7d", 604_800_000),
        ("1h30m", 5_400_000),
        ("250ms", 250),
        ("0.5h", 1_800_000),
        ("2W", 1_209_600_000),
        (" 3s ", 3000),
    ],
)
def test_durations(text: str, ms: int) -> None:
    """Every unit and combination reads as milliseconds."""
    assert span_ms("--x", text) == ms


@pytest.mark.parametrize("text", ["", "15", "15 m", "m15", "-3s", "0s", "1y", "٣s", "1e9d", "nan"])
def test_bad_durations_name_the_field(text: str) -> None:
    """Anything else is a usage error that names field, value and what would be right."""
    with pytest.raises(Complaint, match=r"--x: .* is not allowed; allowed: a duration") as raised:
        span_ms("--x", text)
    assert raised.value.exit_code == USAGE


def test_instants_are_relative_or_absolute() -> None:
    """A duration counts from now in the asked direction; ISO 8601 is taken as it is."""
    assert instant_ms("--at", "15m", NOW, past=False) == NOW + 900_000
    assert instant_ms("--at", "+15m", NOW, past=False) == NOW + 900_000
    assert instant_ms("--since", "15m", NOW, past=True) == NOW - 900_000
    assert instant_ms("--at", "1970-01-01T00:00:01Z", NOW, past=False) == 1000
    assert instant_ms("--at", "1970-01-01T01:00:01+01:00", NOW, past=False) == 1000


@pytest.mark.parametrize("text", ["tomorrow", "2026-01-31T08:00:00", "2026-13-01"])
def test_bad_instants_say_what_is_missing(text: str) -> None:
    """An instant without a zone, or none at all, is refused."""
    with pytest.raises(Complaint, match=r"^--at: "):
        instant_ms("--at", text, NOW, past=False)


def test_iso_is_what_the_api_reads() -> None:
    """Instants go to the API as UTC with milliseconds."""
    assert iso(1234) == "1970-01-01T00:00:01.234Z"
