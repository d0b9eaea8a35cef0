"""Draws a run: send rate against capacity, what waits, and what was wasted (SVG, by hand)."""

import math
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from holdfast.lab.compare import Comparison
from holdfast.lab.product import NAME
from holdfast.lab.series import Series

COLOURS: Final = {
    "B2": ("#b4472e", "full jitter"),
    "B5": ("#3b6ea8", "Svix"),
    "B10": ("#8a5aa8", "full jitter, breaker, budget"),
    "O": ("#888888", "the best possible"),
    NAME: ("#2f7d4f", ""),
}
"""The policies that are drawn where they ran, Holdfast over all; more lines cannot be read."""
_OTHER: Final = ("#a87d3b", "#3ba89d", "#a83b77")
_STEPS: Final = (5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400, 432_000)
"""Seconds between two names on the axis of time."""
_TICKS_MAX: Final = 8
_LINE: Final = 13
"""Height of a line of small text."""
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 860, 190, 70, 50, 44


def plot(comparison: Comparison, runs: Mapping[str, Series]) -> str:
    """Return the SVG of one seed's runs, policy -> series."""
    drawn = {policy: runs[policy] for policy in COLOURS if policy in runs} or dict(runs)
    legend = {
        policy: COLOURS.get(policy, (_OTHER[number % len(_OTHER)], ""))
        for number, policy in enumerate(drawn)
    }
    colours = {policy: colour for policy, (colour, _) in legend.items()}
    panels = [
        ("most sends in one second; dashed: what the partner takes", "offered"),
        ("messages that wait", "waiting"),
        ("failed sends so far", "wasted"),
    ]
    height = _TOP + len(panels) * (_HEIGHT + _GAP) + 10
    title = escape(f"{comparison.scenario}: {comparison.title}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + _LEFT + 20} {height}"',
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="15">{title}</text>',
    ]
    x = float(_LEFT)
    for policy, (colour, words) in legend.items():
        name = f"{policy}: {words}" if words else policy
        parts.append(
            f'<path d="M{x:.0f} 36h16" stroke="{colour}" stroke-width="3"/>'
            f'<text x="{x + 20:.0f}" y="40">{escape(name)}</text>'
        )
        x += 46 + 6.2 * len(name)
    for number, (label, field) in enumerate(panels):
        top = _TOP + number * (_HEIGHT + _GAP)
        parts += _panel(label, field, top, drawn, colours)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    label: str, field: str, top: int, runs: Mapping[str, Series], colours: Mapping[str, str]
) -> list[str]:
    """Return one panel: its frame, its scale (log of 1 + y) and a line for every policy."""
    lines: dict[str, Sequence[float]] = {p: getattr(run, field) for p, run in runs.items()}
    first = next(iter(runs.values()))
    capacity = first.capacity if field == "offered" else []
    highest = max([1.0, *capacity, *(max(line, default=0) for line in lines.values())])
    ends = first.at[-1] or 1.0
    parts = [
        f'<text x="{_LEFT}" y="{top + 14}">{label}</text>',
        f'<rect x="{_LEFT}" y="{top + 20}" width="{_WIDTH}" height="{_HEIGHT - 20}"',
        'fill="none" stroke="#999"/>',
    ]
    for mark in _marks(highest):
        y = _y(mark, highest, top)
        if mark and _y(0, highest, top) - y < _LINE:
            continue
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{mark:,.0f}</text>'
            f'<path d="M{_LEFT} {y:.1f}h{_WIDTH}" stroke="#ddd"/>'
        )
    for seconds in _ticks(ends):
        x = _LEFT + seconds / ends * _WIDTH
        parts.append(
            f'<path d="M{x:.1f} {top + _HEIGHT}v4" stroke="#999"/>'
            f'<text x="{x:.0f}" y="{top + _HEIGHT + 16}" text-anchor="middle">'
            f"{_time(seconds)}</text>"
        )
    if capacity:
        parts.append(
            _line(first.at, capacity, highest, top, 'stroke="#222" stroke-dasharray="5 4"')
        )
    for policy, line in lines.items():
        width = 2.2 if policy == NAME else 1.4
        style = f'stroke="{colours[policy]}" stroke-width="{width}"'
        parts.append(_line(runs[policy].at, line, highest, top, style))
    return parts


def _ticks(ends: float) -> list[float]:
    """Return instants to name: some five, evenly, at round times."""
    step = next((each for each in _STEPS if ends / each <= _TICKS_MAX), _STEPS[-1])
    return [step * number for number in range(int(ends / step) + 1)]


def _time(seconds: float) -> str:
    """Return a duration in the largest unit that it is a whole number of."""
    for unit, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds and seconds % unit == 0:
            return f"{seconds / unit:g} {word}"
    return f"{seconds:g} s"


def _line(
    at: Sequence[float], values: Sequence[float], highest: float, top: int, style: str
) -> str:
    ends = at[-1] or 1.0
    points = " ".join(
        f"{_LEFT + _WIDTH * x / ends:.1f},{_y(y, highest, top):.1f}"
        for x, y in zip(at, values, strict=True)
    )
    return f'<polyline points="{points}" fill="none" {style}/>'


def _y(value: float, highest: float, top: int) -> float:
    share = math.log1p(value) / math.log1p(highest)
    return top + _HEIGHT - share * (_HEIGHT - 24)


def _marks(highest: float) -> list[float]:
    """Return 0 and the powers of ten up to the highest value."""
    return [0.0, *(10.0**power for power in range(int(math.log10(highest)) + 1))]
