"""Dead deliveries in the hands of people: assign, see, edit and send again, look back."""

import asyncio
from typing import Final

import msgspec

from holdfast.engine import changes, consents
from holdfast.engine.actions import TRIES, Actions, check_reason, check_seen
from holdfast.engine.groups import checked_name
from holdfast.engine.intake import Intake
from holdfast.engine.operations import Member
from holdfast.engine.views import Views
from holdfast.errors import Conflict, InvalidInput, VaultError
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.group import LOOK
from holdfast.model.message import NEVER, Message
from holdfast.model.review import Change, Edit, Edited, Lineage, Queue, Revealed
from holdfast.model.search import Choice, Predicate, Search
from holdfast.policy import patch, redaction
from holdfast.policy.decide import Code
from holdfast.policy.payload import read_exactly
from holdfast.store import Accept, Batch, Note, Store, Transition
from holdfast.vault import Vault

HOLDERS_MAX: Final = 200
"""Most people that the queue names."""
GROUPS_SHOWN: Final = 20
ANCESTORS_MAX: Final = 50
"""So many parents are looked back to."""
CHILDREN_MAX: Final = 50
_DEAD: Final = Choice("status", ("dead",))


class Review:
    """The review queue.

    Args:
        store: where deliveries are.
        actions: changes them.
        views: reads them.
        intake: makes children.
        vault: opens payloads.
        member: under which epoch this worker writes now.
    """

    def __init__(
        self,
        store: Store,
        actions: Actions,
        views: Views,
        intake: Intake,
        vault: Vault,
        *,
        member: Member,
    ) -> None:
        self._store = store
        self._actions = actions
        self._views = views
        self._intake = intake
        self._vault = vault
        self._member = member

    # -- looking ----------------------------------------------------------------------------

    async def queue(self, account: str | None = None) -> Queue:
        """Return the queue in numbers."""
        holders = await self._store.assignees(account, HOLDERS_MAX)
        where = Predicate((_DEAD,))
        found = await self._store.tallies(Search(where, account=account, look=LOOK))
        groups = sorted((each for each in found if each.tally.dead), key=lambda e: -e.tally.dead)
        total = await self._views.count(Search(where, account=account))
        assigned = sum(each.count for each in holders)
        return Queue(total.count, assigned, holders, groups[:GROUPS_SHOWN])

    async def lineage(self, delivery_id: str) -> Lineage:
        """Return where a delivery comes from and what took its place."""
        delivery = await self._views.delivery(delivery_id)
        ancestors: list[Delivery] = []
        above = delivery.parent
        while above is not None and len(ancestors) < ANCESTORS_MAX:
            found = await self._store.get(above)
            if found is None:  # pruned
                break
            ancestors.append(found)
            above = found.parent
        where = Predicate((Choice("parent", (delivery_id,)),))
        children = await self._store.find(Search(where, limit=CHILDREN_MAX))
        differs = await self._differs(ancestors[0], delivery) if ancestors else None
        return Lineage(ancestors, children.deliveries, differs)

    async def _differs(self, parent: Delivery, child: Delivery) -> list[Change] | None:
        texts = [self._text(await self._store.message(one.message_id)) for one in (parent, child)]
        before, after = texts
        return None if before is None or after is None else patch.changes(before, after)

    def _text(self, message: Message | None) -> bytes | None:
        """Return the payload of a message, None: it is gone."""
        if message is None or message.sealed is None:
            return None
        try:
            return self._vault.open(message.sealed, message.id)
        except VaultError:
            return None

    async def reveal(self, delivery_id: str, *, actor: str, reason: str) -> Revealed:
        """Return the payload of a delivery for a person; the audit journal keeps that.

        Raises:
            Conflict: it is gone.
        """
        check_reason(reason)
        delivery = await self._views.delivery(delivery_id)
        text = self._text(await self._store.message(delivery.message_id))
        if text is None:
            raise Conflict("the payload is gone")
        note = Note(
            self._actions.now(),
            actor,
            "reveal_payload",
            delivery_id,
            reason,
            account=delivery.account,
        )
        await self._actions.noted(note)
        paths = self._actions.book.route(delivery).flow.mask
        if not paths:
            return Revealed(text, ())
        try:
            shown = redaction.masked(read_exactly(text), paths)
            return Revealed(patch.shown(text, msgspec.json.encode(shown)), paths)
        except (InvalidInput, RecursionError) as error:  # it was accepted by an earlier version
            raise Conflict(f"the payload cannot be masked: {error}") from error

    # -- acting -----------------------------------------------------------------------------

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
        name = None if assignee is None else checked_name("assignee", assignee)
        return await self._actions.change(
            Verb.ASSIGN,
            delivery_id,
            lambda _, __: {"assignee": name},
            actor=actor,
            reason=reason,
            seen=seen,
        )

    async def edit(
        self, delivery_id: str, edit: Edit, *, actor: str, reason: str, seen: int | None = None
    ) -> Edited:
        """Send another payload in the place of a dead delivery, as its child.

        The child is another delivery with its own id, so the recipient gets another idempotency
        key. The parent stays as it was, but for being discarded `SUPERSEDED`; both are one commit.

        Raises:
            Stale: the parent is not as the caller has seen it.
            Conflict: it is not dead, may have arrived, waits for another, has no consent or no
                payload any more.
            InvalidInput: the new payload is none, or is the old one.
        """
        check_reason(reason)
        for _ in range(TRIES):
            parent = await self._views.delivery(delivery_id)
            check_seen(parent, seen)
            message = await self._views.message(parent.message_id)
            await self._check(parent, edit)
            payload, told = self._edited(message, edit)
            if edit.dry_run:
                return Edited(parent, None, told)
            accept = self._child(parent, message, payload, edit)
            try:
                return await self._write(parent, accept, told, actor=actor, reason=reason)
            except Conflict:
                continue  # the parent changed meanwhile: decide anew
        raise Conflict(f"delivery {delivery_id} keeps changing; try again")

    async def _check(self, parent: Delivery, edit: Edit) -> None:
        changes.changed(parent, Verb.SUPERSEDE, {}, 0, doubtful=False)  # is it allowed at all?
        if parent.in_doubt and not edit.in_doubt:
            raise Conflict(
                "it may have arrived although no answer came, and the recipient would take the "
                "child for something else: ask them, then say even_if_in_doubt"
            )
        await changes.check_order(self._store, parent)
        await consents.check(self._store, parent.message_id)

    def _edited(self, message: Message, edit: Edit) -> tuple[bytes, list[Change]]:
        old = self._text(message)
        field = "patch" if edit.payload is None else "payload"
        if old is None and edit.payload is None:
            raise Conflict("the payload is gone; give a whole new one as `payload`")
        if edit.payload is None:
            payload = patch.merged(old or b"{}", edit.patch or b"{}")
        else:
            payload = edit.payload if old is None else patch.unmasked(old, edit.payload)
        told = patch.changes(old or b"null", payload)
        if not told:
            raise InvalidInput(field, "no change", "a change; redrive sends the same again")
        return payload, told

    def _child(self, parent: Delivery, message: Message, payload: bytes, edit: Edit) -> Accept:
        """Return the new message; its first delivery takes the parent's place."""
        accept = self._intake.child(parent, message, payload)
        first, *rest = accept.deliveries
        first = msgspec.structs.replace(first, parent=parent.id, cause="edit")
        book = self._actions.book
        if edit.policy is not None:
            override = book.check_override(first, edit.policy)
            first = msgspec.structs.replace(first, policy=override)
        if edit.endpoint is not None:
            endpoint = book.endpoint(book.recipient(first.recipient), edit.endpoint).name
            first = msgspec.structs.replace(first, endpoint=endpoint)
        return msgspec.structs.replace(accept, deliveries=(first, *rest))

    async def _write(
        self, parent: Delivery, accept: Accept, told: list[Change], *, actor: str, reason: str
    ) -> Edited:
        """Write child and parent in one commit.

        Raises:
            Conflict: the parent has changed meanwhile; nothing was written.
        """
        now, child = accept.message.created_at, accept.deliveries[0]
        fields = {"code": Code.SUPERSEDED, "due_at": NEVER, "cause": child.id}
        after = changes.changed(parent, Verb.SUPERSEDE, fields, now, doubtful=False)
        places = [f"{each.change} {each.pointer or '/'}" for each in told[:20]]
        more = {"child": child.id, "payload": places}
        told_of = changes.told(parent, after, more)
        account = parent.account
        note = Note(now, actor, Verb.SUPERSEDE, parent.id, reason, told_of, account)
        line = {"parent": parent.id, "message": child.message_id, "payload": places}
        detail = msgspec.json.encode(line).decode()
        own = Note(now, actor, "edit", child.id, reason, detail, account)
        transition = Transition(Verb.SUPERSEDE, parent.revision, after, note=note)
        landed = self._intake.landing(accept)
        accept = msgspec.structs.replace(accept, notes=(*accept.notes, own))
        epoch = self._member.ownership.epoch
        batch = Batch(epoch, now, (accept,), (transition,), strict=True)
        # A caller who goes away must not leave half of what follows undone.
        await asyncio.shield(self._store.commit(batch))
        landed()
        self._actions.landed(after)
        await self._actions.uphold(parent.message_id)
        return Edited(after, child, told)
