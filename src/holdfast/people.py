"""What the doors need of a store: who may do what, and the chain of the audit journal."""

from typing import Final, Protocol

import msgspec

from holdfast.model.access import Record
from holdfast.model.audit import EventSums
from holdfast.store import Line, Note, Store


class Seal(msgspec.Struct, frozen=True, gc=False):
    """A change of the chain of audit lines.

    Attributes:
        lines: with the places that they get.
        chain: the chain's state after it ...
        expected: ... and the version of the state that it follows, 0: there is none.
        now: store time, ms since the epoch.
        prune: lines up to this number go, but for revoked consents; 0: none.
    """

    lines: tuple[Line, ...]
    chain: bytes
    expected: int
    now: int
    prune: int = 0


CHAIN: Final = "audit_chain"
"""Name of the document that holds the chain's state."""


class People(Protocol):
    """Who may do what, and the chain of audit lines; the engine needs none of it."""

    async def record(self, kind: str, key: str) -> Record | None:
        """Return one record."""
        ...

    async def records(self, kind: str, after: str, limit: int) -> list[Record]:
        """Return records of a kind by key, after a key ('': from the first)."""
        ...

    async def keep(self, record: Record | None, note: Note | None) -> None:
        """Write a record and the audit line of it, both or none.

        Raises:
            Conflict: its revision is not the one after the stored one; nothing was written.
        """
        ...

    async def forget(self, kind: str, key: str) -> None:
        """Remove a record, if it is there."""
        ...

    async def forget_old(self, now: int, limit: int) -> int:
        """Remove records whose `until` has passed, at most so many; return their number."""
        ...

    async def unsealed(self, limit: int) -> list[Line]:
        """Return audit lines that are not in the chain, in the order in which they were written."""
        ...

    async def sealed(self, after: int, limit: int) -> list[Line]:
        """Return audit lines of the chain after a number, in order."""
        ...

    async def seal(self, seal: Seal) -> None:
        """Give audit lines their places, remove old ones, and keep the chain's state, all at once.

        Raises:
            Conflict: somebody else was first; nothing was written.
        """
        ...

    async def summed(self, after: int, until: int, limit: int) -> EventSums:
        """Return sums of the first retry events after a position, none beyond another.

        At most `limit` events, and only those before which none can appear any more.
        """
        ...

    async def document(self, name: str) -> tuple[int, bytes] | None:
        """Return (version, body) of the chain's state, or None."""
        ...


class Backend(Store, People, Protocol):
    """What a backend that ships implements."""
