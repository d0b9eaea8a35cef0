"""Retry events in the audit journal: lines that hold sums of them, so that a change of one shows.

The chain holds the lines; what they sum up needs no place of its own in it, and a commit of tries
waits for nothing. An event is summed within minutes of its commit, by one worker.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from holdfast.access.signed import Digest, signed, sound
from holdfast.errors import StoreMismatch
from holdfast.model.access import Record
from holdfast.model.audit import DAY_MS, Broken, EventSums
from holdfast.model.message import NEVER
from holdfast.people import People
from holdfast.store import Line, Note

ACTION: Final = "sum_events"
"""Of the lines that hold sums."""
KIND: Final = "event_sums"
"""Of the one record: how far events are summed up."""
SPAN: Final = 5_000
"""Most retry events of one line."""
AT_ONCE: Final = 4 * SPAN
"""No further line is checked in one call once so many events were."""
_LABEL: Final = b"event sums"
_SUBJECT: Final = "events"
_WHY: Final = "so that a change of them shows"


class Told(msgspec.Struct, frozen=True):
    """What a line says: the sums of the events after a position, to the last of them."""

    after: int
    span: EventSums


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far events are summed up.

    Attributes:
        position: of the last of them.
        horizon: events whose tries began before this (ms) may have been pruned.
        sum: keyed sum of all this.
    """

    position: int = 0
    horizon: int = 0
    sum: bytes = b""


_TOLD: Final = msgspec.json.Decoder(Told)
_REACHED: Final = msgspec.json.Decoder(Reached)


class Tries:
    """Sums retry events up, and checks the sums.

    Args:
        people: the store.
        digest: makes the keyed sum of what is known of the events.
        now: returns the time, ms since the epoch.
        age_ms: older events are pruned.
    """

    def __init__(
        self, people: People, digest: Digest, now: Callable[[], int], *, age_ms: int = NEVER
    ) -> None:
        self._people = people
        self._digest = digest
        self._now = now
        self._age = age_ms

    async def sum(self) -> bool:
        """Write a line for what was tried since the last one; tell whether there may be more.

        Raises:
            Conflict: another worker was first.
            StoreMismatch: what is known of the events was changed.
        """
        revision, reached = await self._reached()
        span = await self._people.summed(reached.position, NEVER, SPAN)
        after = Reached(position=span.last, horizon=self._horizon(reached))
        body = msgspec.json.encode(signed(self._digest, _LABEL, after))
        if not span.sums:
            # Days are pruned though nothing is tried; a longer age must not ask for them later.
            if revision and after.horizon > reached.horizon:
                await self._people.keep(Record(KIND, "", revision + 1, body), None)
            return False
        detail = msgspec.json.encode(Told(reached.position, span)).decode()
        await self._people.keep(
            Record(KIND, "", revision + 1, body),
            Note(self._now(), "engine", ACTION, _SUBJECT, _WHY, detail),
        )
        return span.count == SPAN

    async def check(self, lines: Sequence[Line]) -> tuple[int, int, Broken | None]:
        """Check the events that lines of the chain sum up.

        Returns:
            How many of the lines were looked at, not all where their events are many; how many
            events are as they were; and the first line whose events are not.
        """
        sums = [(place, each) for place, each in enumerate(lines) if each.note.action == ACTION]
        if not sums:
            return len(lines), 0, None
        try:
            horizon = self._horizon((await self._reached())[1])
        except StoreMismatch as error:
            return 0, 0, Broken(sums[0][1].number, str(error))
        events = 0
        for place, line in sums:
            if events >= AT_ONCE:
                return place, events, None
            told = _told(line.note.detail)
            if told is None:
                return place, events, Broken(line.number, "it is no line of sums that we wrote")
            found = await self._people.summed(told.after, told.span.last, told.span.count + 1)
            if wrong := _difference(told.span, found, horizon):
                where = f"retry events at positions {told.after + 1} to {told.span.last}"
                return place, events, Broken(line.number, f"{where}: {wrong}")
            events += found.count
        return len(lines), events, None

    async def _reached(self) -> tuple[int, Reached]:
        record = await self._people.record(KIND, "")
        if record is None:
            return 0, Reached()
        try:
            found = _REACHED.decode(record.body)
        except msgspec.MsgspecError as error:
            raise StoreMismatch(f"what is known of summed events is damaged: {error}") from error
        if not sound(self._digest, _LABEL, found):
            raise StoreMismatch("what is known of summed events was changed")
        return record.revision, found

    def _horizon(self, reached: Reached) -> int:
        # Of what once could be pruned nothing is expected, though the age be raised again.
        return max(reached.horizon, self._now() - self._age)


def _told(detail: str) -> Told | None:
    """Return what a line says, None: it is none of ours; whoever writes by SQL can add one."""
    try:
        told = _TOLD.decode(detail)
    except msgspec.MsgspecError:
        return None
    good = 0 <= told.after <= told.span.last <= NEVER and 0 < told.span.count <= SPAN
    return told if good else None


def _difference(told: EventSums, found: EventSums, horizon: int) -> str | None:
    """Return what is wrong with events; None: all that must be there are as they were."""
    before, now = (
        {each.day: each for each in span.sums if each.day * DAY_MS >= horizon}
        for span in (told, found)
    )
    if before == now:
        return None
    there_were, there_are = (sum(each.count for each in days.values()) for days in (before, now))
    if there_were == there_are:
        return "at least one was changed"
    return f"there were {there_were:,}, there are {there_are:,}"
