"""Sliding windows of sends: never more than the limit in any stretch of that length (S2.77).

A window is kept as counts per step, a twentieth of its length. A send is forgotten when its whole
step has left the window, so that a limit holds wherever one looks; the price is a window up to
one step longer. (A token bucket would let twice the limit through around a full burst.)
"""

from typing import Final

import msgspec

from holdfast.model.throttle import RateLimits, WindowUse

STEPS: Final = 20
SPANS: Final = {
    "per_second": 1000,
    "per_minute": 60_000,
    "per_hour": 3_600_000,
    "per_day": 86_400_000,
}
"""Length of each window in ms."""
KEPT_FROM_MS: Final = SPANS["per_hour"]
"""Windows this long are kept over a crash; shorter ones count as used up."""
_SHARE: Final = 16
"""A part of a long window of this size is reserved ahead, and lost in a crash."""


class Room(msgspec.Struct, frozen=True, gc=False):
    """A rate limit: length of its window (ms), most sends, and how many of them are left."""

    span_ms: int
    most: int
    left: int


def windows(limits: RateLimits) -> tuple[tuple[int, int], ...]:
    """Return (length in ms, most sends) of the limits that are set, the shortest first."""
    given = ((span, getattr(limits, name)) for name, span in SPANS.items())
    return tuple((span, most) for span, most in given if most is not None)


def spacing_ms(limits: RateLimits) -> float:
    """Return the time between two sends that `smooth` asks for, 0: none."""
    if not limits.smooth:
        return 0.0
    return max((span / most for span, most in windows(limits) if span < KEPT_FROM_MS), default=0.0)


def moved(use: WindowUse, now: int) -> WindowUse:
    """Return the window at `now`; when the clock went back, all it holds counts as just sent."""
    newest = now * STEPS // use.span_ms
    shift = newest - use.newest
    if shift == 0 and use.counts:
        return use
    if shift < 0:
        counts = (sum(use.counts), *(0 for _ in range(STEPS)))
    else:
        kept = (*(0 for _ in range(min(shift, STEPS + 1))), *use.counts)
        counts = (kept + (0,) * (STEPS + 1))[: STEPS + 1]
    return WindowUse(use.span_ms, newest, counts, use.reserved)


def added(use: WindowUse, count: int, now: int) -> WindowUse:
    """Return the window with `count` sends made at `now`."""
    use = moved(use, now)
    counts = (use.counts[0] + count, *use.counts[1:])
    return WindowUse(use.span_ms, use.newest, counts, use.reserved)


def opens_at(use: WindowUse, most: int, pending: int, now: int) -> int:
    """Return when one more send fits, `now` when it does already.

    Args:
        use: the window, as of `now` or before.
        most: the limit.
        pending: sends that were handed out and have not begun; they leave no step.
        now: ms since the epoch.
    """
    use = moved(use, now)
    left = sum(use.counts) + pending - most
    if left < 0:
        return now
    for age in range(STEPS, -1, -1):
        left -= use.counts[age]
        if left < 0:  # free when this step, the last of them, has left the window
            step = use.newest - age + STEPS + 1
            return -(-step * use.span_ms // STEPS)
    return now + use.span_ms // STEPS  # what is pending has to begin first


def chunk(use: WindowUse, most: int, pending: int, now: int) -> int:
    """Return how many sends to reserve ahead: a sixteenth of the limit, as far as there is room."""
    room = most - sum(moved(use, now).counts) - pending
    return max(0, min(max(1, most // _SHARE), room))


def taken_over(
    use: WindowUse | None, span_ms: int, most: int, now: int, *, clean: bool
) -> WindowUse:
    """Return the window of a new owner.

    Args:
        use: what the last owner saved, None: nothing.
        span_ms: length of the window.
        most: the limit.
        now: instant of the take-over.
        clean: the last owner said goodbye, so that what it saved is exact.
    """
    start = moved(use or WindowUse(span_ms), now)
    if clean:
        return start
    if span_ms < KEPT_FROM_MS:
        return added(start, max(0, most - sum(start.counts)), now)
    made = added(start, start.reserved, now)
    return WindowUse(span_ms, made.newest, made.counts)
