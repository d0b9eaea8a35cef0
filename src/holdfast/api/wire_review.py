"""The review queue on the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.api import wire
from holdfast.errors import InvalidInput
from holdfast.model.policy import PolicySettings
from holdfast.model.review import Change, Edit, Edited, Lineage, Proof, Queue, Revealed
from holdfast.model.search import Found

Words = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]


class ReviewQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead deliveries of the queue are listed."""

    q: wire.QueryText | None = None
    assignee: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    cursor: wire.DeliveryId | None = None
    limit: wire.Limit = 100


class Assign(wire.Action, frozen=True):
    """Body that gives a dead delivery to somebody; without `assignee`, or with null: to nobody."""

    assignee: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class Prove(wire.Action, frozen=True):
    """Body that marks a delivery delivered by hand, with what shows that.

    `file` is the name of a file that is kept elsewhere, `sha256` its digest.
    """

    reference: Words | None = None
    proof: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")] | None = None
    file: Words | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None


class EditOrder(wire.Action, frozen=True):
    """Body that sends another payload in the place of a dead delivery, as its child.

    `patch` is a JSON Merge Patch (RFC 7396) on the old payload, `payload` a whole new one, in
    which `"***"` keeps the old value at its place; one of them. `policy` and `endpoint` hold for
    the child only. `even_if_in_doubt`: also when the old one may have arrived. `dry_run` only
    tells what would change.
    """

    patch: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    policy: PolicySettings | None = None
    endpoint: wire.Name | None = None
    even_if_in_doubt: bool = False
    dry_run: bool = False


class EditView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an edit; `child` is null in a dry run. Values are not told, only places."""

    parent: wire.DeliveryView
    child: wire.DeliveryView | None
    changes: list[Change]


class LineageView(msgspec.Struct, frozen=True, kw_only=True):
    """Where a delivery comes from (its parent first), and what took its place.

    `changes` are the places in which its payload differs from its parent's; null: it has no
    parent, or one of the payloads is gone.
    """

    ancestors: list[wire.DeliveryView]
    children: list[wire.DeliveryView]
    changes: list[Change] | None


class RevealView(msgspec.Struct, frozen=True, kw_only=True):
    """A payload with `"***"` at the paths that the flow masks."""

    payload: msgspec.Raw
    masked: tuple[str, ...]


class HolderView(msgspec.Struct, frozen=True, kw_only=True):
    """How much somebody looks at."""

    assignee: str
    count: int
    value: float
    oldest: str


class QueueGroup(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the queue is of one failure group."""

    id: str
    recipient: str
    failure_class: str
    code: str
    template: str
    count: int
    value: float
    at_least: bool


class ReviewPage(msgspec.Struct, frozen=True, kw_only=True):
    """The queue: a page of it, newest first, and how much is whose and of which group."""

    items: list[wire.DeliveryView]
    next_cursor: str | None
    dead: int
    unassigned: int
    assignees: list[HolderView]
    groups: list[QueueGroup]


def edit(order: EditOrder) -> Edit:
    """Return what an order means.

    Raises:
        InvalidInput: it has neither patch nor payload, or both.
    """
    patch = None if isinstance(order.patch, msgspec.UnsetType) else bytes(order.patch)
    payload = None if isinstance(order.payload, msgspec.UnsetType) else bytes(order.payload)
    if (patch is None) == (payload is None):
        raise InvalidInput("patch", None if patch is None else "given", "either patch or payload")
    if patch is not None and patch.lstrip()[:1] != b"{":
        raise InvalidInput("patch", patch[:40].decode("utf-8", "replace"), "a JSON object")
    return Edit(
        patch=patch,
        payload=payload,
        policy=order.policy,
        endpoint=order.endpoint,
        in_doubt=order.even_if_in_doubt,
        dry_run=order.dry_run,
    )


def proof(asked: Prove) -> Proof | None:
    """Return the proof that is given, None: only the reason."""
    found = Proof(asked.reference, asked.proof, asked.file, asked.sha256)
    return None if found == Proof() else found


def edited(value: Edited) -> EditView:
    """Show what came of an edit."""
    child = None if value.child is None else wire.delivery(value.child)
    return EditView(parent=wire.delivery(value.parent), child=child, changes=value.changes)


def lineage(value: Lineage) -> LineageView:
    """Show a lineage."""
    return LineageView(
        ancestors=[wire.delivery(one) for one in value.ancestors],
        children=[wire.delivery(one) for one in value.children],
        changes=value.changes,
    )


def revealed(value: Revealed) -> RevealView:
    """Show a payload."""
    return RevealView(payload=msgspec.Raw(value.payload), masked=value.masked)


def page(found: Found, queue: Queue) -> ReviewPage:
    """Show a page of the queue."""
    return ReviewPage(
        items=[wire.delivery(one) for one in found.deliveries],
        next_cursor=found.cursor,
        dead=queue.dead,
        unassigned=max(0, queue.dead - queue.assigned),
        assignees=[wire.show(HolderView, one) for one in queue.holders],
        groups=[
            wire.show(
                QueueGroup,
                each.group,
                count=each.tally.dead,
                value=each.tally.dead_value,
                at_least=each.tally.more,
            )
            for each in queue.groups
        ],
    )
