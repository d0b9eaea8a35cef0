"""One run: a seed in, a report out."""

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import apsw
import msgspec

from holdfast.errors import HoldfastError, Unanswered
from holdfast.model.delivery import Status
from holdfast.model.message import NEVER
from holdfast.stores.sqlite import SqliteStore
from holdfast.telemetry import logger
from holdfast.testing.channel import elapse
from holdfast.testing.clock import VirtualClock, VirtualLoop, run
from holdfast.testing.shared import SharedDatabase
from holdfast.testing.simulator import promises
from holdfast.testing.simulator.faults import CRASHES, Fault, Faults, FaultyStore
from holdfast.testing.simulator.ledger import Ledger, Promise, Violation
from holdfast.testing.simulator.life import Life, PausingLoop, SimulatedEngine, task_factory
from holdfast.testing.simulator.mishaps import Mishaps, until
from holdfast.testing.simulator.partners import Partner
from holdfast.testing.simulator.people import Around, Callers, Operators
from holdfast.testing.simulator.processes import Parts, Processes
from holdfast.testing.simulator.watch import Watch
from holdfast.testing.simulator.world import Draw, make
from holdfast.vault import Vault

CALM_LIMIT_MS: Final = 3_600_000
"""Virtual time that everything may take to end once nothing goes wrong any more."""
HEARSAY_S: Final = 20.0
"""What a person did to a delivery at another worker its owner knows by then, and a lease's time:
it reads its buffers anew every 15 seconds."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        seed: runs it again ...
        workers: ... with so many at once, at most.
        attempts: sends on the wire.
        messages: acknowledged to callers.
        deliveries: in the store at the end.
        crashes: processes that ended at once.
        take_overs: workers whose lanes others took over after an unclean end.
        hand_overs: lanes that another worker got after a clean end.
        faults: how often each kind struck.
        virtual_s: length in virtual time.
        digest: of the journal and of all deliveries.
        violations: broken promises.
    """

    seed: int
    workers: int = 1
    attempts: int
    messages: int
    deliveries: int
    crashes: int
    take_overs: int = 0
    hand_overs: int = 0
    faults: dict[Fault, int]
    virtual_s: float
    digest: str
    violations: tuple[Violation, ...]

    @property
    def command(self) -> str:
        """Return the command that runs the same again."""
        several = f" --workers {self.workers}" if self.workers > 1 else ""
        return f"python -m holdfast.testing.simulator --seed {self.seed}{several}"

    def explain(self) -> str:
        """Return the violations in words, with the command that repeats them."""
        lines = [f"seed {self.seed} broke {len(self.violations)} promises; again: {self.command}"]
        lines += [f"  {each.promise}: {each.text}" for each in self.violations[:5]]
        return "\n".join(lines)


