"""How many sends a worker has under way at once: few to begin with, more while work is due.

S1.78, S5.46: twice the cores at first, doubled while all are in use and something is due, up to
the limit, and halved again after a time in which half would have done.
"""

from collections.abc import Sequence
from typing import Final

PER_CORE: Final = 2
GROW_MS: Final = 25.0
"""Slots are doubled no more often: from 4 to 512 in less than a fifth of a second."""
QUIET_S: Final = 30
"""Half of the slots must have been enough for so long before half of them go."""


def first(cores: float, most: int) -> int:
    """Return how many slots a worker begins with."""
    return max(1, min(most, round(PER_CORE * cores)))


def grown(slots: int, most: int) -> int:
    """Return how many slots there are when all were in use and more was due."""
    return min(most, 2 * slots)


def shrunk(slots: int, least: int, used: Sequence[int]) -> int:
    """Return how many slots there are after the last seconds; `used` has one number for each."""
    quiet = len(used) >= QUIET_S and 2 * max(used[-QUIET_S:]) <= slots
    return max(least, slots // 2) if quiet else slots
