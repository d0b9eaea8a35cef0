"""The retry budget: never more retries than first tries and time have paid for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidInput
from holdfast.model.attempt import FailureClass
from holdfast.model.throttle import BudgetSettings
from holdfast.policy import budget, check

NOW = 1_750_000_000_000
CLASSES = (FailureClass.TIMEOUT, FailureClass.SERVER, FailureClass.RATE_LIMIT, None)


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 5000), st.integers(0, 50), st.sampled_from(CLASSES)), max_size=200
    ),
    ratio=st.floats(0, 2),
    min_rate=st.floats(0.01, 50),
)
def test_retries_never_exceed_the_budget(
    steps: list[tuple[int, int, FailureClass | None]], ratio: float, min_rate: float
) -> None:
    """What retries cost is at most a full bucket, the share of first tries and what time paid."""
    settings = BudgetSettings(ratio=ratio, min_rate=min_rate)
    state = budget.full(settings, NOW)
    start, now, firsts, paid = state.tokens, NOW, 0, 0.0
    for gap, new, kind in steps:
        now, firsts = now + gap, firsts + new
        state = budget.refilled(state, settings, new, now)
        price = budget.cost(kind)
        if budget.opens_at(state, settings, price, now) == now:
            state = budget.spent(state, price)
            paid += price
        income = start + ratio * firsts + min_rate * (now - NOW) / 1000
        assert paid <= income + 1e-6 * max(1.0, income)
        assert state.tokens >= -1e-9


@given(st.floats(0.01, 100), st.floats(0, 2), st.sampled_from(CLASSES))
def test_it_opens_when_it_says(min_rate: float, tokens: float, kind: FailureClass | None) -> None:
    """No retry waits for ever: at the instant given, time alone has paid for it."""
    settings = BudgetSettings(min_rate=min_rate, ratio=0)
    state, price = budget.Budget(tokens, NOW), budget.cost(kind)
    opens = budget.opens_at(state, settings, price, NOW)
    later = budget.refilled(state, settings, 0, opens)
    assert budget.opens_at(later, settings, price, opens) <= opens + 1


def test_costs_by_class() -> None:
    """A timeout costs two, a rate limit 0.4, anything else one."""
    assert [budget.cost(kind) for kind in CLASSES] == [2.0, 1.0, 0.4, 1.0]


def test_busy_recipients_hold_ten_seconds_of_deposits() -> None:
    """At 100 first tries a second the bucket grows to 10 x (10 + 20)."""
    settings = BudgetSettings()
    state = budget.full(settings, NOW)
    for second in range(1, 200):
        state = budget.refilled(state, settings, 100, NOW + second * 1000)
    assert state.tokens == pytest.approx(300, rel=0.01)


def test_a_clock_that_goes_back_pays_nothing() -> None:
    """Only first tries pay in when the clock says that no time has passed."""
    settings = BudgetSettings(min_rate=10, ratio=0.5)
    assert budget.refilled(budget.Budget(3.0, NOW), settings, 2, NOW - 60_000).tokens == 4.0


def test_a_budget_that_time_never_fills_is_refused() -> None:
    """`min_rate` 0 could keep a retry for ever."""
    with pytest.raises(InvalidInput, match=r"r\.budget\.min_rate"):
        check.budget(BudgetSettings(min_rate=0), "r.budget")
