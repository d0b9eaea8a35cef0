"""Operations kept in memory, for tests of doors: saved, listed and changed, but never run."""

from collections.abc import Callable, Collection, Iterable

from holdfast.clock import SystemClock
from holdfast.engine.groups import Groups
from holdfast.engine.judgements import Judgements
from holdfast.model.alert import CRITICAL_LOOK, Alerted, AlertQuery, Critical, CriticalQuery
from holdfast.model.delivery import Delivery, Status
from holdfast.model.group import BUCKET_MS, Bucket, Change, Counted, Group, GroupStatus, Tally
from holdfast.model.operation import Operation, Outcome, Result
from holdfast.model.overview import Overview
from holdfast.model.search import Predicate, Search
from holdfast.model.stream import GroupWord
from holdfast.model.worker import Ownership
from holdfast.policy.search import FAILING, matches
from holdfast.store import Batch, Committed, Counts, Note
from holdfast.stores.planning import grouping, operating


class MemoryShelf:
    """Satisfies `engine.operations.Shelf`.

    Args:
        deliveries: returns all there are.
        note: keeps an audit line.
    """

    def __init__(
        self, deliveries: Callable[[], Iterable[Delivery]], note: Callable[[Note], None]
    ) -> None:
        self._deliveries = deliveries
        self._note = note
        self.groups_by_id: dict[str, Group] = {}
        """Failure groups; fill it at will."""
        self._operations: dict[str, Operation] = {}
        self._results: dict[str, dict[str, Result]] = {}

    async def commit(self, batch: Batch) -> Committed:
        """Keep an operation, or a group; deliveries are not changed here."""
        if batch.group is not None:
            return self._change_group(batch, batch.group)
        if batch.progress is None or batch.transitions:
            raise ValueError("only operations and groups are kept here")
        known = self._operations.get(batch.progress.operation.id)
        operating.check(batch.progress, 0 if known is None else known.revision)
        operation, results = operating.settle(batch, ())
        if operation is not None:
            self._operations[operation.id] = operation
            own = self._results.setdefault(operation.id, {})
            own.update((each.delivery_id, each) for each in results)
        for note in batch.notes:
            self._note(note)
        return Committed((), (), operation)

    def _change_group(self, batch: Batch, change: Change) -> Committed:
        present = self.groups_by_id[change.after.id]
        grouping.check(change, int(present.revision == change.seen))
        self.groups_by_id[present.id] = change.after
        for note in batch.notes:
            self._note(note)
        return Committed((), ())

    async def tallies(self, search: Search) -> list[Counted]:
        """Return every group with its failing deliveries that match, the last seen first."""
        groups = sorted(self.groups_by_id.values(), key=lambda one: (-one.last_at, one.id))
        return [
            Counted(one, self._tally(one.id, search))
            for one in groups
            if search.account in {None, one.account}
        ]

    def _tally(self, group: str, search: Search) -> Tally:
        own = [
            each
            for each in self._deliveries()
            if each.fingerprint == group
            and each.status in FAILING.words
            and matches(search.where, each, each.value, ())
        ]
        dead = [each for each in own if each.status is Status.DEAD]
        return Tally(
            dead=len(dead),
            pending=len(own) - len(dead),
            dead_value=sum(each.value for each in dead),
            pending_value=sum(each.value for each in own) - sum(each.value for each in dead),
            newest=max((each.id for each in own), default=None),
        )

    async def groups(self, ids: Collection[str]) -> list[Group]:
        """Return these groups."""
        return [self.groups_by_id[name] for name in ids if name in self.groups_by_id]

    async def returned(self) -> list[Group]:
        """Return groups that came back unnoticed."""
        return [one for one in self.groups_by_id.values() if not one.told]

    async def judged(self) -> list[Group]:
        """Return groups whose failures a person judged."""
        return [one for one in self.groups_by_id.values() if one.nature is not None]

    async def failures(
        self, ids: Collection[str], first: int, width: int
    ) -> dict[str, dict[int, Bucket]]:
        """Return the failures of each group at its last sight."""
        known = [one for one in self.groups_by_id.values() if one.id in ids]
        return {
            one.id: {(one.last_at // BUCKET_MS - first) // width: Bucket(one.failures)}
            for one in known
        }

    async def alerts(self, query: AlertQuery) -> Alerted:
        """Return the groups that were new or came back last, the newest first."""
        failing = Search(Predicate((FAILING,)))
        found = [
            one
            for one in self.groups_by_id.values()
            if one.alert_at >= query.since
            and query.account in {None, one.account}
            and one.stands(query.now) in {GroupStatus.OPEN, GroupStatus.REGRESSED}
            and self._tally(one.id, failing).count
        ]
        found.sort(key=lambda one: (one.alert_at, one.id), reverse=True)
        return Alerted(found[: query.limit])

    async def critical(self, query: CriticalQuery) -> Critical:
        """Return failing deliveries, by priority and id, the highest first, and their number."""
        found = [
            one
            for one in self._deliveries()
            if one.priority >= query.priority
            and query.account in {None, one.account}
            and (one.status is Status.DEAD or (one.status is Status.PENDING and one.fingerprint))
        ]
        found.sort(key=lambda one: (one.priority, one.id), reverse=True)
        count = min(len(found), CRITICAL_LOOK)
        return Critical(query.priority, found[: query.limit], count, len(found) > count)

    async def counts(self) -> dict[str, Counts]:
        """Return how many stand where, by recipient."""
        found: dict[str, dict[str, int]] = {}
        for each in self._deliveries():
            row = found.setdefault(each.recipient, {})
            row[each.status] = row.get(each.status, 0) + 1
        return {name: Counts(**row) for name, row in found.items()}

    async def operations(
        self, *, below: str | None = None, limit: int = 100, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first."""
        found = [
            each
            for name, each in sorted(self._operations.items(), reverse=True)
            if (below is None or name < below) and (each.active or not active)
        ]
        return found[:limit]

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation."""
        return self._operations.get(operation_id)

    async def results(
        self,
        operation_id: str,
        *,
        below: str | None = None,
        limit: int,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return results, newest delivery first."""
        own = self._results.get(operation_id, {})
        found = [
            own[name]
            for name in sorted(own, reverse=True)
            if (below is None or name < below) and (not outcomes or own[name].outcome in outcomes)
        ]
        return found[:limit]


class Alone:
    """Satisfies `engine.operations.Member`: the only worker."""

    ownership = Ownership(1, clean=True)
    elected = True


class Still(SystemClock):
    """A clock that stands still."""

    def __init__(self, at: int) -> None:
        self._at = at

    def now(self) -> int:
        """Return always the same instant."""
        return self._at


def groups_of(shelf: MemoryShelf, now: int, tell: Callable[[GroupWord], None]) -> Groups:
    """Return the failure groups of a shelf at an instant that stays."""
    return Groups(shelf, Still(now), member=Alone(), tell=tell, judgements=Judgements(shelf))


def seen(now: int, pending: int, lanes: int) -> Overview:
    """Return an overview of what can be counted in memory."""
    return Overview(
        at=now,
        active=0,
        depth=pending,
        by_priority={"high": 0, "normal": pending, "low": 0},
        oldest_due_ms=0,
        lanes={"closed": lanes},
        windows=(),
        points=(),
        workers=(),
    )
