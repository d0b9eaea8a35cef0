"""How many sends at once."""

from holdfast.policy.slots import QUIET_S, first, grown, shrunk


def test_two_per_core_to_begin_with() -> None:
    """Fractions of a core count; never none, never more than the limit (S5.46)."""
    assert [first(cores, 512) for cores in (0.1, 0.5, 1.5, 2, 64, 1000)] == [1, 1, 3, 4, 128, 512]


def test_they_double_up_to_the_limit() -> None:
    """A few steps are enough for any number."""
    assert [grown(slots, 100) for slots in (1, 4, 60, 100)] == [2, 8, 100, 100]


def test_half_go_after_a_time_in_which_half_was_enough() -> None:
    """Not before, not below the first ones, and one busy second counts."""
    quiet = [4] * QUIET_S
    assert shrunk(16, 4, quiet) == 8
    assert shrunk(8, 4, quiet) == 4
    assert shrunk(7, 4, quiet) == 7
    assert shrunk(4, 4, [0] * QUIET_S) == 4
    assert shrunk(16, 4, quiet[1:]) == 16
    assert shrunk(16, 4, [*quiet[1:], 9]) == 16
    assert shrunk(16, 4, [16, *quiet]) == 8
