"""The writer: whom it keeps waiting, for how long, and what it writes with what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from holdfast.engine.round import Round
from holdfast.engine.settings import EngineSettings
from holdfast.errors import StoreError
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.lane import LaneState
from holdfast.model.submission import Receipt, Submission
from holdfast.store import Applied, Batch, Committed, Note, Snapshot, Transition
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import START, VirtualClock, run
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

BY: dict[str, Any] = {"actor": "ann", "reason": "as agreed"}


class Desk(SqliteStore):
    """A store that takes its time, and may refuse what belongs to one recipient."""

    clock: VirtualClock
    takes_ms = 5
    refuses = ""
    """Recipient whose settlements fail every commit that holds them."""
    shut = False
    """Whether every commit fails."""

    async def commit(self, batch: Batch) -> Committed:
        """Write, after a while, what is not refused."""
        await self.clock.pause(self.takes_ms)
        if self.shut or any(each.after.recipient == self.refuses for each in batch.transitions):
            raise StoreError("a row that it never takes")
        return await super().commit(batch)


def at_desk(rig: Rig) -> Desk:
    """Put the rig's engine over such a store."""
    store = Desk.over(rig.connection)
    store.clock = rig.clock
    rig.store = rig.engine.store = store
    return store


@asynccontextmanager
async def busy(rig: Rig) -> AsyncIterator[None]:
    """Let eight callers send one message after the other: something is always queued."""

    async def client() -> None:
        while True:
            await rig.send()
            await rig.clock.pause(1)

    clients = [asyncio.create_task(client()) for _ in range(8)]
    await rig.wait(1)
    try:
        yield
    finally:
        for each in clients:
            each.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


def test_a_pause_is_answered_under_load() -> None:
    """It waits for the commit that has it, not for one after which nothing is queued."""
    rig = Rig(catalog(recipient("acme"), recipient("other")))
    at_desk(rig)

    async def main() -> None:
        async with running(rig), busy(rig):
            assert not rig.engine.writer.idle
            async with asyncio.timeout(0.1):
                await rig.engine.actions.pause("other", **BY)
            paused = [each.recipient for each in await rig.store.lane_states() if each.paused]
            assert paused == ["other"]
            assert [line.action for line in await rig.store.notes("other", 9)] == ["pause"]

    run(main(), rig.clock)


def test_what_was_revoked_under_load_is_not_sent() -> None:
    """The consent is gone before the delivery is due, however busy the writer is."""
    rig = Rig(catalog(recipient()))
    at_desk(rig)

    async def main() -> None:
        async with running(rig):
            due = datetime.fromtimestamp(START / 1000 + 5, UTC)
            (late,) = await rig.send(not_before=due)
            async with busy(rig):
                async with asyncio.timeout(1):
                    await rig.engine.actions.revoke(late.message_id, **BY)
                await rig.wait(10)
            sent = {request.delivery_id for _, request in rig.channel.sent}
            assert late.deliveries[0].id not in sent

    run(main(), rig.clock)


def test_a_settlement_that_is_never_taken_holds_up_no_lane() -> None:
    """Others are paused, and it is on disk, while the store refuses one row for ever."""
    rig = Rig(catalog(recipient("acme"), recipient("other")))
    store = at_desk(rig)
    store.refuses = "acme"

    async def main() -> None:
        async with running(rig):
            await rig.send()
            await rig.wait(1)
            async with asyncio.timeout(2):
                await rig.engine.actions.pause("other", **BY)
            paused = [each.recipient for each in await rig.store.lane_states() if each.paused]
            assert paused == ["other"]
            assert len(await rig.store.notes("other", 9)) == 1
            store.refuses = ""

    run(main(), rig.clock)


def test_who_waits_at_the_end_is_told() -> None:
    """A writer that stops over a store that refuses lets nobody wait who flushes."""
    rig = Rig(catalog(recipient("acme"), recipient("other")))
    store = at_desk(rig)

    async def main() -> None:
        async with running(rig):
            store.takes_ms = 500
            writer = rig.engine.writer
            writer.note(Note(rig.clock.now(), "ann", "looked", "acme", "to see"))
            flushes = [asyncio.create_task(writer.flush())]
            await rig.wait(0.1)
            flushes.append(asyncio.create_task(writer.flush()))  # nothing is queued behind it
            await asyncio.gather(*flushes)
            store.shut = True
            writer.note(Note(rig.clock.now(), "ann", "looked", "acme", "to see"))
            last = asyncio.create_task(writer.flush())
            await rig.wait(0.1)
        with pytest.raises(StoreError, match="stopping"):
            await last
        with pytest.raises(StoreError):
            await writer.flush()

    run(main(), rig.clock)


def change(recipient: str) -> Transition:
    """Return a change of a recipient's delivery."""
    after = Delivery(
        id="dlv_1",
        message_id="msg_1",
        account="main",
        flow="leads",
        step="only",
        recipient=recipient,
        priority=5,
        predecessor=None,
        followed=False,
        expires_at=START,
        created_at=START,
    )
    return Transition(Verb.RETRY, 1, after)


