"""A recipient that fails as often as ever seldom raises an alarm; a dead one soon does."""

from holdfast.lab import alarms


def test_false_alarms_are_rare_and_outages_are_seen() -> None:
    """300,000 sends at 5 %: below 2 openings in 100,000, and nearly every outage seen in four."""
    told: list[int] = []
    found = alarms.measure(0.05, 300_000, 1, told.append)
    assert told == [100_000, 200_000, 300_000]
    assert found.per_100_000 < 2
    assert found.slowed * 1e5 / found.sends < 4
    assert sum(found.seen.values()) == 300
    assert found.seen_within(4) > 0.9
    assert max(found.seen) <= 20


def test_a_recipient_that_never_fails_never_alarms() -> None:
    """Without failures there is no alarm, and an outage takes four."""
    found = alarms.measure(0.0, 20_000, 1, lambda _: None)
    assert (found.opened, found.slowed) == (0, 0)
    assert set(found.seen) == {4}
