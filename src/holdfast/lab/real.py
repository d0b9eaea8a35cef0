"""Does the model hold? The same scenario over real sockets, in real time, beside the lab's own run.

Real are the engine with its SQLite store and HTTP channel, the partner in a process of its own
(`lab.site`), and time. Several seeds run side by side, each with a store of its own. To end
within minutes a scenario is shortened: its times are divided, its rates are not. The model then
runs that same shortened scenario, with the same policy.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from holdfast.app import App
from holdfast.clock import SystemClock
from holdfast.config import Config, Server
from holdfast.engine.settings import EngineSettings
from holdfast.errors import HoldfastError, InvalidInput
from holdfast.lab import cost, oracle, product
from holdfast.lab.compare import Interval, interval
from holdfast.lab.measure import Figures, measure
from holdfast.lab.scenario import Fault, Scenario, Setup, recipient
from holdfast.lab.site import Begin, Hello, Order, Record
from holdfast.lab.trace import Trace
from holdfast.lab.world import World
from holdfast.model.flow import Catalog, Flow, Step
from holdfast.model.submission import Submission
from holdfast.telemetry import logger

NAME: Final = "partner"
CLOSE: Final = 0.1
"""Model and reality agree when they differ by no more than this share."""
_SETTLE_MS: Final = 1_500
"""Time between the start of the engines and that of the worlds."""
_POLL_MS: Final = 50.0
_MOST: Final = 0.95
_LIMIT_S: Final = 600.0
"""Nobody waits for longer than this after the last arrival."""
_FIGURES: Final = ("late_s", "tts_p50_s", "tts_p99_s", "peak", "quota_used", "goodput")
_RECORD_BYTES: Final = 1 << 28


class Row(msgspec.Struct, frozen=True):
    """One figure, modelled and real: means over the seeds, and their ratio.

    Attributes:
        what: the figure.
        model: what the lab says.
        real: what happened.
        ratio: real by model with a 95 % interval (bootstrap over pairs); None: a model has 0.
    """

    what: str
    model: float
    real: float
    ratio: Interval | None

    @property
    def close(self) -> bool:
        """Tell whether they differ by no more than `CLOSE`."""
        if self.ratio is None:
            return self.real == self.model
        return abs(self.ratio.median - 1) <= CLOSE


class Check(msgspec.Struct, frozen=True):
    """A scenario, `times` times as short, over so many seeds."""

    scenario: str
    title: str
    times: float
    seeds: int
    rows: list[Row]


def shortened(scenario: Scenario, times: float) -> Scenario:
    """Return a scenario whose times are divided; rates and latencies stay.

    Raises:
        InvalidInput: it has several partners, or faults that no socket of ours can show.
    """
    if len(scenario.partners) != 1 or scenario.partners[0].count != 1:
        raise InvalidInput("scenario", scenario.id, "one with a single partner")
    (profile,) = scenario.partners
    if any(isinstance(fault.answer, str) and fault.answer != "timeout" for fault in profile.faults):
        raise InvalidInput("scenario", scenario.id, "one whose partner takes connections")
    short = replace(
        profile,
        rates=tuple((seconds / times, rate) for seconds, rate in profile.rates),
        warm_seconds=profile.warm_seconds / times,
        around_faults=profile.around_faults / times,
        faults=tuple(_shortened(fault, times) for fault in profile.faults),
    )
    return replace(scenario, partners=(short,), limit=min(scenario.limit, _LIMIT_S))


def _shortened(fault: Fault, times: float) -> Fault:
    names = ("at", "seconds", "up", "down", "every", "scale")
    return replace(fault, **{name: getattr(fault, name) / times for name in names})


async def check(
    scenarios: Sequence[Scenario], setup: Setup, *, times: float, seeds: int
) -> list[Check]:
    """Run scenarios over sockets, all of them at the same time, and then in the model.

    Raises:
        InvalidInput: a scenario cannot be run over sockets.
    """
    short = [shortened(scenario, times) for scenario in scenarios]
    level = logger.level
    logger.setLevel(logging.ERROR)  # partners fail by the thousand here
    try:
        real = await asyncio.gather(*(play(each, setup, range(1, seeds + 1)) for each in short))
        model = await asyncio.to_thread(_modelled, short, setup, seeds)
    finally:
        logger.setLevel(level)
    return [
        Check(each.id, each.title, times, seeds, _rows(modelled, happened))
        for each, modelled, happened in zip(short, model, real, strict=True)
    ]


async def play(scenario: Scenario, setup: Setup, seeds: Sequence[int]) -> list[Trace]:
    """Return what happened in each seed's world over real sockets."""
    worlds = [World(scenario, seed) for seed in seeds]
    with tempfile.TemporaryDirectory(prefix="holdfast-lab-") as folder:
        async with _site(scenario, seeds) as process:
            hello = msgspec.json.decode(await _line(process), type=Hello)
            apps = [
                await App.open(_config(Path(folder) / str(world.seed), world, setup, hello.port))
                for world in worlds
            ]
            for app in apps:
                await app.start()
            try:
                await _play(worlds, apps, process)
            finally:
                for app in apps:
                    await app.stop()
            _tell(process, {})
            records = msgspec.json.decode(await _line(process), type=list[Record])
    return [_trace(world, record) for world, record in zip(worlds, records, strict=True)]


