"""The random world of a run: partners and their troubles, policies, limits, faults, traffic.

Swarm testing: a world has a random subset of troubles and faults, each at a random rate, as a run
with everything at once hides what shows only without the rest.
"""

import random
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.engine.settings import EngineSettings
from holdfast.model.flow import Catalog, Endpoint, Flow, Recipient, Step
from holdfast.model.policy import BreakerSettings, JitterKind, PolicySettings, Strategy
from holdfast.testing.simulator.faults import Fault
from holdfast.testing.simulator.partners import Spell, Trouble

FLOW: Final = "leads"
_RATES: Final = {
    Fault.CRASH: (0.1, 1.8),
    Fault.RESTART: (0.01, 0.1),
    Fault.ZOMBIE: (0.02, 0.1),
    Fault.FULL: (0.01, 0.04),
    Fault.FORWARD: (0.01, 0.03),
    Fault.BACK: (0.01, 0.03),
    Fault.CRASH_AFTER_COMMIT: (0.002, 0.008),
    Fault.AMBIGUOUS: (0.005, 0.03),
    Fault.FAILED: (0.005, 0.05),
    Fault.BAD_ROW: (0.005, 0.03),
    Fault.SLOW: (0.005, 0.02),
    Fault.READ: (0.01, 0.05),
    Fault.WAKE_UP: (0.02, 0.3),
    Fault.LEFT: (0.05, 0.3),
    Fault.POISON: (0.002, 0.01),
}
"""Ranges of the rates; `Fault` says per what."""
ALONE: Final = frozenset({*_RATES, Fault.ENDLESS})
"""What strikes where one process owns everything."""
_CREW_RATES: Final = _RATES | {
    Fault.CRASH: (0.1, 0.8),
    Fault.RESTART: (0.02, 0.2),
    Fault.JOIN: (0.02, 0.2),
    Fault.LEAVE: (0.02, 0.2),
    Fault.PAUSE: (0.1, 0.5),
    Fault.CUT: (0.05, 0.3),
    Fault.AWAY: (0.01, 0.05),
    Fault.ANSWER: (0.01, 0.1),
    Fault.SKEW: (0.2, 0.9),
}
del _CREW_RATES[Fault.ZOMBIE]  # where workers share a store it is a process that was paused
TOGETHER: Final = frozenset({*_CREW_RATES, Fault.ENDLESS})
"""What strikes where several workers share a store."""
_CREW_DELIVERIES: Final = (600, 3_000, 6_000, 6_000)
_ROUGH: Final = 0.4
"""Share of the worlds of several workers in which one ends, stops or is cut off all the time."""
_ROUGH_RATES: Final = {Fault.CRASH: (0.3, 1.0), Fault.PAUSE: (0.2, 0.8), Fault.CUT: (0.2, 0.6)}
_ROUGH_DELIVERIES: Final = (600, 1_200)
_QUICK: Final = (Trouble.FLAKY, Trouble.LIMITED, Trouble.DOWN, Trouble.GATEWAY, Trouble.HANGS_UP)


class Partnership(msgspec.Struct, frozen=True):
    """What makes a `Partner`."""

    spells: tuple[Spell, ...]
    dedupes: bool
    pace_ms: int
    timeout_ms: int
    patience_ms: int


class World(msgspec.Struct, frozen=True):
    """Everything that is decided before a run begins.

    Attributes:
        workers: how many at once; 1: it owns everything, more: they share a store.
        catalog: recipients, policies and one flow.
        settings: of the engine.
        partners: by recipient.
        rates: of the faults that may strike.
        span_ms: how long there is traffic and trouble.
        messages: how many are sent in that time, about.
        people: operator actions per second.
        commit_ms: most that passes before, and after, a commit.
        read_ms: most that passes before, and after, a read.
    """

    workers: int
    catalog: Catalog
    settings: EngineSettings
    partners: dict[str, Partnership]
    rates: dict[Fault, float]
    span_ms: float
    messages: int
    people: float
    commit_ms: int
    read_ms: int

    @property
    def poison(self) -> float:
        """Return the share of payloads that end the process that sends them."""
        return self.rates.get(Fault.POISON, 0.0)


