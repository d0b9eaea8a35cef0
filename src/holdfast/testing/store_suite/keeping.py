"""Lanes, notes, documents and retention."""

import pytest

from holdfast.errors import Conflict
from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.lane import Breaker, BreakerState, LaneState
from holdfast.model.search import Search
from holdfast.store import (
    Accept,
    Batch,
    Counts,
    EventQuery,
    Note,
    Pruned,
    Retention,
    Snapshot,
    Store,
)
from holdfast.testing.store_suite.case import DAY, NOW, Case, Suite

LATER = NOW + 10 * DAY


class KeepingSuite(Suite):
    """`lane_states`, `notes`, documents, `prune`, `space`."""

    async def test_lanes_are_kept_as_they_were_saved(self, case: Case) -> None:
        """The last save of a lane wins."""
        breaker = Breaker(BreakerState.OPEN, since=NOW, window=2**40, rate_before=0.1)
        lane = LaneState("north", breaker, paused="because", disabled=("a",), revision=2)
        await case.store.acquire(case.epoch, ("north", "east"))
        await case.commit(lanes=(LaneState("north", revision=1), LaneState("east")))
        await case.commit(lanes=(lane,))
        found = {each.recipient: each for each in await case.store.lane_states()}
        assert found == {"north": lane, "east": LaneState("east")}

    async def test_notes_come_newest_first(self, case: Case) -> None:
        """All, or those of one subject; never more than asked for."""
        lines = [Note(NOW, "ada", "pause", f"lane{number % 2}", str(number)) for number in range(5)]
        for line in lines:
            await case.commit(notes=(line,))
        assert await case.store.notes(None, 10) == lines[::-1]
        assert await case.store.notes("lane1", 10) == [lines[3], lines[1]]
        assert await case.store.notes(None, 2) == lines[:2:-1]

    async def test_notes_of_a_repeated_batch_are_written_once(self, case: Case) -> None:
        """After an ambiguous commit the audit journal holds no line twice."""
        batch = Batch(case.epoch, NOW, notes=(Note(NOW, "ada", "pause", "north", "because"),))
        await case.store.commit(batch)
        await case.store.commit(batch)
        assert len(await case.store.notes(None, 10)) == 1

    async def test_documents_are_compared_and_set(self, store: Store) -> None:
        """A writer that has not seen the present version is refused and changes nothing."""
        assert await store.document("catalog") is None
        assert await store.put_document("catalog", b"one", 0, NOW) == 1
        assert await store.put_document("catalog", b"two\x00", 1, NOW) == 2
        for stale in (0, 1, 3):
            with pytest.raises(Conflict):
                await store.put_document("catalog", b"three", stale, NOW)
        assert await store.document("catalog") == (2, b"two\x00")
        assert await store.document("other") is None

    async def test_nothing_is_pruned_without_being_asked(self, case: Case) -> None:
        """Zero means nothing of the kind."""
        await case.change(await case.take(key="k"), Verb.SUCCEED, Result.SUCCESS)
        assert await case.store.prune(LATER, Retention()) == Pruned()

    async def test_payloads_go_only_when_every_delivery_has_ended(self, case: Case) -> None:
        """Pending deliveries keep the payload, however old it is (C17)."""
        message = case.message()
        done, waits = case.delivery(message), case.delivery(message)
        await case.commit(accepts=(Accept(message, (done, waits)),))
        await case.change(done, Verb.SUCCEED)
        assert await case.store.prune(LATER, Retention(payloads=LATER)) == Pruned()
        await case.change(waits, Verb.DIE)
        assert await case.store.prune(NOW, Retention(payloads=NOW)) == Pruned()
        assert await case.store.prune(LATER, Retention(payloads=LATER)) == Pruned(payloads=1)
        found = await case.store.message(message.id)
        assert found is not None
        assert found.sealed is None
        assert await case.store.prune(LATER, Retention(payloads=LATER)) == Pruned()

    async def test_payloads_go_in_small_steps_past_those_that_wait(self, case: Case) -> None:
        """Every call goes on where the last one ended; what ended since goes in the next run."""
        taken = [await case.take() for _ in range(9)]
        done = [each for number, each in enumerate(taken) if number % 3]
        for each in done:
            await case.change(each, Verb.SUCCEED)
        retention = Retention(payloads=LATER, limit=2)
        steps = [(await case.store.prune(LATER, retention)).payloads for _ in range(4)]
        assert steps == [2, 2, 2, 0]
        await case.change(taken[0], Verb.SUCCEED)
        assert await case.store.prune(LATER, retention) == Pruned(payloads=1)
        await case.change(taken[3], Verb.SUCCEED)
        await case.store.prune(LATER, Retention(payloads=LATER - 1, limit=2))
        await case.change(taken[6], Verb.SUCCEED)
        gone = [(await case.store.prune(LATER, retention)).payloads for _ in range(2)]
        assert sum(gone) >= 1
        for each in taken:
            found = await case.store.message(each.message_id)
            assert found is not None
            assert found.sealed is None

    async def test_rows_go_with_their_deliveries_and_are_counted(self, case: Case) -> None:
        """The sum holds: created = delivered + pending + dead + discarded + pruned (promise 2)."""
        gone = [await case.take() for _ in range(3)]
        for delivery, verb in zip(gone, (Verb.SUCCEED, Verb.DIE, Verb.CANCEL), strict=True):
            await case.change(delivery, verb)
        kept = await case.take()
        assert await case.store.prune(LATER, Retention(rows=LATER)) == Pruned(rows=3)
        assert (await case.store.find(Search())).deliveries == [kept]
        assert await case.store.message(gone[0].message_id) is None
        counts = Counts(created=4, pending=1, pruned=3, normal=1)
        assert await case.store.counts() == {"north": counts}
        assert await case.store.prune(LATER, Retention(rows=LATER)) == Pruned()

    async def test_keys_outlive_rows_and_payloads(self, case: Case) -> None:
        """A key goes at its own time, and never before its payload."""
        first = await case.take(key="k")
        assert await case.store.prune(LATER, Retention(keys=LATER)) == Pruned()
        await case.change(first, Verb.SUCCEED)
        await case.store.prune(LATER, Retention(payloads=LATER, rows=LATER))
        assert await self._is_duplicate(case, first)
        assert await case.store.prune(LATER, Retention(keys=LATER)) == Pruned(keys=1)
        assert not await self._is_duplicate(case, first)

    async def _is_duplicate(self, case: Case, first: Delivery) -> bool:
        message = case.message(key="k")
        (answer,), _ = await case.commit(accepts=(Accept(message, ()),))
        assert answer.message_id in {first.message_id, message.id}
        return answer.duplicate

    async def test_events_are_pruned_by_their_own_time(self, case: Case) -> None:
        """Kept events keep their snapshots and positions; new ones never reuse a position."""
        await case.commit(snapshots=(Snapshot("policy-1", b'"kept"'),))
        await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
        case.now += 5 * DAY
        await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
        kept = await case.store.events(EventQuery(limit=1))
        assert await case.store.prune(case.now, Retention(events=NOW + DAY)) == Pruned(events=1)
        found = await case.store.events(EventQuery())
        assert [each.attempt for each in found] == [each.attempt for each in kept]
        assert bytes(found[0].configuration) == b'"kept"'
        await case.store.prune(LATER, Retention(events=LATER))
        await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
        (newest,) = await case.store.events(EventQuery())
        assert newest.position > kept[0].position

    async def test_the_limit_bounds_each_call(self, case: Case) -> None:
        """The caller goes on while something went, and in the end all has gone."""
        for _ in range(5):
            await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
        retention = Retention(payloads=LATER, events=LATER, limit=2)
        gone = [await case.store.prune(LATER, retention) for _ in range(4)]
        assert [each.payloads for each in gone] == [2, 2, 1, 0]
        # A store that drops old events in one piece need not count them out.
        assert sum(each.events for each in gone) == 5
        assert gone[-1].events == 0

    async def test_space_is_told(self, store: Store) -> None:
        """There is room in an empty store."""
        space = await store.space()
        assert space.used >= 0
        assert space.free > 0