async def _play(worlds: list[World], apps: list[App], process: asyncio.subprocess.Process) -> None:
    begin = SystemClock().now() + _SETTLE_MS
    _tell(process, Begin(begin))
    pairs = zip(worlds, apps, strict=True)
    await asyncio.gather(*(_feed(world, app, begin) for world, app in pairs))


async def _feed(world: World, app: App, begin: int) -> None:
    """Hand in every message when it arrives, and wait until none is left."""
    clock = SystemClock()
    for number, arrival in enumerate(world.arrivals):
        pause = begin + arrival.at - clock.now()
        if pause > 0:
            await clock.pause(pause)
        payload = Submission(payload=msgspec.Raw(b"%d" % number))
        (receipt,) = await app.engine.intake.accept(NAME, [payload])
        if isinstance(receipt, HoldfastError):
            raise receipt
    while clock.now() - begin < world.limit_ms:
        counts = await app.engine.store.counts()
        if not counts[NAME].pending:
            break
        await clock.pause(_POLL_MS)


def _config(folder: Path, world: World, setup: Setup, port: int) -> Config:
    endpoint = {"url": f"http://127.0.0.1:{port}/{world.seed}", "allow_private": True}
    return Config(
        data=folder,
        server=Server(port=0, metrics_port=0),
        engine=EngineSettings(max_in_flight=world.scenario.slots or 512),
        catalog=Catalog(
            policy=setup.policy,
            recipients={NAME: recipient(setup, NAME, endpoints=[endpoint])},
            flows={NAME: Flow(name=NAME, steps=(Step(name=NAME, recipient=NAME),))},
        ),
    )


@asynccontextmanager
async def _site(
    scenario: Scenario, seeds: Sequence[int]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the partner; it ends with its stdin."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "holdfast.lab.site"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_RECORD_BYTES,
    )
    try:
        _tell(process, Order(scenario, tuple(seeds)))
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


def _tell(process: asyncio.subprocess.Process, words: object) -> None:
    if process.stdin is not None:
        process.stdin.write(msgspec.json.encode(words) + b"\n")


async def _line(process: asyncio.subprocess.Process) -> bytes:
    line = b"" if process.stdout is None else await process.stdout.readline()
    if not line:
        raise HoldfastError("the lab's partner ended")
    return line


def _trace(world: World, record: Record) -> Trace:
    (partner,) = world.partners()
    partner.offered, partner.rejected = record.offered, record.rejected
    partner.limited, partner.failed = record.limited, record.failed
    trace = Trace(world, [partner])
    trace.sends, trace.delivered = record.sends, record.delivered
    return trace


def _modelled(scenarios: list[Scenario], setup: Setup, seeds: int) -> list[list[Trace]]:
    return [
        [product.run(World(scenario, seed), setup) for seed in range(1, seeds + 1)]
        for scenario in scenarios
    ]


def _rows(model: list[Trace], real: list[Trace]) -> list[Row]:
    """Compare the runs, pair by pair."""
    pairs = [(_numbers(one), _numbers(other)) for one, other in zip(model, real, strict=True)]
    names = [name for name in pairs[0][0] if all(name in one for pair in pairs for one in pair)]
    rows = []
    for name in names:
        modelled = [one[name] for one, _ in pairs]
        happened = [other[name] for _, other in pairs]
        rows.append(
            Row(
                name,
                sum(modelled) / len(pairs),
                sum(happened) / len(pairs),
                _ratio(modelled, happened),
            )
        )
    return rows


def _ratio(model: list[float], real: list[float]) -> Interval | None:
    """Return the ratio of the sums; its interval by drawing pairs anew."""
    if not min(model):
        return None
    pairs = list(zip(model, real, strict=True))
    return interval(pairs, lambda drawn: sum(b for _, b in drawn) / sum(a for a, _ in drawn))


def _numbers(trace: Trace) -> dict[str, float]:
    (partner,) = trace.partners
    found: Figures = measure(trace, oracle.run(trace.world))
    counts = {
        "sends": sum(trace.sends),
        "failed": sum(partner.failed.values()),
        "limited": sum(partner.limited.values()),
        "rejected": sum(partner.rejected.values()),
        "delivered": sum(at >= 0 for at in trace.delivered),
    }
    figures = {n: value for n in _FIGURES if (value := getattr(found, n)) is not None}
    return counts | figures | _drained(trace)


def _drained(trace: Trace) -> dict[str, float]:
    """Return the seconds from the first success after an outage until 95 % of what it held."""
    held = [trace.delivered[number] for number, _ in cost.arrived_down(trace)]
    taken = sorted(at for at in held if at >= 0)
    if not taken or len(taken) < _MOST * len(held):
        return {}
    return {"drained_s": (taken[int(_MOST * len(held)) - 1] - taken[0]) / 1000}
