"""What the engine needs of a store, by role. One class per backend implements all of them.

Every instant is given by the caller (`now`), in ms since the epoch; a store reads no clock.
Every write goes through `Deliveries.commit`, which is one transaction: what it returns is on
disk (fsync), and what it raises did not happen. Errors are those of `holdfast.errors`
(`StoreFull`, `StoreLost`, `StoreError`); a commit whose fate is unknown raises `StoreError`, and
committing the same batch again is safe: an event id or message id that exists means "done".
"""

from collections.abc import Collection
from typing import Final, Protocol

import msgspec

from holdfast.model.attempt import Attempt, Event, Step
from holdfast.model.audit import LineQuery, Place
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.group import Change, Sighting
from holdfast.model.lane import LaneState
from holdfast.model.message import Message
from holdfast.model.operation import Operation, Progress
from holdfast.model.search import Found, Search, Total
from holdfast.roster import Lanes, Wakeup
from holdfast.shelf import Groups, Later, Operations, Space

UNSEEN: Final = -1
"""A revision that no delivery has."""


class Note(msgspec.Struct, frozen=True, gc=False):
    """One line of the audit journal: who did what to which thing, and why.

    `account` is whose thing it was; '': of no single account, or that of the lane it names.
    """

    at: int
    actor: str
    action: str
    subject: str
    reason: str
    detail: str = ""
    account: str = ""


class Line(msgspec.Struct, frozen=True, gc=False):
    """An audit line with its place in the chain.

    Attributes:
        place: how the store finds it.
        number: from 1, without gaps; 0: not yet in the chain.
        hash: of it and all before it, 32 bytes; empty: not yet in the chain.
        note: the line.
    """

    place: int
    number: int
    hash: bytes
    note: Note


class Accept(msgspec.Struct, frozen=True, gc=False):
    """A message with the deliveries it was routed to.

    `notes` are audit lines, written only when the message is new. `tokens` stand for its search
    fields (`vault.digest`), so that its deliveries are found by them while the payload is kept.
    """

    message: Message
    deliveries: tuple[Delivery, ...]
    notes: tuple[Note, ...] = ()
    tokens: tuple[bytes, ...] = ()


