"""Workers that share a store, and which of them owns which lane."""

import msgspec

from holdfast.model.lane import LaneState

LEASE_MS = 10_000
"""A worker that was not heard of for so long has lost its lanes."""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """What a process tells of itself when it begins to work.

    Attributes:
        name: for people; need not be unique.
        host: the machine.
        pid: its process.
        version: of Holdfast.
        configuration: number of the version of the configuration that it started with; 0: that
            came from no file.
        slots: sends at once; its share of the lanes is in proportion.
        lease_ms: how long it is believed to live after it was last heard of.
    """

    name: str = ""
    host: str = ""
    pid: int = 0
    version: str = ""
    configuration: int = 0
    slots: int = 1
    lease_ms: int = LEASE_MS


UNNAMED = Worker()
"""A process that tells nothing of itself."""


class Load(msgspec.Struct, frozen=True):
    """What a worker tells with every renewal.

    Attributes:
        slots: most sends at once.
        in_flight: sends under way.
        leaving: it gives its lanes away.
        open_slots: sends at once as of now; they follow the load.
    """

    slots: int
    in_flight: int = 0
    leaving: bool = False
    open_slots: int = 0


class Member(msgspec.Struct, frozen=True):
    """A worker as the others see it. Instants in store time, ms since the epoch.

    Attributes:
        epoch: names this life of the process; later ones have higher numbers.
        lease_until: it has lost its lanes when it is not heard of until then.
        lanes: how many it owns.
        leaving: it gives its lanes away.
        open_slots: sends at once as of now.
    """

    epoch: int
    worker: Worker
    started_at: int
    lease_until: int
    lanes: int
    in_flight: int = 0
    leaving: bool = False
    open_slots: int = 0


class Placed(msgspec.Struct, frozen=True):
    """A worker and its part of the lanes.

    Attributes:
        member: as the others see it.
        share: how many lanes it should own at most; all, where one process owns everything.
        ours: it is the one that tells.
    """

    member: Member
    share: int
    ours: bool


class Ownership(msgspec.Struct, frozen=True, gc=False):
    """The right to run lanes; every commit carries `epoch`.

    Attributes:
        epoch: fences: what comes with one that was taken away is refused.
        clean: the last owner of everything said goodbye (never False where lanes are shared:
            there each lane tells for itself).
        now: store time, ms since the epoch.
        shared: lanes must be acquired, and other workers own others.
    """

    epoch: int
    clean: bool
    now: int = 0
    shared: bool = False


class Acquired(msgspec.Struct, frozen=True):
    """A lane that is ours now.

    Attributes:
        state: what was saved of it; `stamp` says until when a lost owner may have sent.
        clean: its last owner gave it away. False: reservations of that owner are forfeit.
        due_at: lowest due time of its pending deliveries, `NEVER`: none.
    """

    state: LaneState
    clean: bool
    due_at: int


class Survey(msgspec.Struct, frozen=True):
    """Who is there and what waits without an owner.

    Attributes:
        now: store time, ms since the epoch.
        members: every worker that has not left, by epoch; also those whose lease has ended.
        free: lanes that no worker owns and that have pending deliveries or were offered.
        orders: lanes of which something is asked.
    """

    now: int
    members: tuple[Member, ...]
    free: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()

    def living(self) -> tuple[Member, ...]:
        """Return the workers whose lease has not ended."""
        return tuple(each for each in self.members if each.lease_until > self.now)

    def late(self) -> tuple[Member, ...]:
        """Return those that were not heard of in time."""
        return tuple(each for each in self.members if each.lease_until <= self.now)


class Order(msgspec.Struct, frozen=True):
    """What a person wants of a lane, for the worker that owns it.

    Attributes:
        id: names it.
        recipient: the lane.
        action: a `policy.steering.Action`.
        actor: who wants it.
        reason: why.
        at: when it was given, store time, ms since the epoch.
        seen: tag of the lane that the actor knows, None: whatever it is.
    """

    id: str
    recipient: str
    action: str
    actor: str
    reason: str
    at: int
    seen: str | None = None


class Hint(msgspec.Struct, frozen=True):
    """A wake-up for other workers; it may get lost.

    Attributes:
        recipient: a lane in which something changed; "": lanes or workers came or went.
        delivery_id: what changed; "": something new may be due.
        missed: hints may have been lost: anything may have changed.
    """

    recipient: str = ""
    delivery_id: str = ""
    missed: bool = False
