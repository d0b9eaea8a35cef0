"""What each role may do, and who may give which role."""

from collections.abc import Mapping
from typing import Final

from holdfast.model.access import Permission, Principal, Role

_SEES: Final = frozenset({Permission.READ})
_CHECKS: Final = _SEES | {Permission.AUDIT}
_WORKS: Final = _CHECKS | {Permission.SEND, Permission.ACT, Permission.STEER, Permission.REVEAL}
_ALL: Final = frozenset(Permission)

GRANTS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.SUPER_ADMIN: _ALL,
    Role.SYSTEM_ADMIN: _ALL,
    Role.OPERATOR: _WORKS,
    Role.AUDITOR: _CHECKS,
    Role.VIEWER: _SEES,
}
"""A system admin differs from a super admin in `may_give`."""


def permissions(principal: Principal) -> frozenset[Permission]:
    """Return what somebody may do: what its role may, cut down to `only`."""
    granted = GRANTS[principal.role]
    return granted & frozenset(principal.only) if principal.only else granted


def may_give(principal: Principal, role: Role, account: str | None) -> bool:
    """Tell whether somebody may make, or change, a user or token of this role and account.

    Nobody gives more than it has: only a super admin makes super admins, who is bound to an
    account makes nobody beyond it, and who has less than its role gives none.
    """
    if Permission.MANAGE not in permissions(principal):
        return False
    if role is Role.SUPER_ADMIN and principal.role is not Role.SUPER_ADMIN:
        return False
    if not permissions(principal) >= GRANTS[role]:
        return False
    return principal.account is None or principal.account == account
