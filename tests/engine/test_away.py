"""The store's server goes away for a while: nothing is lost, nothing is blamed, it resumes."""

import pytest

from holdfast.errors import StoreAway
from holdfast.model.delivery import Status
from holdfast.store import Batch, Committed, EventQuery
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import always
from holdfast.testing.clock import run
from holdfast.testing.rig import Rig, catalog, recipient, running


class Distant(SqliteStore):
    """A store whose commits fail while `away`; the first one was done all the same."""

    away = False
    refused = 0

    async def commit(self, batch: Batch) -> Committed:
        """Write, or not, or write and lose the answer."""
        if not self.away:
            return await super().commit(batch)
        if not self.refused:
            await super().commit(batch)
        self.refused += 1
        raise StoreAway("gone")

    async def leave(self, epoch: int) -> None:
        """Say goodbye when somebody hears it."""
        if self.away:
            raise StoreAway("gone")
        await super().leave(epoch)


def _rig() -> tuple[Rig, Distant]:
    rig = Rig(catalog(recipient()), always(200, takes_ms=1_000))
    store = Distant.over(rig.connection)
    rig.store = rig.engine.store = store
    return rig, store


def test_settlements_wait_until_the_store_is_back() -> None:
    """What was sent meanwhile is settled once, with one event each, and nothing is sent twice."""
    rig, store = _rig()

    async def main() -> None:
        async with running(rig):
            await rig.send(20)
            store.away = True
            await rig.wait(10)
            with pytest.raises(StoreAway):
                await rig.send()
            tries = store.refused
            assert 10 < tries < 30, "one try per pause, however much waits"
            store.away = False
            await rig.wait(60)
            assert len(await rig.deliveries(Status.DELIVERED)) == 20
            assert len(await rig.store.events(EventQuery())) == 20
            assert len(rig.channel.sent) == 20

    run(main(), rig.clock)


def test_it_stops_while_the_store_is_away() -> None:
    """The next owner takes it for an unclean end."""
    rig, store = _rig()

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(5)
            store.away = True
        store.away = False
        assert not (await store.join(rig.clock.now())).clean

    run(main(), rig.clock)
