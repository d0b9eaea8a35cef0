"""Settling and changing deliveries: revisions, stale tries, proven success."""

import msgspec
import pytest

from holdfast.errors import StoreError
from holdfast.model.attempt import Result
from holdfast.model.delivery import TRANSITIONS, Delivery, Status, Verb
from holdfast.store import Applied, Counts, EventQuery, Note
from holdfast.testing.store_suite.case import NOW, Case, Suite

APPLIED = Applied(applied=True)
REFUSED = Applied(applied=False)
WAYS_TO_END = {
    Status.PENDING: Verb.RETRY,
    Status.DELIVERED: Verb.SUCCEED,
    Status.DEAD: Verb.DIE,
    Status.DISCARDED: Verb.CANCEL,
}


async def _in_status(case: Case, status: Status) -> tuple[Delivery, Delivery]:
    """Return a delivery as its sender saw it and as it is now: changed meanwhile."""
    seen = await case.take()
    return seen, await case.change(seen, WAYS_TO_END[status])


class TransitingSuite(Suite):
    """`Deliveries.commit` with transitions."""

    async def test_a_redrive_stores_the_new_end_of_its_time(self, case: Case) -> None:
        """What died of its age lives again: else it would expire at once."""
        died = await case.change(await case.take(), Verb.DIE)
        redriven = case.transition(died, Verb.REDRIVE, due_at=NOW, expires_at=NOW + 9_000_000)
        assert await case.apply(redriven) == (APPLIED,)
        assert await case.get(died) == redriven.after

    async def test_an_applied_change_is_stored_as_it_was_given(self, case: Case) -> None:
        """Every field that may change does, the attempt and the note are on record."""
        delivery = await case.take()
        transition = case.transition(
            delivery,
            Verb.RETRY,
            Result.ERROR,
            due_at=NOW + 2000,
            attempt=1,
            counted=1,
            attempts=1,
            active_ms=5,
            last_delay_ms=2000,
            first_attempt_at=NOW,
            in_doubt=True,
            crashes=1,
            hold_gate="rate",
            failure_class="server",
            http_status=503,
            reason="upstream",
            original_event_id="evt_first",
        )
        transition = msgspec.structs.replace(transition, excerpt=b"\x00\xff")
        assert await case.apply(transition) == (APPLIED,)
        assert await case.get(delivery) == transition.after
        (event,) = await case.store.events(EventQuery(delivery_id=delivery.id))
        assert event.attempt == transition.attempt
        assert event.excerpt == b"\x00\xff"
        assert await case.store.notes(delivery.id, 10) == [transition.note]

    async def test_words_of_a_partner_never_keep_a_settlement_from_being_written(
        self, case: Case
    ) -> None:
        """U+0000 and the like are stored, or something in their place; the rest is as given."""
        delivery = await case.take()
        said = "a\x00b \u2028 \ud7ff \U0001f600 \x7f ' \" \\ %s $1 :x"
        died = case.transition(delivery, Verb.DIE, Result.FAILURE, reason=said, code="X")
        died = msgspec.structs.replace(died, note=Note(NOW, "ada", "die", delivery.id, said))
        assert await case.apply(died) == (APPLIED,)
        found = await case.get(delivery)
        assert found.reason is not None
        assert found.reason.replace("\ufffd", "\x00") == said
        assert msgspec.structs.replace(found, reason=said) == died.after
        (note,) = await case.store.notes(delivery.id, 10)
        assert note.reason == found.reason

    @pytest.mark.parametrize("status", list(Status))
    @pytest.mark.parametrize("verb", list(Verb))
    async def test_the_table_of_transitions_decides(
        self, case: Case, verb: Verb, status: Status
    ) -> None:
        """A verb is applied from exactly the states that the table allows."""
        _, delivery = await _in_status(case, status)
        (answer,) = await case.apply(case.transition(delivery, verb))
        allowed = TRANSITIONS[verb].get(status)
        assert answer.applied == (allowed is not None)
        assert (await case.get(delivery)).status == (allowed or status)

    async def test_another_revision_is_refused_and_its_attempt_kept_as_stale(
        self, case: Case
    ) -> None:
        """The try happened, so it is on record; nothing else changes and no note is written."""
        seen, now = await _in_status(case, Status.DISCARDED)
        late = case.transition(seen, Verb.RETRY, Result.ERROR)
        late = msgspec.structs.replace(late, note=Note(NOW, "eve", "retry", "late", ""))
        assert await case.apply(late) == (REFUSED,)
        assert await case.get(seen) == now
        assert await case.store.notes("late", 10) == []
        (event,) = await case.store.events(EventQuery(delivery_id=seen.id))
        assert event.attempt.stale

    @pytest.mark.parametrize("status", list(Status))
    async def test_a_late_success_delivers_whatever_the_state(
        self, case: Case, status: Status
    ) -> None:
        """A proven success of any generation ends the delivery, and is counted once."""
        seen, now = await _in_status(case, status)
        late = case.transition(seen, Verb.SUCCEED, Result.SUCCESS)
        assert await case.apply(late) == (Applied(applied=False, proven=True),)
        found = await case.get(seen)
        assert found.status is Status.DELIVERED
        assert found.code is None
        assert found.ended_at > 0
        assert found.revision >= now.revision
        assert await case.store.counts() == {"north": Counts(created=1, delivered=1)}
        (event,) = await case.store.events(EventQuery(delivery_id=seen.id))
        assert event.attempt.stale

    async def test_a_refused_try_that_may_have_arrived_leaves_its_doubt(self, case: Case) -> None:
        """The change that came first stays, and a later "duplicate" answer is understood."""
        seen, lost = await case.take(), await case.take()
        now = await case.change(seen, Verb.RESCHEDULE)
        late = case.transition(seen, Verb.RETRY, Result.ERROR, in_doubt=True)
        for _ in range(2):  # after an ambiguous commit it comes again
            assert await case.apply(late) == (REFUSED,)
            found = await case.get(seen)
            assert found.in_doubt
            assert found.revision == now.revision + 1
            assert found.due_at == now.due_at
        gone = case.transition(lost, Verb.RETRY, Result.ERROR, in_doubt=True).late()
        assert await case.apply(gone) == (REFUSED,)
        assert await case.get(lost) == lost

    async def test_settlements_that_are_committed_again_are_not_repeated(self, case: Case) -> None:
        """After an ambiguous commit the same batch gets the same answers and appends nothing."""
        one, two, three = [await case.take() for _ in range(3)]
        await case.change(three, Verb.CANCEL)
        batch = (
            case.transition(one, Verb.SUCCEED, Result.SUCCESS),
            case.transition(two, Verb.CANCEL),
            case.transition(three, Verb.SUCCEED, Result.SUCCESS),
        )
        first = await case.apply(*batch)
        counts = await case.store.counts()
        assert first == (APPLIED, APPLIED, Applied(applied=False, proven=True))
        assert await case.apply(*batch) == first
        assert await case.store.counts() == counts
        assert len(await case.store.events(EventQuery())) == 2
        assert len(await case.store.notes(two.id, 10)) == 1

    async def test_a_settlement_stays_applied_after_later_changes(self, case: Case) -> None:
        """Its event is on record, so a repetition is answered as before."""
        delivery = await case.take()
        died = case.transition(delivery, Verb.DIE, Result.FAILURE)
        await case.apply(died)
        await case.change(died.after, Verb.REDRIVE)
        assert await case.apply(died) == (APPLIED,)
        assert (await case.get(delivery)).status is Status.PENDING

    async def test_two_changes_of_one_delivery_in_a_batch_see_each_other(self, case: Case) -> None:
        """They work as if they had been committed one after the other."""
        delivery = await case.take()
        died = case.transition(delivery, Verb.DIE, Result.FAILURE)
        cancelled = case.transition(delivery, Verb.CANCEL)
        redriven = case.transition(died.after, Verb.REDRIVE)
        answers = await case.apply(died, cancelled, redriven)
        assert answers == (APPLIED, REFUSED, APPLIED)
        assert await case.get(delivery) == redriven.after
        assert await case.store.counts() == {"north": Counts(created=1, pending=1, normal=1)}

    async def test_an_unknown_delivery_is_refused_but_its_attempt_kept(self, case: Case) -> None:
        """A try of a delivery that was pruned meanwhile is still on record."""
        ghost = case.delivery(case.message())
        answers = await case.apply(case.transition(ghost, Verb.SUCCEED, Result.SUCCESS))
        assert answers == (REFUSED,)
        (event,) = await case.store.events(EventQuery(delivery_id=ghost.id))
        assert event.attempt.stale

    async def test_a_change_that_contradicts_its_verb_is_an_error(self, case: Case) -> None:
        """The error names the delivery, and nothing of the batch was written."""
        good, bad = await case.take(), await case.take()
        wrong = case.transition(bad, Verb.DIE, status=Status.PENDING, ended_at=0)
        with pytest.raises(StoreError, match=bad.id):
            await case.apply(case.transition(good, Verb.CANCEL), wrong)
        assert await case.get(good) == good

    async def test_an_event_of_another_delivery_is_an_error(self, case: Case) -> None:
        """An event id that exists means "done" only for the same delivery."""
        one, two = await case.take(), await case.take()
        first = case.transition(one, Verb.SUCCEED, Result.SUCCESS)
        await case.apply(first)
        second = case.transition(two, Verb.SUCCEED, Result.SUCCESS)
        assert first.attempt is not None
        assert second.attempt is not None
        taken = msgspec.structs.replace(second.attempt, event_id=first.attempt.event_id)
        with pytest.raises(StoreError):
            await case.apply(msgspec.structs.replace(second, attempt=taken))
        assert await case.get(two) == two

    async def test_large_batches_are_answered_in_order(self, case: Case) -> None:
        """Applied and refused members keep their places."""
        deliveries = [await case.take() for _ in range(300)]
        for delivery in deliveries[::7]:
            await case.change(delivery, Verb.CANCEL)
        batch = [case.transition(each, Verb.RETRY, Result.ERROR) for each in deliveries]
        answers = await case.apply(*batch)
        assert [each.applied for each in answers] == [number % 7 != 0 for number in range(300)]
        assert len(await case.store.events(EventQuery(limit=1000))) == 300
