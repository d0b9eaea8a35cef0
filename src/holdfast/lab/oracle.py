"""The best that is possible (O): it knows when the partner is up and how much it can take.

Each message is sent once, in order of arrival, at the earliest instant that the partner's
capacity and quota allow. Errors that nobody can foresee (a brown-out's) do not meet it.
"""

from holdfast.lab.partner import Partner
from holdfast.lab.trace import Trace
from holdfast.lab.world import World

_STEP_MS = 1000


def run(world: World) -> Trace:
    """Return the trace of the oracle."""
    partners = world.partners()
    trace = Trace(world, partners)
    free = [0.0] * len(partners)
    for number, arrival in enumerate(world.arrivals):
        partner = partners[arrival.partner]
        at = _up(partner, max(float(arrival.at), free[arrival.partner]))
        if arrival.poison or at > world.limit_ms:
            trace.dead[number] = arrival.at
            continue
        free[arrival.partner] = _next(partner, at)
        second = int(at) // 1000
        partner.offered[second] = partner.offered.get(second, 0) + 1
        trace.sends[number] = 1
        trace.delivered[number] = round(at + partner.profile.latency * 1000)
    return trace


def _up(partner: Partner, at: float) -> float:
    """Return the first instant from `at` on that is not in an outage."""
    while (span := partner.dead(int(at))) is not None:
        at = float(span.end)
    return at


def _next(partner: Partner, at: float) -> float:
    """Return when the next request fits after one at `at`."""
    room = 1.0
    while True:
        rate = partner.capacity(int(at)) - partner.profile.others
        if partner.profile.quota is not None:
            rate = min(rate, partner.profile.quota.rate)
        if rate > 0 and room * 1000 / rate <= _STEP_MS:
            return at + room * 1000 / rate
        room -= max(0.0, rate) * _STEP_MS / 1000
        at += _STEP_MS
