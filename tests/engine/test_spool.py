"""Intake goes on while the store is away: into the spool, and from there into the store, once."""

import asyncio
from itertools import count
from typing import Any

import msgspec
import pytest

from holdfast.engine.spooler import REFUSALS_MAX
from holdfast.errors import ConfigError, KeyCollision, Overloaded, StoreAway, StoreError, StoreFull
from holdfast.model.delivery import Status
from holdfast.model.message import NEVER
from holdfast.model.overview import Spooling
from holdfast.model.submission import Receipt, Submission
from holdfast.store import Batch, Committed
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import always
from holdfast.testing.clock import run
from holdfast.testing.powerloss import Disk
from holdfast.testing.rig import Rig, catalog, recipient, running

_number = count(1)
PAYLOAD = msgspec.Raw(b'{"lead":{"name":"Ada"}}')
OTHER = msgspec.Raw(b'{"lead":{"name":"Bob"}}')


class Distant(SqliteStore):
    """A store that can be away, that can do what it is asked and not say so, and that can hang."""

    away = False
    silent = False
    """It does it once, and the answer gets lost."""
    hangs_ms = 0
    """How long a commit takes."""
    refuses: str | None = None
    """A key that it never takes."""
    clock: Any = None
    seen: list[list[str]]
    """The ids of the messages of every commit that was done."""

    async def commit(self, batch: Batch) -> Committed:
        """Write, or not, or write and lose the answer."""
        if self.hangs_ms:
            await self.clock.pause(self.hangs_ms)
        if self.away and not self.silent:
            raise StoreAway("gone")
        if any(each.message.key == self.refuses for each in batch.accepts if self.refuses):
            raise StoreError("it does not fit")
        done = await super().commit(batch)
        self.seen.append([each.message.id for each in batch.accepts])
        if self.silent:
            self.silent = False
            raise StoreAway("gone")
        return done

    async def counts(self) -> Any:
        """Return the counters when somebody hears it."""
        if self.away:
            raise StoreAway("gone")
        return await super().counts()

    async def leave(self, epoch: int) -> None:
        """Say goodbye when somebody hears it."""
        if self.away:
            raise StoreAway("gone")
        await super().leave(epoch)


class SpoolRig(Rig):
    """A worker with a spool on a simulated disk and a store that can be away."""

    def build(self) -> Any:
        """Return a new engine over the data."""
        engine = super().build()
        self.far = Distant.over(self.connection)
        self.far.seen, self.far.clock = [], self.clock
        self.store = engine.store = self.far
        return engine

    @property
    def state(self) -> Spooling:
        """Return how the spool stands."""
        assert self.engine.spooler is not None
        return self.engine.spooler.state()

    @property
    def sent(self) -> list[str]:
        """Return the deliveries that the partner got, as often as it got them, sorted."""
        return sorted(request.delivery_id for _, request in self.channel.sent)

    async def ask(self, key: str | None, payload: msgspec.Raw = PAYLOAD) -> Any:
        """Accept one message and return the receipt or the error."""
        submission = Submission(payload=payload, key=key)
        return (await self.engine.intake.accept("leads", [submission]))[0]

    async def leave(self) -> None:
        """Let the store go away, and the worker notice it."""
        self.far.away = True
        await self.wait(1.5)

    async def come_back(self) -> None:
        """Let the store come back and the spool drain."""
        self.far.away = False
        await self.wait(30)
        assert (self.state.on, self.state.messages, self.state.since) == (False, 0, 0)

    async def found(self) -> dict[str, str]:
        """Return delivery -> status."""
        return {each.id: each.status for each in await self.deliveries()}


@pytest.fixture
def rig() -> SpoolRig:
    """Return a worker that is not started; its partner takes everything."""
    disk = Disk(f"spooler-{next(_number)}")
    return SpoolRig(catalog(recipient()), always(200), disk=disk)


def _ids(receipts: list[Receipt]) -> set[str]:
    return {each.id for receipt in receipts for each in receipt.deliveries}


