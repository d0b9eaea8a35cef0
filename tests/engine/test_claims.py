"""Deliveries that are claimed before they are sent, and suspects that go out one at a time."""

from typing import Any

import pytest

from holdfast.model.delivery import Status, Verb
from holdfast.model.flow import Endpoint
from holdfast.store import Batch, Committed
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import Scripted, always
from holdfast.testing.clock import run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "as agreed"}


class Lapsing(SqliteStore):
    """A store that takes so long for a claim that the worker's lease ends meanwhile."""

    rig: Rig
    claims = 0
    slow = True

    async def commit(self, batch: Batch) -> Committed:
        """Write; when it is a claim, let the lease end."""
        if self.slow and any(each.verb is Verb.CLAIM for each in batch.transitions):
            self.claims += 1
            self.rig.engine.dispatcher.deadline = self.rig.clock.boottime()
        return await super().commit(batch)


def test_a_claim_of_which_no_send_begins_is_no_crash() -> None:
    """A lease that ends while the claim is written, time after time, convicts nobody."""
    rig = Rig(catalog(recipient()), always(200))

    async def main() -> None:
        await rig.engine.start()
        await rig.engine.actions.pause("acme", **BY)
        await rig.send()
        await rig.crash()  # it may have been sent: it is claimed first
        store = Lapsing.over(rig.connection)
        store.rig, rig.store, rig.engine.store = rig, store, store
        async with running(rig):
            await rig.engine.actions.resume("acme", **BY)
            for _ in range(4):
                await rig.wait(20)
                (found,) = await rig.deliveries()
                assert (found.status, found.crashes) == (Status.PENDING, 0)
                assert rig.channel.sent == []
                rig.engine.dispatcher.deadline = None  # it was renewed
                rig.engine.dispatcher.pump()
            assert store.claims >= 4
            await rig.wait(1)
            store.slow = False
            rig.engine.dispatcher.deadline = None
            rig.engine.dispatcher.pump()
            await rig.wait(20)
            assert len(await rig.deliveries(Status.DELIVERED)) == 1

    run(main(), rig.clock)


async def suspects(rig: Rig, count: int) -> None:
    """Let so many deliveries be on the wire at two crashes."""
    await rig.engine.start()
    await rig.send(count=count)
    await rig.wait(2)
    await rig.crash()
    await rig.engine.start()
    await rig.wait(2)
    await rig.crash()


@pytest.mark.parametrize("why", ["a pause", "a Retry-After", "the breaker"])
def test_suspects_that_wait_for_their_turn_keep_to_what_closed_meanwhile(why: str) -> None:
    """What was handed out before goes back into its lane, and out when that is open again."""
    slow = Endpoint(url="http://acme.example/leads", total_timeout=30.0)
    rig = Rig(
        catalog(recipient("acme", breaker=NO_BREAKER, endpoints=(slow,))),
        always(200, takes_ms=20_000),
    )

    async def main() -> None:
        await suspects(rig, 4)
        async with running(rig):
            await rig.wait(12)
            before = len(rig.channel.sent)
            assert len(rig.engine.executor.in_flight) == 1
            actions, lane = rig.engine.actions, rig.engine.lane("acme")
            if why == "a pause":
                await actions.pause("acme", **BY)
            elif why == "the breaker":
                await actions.open_breaker("acme", **BY)
            else:
                lane.hint(rig.clock.now() + 300_000, "they asked for it")
            await rig.wait(200)
            assert len(rig.channel.sent) == before
            assert not lane.busy
            if why == "a pause":
                await actions.resume("acme", **BY)
            elif why == "the breaker":
                await actions.reset_breaker("acme", **BY)
            await rig.wait(300)
            assert len(await rig.deliveries(Status.DELIVERED)) == 4
            assert len(rig.channel.sent) == before + 3

    run(main(), rig.clock)


def test_a_suspect_is_not_kept_by_its_own_place() -> None:
    """One that asks whether a partner takes again is no reason for itself to wait."""
    rig = Rig(catalog(recipient("acme", breaker=NO_BREAKER)), always(429, takes_ms=5_000))

    async def main() -> None:
        await suspects(rig, 2)
        async with running(rig):
            await rig.wait(60)
            assert rig.engine.lane("acme").throttle is not None
            assert all(each.attempts for each in await rig.deliveries())
            before = len(rig.channel.sent)
            rig.channel.script = lambda _, __: Scripted(200)
            await rig.wait(120)
            assert len(await rig.deliveries(Status.DELIVERED)) == 2
            assert len(rig.channel.sent) <= before + 2

    run(main(), rig.clock)
