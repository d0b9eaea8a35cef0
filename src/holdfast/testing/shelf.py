"""Operations kept in memory, for tests of doors: saved, listed and changed, but never run."""

from collections.abc import Callable, Iterable

from holdfast.model.delivery import Delivery
from holdfast.model.operation import Operation, Result
from holdfast.model.worker import Ownership
from holdfast.store import Batch, Committed, Counts, Note
from holdfast.stores.planning import operating


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
        self._operations: dict[str, Operation] = {}
        self._results: dict[str, dict[str, Result]] = {}

    async def commit(self, batch: Batch) -> Committed:
        """Keep an operation; deliveries are not changed here."""
        if batch.progress is None or batch.transitions:
            raise ValueError("only operations are kept here")
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
        self, operation_id: str, *, below: str | None = None, limit: int
    ) -> list[Result]:
        """Return results, newest delivery first."""
        own = self._results.get(operation_id, {})
        found = [own[name] for name in sorted(own, reverse=True) if below is None or name < below]
        return found[:limit]


class Alone:
    """Satisfies `engine.operations.Member`: the only worker."""

    ownership = Ownership(1, clean=True)
    elected = True
