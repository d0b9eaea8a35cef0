"""Operations: what a commit writes of them, and reading them."""

from collections.abc import Sequence

import asyncpg

from holdfast.model.operation import Operation, Result
from holdfast.store import Applied, Batch
from holdfast.stores import rows
from holdfast.stores.planning import operating as planning
from holdfast.stores.planning.operating import Page
from holdfast.stores.planning.searching import LAST_ID
from holdfast.stores.postgres.sql import Part, columns, one


def looked(batch: Batch) -> list[Part]:
    """Return what is looked up for a batch."""
    if batch.progress is None:
        return []
    return [Part("operation_revision", {"id": batch.progress.operation.id})]


def check(batch: Batch, stored: int) -> None:
    """Refuse a batch whose operation is not as it was seen."""
    if batch.progress is not None:
        planning.check(batch.progress, stored)


def written(batch: Batch, answers: Sequence[Applied]) -> tuple[Operation | None, list[Part]]:
    """Return how the operation got on, and what is written of it."""
    operation, results = planning.settle(batch, answers)
    if operation is None or batch.progress is None:
        return None, []
    values = rows.operation_row(operation) | {"seen": batch.progress.seen}
    parts = [Part("save_operation", values, 1)]
    if results:
        told = columns(Result.__struct_fields__, [rows.result_row(each) for each in results])
        parts.append(Part("save_results", {"operation": operation.id, **told}))
    return operation, parts


async def operations(
    connection: asyncpg.Connection, *, below: str | None, limit: int, active: bool
) -> list[Operation]:
    """Return operations, newest first."""
    lines = {"active"} if active else ()
    text = await one(connection, "operations", lines, below=below or LAST_ID, limit=limit)
    return rows.operations(text)


async def operation(connection: asyncpg.Connection, operation_id: str) -> Operation | None:
    """Return one operation."""
    text: str | None = await one(connection, "operation", id=operation_id)
    return None if text is None else rows.operation(text)


async def results(connection: asyncpg.Connection, operation_id: str, *, page: Page) -> list[Result]:
    """Return results, newest delivery first."""
    lines, values = planning.results(operation_id, page)
    return rows.results(await one(connection, "results", lines, **values))
