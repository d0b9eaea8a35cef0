"""The model of a partner (algorithms 4.1): capacity, latency, overload, warm-up, limits, faults.

It is asked at an instant and answers at once with what comes back and after how long; it holds no
clock. Instants must not go backwards by more than a second. Deterministic but for the draws of
its own random stream.
"""

import bisect
import random
from typing import Final, NamedTuple

import msgspec

from holdfast.lab.scenario import Fault, Profile

_SLICE_MS: Final = 50
_SLICES: Final = 20
"""Load is counted over the last second, in slices."""
_LATENCY_MAX: Final = 50.0
"""A served request takes at most this many times the idle latency."""
_REFUSED_MS: Final = 2
"""A refused connection is noticed after this."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """A fault as it was drawn: from `begin` until before `end`, in ms.

    `share` is a brown-out's share of 5xx.
    """

    begin: int
    end: int
    fault: Fault
    share: float = 0.0


class Answer(NamedTuple):
    """What comes back: `status` is 0 without an answer, `error` says why; `took` in ms."""

    took: int
    status: int
    error: str = ""
    retry_after: str | None = None
    rate_limit: str | None = None


class Partner:
    """One partner.

    Args:
        profile: what it can bear.
        spans: what befalls it, in order, without overlap.
        rng: draws the answers of brown-outs.
    """

    def __init__(self, profile: Profile, spans: list[Span], rng: random.Random) -> None:
        self.profile = profile
        self.spans = spans
        self._begins = [span.begin for span in spans]
        self._rng = rng
        self._offered = [0] * _SLICES
        self._served = [0] * _SLICES
        self._slice = 0
        self._offered_sum = 0
        self._served_sum = 0
        self._tokens = profile.quota.burst if profile.quota else 0.0
        self._tokens_at = 0
        self._working: list[int] = []
        self._hints = 0
        self.offered: dict[int, int] = {}
        """Requests by second ..."""
        self.rejected: dict[int, int] = {}
        """... those that overload turned away ..."""
        self.limited: dict[int, int] = {}
        """... those that got a 429 ..."""
        self.failed: dict[int, int] = {}
        """... and all that failed, for whatever reason."""

    def fault(self, now: int) -> Span | None:
        """Return what is wrong now, or None."""
        index = bisect.bisect_right(self._begins, now) - 1
        if index >= 0 and now < self.spans[index].end:
            return self.spans[index]
        return None

    def dead(self, now: int) -> Span | None:
        """Return the outage that lasts now, if nothing gets through and nothing tells more."""
        span = self.fault(now)
        return span if span is not None and span.fault.kind in ("outage", "refuse") else None

    def capacity(self, now: int) -> float:
        """Return requests per second that are served at most: less while it warms up."""
        profile = self.profile
        index = bisect.bisect_right(self._begins, now) - 1
        if index < 0 or not profile.warm_seconds:
            return profile.capacity
        span = self.spans[index]
        if span.fault.kind != "outage":
            return profile.capacity
        if now < span.end:
            return 0.0
        warm = min(1.0, (now - span.end) / (profile.warm_seconds * 1000))
        return profile.capacity * (profile.warm_from + (1 - profile.warm_from) * warm)

    def effective(self, now: int, load: float) -> float:
        """Return requests per second that are served under a load: it falls under overload."""
        capacity = self.capacity(now)
        if load <= capacity:
            return capacity
        return capacity * max(self.profile.floor, capacity / load)

    def ask(self, now: int, *, poison: bool = False) -> Answer:
        """Take one request.

        Args:
            now: ms from the start.
            poison: the message is one that is never taken.
        """
        second = now // 1000
        self.offered[second] = self.offered.get(second, 0) + 1
        answer = self._answer(now, poison=poison)
        if not 200 <= answer.status < 300:
            self.failed[second] = self.failed.get(second, 0) + 1
        return self._late(answer)

    def ask_dead(self, span: Span) -> Answer:
        """Return what an outage answers, without counting: see `turned_away`."""
        return self._late(self._fault_answer(span.fault))

    def turned_away(self, now: int) -> None:
        """Count a request that met an outage."""
        second = now // 1000
        self.offered[second] = self.offered.get(second, 0) + 1
        self.failed[second] = self.failed.get(second, 0) + 1

    def _late(self, answer: Answer) -> Answer:
        """Turn an answer that comes too late into a timeout."""
        timeout = round(self.profile.timeout * 1000)
        return Answer(timeout, 0, "timeout") if answer.took > timeout else answer

    def _answer(self, now: int, *, poison: bool) -> Answer:
        profile = self.profile
        span = self.fault(now)
        if span is not None and span.fault.kind in ("outage", "refuse", "liar"):
            liar = span.fault.kind == "liar"
            return self._lie(now, span.fault) if liar else self._fault_answer(span.fault)
        self._turn(now)
        rho = min(0.999, (self._offered_sum + profile.others) / max(1e-9, self.capacity(now)))
        took = profile.latency * min(_LATENCY_MAX, 1 + rho / (1 - rho))
        if span is not None and span.fault.kind == "brownout":
            took *= span.fault.factor
        elif span is not None:
            took = span.fault.latency
        ms = max(1, round(took * 1000))
        limit = self._limited(now)
        if isinstance(limit, Answer):
            self.limited[now // 1000] = self.limited.get(now // 1000, 0) + 1
            return limit
        if not self._admits(now, ms):
            self.rejected[now // 1000] = self.rejected.get(now // 1000, 0) + 1
            return Answer(max(1, round(profile.latency * 1000)), 503)
        if span is not None and span.fault.kind == "brownout" and self._rng.random() < span.share:
            return Answer(ms, 500)
        if poison and profile.poison is not None:
            return Answer(ms, profile.poison.answer, rate_limit=limit)
        return Answer(ms, 200, rate_limit=limit)

    def _turn(self, now: int) -> None:
        """Forget the slices that are older than a second."""
        current = now // _SLICE_MS
        gone = min(_SLICES, max(0, current - self._slice))
        for step in range(1, gone + 1):
            index = (current - gone + step) % _SLICES
            self._offered_sum -= self._offered[index]
            self._served_sum -= self._served[index]
            self._offered[index] = self._served[index] = 0
        self._slice = max(self._slice, current)

    def _admits(self, now: int, took: int) -> bool:
        """Count a request and tell whether it is served: at most the capacity in any second."""
        profile = self.profile
        index = self._slice % _SLICES
        self._offered[index] += 1
        self._offered_sum += 1
        load = self._offered_sum + profile.others
        total = self.effective(now, load)
        ours = total - profile.others  # while there is enough for all; else by share
        if load > self.capacity(now):
            ours = total * self._offered_sum / load
        if self._served_sum + 1 > max(1.0, ours):
            return False
        if profile.concurrency and not self._free(now, took):
            return False
        self._served[index] += 1
        self._served_sum += 1
        return True

    def _free(self, now: int, took: int) -> bool:
        self._working = [end for end in self._working if end > now]
        if len(self._working) >= self.profile.concurrency:
            return False
        self._working.append(now + took)
        return True

    def _limited(self, now: int) -> Answer | str | None:
        """Return the 429 of a used-up quota, else the RateLimit field where one is sent."""
        quota = self.profile.quota
        if quota is None:
            return None
        earned = max(0, now - self._tokens_at) * quota.rate / 1000
        self._tokens = min(quota.burst, self._tokens + earned)
        self._tokens_at = max(now, self._tokens_at)
        fields = quota.hint == "fields"
        if self._tokens >= 1:
            self._tokens -= 1
            if not fields:
                return None
            return f'"default";r={int(self._tokens)};t={max(1, round(1 / quota.rate))}'
        wait = max(1, round((1 - self._tokens) / quota.rate))
        return Answer(
            max(1, round(self.profile.latency * 1000)),
            429,
            retry_after=str(wait) if quota.hint == "retry_after" else None,
            rate_limit=f'"default";r=0;t={wait}' if fields else None,
        )

    def _lie(self, now: int, fault: Fault) -> Answer:
        told = self._hints
        self._hints += 1
        status = fault.answers[told % len(fault.answers)]
        if status == 429:
            self.limited[now // 1000] = self.limited.get(now // 1000, 0) + 1
        hint = fault.hints[told % len(fault.hints)] if fault.hints else None
        field = fault.fields[told % len(fault.fields)] if fault.fields else None
        return Answer(max(1, round(self.profile.latency * 1000)), status, "", hint, field)

    def _fault_answer(self, fault: Fault) -> Answer:
        if fault.answer == "timeout":
            return Answer(round(self.profile.timeout * 1000), 0, "timeout")
        if isinstance(fault.answer, str):
            return Answer(_REFUSED_MS, 0, fault.answer)
        hint = None
        if fault.hints:
            hint = fault.hints[self._hints % len(fault.hints)]
            self._hints += 1
        took = max(1, round(self.profile.latency * 1000))
        return Answer(took, fault.answer, retry_after=hint)
