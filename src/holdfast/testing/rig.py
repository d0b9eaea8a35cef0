"""A whole engine in virtual time: real SQLite in memory, a scripted channel, seeded randomness."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import apsw
import msgspec

from holdfast.engine.engine import Engine
from holdfast.engine.sampler import SystemSample
from holdfast.engine.settings import EngineSettings
from holdfast.errors import HoldfastError
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Catalog, Endpoint, Flow, Recipient, Step
from holdfast.model.policy import BreakerSettings, PolicySettings
from holdfast.model.search import Choice, Predicate, Search
from holdfast.model.submission import Receipt, Submission
from holdfast.store import EventQuery, Retention
from holdfast.stores.spool import FileSpool
from holdfast.stores.spool.journal import Journal
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import Script, ScriptedChannel, always
from holdfast.testing.clock import VirtualClock
from holdfast.testing.powerloss import Disk
from holdfast.vault import Vault

DAY_MS = 86_400_000


def recipient(name: str = "acme", **settings: object) -> Recipient:
    """Return a recipient with one endpoint; `settings` are fields of `Recipient`."""
    endpoint = Endpoint(url=f"http://{name}.example/leads")
    fields = {"endpoints": (endpoint,), **settings}
    return Recipient(name=name, **fields)  # type: ignore[arg-type]


def catalog(
    *recipients: Recipient,
    mode: str = "parallel",
    policy: PolicySettings | None = None,
    mask: tuple[str, ...] = (),
) -> Catalog:
    """Return a catalog with one flow `leads` that has a step for each recipient."""
    steps = tuple(Step(name=r.name, recipient=r.name) for r in recipients)
    flow = Flow(name="leads", mode=mode, steps=steps, mask=mask)  # type: ignore[arg-type]
    return Catalog(
        policy=policy or PolicySettings(),
        recipients={r.name: r for r in recipients},
        flows={"leads": flow},
    )


NO_BREAKER = BreakerSettings(enabled=False)


def idle_machine(busy: float) -> SystemSample:
    """Return the sample of a machine without load."""
    return SystemSample(0.0, 0.0, 0.0, 0.0, 0, busy)


class Rig:
    """A worker that can be started, crashed and started again over the same data.

    Args:
        catalog: flows and recipients.
        script: what the partners do.
        seed: of all randomness.
        clock: shared virtual time.
        settings: limits of the engine.
        first_slots: sends at once to begin with.
        disk: where its spool is; None: it has none.
    """

    def __init__(
        self,
        catalog: Catalog,
        script: Script | None = None,
        *,
        seed: int = 1,
        clock: VirtualClock | None = None,
        settings: EngineSettings | None = None,
        first_slots: int | None = None,
        disk: Disk | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.rng = random.Random(seed)
        self.catalog = catalog
        self.settings = settings or EngineSettings()
        self.first_slots = first_slots
        self.channel = ScriptedChannel(self.clock, script or always())
        self.vault = Vault({"k001": self.rng.randbytes(32)}, "k001", self.rng.randbytes(32))
        self.disk = disk
        self.connection = apsw.Connection(":memory:")
        self.engine = self.build()

    def build(self) -> Engine:
        """Return a new engine over the data; the old one must be stopped or crashed."""
        self.store = SqliteStore.over(self.connection)
        engine = Engine(
            self.store,
            {"http": self.channel},
            self.catalog,
            self.vault,
            clock=self.clock,
            rng=self.rng,
            probe=idle_machine,
            settings=self.settings,
            ages=Retention(payloads=7 * DAY_MS, rows=90 * DAY_MS, events=90 * DAY_MS,
                           keys=30 * DAY_MS),
            reserve_bytes=0, first_slots=self.first_slots,
        )  # fmt: skip
        if self.disk is not None:
            journal = Journal(self.disk.files(), self.vault, max_bytes=1 << 20)
            engine.spool_into(FileSpool(journal, self.disk.name, inline=True), 5_000)
        return engine

    def again(self) -> Engine:
        """Put a new engine over the data in the place of one that stopped or crashed."""
        self.engine = self.build()
        return self.engine

    async def crash(self) -> None:
        """End the engine without a word: nothing that it still holds reaches the store."""
        self.engine.dispatcher.send = None
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await self.wait(0.001)
        self.again()

    async def send(self, count: int = 1, **fields: object) -> list[Receipt]:
        """Accept `count` messages; `fields` are those of `Submission`."""
        body = {"payload": msgspec.Raw(b'{"lead":{"name":"Ada"}}'), **fields}
        results = await self.engine.intake.accept(
            "leads",
            [Submission(**body) for _ in range(count)],  # type: ignore[arg-type]
        )
        return receipts(results)

    async def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        await self.clock.pause(round(seconds * 1000))

    async def deliveries(self, status: Status | None = None) -> list[Delivery]:
        """Return deliveries, oldest first."""
        choices = () if status is None else (Choice("status", (status,)),)
        found = await self.store.find(Search(Predicate(choices), limit=1000))
        return found.deliveries[::-1]

    async def events(self, **filters: object) -> list[dict[str, object]]:
        """Return the journal, oldest first, each event as plain values."""
        query = EventQuery(after=0, limit=1000, **filters)  # type: ignore[arg-type]
        events = await self.store.events(query)
        return [msgspec.to_builtins(event.attempt) for event in events]


def receipts(results: Sequence[Receipt | HoldfastError]) -> list[Receipt]:
    """Return the receipts of an intake that refused nothing."""
    for result in results:
        if isinstance(result, HoldfastError):
            raise result
    return [result for result in results if isinstance(result, Receipt)]


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    """Start the rig's engine and stop it at the end."""
    await rig.engine.start()
    try:
        yield rig
    finally:
        await rig.engine.stop()
