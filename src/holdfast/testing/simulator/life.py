"""One process of a simulation: an engine, its store, its wire and every task it started."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar, TypeVarTuple

from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.engine import Engine
from holdfast.engine.lane import Lane
from holdfast.store import Accept
from holdfast.testing.clock import SkewedClock, VirtualLoop
from holdfast.testing.simulator.faults import FaultyStore
from holdfast.testing.simulator.partners import Wire

T = TypeVar("T")
_Ts = TypeVarTuple("_Ts")

_CURRENT: contextvars.ContextVar["Life | None"] = contextvars.ContextVar("life", default=None)

Loses = Callable[[], bool]
TaskFailed = Callable[["Life", BaseException], None]


def _keeps() -> bool:
    return False


class LossyDispatcher(Dispatcher):
    """A dispatcher that misses some wake-ups: they are hints, polling is correct without them."""

    loses: Loses = staticmethod(_keeps)

    def look(self, lane: Lane) -> bool:
        """Look at a lane again, or miss it."""
        return not self.loses() and super().look(lane)


class SimulatedEngine(Engine):
    """The engine with a dispatcher that misses wake-ups, and hand-overs that get lost."""

    dispatcher_type = LossyDispatcher
    loses: Loses = staticmethod(_keeps)

    def _compose(self) -> None:
        super()._compose()
        if isinstance(self.dispatcher, LossyDispatcher):
            self.dispatcher.loses = self.loses

    def _announce(self, accept: Accept) -> Callable[[Accept], None]:
        landed = super()._announce(accept)

        def perhaps(accept: Accept) -> None:
            if not self.loses():
                landed(accept)

        return perhaps


class Life:
    """A process: it can be stopped gracefully, or end at once with everything it was doing.

    Args:
        number: of the process, from 1.
        engine: not yet started.
        store: its way to the data.
        wire: its way to the partners.
        failed: told when one of its tasks ends with an exception.
        machine: what its machine shows, None: the one clock that there is.
    """

    def __init__(
        self,
        number: int,
        engine: Engine,
        store: FaultyStore,
        wire: Wire,
        *,
        failed: TaskFailed,
        machine: SkewedClock | None = None,
    ) -> None:
        self.number = number
        self.engine = engine
        self.store = store
        self.wire = wire
        self.machine = machine
        self.over = asyncio.Event()
        """Set when it has ended."""
        self.running = False
        """It is started and takes calls."""
        self.frozen: list[Step] | None = None
        """What it would have done since it was paused; None: it is not."""
        self._failed = failed
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._context = contextvars.copy_context()
        self._context.run(_CURRENT.set, self)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work inside the process: it ends with it."""
        return asyncio.get_running_loop().create_task(work, context=self._context)

    def joins(self, task: asyncio.Task[Any]) -> None:
        """Take a task in; after the end it is cut before its first step."""
        if self.over.is_set():
            task.cancel()
            return
        self._tasks[task] = None
        task.add_done_callback(self._leaves)

    def _leaves(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._failed(self, error)

    def pause(self) -> None:
        """Stop where it is, as SIGSTOP does: time goes on, and so do the store and the partners."""
        if self.frozen is None and not self.over.is_set():
            self.frozen = []

    def resume(self) -> None:
        """Go on: what would have happened meanwhile happens now, one after the other."""
        steps, self.frozen = self.frozen or [], None
        loop = asyncio.get_running_loop()
        for step in steps:
            loop.call_soon(step, context=step.context)

    def end(self) -> None:
        """End at once: nothing it was doing goes on."""
        self.resume()
        self.running = False
        self.over.set()
        self.store.dead = self.wire.dead = True
        for task in tuple(self._tasks):
            task.cancel()


class Step:
    """A callback of the loop: of a process that is paused it waits until that goes on."""

    __slots__ = ("_arguments", "_callback", "context", "handle")

    def __init__(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._callback = callback
        self._arguments = arguments
        self.handle: asyncio.Handle | None = None
        self.context: contextvars.Context | None = None

    def __call__(self) -> None:
        """Run, unless the process is paused or the callback was cancelled since it was."""
        life = _CURRENT.get()
        if life is not None and life.frozen is not None:
            self.context = contextvars.copy_context()
            life.frozen.append(self)
        elif self.handle is None or not self.handle.cancelled():
            self._callback(*self._arguments)


class PausingLoop(VirtualLoop):
    """A loop on which single processes can be paused."""

    def call_soon(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Call soon, in the process in whose context it is."""
        step = Step(callback, args)
        step.handle = super().call_soon(step, context=context)
        return step.handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call then, in the process in whose context it is."""
        step = Step(callback, args)
        handle = step.handle = super().call_at(when, step, context=context)
        return handle


def task_factory(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> asyncio.Task[Any]:
    """Make a task and hand it to the process in whose context it is started."""
    context = options.get("context")
    life = _CURRENT.get() if context is None else context.get(_CURRENT)
    task = asyncio.Task(work, loop=loop, **options)
    if life is not None:
        life.joins(task)
    return task
