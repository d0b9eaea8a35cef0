"""Promise 1: what was accepted survives a power loss at any instant."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from random import Random

import apsw
import pytest

from holdfast.errors import StoreError, StoreFull
from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.store import Accept
from holdfast.stores.sqlite import SqliteStore
from holdfast.stores.sqlite.opening import Synchronous
from holdfast.testing.powerloss import Disk
from holdfast.testing.store_suite.case import NOW, Case

PATH = "holdfast.db"
COMMITS = 12

_number = count(1)


def _name() -> str:
    """Return a name that no disk of this process has."""
    return f"disk-{next(_number)}"


async def _work(disk: Disk, synchronous: Synchronous) -> list[tuple[Delivery, ...]]:
    """Commit until the work is done or the power fails; return what was acknowledged."""
    acknowledged: list[tuple[Delivery, ...]] = []
    try:
        store = SqliteStore.open(PATH, vfs=disk.name, inline=True, synchronous=synchronous)
    except StoreError:
        return acknowledged
    with suppress(StoreError):
        case = Case(store, await store.join(NOW))
        for _ in range(COMMITS):
            message = case.message(sealed=bytes(3000))
            batch = tuple(case.delivery(message) for _ in range(3))
            await case.commit(accepts=(Accept(message, batch),))
            if disk.failed():
                break
            acknowledged.append(batch)
            ended = await case.change(batch[0], Verb.SUCCEED, Result.SUCCESS)
            if disk.failed():
                break
            acknowledged[-1] = (ended, *batch[1:])
    with suppress(StoreError):
        await store.close()
    return acknowledged


async def _lost(disk: Disk, acknowledged: list[tuple[Delivery, ...]]) -> int:
    """Return how many acknowledged deliveries are not as they were acknowledged."""
    try:
        store = SqliteStore.open(PATH, vfs=disk.name, inline=True)
    except StoreError:
        return sum(map(len, acknowledged))  # nothing of it can be read
    lost = 0
    for delivery in (each for batch in acknowledged for each in batch):
        found = await store.get(delivery.id)
        # What was under way may have happened: a settlement that was not yet acknowledged.
        as_told = found == delivery or (
            found is not None
            and delivery.status is Status.PENDING
            and found.status is Status.DELIVERED
        )
        lost += not as_told
    assert store.abandon().execute("PRAGMA integrity_check").get == "ok"
    for counts in (await store.counts()).values():
        assert counts.created % 3 == 0, "a message is there wholly or not at all"
    await store.close()
    return lost


async def _operations() -> int:
    """Return how many operations the whole work takes."""
    disk = Disk(_name())
    assert len(await _work(disk, "FULL")) == COMMITS
    return disk.operations


async def _losses(synchronous: Synchronous, tear: Callable[[int], Random | None]) -> int:
    """Cut the power at instants all over the work and add up what was lost."""
    lost = 0
    for instant in range(0, await _operations(), 7):
        disk = Disk(_name(), fails_after=instant)
        acknowledged = await _work(disk, synchronous)
        after = disk.after_power_loss(_name(), tear(instant))
        lost += await _lost(after, acknowledged)
    return lost


@pytest.mark.slow
async def test_every_acknowledged_commit_survives_a_power_loss() -> None:
    """Whatever the instant, with nothing of what was not synced on the disk."""
    assert await _losses("FULL", lambda _: None) == 0


@pytest.mark.slow
async def test_torn_and_reordered_writes_change_nothing() -> None:
    """Whatever the instant, with a random half of the unsynced sectors on the disk."""
    assert await _losses("FULL", Random) == 0


@pytest.mark.slow
async def test_the_test_can_tell() -> None:
    """Without syncs acknowledged commits are lost, and the same test sees it."""
    assert await _losses("OFF", lambda _: None) > 0


async def test_a_full_disk_refuses_and_recovers_without_reopening() -> None:
    """Nothing of the refused commit is written; with room again the same store goes on."""
    disk = Disk(_name())
    store = SqliteStore.open(PATH, vfs=disk.name, inline=True)
    case = Case(store, await store.join(NOW))
    kept = await case.take()
    disk.capacity = 0
    large = case.message(sealed=bytes(1_000_000))
    with pytest.raises(StoreFull):
        await case.commit(accepts=(Accept(large, (case.delivery(large),)),))
    assert await store.message(large.id) is None
    assert await store.get(kept.id) == kept
    disk.capacity = None
    await case.commit(accepts=(Accept(large, (case.delivery(large),)),))
    assert await store.message(large.id) == large
    assert (await store.counts())["north"].created == 2
    await store.close()


async def test_an_io_error_is_a_store_error_and_the_store_goes_on() -> None:
    """A commit whose fate is unknown may be given again."""
    disk = Disk(_name())
    store = SqliteStore.open(PATH, vfs=disk.name, inline=True)
    case = Case(store, await store.join(NOW))
    message = case.message(key="k")
    member = Accept(message, (case.delivery(message),))
    disk.fails_after = disk.operations + 1
    with pytest.raises(StoreError):
        await case.commit(accepts=(member,))
    (answer,), _ = await case.commit(accepts=(member,))
    assert not answer.duplicate
    assert (await store.counts())["north"].created == 1
    await store.close()


def test_a_disk_forgets_what_was_not_synced() -> None:
    """The double itself: without a sync a write is gone, with one it stays."""
    disk = Disk(_name())
    connection = apsw.Connection(PATH, vfs=disk.name)
    connection.execute("PRAGMA synchronous = OFF; CREATE TABLE lost (x)")
    without = disk.after_power_loss(_name())
    after = apsw.Connection(PATH, vfs=without.name)
    assert after.execute("SELECT count(*) FROM sqlite_schema").get == 0
    connection.execute("PRAGMA synchronous = FULL; CREATE TABLE kept (x)")
    whole = disk.after_power_loss(_name())
    again = apsw.Connection(PATH, vfs=whole.name)
    assert again.execute("SELECT count(*) FROM sqlite_schema").get == 2
    for each in (connection, after, again):
        each.close()
