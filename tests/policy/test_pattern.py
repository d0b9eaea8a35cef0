"""Authors' regular expressions end in time, or are refused."""

import pytest

from holdfast.errors import InvalidInput
from holdfast.model.attempt import FailureClass, Reply
from holdfast.model.policy import PolicySettings, ResponseMapping
from holdfast.policy import failure, pattern
from holdfast.policy.precedence import resolve
from holdfast.testing.rig import catalog, recipient


@pytest.mark.parametrize("expression", ["(a+)+$", "(a|aa)+$", "(a|a)*$"])
def test_an_expression_that_would_backtrack_for_ever_ends(expression: str) -> None:
    """A backtracking engine would try 2^60,000 ways to read this; the search is linear."""
    found = pattern.compiled(f"^{expression}").search("a" * 60_000 + "!")
    assert found is None


@pytest.mark.parametrize("expression", ["(?=a)b", r"(a)\1", "(?<!a)b", "[", "a{2000}"])
def test_what_has_no_linear_search_is_refused(expression: str) -> None:
    """The error names the field, the expression and what the engine does not take."""
    with pytest.raises(InvalidInput, match=r"^body: .*RE2 regular expression"):
        pattern.check(expression, "body")


def test_a_partner_cannot_stall_us_with_its_answer() -> None:
    """The classifier searches a hostile body with a hostile expression and comes back."""
    one = recipient()
    mapping = ResponseMapping(outcome_search_term="/(a+)+$/i")
    policy = resolve(
        catalog(one, policy=PolicySettings(response=mapping)), flow=None, step=None, recipient=one
    )
    reply = Reply(1, 2, 1.0, status=200, body=b"A" * 60_000 + b"!")
    outcome = failure.classify(reply, policy)
    assert outcome.failure_class is FailureClass.BUSINESS
