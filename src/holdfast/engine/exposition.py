"""The engine's counters in Prometheus text format, made when somebody scrapes."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from holdfast.engine.dispatcher import Dispatcher
from holdfast.engine.intake import Intake
from holdfast.engine.lanes import Lanes
from holdfast.engine.membership import Membership
from holdfast.engine.meter import LATENCY_BUCKETS_MS, Meter
from holdfast.engine.spooler import Spooler
from holdfast.engine.writer import Writer
from holdfast.model.lane import BreakerState
from holdfast.store import Counts


class Scraped(Protocol):
    """What of an engine is counted."""

    meter: Meter
    intake: Intake
    writer: Writer
    dispatcher: Dispatcher
    lanes: Lanes
    membership: Membership
    counts: dict[str, Counts]
    spooler: Spooler | None

    @property
    def ready(self) -> bool:
        """Tell whether messages are accepted now."""
        ...


class Exposition:
    """A Prometheus collector over a running engine.

    Args:
        engine: what is shown.
    """

    def __init__(self, engine: Scraped) -> None:
        self._engine = engine
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> str:
        """Return the metrics page."""
        return generate_latest(self._registry).decode()

    def collect(self) -> Iterator[Metric]:
        """Yield all metric families."""
        yield from self._totals()
        yield from self._histograms()
        yield from self._lanes()
        yield from self._rules()
        yield from self._spool()

    def _totals(self) -> Iterator[Metric]:
        engine = self._engine
        attempts = CounterMetricFamily(
            "holdfast_attempts", "Tries by what they came to.", labels=("outcome", "failure_class")
        )
        for (outcome, kind), count in engine.meter.attempts.items():
            attempts.add_metric((outcome, kind), count)
        yield attempts
        decisions = CounterMetricFamily(
            "holdfast_decisions", "What was decided after tries.", labels=("action",)
        )
        for action, count in engine.meter.actions.items():
            decisions.add_metric((action,), count)
        yield decisions
        yield _counter("holdfast_messages_accepted", "Messages accepted.", engine.intake.accepted)
        yield _counter("holdfast_messages_duplicate", "Repeats answered.", engine.intake.duplicates)
        yield _counter("holdfast_commits", "Transactions of the writer.", engine.writer.commits)
        yield _gauge("holdfast_unsettled", "Unsettled sends.", engine.dispatcher.unsettled)
        yield _gauge("holdfast_buffered", "Buffered deliveries.", engine.dispatcher.buffered)
        yield _gauge("holdfast_lanes_held", "Lanes that are this worker's.", len(engine.lanes.held))
        slots = engine.dispatcher.slots
        yield _gauge("holdfast_slots", "Sends that may be under way at once now.", slots.open)
        yield _gauge(
            "holdfast_slots_short",
            "1 while max_in_flight sends are under way and more is due.",
            int(slots.short),
        )
        age = engine.membership.lease_age_ms / 1000
        yield _gauge("holdfast_lease_age_seconds", "Since the lease was renewed, 0: none.", age)
        yield _gauge("holdfast_ready", "1 when messages are accepted.", int(engine.ready))

    def _histograms(self) -> Iterator[Metric]:
        meter = self._engine.meter
        yield _histogram(
            "holdfast_send_seconds", "Duration of sends.", meter.latency, meter.latency_sum_ms
        )
        yield _histogram(
            "holdfast_retry_lag_seconds", "From due to send.", meter.lag, meter.lag_sum_ms
        )

    def _spool(self) -> Iterator[Metric]:
        spooler = self._engine.spooler
        if spooler is None:
            return
        state = spooler.state()
        yield _gauge("holdfast_spooling", "1 while messages go into the spool.", int(state.on))
        yield _gauge("holdfast_spool_messages", "Messages in the spool.", state.messages)
        yield _gauge("holdfast_spool_bytes", "Size of the spool.", state.bytes)
        yield _gauge("holdfast_spool_limit_bytes", "Its largest size.", state.limit_bytes)
        yield _gauge(
            "holdfast_spool_since_seconds",
            "When its oldest message came, as a Unix time, 0: it is empty.",
            state.since / 1000,
        )
        yield _gauge("holdfast_spool_kept", "Files of it that a person should see.", state.kept)
        yield _counter("holdfast_spool_drained", "Messages it gave to the store.", state.drained)

    def _rules(self) -> Iterator[Metric]:
        meter = self._engine.meter
        changes = CounterMetricFamily(
            "holdfast_rule_effects", "What rules changed.", labels=("rule", "effect")
        )
        for (rule, effect), count in meter.rules.items():
            changes.add_metric((rule, effect), count)
        yield changes
        failures = CounterMetricFamily(
            "holdfast_rule_failures", "Rules that could not be evaluated.", labels=("rule",)
        )
        for rule, count in meter.rule_failures.items():
            failures.add_metric((rule,), count)
        yield failures

    def _lanes(self) -> Iterator[Metric]:
        labels = ("recipient", "status")
        deliveries = GaugeMetricFamily("holdfast_deliveries", "Deliveries by fate.", labels=labels)
        for name, counts in self._engine.counts.items():
            for status in ("pending", "delivered", "dead", "discarded", "pruned"):
                deliveries.add_metric((name, status), getattr(counts, status))
        yield deliveries
        states = GaugeMetricFamily(
            "holdfast_breaker", "1 for the state the breaker is in.", labels=("recipient", "state")
        )
        for name, lane in self._engine.dispatcher.lanes.items():
            for state in BreakerState:
                states.add_metric((name, state), lane.state.breaker.state is state)
        yield states
        deferred = CounterMetricFamily(
            "holdfast_deferred_by_budget", "Retries that waited for budget.", labels=("recipient",)
        )
        for name, lane in self._engine.dispatcher.lanes.items():
            if lane.budget is not None:
                deferred.add_metric((name,), lane.budget.deferred)
        yield deferred


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _histogram(name: str, text: str, counts: Iterable[int], sum_ms: float) -> Metric:
    buckets, total = [], 0
    bounds = [*(f"{ms / 1000:g}" for ms in LATENCY_BUCKETS_MS), "+Inf"]
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        buckets.append((bound, total))
    family = HistogramMetricFamily(name, text)
    family.add_metric((), buckets=buckets, sum_value=sum_ms / 1000)
    return family
