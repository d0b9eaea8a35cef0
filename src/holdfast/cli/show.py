"""Turns the API's JSON into tables and timelines."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.demo.answers import instant, lane
from holdfast.demo.words import clean, colour, span, until, waits

_WIDE: Final = 110
"""Columns from which a table of deliveries shows everything."""
_STATUS: Final = {"pending": "yellow", "delivered": "green", "dead": "red", "discarded": "dim"}


def console() -> Console:
    """Return a console on today's stdout; wide where it is not a terminal, so nothing is cut.

    Square brackets are text, also in cells of tables: what people and partners say has some.
    """
    wide = None if sys.stdout.isatty() else 200
    return Console(width=wide, highlight=False, emoji=False, markup=False)


def when(value: object) -> str:
    """Return an instant of the API in local time, `-` for none."""
    at = instant(value)
    if at is None:
        return "-"
    return f"{datetime.fromtimestamp(at / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def status(text: str) -> Text:
    """Return a delivery's status in its colour."""
    return Text(clean(text), style=_STATUS.get(text, ""))


def deliveries(items: list[dict[str, Any]], now: int, width: int) -> Table:
    """Return a table of deliveries; what does not fit `width` columns is left to `show ID`."""
    wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("id", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("recipient", no_wrap=True, overflow="ellipsis")
    for name in ("flow", "tries", "next or ended") if wide else ():
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    table.add_column("why", overflow="fold")
    for item in items:
        pending = item.get("status") == "pending"
        ended = when(item.get("ended_at") or item.get("updated_at"))
        moment = _due(item, now) if pending else ended
        rest = (clean(item.get("flow", "")), str(item.get("attempts", 0)), moment)
        table.add_row(
            str(item.get("id")),
            status(str(item.get("status"))),
            Text(clean(item.get("recipient", ""))),
            *(Text(text) for text in (rest if wide else ())),
            Text(why(item)),
        )
    return table


def _due(item: dict[str, Any], now: int) -> str:
    """Say when a pending delivery is due; the API has no instant for an endless wait."""
    due = instant(item.get("due_at"))
    return "open-ended" if due is None else until(due, now)


def why(item: dict[str, Any]) -> str:
    """Say in a few words why a delivery is where it is."""
    gate = item.get("hold_gate") if item.get("status") == "pending" else None
    reason = item.get("reason")
    if reason and item.get("status") == "delivered":
        reason = f"last trouble: {reason}"
    parts = [gate and f"held: {gate}", item.get("code"), reason]
    return clean(", ".join(str(part) for part in parts if part))


def lanes(items: list[dict[str, Any]], now: int) -> Table:
    """Return a table of recipients."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("recipient", no_wrap=True)
    table.add_column("breaker", no_wrap=True)
    for name in ("waiting", "sending", "delivered", "dead", "discarded"):
        table.add_column(name, justify="right")
    table.add_column("last success")
    table.add_column("why it waits", overflow="fold")
    for item in items:
        seen = lane(item)
        counts = (seen.pending, seen.in_flight, seen.delivered, seen.dead, seen.discarded)
        ago = "never" if seen.last_success_at is None else f"{span(now - seen.last_success_at)} ago"
        table.add_row(
            clean(seen.recipient),
            Text(seen.breaker.replace("_", " "), style=colour(seen.breaker)),
            *(f"{count:,}" for count in counts),
            ago,
            Text(waits(seen, now)),
        )
    return table


def recipient(item: dict[str, Any], now: int) -> Text:
    """Return one recipient's lane: how it stands, its closed gates, when its backlog is gone."""
    seen = lane(item)
    text = Text()
    text.append(f"{clean(seen.recipient)}  ", style="bold")
    text.append(seen.breaker.replace("_", " "), style=colour(seen.breaker))
    if because := waits(seen, now):
        text.append(f"\n  waits      {because}", style="yellow")
    elif seen.reason:
        text.append(f"\n  why        {clean(seen.reason)}")
    for gate in item.get("gates") or ():
        text.append(f"\n             {_gate(gate, now)}", style="dim")
    text.append(f"\n  backlog    {seen.pending:,} waiting, {seen.in_flight:,} of them in flight")
    for line in _drain(item.get("drain") or {}, now):
        text.append(f"\n  {line}")
    counts = f"{seen.delivered:,} delivered, {seen.dead:,} dead, {seen.discarded:,} discarded"
    text.append(f"\n  so far     {counts}")
    ago = "never" if seen.last_success_at is None else f"{span(now - seen.last_success_at)} ago"
    text.append(f"\n  succeeded  {ago}")
    return text


def _drain(item: dict[str, Any], now: int) -> Iterator[str]:
    """Say when the backlog is gone, and what that rests on."""
    p50, p90 = instant(item.get("p50")), instant(item.get("p90"))
    if item.get("backlog"):
        half, nine = ("unknown" if at is None else until(at, now) for at in (p50, p90))
        yield f"gone       P50 {half}, P90 {nine}" if p50 is not None else "gone       unknown"
        if item.get("unknown"):
            yield f"           {clean(item['unknown'])}"
        rates = [("arrivals", "arrive"), ("rate", "were seen to be taken")]
        told = [f"{item[key]:.3g} {verb}" for key, verb in rates if item.get(key) is not None]
        if told:
            yield f"a second   {', '.join(told)}"
    if item.get("endless"):
        yield f"besides    {item['endless']:,} wait for something else than time"


def delivery(item: dict[str, Any], attempts: list[dict[str, Any]], now: int) -> Text:
    """Return one delivery with the timeline of its attempts.

    Args:
        item: the delivery.
        attempts: its events, oldest first.
        now: the present instant.
    """
    text = Text()
    text.append(f"{item.get('id')}  ", style="bold")
    text.append_text(status(str(item.get("status"))))
    text.append(f"\n  recipient  {clean(item.get('recipient'))}")
    text.append(f"\n  flow       {clean(item.get('flow'))}, step {clean(item.get('step'))}")
    text.append(f"\n  message    {item.get('message_id')}")
    text.append(f"\n  accepted   {when(item.get('created_at'))}")
    if item.get("status") == "pending":
        text.append(f"\n  expires    {when(item.get('expires_at'))}")
        text.append(f"\n  next send  {_next(item, now)}", style="yellow")
        for line in _closed(item, now):
            text.append(f"\n             {line}", style="dim")
    else:
        text.append(f"\n  ended      {when(item.get('ended_at') or item.get('updated_at'))}")
    if because := why(item):
        text.append(f"\n  why        {because}")
    text.append(f"\n\n{len(attempts)} attempts" if len(attempts) != 1 else "\n\n1 attempt")
    for attempt in attempts:
        text.append_text(_attempt(attempt))
    return text


def _next(item: dict[str, Any], now: int) -> str:
    """Say when the next send may be, and which gate it waits for."""
    due = _due(item, now)
    waiting = item.get("waiting") or {}
    gate = clean(waiting.get("gate") or "backoff").replace("_", " ")
    if gate == "backoff":
        return due
    told = f"due {due}; waits for gate: {gate}"
    if waiting.get("reason"):
        told += f" ({clean(waiting['reason'])})"
    opens = instant(waiting.get("until"))
    return f"{told}, may open {until(opens, now)}" if opens is not None else told


def _closed(item: dict[str, Any], now: int) -> Iterator[str]:
    """Say for every closed gate, if there are several, when it may open and why it is closed."""
    gates = item.get("why_not_now") or []
    for gate in gates if len(gates) > 1 else ():
        yield _gate(gate, now)


def _gate(gate: dict[str, Any], now: int) -> str:
    """Say when a closed gate may open and why it is closed."""
    opens = instant(gate.get("until"))
    line = f"gate: {clean(gate.get('gate')).replace('_', ' ')}"
    line += f", may open {until(opens, now)}" if opens is not None else ""
    return line + (f" ({clean(gate['reason'])})" if gate.get("reason") else "")


def _attempt(item: dict[str, Any]) -> Text:
    outcome = str(item.get("outcome"))
    text = Text(f"\n  {item.get('attempt_number', 0):>3} ", style="bold")
    text.append(f"{when(item.get('request_timestamp') or item.get('retry_timestamp'))}  ")
    text.append(f"{outcome:8}", style="green" if outcome == "success" else "red")
    took = item.get("latency_ms") or 0
    text.append(f"{f'{took:.0f} ms' if took < 1000 else span(took):>7}  ")
    text.append(clean(_came(item), 120))
    marks = [] if item.get("counted", True) else ["not counted"]
    marks += ["stale"] if item.get("stale") else []
    marks += [str(item["trigger"])] if item.get("trigger", "automatic") != "automatic" else []
    text.append(f"  [{', '.join(marks)}]" if marks else "", style="dim")
    for mark in item.get("rules") or ():
        text.append(f"\n        rule {_mark(mark)}", style="dim")
    if word := item.get("judgement"):
        told = f"{word.get('actor')} judged {word.get('group')} {word.get('nature')}"
        text.append(clean(f"\n        {told}", 200), style="dim")
    following = item.get("next_action") or {}
    if following.get("type") and following.get("type") != "done":
        text.append(f"\n        then {clean(following['type']).replace('_', ' ')}", style="dim")
        if following.get("at"):
            text.append(f" at {when(following['at'])}", style="dim")
        if following.get("reason"):
            text.append(f": {clean(following['reason'])}", style="dim")
    return text


def _came(item: dict[str, Any]) -> str:
    """Say what came of a try: its own error or proof, not what had made it necessary."""
    error = item.get("error_details") or {}
    return str(error.get("message") or error.get("code") or _proof(item) or "")


def _mark(mark: dict[str, Any]) -> str:
    """Say what a rule changed."""
    told = f"{mark.get('rule')}: {mark.get('effect')}"
    if mark.get("error"):
        return clean(f"{told}, as if absent: {mark['error']}", 200)
    before = "" if mark.get("before") is None else f" {mark['before']} ->"
    return clean(f"{told}{before} {mark.get('after')}", 200)


def _proof(item: dict[str, Any]) -> str:
    good = item.get("success_indicators") or {}
    parts = [
        f"HTTP {good['http_status']}" if good.get("http_status") else "",
        f"reference {good['reference']}" if good.get("reference") else "",
        f"price {good['price']}" if good.get("price") is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def message(item: dict[str, Any], items: list[dict[str, Any]], now: int, width: int) -> Table:
    """Return one message with its deliveries."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in item.items():
        if name == "deliveries" or value is None:
            continue
        plain = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        table.add_row(name, Text(when(value) if name.endswith("_at") else clean(plain)))
    table.add_row("deliveries", deliveries(items, now, width - 14))
    return table


def event(item: dict[str, Any]) -> Text:
    """Return one event as one line."""
    text = Text(f"{item.get('position', ''):>8} {when(item.get('retry_timestamp'))}  ")
    outcome = str(item.get("outcome"))
    text.append(f"{outcome:8}", style="green" if outcome == "success" else "red")
    text.append(f"{clean(item.get('recipient', '')):14} {item.get('delivery_id')} ")
    text.append(f"#{item.get('attempt_number', 0)} ")
    text.append(clean(_came(item), 80))
    return text
