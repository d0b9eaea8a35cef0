"""What an operation does next, from what is known of it; and who is in its canary."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from holdfast.model.operation import Canary, Kind, Operation, Stage, State
from holdfast.policy.proportion import CONFIDENCE, lower

Key = TypeVar("Key")

LOOK_MS: Final = 1_000
"""Outcomes are looked at so often."""
RAMP_MS: Final = 5_000
"""The rate is changed at most so often."""
FIRST_RATE: Final = 1.0
"""Rate after a canary, per second; it doubles from there."""
WATCH_MS: Final = 3_600_000
"""Outcomes are waited for so long after the last change; then the operation is complete."""


class Seen(msgspec.Struct, frozen=True):
    """What is known of redriven deliveries without outcome.

    Attributes:
        open: how many there are.
        failing: those of them that were redriven since the last start and have failed since.
    """

    open: int = 0
    failing: int = 0


class Draw(msgspec.Struct, frozen=True):
    """Draw a canary of this size, and release it."""

    size: int


class Promote(msgspec.Struct, frozen=True):
    """The canary did well: go on with the rest; `why` is what was seen of it."""

    why: str


class Release(msgspec.Struct, frozen=True):
    """Change the next deliveries, at most `number`, at this rate."""

    number: int
    rate: float
    ramp_at: int


class Revert(msgspec.Struct, frozen=True):
    """Undo what was done to the next deliveries, at most `number`."""

    number: int


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do before this instant (ms)."""

    until: int


class Halt(msgspec.Struct, frozen=True):
    """Pause, and let a person decide."""

    why: str


class Finish(msgspec.Struct, frozen=True):
    """All is done."""


Next = Draw | Promote | Release | Revert | Wait | Halt | Finish


def decide(operation: Operation, seen: Seen, now: int) -> Next:
    """Return what an active operation does at `now` (ms)."""
    if operation.state is State.UNDOING:
        return Revert(operation.plan.batch)
    if operation.stage is Stage.DRAW and operation.plan.canary is not None:
        return Draw(operation.plan.canary.size)
    if operation.stage is Stage.GATE and operation.plan.canary is not None:
        return _gate(operation, operation.plan.canary, now)
    if why := _tripped(operation, seen):
        return Halt(why)
    if operation.stage is Stage.LAST:
        over = seen.open == 0 or now >= operation.released_at + WATCH_MS
        return Finish() if over else Wait(now + LOOK_MS)
    return _release(operation, seen, now)


def _gate(operation: Operation, canary: Canary, now: int) -> Next:
    """Decide as soon as the outcomes that are missing cannot change it."""
    before, done = operation.before_gate, operation.tallies
    delivered = done.delivered - before.delivered
    failed = done.failed - before.failed
    size = done.changed - before.changed - (done.ended - before.ended)
    if size == 0:
        return Promote(_EMPTY) if operation.tallies.changed == before.changed else Halt(_NOTHING)
    if now >= operation.gate_at + canary.patience_ms:
        failed = size - delivered
    bound = asked(operation, canary)
    sure = lower(delivered, size)
    if sure > bound:
        return Promote(
            f"canary: {delivered} of {size} were delivered; success is surely above {sure:.0%}"
        )
    best = lower(size - failed, size)
    if best > bound:
        return Wait(now + LOOK_MS)
    return Halt(
        f"canary: {delivered} of {size} were delivered and {failed} failed or took too long; "
        f"success is surely above {sure:.0%} only, {bound:.0%} is asked"
    )


def asked(operation: Operation, canary: Canary) -> float:
    """Return what success of the canary at the gate must surely exceed.

    Of a sample that came out smaller than wanted, as no more matched, what all of it can show.
    """
    before, done = operation.before_gate, operation.tallies
    drawn = done.changed + done.skipped - before.changed - before.skipped
    if drawn >= canary.size:
        return canary.bound
    size = done.changed - before.changed - (done.ended - before.ended)
    return min(canary.bound, lower(size - 1, size))


def least_size(bound: float) -> int:
    """Return how many must be in a canary, so that it passes this bound when all are delivered."""
    size = math.ceil(bound * CONFIDENCE**2 / (1 - bound))  # `lower(size, size) > bound`, solved
    return size if lower(size, size) > bound else size + 1


_EMPTY: Final = "canary: there was nothing to draw"
_NOTHING: Final = "canary: something else ended all of the sample"


def _tripped(operation: Operation, seen: Seen) -> str | None:
    """Return why it stops by itself: surely more fail than is allowed."""
    stop = operation.plan.stop
    if operation.plan.kind is not Kind.REDRIVE or stop >= 1:
        return None
    failed, cases = _failures(operation, seen)
    if lower(failed, cases) <= stop:
        return None
    return (
        f"{failed:.0f} of the last {cases:.0f} redriven failed again: surely more than {stop:.0%}"
    )


def _failures(operation: Operation, seen: Seen) -> tuple[float, float]:
    delivered, failed = operation.recent
    failed += seen.failing
    return failed, delivered + failed


def _release(operation: Operation, seen: Seen, now: int) -> Next:
    plan = operation.plan
    if now < operation.next_at:
        return Wait(operation.next_at)
    room = plan.batch
    if plan.kind is Kind.REDRIVE:
        room = min(room, plan.concurrency - seen.open)
    if room <= 0:
        return Wait(now + LOOK_MS)
    rate, ramp_at = _ramped(operation, seen, now)
    return Release(min(room, math.ceil(rate)), rate, ramp_at)


def _ramped(operation: Operation, seen: Seen, now: int) -> tuple[float, int]:
    """Return the rate and when it was changed: doubled while all is well, else halved."""
    if now < operation.ramp_at + RAMP_MS:
        return operation.rate, operation.ramp_at
    failed, cases = _failures(operation, seen)
    if cases and failed / cases > operation.plan.stop / 2:
        return max(min(FIRST_RATE, operation.plan.rate), operation.rate / 2), now
    if operation.rate < operation.plan.rate:
        return min(operation.plan.rate, operation.rate * 2), now
    return operation.rate, operation.ramp_at


def first_rate(rate: float, canary: Canary | None) -> float:
    """Return the rate at which an operation begins, per second."""
    return rate if canary is None else min(rate, FIRST_RATE)


def next_at(operation: Operation, number: int, rate: float, now: int) -> int:
    """Return when the next deliveries may be changed after `number` at `now`, ms.

    What was missed is caught up with for one second, no more.
    """
    return max(operation.next_at, now - 1_000) + round(number * 1_000 / rate)


def stratified(strata: Mapping[Key, Sequence[str]], size: int) -> list[str]:
    """Return up to `size` ids: one of each stratum first (the largest first), then in proportion.

    Of each stratum they lie evenly over its order.
    """
    ranked = sorted(strata.values(), key=len, reverse=True)
    total = sum(map(len, ranked))
    if total <= size:
        return [each for ids in ranked for each in ids]
    shares = [1 if place < size else 0 for place in range(len(ranked))]
    for _ in range(size - sum(shares)):
        # The one that is furthest below its share, and not used up.
        place = max(
            (at for at, ids in enumerate(ranked) if shares[at] < len(ids)),
            key=lambda at: len(ranked[at]) * size / total - shares[at],
        )
        shares[place] += 1
    return [
        ids[at * len(ids) // share]
        for ids, share in zip(ranked, shares, strict=True)
        for at in range(share)
    ]
