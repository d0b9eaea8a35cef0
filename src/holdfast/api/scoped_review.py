"""Failure groups and review as one account sees them; see `api.scoped`."""

from typing import Any, Protocol

import msgspec

from holdfast.api.desks import Groups, Review
from holdfast.errors import NotFound
from holdfast.model.alert import Alerts, Critical
from holdfast.model.delivery import Delivery
from holdfast.model.group import Cause, Group, Lines, Listing, Lookback
from holdfast.model.judgement import Nature
from holdfast.model.review import Edit, Edited, Lineage, Queue, Revealed


class Sights(Protocol):
    """What is seen of the account."""

    async def delivery(self, delivery_id: str) -> Delivery:
        """Return one delivery, or raise `NotFound`."""
        ...


class ScopedGroups:
    """Failure groups of one account.

    Args:
        groups: of the engine.
        account: the tenant.
    """

    def __init__(self, groups: Groups, account: str) -> None:
        self._groups = groups
        self._account = account

    def now(self) -> int:
        """Return the present instant, ms since the epoch."""
        return self._groups.now()

    async def lines(self, asked: Listing) -> Lines:
        """Return a page of the list."""
        return await self._groups.lines(msgspec.structs.replace(asked, account=self._account))

    async def group(self, group_id: str) -> Group:
        """Return one group, or raise `NotFound`."""
        found = await self._groups.group(group_id)
        if found.account != self._account:
            raise NotFound(f"no group {group_id!r}")
        return found

    async def line(self, group_id: str, back: Lookback) -> Lines:
        """Return one group as the only line of a list."""
        await self.group(group_id)
        return await self._groups.line(group_id, back)

    async def alerts(self, window: Lookback, limit: int, *, account: str | None = None) -> Alerts:
        """Return the account's groups that were new, or came back, within a window."""
        del account
        return await self._groups.alerts(window, limit, account=self._account)

    async def critical(
        self, priority: int | None, limit: int, *, account: str | None = None
    ) -> Critical:
        """Return the account's failing deliveries of a priority or above."""
        del account
        return await self._groups.critical(priority, limit, account=self._account)

    async def assign(self, group_id: str, owner: str | None, **how: Any) -> Group:
        """Give it to somebody, or to nobody."""
        await self.group(group_id)
        return await self._groups.assign(group_id, owner, **how)

    async def resolve(self, group_id: str, **how: Any) -> Group:
        """Say that the cause is gone."""
        await self.group(group_id)
        return await self._groups.resolve(group_id, **how)

    async def ignore(self, group_id: str, **how: Any) -> Group:
        """Leave it out of the open ones."""
        await self.group(group_id)
        return await self._groups.ignore(group_id, **how)

    async def judge(self, group_id: str, nature: Nature | None, **how: Any) -> Group:
        """Say what its failures are, or take that back."""
        await self.group(group_id)
        return await self._groups.judge(group_id, nature, **how)

    async def attribute(self, group_id: str, cause: Cause | None, **how: Any) -> Group:
        """Say what lies behind it, or take that back."""
        await self.group(group_id)
        return await self._groups.attribute(group_id, cause, **how)

    async def reopen(self, group_id: str, **how: Any) -> Group:
        """Say that it needs somebody again."""
        await self.group(group_id)
        return await self._groups.reopen(group_id, **how)


class ScopedReview:
    """The review queue of one account.

    Args:
        review: of the engine.
        views: what is seen of the account.
        account: the tenant.
    """

    def __init__(self, review: Review, views: Sights, account: str) -> None:
        self._review = review
        self._views = views
        self._account = account

    async def queue(self, account: str | None = None) -> Queue:
        """Return the account's part of the queue in numbers."""
        del account
        return await self._review.queue(self._account)

    async def lineage(self, delivery_id: str) -> Lineage:
        """Return where a delivery comes from; a child is of its parent's account."""
        await self._views.delivery(delivery_id)
        return await self._review.lineage(delivery_id)

    async def reveal(self, delivery_id: str, **how: Any) -> Revealed:
        """Return the payload for a person."""
        await self._views.delivery(delivery_id)
        return await self._review.reveal(delivery_id, **how)

    async def assign(self, delivery_id: str, assignee: str | None, **how: Any) -> Delivery:
        """Give a dead delivery to somebody to look at, or to nobody."""
        await self._views.delivery(delivery_id)
        return await self._review.assign(delivery_id, assignee, **how)

    async def edit(self, delivery_id: str, edit: Edit, **how: Any) -> Edited:
        """Send another payload in the place of a dead delivery, as its child."""
        await self._views.delivery(delivery_id)
        return await self._review.edit(delivery_id, edit, **how)
