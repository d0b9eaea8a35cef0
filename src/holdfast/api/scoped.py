"""The engine as one account sees it: of the others there is nothing, not even a refusal.

Everything that a door asks goes through here when who asks is bound to an account, so that no
route can forget it.
"""

import functools
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec

from holdfast.access.decide import narrowed, of_account
from holdfast.api.facade import Actions, Broadcast, Facade, Intake, Listener, Operations, Views
from holdfast.api.scoped_review import ScopedGroups, ScopedReview
from holdfast.errors import HoldfastError, InvalidInput, NotFound
from holdfast.model.attempt import Event
from holdfast.model.audit import LineQuery, Scope
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Catalog
from holdfast.model.lane import ClosedGate
from holdfast.model.message import Message
from holdfast.model.operation import ACTS_ON, Operation, Outcome, Plan, Preview, Result
from holdfast.model.overview import Overview, Spooling
from holdfast.model.rule import Signal
from holdfast.model.search import Found, Predicate, Search, Total
from holdfast.model.stream import Topic
from holdfast.model.submission import Receipt, Submission
from holdfast.model.view import LaneView
from holdfast.model.worker import Placed
from holdfast.store import EventQuery, Lines, Pruned

PAGES: Final = 20
"""Most pages of operations that are looked at for those of an account ..."""
OPERATIONS_LOOK: Final = 500
"""... and how many each has: those of others are passed over."""


class ScopedViews:
    """What may be seen of one account.

    Args:
        views: of the engine.
        account: the tenant.
    """

    def __init__(self, views: Views, account: str) -> None:
        self._views = views
        self._account = account

    @functools.cached_property
    def catalog(self) -> Catalog:
        """Return the account's part of the configuration in force."""
        whole, account = self._views.catalog, self._account
        return msgspec.structs.replace(
            whole,
            accounts={key: one for key, one in whole.accounts.items() if key == account},
            recipients={k: one for k, one in whole.recipients.items() if one.account == account},
            flows={key: one for key, one in whole.flows.items() if one.account == account},
        )

    async def delivery(self, delivery_id: str) -> Delivery:
        """Return one delivery, or raise `NotFound`."""
        found = await self._views.delivery(delivery_id)
        if found.account != self._account:
            raise NotFound(f"no delivery {delivery_id!r}")
        return found

    async def why(self, delivery: Delivery) -> Sequence[ClosedGate]:
        """Return everything that keeps a pending delivery from being sent now, in order."""
        return await self._views.why(delivery)

    async def message(self, message_id: str) -> Message:
        """Return one message, or raise `NotFound`."""
        found = await self._views.message(message_id)
        if found.account != self._account:
            raise NotFound(f"no message {message_id!r}")
        return found

    def where(self, text: str, account: str | None = None) -> Predicate:
        """Return what a query means now; `find` and `count` narrow it."""
        del account
        return self._views.where(text, self._account)

    async def find(self, asked: Search) -> Found:
        """Return a page of deliveries, newest first."""
        return await self._views.find(msgspec.structs.replace(asked, account=self._account))

    async def count(self, asked: Search) -> Total:
        """Return how many deliveries match."""
        return await self._views.count(msgspec.structs.replace(asked, account=self._account))

    async def events(self, query: EventQuery) -> list[Event]:
        """Return events of the account."""
        if query.delivery_id is not None:
            await self.delivery(query.delivery_id)
        if query.recipient is not None and query.recipient not in self.catalog.recipients:
            return []
        among = tuple(self.catalog.recipients)
        if query.delivery_id is None and query.recipient is None:
            query = msgspec.structs.replace(query, among=among)
        return await self._views.events(query)

    async def lines(self, query: LineQuery) -> Lines:
        """Return a page of the account's audit lines by time."""
        own = Scope(self._account, tuple(self.catalog.recipients))
        return await self._views.lines(msgspec.structs.replace(query, scope=own))

    async def lanes(self) -> list[LaneView]:
        """Return every lane, by name."""
        return [one for one in await self._views.lanes() if one.account == self._account]

    async def lane(self, recipient: str) -> LaneView:
        """Return one lane, or raise `NotFound`."""
        self.check_lane(recipient)
        return await self._views.lane(recipient)

    def check_lane(self, recipient: str) -> None:
        """Raise `NotFound` unless it is a recipient of the account."""
        if recipient not in self.catalog.recipients:
            raise NotFound(f"no recipient {recipient!r}")

    async def signals(self) -> list[Signal]:
        """Return none: they are everybody's."""
        return []

    async def workers(self) -> list[Placed]:
        """Return none: they are everybody's."""
        return []

    async def overview(self) -> Overview:
        """Return what the account's lanes add up to.

        Rates, latencies and workers are left out: they are those of everybody together.
        """
        whole, own = await self._views.overview(), await self.lanes()
        waiting: Counter[str] = Counter(dict.fromkeys(whole.by_priority, 0))
        for lane in own:
            waiting.update(lane.by_priority)
        return Overview(
            at=whole.at,
            active=sum(lane.in_flight for lane in own),
            depth=sum(lane.pending for lane in own),
            by_priority=dict(waiting),
            oldest_due_ms=0,
            lanes=dict(Counter(str(lane.breaker) for lane in own)),
            windows=(),
            points=(),
            workers=(),
        )

    async def ready(self) -> bool:
        """Tell whether messages are accepted."""
        return await self._views.ready()

    @property
    def spooling(self) -> Spooling | None:
        """Return nothing: the spool is everybody's."""
        return None

    def metrics(self) -> str:
        """Return nothing: the metrics are everybody's."""
        return ""


