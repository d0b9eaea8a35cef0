"""Sums of retry events in the chain: whatever somebody with the database does to them is found."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from holdfast.access.chain import Chain
from holdfast.access.keeper import SUM_EVERY_MS, SUMS_AT_ONCE, Keeper
from holdfast.access.tries import ACTION, AT_ONCE, KIND, SPAN, Tries
from holdfast.errors import StoreMismatch
from holdfast.model.access import Record
from holdfast.model.audit import Checked
from holdfast.store import Note
from holdfast.testing.clock import VirtualClock
from holdfast.testing.people import MemoryPeople
from holdfast.vault import Vault

DAY: Final = 86_400_000
NOW: Final = 20_454 * DAY + 5_000


class Bench:
    """Events of two days with their sums, which tests damage."""

    def __init__(self) -> None:
        self.now = NOW
        self.people = MemoryPeople()
        self.vault = Vault.generate()
        self.renew(age_days=30)

    def renew(self, age_days: int) -> None:
        """Start with another retention."""
        self.tries = Tries(self.people, self.vault.digest, lambda: self.now, age_ms=age_days * DAY)
        self.chain = Chain(self.people, self.vault.digest, lambda: self.now, self.tries)

    def happen(self, *positions: int, at: int = NOW) -> None:
        """Let something be tried."""
        self.people.events |= {each: (at, f"event {each}") for each in positions}

    async def check(self) -> Checked:
        """Return what a whole check says, with all events, page by page."""
        await self.chain.seal()
        found = await self.chain.verify(0, 3)
        events = found.events
        while not found.done and found.broken is None:
            found = await self.chain.verify(found.number, 3)
            events += found.events
        return msgspec.structs.replace(found, events=events)

    @property
    def lines(self) -> list[Note]:
        """Return the lines that hold sums."""
        return [each.note for each in self.people.lines if each.note.action == ACTION]


@pytest.fixture
async def bench() -> Bench:
    """Return sound ones: two lines, of which the first is of two days."""
    bench = Bench()
    bench.happen(3, 4, at=NOW - DAY)
    bench.happen(5, 9)
    assert not await bench.tries.sum()
    bench.people.write(Note(NOW, "ada", "pause", "north", "a try-out"))
    bench.happen(10, 12)
    assert not await bench.tries.sum()
    return bench


async def test_untouched_events_hold(bench: Bench) -> None:
    """They are counted; what was tried since the last line is not."""
    bench.happen(13)
    found = await bench.check()
    assert (found.broken, found.done, found.events, len(bench.lines)) == (None, True, 6, 2)


async def test_nothing_new_is_no_line(bench: Bench) -> None:
    """However often it is asked."""
    assert not await bench.tries.sum()
    assert len(bench.lines) == 2


DAMAGE: Final[dict[str, tuple[Callable[[MemoryPeople], object], int, str]]] = {
    "changed": (lambda one: one.events.update({5: (NOW, "event five")}), 1, "one was changed"),
    "moved to another day": (
        lambda one: one.events.update({4: (NOW, "event 4")}), 1, "one was changed",
    ),
    "removed": (lambda one: one.events.pop(12), 3, "there were 2, there is"),
    "added": (lambda one: one.events.update({7: (NOW, "event 7")}), 1, "there were 4, there are 5"),
    "all gone": (lambda one: one.events.clear(), 1, "there were 4, there are 0"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
async def test_damage_is_found(bench: Bench, damage: str) -> None:
    """By the line that sums the event up; what is before it holds."""
    do, number, why = DAMAGE[damage]
    await bench.chain.seal()
    do(bench.people)
    broken = (await bench.check()).broken
    assert broken is not None
    assert (broken.number, why.replace("there is", "there are 1") in broken.why) == (number, True)


async def test_pruned_events_are_not_missed(bench: Bench) -> None:
    """Of a day that has begun to go nothing is expected, but all of the days after it."""
    bench.now = NOW + 29 * DAY + 10_000
    bench.people.events.pop(3)
    found = await bench.check()
    assert (found.broken, found.done) == (None, True)
    bench.people.events.pop(9)
    assert (await bench.check()).broken is not None


async def test_what_was_pruned_is_not_missed_when_the_age_is_raised(bench: Bench) -> None:
    """How far pruning came stands with the sums."""
    bench.renew(age_days=1)
    bench.now = NOW + 2 * DAY
    bench.happen(20, at=bench.now)
    await bench.tries.sum()
    for gone in (3, 4, 5, 9, 10, 12):
        bench.people.events.pop(gone)
    bench.renew(age_days=30)
    found = await bench.check()
    assert (found.broken, found.events) == (None, 1)


async def test_a_forged_record_is_found(bench: Bench) -> None:
    """It could hide that events were removed; nothing is summed after it, and the check says so."""
    record = await bench.people.record(KIND, "")
    assert record is not None
    forged = record.body.replace(b'"horizon":', b'"horizon":9')
    await bench.people.keep(Record(KIND, "", record.revision + 1, forged), None)
    broken = (await bench.check()).broken
    assert broken is not None
    assert "was changed" in broken.why
    with pytest.raises(StoreMismatch):
        await bench.tries.sum()


@pytest.mark.parametrize(
    "detail",
    [
        "", "null", "{}", '{"after":0,"span":{"last":9,"sums":[]}}',
        '{"after":0,"span":{"last":99999999999999999999,"sums":[{"day":1,"count":1,"digest":""}]}}',
        '{"after":9,"span":{"last":3,"sums":[{"day":1,"count":1,"digest":""}]}}',
        '{"after":0,"span":{"last":9,"sums":[{"day":1,"count":10000000000,"digest":""}]}}',
    ],
)  # fmt: skip
async def test_a_line_that_somebody_else_wrote_is_named(bench: Bench, detail: str) -> None:
    """Lines that are written by SQL are linked, too; the check neither fails nor believes them."""
    bench.people.write(Note(NOW, "sql", ACTION, "events", "", detail))
    broken = (await bench.check()).broken
    assert broken is not None
    assert (broken.number, "no line of sums that we wrote" in broken.why) == (4, True)


async def test_without_its_record_all_is_summed_again(bench: Bench) -> None:
    """Whoever removes it gains nothing: the lines are in the chain."""
    await bench.people.forget(KIND, "")
    await bench.tries.sum()
    found = await bench.check()
    assert (found.broken, found.events) == (None, 12)
    bench.people.events.pop(4)
    assert (await bench.check()).broken is not None


async def test_the_keeper_sums_up_every_five_minutes_and_more_often_where_there_is_more() -> None:
    """A turn writes a few lines; what is left waits for the next one, and then for its time."""
    bench, clock = Bench(), VirtualClock(NOW)
    keeper = Keeper(clock, bench.chain, bench.tries, bench.people, age_ms=DAY, elected=lambda: True)
    bench.happen(*range(1, SUMS_AT_ONCE * SPAN + 3))
    await keeper.run_once()
    assert len(bench.lines) == SUMS_AT_ONCE
    await keeper.run_once()
    assert len(bench.lines) == SUMS_AT_ONCE + 1
    bench.happen(1_000_000)
    clock.jump(SUM_EVERY_MS / 1000 - 1)
    await keeper.run_once()
    assert len(bench.lines) == SUMS_AT_ONCE + 1
    clock.jump(1)
    await keeper.run_once()
    assert len(bench.lines) == SUMS_AT_ONCE + 2


async def test_many_events_are_many_lines_and_calls() -> None:
    """A line holds so many, and a call checks so many; the next goes on where it stopped."""
    bench = Bench()
    number = AT_ONCE + 2 * SPAN + 1
    bench.happen(*range(1, number + 1))
    while await bench.tries.sum():
        pass
    assert len(bench.lines) == number // SPAN + 1
    await bench.chain.seal()
    first = await bench.chain.verify(0, 100)
    assert (first.number, first.events, first.done) == (AT_ONCE // SPAN, AT_ONCE, False)
    rest = await bench.chain.verify(first.number, 100)
    assert (rest.events, rest.done, rest.broken) == (2 * SPAN + 1, True, None)


async def test_what_was_pruned_while_nothing_was_tried_is_not_missed(bench: Bench) -> None:
    """How far pruning came is kept though there is nothing to sum up."""
    bench.renew(age_days=1)
    bench.now = NOW + 3 * DAY
    bench.people.events.clear()
    assert not await bench.tries.sum()
    bench.renew(age_days=90)
    found = await bench.check()
    assert (found.broken, found.done, len(bench.lines)) == (None, True, 2)
