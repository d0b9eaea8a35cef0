"""Failure groups: what a commit counts of them, and when a person's change holds."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from holdfast.errors import Conflict
from holdfast.model.alert import ALERTS_LOOK, CRITICAL_LOOK, AlertQuery, CriticalQuery
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.group import BUCKET_MS, Change, Counted, Group, Sighting, Tally
from holdfast.model.message import NEVER
from holdfast.model.search import Search
from holdfast.stores.planning import searching

_COUNTED: Final = msgspec.json.Decoder(list[tuple[Group, Tally]], strict=False)
COUNTED: Final = ("id", "account", "flow", "step", "recipient", "failure_class", "code",
                  "template", "first_at", "last_at", "failures")  # fmt: skip
"""Columns of `sight_groups.sql`."""
BUCKETS: Final = ("group_id", "bucket", "failures", "recovered", "lost")
"""Columns of `count_failures.sql`."""
CHANGED: Final = ("status", "owner", "until", "ceiling", "resolved_at", "told", "changed_at",
                  "changed_by", "why", "nature", "judged_at", "judged_by", "cause", "caused_by",
                  "resolutions")  # fmt: skip
"""What a person's change writes."""
Row = tuple[str | int, ...]


class Ending(NamedTuple):
    """A delivery that had failed has ended: in which group it failed last, when, and how."""

    group: str
    at: int
    recovered: bool


def ending(verb: Verb, after: Delivery) -> Ending | None:
    """Return what a change tells of the failures of a delivery, None: nothing.

    It recovers by another try. What a person sent again counts as neither: it may have been mended,
    and one that is sent again and again would count again and again.
    """
    recovered = verb is Verb.SUCCEED and after.attempt > 1
    if after.fingerprint is None or after.generation or not (recovered or verb is Verb.DIE):
        return None
    return Ending(after.fingerprint, after.ended_at, recovered)


def counted(
    sightings: Sequence[Sighting], endings: Sequence[Ending]
) -> tuple[list[Row], list[Row]]:
    """Return the rows of groups and of buckets, each by key, so that writers agree on an order."""
    groups: dict[str, list[Sighting]] = {}
    buckets: dict[tuple[str, int], list[int]] = {}
    for each in sightings:
        groups.setdefault(each.id, []).append(each)
        buckets.setdefault((each.id, each.at // BUCKET_MS), [0, 0, 0])[0] += 1
    for group, at, recovered in endings:
        buckets.setdefault((group, at // BUCKET_MS), [0, 0, 0])[1 if recovered else 2] += 1
    rows: list[Row] = []
    for _, own in sorted(groups.items()):
        first = own[0]
        place = (first.id, first.account, first.flow, first.step, first.recipient)
        times = [each.at for each in own]
        why = (first.failure_class, first.code, first.template)
        rows.append((*place, *why, min(times), max(times), len(own)))
    return rows, [(*key, *numbers) for key, numbers in sorted(buckets.items())]


def changed(change: Change) -> dict[str, object]:
    """Return the values of `change_group.sql`."""
    after = change.after
    values: dict[str, object] = {name: getattr(after, name) for name in CHANGED}
    return {"id": after.id, "seen": change.seen, **values}


def check(change: Change, found: int) -> None:
    """Refuse a change of a group that is not as it was seen; `found`: rows that were changed.

    Raises:
        Conflict: it is not.
    """
    if not found:
        raise Conflict(f"group {change.after.id} is not at revision {change.seen} any more")


def tallies(text: str) -> list[Counted]:
    """Return what a tally found."""
    return [Counted(group, tally) for group, tally in _COUNTED.decode(text)]


def asked(search: Search, groups_max: int) -> tuple[searching.Plan, dict[str, object]]:
    """Return the plan of a tally and the values besides its own."""
    plan = searching.grouped(search)
    look = searching.grouped_look(search, plan)
    return plan, {"look": look, "limit": NEVER, "floor": "", "groups_max": groups_max}


def alerts(query: AlertQuery) -> dict[str, Any]:
    """Return the values of `alerts.sql`; `scope` where only one account is meant."""
    values = {"since": query.since, "now": query.now, "look": ALERTS_LOOK, "limit": query.limit}
    return values | _scope(query.account)


def critical(query: CriticalQuery) -> dict[str, Any]:
    """Return the values of `critical.sql`; one row beyond the look tells whether there are more."""
    values = {"priority": query.priority, "look": CRITICAL_LOOK + 1, "limit": query.limit}
    return values | _scope(query.account)


def _scope(account: str | None) -> dict[str, Any]:
    return {} if account is None else {"scope": account}
