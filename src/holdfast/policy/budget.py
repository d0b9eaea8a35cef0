"""The retry budget: retries are a share of first tries, so that they cannot swamp a recipient.

A token bucket (algorithms 3.4, after Finagle and the AWS client): first tries and time pay in, a
retry costs by what failed before, and gets its cost back when it succeeds. An empty bucket makes
retries wait; it never drops one.
"""

from typing import Final

import msgspec

from holdfast.model.attempt import FailureClass
from holdfast.model.throttle import BudgetSettings

CAPACITY_S: Final = 10.0
"""The bucket holds what is paid in during so many seconds."""
COST_MAX: Final = 2.0
_COSTS: Final[dict[str, float]] = {FailureClass.TIMEOUT: COST_MAX, FailureClass.RATE_LIMIT: 0.4}


class Budget(msgspec.Struct, frozen=True, gc=False):
    """What is in the bucket at an instant (ms), and the first tries per second of late."""

    tokens: float
    at: int
    firsts: float = 0.0


def cost(failure_class: str | None) -> float:
    """Return what a retry after such a failure costs: a timeout held a connection for long."""
    return _COSTS.get(failure_class or "", 1.0)


def capacity(settings: BudgetSettings, firsts: float) -> float:
    """Return the most tokens the bucket holds at so many first tries per second."""
    return max(COST_MAX, CAPACITY_S * (settings.min_rate + settings.ratio * firsts))


def full(settings: BudgetSettings, now: int) -> Budget:
    """Return a bucket that nobody has used yet."""
    return Budget(capacity(settings, 0.0), now)


def empty(now: int) -> Budget:
    """Return a bucket of which nobody knows what is left."""
    return Budget(0.0, now)


def refilled(budget: Budget, settings: BudgetSettings, firsts: int, now: int) -> Budget:
    """Return the bucket at `now`, `firsts` first tries later."""
    seconds = (now - budget.at) / 1000
    if seconds <= 0:  # also when the clock went back: nothing is paid in for that
        tokens = budget.tokens + settings.ratio * firsts
        return Budget(min(tokens, max(budget.tokens, capacity(settings, budget.firsts))), now,
                      budget.firsts)  # fmt: skip
    weight = 0.5 ** (seconds / CAPACITY_S)
    rate = budget.firsts * weight + (1 - weight) * firsts / seconds
    paid = settings.min_rate * seconds + settings.ratio * firsts
    return Budget(min(budget.tokens + paid, capacity(settings, rate)), now, rate)


def opens_at(budget: Budget, settings: BudgetSettings, price: float, now: int) -> int:
    """Return when time alone has paid in for a retry of that price, `now` when it is there."""
    lacks = price - budget.tokens
    return now if lacks <= 0 else now + int(lacks / settings.min_rate * 1000) + 1


def spent(budget: Budget, price: float) -> Budget:
    """Return the bucket after a retry; a negative price gives back."""
    return Budget(budget.tokens - price, budget.at, budget.firsts)
