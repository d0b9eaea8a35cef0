"""Several workers over one shared database, in virtual time; each can be cut off, crash, leave."""

import asyncio
import contextvars
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec

from holdfast.clock import Clock, StoreClock
from holdfast.engine.engine import Engine
from holdfast.engine.settings import EngineSettings
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Catalog
from holdfast.model.search import Choice, Predicate, Search
from holdfast.model.submission import Receipt, Submission
from holdfast.model.worker import Worker
from holdfast.store import Retention
from holdfast.testing.channel import Script, ScriptedChannel, always
from holdfast.testing.clock import SkewedClock, VirtualClock
from holdfast.testing.rig import DAY_MS, idle_machine, receipts
from holdfast.testing.shared import SharedDatabase, SharedStore
from holdfast.vault import Vault

_AGES = Retention(payloads=7 * DAY_MS, rows=90 * DAY_MS, events=90 * DAY_MS, keys=30 * DAY_MS)
_CURRENT: contextvars.ContextVar["Hand | None"] = contextvars.ContextVar("hand", default=None)


class Hand:
    """One worker: an engine, its way to the database, its channel and its tasks."""

    def __init__(
        self, name: str, store: SharedStore, engine: Engine, channel: ScriptedChannel
    ) -> None:
        self.name = name
        self.store = store
        self.engine = engine
        self.channel = channel
        self._tasks: set[asyncio.Task[Any]] = set()
        self._context = contextvars.copy_context()
        self._context.run(_CURRENT.set, self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start work inside the process."""
        return asyncio.get_running_loop().create_task(work, context=self._context)

    def joins(self, task: asyncio.Task[Any]) -> None:
        """Count a task among this process's."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def crash(self) -> None:
        """End at once, without a word."""
        self.store.line.dead = True
        for task in tuple(self._tasks):
            task.cancel()

    def cut(self) -> None:
        """Let what it asks of the store get no answer until `mend`."""
        self.store.line.up.clear()

    def mend(self) -> None:
        """Let the store answer again."""
        self.store.line.up.set()

    def hush(self) -> None:
        """Let its hints reach nobody any more."""
        self.store.tells = False

    @property
    def lanes(self) -> set[str]:
        """Return the lanes that it works on."""
        return {name for name, lane in self.engine.dispatcher.lanes.items() if not lane.closed}


class Crew:
    """The database, the catalog, and the workers so far.

    Args:
        catalog: flows and recipients.
        script: what the partners do.
        seed: of all randomness.
        settings: limits of each worker.
    """

    def __init__(
        self,
        catalog: Catalog,
        script: Script | None = None,
        *,
        seed: int = 1,
        settings: EngineSettings | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.rng = random.Random(seed)
        self.catalog = catalog
        self.script = script or always()
        self.settings = settings or EngineSettings(max_in_flight=16)
        self.database = SharedDatabase(self.clock)
        self.reader = self.database.session()
        self.vault = Vault({"k001": self.rng.randbytes(32)}, "k001", self.rng.randbytes(32))
        self.hands: list[Hand] = []

    async def start(self, name: str, *, skew_ms: int = 0, slots: int | None = None) -> Hand:
        """Start a worker."""
        clock: Clock = StoreClock(SkewedClock(self.clock, skew_ms))
        store = self.database.session()
        channel = ScriptedChannel(clock, self.script)
        settings = self.settings
        if slots is not None:
            settings = msgspec.structs.replace(settings, max_in_flight=slots)
        engine = Engine(
            store,
            {"http": channel},
            self.catalog,
            self.vault,
            clock=clock,
            rng=random.Random(self.rng.random()),
            probe=idle_machine,
            settings=settings,
            ages=_AGES,
            reserve_bytes=0,
            worker=Worker(name=name),
        )
        hand = Hand(name, store, engine, channel)
        await hand.spawn(engine.start())
        self.hands.append(hand)
        return hand

    async def stop(self, hand: Hand) -> None:
        """Stop a worker gracefully."""
        await hand.spawn(hand.engine.stop())

    async def send(self, hand: Hand, count: int = 1, **fields: object) -> list[Receipt]:
        """Let a worker accept messages; `fields` are those of `Submission`."""
        body = {"payload": msgspec.Raw(b'{"lead":{"name":"Ada"}}'), **fields}
        submissions = [Submission(**body) for _ in range(count)]  # type: ignore[arg-type]
        return receipts(await hand.spawn(hand.engine.intake.accept("leads", submissions)))

    async def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        await self.clock.pause(round(seconds * 1000))

    async def deliveries(self, status: Status | None = None) -> list[Delivery]:
        """Return deliveries, oldest first."""
        choices = () if status is None else (Choice("status", (status,)),)
        found: list[Delivery] = []
        below = None
        while True:
            page = await self.reader.find(Search(Predicate(choices), below=below, limit=1000))
            found += page.deliveries
            if page.cursor is None:
                return found[::-1]
            below = page.cursor

    def sends(self) -> Counter[str]:
        """Return how often each delivery was sent."""
        return Counter(
            request.delivery_id for hand in self.hands for _, request in hand.channel.sent
        )

    def doubly_owned(self) -> set[str]:
        """Return the lanes on which two workers that may send work at this instant."""
        able = [hand for hand in self.hands if not hand.store.line.dead]
        counted = Counter(
            name for hand in able if not hand.engine.dispatcher.lapsed() for name in hand.lanes
        )
        return {name for name, count in counted.items() if count > 1}


@contextmanager
def _by_hand() -> Iterator[None]:
    """Let every task belong to the worker in whose context it is started."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(_task)
    try:
        yield
    finally:
        loop.set_task_factory(None)


def _task(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> asyncio.Task[Any]:
    context = options.get("context")
    hand = _CURRENT.get() if context is None else context.get(_CURRENT)
    task = asyncio.Task(work, loop=loop, **options)
    if hand is not None:
        hand.joins(task)
    return task


@asynccontextmanager
async def working(crew: Crew, *names: str) -> AsyncIterator[list[Hand]]:
    """Start workers of these names; at the end everything that still runs ends at once."""
    with _by_hand():
        try:
            yield [await crew.start(name) for name in names]
        finally:
            for hand in crew.hands:
                hand.crash()
            await crew.wait(0.001)
