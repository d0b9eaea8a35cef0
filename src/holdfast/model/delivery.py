"""One message for one step: the durable unit, its states and the table of allowed changes."""

from enum import StrEnum

import msgspec

from holdfast.errors import Conflict


class Status(StrEnum):
    """Where a delivery stands. "In flight" is a fact of the lane's owner, not a status."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    DISCARDED = "discarded"


class Verb(StrEnum):
    """What can happen to a delivery."""

    SUCCEED = "succeed"
    """A send succeeded (also late, for a delivery that was given up meanwhile)."""
    RETRY = "retry"
    """A send failed and another is due."""
    HOLD = "hold"
    """It waits for a gate; no retry and no active time is used."""
    CLAIM = "claim"
    """It is about to be sent by an owner that came after a crash."""
    RELEASE = "release"
    """Its predecessor in a sequential flow succeeded."""
    RESCHEDULE = "reschedule"
    """A person set its earliest next send."""
    REVISE = "revise"
    """A person gave it another priority or endpoint."""
    DIE = "die"
    """It left automatic tries, for review."""
    SKIP = "skip"
    """A gate says that it must not be sent."""
    CANCEL = "cancel"
    """A person gave it up while it waited."""
    DISCARD = "discard"
    """A person took it out of review."""
    UNDO = "undo"
    """A person brought it back to review."""
    REDRIVE = "redrive"
    """A person returned it to its lane, as a new generation."""
    PROVE = "prove"
    """A person marks it delivered, with proof."""
    REVIVE = "revive"
    """Its predecessor was redriven, so it waits again."""
    ASSIGN = "assign"
    """A person gave it to somebody to look at."""
    SUPERSEDE = "supersede"
    """A person sends another payload in its place, as another delivery."""


TRANSITIONS: dict[Verb, dict[Status, Status]] = {
    Verb.SUCCEED: dict.fromkeys(Status, Status.DELIVERED),
    Verb.RETRY: {Status.PENDING: Status.PENDING},
    Verb.HOLD: {Status.PENDING: Status.PENDING},
    Verb.CLAIM: {Status.PENDING: Status.PENDING},
    Verb.RELEASE: {Status.PENDING: Status.PENDING},
    Verb.RESCHEDULE: {Status.PENDING: Status.PENDING},
    Verb.REVISE: {Status.PENDING: Status.PENDING},
    Verb.DIE: {Status.PENDING: Status.DEAD},
    Verb.SKIP: {Status.PENDING: Status.DISCARDED},
    Verb.CANCEL: {Status.PENDING: Status.DISCARDED},
    Verb.DISCARD: {Status.DEAD: Status.DISCARDED},
    Verb.UNDO: {Status.DISCARDED: Status.DEAD},
    Verb.REDRIVE: {Status.DEAD: Status.PENDING},
    Verb.PROVE: {Status.DEAD: Status.DELIVERED, Status.DISCARDED: Status.DELIVERED},
    Verb.REVIVE: {Status.DISCARDED: Status.PENDING},
    Verb.ASSIGN: {Status.DEAD: Status.DEAD},
    Verb.SUPERSEDE: {Status.DEAD: Status.DISCARDED},
}
"""The whole life of a delivery: verb -> {status before: status after}. Nothing else is allowed."""


def after(verb: Verb, status: Status) -> Status:
    """Return the status that `verb` leads to.

    Raises:
        Conflict: the table does not allow it; the message names the states that would.
    """
    moves = TRANSITIONS[verb]
    if status not in moves:
        allowed = ", ".join(sorted(moves))
        raise Conflict(f"cannot {verb} a delivery that is {status}; it must be: {allowed}")
    return moves[status]


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One message for one step. Instants are ms since the epoch (0: not yet).

    Field order is the store's order; the fields up to `parent` never
    change, but for `expires_at`, which a redrive sets anew, and `priority` (verb `REVISE`).

    Attributes:
        id: `dlv_` and 32 hex digits; also the idempotency key sent to the recipient, for ever.
        message_id: the message it carries.
        account: the tenant.
        flow: the flow.
        step: the step's name in the flow.
        recipient: the lane it waits in.
        priority: 0-9, from the message; see `band`.
        predecessor: in a sequential flow, the delivery that must succeed first.
        followed: another delivery names this one as its predecessor.
        expires_at: end of `max_age` or of the message's own `expires_at`, whichever is first.
        created_at: time of acceptance.
        value: worth of its message, so that sums need no message.
        parent: the delivery whose place it took with another payload, else None.
        status: where it stands.
        due_at: the earliest next send; the lane decides the rate.
        revision: raised by every change; every change names the revision it saw.
        generation: raised by redrive; attempts are numbered anew (C15).
        attempt: number of the next attempt in this generation (0: the original send).
        counted: sends of this generation that used a retry (or were the original).
        attempts: sends of all generations.
        active_ms: durations of attempts plus planned delays of this generation.
        last_delay_ms: the last planned delay (decorrelated jitter needs it).
        first_attempt_at: start of the first send of this generation.
        in_doubt: a send may have arrived although no answer came.
        crashes: sends claimed by owners that then vanished.
        hold_gate: the gate it waits for when `due_at` is a hold, else None.
        code: why it ended (`RETRY_LIMIT_EXCEEDED`, `CANCELLED`, ...), else None.
        failure_class: class of the last failure, else None.
        http_status: status of the last reply, else None.
        reason: normalised reason of the last failure, or of the skip, else None.
        original_event_id: event of attempt 0 (S1.5), else None.
        endpoint: name of an endpoint an operator chose for it, else None.
        policy: an operator's policy for it as JSON text, else None.
        fingerprint: the group of its last failure, None: it has not failed.
        assignee: who looks at it in review, else None.
        cause: how a person set it going (`operator`, `bulk`, `edit`), None: nobody did; of a
            superseded one the delivery that took its place.
        updated_at: time of the last change.
        ended_at: when it left `pending`.
    """

    id: str
    message_id: str
    account: str
    flow: str
    step: str
    recipient: str
    priority: int
    predecessor: str | None
    followed: bool
    expires_at: int
    created_at: int
    value: float = 0.0
    parent: str | None = None
    status: Status = Status.PENDING
    due_at: int = 0
    revision: int = 0
    generation: int = 0
    attempt: int = 0
    counted: int = 0
    attempts: int = 0
    active_ms: int = 0
    last_delay_ms: int = 0
    first_attempt_at: int = 0
    in_doubt: bool = False
    crashes: int = 0
    hold_gate: str | None = None
    code: str | None = None
    failure_class: str | None = None
    http_status: int | None = None
    reason: str | None = None
    original_event_id: str | None = None
    endpoint: str | None = None
    policy: str | None = None
    fingerprint: str | None = None
    assignee: str | None = None
    cause: str | None = None
    updated_at: int = 0
    ended_at: int = 0

    @property
    def band(self) -> int:
        """Return 0-5: high, normal, low priority, each first tries before retries."""
        return band(self.priority, self.attempt)


BANDS = 6
"""Three priority classes x (first tries, retries)."""


def band(priority: int, attempt: int) -> int:
    """Return the buffer band of a delivery: 0 is served first, 5 last.

    Priorities 7-9 are high, 3-6 normal, 0-2 low.
    """
    rank = 0 if priority >= 7 else 1 if priority >= 3 else 2
    return rank * 2 + (attempt > 0)