class Transition(msgspec.Struct, frozen=True, gc=False):
    """A change of one delivery.

    Attributes:
        verb: what happened; `model.delivery.TRANSITIONS` says from which states.
        revision: the revision the change was decided on; with another one it is refused.
        after: the whole delivery as it shall be, its revision already raised.
        attempt: the try to append, also when the change is refused (then `stale`).
        excerpt: encrypted start of the reply, kept beside the attempt.
        note: audit line, written only when the change is applied.
        sighting: the group in which the failure counts, also when the change is refused but the
            try is new.
    """

    verb: Verb
    revision: int
    after: Delivery
    attempt: Attempt | None = None
    excerpt: bytes | None = None
    note: Note | None = None
    sighting: Sighting | None = None

    def late(self) -> "Transition":
        """Return what a worker that has lost its lanes may still say of it.

        No revision is as it saw it: the attempt is kept, a success counts, nothing else changes.
        """
        return msgspec.structs.replace(self, revision=UNSEEN)


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A value many events share (a resolved policy, a sample of the system); written once."""

    id: str
    body: bytes


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Everything one transaction writes; `epoch` must be that of a worker on the list.

    Attributes:
        epoch: of the worker.
        now: store time, ms since the epoch.
        accepts: new messages.
        transitions: changes of deliveries.
        lanes: states to save; of a lane that another worker owns nothing is saved.
        snapshots: what the events of the batch name.
        notes: audit lines.
        released: recipients of `lanes` that the worker gives away with this ...
        offered: ... and of those, the ones that another should take although nothing may wait.
        progress: how an operation gets on; all `transitions` are its own then.
        group: what a person makes of a failure group.
        strict: one refused transition refuses the whole batch.
    """

    epoch: int
    now: int
    accepts: tuple[Accept, ...] = ()
    transitions: tuple[Transition, ...] = ()
    lanes: tuple[LaneState, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    notes: tuple[Note, ...] = ()
    released: frozenset[str] = frozenset()
    offered: frozenset[str] = frozenset()
    progress: Progress | None = None
    group: Change | None = None
    strict: bool = False


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """Answer to one `Accept`.

    Attributes:
        message_id: the new message, or the one that has the key already.
        deliveries: (id, step, recipient) in the flow's order.
        duplicate: the key was known and the payload the same: nothing was written.
        collision: the key was known with another payload: nothing was written (C16).
    """

    message_id: str
    deliveries: tuple[tuple[str, str, str], ...]
    duplicate: bool = False
    collision: bool = False


class Applied(msgspec.Struct, frozen=True, gc=False):
    """Answer to one `Transition`.

    Attributes:
        applied: the change holds. False: the revision was another one, nothing changed ...
        proven: ... except that a success was on record, so the delivery is delivered now.
        woken: recipients of followers that were released by it.
    """

    applied: bool
    proven: bool = False
    woken: tuple[str, ...] = ()


class Committed(msgspec.Struct, frozen=True, gc=False):
    """Answers in the order of the batch."""

    accepts: tuple[Accepted, ...]
    transitions: tuple[Applied, ...]
    operation: Operation | None = None


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A delivery that waits, with its message (without digest and key)."""

    delivery: Delivery
    message: Message


class DueQuery(msgspec.Struct, frozen=True, gc=False):
    """What a lane's buffer asks for.

    Attributes:
        recipient: the lane.
        now: due at this instant or before.
        quotas: most rows per band, `model.delivery.BANDS` numbers.
        exclude: ids that are buffered, in flight or settling.
        max_bytes: stop when the sealed payloads exceed this (at least one row is returned).
    """

    recipient: str
    now: int
    quotas: tuple[int, ...]
    exclude: frozenset[str]
    max_bytes: int


class DuePage(msgspec.Struct, frozen=True, gc=False):
    """Rows by band, then due, then id.

    Attributes:
        waiting: the rows.
        emptied: nothing that is due now was left out (other than the excluded).
        next_due: lowest `due_at` after now in this lane, `NEVER` when nothing waits.
    """

    waiting: tuple[Waiting, ...]
    emptied: bool
    next_due: int


class EventQuery(msgspec.Struct, frozen=True, gc=False):
    """Filters of the journal; None: any.

    With `after` (a position) events come oldest first; otherwise newest first, below `before`.
    `start` and `end` bound `retry_timestamp` (ms, inclusive and exclusive). `among` are the only
    recipients whose events are meant, where neither `delivery_id` nor `recipient` says it.
    """

    after: int | None = None
    before: int | None = None
    start: int | None = None
    end: int | None = None
    delivery_id: str | None = None
    recipient: str | None = None
    among: tuple[str, ...] | None = None
    limit: int = 100


class Lines(msgspec.Struct, frozen=True, gc=False):
    """A page of audit lines, which may be short.

    Attributes:
        lines: in the order that was asked for.
        cursor: goes on after the last that was looked at; None: there is nothing more.
    """

    lines: tuple[Line, ...]
    cursor: Place | None = None


class Counts(msgspec.Struct, frozen=True, gc=False):
    """Deliveries of a lane by fate; `created` is always the sum of the others (promise 2).

    `high`, `normal` and `low` are the pending ones by priority class (bands 0-1, 2-3, 4-5).
    """

    created: int = 0
    pending: int = 0
    delivered: int = 0
    dead: int = 0
    discarded: int = 0
    pruned: int = 0
    high: int = 0
    normal: int = 0
    low: int = 0


class Retention(msgspec.Struct, frozen=True, gc=False):
    """What may go, as instants in ms: everything of its kind that ended before (0: nothing).

    Attributes:
        payloads: payloads of messages whose deliveries are all delivered or discarded, or dead
            (never of pending ones, C17).
        rows: such messages with their deliveries, counted as `pruned`; operations that ended.
        events: retry events; a store may keep them until the whole day has passed.
        keys: idempotency keys of messages accepted before; never before their payload went.
        limit: most rows of each kind in one call, so that commits stay short; events that a store
            can drop in one piece are not counted out.
    """

    payloads: int = 0
    rows: int = 0
    events: int = 0
    keys: int = 0
    limit: int = 1000


class Pruned(msgspec.Struct, frozen=True, gc=False):
    """How many of each kind went; of operations these and their results."""

    payloads: int = 0
    rows: int = 0
    events: int = 0
    keys: int = 0
    operations: int = 0


class Deliveries(Protocol):
    """Messages and deliveries."""

    async def commit(self, batch: Batch) -> Committed:
        """Write a batch in one durable transaction.

        Accepts: a key known for the account is answered, not written (twins in one batch too).
        Transitions: applied when the stored revision is `revision` and the verb is allowed from
        the stored status. A refused one still appends its attempt (`stale`); when that attempt
        was a success the delivery becomes delivered whatever it was (verb `SUCCEED`), and when it
        may have been received (`after.in_doubt`) the delivery is in doubt from then on. On
        `followed` deliveries the same transaction releases the follower (delivered: due now),
        discards the followers (dead or discarded: code `PREDECESSOR`) or revives them (redriven:
        they wait, due `NEVER`; undone it is dead, so they stay as they are). Counters move in
        the same transaction. `progress` is written with what the transitions came to
        (`stores.planning.operating`).

        Raises:
            Conflict: operation or group is not as it was seen, or a transition of a `strict` batch
                is refused; nothing was written.
            StoreFull: no space; nothing was written.
            StoreLost: the worker is not on the list any more; nothing was written.
            StoreError: anything else; the same batch may be given again.
        """
        ...

    async def due(self, query: DueQuery) -> DuePage:
        """Return what a lane may send next: pending, `due_at <= now`, not excluded."""
        ...

    async def due_lanes(self, among: Collection[str] | None = None) -> list[tuple[str, int]]:
        """Return recipients (of these) with pending deliveries, each with its lowest `due_at`."""
        ...

    async def later(self, recipient: str, now: int, limit: int) -> Later:
        """Return what of a lane is due after `now`; no more than `limit` rows are looked at."""
        ...

    async def expired(self, now: int, limit: int) -> list[Delivery]:
        """Return pending deliveries whose `expires_at <= now`, earliest first."""
        ...

    async def get(self, delivery_id: str) -> Delivery | None:
        """Return one delivery."""
        ...

    async def message(self, message_id: str) -> Message | None:
        """Return one message."""
        ...

    async def find(self, search: Search) -> Found:
        """Return a page of deliveries by predicate, newest first (by id).

        At most `search.look` rows are looked at; the cursor goes on where that ended.
        """
        ...

    async def count(self, search: Search) -> Total:
        """Return how many deliveries match of those that are looked at: `search.look` or more."""
        ...

    async def counts(self) -> dict[str, Counts]:
        """Return the counters by recipient."""
        ...

    async def prune(self, now: int, retention: Retention) -> Pruned:
        """Remove what may go, at most `limit` of each kind; call again while something went."""
        ...

    async def space(self) -> Space:
        """Return the room left."""
        ...


class Journal(Protocol):
    """Append-only history. Appending is part of `Deliveries.commit`."""

    async def events(self, query: EventQuery) -> list[Event]:
        """Return retry events with their snapshots joined; positions follow commit order."""
        ...

    async def trail(self, after: int, limit: int) -> list[Step]:
        """Return what was tried after a position, oldest first."""
        ...

    async def last_position(self) -> int:
        """Return the position up to which `trail` shows everything that was tried."""
        ...

    async def notes(self, subject: str | None, limit: int) -> list[Note]:
        """Return audit lines about something, newest first; None: about anything."""
        ...

    async def lines(self, query: LineQuery) -> Lines:
        """Return a page of audit lines by time, those of one instant as they were written.

        At most `query.look` lines are looked at; the cursor goes on where that ended.
        """
        ...


class Registry(Protocol):
    """Small versioned documents: the catalog, the key check."""

    async def document(self, name: str) -> tuple[int, bytes] | None:
        """Return (version, body), or None."""
        ...

    async def put_document(self, name: str, body: bytes, expected: int, now: int) -> int:
        """Write when the stored version is `expected` (0: absent) and return the new version.

        Raises:
            Conflict: somebody wrote in between.
        """
        ...


class Store(Deliveries, Lanes, Wakeup, Journal, Registry, Operations, Groups, Protocol):
    """All roles of one backend."""

    async def close(self) -> None:
        """Close; commits under way finish first."""
        ...
