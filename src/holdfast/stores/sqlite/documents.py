"""Named documents with a version: reading, and writing by compare and set."""

from pathlib import Path

import apsw

from holdfast.errors import Conflict
from holdfast.stores.sqlite import opening
from holdfast.stores.sqlite.session import transaction, translated
from holdfast.stores.sqlite.sql import change, one


def read(connection: apsw.Connection, name: str) -> tuple[int, bytes] | None:
    """Return (version, body), or None."""
    found: tuple[int, bytes] | None = one(connection, "document", name=name)
    return found


def put(connection: apsw.Connection, name: str, body: bytes, expected: int, now: int) -> int:
    """Write when the stored version is `expected` (0: absent) and return the new version.

    Raises:
        Conflict: it is not.
    """
    with transaction(connection):
        found = read(connection, name)
        version = 0 if found is None else found[0]
        if version != expected:
            raise Conflict(f"document {name} has version {version}, not {expected}")
        version += 1
        change(connection, "put_document", name=name, version=version, body=body, now=now)
    return version


def saved(path: Path, name: str) -> bytes | None:
    """Return a document as a file has it, without opening the store; None: it has none.

    Raises:
        StoreError: the file cannot be read.
    """
    with translated():
        connection = opening.looked_into(path)
        if connection is None:
            return None
        try:
            found = read(connection, name)
        finally:
            connection.close()
    return None if found is None else found[1]
