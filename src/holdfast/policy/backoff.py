"""When the next retry may start: strategies, phases and jitter (S1.25-S1.32, S2.30-S2.33).

The strategy gives a *base* delay, the cap shortens it, and jitter spreads it last: a drawn delay
is never below 0 and never above the cap.
"""

from random import Random
from typing import Final

from holdfast.model.attempt import Jitter
from holdfast.model.policy import JitterKind, Phase, Policy, Strategy
from holdfast.policy.outage import Hazards
from holdfast.policy.probing import interval

FULL_FLOOR: Final = 0.1
"""Full jitter starts at this share of the window: tiny draws would hit the recipient again."""

ADAPTIVE_COST_S: Final = 20.0
"""What a retry costs, in seconds of waiting of its delivery (algorithms 3.6)."""
ADAPTIVE_SPREAD: Final = (0.7, 1.4)
"""Window of an adaptive delay, by its interval: known chances for every draw (S2.54)."""


def plan(
    policy: Policy,
    n: int,
    last_delay_ms: int,
    rng: Random,
    *,
    hazards: Hazards | None = None,
    age_ms: int = 0,
) -> Jitter:
    """Return the delay before retry `n` (from 1) with the window it was drawn from, in ms.

    `last_delay_ms` is the delay planned before this one (0: none); only decorrelated jitter
    looks at it. It draws evenly from `initial_delay` to three times that delay, cut at the cap:
    unlike `min(cap, U(base, 3 * last))` it still spreads once the cap is reached.

    Adaptive asks the learned `hazards` for the cheapest look at a failure that is `age_ms` old.
    Without them it is exponential.
    """
    phase, k = _phase(policy, n)
    if phase is None:
        strategy, kind = policy.strategy, policy.jitter
    else:
        strategy, kind = phase.strategy, _kind(policy, phase)
    if strategy is Strategy.IMMEDIATE:
        return Jitter(low_ms=0, high_ms=0, draw_ms=0)
    if strategy is Strategy.ADAPTIVE and hazards is not None:
        return _adaptive(policy, phase, hazards, age_ms, rng)
    window = _ms(_base(policy, phase, k))
    cap = _ms(_cap(policy, phase))
    if kind is JitterKind.DECORRELATED:
        first = min(_ms(_initial(policy, phase)), cap)
        low, high = first, min(cap, max(first, 3 * (last_delay_ms or first)))
    else:
        low, high = _window(kind, policy.jitter_ratio, window, cap)
    return Jitter(low_ms=low, high_ms=high, draw_ms=low + int(rng.random() * (high - low + 1)))


def _adaptive(
    policy: Policy, phase: Phase | None, hazards: Hazards, age_ms: int, rng: Random
) -> Jitter:
    """Draw from around the cheapest interval; the window is wide enough to learn from it."""
    cap = _ms(_cap(policy, phase))
    first = min(cap, _ms(_initial(policy, phase)))
    x = interval(hazards, max(0, age_ms), 1 / ADAPTIVE_COST_S, cap)
    low, high = (round(min(cap, max(first, x * share))) for share in ADAPTIVE_SPREAD)
    return Jitter(low_ms=low, high_ms=high, draw_ms=low + int(rng.random() * (high - low + 1)))


def schedule(policy: Policy, retries: int) -> list[float]:
    """Return the delays in seconds before retries 1 to `retries`, without jitter."""
    return [_base(policy, *_phase(policy, n)) for n in range(1, retries + 1)]


def windows(policy: Policy, retries: int) -> list[Jitter]:
    """Return the window of the delay before each of retries 1 to `retries`, in ms.

    Where a delay depends on the one before (decorrelated), the widest windows are told: each
    follows the longest delay before it. Adaptive is told as without learned hazards.
    """
    found: list[Jitter] = []
    last = 0
    for n in range(1, retries + 1):
        one = plan(policy, n, last, Random(0))  # noqa: S311  # only its window is used
        found.append(Jitter(low_ms=one.low_ms, high_ms=one.high_ms, draw_ms=one.high_ms))
        last = one.high_ms
    return found


def _phase(policy: Policy, n: int) -> tuple[Phase | None, int]:
    """Find the phase of retry `n` and the retry's number within it; None: not hybrid."""
    if policy.strategy is not Strategy.HYBRID:
        return None, n
    for phase in policy.phases[:-1]:
        count = phase.attempts or 0
        if n <= count:
            return phase, n
        n -= count
    return policy.phases[-1], n


def _kind(policy: Policy, phase: Phase) -> JitterKind:
    if phase.jitter is not None:
        return phase.jitter
    return JitterKind.FULL if phase.strategy is Strategy.JITTER else policy.jitter


def _initial(policy: Policy, phase: Phase | None) -> float:
    own = None if phase is None else phase.initial_delay
    return policy.initial_delay if own is None else own


def _cap(policy: Policy, phase: Phase | None) -> float:
    own = None if phase is None else phase.max_interval
    return policy.max_interval if own is None else own


def _base(policy: Policy, phase: Phase | None, k: int) -> float:
    """Return the capped delay before the `k`-th retry, in seconds."""
    strategy = policy.strategy if phase is None else phase.strategy
    initial, cap = _initial(policy, phase), _cap(policy, phase)
    match strategy:
        case Strategy.IMMEDIATE:
            return 0.0
        case Strategy.FIXED:
            return min(cap, initial)
        case Strategy.LINEAR:
            own = None if phase is None else phase.increment
            return min(cap, initial + (k - 1) * (policy.increment if own is None else own))
        case _:
            own = None if phase is None else phase.multiplier
            return _exponential(initial, policy.multiplier if own is None else own, k, cap)


def _exponential(initial: float, multiplier: float, k: int, cap: float) -> float:
    try:
        return min(cap, initial * multiplier ** (k - 1))
    except OverflowError:  # retry 2,000 of a long horizon
        return cap


def _window(kind: JitterKind, ratio: float, window: int, cap: int) -> tuple[int, int]:
    match kind:
        case JitterKind.FULL:
            return int(window * FULL_FLOOR), window
        case JitterKind.EQUAL:
            return window // 2, window
        case JitterKind.PERCENT:
            return max(0, round(window * (1 - ratio))), min(cap, round(window * (1 + ratio)))
        case _:
            return window, window


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
