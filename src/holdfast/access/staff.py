"""Making and changing users and tokens; each change is a line of the audit journal."""

import secrets
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

import msgspec

from holdfast.access.desk import SECRET_BYTES, Desk, digest, encoded, raised
from holdfast.access.roles import GRANTS, may_give, permissions
from holdfast.errors import Conflict, Forbidden, InvalidInput, NotFound
from holdfast.model.access import Means, Permission, Principal, Record, Role, Token, User
from holdfast.model.message import NEVER
from holdfast.store import Note

T = TypeVar("T", User, Token)

PAGE: Final = 1000
PREFIX: Final = "hft_"
"""What every token begins with, so that scanners of leaked secrets know it."""
DAY_MS: Final = 86_400_000


class Issued(msgspec.Struct, frozen=True):
    """A new token, with the secret that is shown this once."""

    secret: str
    token: Token


class Staff:
    """Users and tokens, as far as who asks may see and change them.

    Args:
        desk: has the store; it forgets what it knew when something changes.
        accounts: the names that a user or token may be bound to.
    """

    def __init__(self, desk: Desk, accounts: frozenset[str]) -> None:
        self._desk = desk
        self._accounts = accounts

    async def users(self, by: Principal) -> list[User]:
        """Return the users, by name: those of the caller's account."""
        return [one async for one in self._all("user", User) if _seen(by, one.account)]

    async def tokens(self, by: Principal) -> list[Token]:
        """Return the tokens, the newest first: those of the caller's account."""
        found = [one async for one in self._all("token", Token) if _seen(by, one.account)]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    async def add_user(
        self, name: str, password: str, role: Role, account: str | None, *, by: Principal, why: str
    ) -> User:
        """Make a user.

        Raises:
            Forbidden: the caller may not give that.
            InvalidInput: a bad password, or an unknown account.
            Conflict: the name is taken.
        """
        self._check(by, role, account)
        hashed = await self._desk.passwords.hash(password, name)
        now = self._desk.clock.now()
        user = User(name=name, role=role, account=account, password=hashed, created_at=now)
        record = Record("user", name, 1, encoded(user))
        try:
            await self._desk.people.keep(record, self._line(by, "add_user", user, why, _told(user)))
        except Conflict as error:
            raise Conflict(f"there is a user {name!r} already") from error
        return user

    async def set_role(self, name: str, role: Role, *, by: Principal, why: str) -> User:
        """Give a user another role; its sessions end."""
        return await self._change(name, "set_role", by, why, role=role)

    async def disable(self, name: str, *, by: Principal, why: str) -> User:
        """Let a user in no more; its sessions end."""
        return await self._change(name, "disable_user", by, why, disabled=True)

    async def enable(self, name: str, *, by: Principal, why: str) -> User:
        """Let a user in again."""
        return await self._change(name, "enable_user", by, why, disabled=False)

    async def set_password(self, name: str, password: str, *, by: Principal, why: str) -> User:
        """Give another user a new password; its sessions end."""
        hashed = await self._desk.passwords.hash(password, name)
        return await self._change(name, "set_password", by, why, password=hashed)

    async def change_password(self, old: str, new: str, *, by: Principal) -> User:
        """Give oneself a new password; all one's sessions end, this one too.

        Raises:
            Forbidden: the caller is no user, the old password is another, or was so too often.
        """
        if by.kind is not Means.USER:
            raise Forbidden(f"{by.name} has no password", "users")
        record, user = await self._found(by.name)
        if not await self._desk.proves(by, old, "set_password"):
            raise Forbidden("the old password is another, or was so too often", "who knows it")
        hashed = await self._desk.passwords.hash(new, user.name)
        to = {"password": hashed}
        return await self._write(record, user, self._line(by, "set_password", user, "its own"), to)

    async def add_token(  # each is said of a token
        self,
        name: str,
        role: Role,
        account: str | None,
        *,
        only: tuple[Permission, ...],
        days: int | None,
        by: Principal,
        why: str,
    ) -> Issued:
        """Make a token.

        Raises:
            Forbidden: the caller may not give that.
            InvalidInput: an unknown account, or `only` names what the role may not.
        """
        self._check(by, role, account)
        beyond = sorted(set(only) - GRANTS[role])
        if beyond:
            raise InvalidInput("only", beyond, ", ".join(sorted(GRANTS[role])))
        now = self._desk.clock.now()
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        token = Token(
            id=f"tok_{secrets.token_hex(8)}",
            name=name,
            role=role,
            only=only,
            account=account,
            digest=digest(secret),
            created_at=now,
            expires_at=NEVER if days is None else now + days * DAY_MS,
        )
        record = Record("token", token.digest, 1, encoded(token))
        await self._desk.people.keep(record, self._line(by, "add_token", token, why, _told(token)))
        return Issued(secret, token)

    async def revoke_token(self, token_id: str, *, by: Principal, why: str) -> Token:
        """Let a token open nothing any more.

        Raises:
            NotFound: there is none of that id that the caller sees.
        """
        found = [one for one in await self.tokens(by) if one.id == token_id]
        if not found:
            raise NotFound(f"there is no token {token_id!r}")
        self._check(by, found[0].role, found[0].account)
        record = await self._desk.people.record("token", found[0].digest)
        if record is None:
            raise NotFound(f"there is no token {token_id!r}")
        now = self._desk.clock.now()
        token = msgspec.structs.replace(found[0], revoked_at=found[0].revoked_at or now)
        ends = {"revoked_at": [found[0].revoked_at, token.revoked_at]}
        detail = msgspec.json.encode(ends).decode()
        note = self._line(by, "revoke_token", token, why, detail)
        await self._desk.people.keep(raised(record, token), note)
        self._desk.forget()
        return token

    async def _change(self, name: str, action: str, by: Principal, why: str, **to: Any) -> User:
        record, user = await self._found(name)
        if not _seen(by, user.account):
            raise NotFound(f"there is no user {name!r}")
        self._check(by, user.role, user.account)
        self._check(by, to.get("role", user.role), user.account)
        if by.kind is Means.USER and by.name == name:
            raise Conflict(f"{name} is yourself: let somebody else do it, or change your password")
        detail = _changed(user, to)
        note = self._line(by, action, user, why, detail)
        return await self._write(record, user, note, to)

    async def _found(self, name: str) -> tuple[Record, User]:
        record = await self._desk.people.record("user", name)
        if record is None:
            raise NotFound(f"there is no user {name!r}")
        return record, msgspec.json.decode(record.body, type=User)

    async def _write(self, record: Record, user: User, note: Note, to: dict[str, Any]) -> User:
        changed = msgspec.structs.replace(user, stamp=user.stamp + 1, **to)
        await self._desk.people.keep(raised(record, changed), note)
        self._desk.forget()
        return changed

    def _line(
        self, by: Principal, action: str, one: User | Token, why: str, detail: str = ""
    ) -> Note:
        subject = f"user:{one.name}" if isinstance(one, User) else f"token:{one.id}"
        now = self._desk.clock.now()
        return Note(now, label(by), action, subject, why, detail, one.account or "")

    async def _all(self, kind: str, shape: type[T]) -> AsyncIterator[T]:
        after = ""
        while records := await self._desk.people.records(kind, after, PAGE):
            for record in records:
                yield msgspec.json.decode(record.body, type=shape)
            after = records[-1].key

    def _check(self, by: Principal, role: Role, account: str | None) -> None:
        if by.account is None and account is not None and account not in self._accounts:
            raise InvalidInput("account", account, ", ".join(sorted(self._accounts)))
        if not may_give(by, role, account):
            where = "all accounts" if account is None else f"the account {account!r}"
            detail = f"{by.name} ({by.role}) may not make or change a {role} of {where}"
            allowed = "a super_admin" if role is Role.SUPER_ADMIN else "an admin of it"
            raise Forbidden(detail, allowed)


def _seen(by: Principal, account: str | None) -> bool:
    return Permission.MANAGE in permissions(by) and by.account in {None, account}


def _told(one: User | Token) -> str:
    shown: dict[str, Any] = {"role": one.role, "account": one.account}
    if isinstance(one, Token):
        shown |= {"only": one.only, "expires_at": one.expires_at}
    return msgspec.json.encode(shown).decode()


def _changed(user: User, to: dict[str, Any]) -> str:
    """Return field -> before and after; of a password only that it changed."""
    shown = {field: [getattr(user, field), to[field]] for field in to if field != "password"}
    return msgspec.json.encode(shown).decode() if shown else ""


def label(principal: Principal) -> str:
    """Return how the audit journal names somebody who showed who it is."""
    return f"token:{principal.name}" if principal.kind is Means.TOKEN else principal.name
