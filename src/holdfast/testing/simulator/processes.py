"""The processes of a run: started, paused, stopped, ended; one after the other, or several at once.

One process owns everything over SQLite, as embedded. Several share a database, each on a machine
whose clocks may be wrong.
"""

import asyncio
import random
from functools import partial
from typing import Final

import apsw
import msgspec

from holdfast.clock import Clock, StoreClock
from holdfast.errors import HoldfastError
from holdfast.model.worker import Worker
from holdfast.store import Batch, Committed, Retention
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.channel import elapse
from holdfast.testing.clock import SkewedClock, VirtualClock
from holdfast.testing.rig import DAY_MS, idle_machine
from holdfast.testing.shared import SharedDatabase
from holdfast.testing.simulator import promises
from holdfast.testing.simulator.faults import Fault, Faults, FaultyStore
from holdfast.testing.simulator.ledger import Ledger, Promise
from holdfast.testing.simulator.life import Life, SimulatedEngine
from holdfast.testing.simulator.partners import Partner, Wire
from holdfast.testing.simulator.world import World
from holdfast.vault import Vault

RESERVE_BYTES: Final = 1
SKEWS_MS: Final = (-86_400_000, -300_000, 300_000, 3_600_000)
"""How far a wrong clock may be off."""
_AGES: Final = Retention(
    payloads=7 * DAY_MS, rows=90 * DAY_MS, events=90 * DAY_MS, keys=30 * DAY_MS
)


class Parts(msgspec.Struct, frozen=True):
    """What every process of a run is made of.

    Attributes:
        engine_type: the engine; planted bugs come in here ...
        store_type: ... or here.
        partners: by recipient.
        vault: the data keys.
        ids: draws ids and jitter.
    """

    engine_type: type[SimulatedEngine]
    store_type: type[FaultyStore]
    partners: dict[str, Partner]
    vault: Vault
    ids: random.Random


