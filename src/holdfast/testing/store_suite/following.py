"""Sequential flows: followers are released, discarded and revived with their predecessor."""

import pytest

from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.message import NEVER
from holdfast.store import Applied, Counts
from holdfast.testing.store_suite.case import NOW, Case, Suite

CHAIN = ("north", "east", "south")


async def _states(case: Case, chain: list[Delivery]) -> list[tuple[Status, bool]]:
    """Return (status, whether it waits for its predecessor) along the chain."""
    found = [await case.get(each) for each in chain]
    return [(each.status, each.due_at == NEVER) for each in found]


class FollowingSuite(Suite):
    """`Deliveries.commit` on deliveries that are `followed`."""

    async def test_success_releases_the_next_step_only(self, case: Case) -> None:
        """The follower is due now, the one behind it still waits."""
        first, second, third = await case.take_chain(*CHAIN)
        case.now += 5000
        (answer,) = await case.apply(case.transition(first, Verb.SUCCEED, Result.SUCCESS))
        assert answer == Applied(applied=True, woken=("east",))
        released = await case.get(second)
        assert (released.due_at, released.revision) == (case.now, second.revision + 1)
        assert await case.get(third) == third

    @pytest.mark.parametrize("verb", [Verb.DIE, Verb.CANCEL, Verb.SKIP])
    async def test_an_end_without_success_discards_all_that_follows(
        self, case: Case, verb: Verb
    ) -> None:
        """Followers of every depth get the code `PREDECESSOR` and are counted."""
        first, second, third = await case.take_chain(*CHAIN)
        await case.change(first, verb)
        for follower in (second, third):
            found = await case.get(follower)
            assert (found.status, found.code) == (Status.DISCARDED, "PREDECESSOR")
            assert found.ended_at == NOW
        counts = await case.store.counts()
        assert counts["east"] == counts["south"] == Counts(created=1, discarded=1)

    async def test_a_redrive_lets_the_followers_wait_again(self, case: Case) -> None:
        """They are pending with due NEVER, whatever the depth and whatever it was before."""
        chain = await case.take_chain(*CHAIN)
        await case.change(chain[1], Verb.RESCHEDULE, due_at=NOW)
        dead = await case.change(chain[0], Verb.DIE)
        redriven = await case.change(dead, Verb.REDRIVE, due_at=NOW)
        waiting = [(Status.PENDING, False), (Status.PENDING, True), (Status.PENDING, True)]
        assert await _states(case, chain) == waiting
        (answer,) = await case.apply(case.transition(redriven, Verb.SUCCEED, Result.SUCCESS))
        assert answer.woken == ("east",)

    async def test_undo_leaves_the_followers_until_a_redrive(self, case: Case) -> None:
        """Nothing waits behind a delivery that is dead: it would wait until its time runs out."""
        chain = await case.take_chain(*CHAIN)
        cancelled = await case.change(chain[0], Verb.CANCEL)
        undone = await case.change(cancelled, Verb.UNDO)
        found = [status for status, _ in await _states(case, chain)]
        assert found == [Status.DEAD, Status.DISCARDED, Status.DISCARDED]
        later = chain[0].expires_at + 1
        await case.change(undone, Verb.REDRIVE, due_at=NOW, expires_at=later)
        waiting = [(Status.PENDING, True), (Status.PENDING, True)]
        assert (await _states(case, chain))[1:] == waiting
        rows = [await case.get(each) for each in chain]
        assert {each.expires_at for each in rows} == {later}
        assert [each.hold_gate for each in rows] == [None, "predecessor", "predecessor"]

    async def test_a_follower_that_was_discarded_by_hand_stays_so(self, case: Case) -> None:
        """Only what fell with its predecessor rises with it."""
        first, second, third = await case.take_chain(*CHAIN)
        await case.change(second, Verb.CANCEL, code="CANCELLED")
        dead = await case.change(first, Verb.DIE)
        await case.change(dead, Verb.REDRIVE, due_at=NOW)
        assert (await case.get(second)).code == "CANCELLED"
        assert (await case.get(third)).status is Status.DISCARDED

    @pytest.mark.parametrize("verb", [Verb.PROVE, Verb.SUCCEED])
    async def test_a_success_after_the_end_still_starts_the_next_step(
        self, case: Case, verb: Verb
    ) -> None:
        """Proof by hand and a late success release what was discarded with the predecessor."""
        chain = await case.take_chain(*CHAIN)
        dead = await case.change(chain[0], Verb.DIE)
        case.now += 1
        (answer,) = await case.apply(case.transition(dead, verb))
        assert answer.woken == ("east",)
        released = await case.get(chain[1])
        assert (released.status, released.due_at, released.code) == (
            Status.PENDING,
            case.now,
            None,
        )
        assert (await _states(case, chain))[2] == (Status.PENDING, True)

    async def test_a_proven_success_of_a_refused_change_releases_too(self, case: Case) -> None:
        """The delivery is delivered now, so its follower may go."""
        chain = await case.take_chain(*CHAIN)
        await case.change(chain[0], Verb.CANCEL)
        late = case.transition(chain[0], Verb.SUCCEED, Result.SUCCESS)
        answer = Applied(applied=False, proven=True, woken=("east",))
        assert await case.apply(late) == (answer,)
        assert (await case.get(chain[1])).due_at == NOW

    async def test_members_of_one_chain_in_one_batch_see_each_other(self, case: Case) -> None:
        """The release of a follower changes its revision before its own change is checked."""
        first, second, third = await case.take_chain(*CHAIN)
        answers = await case.apply(
            case.transition(first, Verb.SUCCEED, Result.SUCCESS),
            case.transition(second, Verb.CANCEL),
        )
        assert answers == (Applied(applied=True, woken=("east",)), Applied(applied=False))
        assert (await case.get(second)).status is Status.PENDING
        assert await case.get(third) == third

    async def test_many_chains_move_in_one_batch(self, case: Case) -> None:
        """Each follower is woken by its own predecessor."""
        chains = [await case.take_chain("north", f"r{number}") for number in range(40)]
        batch = [
            case.transition(chain[0], Verb.SUCCEED if number % 2 else Verb.DIE)
            for number, chain in enumerate(chains)
        ]
        answers = await case.apply(*batch)
        woken = [(f"r{number}",) if number % 2 else () for number in range(40)]
        assert [each.woken for each in answers] == woken
        counts = await case.store.counts()
        assert counts["r0"] == Counts(created=1, discarded=1)
        assert counts["r1"] == Counts(created=1, pending=1, normal=1)
        again = await case.apply(*batch)
        assert [each.applied for each in again] == [True] * 40
