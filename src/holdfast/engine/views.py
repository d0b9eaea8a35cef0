"""What may be seen of the engine: deliveries, events, lanes. Payloads are never shown."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from holdfast.clock import Clock
from holdfast.engine import outlook, why
from holdfast.engine.book import Book
from holdfast.engine.fields import Fields
from holdfast.engine.glance import Glance
from holdfast.engine.lane import Lane
from holdfast.engine.lanes import Lanes
from holdfast.engine.sampler import by_priority
from holdfast.errors import NotFound, VaultError
from holdfast.model.attempt import Event
from holdfast.model.audit import LineQuery
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Catalog
from holdfast.model.lane import BreakerState, ClosedGate
from holdfast.model.message import NEVER, Message
from holdfast.model.overview import Overview, Spooling
from holdfast.model.rule import Signal
from holdfast.model.search import Found, Predicate, Search, Total
from holdfast.model.stream import LaneWord
from holdfast.model.view import LaneView, tag
from holdfast.model.worker import Placed
from holdfast.policy import cusum, search
from holdfast.policy.decide import Gate
from holdfast.store import Counts, EventQuery, Lines, Store
from holdfast.vault import Vault


class Views:
    """Reads for doors; every answer is as fresh as the store.

    Args:
        store: where to read.
        vault: opens the excerpts of events.
        clock: time of the gates shown.
        catalog: the configuration in force.
        lanes: those that are ours, and of others as saved.
        book: routes of deliveries.
        metrics: makes the metrics page.
        signals: returns the numbers from outside, by name.
        arrivals: returns the new deliveries per second of a lane, None: not measured yet.
        fields: knows the search fields of payloads.
        glance: looks at the whole worker.
        workers: finds all workers.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        clock: Clock,
        catalog: Catalog,
        lanes: Lanes,
        *,
        book: Book,
        metrics: Callable[[], str],
        signals: Callable[[], Mapping[str, Signal]],
        arrivals: Callable[[str], float | None],
        fields: Fields,
        glance: Glance,
        workers: Callable[[], Awaitable[list[Placed]]],
    ) -> None:
        self._fields = fields
        self._glance = glance
        self._workers = workers
        self._arrivals = arrivals
        self._signals = signals
        self._store = store
        self._vault = vault
        self._clock = clock
        self._lanes = lanes
        self._book = book
        self._metrics = metrics
        self.catalog = catalog

    async def delivery(self, delivery_id: str) -> Delivery:
        """Return one delivery.

        Raises:
            NotFound: there is none of that id.
        """
        delivery = await self._store.get(delivery_id)
        if delivery is None:
            raise NotFound(f"no delivery {delivery_id!r}")
        return delivery

    async def why(self, delivery: Delivery) -> tuple[ClosedGate, ...]:
        """Return everything that keeps a pending delivery from being sent now, in order."""
        await self.look_at(delivery.recipient)
        return why.of_delivery(
            delivery,
            await self._store.message(delivery.message_id),
            lane=self._lanes.lane(delivery.recipient),
            route=self._book.route(delivery),
            held=self._glance.held,
            now=self._clock.now(),
        )

    async def message(self, message_id: str) -> Message:
        """Return one message.

        Raises:
            NotFound: there is none of that id.
        """
        message = await self._store.message(message_id)
        if message is None:
            raise NotFound(f"no message {message_id!r}")
        return message

    def where(self, text: str, account: str | None = None) -> Predicate:
        """Return what a query means now; `account`: whose fields are known, None: all.

        Raises:
            QueryError: it cannot be read.
        """
        fields = self._fields
        names = fields.names if account is None else fields.of_account(account)
        return search.parse(text, self._clock.now(), fields=names, digest=fields.digest)

    async def find(self, asked: Search) -> Found:
        """Return a page of deliveries, newest first."""
        return await self._store.find(search.narrowed(asked))

    async def count(self, asked: Search) -> Total:
        """Return how many deliveries match; counters tell it where they can."""
        if asked.account is None and asked.below is None and search.by_counters(asked.where):
            counts = await self._store.counts()
            return Total(search.counted(asked.where, counts))
        return await self._store.count(search.narrowed(asked))

    async def events(self, query: EventQuery) -> list[Event]:
        """Return events, their excerpts opened into `attempt.error_details.excerpt`."""
        return [self._opened(event) for event in await self._store.events(query)]

    def _opened(self, event: Event) -> Event:
        details = event.attempt.error_details
        if event.excerpt is None or details is None:
            return event
        try:
            text = self._vault.open(event.excerpt, event.attempt.event_id).decode()
        except VaultError as error:
            text = f"<{error}>"
        shown = msgspec.structs.replace(details, excerpt=text)
        attempt = msgspec.structs.replace(event.attempt, error_details=shown)
        return msgspec.structs.replace(event, attempt=attempt, excerpt=None)

    async def lines(self, query: LineQuery) -> Lines:
        """Return a page of audit lines by time."""
        return await self._store.lines(query)

    async def signals(self) -> list[Signal]:
        """Return the numbers from outside, by name."""
        return [one for _, one in sorted(self._signals().items())]

    async def ready(self) -> bool:
        """Tell whether messages are accepted now."""
        return self._glance.ready

    @property
    def spooling(self) -> Spooling | None:
        """Return how the spool stands, None: there is none."""
        return self._glance.spooling()

    def metrics(self) -> str:
        """Return the counters in Prometheus text format."""
        return self._metrics()

    async def overview(self) -> Overview:
        """Return the whole worker at a glance."""
        return self._glance.overview(self._clock.now())

    async def workers(self) -> list[Placed]:
        """Return all workers, the oldest first."""
        return await self._workers()

    async def look_at(self, *recipients: str) -> Mapping[str, int]:
        """Read anew those of the lanes (none given: all) that are not ours; return their owners."""
        names = recipients or tuple(self.catalog.recipients)
        foreign = [name for name in names if self._lanes.owned(name) is None]
        if not foreign:
            return {}
        for state in await self._store.lane_states(foreign):
            self._lanes.states[state.recipient] = state
        return await self._store.owners()

    async def lanes(self) -> list[LaneView]:
        """Return the lane of every recipient, by name."""
        owners = await self.look_at()
        counts = await self._store.counts()
        now = self._clock.now()
        return [
            self._shown(view(self._lanes.lane(name), counts.get(name, Counts()), now), owners)
            for name in sorted(self.catalog.recipients)
        ]

    async def lane(self, recipient: str) -> LaneView:
        """Return one lane, with the forecast of its drain.

        Raises:
            NotFound: there is no such recipient.
        """
        self._book.recipient(recipient)
        owners = await self.look_at(recipient)
        counts = (await self._store.counts()).get(recipient, Counts())
        later = await self._store.later(recipient, self._clock.now(), outlook.LATER_MAX)
        lane, now = self._lanes.lane(recipient), self._clock.now()
        drain = outlook.drain(
            lane, counts, later, arrivals=self._arrivals(recipient), held=self._glance.held, now=now
        )
        shown = self._shown(view(lane, counts, now), owners)
        return msgspec.structs.replace(shown, drain=drain)

    def _shown(self, seen: LaneView, owners: Mapping[str, int]) -> LaneView:
        """Return a view with who owns the lane."""
        ours = self._lanes.owned(seen.recipient) is not None
        owner = self._lanes.epoch if ours else owners.get(seen.recipient)
        return msgspec.structs.replace(seen, owner=owner, as_of=self._clock.now())


