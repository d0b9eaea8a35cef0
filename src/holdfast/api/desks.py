"""What the doors need of the engine for failure groups and review; a part of `api.facade`."""

from typing import Protocol

from holdfast.model.alert import Alerts, Critical
from holdfast.model.delivery import Delivery
from holdfast.model.group import Cause, Group, Lines, Listing, Lookback
from holdfast.model.judgement import Nature
from holdfast.model.review import Edit, Edited, Lineage, Queue, Revealed


class Groups(Protocol):
    """Failure groups. `seen` is the group's revision that the caller knows; None: any.

    Raises:
        Stale: what was seen is not the present state.
        NotFound: no such group.
        Conflict: not allowed from the present state.
        InvalidInput: a value is wrong.
        StoreError: it was not written.
    """

    def now(self) -> int:
        """Return the present instant, ms since the epoch."""
        ...

    async def lines(self, asked: Listing) -> Lines:
        """Return a page of the list."""
        ...

    async def group(self, group_id: str) -> Group:
        """Return one group."""
        ...

    async def line(self, group_id: str, window: Lookback) -> Lines:
        """Return one group as the only line of a list."""
        ...

    async def alerts(self, window: Lookback, limit: int, *, account: str | None = None) -> Alerts:
        """Return the groups that were new, or came back, within a window, the newest first."""
        ...

    async def critical(
        self, priority: int | None, limit: int, *, account: str | None = None
    ) -> Critical:
        """Return failing deliveries of a priority or above (None: that of the configuration)."""
        ...

    async def assign(
        self, group_id: str, owner: str | None, *, actor: str, reason: str, seen: int | None = None
    ) -> Group:
        """Give it to somebody, or to nobody."""
        ...

    async def resolve(
        self, group_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Group:
        """Say that the cause is gone."""
        ...

    async def ignore(
        self,
        group_id: str,
        *,
        until: int | None,
        failures: int | None,
        actor: str,
        reason: str,
        seen: int | None = None,
    ) -> Group:
        """Leave it out of the open ones until an instant (ms), or so many further failures."""
        ...

    async def judge(
        self,
        group_id: str,
        nature: Nature | None,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
    ) -> Group:
        """Say what its failures are, whatever the rules say; None: take that back."""
        ...

    async def attribute(
        self,
        group_id: str,
        cause: Cause | None,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
    ) -> Group:
        """Say what lies behind it; None: take that back."""
        ...

    async def reopen(
        self, group_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Group:
        """Say that it needs somebody again."""
        ...


class Review(Protocol):
    """The review queue. `seen` is the delivery's revision that the caller knows; None: any.

    Raises:
        Stale: what was seen is not the present state.
        NotFound: no such delivery.
        Conflict: not allowed from the present state.
        InvalidInput: a value is wrong.
        StoreError: it was not written.
    """

    async def queue(self, account: str | None = None) -> Queue:
        """Return the queue in numbers."""
        ...

    async def lineage(self, delivery_id: str) -> Lineage:
        """Return where a delivery comes from and what took its place."""
        ...

    async def reveal(self, delivery_id: str, *, actor: str, reason: str) -> Revealed:
        """Return the payload for a person; the audit journal keeps that."""
        ...

    async def assign(
        self,
        delivery_id: str,
        assignee: str | None,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
    ) -> Delivery:
        """Give a dead delivery to somebody to look at, or to nobody."""
        ...

    async def edit(
        self, delivery_id: str, edit: Edit, *, actor: str, reason: str, seen: int | None = None
    ) -> Edited:
        """Send another payload in the place of a dead delivery, as its child."""
        ...
