"""Fair shares of lanes."""

import random

from holdfast.policy.share import Seat, target


def test_parts_follow_the_slots() -> None:
    """Rounded up; one worker alone has everything, one without a seat nothing."""
    seats = [Seat(1, 10), Seat(2, 30)]
    assert (target(8, seats, 1), target(8, seats, 2)) == (2, 6)
    assert target(7, [Seat(5, 3)], 5) == 7
    assert target(7, seats, 9) == 0
    assert target(0, seats, 1) == 0


def test_together_they_take_all_and_none_waits() -> None:
    """The parts are never too few, and too many only by rounding."""
    rng = random.Random(7)
    for _ in range(500):
        seats = [Seat(number, rng.randint(1, 64)) for number in range(rng.randint(1, 9))]
        lanes = rng.randint(0, 200)
        parts = [target(lanes, seats, seat.epoch) for seat in seats]
        assert lanes <= sum(parts) < lanes + len(seats)
