"""Lanes, events and durations in words."""

import pytest

from holdfast.demo.answers import Event, Lane, event, instant, lane
from holdfast.demo.words import changed, clean, span, sparkline, told, until, waits

NOW = 1_790_000_000_000


def an_event(**fields: object) -> Event:
    """Return an event with some fields set."""
    values: dict[str, object] = {
        "position": 1,
        "delivery_id": "dlv_0123456789abcdef",
        "recipient": "flaky",
        "attempt_number": 0,
        "outcome": "error",
    }
    return event(values | fields)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0.0 s"),
        (840, "0.8 s"),
        (12_000, "12 s"),
        (100_000, "100 s"),
        (119_600, "2 min"),
        (180_000, "3 min"),
        (3_600_000, "60 min"),
        (7_200_000, "2 h"),
        (100_000_000, "28 h"),
        (259_200_000, "3 d"),
        (-5, "0.0 s"),
    ],
)
def test_spans(ms: float, text: str) -> None:
    """A duration has one unit that fits."""
    assert span(ms) == text


def test_until() -> None:
    """What has passed, or was never set, is now."""
    assert [until(at, NOW) for at in (None, NOW - 1, NOW + 12_000)] == ["now", "now", "in 12 s"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, ""),
        ({"paused": "release"}, "paused: release"),
        (
            {"closed": "hours: outside the business hours", "closed_until": NOW + 7_200_000},
            "hours: outside the business hours, opens in 2 h",
        ),
        ({"breaker": "open", "next_probe": NOW + 12_000}, "next probe in 12 s"),
        ({"breaker": "open", "retry_at": NOW + 9_000}, "next probe in 9.0 s"),
        ({"breaker": "open", "manual": True}, "held open by a person"),
        ({"breaker": "half_open"}, "probing, one delivery at a time"),
        ({"breaker": "recovery", "rate": 3.2}, "ramping up, at most 3/s"),
        ({"gate_until": NOW + 2000, "gate_reason": "Retry-After"}, "Retry-After, opens in 2.0 s"),
        ({"gate_until": NOW - 1}, ""),
        ({"disabled": ["main"]}, "endpoint main is gone (410)"),
    ],
)
def test_why_a_lane_waits(fields: dict[str, object], text: str) -> None:
    """Each gate of a lane is said in a few words; a lane that flows needs none."""
    assert waits(lane({"recipient": "acme"} | fields), NOW) == text


def test_changes_are_told_once() -> None:
    """A breaker that moved is told with the number that waits; no change tells nothing."""
    closed = Lane("sleeper")
    opened = lane(
        {
            "recipient": "sleeper",
            "breaker": "open",
            "reason": "5 failures in a row",
            "pending": 120,
            "next_probe": "2026-09-21T14:13:32.000Z",
        }
    )
    at = instant("2026-09-21T14:13:20.000Z")
    assert at is not None
    assert changed(closed, opened, at) == (
        "sleeper: breaker open (5 failures in a row), 120 held, next probe in 12 s"
    )
    assert changed(opened, opened, at) is None
    assert changed(opened, Lane("sleeper", breaker="half_open"), at) is not None
    assert changed(closed, Lane("sleeper", paused="x"), at) == "sleeper: paused: x"
    assert changed(Lane("sleeper", paused="x"), closed, at) == "sleeper: resumed"


def test_events_are_told_when_they_are_news() -> None:
    """Retries, recoveries and reviews are told; a first try that succeeded is not."""
    assert told(an_event(outcome="success")) is None
    assert told(an_event(outcome="success", attempt_number=2)) == (
        "flaky: retry 2 of …89abcdef succeeded"
    )
    retry = {"type": "retry", "at": "2026-09-21T14:13:22.000Z"}
    failed = an_event(
        failure_reason="what caused this try is not what came of it",
        error_details={"class": "server", "message": "status=503: busy"},
        next_action=retry,
        retry_timestamp="2026-09-21T14:13:20.000Z",
    )
    assert told(failed) == "flaky: …89abcdef failed (status=503: busy), next try in 2.0 s"
    dead = an_event(next_action={"type": "dead_letter", "reason": "Invalid postal code"})
    assert told(dead) == "flaky: …89abcdef needs review (Invalid postal code)"
    assert told(an_event(next_action=retry, counted=False)) is None


def test_nothing_from_outside_steers_the_terminal() -> None:
    """Escape sequences and line breaks become blanks; long text is cut."""
    assert clean("a\x1b[31mb\r\nc") == "a [31mb  c"
    assert len(clean("x" * 1000)) == 200


def test_sparklines() -> None:
    """The highest value fills the line, and the width is always the same."""
    assert sparkline([0, 1, 2, 4], 6) == "  ▁▃▅█"
    assert sparkline([], 4) == "    "
    assert sparkline([0.0] * 9, 4) == "▁▁▁▁"


def test_a_gate_of_the_calendar_is_read_from_the_lane() -> None:
    """Of the closed gates the first that opens by the calendar is kept, with its reason."""
    gates = [
        {"gate": "paused", "until": None, "reason": "x"},
        {"gate": "maintenance", "until": "2026-01-01T00:00:01.000Z", "reason": "new database"},
    ]
    read = lane({"recipient": "acme", "gates": gates})
    assert (read.closed, read.closed_until) == ("maintenance: new database", 1_767_225_601_000)
