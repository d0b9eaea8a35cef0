"""The list of failure groups: which ones stand under one heading, and in what order. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from holdfast.model.group import (
    Bucket,
    Counted,
    Group,
    GroupBy,
    GroupSort,
    GroupStatus,
    Line,
    Tally,
)
from holdfast.policy import cause

QUERY_MAX: Final = 50
"""More groups than this cannot be named in one search."""
RECIPIENTS_MAX: Final = 100
"""Most recipients that a line names."""
_RANK: Final = (
    GroupStatus.REGRESSED,
    GroupStatus.OPEN,
    GroupStatus.IGNORED,
    GroupStatus.RESOLVED,
)
"""Of several groups under one heading the one that asks most for somebody counts."""
_KEYS: Final[dict[GroupBy, Callable[[Group], tuple[str, ...]]]] = {
    GroupBy.FINGERPRINT: lambda one: (one.id,),
    GroupBy.ERROR: lambda one: (one.failure_class, one.code, one.template),
    GroupBy.CAUSE: lambda one: (cause.root(one),),
    GroupBy.CLASS: lambda one: (one.failure_class, one.code),
    GroupBy.RECIPIENT: lambda one: (one.recipient,),
    GroupBy.STEP: lambda one: (one.flow, one.step),
}
_SORTS: Final[dict[GroupSort, Callable[[Counted], float]]] = {
    GroupSort.SEEN: lambda one: one.group.last_at,
    GroupSort.COUNT: lambda one: one.tally.count,
    GroupSort.VALUE: lambda one: one.tally.dead_value + one.tally.pending_value,
}
Heading = tuple[str, list[Counted]]
"""Words that several groups have in common, and these."""


def headings(found: Iterable[Counted], by: GroupBy, sort: GroupSort) -> list[Heading]:
    """Return the groups under their headings, what comes first first."""
    under: dict[tuple[str, ...], list[Counted]] = {}
    for each in found:
        under.setdefault(_KEYS[by](each.group), []).append(each)
    weigh = max if sort is GroupSort.SEEN else sum
    of = _SORTS[sort]
    made = [(-weigh(map(of, own)), " / ".join(key), own) for key, own in under.items()]
    return [(key, own) for _, key, own in sorted(made, key=lambda one: one[:2])]


def standing(groups: Iterable[Group], now: int) -> GroupStatus:
    """Return how several groups stand together."""
    return min((group.stands(now) for group in groups), key=_RANK.index)


def line(heading: Heading) -> Line:
    """Return the line of a heading, without its spark."""
    key, own = heading
    groups = tuple(each.group for each in own)
    names = sorted({group.recipient for group in groups})
    return Line(
        key=key,
        query=_query(groups),
        groups=groups,
        recipients=tuple(names[:RECIPIENTS_MAX]),
        recipient_count=len(names),
        tally=_sum([each.tally for each in own]),
        first_at=min(group.first_at for group in groups),
        last_at=max(group.last_at for group in groups),
        failures=sum(group.failures for group in groups),
    )


def _query(groups: Sequence[Group]) -> str | None:
    if len(groups) > QUERY_MAX:
        return None
    return "group:" + ",".join(sorted(group.id for group in groups))


def _sum(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        dead=sum(each.dead for each in tallies),
        pending=sum(each.pending for each in tallies),
        dead_value=sum(each.dead_value for each in tallies),
        pending_value=sum(each.pending_value for each in tallies),
        newest=max((each.newest for each in tallies if each.newest), default=None),
        more=any(each.more for each in tallies),
    )


def over_time(line: Line, buckets: dict[str, dict[int, Bucket]], places: int) -> Line:
    """Return a line with what failed at each place in time, and what became of it, over all."""
    spark, recovered, lost = [0] * places, 0, 0
    for group in line.groups:
        for place, bucket in buckets.get(group.id, {}).items():
            if 0 <= place < places:
                spark[place] += bucket.failures
                recovered += bucket.recovered
                lost += bucket.lost
    return msgspec.structs.replace(line, spark=tuple(spark), recovered=recovered, lost=lost)
