"""Two workers link the audit lines of one PostgreSQL at once: the chain never forks."""

import asyncio

from holdfast.access.chain import Chain
from holdfast.access.tries import Tries
from holdfast.store import Note
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres.address import parse
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
