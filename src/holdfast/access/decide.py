"""May somebody do this? The one place that says so."""

from collections.abc import Mapping
from typing import Final

import msgspec

from holdfast.access.roles import GRANTS, permissions
from holdfast.access.table import NEEDS, Need
from holdfast.model.access import Principal, Session, User
from holdfast.model.search import Choice, Predicate

IDLE_MS: Final = 30 * 60_000
"""A session ends when nothing was asked for so long ..."""
ABSOLUTE_MS: Final = 12 * 3_600_000
"""... and so long after its beginning whatever was asked."""


class Verdict(msgspec.Struct, frozen=True):
    """Why somebody may not; `allowed` says who may, in words."""

    detail: str
    allowed: str


def refusal(
    principal: Principal, operation: str, needs: Mapping[str, Need] = NEEDS
) -> Verdict | None:
    """Return why somebody may not do an operation; None: it may.

    Args:
        principal: who asks.
        operation: id as the OpenAPI document has it.
        needs: the table.
    """
    need = needs.get(operation)
    who = f"{principal.name} ({principal.role})"
    if need is None:
        return Verdict(f"nobody may {operation}: it is in no table", "nobody")
    if need.whole and principal.account is not None:
        detail = f"{who} sees only the account {principal.account!r}; {operation} is about all"
        return Verdict(detail, "users and tokens of no account")
    if need.permission is None or need.permission in permissions(principal):
        return None
    having = [role for role, granted in GRANTS.items() if need.permission in granted]
    detail = f"{who} may not {operation}: it needs the permission {need.permission}"
    return Verdict(detail, ", ".join(having))


def alive(session: Session, user: User | None, now: int) -> bool:
    """Tell whether a session still stands for its user at an instant (ms)."""
    return (
        user is not None
        and not user.disabled
        and user.stamp == session.stamp
        and now < session.seen_at + IDLE_MS
        and now < session.created_at + ABSOLUTE_MS
    )


def narrowed(where: Predicate, account: str) -> Predicate:
    """Return what of a predicate lies in one account."""
    asked = [each for each in where.choices if each.field == "account" and not each.negated]
    inside = all(account in each.words for each in asked)
    rest = tuple(each for each in where.choices if each not in asked)
    # No account has the empty name: what asks for another account finds nothing.
    own = Choice("account", (account if inside else "",))
    return msgspec.structs.replace(where, choices=(own, *rest))


def of_account(where: Predicate, account: str) -> bool:
    """Tell whether a predicate means nothing beyond an account, as `narrowed` makes it."""
    return Choice("account", (account,)) in where.choices