def test_what_came_meanwhile_is_there_once_with_the_ids_that_were_told(rig: SpoolRig) -> None:
    """100 messages while the store is away: present once, in order, delivered once (S5.61)."""

    async def main() -> None:
        async with running(rig):
            before = await rig.send(3)
            await rig.leave()
            assert rig.engine.ready
            told = [await rig.ask(f"k{n}") for n in range(50)]
            told += await rig.send(50)
            state = rig.state
            assert (state.on, state.messages, state.refusal) == (True, 100, None)
            assert state.since == min(rig.clock.now(), state.since) > 0
            await rig.come_back()
            assert await rig.found() == dict.fromkeys(_ids(before + told), Status.DELIVERED)
            assert rig.sent == sorted(_ids(before + told))
            drained = [name for ids in rig.far.seen[1:] for name in ids]
            assert drained == [each.message_id for each in told]
            assert rig.state.drained == 100
            assert rig.disk is not None
            assert rig.disk.names() == []

    run(main(), rig.clock)


def test_a_commit_that_was_done_without_an_answer_is_not_done_twice(rig: SpoolRig) -> None:
    """The message goes into the spool under the same ids, and the store knows them."""

    async def main() -> None:
        async with running(rig):
            rig.far.away = rig.far.silent = True
            receipt = await rig.ask(None)
            assert rig.state.messages == 1
            await rig.come_back()
            assert await rig.found() == dict.fromkeys(_ids([receipt]), Status.DELIVERED)
            assert len(rig.sent) == 1

    run(main(), rig.clock)


def test_a_process_that_is_killed_at_any_instant_of_the_drain(rig: SpoolRig) -> None:
    """What was in the spool drains in the next life; what was drained already is not sent again."""

    async def main() -> None:
        await rig.engine.start()
        await rig.leave()
        told = [await rig.ask(f"k{n}") for n in range(5)] + await rig.send(5)
        rig.far.away = rig.far.silent = True
        await rig.wait(0.6)  # the first message is in the store, and nobody was told
        assert rig.state.messages == 10
        await rig.crash()
        async with running(rig):
            assert rig.state.messages == 10
            await rig.come_back()
            assert await rig.found() == dict.fromkeys(_ids(told), Status.DELIVERED)
            assert rig.sent == sorted(_ids(told))

    run(main(), rig.clock)


def test_what_is_given_to_the_store_again_is_not_sent_again(rig: SpoolRig) -> None:
    """A crash after the commit and before the forgetting: the store says what became of it."""

    async def main() -> None:
        assert rig.disk is not None
        await rig.engine.start()
        await rig.leave()
        told = await rig.send(3)
        copies = {name: rig.disk.files().read(name) for name in rig.disk.names()}
        await rig.come_back()
        await rig.engine.stop()
        for name, content in copies.items():
            rig.disk.files().append(name, content)
        rig.again()
        async with running(rig):
            assert rig.state.messages == 3
            await rig.come_back()
            assert len(rig.sent) == 3
            assert await rig.found() == dict.fromkeys(_ids(told), Status.DELIVERED)

    run(main(), rig.clock)


def test_a_repeat_shares_the_answer_and_another_payload_is_refused(rig: SpoolRig) -> None:
    """Twins are found in the spool as in a store, also those that wait for the same flush."""

    async def main() -> None:
        async with running(rig):
            await rig.leave()
            submissions = [
                Submission(payload=PAYLOAD, key="k"),
                Submission(payload=PAYLOAD, key="k"),
            ]
            first, twin = await rig.engine.intake.accept("leads", submissions)
            assert isinstance(first, Receipt)
            assert isinstance(twin, Receipt)
            assert (first.duplicate, twin.duplicate) == (False, True)
            assert twin.deliveries == first.deliveries
            again = await rig.ask("k")
            assert (again.duplicate, again.deliveries) == (True, first.deliveries)
            assert isinstance(await rig.ask("k", OTHER), KeyCollision)
            assert rig.state.messages == 1
            await rig.come_back()
            assert await rig.found() == dict.fromkeys(_ids([first]), Status.DELIVERED)

    run(main(), rig.clock)


