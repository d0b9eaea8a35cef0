"""What the engine needs of a store for bulk work and groups; a part of `holdfast.store`."""

from collections.abc import Collection
from typing import Protocol

import msgspec

from holdfast.model.alert import Alerted, AlertQuery, Critical, CriticalQuery
from holdfast.model.group import Bucket, Counted, Group, Held
from holdfast.model.operation import Operation, Outcome, Result
from holdfast.model.search import Search


class Space(msgspec.Struct, frozen=True, gc=False):
    """Room left, in bytes: `free` is the smaller of the disk's and the quota's."""

    used: int
    free: int


class Later(msgspec.Struct, frozen=True, gc=False):
    """What of a lane waits for a time of its own.

    Attributes:
        count: deliveries that are due later ...
        latest: ... and the last of their due times, ms since the epoch (0: none).
        endless: deliveries without a due time (`NEVER`): something else has to happen.
        more: there are more than were looked at.
    """

    count: int = 0
    latest: int = 0
    endless: int = 0
    more: bool = False


class Operations(Protocol):
    """Bulk work. Writing is part of `store.Deliveries.commit`."""

    async def operations(
        self, *, below: str | None = None, limit: int = 100, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first, below an id; `active`: only those with work to do."""
        ...

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation."""
        ...

    async def results(
        self,
        operation_id: str,
        *,
        below: str | None = None,
        limit: int,
        opened: bool = False,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return results, newest delivery first, below an id.

        `opened`: only of `OPEN`; `outcomes`: only of these (none given: of all).
        """
        ...


class Groups(Protocol):
    """Failure groups. Counting what fails, and changes, are part of `store.Deliveries.commit`."""

    async def tallies(self, search: Search) -> list[Counted]:
        """Return the groups that were seen last, each with its failing deliveries that match.

        At most `model.group.GROUPS_MAX` groups, of the account, recipients, flows and steps that
        are asked for; of each `search.look` rows are looked at, or fewer where the index does not
        tell by itself. `below`, `floor` and `limit` do not count.
        """
        ...

    async def groups(self, ids: Collection[str]) -> list[Group]:
        """Return these groups."""
        ...

    async def returned(self) -> list[Group]:
        """Return groups that came back after they were resolved, of which nobody was told."""
        ...

    async def judged(self) -> list[Group]:
        """Return groups whose failures a person judged, in any order."""
        ...

    async def failures(
        self, ids: Collection[str], first: int, width: int
    ) -> dict[str, dict[int, Bucket]]:
        """Return what happened in each group: place from the first bucket on -> numbers.

        `width` buckets of `model.group.BUCKET_MS` make one place; `first` is the number of the
        first bucket since the epoch.
        """
        ...

    async def alerts(self, query: AlertQuery) -> Alerted:
        """Return the groups that were new or came back last, the newest first."""
        ...

    async def critical(self, query: CriticalQuery) -> Critical:
        """Return failing deliveries, by priority and id, the highest first, and their number."""
        ...

    async def assignees(self, account: str | None, limit: int) -> list[Held]:
        """Return who looks at dead deliveries, by name."""
        ...
