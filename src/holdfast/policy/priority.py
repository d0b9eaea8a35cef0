"""Which band of a lane is served next: priority with ageing, first tries before old retries."""

from collections.abc import Sequence
from typing import Any, Final

_HEAD_START_MS: Final = (660_000, 600_000, 360_000, 300_000, 60_000, 0)
"""How much longer the lowest band must have waited to be served before each band (S1.77).

A first try of normal priority goes before a retry of the same priority unless that one has been
due for a minute longer; high priority goes before normal unless that waited five minutes longer.
"""

COST: Final = (1.0, 1.0, 2.0, 2.0, 4.0, 4.0)
"""What a send of each band costs its lane in fair shares: lanes with urgent work come up more."""


def choose(bands: Sequence[Sequence[tuple[int, Any, Any]]], now: int) -> int | None:
    """Return the index of the band to serve, or None when no head is due.

    Args:
        bands: heaps of (due, id, thing), best band first.
        now: ms since the epoch.
    """
    best = None
    best_score = 0
    for index, band in enumerate(bands):
        if not band or (due := band[0][0]) > now:
            continue
        score = due - _HEAD_START_MS[index]
        if best is None or score < best_score:
            best, best_score = index, score
    return best
