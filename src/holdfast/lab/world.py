"""One draw of a scenario: when messages arrive and when what goes wrong. The seed decides all.

Every policy meets the same world: arrivals and faults come from streams of randomness that
nothing a policy does can move.
"""

import heapq
import random
from typing import Final

import msgspec

from holdfast.lab.partner import Partner, Span
from holdfast.lab.scenario import Fault, Profile, Scenario

_MINUTE_MS: Final = 60_000


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """One message: `at` in ms from the start, `partner` an index, `poison`: it is never taken."""

    at: int
    partner: int
    poison: bool


class World:
    """What happens to everybody who runs this scenario with this seed.

    Args:
        scenario: the experiment.
        seed: of all randomness.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.profiles = [p for p in scenario.partners for _ in range(p.count)]
        self.names = [
            profile.name if profile.count == 1 else f"{profile.name}-{number:04}"
            for profile in scenario.partners
            for number in range(profile.count)
        ]
        self.spans = [
            _spans(profile, self.stream("faults", name))
            for profile, name in zip(self.profiles, self.names, strict=True)
        ]
        self.arrivals = self._arrivals()
        self.last_ms = self.arrivals[-1].at if self.arrivals else 0
        self.limit_ms = self.last_ms + round(scenario.limit * 1000)

    def stream(self, *words: object) -> random.Random:
        """Return randomness of its own for a purpose: the same for every policy."""
        return random.Random(":".join(map(str, (self.scenario.id, self.seed, *words))))  # noqa: S311  # not for secrets

    def partners(self) -> list[Partner]:
        """Return the partners, new and unspoilt."""
        return [
            Partner(profile, spans, self.stream("answers", name))
            for profile, spans, name in zip(self.profiles, self.spans, self.names, strict=True)
        ]

    def _arrivals(self) -> list[Arrival]:
        streams = []
        index = 0
        for profile in self.scenario.partners:
            for number in range(profile.count):
                share = (number + 1) ** -profile.zipf
                rng = self.stream("arrivals", self.names[index])
                streams.append(_arrivals(profile, index, share, self.spans[index], rng))
                index += 1
        return list(heapq.merge(*streams, key=lambda arrival: arrival.at))


def _arrivals(
    profile: Profile, index: int, share: float, spans: list[Span], rng: random.Random
) -> list[Arrival]:
    """Draw Poisson arrivals at the profile's rates."""
    found = []
    windows = _windows(profile, spans)
    begin = 0.0
    for seconds, rate in profile.rates:
        for low, high in windows:
            at, end = max(begin, low), min(begin + seconds, high)
            while rate * share > 0 and (at := at + rng.expovariate(rate * share)) < end:
                poison = profile.poison is not None and rng.random() < profile.poison.share
                found.append(Arrival(round(at * 1000), index, poison))
        begin += seconds
    found.sort(key=lambda arrival: arrival.at)
    return found


def _windows(profile: Profile, spans: list[Span]) -> list[tuple[float, float]]:
    """Return the seconds in which messages arrive: all, or those around faults, joined."""
    lead = profile.around_faults
    if not lead:
        return [(0.0, profile.seconds)]
    joined: list[tuple[float, float]] = []
    for span in spans:
        begin, end = span.begin / 1000, span.end / 1000
        low, high = max(0.0, begin - lead), end + max(lead, end - begin)
        if joined and low <= joined[-1][1]:
            low = joined.pop()[0]
        joined.append((low, high))
    return joined


def _spans(profile: Profile, rng: random.Random) -> list[Span]:
    """Draw every fault of a partner, in order; one that would overlap the one before is cut."""
    drawn = [span for fault in profile.faults for span in _drawn(fault, rng)]
    drawn.sort(key=lambda span: span.begin)
    spans: list[Span] = []
    for span in drawn:
        begin = max(span.begin, spans[-1].end + 1) if spans else span.begin
        if begin < span.end:
            spans.append(msgspec.structs.replace(span, begin=begin))
    return spans


def _drawn(fault: Fault, rng: random.Random) -> list[Span]:
    begin, end = fault.at, fault.at + fault.seconds
    if fault.every:
        return _random_outages(fault, begin, end, rng)
    if fault.up or fault.down:
        return _flapping(fault, begin, end, rng)
    if fault.kind == "brownout":
        return [
            Span(at, min(at + _MINUTE_MS, round(end * 1000)), fault, rng.uniform(*fault.errors))
            for at in range(round(begin * 1000), round(end * 1000), _MINUTE_MS)
        ]
    return [Span(round(begin * 1000), round(end * 1000), fault)]


def _random_outages(fault: Fault, at: float, end: float, rng: random.Random) -> list[Span]:
    """Draw outages that last as long as a Lomax law says."""
    spans = []
    while (at := at + rng.expovariate(1 / fault.every)) < end:
        lasts = fault.scale * (rng.paretovariate(fault.shape) - 1)
        spans.append(Span(round(at * 1000), round((at + lasts) * 1000) + 1, fault))
        at += lasts
    return spans


def _flapping(fault: Fault, at: float, end: float, rng: random.Random) -> list[Span]:
    spans = []
    while at < end:
        down, up = fault.down, fault.up
        if fault.random:
            down, up = rng.expovariate(1 / down), rng.expovariate(1 / up)
        spans.append(Span(round(at * 1000), round(min(end, at + down) * 1000) + 1, fault))
        at += down + up
    return spans
