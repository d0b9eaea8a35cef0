"""The engine: everything that moves, put together, started in order and stopped gracefully."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from holdfast.channel import Channel
from holdfast.clock import Clock
from holdfast.engine.actions import Actions
from holdfast.engine.book import Book
from holdfast.engine.broadcast import Broadcast
from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.executor import Executor
from holdfast.engine.exposition import Exposition
from holdfast.engine.fields import Fields
from holdfast.engine.fleet import Fleet
from holdfast.engine.inflow import Inflow
from holdfast.engine.intake import Intake
from holdfast.engine.lane import Lane
from holdfast.engine.limiter import Limiter
from holdfast.engine.loop import Loop
from holdfast.engine.maintenance import Expiry, Pruner, Rescuer, Watch
from holdfast.engine.meter import Meter
from holdfast.engine.purse import Purse, RetryBudget
from holdfast.engine.rulings import Rulings
from holdfast.engine.sampler import Probe, QueueSample, Sampler
from holdfast.engine.signals import Signals
from holdfast.engine.timetable import Timetable, needed
from holdfast.engine.views import Views, lane_words
from holdfast.engine.writer import Writer
from holdfast.errors import ConfigError, StoreError
from holdfast.model.flow import Account, Catalog, Recipient
from holdfast.model.lane import LaneState
from holdfast.model.message import NEVER
from holdfast.policy import limit
from holdfast.policy.decide import Gate
from holdfast.store import Accept, Counts, Ownership, Retention, Store, Waiting
from holdfast.telemetry import LogEvent, log
from holdfast.vault import Vault

_NO_COUNTS = Counts()


def check_pending(counts: Mapping[str, Counts], catalog: Catalog) -> None:
    """Refuse a catalog that lacks a recipient for which deliveries wait.

    Raises:
        ConfigError: it lacks some; the message names them.
    """
    missing = [
        name for name, count in counts.items() if count.pending and name not in catalog.recipients
    ]
    if missing:
        raise ConfigError(
            f"recipients with pending deliveries are missing: {', '.join(sorted(missing))}; "
            "put them back, or cancel their deliveries first"
        )


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one worker.

    Attributes:
        max_in_flight: most unsettled sends; after a crash at most these may be sent twice.
        max_payload_bytes: larger payloads are refused with 413.
        buffer_rows: most buffered deliveries of a lane, per band.
        buffer_total: most buffered deliveries of all lanes.
        intake_queue: most messages that wait for the writer before intake answers 429.
        shutdown_seconds: sends may finish for this long before they are given back.
    """

    max_in_flight: Annotated[int, Meta(ge=1, le=10_000)] = 512
    max_payload_bytes: Annotated[int, Meta(ge=1, le=64 * 1_048_576)] = 1_048_576
    buffer_rows: Annotated[int, Meta(ge=1, le=10_000)] = 128
    buffer_total: Annotated[int, Meta(ge=1, le=10_000_000)] = 50_000
    intake_queue: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    shutdown_seconds: Annotated[float, Meta(ge=0, le=3600)] = 10.0


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
    """

    # What it is made of; simulations put other parts in, to see that they notice.
    writer_type: ClassVar[type[Writer]] = Writer
    dispatcher_type: ClassVar[type[Dispatcher]] = Dispatcher
    executor_type: ClassVar[type[Executor]] = Executor
    rescuer_type: ClassVar[type[Rescuer]] = Rescuer
    lane_type: ClassVar[type[Lane]] = Lane

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
        """Set when another process became the owner: this one must end."""
        self._channels = channels
        self._probe = probe
        self._ages = ages
        self._reserve = reserve_bytes
        self.fleet = Fleet()
        self.inflow = Inflow()
        self._loops: list[Loop] = []
        self.ownership = Ownership(0, clean=True)

    # -- start and stop ---------------------------------------------------------------------

    async def start(self) -> None:
        """Become the owner, read what outlived the last one, begin to accept and send.

        Raises:
            StoreBusy: another process owns the store.
            ConfigError: a recipient with pending deliveries is missing from the catalog.
        """
        self.ownership = await self.store.acquire(self.clock.now())
        now = self.clock.now()  # the last owner may have sent something until just now
        states = {state.recipient: state for state in await self.store.lane_states()}
        self.fleet.load(states.values())
        self.counts = await self.store.counts()
        check_pending(self.counts, self.catalog)
        self._compose()
        await self.signals.load()
        self._stamp(states, now)
        for recipient, due_at in await self.store.due_lanes():
            lane = self.lane(recipient)
            lane.noted(due_at)
            if lane.timetable is not None:
                lane.timetable.taken_over(due_at, now)
        self.writer.start()
        for loop in self._loops:
            loop.start()
        self.dispatcher.send = self.executor.run
        self.dispatcher.hold(None)
        for lane in tuple(self.dispatcher.lanes.values()):
            self.dispatcher.stir(lane)
        log(
            LogEvent.STARTED,
            epoch=self.ownership.epoch,
            clean=self.ownership.clean,
            lanes=len(self.dispatcher.lanes),
            pending=sum(counts.pending for counts in self.counts.values()),
        )

    def _compose(self) -> None:
        """Build the parts; each gets only what it uses."""
        settings = self.settings
        book = Book(self.catalog)
        fields = Fields(self.catalog, self.vault)
        self._states: dict[str, LaneState] = {}
        self._purses: dict[str, Purse] = {}
        self.writer = self.writer_type(
            self.store,
            self.clock,
            self.ownership.epoch,
            on_lost=self.lost.set,
            on_commit=self._pump,
        )
        self.dispatcher = self.dispatcher_type(
            self.store,
            self.clock,
            max_in_flight=settings.max_in_flight,
            buffer_rows=settings.buffer_rows,
            buffer_total=settings.buffer_total,
            on_tick=self.writer.lane_changed,
            on_reserve=self._reserve_sends,
        )
        self.sampler = Sampler(
            self.clock,
            self._probe,
            queue=self._queue_sample,
            busy=lambda: self.dispatcher.unsettled / settings.max_in_flight,
            publish=self.writer.snapshot,
        )
        self.signals = Signals(self.store, self.writer, self.clock)
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
            wake=self._wake,
            rulings=rulings,
        )
        self.intake = Intake(
            self.writer,
            self.vault,
            self.clock,
            self.rng,
            book=book,
            announce=self._announce,
            max_payload_bytes=settings.max_payload_bytes,
            max_waiting=settings.intake_queue,
            rulings=rulings,
            fields=fields,
        )
        self._compose_loops(book, fields)

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

    def _compose_loops(self, book: Book, fields: Fields) -> None:
        self.pruner = Pruner(self.clock, self.store, self._ages)
        self.rescuer = self.rescuer_type(
            self.clock, self.store, self.dispatcher, self.executor, self.lane
        )
        self.expiry = Expiry(
            self.clock,
            self.store,
            self.writer,
            self.executor,
            lane_of=self.lane,
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
        self._loops = [self.pruner, self.rescuer, self.expiry, self.watch]
        self.views = Views(
            self.store,
            self.vault,
            self.clock,
            self.catalog,
            self.lane,
            book=book,
            held=lambda: self.held,
            ready=lambda: self.ready,
            metrics=Exposition(self).text,
            signals=lambda: self.signals.known,
            arrivals=self.inflow.rate,
            fields=fields,
        )
        self.broadcast = Broadcast(
            self.store, self.clock, lambda: lane_words(self.catalog, self.lane, self.counts)
        )
        self.actions = Actions(
            self.store,
            self.writer,
            self.dispatcher,
            self.clock,
            book=book,
            intake=self.intake,
            lane_of=self.lane,
            pruner=self.pruner,
            views=self.views,
            signals=self.signals,
            on_change=self.broadcast.changed,
        )

    def _stamp(self, states: dict[str, LaneState], now: int) -> None:
        """Take the lanes over; after a crash, what was due may have been sent."""
        self._states = states
        if self.ownership.clean:
            return
        for recipient, counts in self.counts.items():
            if counts.pending:
                known = states.get(recipient) or LaneState(recipient)
                states[recipient] = msgspec.structs.replace(known, stamp=now)
                self.writer.save_lane(states[recipient])

    async def stop(self) -> None:
        """Stop accepting and sending; let sends finish within the limit, give the rest back."""
        self.broadcast.close()
        for loop in self._loops:
            await loop.stop()
        self.intake.full = "Holdfast is stopping"
        await self.dispatcher.stop()
        gave_back = await self._finish_sends()
        self._save_used()
        written = await self.writer.stop()
        if written and not self.lost.is_set():
            await self._release()
        log(LogEvent.STOPPED, gave_back=gave_back)

    async def _release(self) -> None:
        try:
            await self.store.release(self.ownership.epoch)
        except StoreError as error:
            # Nothing is lost: the next owner takes it for an unclean end and is careful.
            log(LogEvent.STORE_ERROR, logging.WARNING, error=str(error))

    async def _finish_sends(self) -> int:
        """Wait for sends under way; cut those that take too long and return their number."""
        sends = tuple(self.dispatcher.sends)
        if sends:
            await asyncio.wait(sends, timeout=self.settings.shutdown_seconds)
        late = tuple(self.executor.in_flight)
        for delivery_id in late:
            self.executor.cut(delivery_id)
        for task in tuple(self.dispatcher.sends):
            task.cancel()
        await asyncio.gather(*self.dispatcher.sends, return_exceptions=True)
        return len(late)

    # -- lanes ------------------------------------------------------------------------------

    def lane(self, name: str) -> Lane:
        """Return the lane of a configured recipient; it is made when first needed."""
        lane = self.dispatcher.lanes.get(name)
        if lane is None:
            recipient = self.executor.book.recipient(name)
            state = self._states.get(name) or LaneState(name)
            lane = self.dispatcher.lanes[name] = self.lane_type(
                recipient,
                state,
                self.fleet,
                lambda: self.counts.get(name, _NO_COUNTS).pending,
            )
            self._equip(lane)
        return lane

    def _equip(self, lane: Lane) -> None:
        """Give a lane the gates that its recipient's settings ask for."""
        recipient, state, now = lane.recipient, lane.state, self.clock.now()
        lane.budget = self._retry_budget(recipient, now)
        if limit.windows(recipient.limits):
            clean = self.ownership.clean
            lane.limiter = Limiter(recipient.limits, state.windows, now, clean=clean)
        if needed(recipient):
            reserve = partial(self._reserve_caps, lane)
            lane.timetable = Timetable(recipient, state.caps, now, reserve)

    def _retry_budget(self, recipient: Recipient, now: int) -> RetryBudget | None:
        """Return what retries of a recipient are paid from."""
        account = self.catalog.accounts.get(recipient.account) or Account(name=recipient.account)
        if not (recipient.budget.enabled or account.budget.enabled):
            return None
        unused = self.ownership.epoch <= 1
        shared = self._purses.setdefault(account.name, Purse(account.budget, now, unused=unused))
        return RetryBudget(Purse(recipient.budget, now, unused=unused), shared)

    def _reserve_caps(self, lane: Lane) -> None:
        """Save what a lane may deliver under its caps; once on disk it may deliver that much."""
        timetable = lane.timetable
        if timetable is None:
            return
        uses = timetable.asked(lane.in_flight)
        lane.state = msgspec.structs.replace(lane.state, caps=uses)
        self._save_reserved(lane, partial(timetable.granted, uses))

    def _reserve_sends(self, lane: Lane) -> None:
        """Save what a lane may send under its long limits; once on disk it may send that much."""
        limiter = lane.limiter
        if limiter is None:
            return
        windows = limiter.reserve(self.clock.now())
        lane.state = msgspec.structs.replace(lane.state, windows=windows)
        self._save_reserved(lane, limiter.reserved)

    def _save_reserved(self, lane: Lane, granted: Callable[[], None]) -> None:
        """Save a lane's reservation; tell it and look at the lane once that is on disk."""

        def landed() -> None:
            granted()
            self.dispatcher.stir(lane)

        self.writer.save_lane(lane.state, landed)

    def _save_used(self) -> None:
        """Leave to the next owner what was learned, and exactly what limits and caps have used."""
        now = self.clock.now()
        for lane in self.dispatcher.lanes.values():
            before = lane.state
            lane.keep()
            if lane.limiter is not None:
                windows = lane.limiter.exact(now)
                lane.state = msgspec.structs.replace(lane.state, windows=windows)
            if lane.timetable is not None and lane.timetable.caps:
                caps = lane.timetable.exact(now)
                lane.state = msgspec.structs.replace(lane.state, caps=caps)
            if lane.state is not before:
                self.writer.save_lane(lane.state)

    def _announce(self, accept: Accept) -> Callable[[Accept], None]:
        """Note how the lanes stand before the commit; return what hands the deliveries over."""
        refills = [self.lane(delivery.recipient).refills for delivery in accept.deliveries]

        def landed(accept: Accept) -> None:
            for delivery, count in zip(accept.deliveries, refills, strict=True):
                if delivery.due_at < NEVER:
                    waiting = Waiting(delivery, accept.message)
                    self.dispatcher.offer(self.lane(delivery.recipient), waiting, count)
            self.dispatcher.pump()

        return landed

    # -- what happened ----------------------------------------------------------------------

    def _pump(self) -> None:
        self.dispatcher.pump()

    def _wake(self, recipient: str) -> None:
        """Look for what a settled delivery released in another lane."""
        lane = self.lane(recipient)
        lane.noted(0)
        self.dispatcher.stir(lane)

    async def _refresh(self) -> int:
        """Read the counters and return how many deliveries are pending."""
        self.counts = await self.store.counts()
        self.inflow.looked(self.counts, self.clock.now())
        return sum(counts.pending for counts in self.counts.values())

    def _queue_sample(self, now: int) -> QueueSample:
        oldest = min((lane.head_due() for lane in self.dispatcher.lanes.values()), default=NEVER)
        return QueueSample(
            active=self.dispatcher.unsettled,
            depth=sum(counts.pending for counts in self.counts.values()),
            oldest_due_ms=max(0, now - oldest) if oldest < NEVER else 0,
            by_priority={
                "high": sum(counts.high for counts in self.counts.values()),
                "normal": sum(counts.normal for counts in self.counts.values()),
                "low": sum(counts.low for counts in self.counts.values()),
            },
        )

    @property
    def ready(self) -> bool:
        """Tell whether messages can be accepted now."""
        writer = self.writer
        return not (self.lost.is_set() or self.intake.full or writer.full or writer.away)

    @property
    def held(self) -> Gate | None:
        """Return what keeps the whole worker from sending, or None."""
        return self.dispatcher.held
