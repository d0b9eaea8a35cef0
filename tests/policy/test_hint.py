"""Hints of patience: the forms partners send, and what liars and typos come to."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.attempt import Reply
from holdfast.policy.hint import patience_ms

NOW = 784_111_777_000
"""1994-11-06 08:49:37 UTC, RFC 9110's favourite instant."""


def patience(headers: dict[str, str], *, limited: bool = True) -> int | None:
    """Read the hint of a 429 that came at `NOW`."""
    reply = Reply(NOW - 5, NOW, 5.0, status=429, headers=headers)
    return patience_ms(reply, limited=limited)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120_000),
        (" 120 ", 120_000),
        ("1.5", 1500),
        ("0", 0),
        ("-5", 0),
        ("86400", 86_400_000),
        ("Sun, 06 Nov 1994 08:51:37 GMT", 120_000),
        ("Sunday, 06-Nov-94 08:51:37 GMT", 120_000),
        ("Sun Nov  6 08:51:37 1994", 120_000),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
        ("999999999999999", 366 * 86_400_000),
        ("soon", None),
        ("", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("१२", None),
        ("12 seconds", None),
        ("Mon, 32 Foo 2026 99:99:99 GMT", None),
        ("9" * 1000, None),
    ],
)
def test_retry_after(text: str, expected: int | None) -> None:
    """Seconds, fractions and the three HTTP date forms count; negative is 0; garbage nothing."""
    assert patience({"retry-after": text}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"default";r=0;t=30', 30_000),
        ('"default";r=50;t=30', 30_000),
        ('"burst";r=0;t=5, "daily";r=40;t=3600', 5000),
        ('"burst";r=0;t=5, "daily";r=0;t=3600', 3_600_000),
        ("limit=100, remaining=0, reset=30", 30_000),
        ('"default";r=0', None),
        ('"default";t=soon', None),
        (";;;,,,===", None),
    ],
)
def test_rate_limit_field(text: str, expected: int | None) -> None:
    """The `t` of exhausted limits counts; without any, the longest; malformed is ignored."""
    assert patience({"ratelimit": text}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 30_000),
        (str(NOW // 1000 + 10), None),
        ("1784111777", 1_000_000_000_000),
        ("-1", 0),
        ("later", None),
    ],
)
def test_reset_headers(text: str, expected: int | None) -> None:
    """X-RateLimit-Reset is seconds, or an instant when it is large enough to be one."""
    if expected is not None:
        assert patience({"x-ratelimit-reset": text}) == min(expected, 366 * 86_400_000)
    now = 1_784_111_777_000
    reply = Reply(now, now, 0.0, status=429, headers={"x-ratelimit-reset": str(now // 1000 + 10)})
    assert patience_ms(reply, limited=True) == 10_000
    reply = Reply(now, now, 0.0, status=429, headers={"x-ratelimit-reset": str(now + 10)})
    assert patience_ms(reply, limited=True) == 10


def test_precedence() -> None:
    """Retry-After beats RateLimit, which beats the reset headers; unreadable ones are skipped."""
    headers = {"retry-after": "1", "ratelimit": '"a";r=0;t=2', "x-ratelimit-reset": "3"}
    assert patience(headers) == 1000
    assert patience(headers | {"retry-after": "soon"}) == 2000
    assert patience(headers | {"retry-after": "soon", "ratelimit": "-"}) == 3000


def test_rate_limit_fields_are_mere_information_elsewhere() -> None:
    """On replies that are not about a limit only Retry-After asks for patience."""
    headers = {"ratelimit": '"a";r=0;t=2', "x-ratelimit-reset": "3"}
    assert patience(headers, limited=False) is None
    assert patience(headers | {"retry-after": "7"}, limited=False) == 7000
    assert patience({}) is None


NAMES = ("retry-after", "ratelimit", "ratelimit-reset", "x-ratelimit-reset")


@given(st.dictionaries(st.sampled_from(NAMES), st.text()), st.integers(0, 2**43))
def test_no_header_can_hurt(headers: dict[str, str], now: int) -> None:
    """Whatever stands in the fields, the result is None or a bounded wait; nothing is raised."""
    hint = patience_ms(Reply(now, now, 0.0, status=429, headers=headers), limited=True)
    assert hint is None or 0 <= hint <= 366 * 86_400_000


def test_dates_at_the_edges_of_the_calendar() -> None:
    """Dates that no clock can hold are ignored, not raised."""
    rng = random.Random(1)
    for _ in range(300):
        day, year, hour = rng.randint(0, 40), rng.randint(0, 99_999), rng.randint(0, 30)
        patience({"retry-after": f"Sun, {day} Nov {year} {hour}:00:00 +9999"})
