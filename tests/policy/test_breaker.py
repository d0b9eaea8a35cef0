"""The breaker opens exactly at its thresholds, tests with care and returns in stages."""

import itertools
import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.lane import Breaker, BreakerState
from holdfast.model.message import NEVER
from holdfast.model.policy import BreakerSettings
from holdfast.policy import breaker as breakers

EXACT = BreakerSettings(mode="threshold", open_jitter=0.0)
RNG = random.Random(1)
CLOSED, OPEN = BreakerState.CLOSED, BreakerState.OPEN
HALF_OPEN, RECOVERY = BreakerState.HALF_OPEN, BreakerState.RECOVERY


def fed(
    start: Breaker, results: Sequence[bool | None], now: int = 1000, using: BreakerSettings = EXACT
) -> Breaker:
    """Record results of sends that began and ended now."""
    for ok in results:
        start = breakers.record(start, using, ok=ok, started_at=now, now=now, rng=RNG)
    return start


def opened(now: int = 1000, using: BreakerSettings = EXACT) -> Breaker:
    """Return a breaker that five failures just opened."""
    return fed(Breaker(), [False] * 5, now, using)


def recovering(now: int = 31_000) -> Breaker:
    """Return a breaker at the start of its recovery."""
    return fed(breakers.tick(opened(), EXACT, now), [True] * 3, now)


def test_consecutive_failures_open_it() -> None:
    """S2.34, C26: the fifth failure in a row opens it, the fourth does not."""
    assert fed(Breaker(), [False] * 4).state is CLOSED
    after = opened()
    assert after.state is OPEN
    assert (after.since, after.retry_at, after.openings) == (1000, 31_000, 1)
    assert after.reason == "5 failures in a row"


def test_a_success_starts_the_count_anew() -> None:
    """Four failures, a success and four failures leave it closed (the rate is below half)."""
    calls = [True] * 10 + [False] * 4 + [True] + [False] * 4
    assert fed(Breaker(), calls).state is CLOSED


def test_the_failure_rate_opens_it() -> None:
    """S2.34, C26: half of the last calls opens it once ten were seen, exactly then."""
    alternating = [True, False] * 5
    assert fed(Breaker(), alternating[:9]).state is CLOSED
    after = fed(Breaker(), alternating)
    assert after.state is OPEN
    assert after.reason == "5 of the last 10 calls failed"
    below = [True, True, False] * 20
    assert fed(Breaker(), below).state is CLOSED


def test_old_calls_leave_the_window() -> None:
    """Only the last 20 calls count: failures before them are forgotten."""
    early = [False, False, True] * 3
    after = fed(Breaker(), early + [True] * 20)
    assert (after.window, after.calls, after.failures) == (0, 20, 0)


def test_neutral_results_change_nothing() -> None:
    """A 429 neither counts as trouble nor ends it, in any state."""
    for start in (Breaker(), opened(), breakers.tick(opened(), EXACT, 31_000), recovering()):
        assert fed(start, [None] * 10) is start


def test_health_of_outcomes() -> None:
    """What the partner answered in good order is well; what it could not answer is trouble."""

    def health(kind: FailureClass | None, result: Result, status: int | None = None) -> bool | None:
        return breakers.health(Outcome(result=result, failure_class=kind, http_status=status))

    kinds = FailureClass
    assert health(None, Result.SUCCESS) is True
    for kind in (kinds.DATA, kinds.BUSINESS):
        assert health(kind, Result.FAILURE, 422) is True
        assert health(kind, Result.FAILURE) is None  # nothing went out
    assert health(kinds.PROTOCOL, Result.FAILURE, 404) is True
    trouble = [kinds.TIMEOUT, kinds.CONNECT, kinds.DNS, kinds.TLS, kinds.SERVER, kinds.PROTOCOL]
    for kind in [*trouble, kinds.PHYSICAL]:
        assert health(kind, Result.ERROR) is False
        assert health(kind, Result.ERROR, 503) is False
    for kind in (kinds.RATE_LIMIT, kinds.AUTH, kinds.CONFIGURATION, kinds.CANCELLED):
        assert health(kind, Result.ERROR) is None
    assert health(kinds.BUSINESS, Result.SKIP) is None


def test_the_usual_case_makes_no_object() -> None:
    """A success on a well lane returns the same breaker within the second."""
    start = fed(Breaker(), [True] * 30, now=5000)
    assert fed(start, [True], now=5999) is start
    assert fed(start, [True], now=6000).last_success_at == 6000