class ScopedActions:
    """What may be done in one account.

    Args:
        actions: of the engine.
        views: what is seen of the account.
    """

    def __init__(self, actions: Actions, views: ScopedViews) -> None:
        self._actions = actions
        self._views = views

    async def redrive(self, delivery_id: str, **how: Any) -> Delivery:
        """Return a dead delivery to its lane as a new generation."""
        await self._views.delivery(delivery_id)
        return await self._actions.redrive(delivery_id, **how)

    async def cancel(self, delivery_id: str, **how: Any) -> Delivery:
        """Discard a pending delivery."""
        await self._views.delivery(delivery_id)
        return await self._actions.cancel(delivery_id, **how)

    async def discard(self, delivery_id: str, **how: Any) -> Delivery:
        """Discard a dead delivery."""
        await self._views.delivery(delivery_id)
        return await self._actions.discard(delivery_id, **how)

    async def undo(self, delivery_id: str, **how: Any) -> Delivery:
        """Return a discarded delivery to the review queue."""
        await self._views.delivery(delivery_id)
        return await self._actions.undo(delivery_id, **how)

    async def prove(self, delivery_id: str, **how: Any) -> Delivery:
        """Mark a delivery delivered by hand."""
        await self._views.delivery(delivery_id)
        return await self._actions.prove(delivery_id, **how)

    async def reschedule(self, delivery_id: str, at: int, **how: Any) -> Delivery:
        """Make a pending delivery due at an instant (ms)."""
        await self._views.delivery(delivery_id)
        return await self._actions.reschedule(delivery_id, at, **how)

    async def revoke(self, message_id: str, **how: Any) -> list[Delivery]:
        """Revoke the consent behind a message."""
        await self._views.message(message_id)
        return await self._actions.revoke(message_id, **how)

    async def replay(self, message_id: str, **how: Any) -> Receipt:
        """Make new deliveries from an old message."""
        await self._views.message(message_id)
        return await self._actions.replay(message_id, **how)

    async def pause(self, recipient: str, **how: Any) -> LaneView:
        """Hold a lane."""
        self._views.check_lane(recipient)
        return await self._actions.pause(recipient, **how)

    async def resume(self, recipient: str, **how: Any) -> LaneView:
        """End a pause."""
        self._views.check_lane(recipient)
        return await self._actions.resume(recipient, **how)

    async def open_breaker(self, recipient: str, **how: Any) -> LaneView:
        """Open a breaker until a person resets it."""
        self._views.check_lane(recipient)
        return await self._actions.open_breaker(recipient, **how)

    async def reset_breaker(self, recipient: str, **how: Any) -> LaneView:
        """Close a breaker."""
        self._views.check_lane(recipient)
        return await self._actions.reset_breaker(recipient, **how)

    async def set_signal(self, name: str, value: float, **how: Any) -> Signal:
        """Refuse: signals are everybody's."""
        del value, how
        raise NotFound(f"no signal {name!r}")

    async def purge(self, older_than_ms: int, **how: Any) -> Pruned:
        """Refuse: a purge takes from all accounts."""
        del older_than_ms, how
        raise NotFound("no purge of one account")


