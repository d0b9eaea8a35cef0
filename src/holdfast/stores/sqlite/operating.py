"""Operations: what a commit writes of them, and reading them."""

from collections.abc import Sequence
from typing import Final

import apsw

from holdfast.model.operation import Operation, Result
from holdfast.store import Applied, Batch
from holdfast.stores import rows
from holdfast.stores.planning import operating as planning
from holdfast.stores.planning.operating import Page
from holdfast.stores.planning.searching import LAST_ID
from holdfast.stores.sqlite.sql import Bulk, change, one

_RESULTS: Final = Bulk("save_results")


def check(connection: apsw.Connection, batch: Batch) -> None:
    """Refuse a batch whose operation is not as it was seen."""
    if batch.progress is not None:
        stored = one(connection, "operation_revision", id=batch.progress.operation.id)
        planning.check(batch.progress, stored or 0)


def write(
    connection: apsw.Connection, batch: Batch, answers: Sequence[Applied]
) -> Operation | None:
    """Write how the operation got on, and return it."""
    operation, results = planning.settle(batch, answers)
    if operation is not None:
        change(connection, "save_operation", **rows.operation_row(operation))
        _RESULTS.run(connection, [(operation.id, *rows.result_row(each)) for each in results])
    return operation


def operations(
    connection: apsw.Connection, *, below: str | None, limit: int, active: bool
) -> list[Operation]:
    """Return operations, newest first."""
    lines = frozenset({"active"} if active else ())
    return rows.operations(
        one(connection, "operations", lines, below=below or LAST_ID, limit=limit)
    )


def operation(connection: apsw.Connection, operation_id: str) -> Operation | None:
    """Return one operation."""
    text: str | None = one(connection, "operation", id=operation_id)
    return None if text is None else rows.operation(text)


def results(connection: apsw.Connection, operation_id: str, *, page: Page) -> list[Result]:
    """Return results, newest delivery first."""
    lines, values = planning.results(operation_id, page)
    if page.outcomes:
        values["outcomes"] = rows.json_text(page.outcomes)
    return rows.results(one(connection, "results", lines, **values))