def test_while_open_results_count_for_nothing_but_the_last_success() -> None:
    """Late answers of sends from before the outage neither close nor prolong it."""
    start = opened()
    assert fed(start, [False] * 10, now=2500) is start
    after = fed(start, [True] * 10, now=2500)
    assert after == replace(start, last_success_at=2500)


def test_half_open_comes_with_time() -> None:
    """S2.38, S2.39: the open period ends at `retry_at`, not a ms earlier."""
    start = opened()
    assert breakers.next_change(start, EXACT) == 31_000
    assert breakers.tick(start, EXACT, 30_999) is start
    after = breakers.tick(start, EXACT, 31_000)
    assert (after.state, after.since, after.probes_ok) == (HALF_OPEN, 31_000, 0)
    assert breakers.next_change(after, EXACT) is None
    assert breakers.tick(after, EXACT, 10**9) is after


def test_late_results_do_not_answer_for_probes() -> None:
    """In half-open only sends that began in it count; older ones say nothing."""
    start = breakers.tick(opened(), EXACT, 31_000)
    for ok in (True, False):
        after = breakers.record(start, EXACT, ok=ok, started_at=30_999, now=31_500, rng=RNG)
        assert after == replace(start, last_success_at=31_500 if ok else 0)


def test_successful_probes_start_the_recovery() -> None:
    """S2.40, S5.57: the third success in a row ends half-open."""
    start = breakers.tick(opened(), EXACT, 31_000)
    assert fed(start, [True] * 2, now=31_000).state is HALF_OPEN
    after = fed(start, [True] * 3, now=31_000)
    assert (after.state, after.stage, after.since) == (RECOVERY, 0, 31_000)


