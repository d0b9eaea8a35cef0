"""What the API takes and shows of versions of the configuration."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access.versions import Shown
from holdfast.api.wire import Action, Instant, iso
from holdfast.model.configuration import Answer, Origin, Stage, Version
from holdfast.model.submission import Aware
from holdfast.policy.written import toml

CHANGES_MAX = 1000
"""Most places that one answer shows."""

Number = Annotated[int, Meta(ge=1, le=10**12 - 1)]


class VersionsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which versions: those below a number."""

    cursor: Number | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class VersionQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With which version to compare: 0 with nothing; without, the one that it was made of."""

    against: Annotated[int, Meta(ge=0, le=10**12 - 1)] | None = None


class Propose(Action, frozen=True):
    """Body of a proposal: the text of `holdfast.toml`. Secrets in it are not kept."""

    content: Annotated[str, Meta(max_length=3 * 1024 * 1024)]


class Approve(Action, frozen=True):
    """Body of an approval; without `effective_at` it holds at once."""

    effective_at: Aware | None = None


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the configuration."""

    number: int
    stage: Stage
    digest: Annotated[str, Meta(description="SHA-256 of the canonical form, secrets masked.")]
    base: Annotated[int, Meta(description="The version that was current then; 0: none.")]
    approval: Annotated[bool, Meta(description="The version after it needs approval.")]
    origin: Origin
    author: str
    reason: str
    at: Instant | None
    answer: Answer | None
    approver: str | None
    answer_reason: str | None
    answered_at: Instant | None
    effective_at: Instant | None
    loaded_at: Instant | None


class ChangeView(msgspec.Struct, frozen=True):
    """A place at which two versions differ; null: it is not there."""

    place: str
    before: Any
    after: Any


class ConfigurationView(msgspec.Struct, frozen=True, kw_only=True):
    """A version with what it says, as TOML without secrets, and what it changes."""

    version: VersionView
    text: str
    against: Annotated[int, Meta(description="The version it is compared with; 0: nothing.")]
    changes: list[ChangeView]
    more: Annotated[int, Meta(description="So many further changes are not shown.")]


def version(one: Version, stage: Stage) -> VersionView:
    """Return how a version is shown."""
    return VersionView(
        number=one.number,
        stage=stage,
        digest=one.digest,
        base=one.base,
        approval=one.approval,
        origin=one.origin,
        author=one.author,
        reason=one.reason,
        at=iso(one.at),
        answer=one.answer,
        approver=one.approver or None,
        answer_reason=one.answer_reason or None,
        answered_at=iso(one.answered_at),
        effective_at=iso(one.effective_at),
        loaded_at=iso(one.loaded_at),
    )


def configuration(shown: Shown) -> ConfigurationView:
    """Return how a version is shown with what it says and changes."""
    places = shown.changes[:CHANGES_MAX]
    return ConfigurationView(
        version=version(shown.version, shown.stage),
        text=toml(shown.tree),
        against=shown.against,
        changes=[ChangeView(one.place, one.before, one.after) for one in places],
        more=len(shown.changes) - len(places),
    )
