"""Versions of the configuration: what was written, by whom, who approved it, when it was loaded."""

from enum import StrEnum
from typing import Any

import msgspec


class Written(msgspec.Struct, frozen=True):
    """A configuration as its file says it, before variables and the command line.

    Attributes:
        tree: the file's tables; strings may be secrets.
        outside: dotted places that variables or the command line set besides.
        source: what to call the file.
    """

    tree: dict[str, Any]
    outside: tuple[str, ...] = ()
    source: str = "holdfast.toml"

    def __repr__(self) -> str:
        return f"Written({self.source}, {len(self.tree)} tables)"  # strings may be secrets


class Origin(StrEnum):
    """Where a version comes from."""

    START = "start"
    """A process started with it."""
    PROPOSAL = "proposal"
    """Somebody proposed it."""
    OVERRIDE = "override"
    """Somebody on the machine allowed it without approval."""


class Answer(StrEnum):
    """What another person said to a proposal."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Stage(StrEnum):
    """How far a version is."""

    PROPOSED = "proposed"
    """It waits for approval."""
    APPROVED = "approved"
    """A process may start with it, from `effective_at` on."""
    REJECTED = "rejected"
    """No process may start with it."""
    CURRENT = "current"
    """The last one that a process started with."""
    REPLACED = "replaced"
    """It was current; another one came after it."""
    SUPERSEDED = "superseded"
    """Another one became current before it did: what it would change is not what was approved."""
    UNSOUND = "unsound"
    """Somebody without the key changed it in the store."""


class Version(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One state of the configuration. What it says stands beside it, under its digest.

    Attributes:
        number: from 1.
        digest: SHA-256 of the canonical form, secrets masked, in hex.
        base: number of the version that was current when this one was written; 0: there was none.
        before: the digest of that one.
        approval: once it is current, the next one needs approval.
        origin: where it comes from.
        author: who wrote it, as the audit journal names it ...
        person: ... and the bare name of the user or token, '': nobody in particular.
        reason: why.
        at: when it was written down, ms since the epoch.
        answer: what another person said to it; None: nothing yet.
        approver: who that was ...
        answer_reason: ... why ...
        answered_at: ... and when; 0: not yet.
        effective_at: no process may start with it earlier.
        loaded_at: when a process first started with it; 0: none has.
        sum: keyed sum of all this.
    """

    number: int
    digest: str
    base: int = 0
    before: str = ""
    approval: bool = False
    origin: Origin
    author: str
    person: str = ""
    reason: str
    at: int
    answer: Answer | None = None
    approver: str = ""
    answer_reason: str = ""
    answered_at: int = 0
    effective_at: int = 0
    loaded_at: int = 0
    sum: bytes = b""


class Difference(msgspec.Struct, frozen=True):
    """One place at which two configurations differ; None: it is not there.

    Attributes:
        place: dotted, as in the file.
        before: what stood there.
        after: what stands there.
    """

    place: str
    before: Any
    after: Any
