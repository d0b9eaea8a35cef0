"""Who asks: sessions and tokens, as the store has them, remembered for two seconds."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from holdfast.access.decide import ABSOLUTE_MS, alive
from holdfast.access.passwords import Passwords
from holdfast.access.throttle import Throttle
from holdfast.clock import Clock
from holdfast.errors import Conflict, Forbidden
from holdfast.model.access import Elevation, Means, Principal, Record, Session, Token, User
from holdfast.people import People
from holdfast.store import Note

REMEMBERED_MS: Final = 2_000
"""So long another worker's change may go unseen."""
REMEMBERED_MAX: Final = 10_000
"""Most answers that are remembered; then all are forgotten."""
TOUCH_MS: Final = 60_000
"""A session's last request is written down so often at most."""
SECRET_BYTES: Final = 32


class SignedIn(msgspec.Struct, frozen=True):
    """A person signed in; only the browser gets the secret."""

    secret: str
    principal: Principal


class Desk:
    """Knows people by what they show.

    Args:
        people: the store.
        clock: time.
        passwords: checks them.
    """

    def __init__(self, people: People, clock: Clock, passwords: Passwords | None = None) -> None:
        self.people = people
        self.clock = clock
        self.passwords = passwords or Passwords()
        self.throttle = Throttle()
        self._known: dict[str, tuple[Principal | None, float]] = {}

    async def by_token(self, secret: str) -> Principal | None:
        """Return whose token it is; None: nobody's that holds now."""
        return await self._remembered(f"t{digest(secret)}", self._token)

    async def by_session(self, secret: str, *, used: bool = True) -> Principal | None:
        """Return whose session it is; None: nobody's that holds now.

        Args:
            secret: of the cookie.
            used: somebody is there; False: a page asked by itself, which keeps no session alive.
        """
        look = partial(self._session, used=used)
        return await self._remembered(f"{'s' if used else 'b'}{digest(secret)}", look)

    def wait_ms(self, name: str, address: str) -> int:
        """Return how long a name must wait, from an address, before it may try to sign in."""
        return self.throttle.wait_ms(name, address, self.clock.now())

    async def sign_in(
        self, name: str, password: str, address: str, old: str | None = None
    ) -> SignedIn | None:
        """Begin a session; None: no such user, another password, or disabled, all alike.

        Args:
            name: of the user.
            password: as typed.
            address: where from, for the throttle.
            old: secret of the browser's session so far; it ends.
        """
        now = self.clock.now()
        self.throttle.failed(name, address, now)  # before the answer: tries at once count as well
        user = await self.user(name)
        good = await self.passwords.matches(user.password if user else None, password)
        if user is None or not good or user.disabled:
            note = Note(now, name[:64], "sign_in_refused", "session", f"from {address}")
            await self.people.keep(None, note)
            return None
        self.throttle.succeeded(name, address)
        if old is not None:
            await self._end(digest(old))
        secret = secrets.token_urlsafe(SECRET_BYTES)
        session = Session(user=name, stamp=user.stamp, created_at=now, seen_at=now)
        record = Record("session", digest(secret), 1, encoded(session), now + ABSOLUTE_MS)
        account = user.account or ""
        note = Note(now, name, "sign_in", f"user:{name}", f"from {address}", "", account)
        await self.people.keep(record, note)
        return SignedIn(secret, _person(user, record.key))

    async def sign_out(self, principal: Principal) -> None:
        """End the session of a person; of others nothing."""
        if principal.kind is Means.USER:
            await self._end(principal.key)
            note = Note(
                self.clock.now(),
                principal.name,
                "sign_out",
                f"user:{principal.name}",
                "asked to",
                account=principal.account or "",
            )
            await self.people.keep(None, note)

    async def elevate(
        self, principal: Principal, minutes: int, password: str, *, actor: str, reason: str
    ) -> Elevation:
        """Raise somebody for some minutes.

        Raises:
            Forbidden: a user's password is another, or it has to wait before it tries again.
        """
        now = self.clock.now()
        if principal.kind is Means.USER and not await self.proves(principal, password, "elevate"):
            raise Forbidden("the password is another; an emergency asks for it", "who knows it")
        raised_to = Elevation(until=now + minutes * 60_000, reason=reason)
        known = await self.people.record("elevation", principal.key)
        revision = 1 if known is None else known.revision + 1
        record = Record("elevation", principal.key, revision, encoded(raised_to), raised_to.until)
        before = None if known is None or known.until <= now else known.until
        detail = _until(before, raised_to.until)
        note = Note(now, actor, "elevate", actor, reason, detail, principal.account or "")
        await self.people.keep(record, note)
        return raised_to

    async def proves(self, principal: Principal, password: str, use: str) -> bool:
        """Tell whether it is a user's password; it tires as at the door, and a wrong one is told.

        Args:
            principal: the user.
            password: as typed.
            use: what for.
        """
        now, name = self.clock.now(), principal.name
        waits = self.throttle.wait_ms(name, f"{use} {name}", now)
        self.throttle.failed(name, f"{use} {name}", now)  # before the answer: as at the door
        if waits:
            return False
        user = await self.user(name)
        if await self.passwords.matches(None if user is None else user.password, password):
            self.throttle.succeeded(name, f"{use} {name}")
            return True
        account = principal.account or ""
        note = Note(now, name, "password_refused", f"user:{name}", f"to {use}", account=account)
        await self.people.keep(None, note)
        return False

    async def elevated(self, principal: Principal) -> bool:
        """Tell whether somebody is raised now."""
        record = await self.people.record("elevation", principal.key)
        return record is not None and record.until > self.clock.now()

    async def lower(self, principal: Principal, *, actor: str) -> None:
        """End it."""
        known = await self.people.record("elevation", principal.key)
        await self.people.forget("elevation", principal.key)
        detail = "" if known is None else _until(known.until, None)
        account = principal.account or ""
        note = Note(self.clock.now(), actor, "lower", actor, "asked to", detail, account)
        await self.people.keep(None, note)

    async def user(self, name: str) -> User | None:
        """Return a user."""
        record = await self.people.record("user", name)
        return None if record is None else msgspec.json.decode(record.body, type=User)

    def forget(self) -> None:
        """Ask the store anew for everybody: something has changed."""
        self._known.clear()

    async def _end(self, key: str) -> None:
        await self.people.forget("session", key)
        self.forget()

    async def _remembered(
        self, key: str, look: Callable[[str], Awaitable[Principal | None]]
    ) -> Principal | None:
        now = self.clock.monotonic()
        found = self._known.get(key)
        if found is not None and now < found[1]:
            return found[0]
        principal = await look(key[1:])
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[key] = (principal, now + REMEMBERED_MS)
        return principal

    async def _token(self, key: str) -> Principal | None:
        record = await self.people.record("token", key)
        if record is None:
            return None
        token = msgspec.json.decode(record.body, type=Token)
        if token.revoked_at or token.expires_at <= self.clock.now():
            return None
        return Principal(
            name=token.name,
            kind=Means.TOKEN,
            role=token.role,
            account=token.account,
            only=token.only,
            key=token.id,
        )

    async def _session(self, key: str, *, used: bool) -> Principal | None:
        record = await self.people.record("session", key)
        if record is None:
            return None
        session = msgspec.json.decode(record.body, type=Session)
        user = await self.user(session.user)
        now = self.clock.now()
        if user is None or not alive(session, user, now):
            return None
        if used and now >= session.seen_at + TOUCH_MS:
            await self._touch(record, msgspec.structs.replace(session, seen_at=now))
        return _person(user, key)

    async def _touch(self, record: Record, session: Session) -> None:
        try:
            await self.people.keep(raised(record, session), None)
        except Conflict:  # another request has, or it was ended meanwhile
            return


def digest(secret: str) -> str:
    """Return what the store has of a secret; it is random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def encoded(value: msgspec.Struct) -> bytes:
    """Return a record's body."""
    return msgspec.json.encode(value)


def raised(record: Record, value: msgspec.Struct) -> Record:
    """Return the record that follows another."""
    return Record(record.kind, record.key, record.revision + 1, encoded(value), record.until)


def _person(user: User, key: str) -> Principal:
    return Principal(name=user.name, kind=Means.USER, role=user.role, account=user.account, key=key)


def _until(before: int | None, after: int | None) -> str:
    """Return until when somebody was raised and is now, as an audit line tells it (ms)."""
    return msgspec.json.encode({"until": [before, after]}).decode()