def test_failed_probes_double_the_period_up_to_the_cap() -> None:
    """G4: 30, 60, 120, 240, 300, 300 seconds; every opening is counted."""
    now, current, periods = 1000, opened(), []
    for _ in range(6):
        periods.append((current.retry_at - now) // 1000)
        now = current.retry_at
        current = fed(breakers.tick(current, EXACT, now), [True, False], now)
        assert current.state is OPEN
    assert periods == [30, 60, 120, 240, 300, 300]
    assert current.openings == 7
    assert current.reason == "the probe failed"


def test_an_outage_of_months_does_not_overflow() -> None:
    """After ten thousand openings the period is still the cap."""
    start = Breaker(state=HALF_OPEN, openings=10_000)
    assert breakers.trip(start, EXACT, now=0, rng=RNG, reason="x").retry_at == 300_000


def test_the_period_is_jittered_inside_the_cap() -> None:
    """G4: the first period is 24 to 36 s, the longest 240 to 300 s, and both are spread."""
    using, rng = BreakerSettings(mode="threshold"), random.Random(5)
    for openings, low, high in ((0, 24_000, 36_000), (9, 240_000, 300_000)):
        start = Breaker(openings=openings)
        trips = [breakers.trip(start, using, now=0, rng=rng, reason="x") for _ in range(1000)]
        waits = [one.retry_at for one in trips]
        tenth = (high - low) / 10
        assert low <= min(waits) < low + tenth
        assert high - tenth < max(waits) <= high


def test_the_recovery_rises_in_stages() -> None:
    """S2.40: 10, 25, 50, 100 % of the rate before, five seconds each, then closed."""
    current = replace(recovering(), rate_before=200.0)
    seen = []
    for stage in range(4):
        seen.append(breakers.rate(current, EXACT))
        assert current.stage == stage
        at = breakers.next_change(current, EXACT)
        assert at == 31_000 + (stage + 1) * 5000
        assert breakers.tick(current, EXACT, at - 1) is current
        current = breakers.tick(current, EXACT, at)
    assert seen == [20.0, 50.0, 100.0, 200.0]
    assert current == Breaker(since=51_000, last_success_at=31_000)
    assert breakers.rate(current, EXACT) is None
    assert breakers.next_change(current, EXACT) is None


def test_stages_are_skipped_when_nobody_looked() -> None:
    """A tick after a pause lands in the stage of the time, or closes it."""
    assert breakers.tick(recovering(), EXACT, 42_000).stage == 2
    assert breakers.tick(recovering(), EXACT, 99_000).state is CLOSED


def test_a_clock_set_back_does_not_lower_the_stage() -> None:
    """Stages only rise."""
    current = breakers.tick(recovering(), EXACT, 42_000)
    assert breakers.tick(current, EXACT, 20_000) is current


def test_the_recovery_rate_is_at_least_one() -> None:
    """A lane whose rate is not known returns at one send per second."""
    assert breakers.rate(recovering(), EXACT) == 1.0


def test_failures_in_the_recovery_open_it_again() -> None:
    """S2.40: also a send that began in an earlier stage counts, and the period has doubled."""
    strict = msgspec.structs.replace(EXACT, relapse=1)
    current = breakers.tick(recovering(), strict, 42_000)
    after = breakers.record(current, strict, ok=False, started_at=32_000, now=42_000, rng=RNG)
    assert (after.state, after.openings, after.retry_at) == (OPEN, 2, 102_000)
    assert fed(current, [True] * 50, now=42_000).state is RECOVERY


def test_a_recovery_survives_single_failures() -> None:
    """A partner that fails now and then comes through its recovery; one that relapses does not."""
    current = breakers.tick(recovering(), EXACT, 42_000)
    assert fed(current, [False, False, True] * 3, now=42_000).state is RECOVERY
    assert fed(current, [False] * 3, now=42_000).state is OPEN


def test_a_backlog_keeps_the_recovery_going_at_rising_rates() -> None:
    """What waited drains ever faster, never all at once; the breaker closes when it is gone."""
    late = breakers.tick(recovering(), EXACT, 61_000, backlog=True)
    later = breakers.tick(late, EXACT, 71_000, backlog=True)
    assert late.state is later.state is RECOVERY
    rates = [breakers.rate(step, EXACT) or 0 for step in (late, later)]
    assert rates[1] == 4 * rates[0]
    assert breakers.tick(later, EXACT, 72_000).state is CLOSED


def test_closing_forgets_the_openings() -> None:
    """After a full recovery the next outage starts with the first period."""
    closed = breakers.tick(recovering(), EXACT, 51_000)
    assert fed(closed, [False] * 5, now=60_000).retry_at == 90_000


def test_late_failures_do_not_reopen_what_was_reset() -> None:
    """Timeouts of sends from before a person's reset say nothing about the present."""
    current = breakers.reset(opened(), 70_000)
    for _ in range(10):
        current = breakers.record(current, EXACT, ok=False, started_at=5000, now=71_000, rng=RNG)
    assert current.state is CLOSED


def test_a_person_holds_it_open() -> None:
    """Forced open it stays open until it is reset, whatever time and results say."""
    held = breakers.force_open(recovering(), now=40_000, reason="maintenance")
    assert (held.state, held.retry_at, held.manual) == (OPEN, NEVER, True)
    assert held.reason == "maintenance"
    assert breakers.next_change(held, EXACT) is None
    assert breakers.tick(held, EXACT, NEVER) is held
    assert breakers.trip(held, EXACT, now=50_000, rng=RNG, reason="x") is held
    assert fed(held, [False, True], now=50_000).state is OPEN
    after = breakers.reset(held, 60_000)
    assert after == Breaker(since=60_000, last_success_at=31_000)


def test_a_burst_of_trips_is_one_opening() -> None:
    """Deliveries that run out together open the lane once."""
    once = breakers.trip(Breaker(), EXACT, now=5, rng=RNG, reason="first")
    assert breakers.trip(once, EXACT, now=6, rng=RNG, reason="second") is once


def test_the_pace_before_the_outage_is_remembered() -> None:
    """Only the opening of a closed breaker sets the rate that the recovery returns to."""
    once = breakers.trip(Breaker(), EXACT, now=5, rng=RNG, reason="x", pace=50.0)
    again = breakers.tick(once, EXACT, once.retry_at)
    again = breakers.record(
        again, EXACT, ok=False, started_at=again.since, now=again.since, rng=RNG, pace=0.2
    )
    assert (once.rate_before, again.rate_before, again.openings) == (50.0, 50.0, 2)


def test_the_reason_names_the_last_failure() -> None:
    """Promise 7: a breaker that opened says by which rule and why the last send failed."""
    current = fed(Breaker(), [False] * 4)
    current = breakers.record(
        current, EXACT, ok=False, started_at=1000, now=1000, rng=RNG, reason="HTTP 503", pace=9.0
    )
    assert (current.reason, current.rate_before) == ("5 failures in a row: HTTP 503", 9.0)


def test_switched_off_it_never_opens() -> None:
    """A breaker that is not enabled ignores results, and opens what was open before."""
    off = BreakerSettings(enabled=False)
    assert fed(Breaker(), [False] * 50, using=off) == Breaker()
    assert breakers.trip(Breaker(), off, now=1, rng=RNG, reason="x") == Breaker()
    assert breakers.tick(opened(), off, 2000).state is CLOSED
    assert fed(Breaker(), [True], now=9000, using=off).last_success_at == 9000


@pytest.mark.parametrize("consecutive", [1, 2, 7])
def test_all_short_histories_open_exactly_at_the_threshold(consecutive: int) -> None:
    """Over all histories of eight calls: open if and only if a run is long enough."""
    using = BreakerSettings(mode="threshold", consecutive=consecutive, min_calls=20, open_jitter=0)
    for history in itertools.product([True, False], repeat=8):
        runs = [len(list(run)) for ok, run in itertools.groupby(history) if not ok]
        expected = OPEN if max(runs, default=0) >= consecutive else CLOSED
        assert fed(Breaker(), list(history), using=using).state is expected


class LaneModel(RuleBasedStateMachine):
    """A lane with sends in flight that answer late and in any order, while the clock runs."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = BreakerSettings(mode="threshold")
        self.rng = random.Random(2)
        self.now = 1
        self.breaker = Breaker()
        self.flying: list[int] = []
        self.probes: list[int] = []
        self.period = 0.0

    def become(self, after: Breaker) -> None:
        """Take the next state and hold the transition to the table."""
        before, self.breaker = self.breaker, after
        moves = {
            CLOSED: {CLOSED, OPEN},
            OPEN: {OPEN, HALF_OPEN, CLOSED},
            HALF_OPEN: {HALF_OPEN, OPEN, RECOVERY, CLOSED},
            RECOVERY: {RECOVERY, OPEN, CLOSED},
        }
        assert after.state in moves[before.state]
        if after.state is not before.state:
            self.probes.clear()
        if after.state is OPEN and before.state is not OPEN and not after.manual:
            self.check_period(before, (after.retry_at - self.now) / 1000)

    def check_period(self, before: Breaker, period: float) -> None:
        """Compare with 30 s doubled per opening, capped at 300 s, plus or minus 20 %."""
        nominal = min(300.0, 30.0 * 2.0**before.openings)
        assert nominal * 0.8 - 0.001 <= period <= min(300.0, nominal * 1.2) + 0.001

    @rule(ms=st.integers(1, 400_000))
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.now += ms
        self.become(breakers.tick(self.breaker, self.settings, self.now))

    @rule()
    def send(self) -> None:
        """Start a send where the breaker lets one start."""
        if self.breaker.state is OPEN or (self.breaker.state is HALF_OPEN and self.probes):
            return
        self.flying.append(self.now)
        if self.breaker.state is HALF_OPEN:
            self.probes.append(self.now)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), ok=st.sampled_from([True, False, False, None]))
    def answer(self, data: st.DataObject, ok: bool | None) -> None:  # noqa: FBT001  # hypothesis
        """One of the sends ends."""
        started = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        before = self.breaker
        if started in self.probes:
            self.probes.remove(started)
        self.become(
            breakers.record(
                before, self.settings, ok=ok, started_at=started, now=self.now, rng=self.rng
            )
        )
        if started < before.since or ok is None:
            assert self.breaker.state is before.state

    @rule()
    def person(self) -> None:
        """An operator resets it."""
        self.become(breakers.reset(self.breaker, self.now))

    @invariant()
    def bounded(self) -> None:
        """One probe at most; the window never outgrows its size; a rate exists in recovery only."""
        assert len(self.probes) <= 1
        assert self.breaker.window.bit_length() <= self.breaker.calls <= self.settings.window
        rate = breakers.rate(self.breaker, self.settings)
        assert (rate is not None) is (self.breaker.state is RECOVERY)
        if self.breaker.state is OPEN:
            assert self.breaker.retry_at > self.breaker.since


TestLaneModel = LaneModel.TestCase
TestLaneModel.settings = hypothesis_settings(max_examples=60, stateful_step_count=40)


def test_a_recovery_with_a_backlog_of_hours_has_a_rate() -> None:
    """After 1024 stages of five seconds the doubled rate is more than a float holds."""
    recovering = Breaker(state=BreakerState.RECOVERY, rate_before=5.0)
    late = breakers.tick(recovering, BreakerSettings(mode="threshold"), 6 * 3_600_000, backlog=True)
    rate = breakers.rate(late, BreakerSettings(mode="threshold"))
    assert rate is not None
    assert rate >= 5.0


def test_a_recipient_that_stays_slow_leaves_half_open() -> None:
    """Every probe is answered well but late: one at a time for ever would be no recovery."""
    state = Breaker(state=BreakerState.HALF_OPEN)
    for now in range(1000, 100_000, 1000):
        state = breakers.record(
            state, BreakerSettings(), ok=True, slow=True, started_at=now, now=now, rng=RNG
        )
    assert state.state is not BreakerState.HALF_OPEN
