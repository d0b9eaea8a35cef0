"""The store for several machines: one PostgreSQL database."""

from holdfast.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
