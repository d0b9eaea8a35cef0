"""What people do with dead deliveries: the queue, an edit, the proof of a delivery by hand."""

import msgspec

from holdfast.model.delivery import Delivery
from holdfast.model.group import Counted, Held
from holdfast.model.policy import PolicySettings


class Change(msgspec.Struct, frozen=True):
    """A place (JSON pointer) that differs: `added`, `removed` or `changed`. Values are not told."""

    pointer: str
    change: str


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """What shows that a recipient has it.

    Attributes:
        reference: the partner's id for it.
        text: what was seen, and where.
        file: name of the file that shows it; it is kept elsewhere.
        sha256: of that file, 64 hex digits.
    """

    reference: str | None = None
    text: str | None = None
    file: str | None = None
    sha256: str | None = None


class Edit(msgspec.Struct, frozen=True):
    """Another payload in the place of one that was refused.

    Attributes:
        patch: JSON Merge Patch on the old payload; None: `payload` is given.
        payload: the whole new payload; `***` keeps the old value at its place.
        policy: for the child only.
        endpoint: for the child only.
        in_doubt: also when the old one may have arrived: then both may.
        dry_run: only tell what would change.
    """

    patch: bytes | None = None
    payload: bytes | None = None
    policy: PolicySettings | None = None
    endpoint: str | None = None
    in_doubt: bool = False
    dry_run: bool = False


class Edited(msgspec.Struct, frozen=True):
    """What came of an edit: the parent as it is now, its child (None: dry run), the changes."""

    parent: Delivery
    child: Delivery | None
    changes: list[Change]


class Lineage(msgspec.Struct, frozen=True):
    """Where a delivery comes from, and what took its place.

    Attributes:
        ancestors: its parent, the parent's parent and so on.
        children: what took its place, the newest first.
        changes: where its payload differs from its parent's; None: it has no parent, or one of
            the payloads is gone.
    """

    ancestors: list[Delivery]
    children: list[Delivery]
    changes: list[Change] | None


class Queue(msgspec.Struct, frozen=True):
    """The review queue in numbers.

    Attributes:
        dead: all dead deliveries.
        assigned: of them, those that somebody looks at ...
        holders: ... by name.
        groups: the groups with the most dead deliveries.
    """

    dead: int
    assigned: int
    holders: list[Held]
    groups: list[Counted]


class Revealed(msgspec.Struct, frozen=True):
    """A payload that a person asked to see, with `***` at the flow's `mask` paths."""

    payload: bytes
    masked: tuple[str, ...]
