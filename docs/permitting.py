"""The page of permissions: which role has which, and what each operation needs."""

# ruff: noqa: INP001  # a module beside the pages that it writes

from typing import Final

from reading import constants
from writing import page, table

from holdfast.access.roles import GRANTS
from holdfast.access.table import NEEDS, OPEN
from holdfast.model import access
from holdfast.model.access import Permission

_TEXT: Final = """
The server checks each operation; what a page hides is only politeness.
[How to make users and tokens](../howto/manage-access.md).
A super admin differs from a system admin in one thing: only a super admin makes super admins.
"""
_NEEDS: Final = """## What each operation needs

An operation marked "all accounts" is refused to users and tokens of one account.
"""


def permission_page() -> str:
    """Return the page, from the tables that the server uses."""
    told = constants(access, "Permission")
    rows = [
        (f"`{one}`", told[one.name], *("yes" if one in GRANTS[role] else "" for role in GRANTS))
        for one in Permission
    ]
    needs = [
        (f"`{name}`", f"`{need.permission or 'to be known'}`", "all accounts" * need.whole)
        for name, need in sorted(NEEDS.items())
    ]
    needs += [(f"`{name}`", "nothing", "") for name in sorted(OPEN)]
    heads = ("Permission", "Meaning", *(f"`{role}`" for role in GRANTS))
    return page(
        "Permissions",
        _TEXT,
        table(heads, rows),
        _NEEDS,
        table(("Operation", "Permission", ""), needs),
    )
