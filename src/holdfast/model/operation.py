"""Bulk work as a durable object: what shall be done to which deliveries, and how far it is."""

from enum import StrEnum
from typing import Final

import msgspec

from holdfast.model.delivery import Delivery, Status
from holdfast.model.search import Predicate


class Kind(StrEnum):
    """What is done to each delivery."""

    REDRIVE = "redrive"
    DISCARD = "discard"
    CANCEL = "cancel"
    RESCHEDULE = "reschedule"
    PRIORITY = "priority"
    ENDPOINT = "endpoint"


ACTS_ON: Final = {
    Kind.REDRIVE: Status.DEAD,
    Kind.DISCARD: Status.DEAD,
    Kind.CANCEL: Status.PENDING,
    Kind.RESCHEDULE: Status.PENDING,
    Kind.PRIORITY: Status.PENDING,
    Kind.ENDPOINT: Status.PENDING,
}
"""Where a delivery must stand for it."""


class State(StrEnum):
    """Where an operation stands."""

    RUNNING = "running"
    PAUSED = "paused"
    """By a person, or by itself: `why` says."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    UNDOING = "undoing"
    UNDONE = "undone"


ACTIVE: Final = frozenset({State.RUNNING, State.UNDOING})
"""States in which the engine has something to do."""


class Stage(StrEnum):
    """What a running operation is at."""

    DRAW = "draw"
    """The canary is to be drawn and released."""
    GATE = "gate"
    """The canary's outcomes are waited for."""
    MAIN = "main"
    """It walks through the selection."""
    LAST = "last"
    """All is done; outcomes of what was redriven are waited for."""
    END = "end"


class Outcome(StrEnum):
    """What became of one delivery of an operation."""

    DONE = "done"
    """Changed; nothing more will be known."""
    RELEASED = "released"
    """Redriven; how that ended is not known yet."""
    DELIVERED = "delivered"
    """Redriven, and delivered since."""
    FAILED = "failed"
    """Redriven, and dead again."""
    ENDED = "ended"
    """Redriven, and given up by something else since."""
    SKIPPED = "skipped"
    """Not changed; the reason says why."""
    UNDONE = "undone"
    """Changed, and changed back."""
    KEPT = "kept"
    """Should have been changed back, but something else has changed it since."""


OPEN: Final = frozenset({Outcome.DONE, Outcome.RELEASED})
"""Outcomes that may still become another."""


