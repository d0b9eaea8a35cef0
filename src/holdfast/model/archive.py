"""Backups: what is said of one, and who is told how far it is."""

from collections.abc import Callable

import msgspec

Told = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is; for progress bars."""


class Archive(msgspec.Struct, frozen=True):
    """A backup that was written and verified, or a store that was restored from one.

    Attributes:
        path: the backup.
        bytes: its size.
        sha256: of the whole file; `PATH.sha256` holds the same for `sha256sum -c`.
        schema_version: of the store in it.
        messages: how many it holds.
        deliveries: how many it holds ...
        pending: ... and how many of these were pending.
        events: how many it holds.
    """

    path: str
    bytes: int
    sha256: str
    schema_version: int
    messages: int
    deliveries: int
    pending: int
    events: int