class Simulation:
    """A random world, an engine in it, and what happens to both.

    Args:
        seed: of everything.
        workers: most at once; with 1 it owns everything.
        engine_type: the engine; planted bugs come in here ...
        store_type: ... or here.
        world: draws the world.
    """

    def __init__(
        self,
        seed: int,
        workers: int = 1,
        *,
        engine_type: type[SimulatedEngine] = SimulatedEngine,
        store_type: type[FaultyStore] = FaultyStore,
        world: Draw = make,
    ) -> None:
        source = random.Random(seed)
        self.seed = seed
        self.workers = workers
        self.world = world(source, workers)
        self.clock = VirtualClock()
        self.connection = apsw.Connection(":memory:")
        several = self.world.workers > 1
        self.database = SharedDatabase(self.clock, self.connection) if several else None
        self.ledger = Ledger(
            {name: each.concurrency for name, each in self.world.catalog.recipients.items()},
            self.world.settings.max_in_flight,
            owners=self.database,
            now=self.clock.now if several else None,
            hearsay_ms=1000 * (HEARSAY_S + self.world.settings.lease_seconds) if several else 0.0,
        )
        self.faults = Faults(self.world.rates, random.Random(source.random()))
        self._rng = random.Random(source.random())
        ids = random.Random(source.random())
        vault = Vault({"k001": source.randbytes(32)}, "k001", source.randbytes(32))
        self._partners = {
            name: Partner(
                each.spells,
                dedupes=each.dedupes,
                pace_ms=each.pace_ms,
                timeout_ms=each.timeout_ms,
                patience_ms=each.patience_ms,
                rng=random.Random(source.random()),
            )
            for name, each in self.world.partners.items()
        }
        about = (self.world, self.clock, self.ledger, self.faults)
        self._processes = Processes(
            *about,
            Parts(engine_type, store_type, self._partners, vault, ids),
            connection=self.connection,
            database=self.database,
            rng=self._rng,
        )
        self._mishaps = Mishaps(*about, self._processes, rng=self._rng)
        self._watch = Watch(self._processes, self.faults, self.ledger, self.clock, self.connection)
        self._kept: set[str] = set()
        door = self._processes.door
        around = Around(self.world, door, self.ledger, self.clock, self.faults)
        self._callers = Callers(around, random.Random(source.random()))
        self._operators = Operators(around, random.Random(source.random()))

    def run(self) -> Report:
        """Run to the end and check every promise."""
        with _silence():
            try:
                loop_type = VirtualLoop if self.database is None else PausingLoop
                run(self._main(), self.clock, loop_type)
            finally:
                digest = hashlib.sha256(promises.digest(self.connection)).hexdigest()
                count = self.connection.execute("SELECT count(*) FROM deliveries").get
                self.connection.close()
        struck = self.faults.struck
        return Report(
            seed=self.seed,
            workers=self.workers,
            attempts=len(self.ledger.sends),
            messages=len(self.ledger.acknowledged),
            deliveries=int(count),
            crashes=sum(struck[fault] for fault in CRASHES),
            faults={fault: struck[fault] for fault in Fault if struck[fault]},
            virtual_s=self.clock.seconds,
            digest=digest,
            take_overs=len(self.ledger.taken_over),
            hand_overs=self.ledger.handed_over,
            violations=tuple(self.ledger.violations),
        )

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_factory)
        loop.set_exception_handler(self._misfired)
        await self._processes.begin()
        watching = asyncio.create_task(self._watch.run())
        helpers = [asyncio.create_task(each.run()) for each in (self._callers, self._operators)]
        end = self.clock.monotonic() + self.world.span_ms
        await self._mishaps.run(end)
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await self._calm()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        facts = await promises.read(SqliteStore.over(self.connection))
        promises.check(facts, self.ledger, self.world.catalog, self.connection)

    def _misfired(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Note an exception in a timer or another callback; nobody else would."""
        text = f"{context.get('message')}: {context.get('exception')!r}"
        self.ledger.broken(Promise.ALIVE, text)

    # -- calm -------------------------------------------------------------------------------

    async def _calm(self) -> None:
        """End all trouble, let everything end, and stop."""
        processes = self._processes
        self.faults.end()
        processes.mend()
        for partner in self._partners.values():
            partner.healthy = True
        if self.database is not None and not await until(self._mishaps.rest(), CALM_LIMIT_MS):
            self.ledger.broken(Promise.ENDS, "a process neither starts nor stops")
        await elapse(6_000)  # replaced processes are gone by then
        if self.database is not None:
            await elapse(
                3_000 * self.world.settings.lease_seconds
            )  # those that ended, from the list
        life = processes.running[-1] if processes.running else await processes.begin()
        task = life.spawn(self._open_lanes(life))
        if not await until(asyncio.wait({task}), CALM_LIMIT_MS):
            self.ledger.broken(Promise.ENDS, "a person waits for ever for an answer")
            return
        if not task.cancelled() and isinstance(error := task.exception(), HoldfastError):
            self.ledger.broken(Promise.ENDS, f"a person is refused: {error}")
            return
        task.result()
        end = self.clock.monotonic() + CALM_LIMIT_MS
        while (waiting := self._waiting()) and self.clock.monotonic() < end:
            await elapse(5_000)
        for name in waiting[:3]:
            self.ledger.broken(Promise.ENDS, f"{name} waits for ever", name)
        for life in processes.running:
            if not waiting:
                await processes.stop(life)
            else:
                processes.end(life)

    async def _open_lanes(self, life: Life) -> None:
        """Lift everything that only a person lifts, but for a lane or two that stay paused."""
        people = self._operators
        for name in sorted(self.world.catalog.recipients):
            if self.world.people and self._rng.random() < 0.1:
                await people.pause(life, name)
                self._kept.add(name)
            else:
                await _insist(lambda: people.resume(life, name))  # noqa: B023  # awaited at once
                await _insist(lambda: people.reset(life, name))  # noqa: B023

    def _waiting(self) -> list[str]:
        """Return the deliveries that wait, but for those that wait for a person."""
        rows = self.connection.execute(
            "SELECT id, recipient, predecessor, due_at FROM deliveries WHERE status = ? "
            "ORDER BY id",
            (Status.PENDING.value,),
        )
        pending = {name: row for name, *row in rows}
        return [name for name in pending if not self._held(name, pending)]

    def _held(self, name: str, pending: dict[str, list[Any]]) -> bool:
        """Tell whether a delivery, or the step before it, waits for a person."""
        recipient, before, due = pending[name]
        if recipient in self._kept:
            return True
        return due == NEVER and before in pending and self._held(before, pending)


async def _insist(ask: Callable[[], Awaitable[None]]) -> None:
    """Ask again while the owner has too much to write to answer in time."""
    while True:
        try:
            return await ask()
        except Unanswered:
            continue


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the engine's log lines back: trouble is what this is about."""
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
