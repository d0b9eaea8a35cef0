"""What the strong baselines add to a schedule: breaker, budgets and a client rate limiter.

Written from the published algorithms (algorithms 1.2 and 1.3), one guard per partner. Times are
ms from the start. A guard may refuse a send (the message waits for its own next delay) or put it
off; what it refuses costs the partner nothing.
"""

import math
import random
from collections import deque
from typing import Final

from holdfast.lab.partner import Answer

_REFUSED: Final = -1
"""`Guard.admit`: not now."""


class Guard:
    """Lets everything pass; the others override what they decide."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.openings: list[int] = []
        """When a breaker opened from closed."""

    def admit(self, now: int, *, retry: bool) -> int:
        """Return 0: it may go; below 0: it may not; else the ms until it is worth asking again."""
        del now, retry
        return 0

    def heard(self, now: int, answer: Answer, paid: int, *, retry: bool) -> None:
        """Learn from an answer; `paid` is what `price` took for this try."""
        del now, answer, paid, retry

    def price(self, answer: Answer) -> int:
        """Take tokens for a retry after this answer and return how many; below 0: none left."""
        del answer
        return 0

    def delay(self, n: int, answer: Answer) -> float | None:
        """Return the seconds before retry `n` where the guard owns the schedule, else None."""
        del n, answer
        return None


def failed(answer: Answer) -> bool:
    """Tell whether an answer is trouble of the partner: none at all, or a 5xx."""
    return answer.status == 0 or answer.status >= 500


class BreakerBudget(Guard):
    """Linkerd's unified breaker and Finagle's retry budget."""

    CONSECUTIVE: Final = 7
    SUCCESS_RATE: Final = 0.8
    MIN_REQUESTS: Final = 5
    BUCKETS: Final = 10
    PENALTY_S: Final = (1.0, 60.0)
    PENALTY_JITTER: Final = 0.5
    RATIO: Final = 0.2
    MIN_PER_SECOND: Final = 10
    TTL_S: Final = 10

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.open_until = 0
        self.state = "closed"
        self._failures = 0
        self._penalties = 0
        self._calls: deque[tuple[int, int, int]] = deque()
        """(second, calls, successes): exact buckets, not an average."""
        self._moves: deque[tuple[int, float]] = deque()
        """(second, deposits less withdrawals) of the budget."""

    def admit(self, now: int, *, retry: bool) -> int:
        """Refuse while open, let one probe through, and take retries from the budget."""
        if self.state == "probing" or (self.state == "open" and now < self.open_until):
            return _REFUSED
        if retry and not self._withdraw(now):
            return _REFUSED
        if not retry:
            self._move(now, 1.0)
        if self.state == "open":
            self.state = "probing"
        return 0

    def balance(self, now: int) -> float:
        """Return the budget: deposits of the last `TTL_S`, less withdrawals, and the reserve."""
        second = now // 1000
        while self._moves and self._moves[0][0] <= second - self.TTL_S:
            self._moves.popleft()
        reserve = self.MIN_PER_SECOND * self.TTL_S / self.RATIO
        return sum(amount for _, amount in self._moves) + reserve

    def _withdraw(self, now: int) -> bool:
        cost = 1 / self.RATIO
        if self.balance(now) < cost:
            return False
        self._move(now, -cost)
        return True

    def _move(self, now: int, amount: float) -> None:
        second = now // 1000
        if self._moves and self._moves[-1][0] == second:
            amount += self._moves.pop()[1]
        self._moves.append((second, amount))

    def heard(self, now: int, answer: Answer, paid: int, *, retry: bool) -> None:
        """Count; open after failures in a row or at a low share of successes."""
        del paid, retry
        ok = not failed(answer) and answer.status != 429
        if self.state == "probing":
            self._probed(now, ok=ok)
            return
        if self.state == "open":
            return
        if failed(answer):
            self._failures += 1
        elif answer.status != 429:
            self._failures = 0
        self._count(now, ok=ok)
        if self._failures >= self.CONSECUTIVE or self._poor():
            self.openings.append(now)
            self._open(now)

    def _probed(self, now: int, *, ok: bool) -> None:
        if not ok:
            self._open(now)
            return
        self.state = "closed"
        self._penalties = self._failures = 0
        self._calls.clear()

    def _open(self, now: int) -> None:
        first, longest = self.PENALTY_S
        penalty = min(longest, first * 2.0 ** min(self._penalties, 30))
        penalty *= 1 + self.PENALTY_JITTER * self._rng.random()
        self._penalties += 1
        self.state = "open"
        self.open_until = now + round(penalty * 1000)

    def _count(self, now: int, *, ok: bool) -> None:
        second = now // 1000
        while self._calls and self._calls[0][0] <= second - self.BUCKETS:
            self._calls.popleft()
        calls, good = 1, int(ok)
        if self._calls and self._calls[-1][0] == second:
            _, before, well = self._calls.pop()
            calls, good = calls + before, good + well
        self._calls.append((second, calls, good))

    def _poor(self) -> bool:
        calls = sum(count for _, count, _ in self._calls)
        good = sum(count for _, _, count in self._calls)
        return calls >= self.MIN_REQUESTS and good < self.SUCCESS_RATE * calls


class AwsStandard(Guard):
    """The retry quota and the delays of the AWS SDKs' standard mode."""

    CAPACITY: Final = 500
    COST: Final = 14
    COST_THROTTLED: Final = 5
    SCALE_S: Final = 0.05
    SCALE_THROTTLED_S: Final = 1.0
    LONGEST_S: Final = 20.0

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.tokens = self.CAPACITY

    def price(self, answer: Answer) -> int:
        """Take 14 tokens after trouble, 5 after a throttle; without them there is no retry."""
        cost = self.COST_THROTTLED if answer.status == 429 else self.COST
        if self.tokens < cost:
            return _REFUSED
        self.tokens -= cost
        return cost

    def heard(self, now: int, answer: Answer, paid: int, *, retry: bool) -> None:
        """Give back what the last retry cost, or 1 for a first try, when it succeeds."""
        del now, retry
        if 200 <= answer.status < 300:
            self.tokens = min(self.CAPACITY, self.tokens + (paid or 1))

    def delay(self, n: int, answer: Answer) -> float:
        """Return `rand() * min(scale * 2^(n-1), 20 s)`."""
        scale = self.SCALE_THROTTLED_S if answer.status == 429 else self.SCALE_S
        return self._rng.random() * min(scale * 2.0 ** (n - 1), self.LONGEST_S)


