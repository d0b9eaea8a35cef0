"""How a lane keeps to what its partner says of its quota, and to what it refuses.

Made when a partner first speaks of a limit; a lane whose partner never does has none.

Whose duty a 429 is. With a time (Retry-After) it is always the throttle's: the lane waits that
long, and at least `floor_ms`. A bare one, `Decision.bare_limit`, says only "too fast". Where the
lane has a pace, that is the pace's (`policy.pacer`): it cuts the rate, and nothing stops; in mode
`cusum` a bare 429 of a closed lane starts a pace. Where it has none (mode `threshold`, no
breaker, a probe) it is the throttle's: the lane waits as long as the refused delivery's own
delay, ever longer while nothing is taken; one that ended by it has no delay, and from the second
on it waits all the same. `Lane.waits_for_bare_limit` is that rule.

None of this is kept over a restart, which is safe: what a partner asked for with a time is in the
lane's row (`gate_until`) with the commit that settles the try that heard it (when that commit is
refused as a whole, with the next one), the pace too. An answer that was under way at a crash
nobody has heard: the next owner sends again. What is forgotten is how much was left of a quota
that is not used up and how many refusals followed each other. The next answer tells both again,
and until then at most the sends at once are too many, each of which the partner may refuse at no
cost of a retry.
"""

from typing import Final

from holdfast.policy.hint import Quota

BURST_SHARE: Final = 0.1
"""Part of a quota's time that may be sent ahead of its even rate."""
LOOK_MS: Final = 1000
"""How soon a lane looks again that waits for a send to end, should nothing tell it."""
_FIRST_FLOOR_MS: Final = 1000
_FLOOR_MAX_MS: Final = 60_000


def floor_ms(refusals: int) -> int:
    """Return the least wait after so many refusals in a row: 0, 1 s, 2 s, ... 60 s.

    A partner that answers 429 for ever, or says Retry-After: 0, is asked ever more rarely.
    """
    if refusals < 2:
        return 0
    return int(min(_FIRST_FLOOR_MS * 2 ** min(refusals - 2, 10), _FLOOR_MAX_MS))


class Throttle:
    """The partner's quota as last heard, and its refusals (429) in a row."""

    def __init__(self) -> None:
        self._until = 0
        self._left = 0
        """Sends that the quota has left until then ..."""
        self._sure = 0
        """... and without those on the wire, which it may or may not know of."""
        self._interval = 0.0
        self._burst = 0.0
        self._next_at = 0.0
        self._refusals = 0
        self._closed_at = 0

    def opens_at(self, now: int, in_flight: int) -> int:
        """Return when the next send may be handed out, at most `now` when it may be."""
        if self._refusals and in_flight > 0:
            return now + LOOK_MS  # one asks whether the partner takes again, the others wait
        if self._until <= now:
            return now
        if self._left <= 0:
            return self._until
        if self._sure <= 0 and in_flight > 0:
            return min(now + LOOK_MS, self._until)
        return min(int(self._next_at - self._burst), self._until)

    def set_back(self, by_ms: int) -> None:
        """Keep pace with a clock that was set back."""
        self._until -= by_ms
        self._next_at -= by_ms
        self._closed_at -= by_ms

    def taken(self, now: int) -> None:
        """Note that a send was handed out."""
        self._left -= 1
        self._sure -= 1
        self._next_at = max(float(now), self._next_at) + self._interval

    def heard(self, quota: Quota, now: int, in_flight: int) -> None:
        """Take in what a reply said: at most that many, spread over that time (a tenth ahead).

        Args:
            quota: the reply's, its time already bounded by the policy.
            now: ms since the epoch.
            in_flight: sends on the wire.
        """
        self._until = now + quota.wait_ms
        self._left = quota.remaining
        self._sure = quota.remaining - in_flight
        self._interval = quota.wait_ms / max(1, quota.remaining)
        self._burst = quota.wait_ms * BURST_SHARE
        self._next_at = min(self._next_at, float(self._until))

    def refused(self, started_at: int, now: int) -> int:
        """Note a refusal and return the least wait; those sent before the last one count once."""
        if started_at >= self._closed_at:
            self._refusals += 1
            self._closed_at = now
        return floor_ms(self._refusals)

    def accepted(self, started_at: int) -> None:
        """Note that the partner takes again."""
        if started_at >= self._closed_at:
            self._refusals = 0
