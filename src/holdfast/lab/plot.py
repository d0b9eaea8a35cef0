"""Draws a run: send rate against capacity, what waits, and what was wasted (SVG, by hand)."""

import math
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from holdfast.lab.compare import Comparison
from holdfast.lab.product import NAME
from holdfast.lab.series import Series

COLOURS: Final = {
    NAME: "#2f7d4f",
    "O": "#888888",
    "B2": "#b4472e",
    "B5": "#3b6ea8",
    "B10": "#8a5aa8",
}
"""The policies that are drawn where they ran; more lines cannot be read."""
_OTHER: Final = ("#a87d3b", "#3ba89d", "#a83b77")
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 860, 190, 70, 50, 44


def plot(comparison: Comparison, runs: Mapping[str, Series]) -> str:
    """Return the SVG of one seed's runs, policy -> series."""
    drawn = {policy: runs[policy] for policy in COLOURS if policy in runs} or dict(runs)
    colours = {
        policy: COLOURS.get(policy, _OTHER[number % len(_OTHER)])
        for number, policy in enumerate(drawn)
    }
    panels = [
        ("sends per second (most in one second); dashed: capacity", "offered"),
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
    for number, policy in enumerate(drawn):
        x = _LEFT + number * 110
        parts.append(f'<text x="{x}" y="38" fill="{colours[policy]}">{escape(policy)}</text>')
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
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{mark:,.0f}</text>'
            f'<path d="M{_LEFT} {y:.1f}h{_WIDTH}" stroke="#ddd"/>'
        )
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = _LEFT + share * _WIDTH
        parts.append(
            f'<text x="{x:.0f}" y="{top + _HEIGHT + 16}" text-anchor="middle">'
            f"{share * ends:,.0f} s</text>"
        )
    if capacity:
        parts.append(
            _line(first.at, capacity, highest, top, 'stroke="#222" stroke-dasharray="5 4"')
        )
    for policy, line in lines.items():
        style = f'stroke="{colours[policy]}" stroke-width="1.6"'
        parts.append(_line(runs[policy].at, line, highest, top, style))
    return parts


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
