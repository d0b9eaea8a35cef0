"""The retry schedules of the field, as data: each message has a clock of its own."""

import random
import tomllib
from importlib import resources
from typing import Final, Literal

import msgspec

from holdfast.lab.partner import Answer

UNLIMITED: Final = 1_000_000_000


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One baseline. Seconds.

    Attributes:
        id: as in algorithms 4.4.
        title: one line.
        source: where the numbers come from.
        kind: `none`; `fixed`: `base`; `full_jitter`: even from 0 to `base * 2^(n-1)`, at most
            `cap`; `celery`: whole seconds, evenly from 0 to `base * 2^(n-1)`; `list`: `delays`;
            `sidekiq`: `n^4 + 15 + rand(10 (n + 1))`, n from 0; `exponential`: `base * 2^(n-1)`.
        base: first delay.
        cap: longest delay.
        delays: of `list`, which also bounds the retries.
        jitter: `list` and `exponential` are multiplied by a draw from 1 -/+ this.
        retries: most retries.
        max_age: no retry starts later than this after the arrival.
        slow_down: least delay after a timeout or a 429.
        hint: what Retry-After does: `ignored`, `doubled` (obeyed between the delay and twice
            the delay) or `obeyed`.
        stop_on: statuses that end it at once.
        guard: the code that decides besides; see `guard.py`.
    """

    id: str
    title: str
    source: str = ""
    kind: Literal["none", "fixed", "full_jitter", "celery", "list", "sidekiq", "exponential"]
    base: float = 0.0
    cap: float = float("inf")
    delays: tuple[float, ...] = ()
    jitter: float = 0.0
    retries: int = UNLIMITED
    max_age: float = float("inf")
    slow_down: float = 0.0
    hint: Literal["ignored", "doubled", "obeyed"] = "ignored"
    stop_on: tuple[int, ...] = ()
    guard: Literal["aws_standard", "aws_adaptive", "breaker_budget"] | None = None

    @property
    def most(self) -> int:
        """Return how many retries there are at most."""
        if self.kind == "none" and self.guard is None:
            return 0
        return len(self.delays) if self.kind == "list" else self.retries

    def delay(self, n: int, rng: random.Random) -> float:
        """Return the seconds before retry `n` (from 1)."""
        grown = min(self.cap, self.base * 2.0 ** min(n - 1, 60))
        match self.kind:
            case "full_jitter":
                return rng.random() * grown
            case "celery":
                return float(rng.randrange(int(grown) + 1))
            case "list":
                return self.delays[n - 1] * self._spread(rng)
            case "sidekiq":
                return float((n - 1) ** 4 + 15 + rng.randrange(10 * n))
            case "exponential":
                return grown * self._spread(rng)
            case _:
                return self.base

    def after(self, n: int, answer: Answer, rng: random.Random) -> float:
        """Return the seconds before retry `n` when this answer came."""
        delay = self.delay(n, rng)
        if answer.status == 429 or answer.error == "timeout":
            delay = max(delay, self.slow_down)
        asked = _seconds(answer.retry_after) if self.hint != "ignored" else None
        if asked is None:
            return delay
        return max(delay, asked if self.hint == "obeyed" else min(asked, 2 * delay))

    def _spread(self, rng: random.Random) -> float:
        return 1 + self.jitter * (2 * rng.random() - 1)


def baselines() -> tuple[Schedule, ...]:
    """Return B0 to B10."""
    text = (resources.files("holdfast.lab") / "baselines.toml").read_text()
    return tuple(msgspec.convert(tomllib.loads(text)["baselines"], list[Schedule]))


def _seconds(hint: str | None) -> float | None:
    try:
        return None if hint is None else float(hint)
    except ValueError:
        return None
