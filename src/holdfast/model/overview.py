"""How the whole worker does: now, and over the last hour."""

import msgspec


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in one stretch of time.

    Attributes:
        at: its end, ms since the epoch.
        span_ms: its length.
        accepted: messages that came in.
        outcomes: tries by what they came to (success, failure, error, skip).
        failures: tries that went wrong, by failure class.
        latency: sends per bucket of `engine.meter.LATENCY_BUCKETS_MS`, the last one above all.
    """

    at: int
    span_ms: int
    accepted: int = 0
    outcomes: dict[str, int] = {}
    failures: dict[str, int] = {}
    latency: tuple[int, ...] = ()


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the last minutes.

    Attributes:
        minutes: the length that was asked for.
        covered_ms: how much of it was seen; less after a start.
        accepted: messages that came in.
        tries: sends; gates that skipped a try are not among them.
        successes: tries that arrived.
        failures: tries that did not, by failure class.
        p50_ms: half of the sends were faster, None: none were seen.
        p95_ms: 95 of 100 sends were faster, None: none were seen.
    """

    minutes: int
    covered_ms: int
    accepted: int
    tries: int
    successes: int
    failures: dict[str, int]
    p50_ms: float | None
    p95_ms: float | None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a plot: sums and latency of a stretch that ends at `at` (ms)."""

    at: int
    span_ms: int
    accepted: int
    tries: int
    successes: int
    p50_ms: float | None
    p95_ms: float | None


class Spooling(msgspec.Struct, frozen=True, kw_only=True):
    """The spool of one worker: the journal that takes messages while the store is away.

    Attributes:
        on: the store is away: new messages go into the spool.
        messages: what is in it, and not in the store.
        bytes: its size ...
        limit_bytes: ... and how large it may be.
        since: acceptance of the oldest message in it, ms since the epoch; 0: it is empty.
        drained: messages that went from it into the store since the start.
        kept: files that hold something that could not be read, or that the store refused.
        place: its folder.
        refusal: why it takes nothing, None: it does.
    """

    on: bool
    messages: int
    bytes: int
    limit_bytes: int
    since: int
    drained: int
    kept: int
    place: str
    refusal: str | None


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """One worker as it stands. Shares are 0-1, sizes bytes, instants ms since the epoch.

    Attributes:
        id: its name in the store: the epoch of its ownership.
        started_at: when it became the owner.
        epoch: raised by every new owner.
        clean: whether the owner before it had ended in good order.
        ready: whether messages are accepted.
        held: what keeps all lanes from sending, None: nothing.
        slots: most unsettled sends.
        in_flight: unsettled sends.
        buffered: deliveries in memory.
        lanes: lanes it has made.
        commits: transactions since start.
        cpu: share of the machine's CPU time.
        memory: share of the machine's memory.
        load: one-minute load average per core.
        disk: share of the disk that is used.
        process_memory: of this process.
        spool: its spool, None: it has none.
    """

    id: str
    started_at: int
    epoch: int
    clean: bool
    ready: bool
    held: str | None
    slots: int
    in_flight: int
    buffered: int
    lanes: int
    commits: int
    cpu: float
    memory: float
    load: float
    disk: float
    process_memory: int
    spool: Spooling | None = None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The whole at a glance.

    Attributes:
        at: now, ms since the epoch.
        active: sends under way.
        depth: deliveries that wait or are in flight.
        by_priority: the same by priority class (high, normal, low).
        oldest_due_ms: how long the oldest buffered delivery has been due.
        lanes: number of lanes by the state of their breaker.
        windows: sums over the last 1, 5, 15 and 60 minutes.
        points: the last hour, oldest first.
        workers: who sends.
    """

    at: int
    active: int
    depth: int
    by_priority: dict[str, int]
    oldest_due_ms: int
    lanes: dict[str, int]
    windows: tuple[Window, ...]
    points: tuple[Point, ...]
    workers: tuple[WorkerState, ...]
