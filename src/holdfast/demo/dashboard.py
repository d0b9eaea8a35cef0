"""Draws a picture: the live screen, the plain status line and the closing table."""

from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from holdfast.demo.picture import Picture
from holdfast.demo.words import clean, colour, span, sparkline, waits

DEFAULT_PORT: Final = 8420
_TONES: Final = {
    "open": "red",
    "half_open": "yellow",
    "recovery": "cyan",
    "closed": "green",
    "success": "green",
    "dead": "magenta",
}


def screen(picture: Picture, *, title: str, now: int, width: int, height: int) -> RenderableType:
    """Return the whole screen, made for `width` columns and `height` rows."""
    used = len(picture.lanes) + 10
    room = max(4, height - used)
    review = min(len(picture.review), max(1, room // 3), 5)
    parts: list[RenderableType] = [
        Text(title, style="bold", no_wrap=True, overflow="ellipsis"),
        lanes_table(picture, now=now, width=width),
        _sums(picture),
        _history(picture, max(2, room - review)),
    ]
    if picture.review:
        parts.append(_review(picture, review))
    if picture.unreachable:
        parts.insert(1, Text(clean(picture.unreachable), style="bold red"))
    return Group(*parts)


def lanes_table(picture: Picture, *, now: int, width: int) -> Table:
    """Return one row per lane; why it waits gets whatever room is left."""
    wide = width >= 100
    bars = 20 if wide else 8
    table = Table(expand=True, box=None, pad_edge=False, header_style="dim")
    table.add_column("recipient", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("breaker", no_wrap=True)
    counts = ("waiting", *(("sending",) if wide else ()), "delivered", "dead")
    for name in counts:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("per second", justify="right", no_wrap=True, min_width=bars + 4)
    table.add_column("why it waits", ratio=1, overflow="ellipsis", no_wrap=True)
    for name, lane in sorted(picture.lanes.items()):
        rates = picture.rates(name)
        table.add_row(
            Text(clean(name)),
            Text(lane.breaker.replace("_", " "), style=colour(lane.breaker)),
            f"{lane.pending:,}",
            *((f"{lane.in_flight}",) if wide else ()),
            f"{lane.delivered:,}",
            Text(f"{lane.dead:,}", style="magenta" if lane.dead else ""),
            Text(f"{sparkline(rates, bars)}{rates[-1] if rates else 0:4.0f}", style="cyan"),
            Text(waits(lane, now)),
        )
    return table


def _sums(picture: Picture) -> Text:
    sums = picture.totals
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"\n{sums.created:,} accepted", style="bold")
    text.append(f" = {sums.delivered:,} delivered + {sums.pending:,} waiting + {sums.dead:,} dead")
    ended = sums.discarded + sums.pruned
    text.append(f" + {ended:,} discarded" if ended else "")
    good = sums.adds_up
    text.append("  ✓" if good else "  does not add up!", style="green" if good else "bold red")
    return text


def _history(picture: Picture, count: int) -> RenderableType:
    lines = list(picture.lines)[-count:]
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, line in enumerate(lines):
        clock = datetime.fromtimestamp(line.at / 1000, UTC).astimezone()
        text.append("\n" if number else "")
        text.append(f"{clock:%H:%M:%S} ", style="dim")
        text.append(line.text, style=_TONES.get(line.tone, ""))
    if not lines:
        text = Text("nothing out of the ordinary yet", style="dim")
    return Panel(text, title="what happens", title_align="left", border_style="dim")


def _review(picture: Picture, count: int) -> RenderableType:
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, dead in enumerate(picture.review[:count]):
        text.append("\n" if number else "")
        text.append(f"{dead.recipient:12.12} ", style="bold")
        text.append(f"{clean(dead.reason or dead.code or 'no reason', 40)} ")
        text.append(dead.id, style="dim")
    title = f"in review: {picture.totals.dead:,}"
    return Panel(text, title=title, title_align="left", border_style="magenta")


def status_line(picture: Picture, *, now: int) -> str:
    """Return the state in one line, for logs and pipes."""
    sums = picture.totals
    lanes = [
        f"{clean(name)} {lane.breaker.replace('_', ' ')}: {why}"
        if lane.breaker != "closed"
        else f"{clean(name)}: {why}"
        for name, lane in sorted(picture.lanes.items())
        if (why := waits(lane, now))
    ]
    rate = sum(picture.rates(name)[-1] for name in picture.lanes if picture.rates(name))
    return (
        f"accepted {sums.created:,}  delivered {sums.delivered:,}  waiting {sums.pending:,}  "
        f"dead {sums.dead:,}  {rate:.0f}/s  {'; '.join(lanes) or 'all lanes flow'}"
    )


def closing(
    picture: Picture, *, seconds: float, leads: int, confirmed: dict[str, int], repeats: int
) -> Group:
    """Return the table at the end: what became of everything, and the partners' own count.

    Args:
        picture: the last look, with nothing in flight if that was possible.
        seconds: how long the demo ran.
        leads: messages that were handed in.
        confirmed: recipient -> leads it took and said so, as counted by the partner itself.
        repeats: requests the partners recognised by their Idempotency-Key.
    """
    now = picture.totals
    sums = now.since(picture.started or now)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", style="bold")
    table.add_column()
    rows = [
        (sums.created, f"deliveries of {leads:,} leads accepted in {span(seconds * 1000)}"),
        (picture.first_try, "delivered at the first try"),
        (picture.by_retry, "brought home by retries and probes"),
        (sums.dead, "in review, each with its reason"),
        (sums.pending, "still waiting; they are safe on disk and go on at the next start"),
    ]
    if (likely := sums.delivered - picture.proven) > 0:
        rows.insert(3, (likely, "likely delivered before a crash: the partner has them already"))
    for count, text in rows:
        table.add_row(f"{count:,}", text)
    return Group(Text(), table, Text(), _proof(picture.proven, confirmed, repeats))


def _proof(proven: int, confirmed: dict[str, int], repeats: int) -> Text:
    theirs = sum(confirmed.values())
    counted = ", ".join(f"{name} {count:,}" for name, count in sorted(confirmed.items()))
    text = Text(f"The partners counted {theirs:,} different leads ({counted}); ")
    if theirs == proven:
        text.append(f"Holdfast counts {proven:,} delivered. They agree.", style="green")
    else:
        text.append(f"Holdfast counts {proven:,}; what differs was on its way.", style="yellow")
    if repeats:
        text.append(f" {repeats:,} repeated requests were recognised by their Idempotency-Key.")
    return text


def advice(port: int, dead: str | None) -> str:
    """Return what to try next at the API's port (8420 needs no option), one command a line."""
    option = "" if port == DEFAULT_PORT else f" --url http://127.0.0.1:{port}"
    some = dead or "dlv_..."
    return "\n".join(
        (
            f"  holdfast ls --status dead{option}",
            f"  holdfast show {some}{option}",
            f'  holdfast redrive {some} --reason "postal code list was old"{option}',
        )
    )
