"""Progress of operations: what a commit came to, counted; the same for every backend."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from holdfast.errors import Conflict
from holdfast.model.operation import Operation, Outcome, Progress, Result, Tallies
from holdfast.store import Applied, Batch, Transition
from holdfast.stores.planning.searching import LAST_ID

CHANGED: Final = "CHANGED"
"""A delivery was skipped because something else changed it in that moment."""
WINDOW: Final = 200.0
"""So many outcomes are recent."""
_TALLY: Final = {
    Outcome.DONE: "changed",
    Outcome.RELEASED: "changed",
    Outcome.DELIVERED: "delivered",
    Outcome.FAILED: "failed",
    Outcome.ENDED: "ended",
    Outcome.SKIPPED: "skipped",
    Outcome.UNDONE: "undone",
    Outcome.KEPT: "kept",
}


def check(progress: Progress, stored: int) -> None:
    """Refuse an operation that is not as it was seen; `stored` is its revision, 0: none.

    Raises:
        Conflict: it is not.
    """
    if stored != progress.seen:
        name = progress.operation.id
        raise Conflict(f"operation {name} has revision {stored}, not {progress.seen}")


def settle(batch: Batch, answers: Sequence[Applied]) -> tuple[Operation | None, list[Result]]:
    """Return the operation with its tallies, and the results to write, one of a delivery."""
    progress = batch.progress
    if progress is None:
        return None, []
    results = [
        _result(progress, transition, answer, batch.now)
        for transition, answer in zip(batch.transitions, answers, strict=True)
    ]
    results += progress.results
    written: dict[str, Result] = {}
    for result in results:  # what this very batch did stays, not that it could not do it twice
        if result.reason != CHANGED or result.delivery_id not in written:
            written[result.delivery_id] = result
    return counted(progress.operation, results), list(written.values())


def counted(operation: Operation, results: Sequence[Result]) -> Operation:
    """Return the operation with these results counted."""
    tallies = msgspec.structs.asdict(operation.tallies)
    skips = dict(operation.skips)
    recent = operation.recent
    for result in results:
        tallies[_TALLY[result.outcome]] += 1
        if result.outcome is Outcome.SKIPPED:
            skips[result.reason] = skips.get(result.reason, 0) + 1
        recent = _faded(recent, result.outcome)
    return msgspec.structs.replace(
        operation, tallies=Tallies(**tallies), skips=skips, recent=recent
    )


def _result(progress: Progress, transition: Transition, answer: Applied, now: int) -> Result:
    after = transition.after
    if answer.applied:
        return Result(after.id, progress.outcome, "", after.revision, now)
    lost = Outcome.KEPT if progress.outcome is Outcome.UNDONE else Outcome.SKIPPED
    return Result(after.id, lost, CHANGED, transition.revision, now)


def _faded(recent: tuple[float, float], outcome: Outcome) -> tuple[float, float]:
    delivered, failed = recent
    if outcome is Outcome.DELIVERED:
        delivered += 1
    elif outcome is Outcome.FAILED:
        failed += 1
    else:
        return recent
    shrink = min(1.0, WINDOW / (delivered + failed))
    return delivered * shrink, failed * shrink


class Page(msgspec.Struct, frozen=True):
    """Which results are asked for: below an id, at most `limit`, of `OPEN`, of some outcomes."""

    below: str | None
    limit: int
    opened: bool
    outcomes: tuple[Outcome, ...]


def results(operation_id: str, page: Page) -> tuple[frozenset[str], dict[str, Any]]:
    """Return the lines of `results.sql` that are used, and its values."""
    given = {"opened": page.opened, "outcomes": bool(page.outcomes)}
    values: dict[str, Any] = {
        "id": operation_id,
        "below": page.below or LAST_ID,
        "limit": page.limit,
    }
    if page.outcomes:
        values["outcomes"] = list(page.outcomes)
    return frozenset(name for name, wanted in given.items() if wanted), values