def test_new_messages_do_not_overtake_their_own_key(rig: SpoolRig) -> None:
    """While the spool drains, a key that is in it is answered from it; all others go past it."""

    async def main() -> None:
        async with running(rig):
            await rig.leave()
            first = await rig.ask("k")
            await rig.send(1050)
            rig.far.away = False
            rig.far.hangs_ms = 300
            rig.engine.writer.away = False
            assert rig.state.messages == 1051
            assert not rig.state.on
            again, collides = await rig.ask("k"), await rig.ask("k", OTHER)
            assert (again.duplicate, again.deliveries) == (True, first.deliveries)
            assert isinstance(collides, KeyCollision)
            fresh = await rig.ask("fresh")
            assert rig.state.messages > 0, "it did not wait for the drain"
            assert fresh.message_id in rig.far.seen[-1]
            rig.far.hangs_ms = 0
            await rig.come_back()
            assert len(await rig.found()) == 1000  # as many as a page shows
            assert await rig.ask("k") == again

    run(main(), rig.clock)


def test_a_collision_that_is_found_late_is_dead_and_visible(rig: SpoolRig) -> None:
    """Its key belongs to what the store had before: nothing is lost, nothing is sent by itself."""

    async def main() -> None:
        async with running(rig):
            owner = await rig.ask("k")
            await rig.leave()
            late = await rig.ask("k", OTHER)
            assert not late.duplicate
            await rig.come_back()
            (delivery_id,) = _ids([late])
            dead = await rig.engine.views.delivery(delivery_id)
            assert (dead.status, dead.code) == (Status.DEAD, "IDEMPOTENCY_KEY_COLLISION")
            assert owner.message_id in (dead.reason or "")
            assert dead.due_at == NEVER
            assert len(rig.sent) == 1
            counts = (await rig.store.counts())["acme"]
            assert (counts.created, counts.delivered, counts.dead) == (2, 1, 1)
            (note,) = await rig.store.notes(delivery_id, 10)
            assert note.action == "spool"
            # A person may send it nevertheless: its payload is there.
            await rig.engine.actions.redrive(delivery_id, actor="ada", reason="it is another")
            await rig.wait(5)
            assert (await rig.engine.views.delivery(delivery_id)).status is Status.DELIVERED

    run(main(), rig.clock)


def test_a_repeat_of_what_the_store_had_before_is_discarded(rig: SpoolRig) -> None:
    """Its ids were told, so they are there; it is sent once, as what came first."""

    async def main() -> None:
        async with running(rig):
            first = await rig.ask("k")
            await rig.leave()
            late = await rig.ask("k")
            await rig.come_back()
            (delivery_id,) = _ids([late])
            found = await rig.engine.views.delivery(delivery_id)
            assert (found.status, found.code) == (Status.DISCARDED, "DUPLICATE")
            assert await rig.found() == {
                **dict.fromkeys(_ids([first]), Status.DELIVERED),
                delivery_id: Status.DISCARDED,
            }
            assert len(rig.sent) == 1

    run(main(), rig.clock)


def test_two_nodes_give_the_same_ids_to_the_same_message(rig: SpoolRig) -> None:
    """Keys and payload decide, within an hour: a client that turns to another node is no twin."""

    async def main() -> None:
        async with running(rig):
            await rig.leave()
            first = await rig.ask("k")
        rig.disk = Disk(f"spooler-{next(_number)}")
        rig.again()
        async with running(rig):
            await rig.leave()
            await rig.wait(60)
            assert await rig.ask("k") == first
            other = await rig.ask("another")
            assert other.message_id != first.message_id

    run(main(), rig.clock)


def test_a_store_that_says_nothing_is_away(rig: SpoolRig) -> None:
    """A commit that hangs hands its messages to the spool; when it ends, nothing is twice."""

    async def main() -> None:
        async with running(rig):
            rig.far.hangs_ms = 60_000
            began = rig.clock.monotonic()
            receipt = await rig.ask("k")
            assert 5_000 <= rig.clock.monotonic() - began < 6_000
            assert rig.state.on
            began = rig.clock.monotonic()
            assert not (await rig.ask("l")).duplicate
            assert rig.clock.monotonic() - began < 1_000
            rig.far.hangs_ms = 0
            await rig.wait(60)
            await rig.come_back()
            assert set((await rig.found()).values()) == {Status.DELIVERED}
            assert len(await rig.found()) == 2
            assert _ids([receipt]) < set(await rig.found())
            assert len(rig.sent) == 2

    run(main(), rig.clock)


