"""Who owns the store: one process, with an epoch that every commit compares."""

import apsw

from holdfast.errors import StoreLost
from holdfast.model.worker import Ownership
from holdfast.stores.sqlite.session import transaction
from holdfast.stores.sqlite.sql import change, one


def acquire(connection: apsw.Connection, now: int) -> Ownership:
    """Become the owner of all lanes: raise the epoch, mark the store as in use."""
    with transaction(connection):
        epoch, clean = one(connection, "owner")
        change(connection, "acquire")
    return Ownership(epoch + 1, clean=bool(clean), now=now)


def release(connection: apsw.Connection, epoch: int) -> None:
    """Say goodbye.

    Raises:
        StoreLost: somebody else owns it.
    """
    with transaction(connection):
        if not change(connection, "release", epoch=epoch):
            raise StoreLost(f"epoch {epoch} is old: somebody else owns the store")
