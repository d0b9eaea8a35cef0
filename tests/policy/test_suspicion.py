"""Who is taken for dead, and when."""

from holdfast.model.worker import Member, Survey, Worker
from holdfast.policy.suspicion import GAP_MAX_MS, Suspicion, dead, suspects

LEASE_MS = 10_000


def survey(now: int, *until: int) -> Survey:
    """Return a survey of workers whose leases end then; their epochs count from 1."""
    worker = Worker(lease_ms=LEASE_MS)
    return Survey(now, tuple(Member(n, worker, 0, end, 0) for n, end in enumerate(until, 1)))


def test_who_is_late_is_dead_where_our_own_way_was_good() -> None:
    """At once: the lease was all the time it had."""
    seen = survey(100, 100, 101)
    found = suspects({}, seen, 5)
    assert found == {1: Suspicion(100)}
    assert dead(found, seen, steady=True) == (1,)
    assert dead(found, seen, steady=False) == ()


def test_it_gets_a_lease_where_ours_was_not() -> None:
    """Counted is the time in which the store answered us: bounded however slow we are."""
    found: dict[int, Suspicion] = {}
    rounds = 0
    while not dead(found, survey(100, 100), steady=False):
        found = suspects(found, survey(100, 100), 60_000)
        rounds += 1
    assert rounds == 1 + LEASE_MS / GAP_MAX_MS


def test_a_renewal_begins_the_time_anew() -> None:
    """One that was late and came back is not the late one of before."""
    found = suspects({1: Suspicion(100, 9_999.0)}, survey(300, 200), 1_000)
    assert found == {1: Suspicion(200)}
    assert suspects(found, survey(300, 301), 1_000) == {}
