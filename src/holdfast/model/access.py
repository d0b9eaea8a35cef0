"""Who may do what: roles, permissions, and the people and programs that have them (C37)."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from holdfast.model.message import NEVER


class Permission(StrEnum):
    """One thing that somebody may do."""

    READ = "read"
    """See deliveries, messages, lanes, flows, operations, events; never a payload."""
    AUDIT = "audit"
    """Read and verify the audit journal."""
    SEND = "send"
    """Hand in messages."""
    ACT = "act"
    """Change deliveries: redrive, cancel, discard, and so on, also many at once."""
    STEER = "steer"
    """Pause and resume lanes, open and reset breakers, set signals."""
    REVEAL = "reveal"
    """See a payload; each look is a line of the audit journal."""
    PURGE = "purge"
    """Remove payloads before their time."""
    MANAGE = "manage"
    """Make and change users and tokens."""
    CONFIGURE = "configure"
    """Propose, approve and reject configurations; who proposed one does not approve it."""
    EMERGENCY = "emergency"
    """Raise oneself for a short time and recover a lane past its holds (S1.36)."""


class Role(StrEnum):
    """What somebody is; `access.roles` says what each may do."""

    SUPER_ADMIN = "super_admin"
    SYSTEM_ADMIN = "system_admin"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    VIEWER = "viewer"


class Means(StrEnum):
    """How somebody showed who it is."""

    OWNER = "owner"
    """Not at all: whoever is on this machine, when it is open (`server.local_owner`)."""
    CONFIGURED = "configured"
    """By the token of the configuration."""
    USER = "user"
    """By name and password; a session goes on with that."""
    TOKEN = "token"  # noqa: S105  # a word, no secret
    """By a token of the store."""


NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
Name = Annotated[
    str, Meta(pattern=NAME, description="Letters, digits, dot, dash, underscore, @; at most 64.")
]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person with a password.

    Attributes:
        name: unique in the store, also among accounts.
        role: what the person may do.
        account: the only tenant that it sees; None: all.
        password: hash with its parameters (argon2id).
        disabled: it may not sign in, and its sessions are over.
        created_at: ms since the epoch.
        stamp: raised when sessions must end: a new password, a new role, disabled.
    """

    name: str
    role: Role
    account: str | None = None
    password: str
    disabled: bool = False
    created_at: int
    stamp: int = 1


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A program's key; the store has only its digest.

    Attributes:
        id: how lists and commands name it.
        name: whose it is, for people.
        role: what it may do ...
        only: ... and of that nothing but this; empty: all of it.
        account: the only tenant that it sees; None: all.
        digest: SHA-256 of the token, in hex.
        created_at: ms since the epoch.
        expires_at: from then on it opens nothing.
        revoked_at: since then it opens nothing; 0: it does.
    """

    id: str
    name: str
    role: Role
    only: tuple[Permission, ...] = ()
    account: str | None = None
    digest: str
    created_at: int
    expires_at: int = NEVER
    revoked_at: int = 0


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person who signed in; the browser has the secret, the store its digest.

    Attributes:
        user: who.
        stamp: the user's when it signed in.
        created_at: ms since the epoch.
        seen_at: of the last request, at most a minute late.
    """

    user: str
    stamp: int
    created_at: int
    seen_at: int


class Elevation(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody has raised itself for an emergency.

    Attributes:
        until: ms since the epoch.
        reason: why.
    """

    until: int
    reason: str


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        name: of the user or the token.
        kind: how it showed that.
        role: what it is.
        account: the only tenant that it sees; None: all.
        only: nothing but these of what the role may; empty: all of it.
        key: names it in the store: digest of the session, id of the token, or the kind.
    """

    name: str
    kind: Means
    role: Role
    account: str | None = None
    only: tuple[Permission, ...] = ()
    key: str = ""


class Record(msgspec.Struct, frozen=True):
    """Something of this module as stores keep it.

    Attributes:
        kind: `user`, `token`, `session`, `elevation`, or a version of the configuration.
        key: unique in its kind.
        revision: from 1, raised by every change.
        body: JSON.
        until: it may be forgotten after this, ms since the epoch.
    """

    kind: str
    key: str
    revision: int
    body: bytes
    until: int = NEVER
