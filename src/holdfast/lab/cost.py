"""What outages cost: sends that fail, and messages that wait although the partner is back.

The price of a failed send is given in seconds of waiting of one message (algorithms 3.6). A
message that arrived while the partner was down waits from the recovery to its delivery, however
the policy spends that time: not having noticed, draining, or sitting in a schedule.
"""

import statistics
from collections.abc import Iterator
from typing import Final

import msgspec

from holdfast.lab.partner import Partner, Span
from holdfast.lab.trace import Trace
from holdfast.model.policy import BreakerSettings

HOUR_S: Final = 3600
WEIGHTS: Final = {"cost_attempts_dear": 100.0, "cost_balanced": 20.0, "cost_delay_dear": 5.0}
"""What a failed send costs, in seconds of waiting."""
LEARNED: Final = 10
"""From so many outages of all partners on a policy can have learned how long they last ..."""
FEW: Final = 3
"""... but of a partner with no more than so many it knows little."""
SEEN_S: Final = 2
"""In the first seconds of an outage a lane learns of it: its later sends are probes."""
_LOST_S: Final = 72 * 3600.0
"""A message that never comes through waits for so long."""


class Outage(msgspec.Struct):
    """One outage of a run.

    Attributes:
        index: of the partner.
        number: of the partner's outages before it.
        span: when it was.
        wasted: sends that failed during it and in the hour after.
        knocks: sends during it ...
        probes: ... and those after its first two seconds.
        waiting: messages that arrived while down ...
        waited_s: ... and their seconds from the recovery to success.
        late_s: seconds from the recovery to the first success; at most until the next fault.
    """

    index: int
    number: int
    span: Span
    wasted: int = 0
    knocks: int = 0
    probes: int = 0
    waiting: int = 0
    waited_s: float = 0.0
    late_s: float = 0.0


def figures(trace: Trace) -> dict[str, float]:
    """Return what outages cost on average; nothing where there are none."""
    known = outages(trace)
    if not known:
        return {}
    found = {name: _mean(known, price) for name, price in WEIGHTS.items()}
    if later := known[LEARNED:]:
        found["probing_learned"] = _probing(later)
    if new := [each for each in later if each.number < FEW]:
        found["probing_new"] = _probing(new)
    if waited := [each.late_s for each in known if each.waiting]:
        found["late_s"] = statistics.mean(waited)
    seconds = sum(each.span.end - each.span.begin for each in known) / 1000
    lengths = (each.span.end - each.span.begin - 1000 * SEEN_S for each in known)
    looked = sum(max(0, length) for length in lengths) / 1000
    return found | {
        "wasted_per_outage": statistics.mean(each.wasted for each in known),
        "knocks_per_second": sum(each.knocks for each in known) / max(1.0, seconds),
        "probes_per_second": sum(each.probes for each in known) / max(1.0, looked),
    }


def outages(trace: Trace) -> list[Outage]:
    """Return all outages that ended in the run, in order of time."""
    found = []
    for index, partner in enumerate(trace.partners):
        ended = (
            span
            for span in partner.spans
            if span.fault.kind == "outage" and span.end <= trace.world.limit_ms
        )
        found += [Outage(index, number, span) for number, span in enumerate(ended)]
    found.sort(key=lambda each: each.span.begin)
    _count_sends(trace, found)
    _count_waiting(trace, found)
    _find_first(trace, found)
    return found


def arrived_down(trace: Trace) -> Iterator[tuple[int, Span]]:
    """Yield (message, outage) of what arrived while its partner was down."""
    for number, arrival in enumerate(trace.world.arrivals):
        span = trace.partners[arrival.partner].dead(arrival.at)
        if span is not None and span.fault.kind == "outage":
            yield number, span


def hour_after(partner: Partner, span: Span) -> range:
    """Return the seconds after an outage: an hour, or until the next fault."""
    first = span.end // 1000 + 1
    later = [other.begin // 1000 for other in partner.spans if other.begin >= span.end]
    return range(first, min([first + HOUR_S, *later]))


def _mean(known: list[Outage], price: float) -> float:
    return statistics.mean(price * each.wasted + each.waited_s for each in known)


def _probing(known: list[Outage]) -> float:
    """Return what a lane's prober is judged by (algorithms 3.6): looks, and not having looked."""
    price = BreakerSettings().probe_cost  # what Holdfast and the one who knows the law optimise
    return statistics.mean(price * each.knocks + each.waiting * each.late_s for each in known)


def _count_sends(trace: Trace, known: list[Outage]) -> None:
    for each in known:
        partner, span = trace.partners[each.index], each.span
        each.wasted = _sum(partner.failed, span.begin, hour_after(partner, span).stop * 1000)
        each.knocks = _sum(partner.offered, span.begin, span.end)
        seen = _sum(partner.offered, span.begin, span.begin + 1000 * SEEN_S)
        each.probes = each.knocks - seen


def _count_waiting(trace: Trace, known: list[Outage]) -> None:
    by_span = {(each.index, each.span.begin): each for each in known}
    for number, span in arrived_down(trace):
        each = by_span.get((trace.world.arrivals[number].partner, span.begin))
        if each is not None:
            at = trace.delivered[number]
            each.waiting += 1
            each.waited_s += (at - span.end) / 1000 if at >= 0 else _LOST_S


def _find_first(trace: Trace, known: list[Outage]) -> None:
    by_partner: dict[int, list[int]] = {}
    for number, arrival in enumerate(trace.world.arrivals):
        if trace.delivered[number] >= 0:
            by_partner.setdefault(arrival.partner, []).append(trace.delivered[number])
    for times in by_partner.values():
        times.sort()
    for each in known:
        end, spans = each.span.end, trace.partners[each.index].spans
        until = next((s.begin for s in spans if s.begin >= end), end + 86_400_000)
        later = (at for at in by_partner.get(each.index, ()) if at >= end)
        each.late_s = (min(next(later, until), until) - end) / 1000


def _sum(counts: dict[int, int], begin_ms: int, end_ms: int) -> int:
    """Return how many were counted in the seconds of a span, the last one not included."""
    first, last = begin_ms // 1000, max(begin_ms // 1000 + 1, end_ms // 1000)
    if last - first > len(counts):
        return sum(count for second, count in counts.items() if first <= second < last)
    return sum(counts.get(second, 0) for second in range(first, last))
