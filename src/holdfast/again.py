"""Compare and set, and look again when somebody else was first."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from holdfast.errors import Conflict

T = TypeVar("T")

TRIES: Final = 5
"""Each time somebody was first, so several who start at once are soon through."""


async def again(work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` returns: it looks, and writes what is new by that.

    Raises:
        Conflict: somebody else was first each time.
    """
    for _ in range(TRIES - 1):
        try:
            return await work()
        except Conflict:
            continue
    return await work()
