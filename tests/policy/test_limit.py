"""Sliding windows: no stretch of time holds more sends than its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidInput
from holdfast.model.throttle import RateLimits, WindowUse
from holdfast.policy import check, limit

NOW = 1_750_000_000_123
SPAN = 60_000


def most_in_any_window(instants: list[int], span: int) -> int:
    """Return the largest number of instants that lie at most `span` apart."""
    return max(
        (sum(start <= at <= start + span for at in instants) for start in instants), default=0
    )


@given(
    gaps=st.lists(st.integers(0, 20_000), max_size=120),
    most=st.integers(1, 12),
    span=st.sampled_from((1000, SPAN)),
)
def test_no_window_ever_holds_more(gaps: list[int], most: int, span: int) -> None:
    """Whatever the pattern of tries, wherever the window begins, both its ends included."""
    use, now, sent = WindowUse(span), NOW, []
    for gap in gaps:
        now += gap
        if limit.opens_at(use, most, 0, now) == now:
            use = limit.added(use, 1, now)
            sent.append(now)
    assert most_in_any_window(sent, span) <= most


@given(gaps=st.lists(st.integers(0, 5000), min_size=1, max_size=60), most=st.integers(1, 8))
def test_it_opens_exactly_when_it_says(gaps: list[int], most: int) -> None:
    """Closed until the instant given and open at it, after its length and one step at most."""
    use, now = WindowUse(SPAN), NOW
    for gap in gaps:
        now += gap
        opens = limit.opens_at(use, most, 0, now)
        if opens > now:
            assert limit.opens_at(use, most, 0, opens - 1) == opens
            assert limit.opens_at(use, most, 0, opens) == opens
            assert opens - now <= SPAN + SPAN // limit.STEPS
        else:
            use = limit.added(use, 1, now)


def test_a_greedy_sender_gets_nearly_all_of_its_limit() -> None:
    """The steps cost at most a twentieth of the rate."""
    use, now, sent = WindowUse(1000), NOW, 0
    while now < NOW + 60_000:
        opens = limit.opens_at(use, 30, 0, now)
        if opens > now:
            now = opens
            continue
        use, sent = limit.added(use, 1, now), sent + 1
    assert 30 * 60 * 0.94 <= sent <= 30 * 61


def test_what_is_handed_out_counts_before_it_begins() -> None:
    """Two handed out of two: closed although no window has seen a send."""
    use = WindowUse(1000)
    assert limit.opens_at(use, 2, 1, NOW) == NOW
    assert limit.opens_at(use, 2, 2, NOW) > NOW


def test_a_clock_that_goes_back_opens_nothing() -> None:
    """What was sent counts as just sent, so that the limit holds in real time."""
    use = limit.added(WindowUse(SPAN), 3, NOW)
    earlier = NOW - 3_600_000
    assert earlier + SPAN <= limit.opens_at(use, 3, 0, earlier) <= earlier + SPAN * 21 // 20


def test_after_a_crash_short_windows_are_full_and_long_ones_lose_their_reserve() -> None:
    """What may have been sent since the last save counts as sent at the take-over."""
    short = limit.taken_over(None, 1000, 5, NOW, clean=False)
    assert limit.opens_at(short, 5, 0, NOW) >= NOW + 1000
    saved = WindowUse(3_600_000, NOW * 20 // 3_600_000, (4,) + (0,) * 20, reserved=3)
    assert sum(limit.taken_over(saved, 3_600_000, 100, NOW, clean=False).counts) == 7
    assert sum(limit.taken_over(saved, 3_600_000, 100, NOW, clean=True).counts) == 4


def test_smooth_spaces_by_the_tightest_short_limit() -> None:
    """Thirty a minute is one in two seconds; an hour's limit spaces nothing."""
    assert limit.spacing_ms(RateLimits(per_second=10, per_minute=30, smooth=True)) == 2000
    assert limit.spacing_ms(RateLimits(per_hour=10, smooth=True)) == 0
    assert limit.spacing_ms(RateLimits(per_second=10)) == 0


def test_limits_have_a_range() -> None:
    """Nothing is no limit: 0 is refused with its place."""
    with pytest.raises(InvalidInput, match=r"r\.limits\.per_day"):
        check.rate_limits(RateLimits(per_day=0), "r.limits")
