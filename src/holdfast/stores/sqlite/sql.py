"""The statements: one `.sql` file per query, and bulk statements made from them.

Python gives up its global lock around every step of a statement and must win it back against a
busy event loop, which may take 5 ms. Hence two habits: a query returns all its rows as one JSON
text, and rows are written many to a statement.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, repeat
from typing import Any, Final

import apsw

Row = tuple[Any, ...]

_HERE: Final = files("holdfast.stores.sqlite")
_QUERIES: Final = _HERE / "queries"
_MIGRATIONS: Final = _HERE / "migrations"
_ROW: Final = re.compile(r"VALUES (\((?:\?, )*\?\))")
_ASKED: Final = re.compile(r"-- \?(\w+)$")
_CACHEABLE: Final = 16_000
"""apsw keeps prepared statements of at most 16 kB."""
_SIZES: Final = (1, 8, 32, 128)


@cache
def sql(name: str, lines: frozenset[str] = frozenset()) -> str:
    """Return the text of `queries/<name>.sql`, without its comment and line breaks.

    A line that ends with `-- ?name` is left out unless `lines` has the name.
    """
    text = []
    for line in (_QUERIES / f"{name}.sql").read_text(encoding="utf-8").splitlines():
        asked = _ASKED.search(line)
        if asked is None or asked[1] in lines:
            text.append(re.sub(r"--.*", "", line))
    return " ".join(" ".join(text).split())


@cache
def schema() -> str:
    """Return the script that makes a new file."""
    return (_HERE / "schema.sql").read_text(encoding="utf-8")


@cache
def migrations() -> tuple[str, ...]:
    """Return the scripts that bring a file up to date, in order; a store's version counts them."""
    return tuple(
        (_MIGRATIONS / f"{name}.sql").read_text(encoding="utf-8") for name in migration_names()
    )


@cache
def migration_names() -> tuple[str, ...]:
    """Return the names of the scripts, in order."""
    names = (entry.name for entry in _MIGRATIONS.iterdir() if entry.name.endswith(".sql"))
    return tuple(sorted(name.removesuffix(".sql") for name in names))


def one(
    connection: apsw.Connection, name: str, lines: frozenset[str] = frozenset(), /, **values: Any
) -> Any:
    """Return the value (or the row) of a query that returns one row, None when it has none."""
    return connection.execute(sql(name, lines), values).get


def change(connection: apsw.Connection, name: str, /, **values: Any) -> int:
    """Run a statement and return how many rows it changed."""
    connection.execute(sql(name), values)
    return connection.changes()


class Bulk:
    """A statement over `VALUES (?, ...)` that is given many rows at a time.

    The texts have a few fixed numbers of rows, so that they stay prepared; missing rows are
    NULLs, which the statement leaves out.

    Args:
        name: the file; it must contain one `VALUES (?, ...)`.
    """

    def __init__(self, name: str) -> None:
        text = sql(name)
        found = _ROW.search(text)
        if found is None:
            raise ValueError(f"{name}.sql has no VALUES (?, ...)")
        row = found[1].replace(" ", "")
        self._width = row.count("?")
        most = (_CACHEABLE - len(text)) // (len(row) + 1)
        sizes = [size for size in _SIZES if size < most] + [most]
        self._texts = [
            (size, text.replace(found[0], "VALUES " + ",".join(repeat(row, size))))
            for size in sizes
        ]

    def run(self, connection: apsw.Connection, rows: Sequence[Row]) -> int:
        """Write the rows and return how many rows were changed."""
        changed = 0
        largest = self._texts[-1][0]
        for start in range(0, len(rows), largest):
            part = rows[start : start + largest]
            size, text = next(fit for fit in self._texts if fit[0] >= len(part))
            padding: Iterable[Any] = repeat(None, (size - len(part)) * self._width)
            connection.execute(text, tuple(chain(chain.from_iterable(part), padding)))
            changed += connection.changes()
        return changed
