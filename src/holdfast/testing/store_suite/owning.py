"""What holds of a store where one process owns everything."""

import pytest

from holdfast.errors import StoreLost
from holdfast.store import Accept, Batch, Store
from holdfast.testing.store_suite.case import NOW, Case, Suite


class OwningSuite(Suite):
    """`join` and `leave`: a later owner shuts the earlier one out."""

    async def test_each_owner_gets_a_higher_epoch(self, store: Store) -> None:
        """`clean` says whether the owner before said goodbye."""
        first = await store.join(NOW)
        second = await store.join(NOW)
        await store.leave(second.epoch)
        third = await store.join(NOW)
        assert first.epoch < second.epoch < third.epoch
        assert (first.clean, second.clean, third.clean) == (True, False, True)
        assert (third.now, third.shared) == (NOW, False)

    async def test_only_the_owner_can_leave(self, case: Case) -> None:
        """An old owner's goodbye does not make the new one's end look clean."""
        newer = await case.store.join(NOW)
        with pytest.raises(StoreLost):
            await case.store.leave(case.epoch)
        assert not (await case.store.join(NOW)).clean
        assert newer.epoch > case.epoch

    async def test_an_old_epoch_writes_nothing(self, case: Case) -> None:
        """After a take-over the former owner is refused."""
        await case.store.join(NOW)
        message = case.message()
        member = Accept(message, (case.delivery(message),))
        with pytest.raises(StoreLost):
            await case.store.commit(Batch(case.epoch, NOW, accepts=(member,)))
        assert await case.store.message(message.id) is None
