"""May a process start with this configuration? May somebody answer a proposal? Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from holdfast.model.configuration import Answer, Origin, Stage, Version

MACHINE: Final = frozenset(
    {
        *("data", "store.url", "store.prepared_statements", "spool.path", "log.level", "log.path"),
        *("server.host", "server.port", "server.metrics_port", "server.token"),
    }
)
"""Places that variables and the command line may set though approval is needed: they say where a
process runs, not what it does."""


class Step(StrEnum):
    """What a start comes to."""

    SAME = "same"
    """It is the current version."""
    LOAD = "load"
    """It is an approved one, which becomes current."""
    RECORD = "record"
    """It becomes a version by this."""
    REFUSE = "refuse"
    """It must not start."""


class Admission(msgspec.Struct, frozen=True):
    """What a start comes to: with which version, or why not and what to do."""

    step: Step
    version: Version | None = None
    why: str = ""


def needs_approval(tree: dict[str, Any]) -> bool:
    """Tell whether a configuration says that the next one needs approval."""
    changes = tree.get("changes", {})
    return isinstance(changes, dict) and changes.get("approval") is True


def released(version: Version) -> bool:
    """Tell whether somebody let processes start with a version."""
    return version.origin is Origin.OVERRIDE or version.answer is Answer.APPROVED


def follows(version: Version, current: Version | None) -> bool:
    """Tell whether a version was made of the current one, so that its changes are as they were."""
    return version.base == (0 if current is None else current.number)


def stage(version: Version, current: Version | None) -> Stage:
    """Return how far a sound version is."""
    if current is not None and version.number == current.number:
        return Stage.CURRENT
    if version.loaded_at:
        return Stage.REPLACED
    if version.answer is Answer.REJECTED:
        return Stage.REJECTED
    if not follows(version, current):
        return Stage.SUPERSEDED
    return Stage.APPROVED if released(version) else Stage.PROPOSED


def admit(
    current: Version | None,
    newer: Sequence[Version],
    digest: str,
    outside: Iterable[str],
    now: int,
) -> Admission:
    """Return what a start with a configuration comes to.

    Args:
        current: the current version, None: there is none yet.
        newer: versions after it, newest first.
        digest: of the configuration.
        outside: places that variables or the command line set.
        now: ms since the epoch.
    """
    bound = current is not None and current.approval
    stray = sorted(set(outside) - MACHINE)
    if bound and stray:
        return Admission(Step.REFUSE, None, _stray(stray))
    if current is not None and current.digest == digest:
        return Admission(Step.SAME, current)
    alike = [one for one in newer if one.digest == digest]
    for one in alike:
        if released(one) and follows(one, current) and one.effective_at <= now:
            return Admission(Step.LOAD, one)
    if current is None or not bound:
        return Admission(Step.RECORD)
    return Admission(Step.REFUSE, alike[0] if alike else None, _why(current, alike))


def refused(admission: Admission, current: Version | None, source: str) -> str:
    """Return what to tell whoever starts with a configuration that must not start.

    Args:
        admission: the refusal.
        current: the current version.
        source: what to call the file.
    """
    return (
        f"{source}: {admission.why}. {_advice(admission.version, current, source)} Without "
        f"approval, on this machine: holdfast config override {source} --reason TEXT"
    )


def _stray(places: Sequence[str]) -> str:
    return (
        f"a variable or an option sets {', '.join(places)}, and that goes around the approval "
        "that the current version asks for: write it into the file"
    )


def _why(current: Version, alike: Sequence[Version]) -> str:
    if not alike:
        return (
            f"this configuration is not approved; it differs from version {current.number}, "
            "which is current"
        )
    newest = alike[0]
    told = {
        Stage.PROPOSED: f"which {newest.author} proposed and nobody has approved yet",
        Stage.REJECTED: f"which {newest.approver} rejected: {newest.answer_reason}",
        Stage.APPROVED: f"which takes effect at {_iso(newest.effective_at)}, not before",
        Stage.SUPERSEDED: (
            f"which was made of version {newest.base}, but version {current.number} is current now"
        ),
    }
    return f"this configuration is version {newest.number}, {told[stage(newest, current)]}"


def _advice(version: Version | None, current: Version | None, source: str) -> str:
    found = None if version is None else stage(version, current)
    if version is not None and found is Stage.PROPOSED:
        return (
            f"Let somebody else approve it: holdfast config approve {version.number} --reason TEXT."
        )
    if found is Stage.APPROVED:
        return "Start it then."
    return (
        f"Propose it to a Holdfast that runs: holdfast config propose {source} --reason TEXT, and "
        "let somebody else approve it."
    )


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
