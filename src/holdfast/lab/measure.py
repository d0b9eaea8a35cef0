"""Reads the figures of algorithms 4.3 off a trace. None: the figure means nothing here."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from holdfast.lab import cost
from holdfast.lab.partner import Partner, Span
from holdfast.lab.trace import Trace

REJECTED: Final = 0.05
"""A partner is not well again while more than this share is rejected."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One run in numbers.

    Attributes:
        recovered: share of the messages that were delivered.
        tts_p50_s: median time from the recovery to success, for what arrived while down ...
        tts_p99_s: ... and its 99th percentile.
        drain: the oracle's `tts_p99_s` divided by this one.
        wasted_per_message: failed sends by messages.
        wasted_per_outage: failed sends during outages and in the hour after, by outages.
        knocks_per_second: sends per second of outage ...
        probes_per_second: ... and without its first two seconds, in which it is noticed.
        peak: most sends in one second by the capacity, in the hour after an outage.
        unwell_s: seconds from the recovery to the last second with over 5 % rejected.
        goodput: deliveries from the first fault to the end of the last by the oracle's, where
            something can be delivered then.
        collateral_p99_s: delay of messages to partners without faults, where others have some.
        limited: share of sends answered 429.
        quota_used: deliveries by what the quota allows, while more arrives than it allows.
        false_trips: breakers opened without an outage or brown-out, per 100,000 sends.
        detect_s: mean seconds from the start of an outage until a breaker opened.
        sends_of_lost: median sends of the messages that were sent and never delivered.
        false_dead: share of takeable messages that were given up.
        late_s: mean seconds from a recovery to the first success, where something waited.
        cost_attempts_dear: mean cost of an outage in seconds of waiting of a message, when a
            failed send counts as 100 of them ...
        cost_balanced: ... 20 ...
        cost_delay_dear: ... or 5.
        probing_learned: mean cost of probing, without the first ten outages of all partners: 20
            for every send during the outage, and the wait until the first success for every
            message that arrived while down ...
        probing_new: ... and of these only the first three of each partner.
    """

    recovered: float
    tts_p50_s: float | None = None
    tts_p99_s: float | None = None
    drain: float | None = None
    wasted_per_message: float = 0.0
    wasted_per_outage: float | None = None
    knocks_per_second: float | None = None
    probes_per_second: float | None = None
    peak: float | None = None
    unwell_s: float | None = None
    goodput: float | None = None
    collateral_p99_s: float | None = None
    limited: float | None = None
    quota_used: float | None = None
    false_trips: float | None = None
    detect_s: float | None = None
    sends_of_lost: float | None = None
    false_dead: float = 0.0
    late_s: float | None = None
    cost_attempts_dear: float | None = None
    cost_balanced: float | None = None
    cost_delay_dear: float | None = None
    probing_learned: float | None = None
    probing_new: float | None = None


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
        **cost.figures(trace),
        **_quota_figures(trace),
        **_breaker_figures(trace),
        **_dead_figures(trace),
    )


def _waits(trace: Trace) -> list[float]:
    """Return the sorted seconds from recovery to success."""
    return sorted(
        (trace.delivered[number] - span.end) / 1000
        for number, span in cost.arrived_down(trace)
        if trace.delivered[number] >= 0
    )


def _lost_down(trace: Trace) -> bool:
    """Tell whether over 1 % of what arrived while down never came through: no p99 then."""
    found = [trace.delivered[number] < 0 for number, _ in cost.arrived_down(trace)]
    return sum(found) > 0.01 * len(found)


def _percentile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    return values[min(len(values) - 1, int(share * len(values)))]


def _ended(trace: Trace) -> Iterator[tuple[Partner, Span]]:
    for partner in trace.partners:
        for span in partner.spans:
            if span.fault.kind == "outage" and span.end <= trace.world.limit_ms:
                yield partner, span


def _peak(trace: Trace) -> float | None:
    peaks = [
        max((partner.offered.get(s, 0) for s in cost.hour_after(partner, span)), default=0)
        / partner.profile.capacity
        for partner, span in _ended(trace)
    ]
    return max(peaks, default=None)


def _unwell(trace: Trace) -> float | None:
    found = []
    for partner, span in _ended(trace):
        last = span.end // 1000
        for second in cost.hour_after(partner, span):
            rejected = partner.rejected.get(second, 0)
            if rejected > REJECTED * partner.offered.get(second, 0):
                last = second
        found.append(float(last - span.end // 1000))
    return max(found, default=None)


def _goodput(trace: Trace, oracle: Trace) -> float | None:
    """Compare what is delivered while faults last with the oracle's."""
    ours = best = 0
    for index, partner in enumerate(trace.partners):
        if not _serves(partner):
            continue
        begin, end = partner.spans[0].begin, partner.spans[-1].end
        ours += _delivered(trace, index, begin, end)
        best += _delivered(oracle, index, begin, end)
    return ours / best if best else None


def _serves(partner: Partner) -> bool:
    """Tell whether something gets through between the first fault and the last."""
    kinds = {span.fault.kind for span in partner.spans}
    return len(partner.spans) > 1 or bool(kinds - {"outage", "refuse"})


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
            allowed += quota.burst + quota.rate * seconds
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
    return any(span.end <= at < span.end + cost.HOUR_S * 1000 for span in partner.spans)


def _dead_figures(trace: Trace) -> dict[str, float]:
    sends, false, takeable = [], 0, 0
    for number, arrival in enumerate(trace.world.arrivals):
        faults = trace.partners[arrival.partner].profile.faults
        fine = not arrival.poison and all(fault.kind != "refuse" for fault in faults)
        takeable += fine
        if trace.delivered[number] < 0 < trace.sends[number]:
            sends.append(trace.sends[number])
        if trace.dead[number] >= 0:
            false += fine
    found = {"false_dead": false / max(1, takeable)}
    if sends:
        found["sends_of_lost"] = float(statistics.median(sends))
    return found
