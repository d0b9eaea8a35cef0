"""What holds of a store that several workers share: the list, leases, who owns which lane."""

import asyncio
from abc import abstractmethod

import msgspec
import pytest

from holdfast.errors import StoreLost
from holdfast.model.attempt import Result
from holdfast.model.delivery import Status, Verb
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER
from holdfast.model.worker import Hint, Load, Order, Worker
from holdfast.store import Accept, Batch, EventQuery, Store
from holdfast.testing.store_suite.case import NOW, Case, Suite


class LeasingSuite(Suite):
    """Subclasses also give `other`, a second store over the same data, and `lapse`."""

    @pytest.fixture
    async def other(self) -> Store:
        """Return the store of a second worker; the subclass does."""
        raise NotImplementedError

    @abstractmethod
    async def lapse(self, store: Store) -> None:
        """Let every lease end now."""

    async def test_workers_see_each_other(self, store: Store, other: Store) -> None:
        """Each has an epoch of its own, the later the higher, and is seen as it told."""
        first = await store.join(
            NOW, Worker(name="a", host="h", pid=7, version="1", configuration=2, slots=3)
        )
        second = await other.join(NOW, Worker(name="b"))
        assert first.shared
        assert second.shared
        assert first.epoch < second.epoch
        await store.renew(first.epoch, Load(5, 2, leaving=True, open_slots=3), NOW)
        seen = await other.survey()
        one, two = seen.members
        assert (one.epoch, two.epoch) == (first.epoch, second.epoch)
        told = Worker(name="a", host="h", pid=7, version="1", configuration=2, slots=5)
        assert one.worker == told
        assert two.worker.configuration == 0
        assert (one.in_flight, one.leaving, two.leaving) == (2, True, False)
        assert (one.open_slots, two.open_slots) == (3, 0)
        assert one.started_at <= seen.now < one.lease_until
        assert seen.living() == seen.members

    async def test_store_time_is_told_and_rises(self, store: Store) -> None:
        """Joining, renewing and looking all tell the same clock."""
        joined = await store.join(NOW)
        renewed = await store.renew(joined.epoch, Load(1), NOW)
        assert joined.now <= renewed <= (await store.survey()).now

    async def test_a_free_lane_has_one_taker(self, case: Case, other: Store) -> None:
        """Of two workers who ask at once one gets it."""
        second = await other.join(NOW)
        await case.take()
        assert (await other.survey()).free == ("north",)
        got = await asyncio.gather(
            case.store.acquire(case.epoch, ("north",)), other.acquire(second.epoch, ("north",))
        )
        assert sorted(len(each) for each in got) == [0, 1]
        winner = case.epoch if got[0] else second.epoch
        assert await other.owners() == {"north": winner}
        assert (await other.survey()).free == ()
        assert {each.epoch: each.lanes for each in (await other.survey()).members}[winner] == 1

    async def test_an_order_has_one_taker(self, case: Case, other: Store) -> None:
        """Only the owner of the lane may take it, once; who gave it may take it back until then."""
        second = await other.join(NOW)
        await other.acquire(second.epoch, ("north",))
        first = Order("or_1", "north", "pause", "ann", "because", NOW, seen="tag")
        later = msgspec.structs.replace(first, id="or_2", at=NOW + 1)
        elsewhere = msgspec.structs.replace(first, id="or_3", recipient="south")
        for each in (later, first, elsewhere):
            await case.store.order(each)
        assert (await other.survey()).orders == ("north", "south")
        assert await case.store.take_orders(case.epoch, ("north", "south")) == []
        assert await other.take_orders(second.epoch, ("east",)) == []
        assert await other.take_orders(second.epoch, ("north", "south")) == [first, later]
        assert await other.take_orders(second.epoch, ("north",)) == []
        assert not await case.store.withdraw("or_1")
        assert await case.store.withdraw("or_3")
        assert (await other.survey()).orders == ()

    async def test_saved_lanes_tell_of_an_unclean_end(self, case: Case, other: Store) -> None:
        """Whoever reads one knows what a lost owner may have sent; some may be asked for."""
        second = await other.join(NOW)
        await other.acquire(second.epoch, ("north", "south"))
        before = (await case.store.survey()).now
        await other.leave(second.epoch)
        (north,) = await case.store.lane_states(("north",))
        assert north.recipient == "north"
        assert north.stamp >= before
        assert len(await case.store.lane_states()) == 2

    async def test_a_new_lane_begins_clean_and_empty(self, case: Case) -> None:
        """Its lowest due time is told; asking again changes nothing."""
        await case.take(due_at=NOW + 7)
        for _ in range(2):
            (got,) = await case.store.acquire(case.epoch, ("north",))
            assert (got.state, got.clean, got.due_at) == (LaneState("north"), True, NOW + 7)
        (idle,) = await case.store.acquire(case.epoch, ("south",))
        assert idle.due_at == NEVER

    async def test_a_lane_is_given_away_with_its_last_state(self, case: Case, other: Store) -> None:
        """One commit saves it and makes it free; the next owner finds it clean."""
        second = await other.join(NOW)
        await case.take()
        await case.store.acquire(case.epoch, ("north", "east"))
        state = LaneState("north", paused="because", revision=4)
        await case.commit(lanes=(state, LaneState("east")), released=frozenset({"north"}))
        assert await other.owners() == {"east": case.epoch}
        (got,) = await other.acquire(second.epoch, ("north", "east"))
        assert (got.state, got.clean) == (state, True)

    async def test_nobody_saves_a_lane_of_another(self, case: Case, other: Store) -> None:
        """Neither before it had it nor after it gave it away."""
        second = await other.join(NOW)
        await case.store.acquire(case.epoch, ("north",))
        wrong = LaneState("north", paused="wrong")
        await other.commit(Batch(second.epoch, NOW, lanes=(wrong,), released=frozenset({"north"})))
        assert await other.owners() == {"north": case.epoch}
        await case.commit(lanes=(LaneState("north"),), released=frozenset({"north"}))
        await case.commit(lanes=(wrong,))
        assert await case.store.lane_states() == [LaneState("north")]

    async def test_who_is_heard_of_stays(self, case: Case, other: Store) -> None:
        """A lease that has not ended cannot be taken away; one that was renewed has not."""
        await other.join(NOW)
        assert await other.expel((case.epoch,)) == ()
        await self.lapse(case.store)
        assert case.epoch in {each.epoch for each in (await other.survey()).late()}
        await case.store.renew(case.epoch, Load(1), NOW)
        assert await other.expel((case.epoch,)) == ()
        await case.take()

    async def test_who_is_not_heard_of_loses_everything(self, case: Case, other: Store) -> None:
        """Its lanes are free and stamped; it can neither write, renew, acquire nor leave."""
        second = await other.join(NOW)
        delivery = await case.take()
        await case.store.acquire(case.epoch, ("north",))
        await case.commit(lanes=(LaneState("north", revision=3),))
        await self.lapse(case.store)
        await other.renew(second.epoch, Load(1), NOW)
        before = (await other.survey()).now
        assert await other.expel((case.epoch, second.epoch, 999)) == (case.epoch,)
        expelled = (await other.survey()).now
        assert (await other.survey()).free == ("north",)
        (got,) = await other.acquire(second.epoch, ("north",))
        assert (got.state.revision, got.clean) == (3, False)
        assert before <= got.state.stamp <= expelled
        assert await other.acquire(second.epoch, ("north",)) == [got]
        for work in (
            case.store.commit(Batch(case.epoch, NOW, transitions=(
                case.transition(delivery, Verb.SUCCEED, Result.SUCCESS),
            ))),
            case.store.renew(case.epoch, Load(1), NOW),
            case.store.acquire(case.epoch, ("north",)),
            case.store.leave(case.epoch),
        ):  # fmt: skip
            with pytest.raises(StoreLost):
                await work
        assert (await case.get(delivery)).status is Status.PENDING
        assert await other.events(EventQuery()) == []

    async def test_who_leaves_is_off_the_list(self, case: Case, other: Store) -> None:
        """A lane that it did not give away is free, but not clean."""
        second = await other.join(NOW)
        await case.store.acquire(case.epoch, ("north",))
        await case.store.leave(case.epoch)
        assert [each.epoch for each in (await other.survey()).members] == [second.epoch]
        (got,) = await other.acquire(second.epoch, ("north",))
        assert not got.clean

    async def test_every_worker_may_accept_and_change(self, case: Case, other: Store) -> None:
        """Intake and operators need no lane; a revision settles who was first."""
        second = Case(other, await other.join(NOW), case.ids)
        delivery = await case.take(key="k")
        message = second.message(key="k")
        (answer,), _ = await second.commit(accepts=(Accept(message, ()),))
        assert answer.duplicate
        changed = await second.change(delivery, Verb.CANCEL)
        (applied,) = await case.apply(case.transition(delivery, Verb.SUCCEED))
        assert not applied.applied
        assert await case.get(delivery) == changed

    async def test_late_results_of_a_lost_owner_only_prove(self, case: Case, other: Store) -> None:
        """Under its new epoch it names no revision: the attempt is kept, a success counts."""
        failed, arrived = await case.take(), await case.take()
        results = (
            case.transition(failed, Verb.RETRY, Result.ERROR, attempt=1),
            case.transition(arrived, Verb.SUCCEED, Result.SUCCESS),
        )
        late = tuple(each.late() for each in results)
        answers = await case.apply(*late)
        assert [(each.applied, each.proven) for each in answers] == [(False, False), (False, True)]
        assert await case.get(failed) == failed
        assert (await other.get(arrived.id)).status is Status.DELIVERED  # type: ignore[union-attr]
        events = await other.events(EventQuery())
        assert [each.attempt.stale for each in events] == [True, True]

    async def test_hints_reach_the_other_worker(self, store: Store, other: Store) -> None:
        """Each at least once, however many; what may have been missed is an empty one."""
        await other.join(NOW)
        listening = asyncio.create_task(_heard(other, "first"))
        while not listening.done():  # a server takes a moment until it listens
            await store.notify((Hint("first"),))
            await asyncio.sleep(0.02)  # noqa: TID251  # the server may be another process
        hints = [Hint(f"lane{number}", f"dlv_{number:032x}") for number in range(1000)]
        listening = asyncio.create_task(_heard(other, "lane999"))
        await store.notify(hints)
        assert set(hints) <= await asyncio.wait_for(listening, 10)


async def _heard(store: Store, last: str) -> set[Hint]:
    heard: set[Hint] = set()
    while last not in {hint.recipient for hint in heard}:
        heard |= set(await store.hints())
    return heard