class Processes:
    """Those that were, and those that are.

    Args:
        world: how many at once, and how they are set.
        clock: virtual time, which is also the shared database's.
        ledger: is told of starts and ends.
        faults: what goes wrong.
        parts: what they are made of.
        connection: the data; it outlives them.
        database: what several share, None: one owns everything.
        rng: draws.
    """

    def __init__(
        self,
        world: World,
        clock: VirtualClock,
        ledger: Ledger,
        faults: Faults,
        parts: Parts,
        *,
        connection: apsw.Connection,
        database: SharedDatabase | None,
        rng: random.Random,
    ) -> None:
        self.lives: list[Life] = []
        self.over = asyncio.Event()
        """Set when one of them ended."""
        self._world = world
        self._clock = clock
        self._ledger = ledger
        self._faults = faults
        self._parts = parts
        self._connection = connection
        self._database = database
        self._rng = rng

    @property
    def running(self) -> list[Life]:
        """Return those that take calls."""
        return [life for life in self.lives if life.running]

    def door(self) -> Life | None:
        """Return a process that takes calls; once in a while it is one that was replaced."""
        open_ = self.running
        if self._database is not None:
            return self._rng.choice(open_) if open_ else None
        if len(open_) > 1 and self._rng.random() < 0.2:
            return self._rng.choice(open_)
        return open_[-1] if open_ else None

    async def begin(self) -> Life:
        """Start a process; try again until one is up."""
        while True:
            life = self._build()
            task = life.spawn(life.engine.start())
            await asyncio.wait({task})
            if not task.cancelled() and task.exception() is None:
                self._tell(life, "started")
                life.running = True
                return life
            if not task.cancelled() and not isinstance(task.exception(), HoldfastError):
                task.result()
            self.end(life)
            await elapse(self._rng.uniform(1, 200))

    def end(self, life: Life) -> None:
        """End a process at once."""
        if not life.over.is_set():
            self._ended(life, clean=False)
            self._tell(life, "ended at once")

    async def stop(self, life: Life) -> None:
        """Stop a process gracefully; it may still end at once meanwhile."""
        life.running = False
        task = life.spawn(life.engine.stop())
        await asyncio.wait({task})
        if task.cancelled():
            self.end(life)
            return
        task.result()
        self._ended(life, clean=life.store.released)
        self._tell(life, f"stopped, clean: {life.store.released}")

    def pause(self, life: Life, ms: float) -> None:
        """Stop a process where it is, and let it go on later."""
        if life.frozen is not None:
            return
        self._tell(life, f"paused for {ms:.0f} ms")
        life.pause()
        asyncio.get_running_loop().call_later(ms / 1000, self._resume, life)

    def mend(self) -> None:
        """Let those that are paused or cut off go on."""
        for life in self.lives:
            life.store.away_until = 0.0
            self._resume(life)

    def _resume(self, life: Life) -> None:
        if life.frozen is not None:
            self._tell(life, "goes on")
            life.resume()

    def _ended(self, life: Life, *, clean: bool) -> None:
        life.end()
        if self._database is not None:
            self._database.forget(life.store.inner)
        self._ledger.ended[life.number] = clean
        self.over.set()

    def _tell(self, life: Life, what: str) -> None:
        self._ledger.tell(self._clock.monotonic(), life.number, "", what)

    # -- what a process is made of ----------------------------------------------------------

    def _build(self) -> Life:
        number, parts, ledger = len(self.lives) + 1, self._parts, self._ledger

        async def die(fault: Fault) -> None:
            if fault is Fault.POISON:
                self._tell(life, "poison")
            self.end(life)
            await asyncio.Event().wait()

        def observe(batch: Batch, committed: Committed) -> None:
            ledger.committed(self._clock.monotonic(), number, batch, committed)

        def failed(error: Exception) -> None:
            text = f"a commit of process {number} raised {type(error).__name__}: {error}"
            ledger.broken(Promise.ALIVE, text)

        machine = None if self._database is None else self._machine()
        clock: Clock = self._clock if machine is None else StoreClock(machine)
        store = parts.store_type(
            self._inner(first=number == 1),
            self._faults,
            self._clock,
            commit_ms=self._world.commit_ms,
            read_ms=self._world.read_ms,
            observe=observe,
            owned=partial(ledger.owned, number),
            acquired=ledger.acquired,
            die=die,
            failed=failed,
        )
        wire = Wire(
            number,
            parts.partners,
            ledger,
            self._clock,
            machine=clock,
            faults=self._faults,
            die=die,
        )
        engine = self._engine(store, wire, clock, number)
        life = Life(number, engine, store, wire, failed=self._failed, machine=machine)
        self.lives.append(life)
        return life

    def _inner(self, *, first: bool) -> SqliteStore:
        """Return the way to the data."""
        if self._database is not None:
            inner: SqliteStore = self._database.session()
        else:
            inner = SqliteStore.over(self._connection)
        if first:
            promises.guard(self._connection)
        return inner

    def _machine(self) -> SkewedClock:
        """Return what a machine shows."""
        wrong = self._faults.strikes(Fault.SKEW)
        return SkewedClock(self._clock, self._rng.choice(SKEWS_MS) if wrong else 0)

    def _engine(self, store: FaultyStore, wire: Wire, clock: Clock, number: int) -> SimulatedEngine:
        parts = self._parts
        engine = parts.engine_type(
            store,
            {"http": wire},
            self._world.catalog,
            parts.vault,
            clock=clock,
            rng=parts.ids,
            probe=idle_machine,
            settings=self._world.settings,
            ages=_AGES,
            reserve_bytes=RESERVE_BYTES,
            worker=Worker(name=f"process {number}"),
        )
        engine.loses = lambda: self._faults.strikes(Fault.WAKE_UP)
        return engine

    def _failed(self, life: Life, error: BaseException) -> None:
        if life.running:
            text = f"a task of process {life.number} ended: {type(error).__name__}: {error}"
            self._ledger.broken(Promise.ALIVE, text)
