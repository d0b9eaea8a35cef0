"""Reads the figures of algorithms 4.3 off a trace. None: the figure means nothing here."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from holdfast.lab.partner import Partner, Span
from holdfast.lab.trace import Trace

HOUR_S: Final = 3600
REJECTED: Final = 0.05
"""A partner is not well again while more than this share is rejected."""
WEIGHTS: Final = {"cost_attempts_dear": 100.0, "cost_balanced": 20.0, "cost_delay_dear": 5.0}
"""What a wasted send costs, in seconds of unnoticed recovery (algorithms 3.6)."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One run in numbers.

    Attributes:
        recovered: share of the messages that were delivered.
        tts_p50_s: median time from the recovery to success, for what arrived while down ...
        tts_p99_s: ... and its 99th percentile.
        drain: the oracle's `tts_p99_s` divided by this one.
        wasted_per_message: failed sends by messages.
        wasted_per_outage: failed sends during outages and in the hour after, by outages.
        knocks_per_second: sends per second of outage.
        peak: most sends in one second by the capacity, in the hour after an outage.
        unwell_s: seconds from the recovery to the last second with over 5 % rejected.
        goodput: deliveries from the first fault to the end of the last by the oracle's.
        collateral_p99_s: delay of messages to partners without faults, where others have some.
        limited: share of sends answered 429.
        quota_used: deliveries by what the quota allows, while more arrives than it allows.
        false_trips: breakers opened without an outage or brown-out, per 100,000 sends.
        detect_s: mean seconds from the start of an outage until a breaker opened.
        sends_of_dead: median sends of the messages that were given up.
        false_dead: share of takeable messages that were given up.
        cost_attempts_dear: mean cost of an outage when a failed send counts as 100 s ...
        cost_balanced: ... 20 s ...
        cost_delay_dear: ... or 5 s of a recovery that nobody has noticed.
    """

    recovered: float
    tts_p50_s: float | None = None
    tts_p99_s: float | None = None
    drain: float | None = None
    wasted_per_message: float = 0.0
    wasted_per_outage: float | None = None
    knocks_per_second: float | None = None
    peak: float | None = None
    unwell_s: float | None = None
    goodput: float | None = None
    collateral_p99_s: float | None = None
    limited: float | None = None
    quota_used: float | None = None
    false_trips: float | None = None
    detect_s: float | None = None
    sends_of_dead: float | None = None
    false_dead: float = 0.0
    cost_attempts_dear: float | None = None
    cost_balanced: float | None = None
    cost_delay_dear: float | None = None


def measure(trace: Trace, oracle: Trace) -> Figures:
    """Return the figures of a run; `oracle` ran in the same world."""
    waits, best = _waits(trace), _waits(oracle)
    p99 = _percentile(waits, 0.99)
    best_p99 = _percentile(best, 0.99)
    count = max(1, len(trace.delivered))
    failed = sum(sum(partner.failed.values()) for partner in trace.partners)
    lost = len(trace.delivered) - sum(at >= 0 for at in trace.delivered)
    return Figures(
        recovered=1 - lost / count,
        tts_p50_s=_percentile(waits, 0.5),
        tts_p99_s=p99,
        drain=best_p99 / p99 if p99 and best_p99 is not None and not _lost_down(trace) else None,
        wasted_per_message=failed / count,
        peak=_peak(trace),
        unwell_s=_unwell(trace),
        goodput=_goodput(trace, oracle),
        collateral_p99_s=_collateral(trace),
        **_outage_figures(trace),
        **_quota_figures(trace),
        **_breaker_figures(trace),
        **_dead_figures(trace),
    )


def outages(trace: Trace) -> Iterator[tuple[int, Partner, Span]]:
    """Yield (index of the partner, partner, outage) of all outages that ended in the run."""
    for index, partner in enumerate(trace.partners):
        for span in partner.spans:
            if span.fault.kind == "outage" and span.end <= trace.world.limit_ms:
                yield index, partner, span


def _arrived_down(trace: Trace) -> Iterator[tuple[int, Span]]:
    """Yield (message, outage) of what arrived while its partner was down."""
    for number, arrival in enumerate(trace.world.arrivals):
        span = trace.partners[arrival.partner].dead(arrival.at)
        if span is not None and span.fault.kind == "outage":
            yield number, span


def _waits(trace: Trace) -> list[float]:
    """Return the sorted seconds from recovery to success."""
    return sorted(
        (trace.delivered[number] - span.end) / 1000
        for number, span in _arrived_down(trace)
        if trace.delivered[number] >= 0
    )


def _lost_down(trace: Trace) -> bool:
    """Tell whether over 1 % of what arrived while down never came through: no p99 then."""
    found = [trace.delivered[number] < 0 for number, _ in _arrived_down(trace)]
    return sum(found) > 0.01 * len(found)


def _percentile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    return values[min(len(values) - 1, int(share * len(values)))]


def _sum(counts: dict[int, int], begin_ms: int, end_ms: int) -> int:
    """Return how many were counted in the seconds of a span, the last one not included."""
    first, last = begin_ms // 1000, max(begin_ms // 1000 + 1, end_ms // 1000)
    if last - first > len(counts):
        return sum(count for second, count in counts.items() if first <= second < last)
    return sum(counts.get(second, 0) for second in range(first, last))


def _hour_after(partner: Partner, span: Span) -> range:
    """Return the seconds after an outage: an hour, or until the next fault."""
    first = span.end // 1000 + 1
    later = [other.begin // 1000 for other in partner.spans if other.begin >= span.end]
    return range(first, min([first + HOUR_S, *later]))


def _peak(trace: Trace) -> float | None:
    peaks = [
        max((partner.offered.get(s, 0) for s in _hour_after(partner, span)), default=0)
        / partner.profile.capacity
        for _, partner, span in outages(trace)
    ]
    return max(peaks, default=None)


def _unwell(trace: Trace) -> float | None:
    found = []
    for _, partner, span in outages(trace):
        last = span.end // 1000
        for second in _hour_after(partner, span):
            rejected = partner.rejected.get(second, 0)
            if rejected > REJECTED * partner.offered.get(second, 0):
                last = second
        found.append(float(last - span.end // 1000))
    return max(found, default=None)


def _outage_figures(trace: Trace) -> dict[str, float]:
    """Count what outages cost: sends that fail, and time until somebody notices the end."""
    known = list(outages(trace))
    if not known:
        return {}
    firsts = _noticed(trace, known)
    wasted = knocks = seconds = 0
    for _, partner, span in known:
        after = _hour_after(partner, span)
        wasted += _sum(partner.failed, span.begin, after.stop * 1000)
        knocks += _sum(partner.offered, span.begin, span.end)
        seconds += span.end - span.begin
    late = sum(firsts) / len(known)
    costs = {name: weight * wasted / len(known) + late for name, weight in WEIGHTS.items()}
    return {
        "wasted_per_outage": wasted / len(known),
        "knocks_per_second": knocks * 1000 / max(1, seconds),
        **costs,
    }


def _noticed(trace: Trace, known: list[tuple[int, Partner, Span]]) -> Iterable[float]:
    """Return the seconds from each recovery to the first success, at most until the next fault."""
    by_partner: dict[int, list[int]] = {}
    for number, arrival in enumerate(trace.world.arrivals):
        if trace.delivered[number] >= 0:
            by_partner.setdefault(arrival.partner, []).append(trace.delivered[number])
    for times in by_partner.values():
        times.sort()
    for index, partner, span in known:
        until = next((s.begin for s in partner.spans if s.begin >= span.end), span.end + 86_400_000)
        later = (at for at in by_partner.get(index, ()) if at >= span.end)
        yield (min(next(later, until), until) - span.end) / 1000


def _goodput(trace: Trace, oracle: Trace) -> float | None:
    """Compare what is delivered while faults last with the oracle's."""
    ours = best = 0
    for index, partner in enumerate(trace.partners):
        if not partner.spans:
            continue
        begin, end = partner.spans[0].begin, partner.spans[-1].end
        ours += _delivered(trace, index, begin, end)
        best += _delivered(oracle, index, begin, end)
    return ours / best if best else None


