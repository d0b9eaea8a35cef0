"""How much patience a reply asks for: Retry-After, RateLimit, X-RateLimit-Reset (C6).

A partner's clock and grammar are not trusted: malformed fields are ignored, negative waits
are 0, and the policy's `max_hint` bounds what is obeyed (in `decide`).
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from holdfast.model.attempt import Reply

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,9})?")
_FIELD_MAX: Final = 512
"""Longest header value that is read."""
_LONGEST_MS: Final = 366 * 86_400_000
"""No hint is longer than this, so that sums of instants stay small."""
_EPOCH_S: Final = 1_000_000_000
"""A reset at least this large is an instant in seconds, not a duration (2001-09-09)."""
_EPOCH_MS: Final = 1_000_000_000_000

_DAY_MS: Final = 86_400_000
_REMAINING: Final = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining")


class Quota(msgspec.Struct, frozen=True, gc=False):
    """What a partner still takes: `remaining` sends in the next `wait_ms`, at least 1 ms."""

    remaining: int
    wait_ms: int


def quota(headers: Mapping[str, str], now: int) -> Quota | None:
    """Return what any reply tells of the partner's quota, None when it tells nothing readable.

    The RateLimit field (draft of September 2025; of several limits the one that binds most) goes
    before the older X-RateLimit fields. At most a day is believed.

    Args:
        headers: of the reply; only `get` is used, which the channel makes cheap.
        now: when it came, ms since the epoch.
    """
    text = headers.get("ratelimit")
    if text is not None and (found := _tightest(text)) is not None:
        return found
    for name in _REMAINING:
        text = headers.get(name)
        if text is not None:
            wait = _reset(headers.get(name.removesuffix("remaining") + "reset"), now)
            return _quota(_number(text), wait)
    return None


def _tightest(text: str) -> Quota | None:
    """Return the limit of a RateLimit field that leaves the lowest rate."""
    if len(text) > _FIELD_MAX:
        return None
    found = []
    for item in text.split(","):
        fields = dict(_pairs(item))
        seconds = _number(fields.get("t"))
        wait = None if seconds is None else int(seconds * 1000)
        if (one := _quota(_number(fields.get("r")), wait)) is not None:
            found.append(one)
    return min(found, key=lambda one: (one.remaining / one.wait_ms, -one.wait_ms), default=None)


def _quota(remaining: float | None, wait_ms: int | None) -> Quota | None:
    if remaining is None or wait_ms is None or remaining < 0 or wait_ms <= 0:
        return None
    return Quota(int(remaining), min(wait_ms, _DAY_MS))


def patience_ms(reply: Reply, *, limited: bool) -> int | None:
    """Return how long the partner asks us to wait from `reply.acknowledged_at`, in ms.

    Args:
        reply: what came back.
        limited: the reply is about a limit (429, 503, quota), so rate-limit fields speak to us;
            other replies may carry them as mere information.

    Returns:
        Retry-After if it can be read, else the RateLimit field's `t`, else X-RateLimit-Reset,
        else None.
    """
    headers, now = reply.headers, reply.acknowledged_at
    if not headers:
        return None
    hint = _retry_after(headers.get("retry-after"), now)
    if hint is None and limited:
        hint = _rate_limit(headers.get("ratelimit"))
        for name in ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"):
            hint = _reset(headers.get(name), now) if hint is None else hint
    return None if hint is None else min(max(hint, 0), _LONGEST_MS)


def _number(text: str | None) -> float | None:
    if text is None or len(text) > _FIELD_MAX:
        return None
    text = text.strip(" \t")
    return float(text) if _NUMBER.fullmatch(text) else None


def _retry_after(text: str | None, now: int) -> int | None:
    """Read seconds (with or without fraction) or an HTTP date."""
    seconds = _number(text)
    if seconds is not None:
        return int(seconds * 1000)
    if text is None or len(text) > _FIELD_MAX:
        return None
    try:
        at = parsedate_to_datetime(text)
        if at.tzinfo is None:  # RFC 9110: a date without a zone is UTC
            at = at.replace(tzinfo=UTC)
        return int(at.timestamp() * 1000) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _rate_limit(text: str | None) -> int | None:
    """Read `t` (or `reset`) of the RateLimit field; of several limits the exhausted ones count.

    `"burst";r=0;t=5, "daily";r=40;t=3600` asks for 5 seconds: only the burst limit is used up.
    """
    if text is None or len(text) > _FIELD_MAX:
        return None
    exhausted: list[int] = []
    others: list[int] = []
    for item in text.split(","):
        fields = dict(_pairs(item))
        seconds = _number(fields.get("t"))
        if seconds is not None:
            remaining = _number(fields.get("r"))
            (exhausted if remaining == 0 else others).append(int(seconds * 1000))
    if found := exhausted or others:
        return max(found)
    # the field's older form is one dictionary: limit=100, remaining=0, reset=30
    seconds = _number(dict(_pairs(text.replace(",", ";"))).get("reset"))
    return None if seconds is None else int(seconds * 1000)


def _pairs(item: str) -> list[tuple[str, str]]:
    return [
        (name.strip().lower(), value.strip())
        for name, found, value in (part.partition("=") for part in item.split(";"))
        if found
    ]


def _reset(text: str | None, now: int) -> int | None:
    """Read a reset: seconds from now, or an instant in seconds or ms since the epoch."""
    number = _number(text)
    if number is None:
        return None
    if number >= _EPOCH_MS:
        return int(number) - now
    if number >= _EPOCH_S:
        return int(number * 1000) - now
    return int(number * 1000)
