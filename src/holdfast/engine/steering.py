"""What people do to lanes: to ours at once, to others' by an order to the worker that owns them.

An order is taken by one worker, or withdrawn by who gave it. The audit line of who took it names
the order and is written with the lane: it is the answer.
"""

import asyncio
import random
from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from holdfast.clock import Clock
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.lane import Lane
from holdfast.engine.lanes import Lanes
from holdfast.engine.membership import Membership
from holdfast.engine.views import Views, view
from holdfast.engine.wakeups import Wakeups
from holdfast.engine.writer import Writer
from holdfast.errors import Stale, Unanswered
from holdfast.model.delivery import Delivery
from holdfast.model.identity import new_id
from holdfast.model.view import LaneView
from holdfast.model.worker import Hint, Order
from holdfast.policy.steering import Action, steered, told
from holdfast.store import Counts, Note, Store
from holdfast.telemetry import LogEvent, log

PATIENCE_MS: Final = 5_000
"""An owner has so long to take an order (it looks every second), and so long again to do it."""
LAPSE_MS: Final = 2 * PATIENCE_MS
"""An order that nobody took for so long is not carried out any more: who gave it has withdrawn it,
or ended, and whoever looks at the lane since believes that nothing was asked. Store time."""
LOOK_MS: Final = 100
LINES_MAX: Final = 200
"""Most audit lines of a lane in which the answer is looked for."""
_KNOWN: Final = frozenset(Action)
REFUSED: Final = "refused"
"""Audit line of an order that was not carried out: the lane was not as it had been seen."""
LAPSED: Final = "lapsed"
"""Audit line of an order that was not carried out: it was too old."""


class Steering:
    """Carries out what people want of lanes.

    Args:
        store: carries orders to other workers.
        writer: saves lanes and audit lines.
        dispatcher: looks at a lane that was changed.
        clock: time.
        rng: names of orders.
        lanes: which are ours.
        membership: makes a free lane ours.
        wakeups: tells the others that there is an order.
        views: how a lane stands.
    """

    def __init__(
        self,
        store: Store,
        writer: Writer,
        dispatcher: Dispatcher,
        clock: Clock,
        *,
        rng: random.Random,
        lanes: Lanes,
        membership: Membership,
        wakeups: Wakeups,
        views: Views,
    ) -> None:
        self._store = store
        self._writer = writer
        self._dispatcher = dispatcher
        self._clock = clock
        self._rng = rng
        self._lanes = lanes
        self._membership = membership
        self._wakeups = wakeups
        self._views = views

    async def act(
        self, action: Action, recipient: str, *, actor: str, reason: str, seen: str | None
    ) -> LaneView:
        """Change a lane, whoever owns it; nobody does: it becomes ours.

        Raises:
            Stale: the lane is not as it was seen.
            Unanswered: the owner did not do it in time.
            StoreError: it was not written.
        """
        now = self._clock.now()
        order = Order(new_id("or", now, self._rng), recipient, action, actor, reason, now, seen)
        lane = self._lanes.owned(recipient)
        if lane is None:
            await self._membership.claim(recipient)
            lane = self._lanes.owned(recipient)
        if lane is None or lane.closed:
            await self._ask(order)
        elif not self._fits(lane, order):
            await self._stale(recipient)
        elif not await self._steered(lane, order):
            await self._ask(
                order
            )  # the lane was lost before that was written: it has another owner
        return await self._views.lane(recipient)

    async def obey(self, recipients: Collection[str]) -> None:
        """Carry out what was asked of lanes that are ours."""
        names = [name for name in recipients if name in self._lanes.held]
        if not names:
            return
        for order in await self._store.take_orders(self._membership.ownership.epoch, names):
            lane = self._lanes.held.get(order.recipient)
            if self._clock.now() - order.at > LAPSE_MS:
                self._decline(order, LAPSED)
            elif lane is None:  # given away meanwhile: it is for the next owner
                await self._store.order(order)
            elif order.action in _KNOWN and self._fits(lane, order):
                self._steer(lane, order, {"order": order.id})
            else:
                self._decline(order, REFUSED)

    def _decline(self, order: Order, why: str) -> None:
        """Answer that nothing was done."""
        told = f"{order.action}: {order.reason}"
        now = self._clock.now()
        self._writer.note(Note(now, order.actor, why, order.recipient, told, _mark(order)))

    def tell(self, changed: Delivery) -> None:
        """Tell the owner of its lane that a delivery was changed."""
        self._wakeups.tell(Hint(changed.recipient, changed.id))

    def _fits(self, lane: Lane, order: Order) -> bool:
        return order.seen in {None, view(lane, Counts(), self._clock.now()).tag}

    async def _steered(self, lane: Lane, order: Order) -> bool:
        """Change a lane of ours; tell whether that is on disk."""
        written = asyncio.Event()
        self._steer(lane, order, {}, written.set)
        await self._writer.flush()
        return written.is_set()

    def _steer(
        self,
        lane: Lane,
        order: Order,
        more: dict[str, Any],
        landed: Callable[[], None] | None = None,
    ) -> None:
        now = self._clock.now()
        action, name = Action(order.action), lane.recipient.name
        before = lane.state
        lane.change(steered(before, action, reason=order.reason, now=now))
        said = more | told(before, lane.state)
        detail = msgspec.json.encode(said).decode() if said else ""
        line = Note(now, order.actor, action, name, order.reason, detail)
        self._writer.save_lane(lane.state, landed, [line])
        log(LogEvent.ACTION, action=action, subject=name, actor=order.actor)
        self._dispatcher.stir(lane)

    async def _stale(self, recipient: str) -> None:
        current = await self._views.lane(recipient)
        raise Stale(f"the lane of {recipient} has changed since you looked", current)

    # -- orders to others -------------------------------------------------------------------

    async def _ask(self, order: Order) -> None:
        order = msgspec.structs.replace(order, at=self._clock.now())
        await self._store.order(order)
        self._wakeups.tell(Hint())
        answer = await self._answered(order)
        if answer is None:
            if await self._store.withdraw(order.id):
                raise Unanswered(
                    f"the worker that owns the lane of {order.recipient} did not answer in "
                    f"time; the {order.action} was withdrawn, nothing has changed"
                )
            answer = await self._answered(order)
        if answer is None:
            raise Unanswered(
                f"the worker that owns the lane of {order.recipient} has taken the {order.action} "
                "and has not said that it is done; look at the lane before you try again"
            )
        if answer.action == REFUSED:
            await self._stale(order.recipient)
        if answer.action == LAPSED:
            raise Unanswered(
                f"the worker that owns the lane of {order.recipient} took the {order.action} too "
                "late to do it, nothing has changed"
            )

    async def _answered(self, order: Order) -> Note | None:
        """Return the audit line that names an order, None: there is none in time."""
        mark = _mark(order).removesuffix("}")  # what it changed may follow
        end = self._clock.monotonic() + PATIENCE_MS
        while self._clock.monotonic() < end:
            await self._clock.pause(LOOK_MS)
            for line in await self._store.notes(order.recipient, LINES_MAX):
                if line.detail.startswith(mark):
                    return line
        return None


def _mark(order: Order) -> str:
    return msgspec.json.encode({"order": order.id}).decode()
