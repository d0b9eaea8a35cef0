"""What waits for the writer's next commit, and what of it a commit takes."""

import asyncio
from collections.abc import Callable

import msgspec

from holdfast.errors import HoldfastError, StoreError
from holdfast.model.lane import LaneState
from holdfast.store import Accept, Accepted, Applied, Batch, Committed, Note, Snapshot, Transition

OnApplied = Callable[[Applied], None]
OnAccepted = Callable[[Accepted | HoldfastError], None]


class Aside(msgspec.Struct):
    """Lanes and audit lines, and who waits for them; all of it goes into one commit.

    Attributes:
        lanes: states by recipient; a newer one replaces one that waits.
        released: those of `lanes` that are given away; True: another worker should take them.
        lane_notes: audit lines of what `lanes` say: without them they are not true.
        landed: who wants to know that `lanes` are on disk.
        notes: audit lines.
        flushing: who waits until all of this is on disk, whatever is queued behind it.
    """

    lanes: dict[str, LaneState] = msgspec.field(default_factory=dict)
    released: dict[str, bool] = msgspec.field(default_factory=dict)
    lane_notes: list[Note] = msgspec.field(default_factory=list)
    landed: list[Callable[[], None]] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)
    flushing: list[asyncio.Future[None]] = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lanes or self.notes)

    def put_back(self, taken: "Aside") -> None:
        """Queue again what was taken before the rest, and not written."""
        self.lanes = taken.lanes | self.lanes
        self.released = taken.released | self.released
        self.lane_notes = taken.lane_notes + self.lane_notes
        self.landed = taken.landed + self.landed
        self.notes = taken.notes + self.notes
        self.flushing = taken.flushing + self.flushing

    def disown(self) -> None:
        """Drop what only the owner of the lanes may say."""
        self.lanes.clear()
        self.released.clear()
        self.lane_notes.clear()
        self.landed.clear()

    def written(self) -> None:
        """Tell everybody who waits that it is on disk."""
        for tell in self.landed:
            tell()
        self.flushed()

    def flushed(self, error: StoreError | None = None) -> None:
        """Let those go who wait for audit lines and lanes."""
        waiting, self.flushing = self.flushing, []
        for each in waiting:
            if each.done():
                continue
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)


class Round(msgspec.Struct):
    """Members of a commit, or what waits to become that.

    Attributes:
        accepts: messages, each with who gets the answer.
        transitions: changes of deliveries, likewise.
        snapshots: by id, what the events of the transitions name.
        aside: what is no delivery's.
    """

    accepts: list[tuple[Accept, OnAccepted]] = msgspec.field(default_factory=list)
    transitions: list[tuple[Transition, OnApplied]] = msgspec.field(default_factory=list)
    snapshots: dict[str, Snapshot] = msgspec.field(default_factory=dict)
    aside: Aside = msgspec.field(default_factory=Aside)

    def __bool__(self) -> bool:
        return bool(self.accepts or self.transitions or self.aside)

    def take(self, most: int) -> "Round":
        """Take so many accepts and transitions at most, and the rest of it where that may go."""
        taken = Round(self.accepts[:most], self.transitions[:most], self.snapshots)
        del self.accepts[:most]
        del self.transitions[:most]
        self.snapshots = {}
        if self.aside_may_go:
            taken.aside, self.aside = self.aside, Aside()
        return taken

    @property
    def aside_may_go(self) -> bool:
        """Tell whether no settlement of a released lane is left.

        A lane goes with the last of its settlements: the next owner believes what is on disk.
        """
        if not (self.aside.released and self.transitions):
            return True
        left = {transition.after.recipient for transition, _ in self.transitions}
        return left.isdisjoint(self.aside.released)

    def put_back(self, taken: "Round") -> None:
        """Queue again, before the rest, what was taken and not written."""
        self.accepts = taken.accepts + self.accepts
        self.transitions = taken.transitions + self.transitions
        self.snapshots = taken.snapshots | self.snapshots
        self.aside.put_back(taken.aside)

    def disown(self) -> None:
        """Keep what a worker without its lanes may still say: accepts, audit lines, tries."""
        self.transitions = [(each.late(), done) for each, done in self.transitions]
        self.aside.disown()

    def batch(self, epoch: int, now: int) -> Batch:
        """Return it as one transaction."""
        aside = self.aside
        return Batch(
            epoch,
            now,
            tuple(accept for accept, _ in self.accepts),
            tuple(transition for transition, _ in self.transitions),
            tuple(aside.lanes.values()),
            tuple(self.snapshots.values()),
            (*aside.notes, *aside.lane_notes),
            frozenset(aside.released),
            frozenset(name for name, offered in aside.released.items() if offered),
        )

    def answer(self, committed: Committed) -> None:
        """Tell every member what became of it, the changes of deliveries first."""
        for (_, done), applied in zip(self.transitions, committed.transitions, strict=True):
            done(applied)
        for (_, answer), accepted in zip(self.accepts, committed.accepts, strict=True):
            answer(accepted)
        self.aside.written()
