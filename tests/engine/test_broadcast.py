"""Words of the stream in virtual time: debounced, resumable, never more than a listener reads."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from holdfast.engine.broadcast import (
    BEAT_MS,
    LISTENERS_MAX,
    NAMED_MAX,
    STEPS_MAX,
    WORDS_MAX,
    Broadcast,
    Listener,
)
from holdfast.errors import Overloaded, StoreError
from holdfast.model.attempt import Step
from holdfast.model.lane import BreakerState
from holdfast.model.stream import LaneWord, Topic
from holdfast.testing.channel import always
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.rig import Rig, catalog, recipient, running

EVERYTHING = tuple(Topic)


class Book:
    """A journal in memory, and lanes, that the broadcast looks at."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.steps: list[Step] = []
        self.lanes = [lane("north"), lane("east")]
        self.asked = 0
        self.trouble = 0
        self.broadcast = Broadcast(self, self.clock, lambda: self.lanes)

    def tried(self, number: int) -> None:
        """Append tries of different deliveries."""
        for _ in range(number):
            at = len(self.steps) + 1
            self.steps.append(Step(at, f"dlv_{at}", "north", "success"))

    async def trail(self, after: int, limit: int) -> list[Step]:
        """Return what was tried after a position."""
        self.asked += 1
        if self.trouble:
            self.trouble -= 1
            raise StoreError("away")
        return [step for step in self.steps if step.position > after][:limit]

    async def last_position(self) -> int:
        """Return the newest position."""
        return len(self.steps)


def lane(name: str, **fields: Any) -> LaneWord:
    """Return a quiet lane."""
    quiet: dict[str, Any] = {
        "breaker": BreakerState.CLOSED, "paused": False, "tag": "t", "in_flight": 0, "pending": 0,
        "delivered": 0, "dead": 0, "discarded": 0,
    }  # fmt: skip
    return LaneWord(recipient=name, **{**quiet, **fields})


def read(words: bytes | None) -> list[tuple[str, Any, int | None]]:
    """Return (event, data, id) of each word, as a browser reads them; beats are left out."""
    found = []
    for block in (words or b"").decode().split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
        fields = {name: value for name, _, value in lines if name}
        if "event" in fields:
            mark = int(fields["id"]) if "id" in fields else None
            found.append((fields["event"], json.loads(fields["data"]), mark))
    return found


def played(test: Callable[[Book], Coroutine[Any, Any, None]]) -> None:
    """Run a test in virtual time."""
    book = Book()
    run(test(book), book.clock)


async def heard(listener: Listener) -> list[tuple[str, Any, int | None]]:
    """Return what waits for a listener, without waiting for more."""
    return read(await listener.next()) if listener.waiting else []


def test_a_listener_is_greeted_and_told_what_is_new() -> None:
    """Hello with the position, the lanes as they stand, then one word per topic and look."""

    async def main(book: Book) -> None:
        book.tried(3)
        listener = await book.broadcast.listen(EVERYTHING, None)
        hello, lanes = await heard(listener)
        assert hello == ("hello", {"position": 3, "topics": sorted(EVERYTHING)}, 3)
        assert [one["recipient"] for one in lanes[1]["changed"]] == ["north", "east"]
        book.tried(2)
        await book.clock.pause(600)
        deliveries, events = await heard(listener)
        assert deliveries[0] == "deliveries"
        assert [one["id"] for one in deliveries[1]["changed"]] == ["dlv_4", "dlv_5"]
        assert events == ("events", {"position": 5, "new": 2, "more": False}, 5)
        await book.clock.pause(2_000)
        assert await heard(listener) == []

    played(main)


def test_only_lanes_that_changed_are_told() -> None:
    """A lane that stands as before is no word."""

    async def main(book: Book) -> None:
        listener = await book.broadcast.listen([Topic.LANES], None)
        await heard(listener)
        book.lanes = [book.lanes[0], lane("east", paused=True)]
        book.tried(1)
        await book.clock.pause(600)
        ((name, data, _),) = await heard(listener)
        assert (name, [one["recipient"] for one in data["changed"]]) == ("lanes", ["east"])

    played(main)


def test_a_burst_is_one_word_that_names_few() -> None:
    """Debounced: thousands of tries between two looks are one bounded word with `more`."""

    async def main(book: Book) -> None:
        listener = await book.broadcast.listen([Topic.DELIVERIES], None)
        await heard(listener)
        book.tried(STEPS_MAX + 500)
        await book.clock.pause(600)
        ((_, data, _),) = await heard(listener)
        assert (len(data["changed"]), data["more"]) == (NAMED_MAX, True)

    played(main)


def test_whoever_comes_back_hears_what_was_missed() -> None:
    """From the last id on, without a gap and without what was heard already."""

    async def main(book: Book) -> None:
        book.tried(5)
        listener = await book.broadcast.listen([Topic.DELIVERIES, Topic.EVENTS], 3)
        (_, deliveries, events) = await heard(listener)
        assert [one["id"] for one in deliveries[1]["changed"]] == ["dlv_4", "dlv_5"]
        assert events[2] == 5

    played(main)


