"""Counts what happens, for the metrics page; plain integers, read when somebody asks."""

from bisect import bisect_left
from collections import Counter
from typing import Final

from holdfast.model.attempt import Outcome
from holdfast.policy.decide import Decision

LATENCY_BUCKETS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000)


class Meter:
    """Counters since start.

    Attributes:
        attempts: by (result, failure class or "").
        actions: what was decided, by `next_action.type`.
        latency: sends per bucket of `LATENCY_BUCKETS_MS`, the last one above all.
        latency_sum_ms: sum of all latencies.
        lag: tries per bucket of the time between due and send (S5.2).
        lag_sum_ms: sum of all lags.
        rules: what rules changed, by (rule, effect).
        rule_failures: rules that could not be evaluated, by rule.
    """

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.actions: Counter[str] = Counter()
        self.latency = [0] * (len(LATENCY_BUCKETS_MS) + 1)
        self.latency_sum_ms = 0.0
        self.lag = [0] * (len(LATENCY_BUCKETS_MS) + 1)
        self.lag_sum_ms = 0
        self.rules: Counter[tuple[str, str]] = Counter()
        self.rule_failures: Counter[str] = Counter()

    def tried(
        self, outcome: Outcome, decision: Decision, *, duration_ms: float, lag_ms: int
    ) -> None:
        """Count one try."""
        self.attempts[outcome.result, outcome.failure_class or ""] += 1
        self.actions[decision.action] += 1
        self.latency[bisect_left(LATENCY_BUCKETS_MS, duration_ms)] += 1
        self.latency_sum_ms += duration_ms
        self.lag[bisect_left(LATENCY_BUCKETS_MS, lag_ms)] += 1
        self.lag_sum_ms += lag_ms
