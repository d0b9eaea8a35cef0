"""What a run left behind: what became of every message, and what the partners saw."""

from holdfast.lab.partner import Partner
from holdfast.lab.world import World


class Trace:
    """The record of one policy in one world. Instants are ms from the start, -1: never.

    Args:
        world: what happened to everybody.
        partners: those of this run; they count what they are asked.
    """

    def __init__(self, world: World, partners: list[Partner]) -> None:
        self.world = world
        self.partners = partners
        count = len(world.arrivals)
        self.delivered = [-1] * count
        """When the partner's answer came that took the message."""
        self.dead = [-1] * count
        """When the policy gave it up."""
        self.sends = [0] * count
        self.opened: list[tuple[int, int]] = []
        """(instant, partner) of every breaker that opened from closed."""

    def open(self) -> int:
        """Return how many messages are neither delivered nor dead."""
        pairs = zip(self.delivered, self.dead, strict=True)
        return sum(delivered < 0 and dead < 0 for delivered, dead in pairs)
