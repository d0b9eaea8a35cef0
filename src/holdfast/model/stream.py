"""What the stream tells: that something changed, so that pages know what to load anew."""

from enum import StrEnum

import msgspec

from holdfast.model.group import GroupStatus
from holdfast.model.lane import BreakerState
from holdfast.model.operation import Stage, State


class Topic(StrEnum):
    """What a listener wants to hear of."""

    LANES = "lanes"
    """How lanes stand: those that changed."""
    DELIVERIES = "deliveries"
    """Ids of deliveries that were tried or changed by a person."""
    OPERATIONS = "operations"
    """Progress of bulk work."""
    GROUPS = "groups"
    """Failure groups that a person changed, or that came back after they were resolved."""
    EVENTS = "events"
    """How far the journal of tries has come."""


class LaneWord(msgspec.Struct, frozen=True):
    """How a lane stands, in few words; `tag` is its ETag."""

    recipient: str
    breaker: BreakerState
    paused: bool
    tag: str
    in_flight: int
    pending: int
    delivered: int
    dead: int
    discarded: int


class LanesWord(msgspec.Struct, frozen=True):
    """Lanes that changed; `more`: further ones are not named, load the list."""

    changed: list[LaneWord]
    more: bool = False


class DeliveryWord(msgspec.Struct, frozen=True):
    """A delivery that changed; `outcome` of the last try, None: a person changed it."""

    id: str
    recipient: str
    outcome: str | None = None


class DeliveriesWord(msgspec.Struct, frozen=True):
    """Deliveries that changed; `more`: further ones are not named, load the page."""

    changed: list[DeliveryWord]
    more: bool = False


class EventsWord(msgspec.Struct, frozen=True):
    """The newest position, and how many events are new since the last word (`more`: at least)."""

    position: int
    new: int
    more: bool = False


class OperationWord(msgspec.Struct, frozen=True):
    """An operation got on; `revision` is its ETag; `account`: it means nothing beyond that."""

    id: str
    revision: int
    state: State
    stage: Stage
    changed: int
    delivered: int
    failed: int
    skipped: int
    expected: int
    at_least: bool
    account: str | None = None


class GroupWord(msgspec.Struct, frozen=True):
    """A failure group changed; `revision` is its ETag."""

    id: str
    revision: int
    account: str
    status: GroupStatus
    owner: str | None = None


class HelloWord(msgspec.Struct, frozen=True):
    """First word of a stream: the position from which on it tells."""

    position: int
    topics: list[Topic]


class ResetWord(msgspec.Struct, frozen=True):
    """Too much was missed to be told: load everything anew, then go on from the position."""

    position: int
    reason: str


class EndWord(msgspec.Struct, frozen=True):
    """Last word of a stream: come back with the last id."""

    reason: str
