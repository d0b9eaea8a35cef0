"""How much a recipient may be sent: rate limits, the retry budget, and what is kept of them."""

import msgspec


class RateLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Most sends to a recipient in any window of that length, first tries and retries (S2.77).

    Any of them may be given. None is ever exceeded, wherever a window begins and whatever
    crashes: after a crash the second and the minute count as used up, of the hour and the day
    what was reserved ahead (a sixteenth). Windows are kept in steps of a twentieth of their
    length and may last one step longer.

    Attributes:
        per_second: most sends in any second.
        per_minute: most sends in any 60 seconds.
        per_hour: most sends in any 3600 seconds.
        per_day: most sends in any 24 hours, whatever the calendar says.
        smooth: spread sends evenly over the second and the minute; else they may come at once.
    """

    per_second: int | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    smooth: bool = False


class BudgetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many retries there may be beside first tries (algorithms 3.4).

    An empty budget makes retries wait; it drops none, and first tries go on.

    Attributes:
        enabled: off: retries are not counted.
        ratio: what each first try pays in; a retry costs 1 (after a timeout 2, after a rate
            limit 0.4) and gets it back when it succeeds.
        min_rate: paid in each second besides, so that a quiet recipient gets retries too.
    """

    enabled: bool = True
    ratio: float = 0.2
    min_rate: float = 10.0


class WindowUse(msgspec.Struct, frozen=True, gc=False):
    """What was sent in one window; `policy.limit` holds the rules.

    Attributes:
        span_ms: length of the window.
        newest: number of the newest step (its start in ms since the epoch / length of a step).
        counts: sends by step, the newest first.
        reserved: sends that may have been made since this was saved.
    """

    span_ms: int
    newest: int = 0
    counts: tuple[int, ...] = ()
    reserved: int = 0