def _delivered(trace: Trace, partner: int, begin: int, end: int) -> int:
    pairs = zip(trace.world.arrivals, trace.delivered, strict=True)
    return sum(arrival.partner == partner and begin <= at < end for arrival, at in pairs)


def _collateral(trace: Trace) -> float | None:
    """Return the p99 of the healthy partners' delays, where there are ill ones."""
    ill = [bool(partner.spans) for partner in trace.partners]
    if all(ill) or not any(ill):
        return None
    delays = sorted(
        (at - arrival.at) / 1000
        for arrival, at in zip(trace.world.arrivals, trace.delivered, strict=True)
        if at >= 0 and not ill[arrival.partner]
    )
    return _percentile(delays, 0.99)


def _quota_figures(trace: Trace) -> dict[str, float]:
    limited = [partner for partner in trace.partners if partner.profile.quota is not None]
    sends = sum(sum(partner.offered.values()) for partner in limited)
    if not sends:
        return {}
    found = {"limited": sum(sum(p.limited.values()) for p in limited) / sends}
    allowed = used = 0.0
    for index, partner in enumerate(trace.partners):
        quota, (seconds, rate) = partner.profile.quota, partner.profile.rates[0]
        if quota is not None and rate > quota.rate:
            allowed += quota.rate * seconds
            used += _delivered(trace, index, 0, round(seconds * 1000))
    if allowed:
        found["quota_used"] = used / allowed
    return found


def _breaker_figures(trace: Trace) -> dict[str, float]:
    """Tell how soon a breaker saw an outage, and how often it saw one that was none."""
    false = 0
    seen: dict[tuple[int, int], int] = {}
    for at, index in trace.opened:
        span = trace.partners[index].fault(at)
        if span is None or span.fault.kind == "slow":
            false += not _just_over(trace.partners[index], at)
        elif span.fault.kind == "outage":
            seen.setdefault((index, span.begin), at - span.begin)
    if not trace.opened:
        return {}
    sends = sum(trace.sends)
    found = {"false_trips": false * 1e5 / max(1, sends)}
    if seen:
        found["detect_s"] = statistics.mean(seen.values()) / 1000
    return found


def _just_over(partner: Partner, at: int) -> bool:
    """Tell whether a fault ended within the hour before: a relapse is no false alarm."""
    return any(span.end <= at < span.end + HOUR_S * 1000 for span in partner.spans)


def _dead_figures(trace: Trace) -> dict[str, float]:
    sends, false, takeable = [], 0, 0
    for number, arrival in enumerate(trace.world.arrivals):
        faults = trace.partners[arrival.partner].profile.faults
        fine = not arrival.poison and all(fault.kind != "refuse" for fault in faults)
        takeable += fine
        if trace.dead[number] >= 0:
            sends.append(trace.sends[number])
            false += fine
    found = {"false_dead": false / max(1, takeable)}
    if sends:
        found["sends_of_dead"] = float(statistics.median(sends))
    return found
