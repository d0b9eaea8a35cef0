"""Lanes, events and durations in words; everything from outside is made printable."""

from holdfast.demo.answers import Event, Lane

_COLOURS = {"closed": "green", "open": "red", "half_open": "yellow", "recovery": "cyan"}


def clean(text: object, longest: int = 200) -> str:
    """Return text from outside without anything a terminal would obey, shortened."""
    shown = "".join(sign if sign.isprintable() else " " for sign in str(text))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def span(ms: float) -> str:
    """Return a duration for people: `0.8 s`, `12 s`, `3 min`, `5 h`, `2 d`."""
    seconds = max(0.0, ms) / 1000
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for size, unit, below in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if round(seconds / size) < below:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def colour(breaker: str) -> str:
    """Return the colour of a breaker's state."""
    return _COLOURS.get(breaker, "white")


def until(at: int | None, now: int) -> str:
    """Return `in 12 s`, or `now` when the instant has passed or there is none."""
    return "now" if at is None or at <= now else f"in {span(at - now)}"


def waits(lane: Lane, now: int) -> str:
    """Say why a lane is not sending freely; empty when it is."""
    if lane.paused is not None:
        return f"paused: {clean(lane.paused, 60)}"
    if lane.breaker in {"open", "half_open"}:
        return _halted(lane, now)
    if gate := _gated(lane, now):
        return gate
    if lane.disabled:
        return f"endpoint {clean(', '.join(lane.disabled), 40)} is gone (410)"
    if lane.breaker == "recovery":
        return "ramping up" + (f", at most {lane.rate:.0f}/s" if lane.rate else "")
    return ""


def _gated(lane: Lane, now: int) -> str:
    if lane.closed is not None:
        return f"{clean(lane.closed, 60)}, opens {until(lane.closed_until, now)}"
    if lane.gate_until is not None and lane.gate_until > now:
        return f"{clean(lane.gate_reason or 'gate', 40)}, opens {until(lane.gate_until, now)}"
    return ""


def _halted(lane: Lane, now: int) -> str:
    if lane.breaker == "half_open":
        return "probing, one delivery at a time"
    if lane.manual:
        return "held open by a person"
    return f"next probe {until(lane.next_probe or lane.retry_at, now)}"


def changed(before: Lane, after: Lane, now: int) -> str | None:
    """Say what happened between two looks at a lane; None when nothing a person would notice."""
    name = after.recipient
    if before.paused != after.paused:
        return f"{name}: resumed" if after.paused is None else f"{name}: {waits(after, now)}"
    if before.breaker == after.breaker:
        return None
    if after.breaker == "open":
        why = clean(after.reason or "failures in a row", 60)
        again = "stays open" if before.breaker == "half_open" else "open"
        return f"{name}: breaker {again} ({why}), {after.pending:,} held, {waits(after, now)}"
    return {
        "half_open": f"{name}: probing, {after.pending:,} wait behind one delivery",
        "recovery": f"{name}: it answers again, {after.pending:,} drain at a rising rate",
        "closed": f"{name}: breaker closed, {after.delivered:,} delivered so far",
    }.get(after.breaker, f"{name}: breaker {after.breaker}")


def told(event: Event) -> str | None:
    """Say what an event means; None for a first try that simply succeeded."""
    short = event.delivery_id[-8:]
    if event.outcome == "success":
        if event.attempt_number == 0:
            return None
        kind = "retry" if event.counted else "try"
        return f"{event.recipient}: {kind} {event.attempt_number} of …{short} succeeded"
    why = clean(event.message or event.failure_class or event.outcome, 48)
    if event.next_type == "dead_letter":
        return f"{event.recipient}: …{short} needs review ({clean(event.next_reason or why, 48)})"
    if event.next_type == "retry" and event.counted:
        wait = ""
        if event.next_at is not None and event.retry_timestamp is not None:
            wait = f" in {span(event.next_at - event.retry_timestamp)}"
        return f"{event.recipient}: …{short} failed ({why}), next try{wait}"
    return None


def sparkline(values: list[float], width: int) -> str:
    """Return the last `width` values as bars; the highest fills the line."""
    bars = "▁▂▃▄▅▆▇█"
    shown = values[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return (bars[0] * len(shown)).rjust(width)
    marks = (bars[min(len(bars) - 1, round(value / top * (len(bars) - 1)))] for value in shown)
    return "".join(marks).rjust(width)