def test_a_worker_that_has_lost_its_place_takes_messages(rig: SpoolRig) -> None:
    """Nothing can be committed until it has a new epoch: for callers the store is away."""

    async def main() -> None:
        async with running(rig):
            first = await rig.ask("first")
            rig.engine.writer.lose()
            second = await rig.ask("second")
            assert rig.state.messages == 1
            await rig.engine.writer.adopt(rig.engine.ownership.epoch)
            await rig.come_back()
            assert await rig.found() == dict.fromkeys(_ids([first, second]), Status.DELIVERED)
            assert len(rig.sent) == 2

    run(main(), rig.clock)


def test_a_full_spool_says_when_to_come_back(rig: SpoolRig) -> None:
    """503 with Retry-After at its limit, 507 when its disk is full; what it has is kept."""

    async def main() -> None:
        async with running(rig):
            assert rig.disk is not None
            await rig.leave()
            taken = 0
            while isinstance(answer := await rig.ask(None), Receipt):
                taken += 1
            assert isinstance(answer, StoreAway)
            assert "spool.max_bytes" in str(answer)
            assert not await rig.engine.views.ready()
            await rig.come_back()
            assert rig.state.drained == taken
            assert await rig.engine.views.ready()
            rig.disk.capacity = 0
            await rig.leave()
            assert isinstance(await rig.ask("k"), StoreFull)
            rig.disk.capacity = None
            assert isinstance(await rig.ask("k"), Receipt)

    run(main(), rig.clock)


def test_intake_stops_before_memory_grows(rig: SpoolRig) -> None:
    """A store that takes its time: refused is what would make more than some bytes wait (S5.36)."""
    rig.settings = msgspec.structs.replace(rig.settings, intake_bytes=1 << 20)
    rig.again()

    async def main() -> None:
        async with running(rig):
            rig.far.hangs_ms = 4_000
            text = rig.rng.randbytes(300_000).hex()
            payload = msgspec.Raw(msgspec.json.encode({"text": text}))
            asked = await asyncio.gather(
                *[rig.ask(None, payload) for _ in range(40)], return_exceptions=True
            )
            taken = [each for each in asked if isinstance(each, Receipt)]
            refused = [each for each in asked if isinstance(each, Overloaded)]
            assert 2 <= len(taken) <= 5
            assert len(taken) + len(refused) == 40
            assert rig.engine.intake.taken == rig.engine.intake.answered
            assert isinstance(await rig.ask(None, payload), Receipt)

    run(main(), rig.clock)


def test_a_commit_that_is_given_up_is_counted_once(rig: SpoolRig) -> None:
    """Where the spool takes nothing the caller gets 503; the commit may end later."""

    async def main() -> None:
        assert rig.engine._spool is not None
        rig.engine._spool.refusal = "it is in memory"
        async with running(rig):
            rig.far.hangs_ms = 20_000
            assert isinstance(await rig.ask("k"), StoreAway)
            assert (rig.state.on, rig.engine.ready) == (False, False)
            rig.far.hangs_ms = 0
            await rig.wait(30)
            assert rig.engine.intake.taken == rig.engine.intake.answered
            assert set((await rig.found()).values()) == {Status.DELIVERED}
            assert (await rig.ask("k")).duplicate

    run(main(), rig.clock)


def test_what_the_store_never_takes_is_set_aside(rig: SpoolRig) -> None:
    """One bad message does not keep the others from the store, and is kept for a person."""

    async def main() -> None:
        async with running(rig):
            await rig.leave()
            told = [await rig.ask(key) for key in ("a", "bad", "c")]
            rig.far.refuses = "bad"
            rig.far.away = False
            await rig.wait(REFUSALS_MAX)
            assert (rig.state.messages, rig.state.kept) == (0, 1)
            assert set(await rig.found()) == _ids([told[0], told[2]])

    run(main(), rig.clock)


def test_a_recipient_with_spooled_deliveries_cannot_be_removed(rig: SpoolRig) -> None:
    """As with those in the store."""

    async def main() -> None:
        await rig.engine.start()
        await rig.leave()
        await rig.ask("k")
        await rig.crash()
        rig.catalog = catalog(recipient("other"))
        rig.again()
        with pytest.raises(ConfigError, match="acme"):
            await rig.engine.start()

    run(main(), rig.clock)
