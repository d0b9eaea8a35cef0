"""The counting of one cap, against a partner that may have taken whatever was under way."""

import random
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.engine.cap import BLOCK_MAX, CapCount
from holdfast.model.calendar import Cap, CapUse
from holdfast.testing.clock import START

MINUTE_MS: Final = 60_000


class World:
    """A lane that sends, a disk that lags behind, a partner that counts by its own clock."""

    def __init__(self, maximum: int, rng: random.Random) -> None:
        self.cap = Cap(maximum=maximum, per="minute")
        self.now = START
        self.disk: CapUse | None = None
        self.queued: list[CapUse] = []
        self.count = CapCount(self.cap, "UTC", None, self.now)
        self.in_flight = 0
        self.taken = 0
        """What the partner may have taken in the present minute."""
        self.worst = 0
        self.rng = rng

    def step(self) -> None:
        """Do one thing that can happen."""
        self.count.roll(self.now)
        if self.count.wants(self.in_flight):
            self.queued.append(self.count.ask(self.in_flight))
        act = self.rng.choice([self.send] * 6 + [self.succeed] * 3 + [self.fail, self.save] * 2
                              + [self.wait, self.crash])  # fmt: skip
        act()
        self.worst = max(self.worst, self.taken)

    def send(self) -> None:
        """Begin a send if the cap allows it; the partner may take it at once."""
        if not self.count.full(self.in_flight) and not self.count.unreserved(self.in_flight):
            self.in_flight += 1
            self.taken += 1

    def succeed(self) -> None:
        """Hear of a success."""
        if self.in_flight:
            self.in_flight -= 1
            self.count.used += 1

    def fail(self) -> None:
        """Hear that the partner did not take it."""
        if self.in_flight:
            self.in_flight -= 1
            self.taken -= 1

    def save(self) -> None:
        """Let a commit reach the disk."""
        if self.queued:
            self.disk = self.queued.pop(0)
            self.count.granted(self.disk)

    def wait(self) -> None:
        """Let the minute end; what is under way then belongs to the next one, at worst.

        The first commit of a minute comes at once: a crash before it would forget those.
        """
        if self.rng.random() < 0.2:
            self.now += MINUTE_MS
            self.taken = self.in_flight
            self.count.roll(self.now)
            self.queued = [self.count.ask(self.in_flight)]
            self.save()

    def crash(self) -> None:
        """Lose what is not on disk; the partner keeps what it may have taken."""
        if self.rng.random() < 0.3:
            self.queued.clear()
            self.in_flight = 0
            self.count = CapCount(self.cap, "UTC", self.disk, self.now)


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), maximum=st.sampled_from([1, 2, 7, 30, 200]))
def test_what_a_partner_may_have_taken_stays_within_the_cap(seed: int, maximum: int) -> None:
    """Even if all that was under way at a crash has arrived, the cap holds (S1.94)."""
    world = World(maximum, random.Random(seed))
    for _ in range(400):
        world.step()
    assert world.worst <= maximum


def test_a_block_is_small_beside_the_cap() -> None:
    """A crash forfeits at most a twentieth of the cap, and never more than the largest block."""
    for maximum, block in ((1, 1), (100, 5), (1_000_000, BLOCK_MAX)):
        count = CapCount(Cap(maximum=maximum, per="day"), "UTC", None, START)
        assert count.unreserved(0)
        assert count.ask(0).taken == block
