"""How sure one can be of a share that was seen in few cases."""

import math
from typing import Final

CONFIDENCE: Final = 1.6448536269514722
"""Of one side, 95 %: the normal quantile."""


def lower(hits: float, cases: float) -> float:
    """Return the lower end of the Wilson interval of a share (E. B. Wilson, 1927), 95 % one-sided.

    Args:
        hits: 0 to `cases`.
        cases: how many were seen; none: 0.0, as nothing is known.
    """
    if cases <= 0:
        return 0.0
    share, square = hits / cases, CONFIDENCE * CONFIDENCE
    centre = share + square / (2 * cases)
    spread = CONFIDENCE * math.sqrt((share * (1 - share) + square / (4 * cases)) / cases)
    return max(0.0, (centre - spread) / (1 + square / cases))
