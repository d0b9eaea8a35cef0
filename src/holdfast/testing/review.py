"""The review queue over deliveries in memory, for tests of doors; payloads are plain there."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from holdfast.errors import Conflict, InvalidInput
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.group import Counted, Held
from holdfast.model.message import Message
from holdfast.model.review import Edit, Edited, Lineage, Queue, Revealed
from holdfast.model.search import Search
from holdfast.policy import patch


class Desk(Protocol):
    """What of an engine in memory is used."""

    async def delivery(self, delivery_id: str) -> Delivery:
        """Return one delivery, or raise `NotFound`."""
        ...

    async def message(self, message_id: str) -> Message:
        """Return one message."""
        ...

    async def changed(
        self, verb: Verb, delivery_id: str, actor: str, reason: str, seen: int | None, **fields: Any
    ) -> Delivery:
        """Change a delivery."""
        ...

    async def tallies(self, search: Search) -> list[Counted]:
        """Return groups with their deliveries."""
        ...


class MemoryReview:
    """Satisfies `api.desks.Review`.

    Args:
        desk: changes deliveries.
        deliveries: all there are, by id.
        put: keeps a child.
        note: keeps an audit line: actor, action, subject, reason.
    """

    def __init__(
        self,
        desk: Desk,
        deliveries: Mapping[str, Delivery],
        put: Callable[[Delivery], None],
        note: Callable[[str, str, str, str], None],
    ) -> None:
        self._desk = desk
        self._deliveries = deliveries
        self._put = put
        self._note = note

    async def queue(self, account: str | None = None) -> Queue:
        """Return the queue in numbers."""
        del account
        dead = [one for one in self._deliveries.values() if one.status is Status.DEAD]
        held: dict[str, list[Delivery]] = {}
        for one in dead:
            if one.assignee is not None:
                held.setdefault(one.assignee, []).append(one)
        holders = [
            Held(name, len(own), sum(one.value for one in own), min(one.id for one in own))
            for name, own in sorted(held.items())
        ]
        groups = [each for each in await self._desk.tallies(Search()) if each.tally.dead]
        return Queue(len(dead), sum(each.count for each in holders), holders, groups)

    async def lineage(self, delivery_id: str) -> Lineage:
        """Return parent and children."""
        own = await self._desk.delivery(delivery_id)
        above = [] if own.parent is None else [await self._desk.delivery(own.parent)]
        children = [one for one in self._deliveries.values() if one.parent == delivery_id]
        return Lineage(above, children, None)

    async def reveal(self, delivery_id: str, *, actor: str, reason: str) -> Revealed:
        """Return the payload."""
        own = await self._desk.delivery(delivery_id)
        message = await self._desk.message(own.message_id)
        if message.sealed is None:
            raise Conflict("the payload is gone")
        self._note(actor, "reveal_payload", delivery_id, reason)
        return Revealed(message.sealed, ())

    async def assign(
        self,
        delivery_id: str,
        assignee: str | None,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
    ) -> Delivery:
        """Give a dead delivery to somebody."""
        return await self._desk.changed(
            Verb.ASSIGN, delivery_id, actor, reason, seen, assignee=assignee
        )

    async def edit(
        self, delivery_id: str, edit: Edit, *, actor: str, reason: str, seen: int | None = None
    ) -> Edited:
        """Put a child in the place of a dead delivery; its message is the parent's."""
        own = await self._desk.delivery(delivery_id)
        old = (await self._desk.message(own.message_id)).sealed or b"{}"
        new = patch.merged(old, edit.patch or b"{}") if edit.payload is None else edit.payload
        changes = patch.changes(old, new)
        if not changes:
            raise InvalidInput("patch", "no change", "a change; redrive sends the same again")
        if edit.dry_run:
            return Edited(own, None, changes)
        parent = await self._desk.changed(
            Verb.SUPERSEDE, delivery_id, actor, reason, seen, code="SUPERSEDED"
        )
        child = msgspec.structs.replace(
            own,
            id=f"dlv_{int(own.id[4:], 16) + 10**6:032x}",
            parent=own.id,
            status=Status.PENDING,
            endpoint=edit.endpoint,
        )
        self._put(child)
        return Edited(parent, child, changes)