def view(lane: Lane, counts: Counts, now: int) -> LaneView:
    """Return a lane as it stands."""
    state, recipient = lane.state, lane.recipient
    breaker = state.breaker
    halted = breaker.state is BreakerState.OPEN and breaker.retry_at < NEVER
    gate = lane.gate(now)
    gate_until, gate_reason = _limited(lane, gate, now)
    return LaneView(
        recipient=recipient.name,
        account=recipient.account,
        breaker=breaker.state,
        since=breaker.since,
        reason=breaker.reason,
        manual=breaker.manual,
        retry_at=breaker.retry_at if breaker.state is BreakerState.OPEN else 0,
        next_probe=max(breaker.retry_at, state.gate_until) if halted else 0,
        rate=lane.rate,
        gate=gate[0] if gate else None,
        gate_until=gate_until,
        gate_reason=gate_reason,
        paused=state.paused,
        disabled=state.disabled,
        in_flight=lane.in_flight,
        buffered=len(lane.buffered),
        pending=counts.pending,
        by_priority=by_priority([counts]),
        delivered=counts.delivered,
        dead=counts.dead,
        discarded=counts.discarded,
        created=counts.created,
        pruned=counts.pruned,
        last_success_at=breaker.last_success_at,
        concurrency=recipient.concurrency,
        weight=recipient.weight,
        gates=why.of_lane(lane, now),
        retries_at=lane.retries_at(now),
        probe=state.plan,
        usual_failures=cusum.LEVELS[lane.learning.base],
    )


def lane_words(
    catalog: Catalog, lane_of: Callable[[str], Lane], counts: Mapping[str, Counts]
) -> list[LaneWord]:
    """Return how every lane stands, in few words."""
    nothing = Counts()
    words = []
    for name in sorted(catalog.recipients):
        lane, count = lane_of(name), counts.get(name, nothing)
        state = lane.state
        words.append(
            LaneWord(
                recipient=name,
                breaker=state.breaker.state,
                paused=state.paused is not None,
                tag=tag(state.breaker.state, state.breaker.manual, state.paused, state.disabled),
                in_flight=lane.in_flight,
                pending=count.pending,
                delivered=count.delivered,
                dead=count.dead,
                discarded=count.discarded,
            )
        )
    return words


def _limited(lane: Lane, gate: tuple[Gate, int] | None, now: int) -> tuple[int, str | None]:
    """Return until when the recipient gets nothing, by its wish or its limits, and why."""
    if gate is not None and gate[0] is Gate.LIMIT:
        return gate[1], "its rate limits are used up"
    if lane.state.gate_until > now:
        return lane.state.gate_until, lane.state.gate_reason
    if gate is not None and gate[0] is Gate.RATE:
        return gate[1], "the partner's quota"
    return 0, None
