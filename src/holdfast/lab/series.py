"""A run over time, thinned out for drawing."""

import bisect
from typing import Final

import msgspec

from holdfast.lab.partner import Partner
from holdfast.lab.trace import Trace

POINTS: Final = 300


class Series(msgspec.Struct, frozen=True):
    """What the first partner of a run saw. All lists have the same length.

    Attributes:
        at: seconds from the start.
        capacity: requests per second that it takes at most: capacity and quota.
        offered: most requests in one second since the point before.
        waiting: messages that have arrived and are neither delivered nor given up.
        wasted: failed sends so far.
    """

    at: list[float]
    capacity: list[float]
    offered: list[float]
    waiting: list[int]
    wasted: list[int]


def series(trace: Trace) -> Series:
    """Return the series of a run, from its start to its last arrival."""
    world, partner = trace.world, trace.partners[0]
    end = max(1, world.last_ms // 1000 + 1)
    step = max(1, -(-end // POINTS))
    mine = [number for number, arrival in enumerate(world.arrivals) if arrival.partner == 0]
    arrived = [world.arrivals[number].at for number in mine]
    ended = sorted(at for n in mine if (at := max(trace.delivered[n], trace.dead[n])) >= 0)
    found = Series([], [], [], [], [])
    wasted = 0
    for first in range(0, end, step):
        seconds = range(first, first + step)
        now = (first + step) * 1000
        wasted += sum(partner.failed.get(second, 0) for second in seconds)
        found.at.append(float(first))
        found.capacity.append(_takes(partner, first * 1000))
        found.offered.append(float(max(partner.offered.get(second, 0) for second in seconds)))
        found.waiting.append(bisect.bisect_left(arrived, now) - bisect.bisect_left(ended, now))
        found.wasted.append(wasted)
    return found


def _takes(partner: Partner, now: int) -> float:
    capacity, quota = partner.capacity(now), partner.profile.quota
    return capacity if quota is None else min(capacity, quota.rate)