@pytest.mark.parametrize(("after", "reason"), [(1, "too much"), (99_999, "unknown")])
def test_whoever_missed_too_much_is_told_to_load_anew(after: int, reason: str) -> None:
    """Also who comes with a position of another store."""

    async def main(book: Book) -> None:
        book.tried(STEPS_MAX + 10)
        listener = await book.broadcast.listen([Topic.EVENTS], after)
        (_, (name, data, mark)) = await heard(listener)
        assert name == "reset"
        assert reason in data["reason"]
        assert data["position"] == mark == STEPS_MAX + 10

    played(main)


def test_a_slow_listener_is_let_go_with_a_word_and_costs_no_memory() -> None:
    """It holds so many words at most; the others go on."""

    async def main(book: Book) -> None:
        slow = await book.broadcast.listen([Topic.EVENTS], None)
        quick = await book.broadcast.listen([Topic.EVENTS], None)
        told = 0
        for _ in range(WORDS_MAX + 5):
            book.tried(1)
            await book.clock.pause(500)
            told += len(await heard(quick))
            assert slow.waiting <= WORDS_MAX
        assert slow.ended.is_set()
        assert book.broadcast.listeners == 1
        ((name, data, _),) = read(await slow.next())
        assert (name, data["reason"][:8]) == ("end", "too slow")
        assert await slow.next() is None
        assert told >= WORDS_MAX

    played(main)


def test_so_many_may_listen() -> None:
    """One more is refused with advice; who leaves makes room; a closed one takes nobody."""

    async def main(book: Book) -> None:
        listeners = [await book.broadcast.listen(EVERYTHING, None) for _ in range(LISTENERS_MAX)]
        with pytest.raises(Overloaded, match="after_id"):
            await book.broadcast.listen(EVERYTHING, None)
        book.broadcast.leave(listeners[0])
        last = await book.broadcast.listen(EVERYTHING, None)
        book.broadcast.close()
        assert read(await last.next())[-1][0] == "end"
        with pytest.raises(Overloaded, match="stopping"):
            await book.broadcast.listen(EVERYTHING, None)

    played(main)


def test_while_nobody_listens_nothing_is_looked_at() -> None:
    """The looks end with the last listener, and begin again with the next."""

    async def main(book: Book) -> None:
        listener = await book.broadcast.listen(EVERYTHING, None)
        await book.clock.pause(1_200)
        book.broadcast.leave(listener)
        await book.clock.pause(1_200)
        asked = book.asked
        await book.clock.pause(60_000)
        assert book.asked == asked
        again = await book.broadcast.listen([Topic.EVENTS], None)
        book.tried(1)
        await book.clock.pause(600)
        assert [name for name, _, _ in await heard(again)] == ["hello", "events"]

    played(main)


def test_a_beat_shows_that_both_ends_live() -> None:
    """A comment, which browsers pass over."""

    async def main(book: Book) -> None:
        listener = await book.broadcast.listen([Topic.EVENTS], None)
        await listener.next()
        await book.clock.pause(BEAT_MS + 600)
        assert b": beat\n\n" in (await listener.next() or b"")

    played(main)


def test_a_store_that_fails_for_a_moment_loses_no_word() -> None:
    """The next look tells what the failed one missed."""

    async def main(book: Book) -> None:
        listener = await book.broadcast.listen([Topic.EVENTS], None)
        await heard(listener)
        book.tried(2)
        book.trouble = 1
        await book.clock.pause(600)
        assert await heard(listener) == []
        await book.clock.pause(600)
        assert [data["new"] for _, data, _ in await heard(listener)] == [2]

    played(main)


def test_what_a_person_changes_and_what_is_tried_is_told() -> None:
    """On the whole engine: a pause, a cancel and a send each have their word."""
    rig = Rig(catalog(recipient()), always(200))

    async def main() -> None:
        async with running(rig):
            broadcast = rig.engine.broadcast
            listener = await broadcast.listen(EVERYTHING, None)
            await heard(listener)
            await rig.engine.actions.pause("acme", actor="ann", reason="because")
            (receipt,) = await rig.send()
            (other,) = await rig.send()
            await rig.engine.actions.cancel(
                other.deliveries[0].id, actor="ann", reason="not wanted"
            )
            await rig.wait(1)
            words = {name: data for name, data, _ in await heard(listener)}
            assert words["lanes"]["changed"][0]["paused"]
            assert words["deliveries"]["changed"] == [
                {"id": other.deliveries[0].id, "recipient": "acme", "outcome": None}
            ]
            await rig.engine.actions.resume("acme", actor="ann", reason="done")
            await rig.wait(2)
            words = {name: data for name, data, _ in await heard(listener)}
            changed = words["deliveries"]["changed"]
            assert (changed[0]["id"], changed[0]["outcome"]) == (
                receipt.deliveries[0].id,
                "success",
            )
            assert words["events"]["position"] >= 1

    run(main(), rig.clock)
