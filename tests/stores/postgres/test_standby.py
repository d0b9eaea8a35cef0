"""A primary and a standby: what is answered is on both disks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.errors import StoreAway
from holdfast.store import Accept
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.address import parse
from holdfast.testing.postgres import running
from holdfast.testing.standby import PostgresPair
from holdfast.testing.store_suite.case import NOW, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def pair() -> Iterator[PostgresPair]:
    """Return two servers."""
    with running(PostgresPair()) as pair:
        yield pair


async def waiting(pair: PostgresPair, task: asyncio.Task[Any]) -> None:
    """Return when the primary waits for its standby."""
    while pair.primary.execute(WAITING) == "0":
        assert not task.done(), "it was answered without the standby"
        await asyncio.sleep(0.02)  # noqa: TID251  # the server is another process


async def test_a_commit_that_gave_up_on_the_standby_is_not_answered(pair: PostgresPair) -> None:
    """PostgreSQL calls that a success, with a warning. The same key waits for the standby, too."""
    store = await PostgresStore.open(parse(pair.url()))
    case = Case(store, await store.join(NOW))
    await case.take()  # the statements are prepared
    pair.standby.stop()
    message = case.message(key="k")
    member = Accept(message, (case.delivery(message),))
    commit = asyncio.create_task(case.commit(accepts=(member,)))
    await waiting(pair, commit)
    pair.primary.execute(CANCEL)
    with pytest.raises(StoreAway, match="wait for its standby was cancelled"):
        await commit
    assert await store.message(message.id) == message  # for others it is there
    again = case.message(key="k")
    commit = asyncio.create_task(case.commit(accepts=(Accept(again, (case.delivery(again),)),)))
    await waiting(pair, commit)
    pair.standby.start()
    (accepted,), _ = await commit
    assert (accepted.message_id, accepted.duplicate) == (message.id, True)
    pair.fail_over()
    assert await found(store, message.id) == message
    await store.close()


async def found(store: PostgresStore, message_id: str) -> Any:
    """Return a message, once a server answers."""
    while True:
        try:
            return await store.message(message_id)
        except StoreAway:
            await asyncio.sleep(0.02)  # noqa: TID251  # the server is another process


async def test_it_is_known_whether_commits_are_on_two_disks(pair: PostgresPair) -> None:
    """As the server's settings say; after a fail-over nobody follows the new primary."""
    address = parse(pair.url())
    assert await PostgresStore.replicated(address)
    pair.primary.execute("ALTER DATABASE postgres SET synchronous_commit = local")
    assert not await PostgresStore.replicated(address)
    pair.primary.execute("ALTER DATABASE postgres RESET synchronous_commit")
    pair.fail_over()
    assert not await PostgresStore.replicated(address)
