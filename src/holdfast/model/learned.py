"""What a lane has learned of its recipient, and how it is paced: values that outlive the owner."""

import msgspec

EDGES_MS = tuple(
    1000 * seconds
    for seconds in (
        1,
        3,
        10,
        30,
        60,
        180,
        600,
        1800,
        3600,
        3 * 3600,
        10 * 3600,
        86_400,
        3 * 86_400,
    )
)
"""Where one bin of an outage's age ends and the next begins, in ms (algorithms 3.5)."""
BINS = len(EDGES_MS) + 1


class Tally(msgspec.Struct, frozen=True, gc=False):
    """Outages of one failure class, by bins of their age; forgotten by half in 30 days.

    Attributes:
        ended: outages that ended in each bin (shares: an end is known up to an interval).
        exposed: seconds spent down in each bin.
        gone: outages that never ended by waiting.
        at: when the numbers were last aged, ms since the epoch.
    """

    ended: tuple[float, ...] = (0.0,) * BINS
    exposed: tuple[float, ...] = (0.0,) * BINS
    gone: float = 0.0
    at: int = 0


HOURS = 24
TRIES = 10
"""Retries of a delivery that are told apart."""


class Habits(msgspec.Struct, frozen=True, gc=False):
    """What is usual at each hour of the day and for each further try; `policy.habits`.

    Attributes:
        days: how many days are known of each hour (UTC), older ones fading.
        bad: sum of the shares of sends that failed on these days.
        tries: how many first, second ... retries were made, older ones fading ...
        good: ... and how many of them succeeded.
    """

    days: tuple[float, ...] = (0.0,) * HOURS
    bad: tuple[float, ...] = (0.0,) * HOURS
    tries: tuple[float, ...] = (0.0,) * TRIES
    good: tuple[float, ...] = (0.0,) * TRIES


class Learned(msgspec.Struct, frozen=True, gc=False):
    """What a lane knows of its recipient.

    Attributes:
        calls: sends that say something about the recipient, older ones fading out.
        failures: how many of them failed.
        typical_ms: mean duration of a good answer (0: unknown).
        tail_ms: about the 99th percentile of it (0: unknown).
        pace: good answers per second of late (0: unknown).
        outages: tallies by failure class.
        outage_class: class of the outage that goes on, None: none does.
        outage_at: when it began.
        failed_at: its latest failure.
        relapses: outages in a row that followed a recovery within ten minutes.
        recovered_at: end of the outage before.
        took: after a relapse, the good answers per second of the recovery it ended (0: none).
        habits: hours of the day and further tries.
    """

    calls: float = 0.0
    failures: float = 0.0
    typical_ms: float = 0.0
    tail_ms: float = 0.0
    pace: float = 0.0
    outages: dict[str, Tally] = {}
    outage_class: str | None = None
    outage_at: int = 0
    failed_at: int = 0
    relapses: int = 0
    recovered_at: int = 0
    took: float = 0.0
    habits: Habits = Habits()


class Pace(msgspec.Struct, frozen=True, gc=False):
    """How fast a lane may send while it is paced; `policy.pacer` holds the rules.

    Attributes:
        rate: sends per second.
        limit: sends at once.
        before: sends per second before the trouble (0: unknown).
        top: rate at the latest cut (CUBIC's w_max).
        slow_start: the rate still doubles.
        cause: what started it: `outage`, `failures` or `limit`.
        cut_at: latest cut, or the end of the slow start.
        since: start of the present window.
        sent: sends of the window.
        good: good answers of the window.
        bad: rejections and timeouts of the window.
        row: bad ones in a row at its end.
        waited_ms: sum of the window's good durations.
        accepted: good answers per second, smoothed over windows.
        calm_at: since when the conditions for the end hold (0: they do not).
        cuts: cuts that were not made good by rises since.
        failing_at: share of sends that failed before the first of the cuts ...
        rate_at: ... and the rate then.
        tried: answers to sends after the cuts, the latest cut's counting most ...
        failed: ... and how many of them were bad.
        own: share of failures that the partner has at any rate.
        lost: bad answers in a row, whenever they were sent.
    """

    rate: float
    limit: float
    before: float = 0.0
    top: float = 0.0
    slow_start: bool = True
    cause: str = "outage"
    cut_at: int = 0
    since: int = 0
    sent: int = 0
    good: int = 0
    bad: int = 0
    row: int = 0
    waited_ms: float = 0.0
    accepted: float = 0.0
    calm_at: int = 0
    cuts: int = 0
    failing_at: float = 0.0
    rate_at: float = 0.0
    tried: float = 0.0
    failed: float = 0.0
    own: float = 0.0
    lost: int = 0


class ProbePlan(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Why the next probe goes when it goes: everything its instant was computed from.

    Attributes:
        model: version of the outage model, or `static` when data or model were not used.
        failure_class: whose outages it looked at.
        down_ms: how long the recipient had been down.
        hazard: recoveries per second expected at that age (0: static).
        waiting: deliveries that waited.
        arriving: deliveries a second that were expected on top.
        cost: of a probe.
        value: of a second less of waiting, per delivery.
        interval_ms: the interval before the draw.
        draw: factor drawn.
        wait_ms: what came of it.
        permanent: probability that waiting alone does not help.
    """

    model: str
    failure_class: str
    down_ms: int
    hazard: float
    waiting: int
    cost: float
    value: float
    interval_ms: int
    draw: float
    wait_ms: int
    arriving: float = 0.0
    permanent: float = 0.0
