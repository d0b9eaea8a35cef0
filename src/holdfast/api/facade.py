"""What the doors need of the engine."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from holdfast.api.desks import Groups, Review
from holdfast.errors import HoldfastError
from holdfast.model.attempt import Event
from holdfast.model.audit import LineQuery
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Catalog
from holdfast.model.lane import ClosedGate
from holdfast.model.message import Message
from holdfast.model.operation import Operation, Outcome, Plan, Preview, Result
from holdfast.model.overview import Overview, Spooling
from holdfast.model.policy import PolicySettings
from holdfast.model.review import Proof
from holdfast.model.rule import Signal
from holdfast.model.search import Found, Predicate, Search, Total
from holdfast.model.stream import Topic
from holdfast.model.submission import Receipt, Submission
from holdfast.model.view import LaneView
from holdfast.model.worker import Placed
from holdfast.store import EventQuery, Lines, Pruned


class Intake(Protocol):
    """The way in."""

    async def accept(
        self, flow: str, submissions: Sequence[Submission], *, account: str
    ) -> list[Receipt | HoldfastError]:
        """Store the submissions in one commit and answer each, in order.

        What is wrong with one submission (`InvalidInput`, `KeyCollision`) is its own answer.

        Raises:
            NotFound: no such flow.
            Overloaded: too much waits for the writer; nothing was accepted.
            StoreError: nothing was accepted (`StoreFull`), or it is unknown whether.
        """
        ...


class Actions(Protocol):
    """What people may do. Each writes an audit line with `actor` and `reason`.

    `seen` is the delivery's revision, or the lane's tag, that the caller knows; None: any.

    Raises:
        Stale: what was seen is not the present state.
        NotFound: no such delivery, message or recipient.
        Conflict: not allowed from the present state.
        InvalidInput: a value is wrong.
        StoreError: it was not written.
    """

    async def redrive(
        self,
        delivery_id: str,
        *,
        actor: str,
        reason: str,
        policy: PolicySettings | None = None,
        endpoint: str | None = None,
        seen: int | None = None,
    ) -> Delivery:
        """Return a dead delivery to its lane as a new generation."""
        ...

    async def cancel(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Discard a pending delivery."""
        ...

    async def discard(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Discard a dead delivery."""
        ...

    async def undo(
        self, delivery_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Return a discarded delivery to the review queue."""
        ...

    async def revoke(self, message_id: str, *, actor: str, reason: str) -> list[Delivery]:
        """Revoke the consent behind a message; return its deliveries."""
        ...

    async def prove(
        self,
        delivery_id: str,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
        proof: Proof | None = None,
    ) -> Delivery:
        """Mark a delivery delivered by hand."""
        ...

    async def reschedule(
        self, delivery_id: str, at: int, *, actor: str, reason: str, seen: int | None = None
    ) -> Delivery:
        """Make a pending delivery due at an instant (ms)."""
        ...

    async def replay(self, message_id: str, *, actor: str, reason: str) -> Receipt:
        """Make new deliveries from an old message."""
        ...

    async def pause(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Hold a lane."""
        ...

    async def resume(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """End a pause."""
        ...

    async def open_breaker(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Open a breaker until a person resets it."""
        ...

    async def reset_breaker(
        self, recipient: str, *, actor: str, reason: str, seen: str | None = None
    ) -> LaneView:
        """Close a breaker."""
        ...

    async def set_signal(self, name: str, value: float, *, actor: str, reason: str) -> Signal:
        """Set a number from outside that rules can use."""
        ...

    async def purge(self, older_than_ms: int, *, actor: str, reason: str) -> Pruned:
        """Remove what ended more than `older_than_ms` milliseconds ago."""
        ...


class Operations(Protocol):
    """Bulk work. `seen` is the operation's tag that the caller knows; None: any.

    Raises:
        Stale: what was seen is not the present state.
        NotFound: no such operation.
        Conflict: not allowed from the present state.
        InvalidInput: a value is wrong.
        StoreError: it was not written.
    """

    async def preview(self, plan: Plan) -> Preview:
        """Return what a plan would act on."""
        ...

    async def start(self, plan: Plan) -> Operation:
        """Save a new operation; it runs from then on."""
        ...

    async def operations(
        self, below: str | None, limit: int, *, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first, below an id."""
        ...

    async def operation(self, operation_id: str) -> Operation:
        """Return one operation."""
        ...

    async def results(
        self,
        operation_id: str,
        below: str | None,
        limit: int,
        *,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return what became of its deliveries, newest delivery first, below an id."""
        ...

    async def pause(
        self, operation_id: str, *, actor: str, reason: str, seen: str | None = None
    ) -> Operation:
        """Stop after the batch under way."""
        ...

    async def resume(
        self, operation_id: str, *, actor: str, reason: str, seen: str | None = None
    ) -> Operation:
        """Go on where it stopped."""
        ...

    async def cancel(
        self, operation_id: str, *, actor: str, reason: str, seen: str | None = None
    ) -> Operation:
        """End it; what is done stays done."""
        ...

    async def undo(
        self, operation_id: str, *, actor: str, reason: str, seen: str | None = None
    ) -> Operation:
        """Bring back what a discard took out of review."""
        ...


class Views(Protocol):
    """What may be seen. Payloads are never shown."""

    @property
    def catalog(self) -> Catalog:
        """Return the configuration in force."""
        ...

    async def delivery(self, delivery_id: str) -> Delivery:
        """Return one delivery, or raise `NotFound`."""
        ...

    async def why(self, delivery: Delivery) -> Sequence[ClosedGate]:
        """Return everything that keeps a pending delivery from being sent now, in order."""
        ...

    async def message(self, message_id: str) -> Message:
        """Return one message, or raise `NotFound`."""
        ...

    def where(self, text: str, account: str | None = None) -> Predicate:
        """Return what a query means now, or raise `QueryError`; `account`: whose fields."""
        ...

    async def find(self, asked: Search) -> Found:
        """Return a page of deliveries, newest first, at most `asked.limit`."""
        ...

    async def count(self, asked: Search) -> Total:
        """Return how many deliveries match; of `asked.look` rows at least."""
        ...

    async def events(self, query: EventQuery) -> list[Event]:
        """Return events, their excerpts opened into `attempt.error_details.excerpt`."""
        ...

    async def lines(self, query: LineQuery) -> Lines:
        """Return a page of audit lines by time."""
        ...

    async def lanes(self) -> list[LaneView]:
        """Return every lane, by name."""
        ...

    async def lane(self, recipient: str) -> LaneView:
        """Return one lane, or raise `NotFound`."""
        ...

    async def signals(self) -> list[Signal]:
        """Return the numbers from outside, by name."""
        ...

    async def workers(self) -> list[Placed]:
        """Return all workers, the oldest first."""
        ...

    async def overview(self) -> Overview:
        """Return the whole worker at a glance."""
        ...

    async def ready(self) -> bool:
        """Tell whether messages are accepted."""
        ...

    @property
    def spooling(self) -> Spooling | None:
        """Return how the spool stands, None: there is none."""
        ...

    def metrics(self) -> str:
        """Return the metrics in Prometheus text format."""
        ...


class Listener(Protocol):
    """One who listens to the stream."""

    @property
    def ended(self) -> asyncio.Event:
        """Return what is set when nothing more will be told."""
        ...

    async def next(self) -> bytes | None:
        """Return what is to be sent when there is something; None after the end."""
        ...


class Broadcast(Protocol):
    """Tells what changed."""

    async def listen(
        self,
        topics: Iterable[Topic],
        after: int | None,
        scope: tuple[str, frozenset[str]] | None = None,
    ) -> Listener:
        """Begin to tell, from a position on, or raise `Overloaded`.

        `scope` is the only account that it hears of, and the recipients of that; None: all.
        """
        ...

    def leave(self, listener: Any) -> None:
        """Forget a listener."""
        ...


class Facade(Protocol):
    """A running engine, as the doors see it."""

    @property
    def intake(self) -> Intake:
        """Return the way in."""
        ...

    @property
    def actions(self) -> Actions:
        """Return what people may do."""
        ...

    @property
    def views(self) -> Views:
        """Return what may be seen."""
        ...

    @property
    def operations(self) -> Operations:
        """Return the bulk work."""
        ...

    @property
    def groups(self) -> Groups:
        """Return the failure groups."""
        ...

    @property
    def review(self) -> Review:
        """Return the review queue."""
        ...

    @property
    def broadcast(self) -> Broadcast:
        """Return who tells what changed."""
        ...
