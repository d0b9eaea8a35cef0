"""What happens to processes, machines and the store while there is traffic."""

import asyncio
import random
from collections.abc import Awaitable, Coroutine
from typing import Any, Final

from holdfast.testing.channel import elapse
from holdfast.testing.clock import VirtualClock
from holdfast.testing.simulator.faults import Fault, Faults
from holdfast.testing.simulator.ledger import Ledger
from holdfast.testing.simulator.life import Life
from holdfast.testing.simulator.processes import Processes
from holdfast.testing.simulator.world import World

_ALONE: Final = (
    Fault.CRASH,
    Fault.RESTART,
    Fault.ZOMBIE,
    Fault.FULL,
    Fault.FORWARD,
    Fault.BACK,
)
_TOGETHER: Final = (
    Fault.CRASH,
    Fault.RESTART,
    Fault.FULL,
    Fault.FORWARD,
    Fault.BACK,
    Fault.JOIN,
    Fault.LEAVE,
    Fault.PAUSE,
    Fault.CUT,
    Fault.AWAY,
)
_BREAKS: Final = (1, 20, 500, 3_000)
"""How long a process is gone before another one is started in its place, in ms."""


class Mishaps:
    """Lets what is timed strike, and starts processes where some ended.

    Args:
        world: the rates.
        clock: virtual time.
        ledger: is told of jumps.
        faults: counts.
        processes: the victims.
        rng: draws.
    """

    def __init__(
        self,
        world: World,
        clock: VirtualClock,
        ledger: Ledger,
        faults: Faults,
        processes: Processes,
        *,
        rng: random.Random,
    ) -> None:
        self._world = world
        self._clock = clock
        self._ledger = ledger
        self._faults = faults
        self._processes = processes
        self._rng = rng
        self._kinds = _ALONE if world.workers == 1 else _TOGETHER
        self._seats = 1
        """How many processes there should be."""
        self._starting = 0
        self._aside: set[asyncio.Task[None]] = set()

    async def run(self, end: float) -> None:
        """Let faults strike until then."""
        rates = {fault: self._world.rates.get(fault, 0.0) for fault in self._kinds}
        total = sum(rates.values())
        if self._world.workers > 1:
            self._seats = self._world.workers
            self._fill()
        while (left := end - self._clock.monotonic()) > 1:
            gap = self._rng.expovariate(total) * 1000 if total else left
            if await until(self._vacancy(), min(gap, left)):
                await self._replace()
            elif gap < left:
                fault = self._rng.choices(self._kinds, tuple(rates.values()))[0]
                self._faults.struck[fault] += 1
                await self._strike(fault)

    async def rest(self) -> None:
        """Wait for the starts and stops under way."""
        while self._aside:
            await asyncio.wait(self._aside)

    async def _vacancy(self) -> None:
        """Wait for the end of a process: of the only one, or of any."""
        if self._world.workers == 1:
            await self._processes.lives[-1].over.wait()
        else:
            await self._processes.over.wait()

    async def _replace(self) -> None:
        if self._world.workers == 1:
            await self._start()
        else:
            self._processes.over.clear()
            self._fill()

    async def _start(self) -> None:
        try:
            await elapse(self._rng.choice(_BREAKS))
            await self._processes.begin()
        finally:
            self._starting = max(0, self._starting - 1)

    def _fill(self) -> None:
        """Start processes, beside everything else, until there are as many as there should be."""
        alive = len(self._processes.running)
        for _ in range(self._seats - alive - self._starting):
            self._starting += 1
            self._do_aside(self._start())

    def _do_aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._done_aside)

    def _done_aside(self, task: asyncio.Task[None]) -> None:
        self._aside.discard(task)
        if not task.cancelled():
            task.result()

    # -- strikes ----------------------------------------------------------------------------

    async def _strike(self, fault: Fault) -> None:
        processes = self._processes
        if self._world.workers == 1:
            life = processes.lives[-1]
        elif not processes.running:
            return
        else:
            life = self._rng.choice(processes.running)
        match fault:
            case Fault.CRASH:
                processes.end(life)
            case Fault.RESTART:
                await self._stop(life)
            case Fault.ZOMBIE:
                loop = asyncio.get_running_loop()
                loop.call_later(self._rng.uniform(0, 5), processes.end, life)
                await processes.begin()
            case Fault.FORWARD | Fault.BACK:
                self._jump(fault, life)
            case Fault.FULL:
                self._faults.full_until = self._clock.monotonic() + self._rng.uniform(100, 8_000)
            case _:
                self._strike_crew(fault, life)

    def _strike_crew(self, fault: Fault, life: Life) -> None:
        """Let happen what happens only where several workers are."""
        lease_ms = self._world.settings.lease_seconds * 1000
        long = self._rng.choice((0.1, 0.9, 1.1, 2.0)) * lease_ms * self._rng.uniform(0.9, 1.2)
        match fault:
            case Fault.JOIN:
                self._seats = min(self._world.workers + 1, self._seats + 1)
                self._fill()
            case Fault.LEAVE if self._seats > 1:
                self._seats -= 1
                self._do_aside(self._processes.stop(life))
            case Fault.PAUSE:
                self._processes.pause(life, long)
            case Fault.CUT:
                life.store.away_until = self._clock.monotonic() + long
                self._ledger.tell(
                    self._clock.monotonic(), life.number, "", f"cut off for {long:.0f} ms"
                )
            case Fault.AWAY:
                self._faults.away_until = self._clock.monotonic() + long
                self._ledger.tell(self._clock.monotonic(), 0, "", f"store away for {long:.0f} ms")

    async def _stop(self, life: Life) -> None:
        if self._world.workers == 1:
            await self._processes.stop(life)
        else:
            self._do_aside(self._processes.stop(life))

    def _jump(self, fault: Fault, life: Life) -> None:
        """Set a wall clock: the only one there is, or that of a machine."""
        forward = fault is Fault.FORWARD
        jump = self._rng.randint(10, 120_000) if forward else -self._rng.randint(10, 60_000)
        clock = life.machine or self._clock
        clock.set_wall(clock.now() + jump)
        if life.machine is None:
            self._ledger.jumped = True
        self._ledger.tell(self._clock.monotonic(), 0, "", f"the clock jumps {jump} ms")


async def until(work: Awaitable[object], limit_ms: float) -> bool:
    """Wait for work for a while; tell whether it is done."""
    try:
        await asyncio.wait_for(work, limit_ms / 1000)
    except TimeoutError:
        return False
    return True
