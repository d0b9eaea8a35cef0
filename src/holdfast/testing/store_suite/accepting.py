"""Intake: durable, once per key, all or nothing."""

import msgspec
import pytest

from holdfast.errors import StoreError
from holdfast.model.delivery import Verb
from holdfast.model.message import NEVER
from holdfast.store import Accept, Accepted, Counts, Note
from holdfast.testing.store_suite.case import NOW, Case, Suite


def _accept(case: Case, **fields: object) -> Accept:
    message = case.message(**fields)
    return Accept(message, (case.delivery(message),))


class AcceptingSuite(Suite):
    """`Deliveries.commit` with accepts."""

    async def test_what_is_accepted_can_be_read_back_unchanged(self, case: Case) -> None:
        """Message and deliveries come back field by field."""
        message = case.message(
            key="k",
            digest=bytes(range(32)),
            sealed=bytes(range(256)),
            value=0.1 + 0.2,
            quality=99,
            region="EU",
            consent='{"a": "é\\u2028"}',
            not_before=NOW + 1,
            expires_at=NOW + 2,
        )
        first = case.delivery(message, step="one", policy='{"x": 1}', endpoint="b", hold_gate="g")
        second = case.delivery(message, step="two", recipient="südwärts", due_at=NEVER)
        await case.commit(accepts=(Accept(message, (first, second)),))
        assert await case.store.message(message.id) == message
        assert await case.get(first) == first
        assert await case.get(second) == second

    async def test_the_answer_lists_the_deliveries_in_the_flows_order(self, case: Case) -> None:
        """The order is the one in which they were given, not that of the ids."""
        message = case.message()
        first, second = case.delivery(message), case.delivery(message, step="two")
        (answer,), _ = await case.commit(accepts=(Accept(message, (second, first)),))
        expected = ((second.id, "two", "north"), (first.id, "one", "north"))
        assert answer == Accepted(message.id, expected)

    async def test_a_known_key_with_the_same_payload_gets_the_first_answer(
        self, case: Case
    ) -> None:
        """The duplicate writes nothing (C16)."""
        first = _accept(case, key="k")
        (answer,), _ = await case.commit(accepts=(first,))
        again = _accept(case, key="k")
        (repeated,), _ = await case.commit(accepts=(again,))
        assert repeated == msgspec.structs.replace(answer, duplicate=True)
        assert await case.store.message(again.message.id) is None
        assert await case.store.counts() == {"north": Counts(created=1, pending=1, normal=1)}

    async def test_a_known_key_with_another_payload_is_a_collision(self, case: Case) -> None:
        """Neither the old nor the new payload is changed (C16)."""
        first = _accept(case, key="k")
        await case.commit(accepts=(first,))
        other = _accept(case, key="k", digest=b"\x01" * 32)
        (answer,), _ = await case.commit(accepts=(other,))
        assert answer.collision
        assert not answer.duplicate
        assert answer.message_id == first.message.id
        assert await case.store.message(other.message.id) is None

    async def test_audit_lines_are_written_only_for_what_is_new(self, case: Case) -> None:
        """The first message brings its line, its repeat brings none."""
        note = Note(1, "engine", "rule", "dlv_x", "rule 'vip' sets priority")
        for _ in range(2):
            member = msgspec.structs.replace(_accept(case, key="k"), notes=(note,))
            await case.commit(accepts=(member,))
        assert await case.store.notes("dlv_x", 10) == [note]

    async def test_a_delivery_that_is_accepted_and_changed_in_one_batch(self, case: Case) -> None:
        """Accepts are written first, so that the change finds its delivery."""
        member = _accept(case)
        delivery = member.deliveries[0]
        cancelled = case.transition(delivery, Verb.CANCEL)
        _, (applied,) = await case.commit(accepts=(member,), transitions=(cancelled,))
        assert applied.applied
        assert await case.get(delivery) == cancelled.after
        assert await case.store.counts() == {"north": Counts(created=1, discarded=1)}

    async def test_old_and_new_recipients_are_counted_in_one_batch(self, case: Case) -> None:
        """One recipient gains and loses, one is new, one only loses."""
        north, east = await case.take(), await case.take(recipient="east")
        message = case.message()
        both = (case.delivery(message), case.delivery(message, recipient="south"))
        settled = (case.transition(north, Verb.DIE), case.transition(east, Verb.CANCEL))
        await case.commit(accepts=(Accept(message, both),), transitions=settled)
        assert await case.store.counts() == {
            "east": Counts(created=1, discarded=1),
            "north": Counts(created=2, pending=1, dead=1, normal=1),
            "south": Counts(created=1, pending=1, normal=1),
        }

    async def test_many_duplicates_are_answered_in_one_batch(self, case: Case) -> None:
        """Each by its own first answer, new ones in between."""
        old = [_accept(case, key=f"k{number}") for number in range(50)]
        first, _ = await case.commit(accepts=tuple(old))
        again = [_accept(case, key=f"k{number}") for number in range(60)]
        answers, _ = await case.commit(accepts=tuple(again))
        assert [each.message_id for each in answers[:50]] == [each.message_id for each in first]
        assert [each.deliveries for each in answers[:50]] == [each.deliveries for each in first]
        assert [each.duplicate for each in answers] == [True] * 50 + [False] * 10

    async def test_twins_in_one_batch_share_one_answer(self, case: Case) -> None:
        """The first twin is written, the others are its duplicates or collisions."""
        one, two = _accept(case, key="k"), _accept(case, key="k")
        three = _accept(case, key="k", digest=b"\x01" * 32)
        answers, _ = await case.commit(accepts=(one, two, three))
        assert [each.message_id for each in answers] == [one.message.id] * 3
        assert [each.duplicate for each in answers] == [False, True, False]
        assert [each.collision for each in answers] == [False, False, True]
        assert (await case.store.counts())["north"].created == 1

    async def test_keys_belong_to_accounts_and_no_key_means_no_dedupe(self, case: Case) -> None:
        """Equal payloads without a key, or of two accounts, are different messages."""
        members = (
            _accept(case, key="k"),
            _accept(case, key="k", account="other"),
            _accept(case),
            _accept(case),
        )
        answers, _ = await case.commit(accepts=members)
        assert [each.message_id for each in answers] == [each.message.id for each in members]
        assert not any(each.duplicate or each.collision for each in answers)

    async def test_a_batch_that_is_committed_again_gets_the_same_answers(self, case: Case) -> None:
        """An ambiguous commit may be repeated: our own message ids mean "done"."""
        members = (_accept(case, key="k"), _accept(case, key="k"), _accept(case))
        first, _ = await case.commit(accepts=members)
        again, _ = await case.commit(accepts=members)
        assert again == first
        assert (await case.store.counts())["north"].created == 2

    async def test_a_bad_member_leaves_nothing_of_its_batch(self, case: Case) -> None:
        """A commit is all or nothing, and the store goes on."""
        good = _accept(case)
        bad = _accept(case, priority=11)
        with pytest.raises(StoreError):
            await case.commit(accepts=(good, bad))
        assert await case.store.message(good.message.id) is None
        assert await case.store.counts() == {}
        (answer,), _ = await case.commit(accepts=(good,))
        assert not answer.duplicate

    async def test_large_batches_are_written_wholly(self, case: Case) -> None:
        """A thousand messages in one commit all arrive."""
        members = tuple(_accept(case, key=f"k{number}") for number in range(1000))
        answers, _ = await case.commit(accepts=members)
        assert len({each.message_id for each in answers}) == 1000
        assert (await case.store.counts())["north"] == Counts(1000, 1000, normal=1000)
        assert await case.get(members[-1].deliveries[0]) == members[-1].deliveries[0]