Draw = Callable[[random.Random, int], World]
"""Draws a world of so many workers at most."""


def make(rng: random.Random, workers: int = 1) -> World:
    """Draw a world of so many workers at most: of one, or of two and more."""
    alone = workers == 1
    count = rng.choice((1, 1, 2, 3, 3, 4, 6) if alone else (2, 4, 6, 9, 12))
    span_ms = rng.uniform(15_000, 60_000)
    calm = rng.random() < 0.1
    spells = (0,) if rng.random() < 0.2 else (0, 1, 2, 3, 5)
    partners = {f"p{n}": _partner(rng, span_ms, rng.choice(spells)) for n in range(count)}
    recipients = {name: _recipient(name, rng, each) for name, each in partners.items()}
    names = list(recipients)
    rng.shuffle(names)
    flow = Flow(
        name=FLOW,
        mode="sequential" if rng.random() < 0.3 else "parallel",
        steps=tuple(Step(name=f"to-{name}", recipient=name) for name in names),
    )
    settings = _settings(rng)
    if not alone:
        settings = _crew_settings(rng, settings)
    most = 150 + 80 * settings.max_in_flight  # one at a time is slow: a few show enough
    counts = (150, 600, 3_000, 6_000, 10_000) if alone else _CREW_DELIVERIES
    drawn = World(
        workers=1 if alone else rng.randint(2, workers),
        catalog=Catalog(policy=_policy(rng), recipients=recipients, flows={FLOW: flow}),
        settings=settings,
        partners=partners,
        rates={} if calm else _rates(rng, _RATES if alone else _CREW_RATES),
        span_ms=span_ms,
        messages=min(most, rng.choice(counts)) // count,
        commit_ms=rng.choice((2, 50, 100, 200)),
        read_ms=rng.choice((1, 20, 100)),
        people=0.0 if calm or rng.random() < 0.25 else rng.uniform(0.1, 2.0),
    )
    rough = not (alone or calm) and rng.random() < _ROUGH
    return _roughened(rng, drawn, workers) if rough else drawn


def _roughened(rng: random.Random, world: World, workers: int) -> World:
    """Return a world of many take-overs: every few seconds a lease ends, and it is a short one."""
    harm = {fault: rng.uniform(*_ROUGH_RATES[fault]) for fault in _ROUGH_RATES}
    return msgspec.structs.replace(
        world,
        workers=workers,
        settings=msgspec.structs.replace(
            world.settings, lease_seconds=3.0, intake_queue=max(50, world.settings.intake_queue)
        ),
        rates=world.rates | harm,
        span_ms=max(40_000, world.span_ms),
        messages=rng.choice(_ROUGH_DELIVERIES) // len(world.partners),
    )


def _rates(rng: random.Random, ranges: dict[Fault, tuple[float, float]]) -> dict[Fault, float]:
    density = rng.choice((0.15, 0.5, 0.8))
    chosen = [fault for fault in ranges if rng.random() < density]
    return {fault: rng.uniform(*ranges[fault]) for fault in chosen}


def _settings(rng: random.Random) -> EngineSettings:
    return EngineSettings(
        max_in_flight=rng.choice((1, 4, 8, 32, 64, 128, 256)),
        buffer_rows=rng.choice((1, 2, 3, 5, 8, 16, 64)),
        buffer_total=rng.choice((1, 5, 20, 100, 1000)),
        intake_queue=rng.choice((5, 50, 20_000)),
        shutdown_seconds=rng.choice((0.0, 0.5, 2.0, 10.0)),
    )


