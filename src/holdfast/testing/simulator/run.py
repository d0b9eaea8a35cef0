"""One run: a seed in, a report out."""

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import apsw
import msgspec

from holdfast.errors import HoldfastError
from holdfast.model.delivery import Status
from holdfast.model.message import NEVER
from holdfast.store import Batch, Committed, Retention
from holdfast.stores.sqlite import SqliteStore
from holdfast.telemetry import logger
from holdfast.testing.channel import elapse
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.rig import DAY_MS, idle_machine
from holdfast.testing.simulator import promises
from holdfast.testing.simulator.faults import CRASHES, Fault, Faults, FaultyStore
from holdfast.testing.simulator.ledger import Ledger, Promise, Violation
from holdfast.testing.simulator.life import Life, SimulatedEngine, task_factory
from holdfast.testing.simulator.partners import Partner, Wire
from holdfast.testing.simulator.people import Callers, Operators
from holdfast.testing.simulator.world import World, make
from holdfast.vault import Vault

CALM_LIMIT_MS: Final = 3_600_000
"""Virtual time that everything may take to end once nothing goes wrong any more."""
RESERVE_BYTES: Final = 1
_AGES: Final = Retention(
    payloads=7 * DAY_MS, rows=90 * DAY_MS, events=90 * DAY_MS, keys=30 * DAY_MS
)
_TIMED: Final = (
    Fault.CRASH,
    Fault.RESTART,
    Fault.ZOMBIE,
    Fault.FULL,
    Fault.FORWARD,
    Fault.BACK,
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        seed: runs it again.
        attempts: sends on the wire.
        messages: acknowledged to callers.
        deliveries: in the store at the end.
        crashes: processes that ended at once.
        faults: how often each kind struck.
        virtual_s: length in virtual time.
        digest: of the journal and of all deliveries.
        violations: broken promises.
    """

    seed: int
    attempts: int
    messages: int
    deliveries: int
    crashes: int
    faults: dict[Fault, int]
    virtual_s: float
    digest: str
    violations: tuple[Violation, ...]

    @property
    def command(self) -> str:
        """Return the command that runs the same again."""
        return f"python -m holdfast.testing.simulator --seed {self.seed}"

    def explain(self) -> str:
        """Return the violations in words, with the command that repeats them."""
        lines = [f"seed {self.seed} broke {len(self.violations)} promises; again: {self.command}"]
        lines += [f"  {each.promise}: {each.text}" for each in self.violations[:5]]
        return "\n".join(lines)


class Simulation:
    """A random world, an engine in it, and what happens to both.

    Args:
        seed: of everything.
        engine_type: the engine; planted bugs come in here ...
        store_type: ... or here.
        world: draws the world.
    """

    def __init__(
        self,
        seed: int,
        *,
        engine_type: type[SimulatedEngine] = SimulatedEngine,
        store_type: type[FaultyStore] = FaultyStore,
        world: Callable[[random.Random], World] = make,
    ) -> None:
        source = random.Random(seed)
        self.seed = seed
        self.world = world(source)
        self.clock = VirtualClock()
        self.ledger = Ledger(
            {name: each.concurrency for name, each in self.world.catalog.recipients.items()},
            self.world.settings.max_in_flight,
        )
        self.faults = Faults(self.world.rates, random.Random(source.random()))
        self.connection = apsw.Connection(":memory:")
        self._engine_type = engine_type
        self._store_type = store_type
        self._rng = random.Random(source.random())
        self._ids = random.Random(source.random())
        self._vault = Vault({"k001": source.randbytes(32)}, "k001", source.randbytes(32))
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
        self._lives: list[Life] = []
        self._kept: set[str] = set()
        ends = (self.world, self._door, self.ledger, self.clock)
        self._callers = Callers(*ends, faults=self.faults, rng=random.Random(source.random()))
        self._operators = Operators(*ends, faults=self.faults, rng=random.Random(source.random()))

    def run(self) -> Report:
        """Run to the end and check every promise."""
        with _silence():
            try:
                run(self._main(), self.clock)
            finally:
                digest = hashlib.sha256(promises.digest(self.connection)).hexdigest()
                count = self.connection.execute("SELECT count(*) FROM deliveries").get
                self.connection.close()
        struck = self.faults.struck
        return Report(
            seed=self.seed,
            attempts=len(self.ledger.sends),
            messages=len(self.ledger.acknowledged),
            deliveries=int(count),
            crashes=sum(struck[fault] for fault in CRASHES),
            faults={fault: struck[fault] for fault in Fault if struck[fault]},
            virtual_s=self.clock.seconds,
            digest=digest,
            violations=tuple(self.ledger.violations),
        )

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_factory)
        loop.set_exception_handler(self._misfired)
        await self._begin()
        helpers = [asyncio.create_task(each.run()) for each in (self._callers, self._operators)]
        end = self.clock.monotonic() + self.world.span_ms
        await self._trouble(end)
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await self._calm()
        facts = await promises.read(SqliteStore.over(self.connection))
        promises.check(facts, self.ledger, self.world.catalog, self.connection)

    # -- processes --------------------------------------------------------------------------

    def _door(self) -> Life | None:
        """Return a process that takes calls; once in a while it is one that was replaced."""
        open_ = [life for life in self._lives if life.running]
        if len(open_) > 1 and self._rng.random() < 0.2:
            return self._rng.choice(open_)
        return open_[-1] if open_ else None

    def _build(self) -> Life:
        number = len(self._lives) + 1

        async def die(fault: Fault) -> None:
            if fault is Fault.POISON:
                self.ledger.tell(self.clock.monotonic(), number, "", "poison")
            self._end(life)
            await asyncio.Event().wait()

        def observe(batch: Batch, committed: Committed) -> None:
            self.ledger.committed(self.clock.monotonic(), number, batch, committed)

        inner = SqliteStore.over(self.connection)
        if number == 1:
            promises.guard(self.connection)
        store = self._store_type(
            inner,
            self.faults,
            self.clock,
            commit_ms=self.world.commit_ms,
            read_ms=self.world.read_ms,
            observe=observe,
            owned=partial(self.ledger.owned, number),
            die=die,
        )
        wire = Wire(number, self._partners, self.ledger, self.clock, faults=self.faults, die=die)
        engine = self._engine_type(
            store,
            {"http": wire},
            self.world.catalog,
            self._vault,
            clock=self.clock,
            rng=self._ids,
            probe=idle_machine,
            settings=self.world.settings,
            ages=_AGES,
            reserve_bytes=RESERVE_BYTES,
        )
        engine.loses = lambda: self.faults.strikes(Fault.WAKE_UP)
        life = Life(number, engine, store, wire, failed=self._failed)
        self._lives.append(life)
        return life

    def _failed(self, life: Life, error: BaseException) -> None:
        if life.running:
            text = f"a task of process {life.number} ended: {type(error).__name__}: {error}"
            self.ledger.broken(Promise.ALIVE, text)

    def _misfired(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Note an exception in a timer or another callback; nobody else would."""
        text = f"{context.get('message')}: {context.get('exception')!r}"
        self.ledger.broken(Promise.ALIVE, text)

    async def _begin(self) -> Life:
        """Start a process; try again until one is up."""
        while True:
            life = self._build()
            task = life.spawn(life.engine.start())
            await asyncio.wait({task})
            if not task.cancelled() and task.exception() is None:
                self.ledger.tell(self.clock.monotonic(), life.number, "", "started")
                life.running = True
                return life
            if not task.cancelled() and not isinstance(task.exception(), HoldfastError):
                task.result()
            self._end(life)
            await elapse(self._rng.uniform(1, 200))

    def _end(self, life: Life) -> None:
        """End a process at once."""
        if not life.over.is_set():
            life.end()
            self.ledger.ended[life.number] = False
            self.ledger.tell(self.clock.monotonic(), life.number, "", "ended at once")

    async def _stop(self, life: Life) -> None:
        """Stop a process gracefully; it may still end at once meanwhile."""
        life.running = False
        task = life.spawn(life.engine.stop())
        await asyncio.wait({task})
        if task.cancelled():
            self._end(life)
            return
        task.result()
        life.end()
        self.ledger.ended[life.number] = life.store.released
        self.ledger.tell(
            self.clock.monotonic(), life.number, "", f"stopped, clean: {life.store.released}"
        )

    # -- trouble ----------------------------------------------------------------------------

    async def _trouble(self, end: float) -> None:
        """Let faults strike until then."""
        rates = {fault: self.world.rates.get(fault, 0.0) for fault in _TIMED}
        total = sum(rates.values())
        while (left := end - self.clock.monotonic()) > 1:
            gap = self._rng.expovariate(total) * 1000 if total else left
            life = self._lives[-1]
            if await _until(life.over.wait(), min(gap, left)):
                await elapse(self._rng.choice((1, 20, 500, 3_000)))
                await self._begin()
            elif gap < left:
                fault = self._rng.choices(_TIMED, tuple(rates.values()))[0]
                self.faults.struck[fault] += 1
                await self._strike(fault, life)

    async def _strike(self, fault: Fault, life: Life) -> None:
        rng = self._rng
        match fault:
            case Fault.CRASH:
                self._end(life)
            case Fault.RESTART:
                await self._stop(life)
            case Fault.ZOMBIE:
                asyncio.get_running_loop().call_later(rng.uniform(0, 5), self._end, life)
                await self._begin()
            case Fault.FULL:
                self.faults.full_until = self.clock.monotonic() + rng.uniform(100, 8_000)
            case _:
                forward = fault is Fault.FORWARD
                jump = rng.randint(10, 120_000) if forward else -rng.randint(10, 60_000)
                self.clock.set_wall(self.clock.now() + jump)
                self.ledger.jumped = True
                self.ledger.tell(self.clock.monotonic(), 0, "", f"the clock jumps {jump} ms")

    # -- calm -------------------------------------------------------------------------------

    async def _calm(self) -> None:
        """End all trouble, let everything end, and stop."""
        self.faults.end()
        for partner in self._partners.values():
            partner.healthy = True
        await elapse(6_000)  # replaced processes are gone by then
        life = self._lives[-1]
        if life.over.is_set():
            life = await self._begin()
        task = life.spawn(self._open_lanes(life))
        if not await _until(asyncio.wait({task}), CALM_LIMIT_MS):
            self.ledger.broken(Promise.ENDS, "a person waits for ever for an answer")
            return
        task.result()
        end = self.clock.monotonic() + CALM_LIMIT_MS
        while (waiting := self._waiting()) and self.clock.monotonic() < end:
            await elapse(5_000)
        for name in waiting[:3]:
            self.ledger.broken(Promise.ENDS, f"{name} waits for ever", name)
        if not waiting:
            await self._stop(life)
        else:
            self._end(life)

    async def _open_lanes(self, life: Life) -> None:
        """Lift everything that only a person lifts, but for a lane or two that stay paused."""
        people = self._operators
        for name in sorted(self.world.catalog.recipients):
            if self.world.people and self._rng.random() < 0.1:
                await people.pause(life, name)
                self._kept.add(name)
            else:
                await people.resume(life, name)
                await people.reset(life, name)

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


async def _until(work: Awaitable[object], limit_ms: float) -> bool:
    """Wait for work for a while; tell whether it is done."""
    try:
        await asyncio.wait_for(work, limit_ms / 1000)
    except TimeoutError:
        return False
    return True


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the engine's log lines back: trouble is what this is about."""
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
