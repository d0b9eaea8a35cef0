"""How often does the breaker cry wolf, and how soon does it see a wolf? Millions of sends.

Each send goes through the product's own memory of a lane (`engine.learning`, which says what is
usual) and its own breaker (`policy.breaker.record`); nothing is copied. A recipient fails now and
then, always with the same probability: whatever the breaker does about it is a false alarm.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.engine.fleet import Fleet
from holdfast.engine.learning import Learning
from holdfast.model.flow import Endpoint, Recipient
from holdfast.model.lane import Breaker, BreakerState
from holdfast.model.learned import Learned
from holdfast.policy import breaker as breakers

TELL_EVERY: Final = 100_000
_EVERY_MS: Final = 100
"""Time between two sends."""
_LEARN: Final = 5_000
"""Sends after which what is usual is known; alarms before that are not counted."""
_ASK_EVERY: Final = 1_000
"""Sends between two times at which the recipient is imagined to go down."""
_TOOK_MS: Final = 50.0
_LONGEST: Final = 100


class Alarms(msgspec.Struct, frozen=True, kw_only=True):
    """What the breaker made of a recipient that is as well as ever.

    Attributes:
        share: of the sends that fail.
        sends: how many were counted.
        opened: false openings.
        slowed: times that it only slowed the lane down.
        seen: failures until it opened -> how often, when from some instant on all sends failed.
    """

    share: float
    sends: int
    opened: int
    slowed: int
    seen: dict[int, int]

    @property
    def per_100_000(self) -> float:
        """Return the false openings per 100,000 sends."""
        return self.opened * 1e5 / self.sends

    def seen_within(self, failures: int) -> float:
        """Return the share of the outages that were seen within so many failures."""
        early = sum(count for number, count in self.seen.items() if number <= failures)
        return early / max(1, sum(self.seen.values()))


def measure(share: float, sends: int, seed: int, tell: Callable[[int], None]) -> Alarms:
    """Send to a recipient that fails with a probability.

    Args:
        share: of the sends that fail.
        sends: how many.
        seed: of all draws.
        tell: hears after every `TELL_EVERY` sends how many they are.
    """
    lane = _Lane(random.Random(seed))  # noqa: S311  # not for secrets
    draw = random.Random(f"{seed}:failures").random  # noqa: S311
    for _ in range(_LEARN):
        lane.send(ok=draw() >= share)
    states: Counter[BreakerState] = Counter()
    seen: Counter[int] = Counter()
    for number in range(1, sends + 1):
        states[lane.send(ok=draw() >= share)] += 1
        if number % _ASK_EVERY == 0:
            seen[lane.imagined()] += 1
        if number % TELL_EVERY == 0:
            tell(number)
    return Alarms(
        share=share,
        sends=sends,
        opened=states[BreakerState.OPEN],
        slowed=states[BreakerState.RECOVERY],
        seen=dict(sorted(seen.items())),
    )


class _Lane:
    """Breaker and memory of a lane, without a queue."""

    def __init__(self, rng: random.Random) -> None:
        endpoint = Endpoint(url="https://partner.example/")
        recipient = Recipient(name="partner", endpoints=(endpoint,))
        self._settings = recipient.breaker
        self._learning = Learning(recipient, Learned(), Fleet(), lambda: 0)
        self._breaker = Breaker()
        self._now = 1
        self._rng = rng

    def send(self, *, ok: bool) -> BreakerState:
        """Take in an answer and return what the breaker became; it starts anew after an alarm."""
        self._now += _EVERY_MS
        breaker = self._breaker
        slow = self._learning.answered(
            _TOOK_MS, ok=ok, kind=None, healthy=True, settled=breaker.score == 0
        )
        after = self._recorded(breaker, self._now, ok=ok, slow=slow)
        state = after.state
        if state is not BreakerState.CLOSED:
            after = breakers.reset(after, self._now)
        self._breaker = after
        return state

    def imagined(self) -> int:
        """Return how many failures in a row open the breaker as it is now."""
        breaker, now = self._breaker, self._now
        for number in range(1, _LONGEST + 1):
            now += _EVERY_MS
            breaker = self._recorded(breaker, now, ok=False, slow=False)
            if breaker.state is BreakerState.OPEN:
                return number
        return _LONGEST

    def _recorded(self, breaker: Breaker, now: int, *, ok: bool, slow: bool) -> Breaker:
        return breakers.record(
            breaker,
            self._settings,
            ok=ok,
            started_at=now,
            now=now,
            rng=self._rng,
            slow=slow,
            base=self._learning.base,
        )
