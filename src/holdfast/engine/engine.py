"""The engine: everything that moves, put together, started in order and stopped gracefully."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import ClassVar

import msgspec

from holdfast.channel import Channel
from holdfast.clock import Clock
from holdfast.engine.book import Book, check_pending
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.doors import Doors
from holdfast.engine.executor import Executor
from holdfast.engine.fields import Fields
from holdfast.engine.fleet import Fleet
from holdfast.engine.inflow import Inflow
from holdfast.engine.intake import Intake
from holdfast.engine.judgements import Judgements
from holdfast.engine.lane import Lane
from holdfast.engine.lanes import Lanes
from holdfast.engine.loop import Loop
from holdfast.engine.maintenance import Expiry, Pruner, Rescuer, Watch
from holdfast.engine.membership import Membership
from holdfast.engine.meter import Meter
from holdfast.engine.rulings import Rulings
from holdfast.engine.sampler import Probe, QueueSample, Sampler, by_priority
from holdfast.engine.settings import EngineSettings
from holdfast.engine.signals import Signals
from holdfast.engine.spooler import Spooler
from holdfast.engine.trend import Trend
from holdfast.engine.wakeups import Wakeups
from holdfast.engine.writer import Writer
from holdfast.errors import StoreError, StoreLost
from holdfast.model.flow import Catalog
from holdfast.model.message import NEVER
from holdfast.model.worker import UNNAMED, Hint, Load, Ownership, Worker
from holdfast.policy.decide import Gate
from holdfast.spool import Spool
from holdfast.store import Accept, Counts, Retention, Store, Waiting
from holdfast.telemetry import LogEvent, log
from holdfast.vault import Vault


class Engine:
    """One worker over one store.

    Args:
        store: an open store.
        channels: by name.
        catalog: flows, recipients, policies; valid.
        vault: the data keys.
        clock: time.
        rng: ids and jitter.
        probe: reads the machine for the events' context.
        settings: limits.
        ages: retention times as ages in ms.
        reserve_bytes: room that intake leaves for settlements.
        worker: what to tell of this process to other workers.
        first_slots: sends at once to begin with, None: as many as ever.
    """

    # What it is made of; simulations put other parts in, to see that they notice.
    writer_type: ClassVar[type[Writer]] = Writer
    dispatcher_type: ClassVar[type[Dispatcher]] = Dispatcher
    executor_type: ClassVar[type[Executor]] = Executor
    rescuer_type: ClassVar[type[Rescuer]] = Rescuer
    lane_type: ClassVar[type[Lane]] = Lane
    lanes_type: ClassVar[type[Lanes]] = Lanes
    membership_type: ClassVar[type[Membership]] = Membership

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        catalog: Catalog,
        vault: Vault,
        *,
        clock: Clock,
        rng: random.Random,
        probe: Probe,
        settings: EngineSettings,
        ages: Retention,
        reserve_bytes: int,
        worker: Worker = UNNAMED,
        first_slots: int | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.catalog = catalog
        self.vault = vault
        self.rng = rng
        self.settings = settings
        self.meter = Meter()
        self.counts: dict[str, Counts] = {}
        """Deliveries by recipient and fate, at most a second old."""
        self.lost = asyncio.Event()
        """Set when this process must end: it writes nothing any more."""
        self.why_lost: StoreError | None = None
        """Why it must end; None: it need not."""
        self._channels = channels
        self._probe = probe
        self._ages = ages
        self._reserve = reserve_bytes
        self._first_slots = first_slots or settings.max_in_flight
        self.fleet = Fleet()
        self.inflow = Inflow()
        self._loops: list[Loop] = []
        self._worker = worker
        self._spool: Spool | None = None
        self._patience_ms = 0.0
        self.spooler: Spooler | None = None

    def spool_into(self, spool: Spool, patience_ms: float) -> None:
        """Take messages also while the store is away; to be said before the start.

        Args:
            spool: where they go.
            patience_ms: a commit that takes longer means that the store is away.
        """
        self._spool, self._patience_ms = spool, patience_ms

    # -- start and stop ---------------------------------------------------------------------

    async def start(self) -> None:
        """Become the owner, read what outlived the last one, begin to accept and send.

        Raises:
            StoreBusy: another process owns the store.
            ConfigError: a recipient with pending deliveries is missing from the catalog.
        """
        self.membership = self._enrolled()
        await self.membership.join()
        now = self.clock.now()  # the last owner may have sent something until just now
        states = {state.recipient: state for state in await self.store.lane_states()}
        self.fleet.load(states.values())
        self.counts = await self.store.counts()
        check_pending(self.counts, self.catalog)
        self._compose()
        if self.spooler is not None:
            check_pending(self.spooler.pending, self.catalog)
        await self.signals.load()
        await self.judgements.load()
        self.lanes.states = states
        self.writer.start()
        if not self.ownership.shared:
            await self._take_over(now)
        for loop in self._loops:
            loop.start()
        if self.spooler is not None:
            self.spooler.start()
        self.dispatcher.send = self.executor.run
        self.dispatcher.hold(None)
        if self.ownership.shared:
            await self.membership.start()
        for lane in tuple(self.dispatcher.lanes.values()):
            self.dispatcher.stir(lane)
        log(
            LogEvent.STARTED,
            epoch=self.ownership.epoch,
            clean=self.ownership.clean,
            lanes=len(self.dispatcher.lanes),
            pending=sum(counts.pending for counts in self.counts.values()),
        )

    def _enrolled(self) -> Membership:
        lease_ms = round(self.settings.lease_seconds * 1000)
        slots = self.settings.max_in_flight
        worker = msgspec.structs.replace(self._worker, slots=slots, lease_ms=lease_ms)
        return self.membership_type(self.store, self.clock, worker, rng=self.rng, load=self._load)

    @property
    def ownership(self) -> Ownership:
        """Return the epoch under which this worker writes, and what it owns."""
        return self.membership.ownership

    def _load(self) -> Load:
        """Return what the other workers should know."""
        slots = self.dispatcher.slots
        unsettled = self.dispatcher.unsettled
        return Load(slots.most, unsettled, self.membership.leaving, slots.open)

    async def _take_over(self, now: int) -> None:
        """Begin to own every lane."""
        self.lanes.stamp(now)
        for recipient, due_at in await self.store.due_lanes():
            lane = self.lanes.lane(recipient)
            lane.noted(due_at)
            if lane.timetable is not None:
                lane.timetable.taken_over(due_at, now)

    def _compose(self) -> None:
        """Build the parts; each gets only what it uses."""
        settings = self.settings
        book = Book(self.catalog)
        fields = Fields(self.catalog, self.vault)
        self.writer = self.writer_type(
            self.store,
            self.clock,
            self.ownership.epoch,
            on_lost=self._on_lost,
            on_dead=self._must_end,
            on_commit=self._pump,
        )
        self.dispatcher = self.dispatcher_type(
            self.store,
            self.clock,
            max_in_flight=settings.max_in_flight,
            first_slots=self._first_slots,
            buffer_rows=settings.buffer_rows,
            buffer_total=settings.buffer_total,
            on_tick=self.writer.lane_changed,
            on_reserve=self._reserve_sends,
        )
        self._compose_lanes(book)
        self.sampler = Sampler(
            self.clock,
            self._probe,
            queue=self.queue_sample,
            busy=lambda: self.dispatcher.unsettled / self.dispatcher.slots.most,
            publish=self.writer.snapshot,
        )
        self.signals = Signals(self.store, self.writer, self.clock)
        self.judgements = Judgements(self.store)
        rulings = self._rulings()
        self.executor = self.executor_type(
            channels=self._channels,
            writer=self.writer,
            dispatcher=self.dispatcher,
            vault=self.vault,
            clock=self.clock,
            rng=self.rng,
            sampler=self.sampler,
            book=book,
            meter=self.meter,
            wake=self._look,
            rulings=rulings,
            judgements=self.judgements,
        )
        self._compose_intake(book, fields, rulings)
        self._compose_loops()
        doors = Doors(self, book, fields)
        self.views, self.actions = doors.views, doors.actions
        self.broadcast, self.operations = doors.broadcast, doors.operations
        self.groups, self.review = doors.groups, doors.review
        self._loops += [doors.bulk, doors.returns]

    def _compose_intake(self, book: Book, fields: Fields, rulings: Rulings) -> None:
        if self._spool is not None:
            self.spooler = Spooler(
                self._spool,
                self.writer,
                self.clock,
                wake=self._wake,
                patience_ms=self._patience_ms,
            )
        self.intake = Intake(
            self.writer,
            self.vault,
            self.clock,
            self.rng,
            book=book,
            announce=self._announce,
            max_payload_bytes=self.settings.max_payload_bytes,
            max_waiting=self.settings.intake_queue,
            max_bytes=self.settings.intake_bytes,
            spooler=self.spooler,
            rulings=rulings,
            fields=fields,
        )

    def _compose_lanes(self, book: Book) -> None:
        self.lanes = self.lanes_type(
            self.catalog,
            book,
            self.fleet,
            self.dispatcher,
            self.writer,
            clock=self.clock,
            ownership=self.ownership,
            counts=lambda: self.counts,
            lane_type=self.lane_type,
        )
        self.wakeups = Wakeups(self.store, self.clock, self._heard)
        self.membership.attach(self.dispatcher, self.writer, self.lanes, self.wakeups)

    def _rulings(self) -> Rulings:
        nothing = Counts()
        return Rulings(
            limits=self.catalog.limits,
            vault=self.vault,
            meter=self.meter,
            signals=lambda: self.signals.known,
            system=self.sampler.system,
            pending=lambda name: self.counts.get(name, nothing).pending,
            history=self.store.events,
        )

    def _compose_loops(self) -> None:
        self.pruner = Pruner(self.clock, self.store, self._ages, lambda: self.membership.elected)
        self.rescuer = self.rescuer_type(
            self.clock,
            self.store,
            self.dispatcher,
            self.executor,
            self.lanes,
            shared=self.ownership.shared,
        )
        self.expiry = Expiry(
            self.clock,
            self.store,
            self.writer,
            self.executor,
            lanes=self.lanes,
            forget=self.dispatcher.forget,
        )
        self.watch = Watch(
            self.clock,
            self.store,
            self.intake,
            self.writer,
            self.dispatcher,
            reserve_bytes=self._reserve,
            refresh=self._refresh,
        )
        self.trend = Trend(self.clock, self.meter, self.intake)
        self._loops = [
            self.pruner,
            self.rescuer,
            self.expiry,
            self.watch,
            self.trend,
            self.dispatcher.slots,
        ]

    async def stop(self) -> None:
        """Stop accepting and sending; let sends finish within the limit, give the rest back."""
        self.broadcast.close()
        for loop in self._loops:
            await loop.stop()
        if self.spooler is not None:
            await self.spooler.stop_draining()
        self.intake.full = "Holdfast is stopping"
        if self.ownership.shared:
            self.membership.leave_lanes()
        await self.dispatcher.stop()
        gave_back = await self._finish_sends()
        self.lanes.save_used()
        written = await self.writer.stop()
        if self.spooler is not None:
            await self.spooler.stop()
        await self.membership.stop()
        if written and not self.lost.is_set():
            await self._release()
        log(LogEvent.STOPPED, gave_back=gave_back)

    def _on_lost(self, epoch: int) -> None:
        """End, or, where workers share the store, begin anew."""
        if self.ownership.shared:
            self.membership.lost(epoch)
        else:
            self._must_end(StoreLost("another process took the store over; this one has stopped"))

    def _must_end(self, why: StoreError) -> None:
        """Send nothing more, as nothing can be settled, and tell who runs this process."""
        self.dispatcher.held = Gate.SHUTDOWN
        self.why_lost = why
        self.lost.set()

    async def _release(self) -> None:
        try:
            await self.store.leave(self.ownership.epoch)
        except StoreError as error:
            # Nothing is lost: the next owner takes it for an unclean end and is careful.
            log(LogEvent.STORE_ERROR, logging.WARNING, error=str(error))

    async def _finish_sends(self) -> int:
        """Wait for sends under way; cut those that take too long and return their number."""
        sends = tuple(self.dispatcher.sends)
        if sends:
            await asyncio.wait(sends, timeout=self.settings.shutdown_seconds)
        late = tuple(self.executor.in_flight)
        for key in late:
            self.executor.cut(key)
        for task in tuple(self.dispatcher.sends):
            task.cancel()
        await asyncio.gather(*self.dispatcher.sends, return_exceptions=True)
        return len(late)

    # -- lanes ------------------------------------------------------------------------------

    def lane(self, name: str) -> Lane:
        """Return the lane of a configured recipient; a copy when it is another worker's."""
        return self.lanes.lane(name)

    def _reserve_sends(self, lane: Lane) -> None:
        self.lanes.reserve_sends(lane)

    def _announce(self, accept: Accept) -> Callable[[Accept], None]:
        """Note how the lanes stand before the commit; return what hands the deliveries over."""
        lanes = [self.lanes.owned(delivery.recipient) for delivery in accept.deliveries]
        refills = [0 if lane is None else lane.refills for lane in lanes]
        shared = self.ownership.shared

        def landed(accept: Accept) -> None:
            for delivery, lane, count in zip(accept.deliveries, lanes, refills, strict=True):
                if delivery.due_at >= NEVER:
                    continue
                if lane is None or lane.closed:
                    self._look(delivery.recipient, delivery.due_at)
                else:
                    self.dispatcher.offer(lane, Waiting(delivery, accept.message), count)
            if shared:
                self.lanes.accepted_here(accept.deliveries)
            self.dispatcher.pump()

        return landed

    # -- what happened ----------------------------------------------------------------------

    def _pump(self) -> None:
        self.dispatcher.pump()

    def _wake(self, recipient: str, due_at: int = 0) -> None:
        """Look for what came into a lane, and hand it out."""
        self._look(recipient, due_at)
        self.dispatcher.pump()

    def _look(self, recipient: str, due_at: int = 0) -> None:
        """Look for what came into a lane, or tell its owner."""
        lane = self.lanes.owned(recipient)
        if lane is None or lane.closed:
            self.wakeups.tell(Hint(recipient))
            self.membership.stir()
            return
        lane.noted(due_at)
        self.dispatcher.look(lane)

    def _heard(self, hint: Hint) -> None:
        """Look at what another worker says has changed."""
        if hint.missed:
            self.lanes.read_anew()
        lane = self.lanes.held.get(hint.recipient)
        if lane is None:
            self.membership.stir()
            return
        if hint.delivery_id:
            self.dispatcher.forget(hint.recipient, hint.delivery_id)
        lane.noted(0)
        self.dispatcher.stir(lane)

    async def _refresh(self) -> int:
        """Read what changes elsewhere, and return how many deliveries are pending."""
        self.counts = await self.store.counts()
        await self.judgements.load()
        if self.ownership.shared:
            await self.signals.load()
        self.inflow.looked(self.counts, self.clock.now())
        return sum(counts.pending for counts in self.counts.values())

    def queue_sample(self, now: int) -> QueueSample:
        """Return the state of the queue."""
        oldest = min((lane.head_due() for lane in self.dispatcher.lanes.values()), default=NEVER)
        return QueueSample(
            active=self.dispatcher.unsettled,
            depth=sum(counts.pending for counts in self.counts.values()),
            oldest_due_ms=max(0, now - oldest) if oldest < NEVER else 0,
            by_priority=by_priority(self.counts.values()),
        )

    @property
    def ready(self) -> bool:
        """Tell whether messages can be accepted now."""
        writer, spooler = self.writer, self.spooler
        spools = spooler is not None and spooler.takes and not spooler.full
        away = writer.away and not spools
        return not (self.lost.is_set() or self.intake.full or writer.full or away)

    @property
    def held(self) -> Gate | None:
        """Return what keeps the whole worker from sending, or None."""
        return self.dispatcher.held or (Gate.STORE if self.dispatcher.lapsed() else None)