class ScopedOperations:
    """Bulk work of one account: whose plan means nothing beyond it.

    Args:
        operations: of the engine.
        account: the tenant.
    """

    def __init__(self, operations: Operations, account: str) -> None:
        self._operations = operations
        self._account = account

    async def preview(self, plan: Plan) -> Preview:
        """Return what a plan would act on."""
        return await self._operations.preview(self._narrowed(plan))

    async def start(self, plan: Plan) -> Operation:
        """Save a new operation."""
        return await self._operations.start(self._narrowed(plan))

    async def operations(
        self, below: str | None, limit: int, *, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first, below an id."""
        found: list[Operation] = []
        for _ in range(PAGES):
            page = await self._operations.operations(below, OPERATIONS_LOOK, active=active)
            found += [one for one in page if of_account(one.plan.where, self._account)]
            if len(found) >= limit or len(page) < OPERATIONS_LOOK:
                break
            below = page[-1].id
        return found[:limit]

    async def operation(self, operation_id: str) -> Operation:
        """Return one operation."""
        found = await self._operations.operation(operation_id)
        if not of_account(found.plan.where, self._account):
            raise NotFound(f"no operation {operation_id!r}")
        return found

    async def results(
        self,
        operation_id: str,
        below: str | None,
        limit: int,
        *,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return what became of its deliveries."""
        await self.operation(operation_id)
        return await self._operations.results(operation_id, below, limit, outcomes=outcomes)

    async def pause(self, operation_id: str, **how: Any) -> Operation:
        """Stop after the batch under way."""
        await self.operation(operation_id)
        return await self._operations.pause(operation_id, **how)

    async def resume(self, operation_id: str, **how: Any) -> Operation:
        """Go on where it stopped."""
        await self.operation(operation_id)
        return await self._operations.resume(operation_id, **how)

    async def cancel(self, operation_id: str, **how: Any) -> Operation:
        """End it."""
        await self.operation(operation_id)
        return await self._operations.cancel(operation_id, **how)

    async def undo(self, operation_id: str, **how: Any) -> Operation:
        """Bring back what a discard took out of review."""
        await self.operation(operation_id)
        return await self._operations.undo(operation_id, **how)

    def _narrowed(self, plan: Plan) -> Plan:
        """Return the plan within the account.

        Raises:
            InvalidInput: it asks for nothing; the account alone is no search either.
        """
        if plan.where == Predicate():
            raise InvalidInput("q", "", f"a search, such as status:{ACTS_ON[plan.kind]}, or ids")
        return msgspec.structs.replace(plan, where=narrowed(plan.where, self._account))


class ScopedIntake:
    """The way in to the flows of one account.

    Args:
        intake: of the engine.
        account: the tenant.
    """

    def __init__(self, intake: Intake, account: str) -> None:
        self._intake = intake
        self._account = account

    async def accept(
        self, flow: str, submissions: Sequence[Submission], *, account: str
    ) -> list[Receipt | HoldfastError]:
        """Store the submissions, whatever account the door has taken them for."""
        del account
        return await self._intake.accept(flow, submissions, account=self._account)


class ScopedBroadcast:
    """Tells what changed in one account.

    Args:
        broadcast: of the engine.
        account: the tenant.
        recipients: its lanes.
    """

    def __init__(self, broadcast: Broadcast, account: str, recipients: frozenset[str]) -> None:
        self._broadcast = broadcast
        self._account = account
        self._recipients = recipients

    async def listen(
        self,
        topics: Iterable[Topic],
        after: int | None,
        scope: tuple[str, frozenset[str]] | None = None,
    ) -> Listener:
        """Begin to tell, from a position on."""
        del scope
        return await self._broadcast.listen(topics, after, (self._account, self._recipients))

    def leave(self, listener: Any) -> None:
        """Forget a listener."""
        self._broadcast.leave(listener)


class Scoped:
    """A running engine, as one account sees it; satisfies `facade.Facade`.

    Args:
        facade: the whole.
        account: the tenant.
    """

    def __init__(self, facade: Facade, account: str) -> None:
        self.views = ScopedViews(facade.views, account)
        self.actions = ScopedActions(facade.actions, self.views)
        self.operations = ScopedOperations(facade.operations, account)
        self.groups = ScopedGroups(facade.groups, account)
        self.review = ScopedReview(facade.review, self.views, account)
        self.intake = ScopedIntake(facade.intake, account)
        own = frozenset(self.views.catalog.recipients)
        self.broadcast = ScopedBroadcast(facade.broadcast, account, own)
