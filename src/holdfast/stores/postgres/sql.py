"""The statements: one `.sql` file per query, with names for values; some are joined into one.

A round trip costs more than most of what a commit asks for. Hence lookups are columns of one
`SELECT`, and everything a commit writes is one statement of common table expressions, which is a
transaction of its own: two statements per commit, however much is in it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

import asyncpg

_QUERIES: Final = files("holdfast.stores.postgres") / "queries"
_MIGRATIONS: Final = files("holdfast.stores.postgres") / "migrations"
_NAME: Final = re.compile(r"(?<!:):([a-z_]+(?:\.[a-z_]+)?)")
_NUL: Final = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")
"""U+0000 as JSON writes it; not a backslash before `u0000`."""
_GUARD: Final = re.compile(r" -- \?(\w+)$")
_ALWAYS: Final[frozenset[str]] = frozenset()
REFUSED: Final = "HF409"
"""SQLSTATE of a statement that refuses itself, with one of these messages:"""
OWNER: Final = "owner"
"""the worker is not on the list any more;"""
CHANGED: Final = "changed"
"""a row is not as it was looked at."""

Values = Mapping[str, Any]


class Statement(NamedTuple):
    """Text with `$1`, and the names of the values in that order."""

    text: str
    names: tuple[str, ...]


class Part(NamedTuple):
    """A query of a larger statement, with its values.

    Attributes:
        name: the file.
        values: by name.
        changes: it must change exactly so many rows, or the whole statement fails; None: any.
    """

    name: str
    values: Values
    changes: int | None = None


class Migration(NamedTuple):
    """One step of the schema.

    Attributes:
        name: of its file.
        pre: adds; programs of the version before go on working with it.
        post: takes away what they needed, when none of them is left; None: nothing.
    """

    name: str
    pre: str
    post: str | None = None


@cache
def migrations() -> tuple[Migration, ...]:
    """Return the migrations that make a new database, in order; a store's version counts them."""
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in _MIGRATIONS.iterdir()
        if entry.name.endswith(".sql")
    }
    return tuple(
        Migration(
            name.removesuffix(".sql"), texts[name], texts.get(name.replace(".sql", ".post.sql"))
        )
        for name in sorted(texts)
        if not name.endswith(".post.sql")
    )


@cache
def statement(name: str, filters: frozenset[str] = _ALWAYS) -> Statement:
    """Return `queries/<name>.sql`, with the lines that these filters ask for."""
    return _numbered(_text(name, filters))


@cache
def _text(name: str, filters: frozenset[str]) -> str:
    lines = []
    for line in (_QUERIES / f"{name}.sql").read_text(encoding="utf-8").splitlines():
        guard = _GUARD.search(line)
        if guard is None or guard[1] in filters:
            lines.append(re.sub(r"--.*", "", line))
    return " ".join(" ".join(lines).split())


def _numbered(text: str) -> Statement:
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    numbered = _NAME.sub(place, text)
    return Statement(numbered, tuple(names))


async def row(
    connection: asyncpg.Connection,
    name: str,
    filters: Iterable[str] = (),
    /,
    **values: Any,
) -> asyncpg.Record | None:
    """Return the row of a query that returns at most one."""
    found = statement(name, frozenset(filters))
    return await connection.fetchrow(found.text, *[values[each] for each in found.names])


async def one(
    connection: asyncpg.Connection,
    name: str,
    filters: Iterable[str] = (),
    /,
    **values: Any,
) -> Any:
    """Return the value of a query that returns one, None when it returns no row."""
    found = await row(connection, name, filters, **values)
    return None if found is None else found[0]


async def many(connection: asyncpg.Connection, name: str, /, **values: Any) -> list[asyncpg.Record]:
    """Return the rows of a query."""
    found = statement(name)
    rows: list[asyncpg.Record] = await connection.fetch(
        found.text, *[values[each] for each in found.names]
    )
    return rows


async def change(connection: asyncpg.Connection, name: str, /, **values: Any) -> int:
    """Run a statement and return how many rows it changed."""
    found = statement(name)
    told = await connection.execute(found.text, *[values[each] for each in found.names])
    return int(told.rpartition(" ")[2])


async def look(connection: asyncpg.Connection, parts: Sequence[Part]) -> asyncpg.Record:
    """Return the values of several queries, in one statement."""
    text, names = _looking(tuple(part.name for part in parts))
    found = await connection.fetchrow(text, *_arguments(names, parts))
    if found is None:
        raise ValueError("a SELECT without FROM returns one row")
    return found


async def write(connection: asyncpg.Connection, epoch: int, parts: Sequence[Part]) -> None:
    """Write all parts in one statement, or nothing; `epoch` must be a worker's on the list.

    Raises:
        asyncpg.PostgresError: with SQLSTATE `REFUSED` and the message `OWNER` when it is
            not, `CHANGED` when a row is not as it was looked at.
    """
    checked = tuple((part.name, part.changes is not None) for part in parts)
    text, names = _writing(checked)
    counts = {f"{part.name}.changes": part.changes for part in parts}
    arguments = _arguments(names, [Part("fence", {"epoch": epoch}), *parts], counts)
    await connection.fetchval(text, *arguments)


@cache
def _looking(names: tuple[str, ...]) -> Statement:
    columns = [f"({_scoped(name)})" for name in names]
    return _numbered("SELECT " + ", ".join(columns))


@cache
def _writing(parts: tuple[tuple[str, bool], ...]) -> Statement:
    tables = [f"fence AS MATERIALIZED ({_scoped('fence')})"]
    tables += [f"{name} AS ({_scoped(name)})" for name, _ in parts]
    checks = [f"WHEN NOT EXISTS (SELECT FROM fence) THEN holdfast.refuse('{OWNER}')"]
    checks += [
        f"WHEN (SELECT count(*) FROM {name}) <> :{name}.changes::bigint "  # noqa: S608  # our names
        f"THEN holdfast.refuse('{CHANGED}')"
        for name, checked in parts
        if checked
    ]
    text = f"WITH {', '.join(tables)} SELECT CASE {' '.join(checks)} END"
    return _numbered(text)


def _scoped(name: str) -> str:
    """Return a query whose values are named `part.value`, as parts use the same names."""
    return _NAME.sub(rf":{name}.\1", _text(name, _ALWAYS))


def _arguments(
    names: Sequence[str], parts: Sequence[Part], more: Mapping[str, Any] | None = None
) -> list[Any]:
    values = {
        f"{part.name}.{name}": _json_without_nul(value) if name == "body" else value
        for part in parts
        for name, value in part.values.items()
    }
    values.update(more or {})
    return [values[name] for name in names]


def without_nul(parts: Sequence[Part]) -> list[Part]:
    """Return the parts with U+FFFD in place of U+0000, which PostgreSQL takes in no text."""
    return [
        part._replace(values={name: _without_nul(value) for name, value in part.values.items()})
        for part in parts
    ]


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    return [_without_nul(each) for each in value] if isinstance(value, list) else value


def _json_without_nul(value: Any) -> Any:
    """Do the same within JSON, where U+0000 is an escape; no query can read JSON that has it."""
    if isinstance(value, str):
        return _NUL.sub(r"\1\\ufffd", value) if "\\u0000" in value else value
    return [_json_without_nul(each) for each in value] if isinstance(value, list) else value


def columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return rows as one array per column, which `unnest` makes rows again."""
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
