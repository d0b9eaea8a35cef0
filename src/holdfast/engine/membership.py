"""One worker among others: its lease, its share of the lanes, and what happens when it loses both.

The lease is renewed by a task that waits for nothing else. Its end counts from before the request
that was answered, on a clock that goes on while the machine is suspended: the others believe it to
live for longer than it does itself. Past that instant nothing is sent until a renewal succeeds.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import msgspec

from holdfast.clock import Clock, StoreClock
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.lanes import Lanes
from holdfast.engine.wakeups import Wakeups
from holdfast.engine.writer import Writer
from holdfast.errors import StoreError, StoreLost
from holdfast.model.message import NEVER
from holdfast.model.worker import Hint, Load, Member, Ownership, Placed, Survey, Worker
from holdfast.policy.share import seats, target, total
from holdfast.policy.suspicion import Suspicion, dead, suspects
from holdfast.roster import Lanes as Roll
from holdfast.telemetry import LogEvent, log

LOOK_MS: Final = 1_000
"""How often a worker asks who is there and what is free, should no hint tell it earlier."""
HASTE_MS: Final = 50
"""Hints make it ask no more often than that; closed lanes are looked at so often."""
RETRY_MS: Final = 500
"""Pause before a failed renewal is tried again."""


class Membership:
    """A worker's place in the list.

    Args:
        store: has the list.
        clock: time; one that can adopt the store's does so.
        worker: what to tell of this process.
        rng: which of the free lanes to ask for first.
        load: what to tell with a renewal.
    """

    def __init__(
        self,
        store: Roll,
        clock: Clock,
        worker: Worker,
        *,
        rng: random.Random,
        load: Callable[[], Load],
    ) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._rng = rng
        self._load = load
        self.ownership = Ownership(0, clean=True)
        self.members: tuple[Member, ...] = ()
        """The workers that live, as of the last look."""
        self.leaving = False
        self.obey: Callable[[Collection[str]], Awaitable[None]] = _ignore
        """Told of which lanes something is asked."""
        self._taking = asyncio.Lock()
        self._until: float | None = None
        self._steady_since = float("-inf")
        """Since when no renewal came too late: who was cut off does not judge others at once."""
        self._suspects: dict[int, Suspicion] = {}
        self._looked = float("-inf")
        """When the store last told who is there."""
        self._lost = False
        self._unsure: set[str] = set()
        """Lanes that were asked for without an answer: they may be ours."""
        self._look_again = asyncio.Event()
        self._renew_now = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self) -> Ownership:
        """Become a worker.

        Raises:
            StoreBusy: another process owns everything.
        """
        asked = self._clock.boottime()
        self.ownership = await self._store.join(self._clock.now(), self._worker)
        if self.ownership.shared:
            self._extended(asked, self.ownership.now)
        return self.ownership

    def attach(
        self, dispatcher: Dispatcher, writer: Writer, lanes: Lanes, wakeups: Wakeups
    ) -> None:
        """Get to know the parts that were made since it joined."""
        self._dispatcher = dispatcher
        self._writer = writer
        self._lanes = lanes
        self._wakeups = wakeups
        dispatcher.deadline = self._until
        writer.comes_back = self.ownership.shared

    async def start(self) -> None:
        """Look for lanes and go on doing so."""
        try:
            await self._look()
        except StoreError as error:
            log(LogEvent.STORE_ERROR, logging.WARNING, error=str(error))
        self._wakeups.start()
        self._wakeups.tell(Hint())
        self._tasks = [
            asyncio.create_task(self._renew(), name="lease"),
            asyncio.create_task(self._looking(), name="lanes"),
        ]

    async def stop(self) -> None:
        """Let the lease be; leaving the list is not done here."""
        await self._wakeups.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def leave_lanes(self) -> None:
        """Give every lane away, each when nothing of it is unsettled, and take no other."""
        self.leaving = True
        self._lanes.close(len(self._lanes.held))
        self._lanes.release_closed()
        self._renew_now.set()
        self._look_again.set()

    def stir(self) -> None:
        """Look soon: somebody came or went, or a lane is free."""
        self._look_again.set()

    @property
    def elected(self) -> bool:
        """Tell whether this worker does what one of them should: it has lived longest."""
        if not self.ownership.shared:
            return True
        first = min((each.epoch for each in self.members), default=0)
        return not self._lost and first == self.ownership.epoch

    async def placed(self) -> list[Placed]:
        """Return every worker with its part of the lanes, the oldest first."""
        own = self.ownership
        if not own.shared:
            load, count = self._load(), len(self._lanes.held)
            only = Member(
                epoch=own.epoch,
                worker=msgspec.structs.replace(self._worker, slots=load.slots),
                started_at=own.now,
                lease_until=NEVER,
                lanes=count,
                in_flight=load.in_flight,
                leaving=load.leaving,
                open_slots=load.open_slots,
            )
            return [Placed(only, count, ours=True)]
        survey = await self._store.survey()
        seated = seats(survey.living())
        return [
            Placed(each, target(total(survey), seated, each.epoch), ours=each.epoch == own.epoch)
            for each in survey.members
        ]

    @property
    def lease_age_ms(self) -> float:
        """Return how long ago the renewal was asked for that counts, 0: there is no lease."""
        if self._until is None:
            return 0.0
        return self._clock.boottime() - (self._until - self._worker.lease_ms)

    # -- the lease --------------------------------------------------------------------------

    def _extended(self, asked: float, now: int) -> None:
        """Note that the store answered: how late it is there, and until when the lease lasts."""
        if isinstance(self._clock, StoreClock):
            self._clock.adopt(now)
        lapsed = self._until is not None and self._clock.boottime() >= self._until
        self._until = asked + self._worker.lease_ms
        if lapsed:
            self._steady_since = self._clock.boottime()
            log(LogEvent.LEASE_RENEWED, epoch=self.ownership.epoch)

    async def _renew(self) -> None:
        pause = every = self._worker.lease_ms / 3
        while True:
            await _wait(self._renew_now, pause)
            pause, epoch = every, self.ownership.epoch
            try:
                if self._lost:
                    await self._rejoin()
                    continue
                asked = self._clock.boottime()
                now = await self._store.renew(epoch, self._load(), self._clock.now())
            except StoreLost:
                self.lost(epoch)
                pause = 0
            except StoreError as error:
                log(LogEvent.STORE_ERROR, logging.WARNING, error=str(error))
                pause = min(RETRY_MS, every)
            except Exception as error:  # noqa: BLE001  # a loop must outlive any one failure
                _failed("lease", error)
            else:
                self._extended(asked, now)
                self._dispatcher.deadline = self._until
                self._dispatcher.pump()
                pause = max(0.0, asked + every - self._clock.boottime())  # a late answer is old

    def lost(self, epoch: int) -> None:
        """Let go: the others have taken this worker for dead, rightly or not."""
        if self._lost or epoch != self.ownership.epoch:
            return
        self._lost = True
        log(LogEvent.LOST, logging.ERROR, epoch=epoch, lanes=len(self._lanes.held))
        self._lanes.lose_all()
        self._unsure.clear()
        self._writer.lose()
        self._renew_now.set()

    async def _rejoin(self) -> None:
        """Begin a new life in the same process; what the old one still has to say comes late."""
        ownership = await self.join()
        await self._writer.adopt(ownership.epoch)
        self._lost = False
        self._lanes.rejoined(ownership)
        self._dispatcher.deadline = self._until
        log(LogEvent.JOINED, epoch=ownership.epoch)
        self.stir()

    # -- the lanes --------------------------------------------------------------------------

    async def _looking(self) -> None:
        while True:
            closing = any(lane.closed for lane in self._lanes.held.values())
            await _wait(self._look_again, HASTE_MS if closing else LOOK_MS)
            try:
                if not self._lost:
                    self._lanes.release_closed()
                    await self._look()
            except StoreLost:
                self.lost(self.ownership.epoch)
            except StoreError as error:
                log(LogEvent.STORE_ERROR, logging.WARNING, error=str(error))
            except Exception as error:  # noqa: BLE001  # a loop must outlive any one failure
                _failed("lanes", error)
            await self._clock.pause(HASTE_MS)

    async def _look(self) -> None:
        """Ask who is there and take, or give away, what makes our share fair."""
        self._lanes.look()
        survey = await self._store.survey()
        condemned = self._condemned(survey)
        if condemned and (gone := await self._store.expel(condemned)):
            log(LogEvent.EXPELLED, logging.WARNING, epochs=list(gone), by=self.ownership.epoch)
            survey = await self._store.survey()
            self._wakeups.tell(Hint())
        self.members = survey.living()
        await self.obey(survey.orders)
        if not self.leaving and not self._lost:
            await self._balance(survey)

    def _condemned(self, survey: Survey) -> tuple[int, ...]:
        """Return who was not heard of in time and could have been."""
        now = self._clock.boottime()
        self._suspects = suspects(self._suspects, survey, now - self._looked)
        self._looked = now
        good = now - self._steady_since >= self._worker.lease_ms
        steady = good and self._until is not None and now < self._until
        return dead(self._suspects, survey, steady=steady)

    async def _balance(self, survey: Survey) -> None:
        seated = seats(self.members)
        if len(seated) > 1:
            self._lanes.release_idle()
        share = target(total(survey), seated, self.ownership.epoch)
        open_ = sum(not lane.closed for lane in self._lanes.held.values())
        if open_ > share:
            self._lanes.close(open_ - share)
            if not self._lanes.release_closed():
                return
        elif open_ < share or self._unsure:
            await self._acquire(survey, share - open_)

    async def _acquire(self, survey: Survey, count: int) -> None:
        known = [name for name in survey.free if self._lanes.may_take(name)]
        self._rng.shuffle(known)
        await self._take({*known[: max(0, count)], *self._unsure})

    async def claim(self, recipient: str) -> None:
        """Take a lane that is free: somebody wants something of it.

        Raises:
            StoreError: it is unknown whether it is ours; the next look tells.
        """
        if self.ownership.shared and not (self.leaving or self._lost):
            await self._take({recipient})

    async def _take(self, names: Collection[str]) -> None:
        async with self._taking:  # what is asked for twice would be made twice
            asked = {name for name in names if self._lanes.may_take(name)}
            self._unsure = {name for name in self._unsure if self._lanes.may_take(name)} | asked
            if not asked:
                return
            epoch = self.ownership.epoch
            got = await self._store.acquire(epoch, sorted(asked))
            if self._lost or epoch != self.ownership.epoch:
                return
            self._unsure -= asked
            for acquired in got:
                self._lanes.take(acquired)
            if self.leaving:
                self._lanes.close(len(got))


async def _ignore(recipients: Collection[str]) -> None:
    del recipients


def _failed(loop: str, error: Exception) -> None:
    log(LogEvent.LOOP_ERROR, logging.ERROR, loop=loop, error=f"{type(error).__name__}: {error}")


async def _wait(event: asyncio.Event, ms: float) -> None:
    """Wait for an event for so long at most, and clear it."""
    try:
        await asyncio.wait_for(event.wait(), ms / 1000)
    except TimeoutError:
        return
    finally:
        event.clear()
