"""Who may do what, as pure functions."""

from typing import Final

import pytest

from holdfast.access.decide import ABSOLUTE_MS, IDLE_MS, alive, narrowed, of_account, refusal
from holdfast.access.roles import may_give
from holdfast.access.throttle import (
    ADDRESS_TRIES,
    KNOWN_MAX,
    NAME_REFILL_MS,
    NAME_TRIES,
    Throttle,
)
from holdfast.model.access import Means, Permission, Principal, Role, Session, User
from holdfast.model.search import Choice, Predicate

NOW: Final = 1_767_225_600_000


def one(role: Role, account: str | None = None, *only: Permission) -> Principal:
    """Return somebody of a role."""
    return Principal(name="x", kind=Means.TOKEN, role=role, account=account, only=only)


@pytest.mark.parametrize(
    ("by", "role", "account", "may"),
    [
        (one(Role.SUPER_ADMIN), Role.SUPER_ADMIN, None, True),
        (one(Role.SYSTEM_ADMIN), Role.SUPER_ADMIN, None, False),
        (one(Role.SYSTEM_ADMIN), Role.SYSTEM_ADMIN, None, True),
        (one(Role.SYSTEM_ADMIN, "a"), Role.OPERATOR, "a", True),
        (one(Role.SYSTEM_ADMIN, "a"), Role.OPERATOR, "b", False),
        (one(Role.SYSTEM_ADMIN, "a"), Role.OPERATOR, None, False),
        (one(Role.SUPER_ADMIN, "a"), Role.VIEWER, None, False),
        (one(Role.OPERATOR), Role.VIEWER, None, False),
        (one(Role.SUPER_ADMIN, None, Permission.MANAGE), Role.VIEWER, None, False),
        (one(Role.SUPER_ADMIN, None, Permission.READ), Role.VIEWER, None, False),
    ],
)
def test_nobody_gives_more_than_it_has(
    by: Principal, role: Role, account: str | None, *, may: bool
) -> None:
    """Neither a higher role, nor another account, nor more than its own permissions."""
    assert may_give(by, role, account) is may


def test_what_is_in_no_table_is_refused_to_everybody() -> None:
    """A new route is closed until somebody has thought about it."""
    verdict = refusal(one(Role.SUPER_ADMIN), "brand_new")
    assert verdict is not None
    assert "brand_new" in verdict.detail


@pytest.mark.parametrize(
    ("seen", "created", "stamp", "disabled", "lives"),
    [
        (NOW, NOW, 1, False, True),
        (NOW - IDLE_MS + 1, NOW - ABSOLUTE_MS + 1, 1, False, True),
        (NOW - IDLE_MS, NOW, 1, False, False),
        (NOW, NOW - ABSOLUTE_MS, 1, False, False),
        (NOW, NOW, 2, False, False),
        (NOW, NOW, 1, True, False),
    ],
)
def test_when_a_session_lives(
    seen: int, created: int, stamp: int, *, disabled: bool, lives: bool
) -> None:
    """Neither idle nor too old, and its user is as it was when it signed in."""
    session = Session(user="x", stamp=1, created_at=created, seen_at=seen)
    user = User(
        name="x", role=Role.VIEWER, password="", created_at=0, stamp=stamp, disabled=disabled
    )
    assert alive(session, user, NOW) is lives
    assert not alive(session, None, NOW)


def test_a_predicate_is_narrowed_to_an_account() -> None:
    """What asks for another account finds nothing; what excludes its own is left to the store."""
    other = Choice("account", ("theirs",))
    own = Choice("account", ("ours", "theirs"))
    status = Choice("status", ("dead",))
    assert of_account(narrowed(Predicate((status,)), "ours"), "ours")
    assert of_account(narrowed(Predicate((own, status)), "ours"), "ours")
    assert narrowed(Predicate((other,)), "ours").choices == (Choice("account", ("",)),)
    assert not of_account(Predicate((status,)), "ours")


def test_a_name_waits_after_some_failures_and_the_memory_is_bounded() -> None:
    """One try more per minute; the oldest names are forgotten first."""
    throttle = Throttle()
    for _ in range(NAME_TRIES):
        assert throttle.wait_ms("ada", "1.2.3.4", NOW) == 0
        throttle.failed("ada", "1.2.3.4", NOW)
    assert throttle.wait_ms("ada", "5.6.7.8", NOW) == NAME_REFILL_MS
    assert throttle.wait_ms("ada", "5.6.7.8", NOW + NAME_REFILL_MS) == 0
    assert throttle.wait_ms("max", "1.2.3.4", NOW) == 0
    for number in range(KNOWN_MAX):
        throttle.failed(f"n{number}", f"a{number}", NOW)
    assert throttle.wait_ms("ada", "5.6.7.8", NOW) == 0


def test_people_who_mistype_nothing_do_not_wait_for_each_other() -> None:
    """A good try counts neither for its name nor for its address; the bad ones before it do."""
    throttle = Throttle()
    for number in range(2 * ADDRESS_TRIES):
        throttle.failed(f"n{number}", "1.2.3.4", NOW)
        throttle.succeeded(f"n{number}", "1.2.3.4")
    assert throttle.wait_ms("max", "1.2.3.4", NOW) == 0
    for number in range(ADDRESS_TRIES):
        throttle.failed(f"n{number}", "1.2.3.4", NOW)
    throttle.failed("ada", "1.2.3.4", NOW)
    throttle.succeeded("ada", "1.2.3.4")
    assert throttle.wait_ms("max", "1.2.3.4", NOW) > 0
