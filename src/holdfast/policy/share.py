"""How many lanes a worker should own: its part of those with work, by its slots."""

from collections.abc import Sequence

import msgspec

from holdfast.model.worker import Member, Survey


def seats(members: Sequence[Member]) -> list["Seat"]:
    """Return the workers that may own lanes."""
    return [Seat(each.epoch, each.worker.slots) for each in members if not each.leaving]


def total(survey: Survey) -> int:
    """Return how many lanes there are to share: those with an owner, and those that want one."""
    return sum(each.lanes for each in survey.members) + len(survey.free)


class Seat(msgspec.Struct, frozen=True):
    """A worker that may own lanes.

    Attributes:
        epoch: names it.
        slots: sends at once.
    """

    epoch: int
    slots: int


def target(lanes: int, seats: Sequence[Seat], epoch: int) -> int:
    """Return how many of the lanes a worker should own at most.

    Parts are rounded up, so that together they are never too few; a worker above its part means
    that another is below its own. 0 for one that has no seat.
    """
    slots = sum(seat.slots for seat in seats)
    mine = next((seat.slots for seat in seats if seat.epoch == epoch), 0)
    return -(-lanes * mine // slots) if mine else 0
