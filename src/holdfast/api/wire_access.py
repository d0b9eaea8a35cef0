"""What the API takes and shows of people: sessions, users, tokens."""

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.access.roles import permissions
from holdfast.access.staff import Issued
from holdfast.api.wire import Action, Instant, iso
from holdfast.model.access import Means, Name, Permission, Principal, Role, Token, User

Password = Annotated[str, Meta(max_length=1024, description="At least 12 characters.")]
AccountName = Annotated[str, Meta(min_length=1, max_length=512)]
Days = Annotated[int, Meta(ge=1, le=3650, description="The token opens nothing after so many.")]


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Body of a sign-in."""

    user: Name
    password: Password


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Body that changes one's own password."""

    old: Password
    new: Password


class AddUser(Action, frozen=True):
    """Body that makes a user; without `account` it sees all of them."""

    name: Name
    role: Role
    password: Password
    account: AccountName | None = None


class SetRole(Action, frozen=True):
    """Body that gives a user another role."""

    role: Role


class SetPassword(Action, frozen=True):
    """Body that gives another user a new password."""

    password: Password


class AddToken(Action, frozen=True):
    """Body that makes a token; `only` are the permissions of its role that it has, [] all."""

    name: Name
    role: Role
    account: AccountName | None = None
    only: tuple[Permission, ...] = ()
    days: Days | None = None


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what it may do."""

    name: str
    kind: Means
    role: Role
    account: str | None
    permissions: list[Permission]
    csrf: Annotated[
        str, Meta(description="For the header Holdfast-Csrf, which changes with a cookie need.")
    ] = ""


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A user."""

    name: str
    role: Role
    account: str | None
    disabled: bool
    created_at: Instant | None


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without the secret; that is shown once, when it is made."""

    id: str
    name: str
    role: Role
    only: tuple[Permission, ...]
    account: str | None
    created_at: Instant | None
    expires_at: Instant | None
    revoked_at: Instant | None
    secret: str | None = None


def session(principal: Principal, csrf: str) -> SessionView:
    """Return how somebody is shown to itself."""
    return SessionView(
        name=principal.name,
        kind=principal.kind,
        role=principal.role,
        account=principal.account,
        permissions=sorted(permissions(principal)),
        csrf=csrf,
    )


def user(one: User) -> UserView:
    """Return how a user is shown."""
    return UserView(
        name=one.name,
        role=one.role,
        account=one.account,
        disabled=one.disabled,
        created_at=iso(one.created_at),
    )


def token(one: Token, secret: str | None = None) -> TokenView:
    """Return how a token is shown."""
    return TokenView(
        id=one.id,
        name=one.name,
        role=one.role,
        only=one.only,
        account=one.account,
        created_at=iso(one.created_at),
        expires_at=iso(one.expires_at),
        revoked_at=iso(one.revoked_at),
        secret=secret,
    )


def issued(one: Issued) -> TokenView:
    """Return how a new token is shown, this once with its secret."""
    return token(one.token, one.secret)