class AwsAdaptive(AwsStandard):
    """Standard mode behind a token bucket whose rate follows CUBIC after the first throttle."""

    BETA: Final = 0.7
    SCALE: Final = 0.4
    LEAST: Final = 0.5
    SMOOTH: Final = 0.8

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.enabled = False
        self.rate = self.LEAST
        self._tokens = 0.0
        self._filled_at = 0
        self._w_max = 0.0
        self._throttled_at = 0.0
        self._measured = 0.0
        self._bucket = 0
        self._count = 0

    def admit(self, now: int, *, retry: bool) -> int:
        """Put a send off until the bucket has a token for it; then it has to ask again."""
        del retry
        if not self.enabled:
            return 0
        earned = (now - self._filled_at) * self.rate / 1000
        self._tokens = min(max(1.0, self.rate), self._tokens + earned)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, math.ceil((1 - self._tokens) * 1000 / self.rate))

    def heard(self, now: int, answer: Answer, paid: int, *, retry: bool) -> None:
        """Measure the rate in buckets of half a second and move the limit."""
        super().heard(now, answer, paid, retry=retry)
        self._measure(now)
        if answer.status == 429:
            self._w_max = min(self._measured, self.rate) if self.enabled else self._measured
            self._throttled_at = now / 1000
            self.rate = max(self.LEAST, self.BETA * self._w_max)
            if not self.enabled:
                self.enabled, self._filled_at = True, now
        elif self.enabled:
            k = (self._w_max * (1 - self.BETA) / self.SCALE) ** (1 / 3)
            cubic = self.SCALE * (now / 1000 - self._throttled_at - k) ** 3 + self._w_max
            self.rate = max(self.LEAST, min(cubic, 2 * self._measured))

    def _measure(self, now: int) -> None:
        bucket = now // 500
        self._count += 1
        if bucket > self._bucket:
            rate = self._count * 1000 / (500 * (bucket - self._bucket))
            self._measured = rate * self.SMOOTH + self._measured * (1 - self.SMOOTH)
            self._bucket, self._count = bucket, 0


GUARDS: Final = {
    None: Guard,
    "aws_standard": AwsStandard,
    "aws_adaptive": AwsAdaptive,
    "breaker_budget": BreakerBudget,
}