def _crew_settings(rng: random.Random, settings: EngineSettings) -> EngineSettings:
    return msgspec.structs.replace(
        settings,
        max_in_flight=rng.choice((2, 8, 32, 64, 128)),
        lease_seconds=rng.choice((3.0, 3.0, 4.0, 10.0)),
    )


def _recipient(name: str, rng: random.Random, partner: Partnership) -> Recipient:
    endpoint = Endpoint(url=f"http://{name}.example/leads", total_timeout=partner.timeout_ms / 1000)
    return Recipient(
        name=name,
        endpoints=(endpoint,),
        policy=_policy(rng) if rng.random() < 0.5 else PolicySettings(),
        breaker=_breaker(rng),
        concurrency=rng.choice((1, 2, 4, 8, 16, 32, 64)),
        weight=rng.choice((0.5, 1.0, 3.0)),
    )


def _policy(rng: random.Random) -> PolicySettings:
    return PolicySettings(
        strategy=rng.choice(
            (
                Strategy.IMMEDIATE,
                Strategy.FIXED,
                Strategy.LINEAR,
                Strategy.EXPONENTIAL,
                Strategy.ADAPTIVE,
            )
        ),
        max_retries=rng.randint(1, 5),
        initial_delay=rng.choice((1.0, 1.0, 2.0, 5.0)),
        multiplier=rng.uniform(1.5, 3.0),
        max_interval=rng.uniform(5.0, 30.0),
        total_timeout=rng.choice((20.0, 60.0, 300.0)),
        timeout_clock="active" if rng.random() < 0.8 else "wall",
        jitter=rng.choice(tuple(JitterKind)),
        max_age=rng.choice((30.0, 120.0, 3_600.0, 86_400.0, 86_400.0)),
        exhausted_while_down="hold" if rng.random() < 0.8 else "dead",
    )


def _breaker(rng: random.Random) -> BreakerSettings:
    settings = BreakerSettings(
        enabled=rng.random() < 0.85,
        consecutive=rng.randint(2, 8),
        failure_rate=rng.uniform(0.3, 0.9),
        window=rng.randint(10, 40),
        open_seconds=rng.uniform(1.0, 6.0),
        open_max_seconds=rng.uniform(6.0, 20.0),
        success_threshold=rng.randint(1, 3),
        ramp_seconds=rng.uniform(0.5, 3.0),
        relapse=rng.randint(1, 3),
        open_policy="queue" if rng.random() < 0.9 else "drop",
    )
    own = random.Random(repr(settings))  # so that the rest of the world stays as it was
    return msgspec.structs.replace(
        settings,
        mode="cusum" if own.random() < 0.75 else "threshold",
        probe_max_seconds=own.choice((5.0, 20.0, 3600.0)),
        calm_seconds=own.uniform(1.0, 60.0),
    )


def _partner(rng: random.Random, span_ms: float, spells: int) -> Partnership:
    timeout_ms = rng.choice((500, 1_000, 3_000))
    return Partnership(
        spells=tuple(_spell(rng, span_ms) for _ in range(spells)),
        dedupes=rng.random() < 0.3,
        pace_ms=rng.choice((5, 20, 100, 400)),
        timeout_ms=timeout_ms,
        patience_ms=rng.choice((2_000, 5_000, 15_000, 15_000, 400_000)),
    )


def _spell(rng: random.Random, span_ms: float) -> Spell:
    trouble = rng.choice(_QUICK if rng.random() < 0.5 else tuple(Trouble))
    start = rng.uniform(0, span_ms * 0.8)
    length = rng.uniform(1_000, 20_000)
    shares = {
        Trouble.DOWN: 1.0,
        Trouble.ENDLESS: 0.1,
        Trouble.GONE: 0.1,
        Trouble.SLOW: 0.5,
        Trouble.LOCKED: 0.5,
    }
    share = shares.get(trouble, rng.uniform(0.1, 0.7))
    return Spell(trouble, start, start + length, share)