def test_a_lane_goes_with_the_last_of_its_settlements() -> None:
    """What does not fit into the commit of its settlements would else be an old owner's word."""
    queue = Round()
    for name in ("other", "acme", "acme"):
        queue.transitions.append((change(name), lambda _: None))
    queue.aside.lanes["acme"] = LaneState("acme")
    queue.aside.released["acme"] = True
    first, second = queue.take(2).batch(1, START), queue.take(2).batch(1, START)
    assert [len(each.transitions) for each in (first, second)] == [2, 1]
    assert (first.lanes, first.released) == ((), frozenset())
    assert second.released == second.offered == {"acme"}


def test_settlements_of_other_lanes_keep_no_lane() -> None:
    """A lane without settlements goes although those of others are left."""
    queue = Round()
    for name in ("other", "other"):
        queue.transitions.append((change(name), lambda _: None))
    queue.aside.lanes["acme"] = LaneState("acme")
    queue.aside.released["acme"] = False
    first = queue.take(1).batch(1, START)
    assert first.released == {"acme"}
    assert not first.offered


def test_a_message_that_no_row_can_hold_is_refused_alone() -> None:
    """Its neighbours in the commit are accepted, and the writer goes on."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            body = msgspec.Raw(b"{}")
            keys = ("before", "\ud800", "after")  # half of a pair: no UTF-8 says it
            asked = [Submission(payload=body, key=key) for key in keys]
            before, bad, after = await rig.engine.intake.accept("leads", asked)
            assert isinstance(before, Receipt)
            assert isinstance(after, Receipt)
            assert isinstance(bad, StoreError)
            await rig.wait(1)
            assert len(await rig.deliveries(Status.DELIVERED)) == 2
            assert rig.engine.ready

    run(main(), rig.clock)


def test_a_bug_in_an_answer_ends_the_process() -> None:
    """Who waits is told, nothing more is sent, and the reason is the true one."""
    rig = Rig(catalog(recipient(concurrency=1)), always(200, takes_ms=1_000))
    at_desk(rig)

    def bug(_: Applied) -> None:
        raise ValueError("a bug")

    async def main() -> None:
        async with running(rig):
            await rig.send(count=3)
            engine = rig.engine
            engine.writer.apply(change("acme"), bug)
            asked = [rig.send(), engine.writer.flush()]
            async with asyncio.timeout(1):
                answers = await asyncio.gather(*asked, return_exceptions=True)
            assert [type(each) for each in answers] == [StoreError, StoreError]
            assert engine.lost.is_set()
            assert not engine.ready
            assert str(engine.why_lost).endswith("nothing is written any more: ValueError: a bug")
            await rig.wait(10)
            assert len(rig.channel.sent) == 1

    run(main(), rig.clock)


@pytest.mark.parametrize("what", ["settled", "redriven"])
def test_what_a_commit_cancels_is_not_sent_after_it(what: str) -> None:
    """Nothing is handed out among its answers: the slot that one frees stays free until the last.

    Nor where a redrive stands between the two and makes the lane look again.
    """
    rig = Rig(
        catalog(recipient("acme", breaker=NO_BREAKER)),
        in_order(Scripted(400), Scripted(200, takes_ms=100), 200),
        settings=EngineSettings(max_in_flight=1),
    )
    store = at_desk(rig)
    store.takes_ms = 20

    async def main() -> None:
        async with running(rig):
            (dead,) = await rig.send()
            await rig.wait(1)
            first, second = [each.deliveries[0].id for each in await rig.send(count=2)]
            actions = rig.engine.actions
            await rig.wait(0.09)
            assert [key[0] for key in rig.engine.executor.in_flight] == [first]
            rig.engine.writer.note(Note(rig.clock.now(), "ann", "looked", "acme", "to see"))
            await rig.wait(0.015)
            asked = [actions.cancel(second, **BY)]
            if what == "redriven":
                asked.insert(0, actions.redrive(dead.deliveries[0].id, **BY))
            *_, cancelled = await asyncio.gather(*asked)
            assert not cancelled.in_doubt
            await rig.wait(5)
            assert second not in {request.delivery_id for _, request in rig.channel.sent}

    run(main(), rig.clock)


def test_a_refused_message_takes_no_snapshot_along() -> None:
    """A sample that a later event names was queued with a message that the store refuses."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            writer = rig.engine.writer
            writer.snapshot(Snapshot("ctx_1", b"{}"))
            (bad,) = await rig.engine.intake.accept(
                "leads", [Submission(payload=msgspec.Raw(b"{}"), key="\ud800")]
            )
            assert isinstance(bad, StoreError)
            writer.note(Note(rig.clock.now(), "ann", "looked", "acme", "to see"))
            await writer.flush()
            kept = rig.connection.execute("SELECT count(*) FROM snapshots WHERE id = 'ctx_1'")
            assert kept.get == 1

    run(main(), rig.clock)