class Canary(msgspec.Struct, frozen=True, gc=False):
    """A sample goes first; the rest only when it does well.

    Attributes:
        size: deliveries in the sample, of all recipients and failure classes.
        bound: the lower end of the 95 % confidence interval of its success must be above this.
        patience_ms: what has no outcome after this counts as failed.
    """

    size: int = 20
    bound: float = 0.8
    patience_ms: int = 900_000


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What was asked for; it never changes.

    Attributes:
        kind: what is done.
        where: to which deliveries, among those accepted ...
        cut_off: ... at this instant (ms) or before; of dead ones, those dead since then or before.
        query: the search as it was typed, for people; ids are in `where` only.
        actor: who asked.
        reason: why.
        rate: most deliveries changed per second.
        concurrency: most redriven deliveries without outcome.
        batch: most deliveries of one commit.
        stop: it pauses by itself when surely more than this share fails again; 1: never.
        canary: a sample first; None: none.
        at: of `reschedule`: the earliest next send, ms.
        priority: of `priority`.
        endpoint: of `endpoint`; of `redrive`, another endpoint.
        undo_ms: how long after its end a discard can be undone.
    """

    kind: Kind
    where: Predicate
    cut_off: int
    query: str
    actor: str
    reason: str
    rate: float = 100.0
    concurrency: int = 500
    batch: int = 200
    stop: float = 0.5
    canary: Canary | None = None
    at: int = 0
    priority: int = 0
    endpoint: str | None = None
    undo_ms: int = 3_600_000


class Tallies(msgspec.Struct, frozen=True, gc=False):
    """How many deliveries came to what. `changed` is the sum of all but `skipped`.

    `changed - delivered - failed - ended` of a redrive have no outcome yet.
    """

    changed: int = 0
    delivered: int = 0
    failed: int = 0
    ended: int = 0
    skipped: int = 0
    undone: int = 0
    kept: int = 0


class Operation(msgspec.Struct, frozen=True, gc=False):
    """An operation: the plan and how far it is. Instants are ms, 0: not yet.

    Attributes:
        id: `opr_` and 32 hex digits.
        revision: raised by every change.
        plan: what was asked for.
        expected: how many deliveries matched when it was made ...
        at_least: ... or more.
        state: where it stands.
        stage: what it is at.
        why: why it is paused or was ended.
        cursor: deliveries with this id and above are done with; None: none is.
        tallies: what came of it.
        skips: reason -> how many were skipped for it.
        sample: ids of canaries, which the walk leaves out.
        before_gate: the tallies when the canary was released.
        gate_at: when that was.
        recent: (delivered, failed), old ones fading, since it was made or resumed.
        rate: present rate, per second; it climbs to the plan's.
        ramp_at: when the rate was changed last.
        next_at: not before this the next deliveries are changed.
        created_at: when it was made.
        resumed_at: when it was made or resumed last.
        released_at: when it changed something last.
        ended_at: when it ended.
    """

    id: str
    revision: int
    plan: Plan
    expected: int
    at_least: bool
    state: State
    stage: Stage
    created_at: int
    resumed_at: int
    rate: float
    why: str | None = None
    cursor: str | None = None
    tallies: Tallies = Tallies()
    skips: dict[str, int] = {}
    sample: tuple[str, ...] = ()
    before_gate: Tallies = Tallies()
    gate_at: int = 0
    recent: tuple[float, float] = (0.0, 0.0)
    ramp_at: int = 0
    next_at: int = 0
    released_at: int = 0
    ended_at: int = 0

    @property
    def active(self) -> bool:
        """Tell whether the engine has something to do for it."""
        return self.state in ACTIVE

    @property
    def tag(self) -> str:
        """What names its state for whoever steers it: its progress does not change it."""
        return f"{self.state}-{self.resumed_at}"

    @property
    def waiting(self) -> int:
        """Return how many redriven deliveries have no outcome yet."""
        done = self.tallies
        if self.plan.kind is not Kind.REDRIVE:
            return 0
        return done.changed - done.delivered - done.failed - done.ended

    @property
    def undo_until(self) -> int:
        """Return until when it can be undone, ms; 0: it cannot."""
        discarded = self.plan.kind is Kind.DISCARD and self.tallies.changed
        ended = self.state in {State.COMPLETED, State.CANCELLED}
        return self.ended_at + self.plan.undo_ms if discarded and ended else 0


class Result(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of one delivery; `revision` is the delivery's after the change, `at` in ms."""

    delivery_id: str
    outcome: Outcome
    reason: str
    revision: int
    at: int


class Preview(msgspec.Struct, frozen=True):
    """What an operation would act on: its plan, how many there are, and some of them.

    `strata` counts what the sample was drawn from, by (recipient, failure class).
    """

    plan: Plan
    count: int
    at_least: bool
    sample: list[Delivery]
    strata: dict[tuple[str, str], int]


class Progress(msgspec.Struct, frozen=True, gc=False):
    """How an operation gets on. All transitions of its batch are its own.

    Attributes:
        seen: the stored revision that it was decided on, 0: it is new.
        operation: as it shall be, but for the tallies of what the commit itself decides.
        outcome: what the result of a transition is that is applied.
        results: of deliveries that are not changed in this batch.
    """

    seen: int
    operation: Operation
    outcome: Outcome = Outcome.DONE
    results: tuple[Result, ...] = ()
