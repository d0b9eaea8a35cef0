"""Two workers link the audit lines of one PostgreSQL at once: the chain never forks."""

import asyncio

import asyncpg
import msgspec

from holdfast.access.chain import Chain
from holdfast.access.tries import Tries
from holdfast.model.attempt import Result
from holdfast.model.delivery import Verb
from holdfast.store import EventQuery, Note
from holdfast.stores.postgres import PostgresStore, sql
from holdfast.stores.postgres.address import parse
from holdfast.testing.store_suite.case import Case
from holdfast.vault import Vault

NOW = 1_767_225_600_000
ROUNDS = 12
LINES = 4


async def test_two_workers_that_link_at_once_make_one_chain(emptied: str) -> None:
    """While both write: every line has one number, without gaps, and the check finds it sound."""
    vault = Vault.generate()
    stores = [await PostgresStore.open(parse(emptied)) for _ in range(2)]
    chains = [
        Chain(store, vault.digest, lambda: NOW, Tries(store, vault.digest, lambda: NOW))
        for store in stores
    ]
    try:

        async def work(index: int) -> int:
            linked = 0
            for turn in range(ROUNDS):
                for line in range(LINES):
                    note = Note(NOW, f"worker-{index}", "pause", f"lane-{turn}", f"line {line}")
                    await stores[index].keep(None, note)
                linked += await chains[index].seal()
            return linked

        linked = await asyncio.gather(work(0), work(1))
        last = await chains[0].seal()
        total = 2 * ROUNDS * LINES
        assert sum(linked) + last == total
        numbers = [line.number for line in await stores[1].sealed(0, 1000)]
        assert numbers == list(range(1, total + 1))
        found = await chains[1].verify(0, 1000)
        assert (found.broken, found.number, found.waiting, found.done) == (None, total, 0, True)
    finally:
        for store in stores:
            await store.close()


async def test_events_that_the_mending_of_nul_changed_are_as_they_were(
    case: Case, other: asyncpg.Connection
) -> None:
    """Their sums are of the text as it was before the migration."""
    vault, store = Vault.generate(), case.store
    assert isinstance(store, PostgresStore)
    tries = Tries(store, vault.digest, lambda: NOW)
    chain = Chain(store, vault.digest, lambda: NOW, tries)
    for reason in ("NUL", "sound"):
        delivery = await case.take()
        transition = case.transition(delivery, Verb.RETRY, Result.ERROR)
        assert transition.attempt is not None
        told = msgspec.structs.replace(transition.attempt, failure_reason=reason)
        await case.apply(msgspec.structs.replace(transition, attempt=told))
    before = r"UPDATE holdfast.attempts SET body = replace(body::text, 'NUL', '\u0000')::json"
    await other.execute(before)
    await tries.sum()
    await chain.seal()
    (mending,) = [step for step in sql.migrations() if step.name == "0021_nul"]
    await other.execute(mending.pre)
    assert (await chain.verify(0, 1000)).broken is None
    reasons = {one.attempt.failure_reason for one in await case.store.events(EventQuery())}
    assert reasons == {"\ufffd", "sound"}
