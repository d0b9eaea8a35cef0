"""The embedded store: one SQLite file, one process that owns all lanes."""

from holdfast.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
