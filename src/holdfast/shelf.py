"""What the engine needs of a store for bulk work; a part of `holdfast.store`."""

from typing import Protocol

from holdfast.model.operation import Operation, Result


class Operations(Protocol):
    """Bulk work. Writing is part of `store.Deliveries.commit`."""

    async def operations(
        self, *, below: str | None = None, limit: int = 100, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first, below an id; `active`: only those with work to do."""
        ...

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation."""
        ...

    async def results(
        self, operation_id: str, *, below: str | None = None, limit: int, opened: bool = False
    ) -> list[Result]:
        """Return results, newest delivery first, below an id; `opened`: only of `OPEN`."""
        ...
