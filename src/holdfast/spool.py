"""What intake needs of a local journal that takes messages while the store is away.

A queue: `append` at one end, `oldest` and `forget` at the other, each message under its place.
What was appended is on disk (fsync). Forgetting comes after the commit in the store; a process
that dies in between finds the messages again, and their ids tell the store that they are done.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from holdfast.store import Accept


class Spooled(msgspec.Struct, frozen=True, gc=False):
    """A message in the spool; `place` names it as long as it is there."""

    place: int
    accept: Accept


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier process left in the spool.

    Attributes:
        keys: (place, account, idempotency key) of the messages that have one.
        pending: recipient -> deliveries.
        since: acceptance of the oldest message, ms since the epoch; 0: there is none.
    """

    keys: tuple[tuple[int, str, str], ...] = ()
    pending: dict[str, int] = {}
    since: int = 0


class Spool(Protocol):
    """The journal of one node."""

    found: Found
    refusal: str | None
    """Why nothing new is taken, None: it is. What is there can be drained all the same."""

    @property
    def label(self) -> str:
        """Return where it is."""
        ...

    @property
    def messages(self) -> int:
        """Return how many messages are in it."""
        ...

    @property
    def size(self) -> int:
        """Return its bytes on disk."""
        ...

    @property
    def limit(self) -> int:
        """Return how many bytes it may have."""
        ...

    @property
    def kept(self) -> int:
        """Return how many files hold something that could not be read, or that was refused."""
        ...

    async def append(self, accepts: Sequence[Accept]) -> list[int]:
        """Write messages durably and return the places of those that the limit had room for.

        Raises:
            StoreFull: the disk has no space; none was written.
            StoreError: anything else; none was written, as far as one can tell.
        """
        ...

    def at(self, place: int) -> Accept | None:
        """Return a message, None: it is not there any more."""
        ...

    async def oldest(self, count: int) -> list[Spooled]:
        """Return the oldest messages, at most so many; at least one, when there are any."""
        ...

    async def forget(self, places: Collection[int], refused: Collection[int] = ()) -> None:
        """Take away the oldest messages, which are in the store, or `refused`.

        What was refused is not deleted: its file is kept for a person to look at.
        """
        ...

    async def close(self) -> None:
        """Close; nothing is lost."""
        ...
