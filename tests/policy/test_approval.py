"""May a process start with this configuration: the table of cases."""

from typing import Any, Final

import msgspec
import pytest

from holdfast.model.configuration import Answer, Origin, Stage, Version
from holdfast.policy.approval import MACHINE, Admission, Step, admit, needs_approval, refused, stage

NOW: Final = 1_767_225_600_000
FREE: Final = Version(
    number=1, digest="one", origin=Origin.START, author="ada", reason="r", at=NOW, loaded_at=NOW
)
BOUND: Final = msgspec.structs.replace(FREE, approval=True)
PROPOSED: Final = Version(
    number=2, digest="two", base=1, origin=Origin.PROPOSAL, author="ada", reason="r", at=NOW
)
APPROVED: Final = msgspec.structs.replace(PROPOSED, answer=Answer.APPROVED, approver="eve")
LATER: Final = msgspec.structs.replace(APPROVED, effective_at=NOW + 1)
REJECTED: Final = msgspec.structs.replace(
    PROPOSED, answer=Answer.REJECTED, approver="eve", answer_reason="too bold"
)
STALE: Final = msgspec.structs.replace(APPROVED, base=0)
OVERRIDE: Final = msgspec.structs.replace(PROPOSED, number=3, origin=Origin.OVERRIDE)


def asked(current: Version | None, *newer: Version, digest: str = "two") -> Admission:
    """Return what a start comes to, without variables and options."""
    return admit(current, newer, digest, (), NOW)


@pytest.mark.parametrize(
    ("current", "newer", "step"),
    [
        (None, (), Step.RECORD),
        (FREE, (), Step.RECORD),
        (FREE, (PROPOSED,), Step.RECORD),
        (FREE, (APPROVED,), Step.LOAD),
        (BOUND, (), Step.REFUSE),
        (BOUND, (PROPOSED,), Step.REFUSE),
        (BOUND, (REJECTED,), Step.REFUSE),
        (BOUND, (LATER,), Step.REFUSE),
        (BOUND, (STALE,), Step.REFUSE),
        (BOUND, (APPROVED,), Step.LOAD),
        (BOUND, (msgspec.structs.replace(LATER, effective_at=NOW),), Step.LOAD),
        (BOUND, (PROPOSED, APPROVED), Step.LOAD),
        (BOUND, (OVERRIDE, REJECTED), Step.LOAD),
        (BOUND, (msgspec.structs.replace(APPROVED, digest="three"),), Step.REFUSE),
    ],
)
def test_a_start(current: Version | None, newer: tuple[Version, ...], step: Step) -> None:
    """Where approval is needed, exactly what was approved, of the current one, from its time on."""
    found = asked(current, *newer)
    assert found.step is step
    assert (found.version is not None) >= (step is Step.LOAD)


@pytest.mark.parametrize("current", [FREE, BOUND])
def test_the_current_one_starts_again(current: Version) -> None:
    """Whatever is proposed meanwhile."""
    assert asked(current, PROPOSED, digest="one") == Admission(Step.SAME, current)


@pytest.mark.parametrize("place", ["policy.strategy", "retention.rows_days", "server.local_owner"])
def test_variables_do_not_go_around_it(place: str) -> None:
    """What a variable would change was approved by nobody; where nobody has to, it may."""
    places = (place, *sorted(MACHINE))
    found = admit(BOUND, (), "one", places, NOW)
    assert found.step is Step.REFUSE
    assert f"sets {place}, and" in found.why
    assert admit(FREE, (), "one", places, NOW).step is Step.SAME
    assert admit(BOUND, (), "one", MACHINE, NOW).step is Step.SAME


@pytest.mark.parametrize(
    ("newer", "words"),
    [
        ((), ("is not approved; it differs from version 1", "holdfast config propose h.toml")),
        ((PROPOSED,), ("version 2, which ada proposed", "holdfast config approve 2")),
        ((REJECTED,), ("which eve rejected: too bold", "holdfast config propose h.toml")),
        ((LATER,), ("takes effect at 2026-01-01T00:00:00+00:00", "Start it then.")),
        ((STALE,), ("made of version 0, but version 1 is current", "config propose h.toml")),
    ],
)
def test_a_refusal_says_what_to_do(newer: tuple[Version, ...], words: tuple[str, ...]) -> None:
    """Each state its own words, and always the way without approval."""
    said = refused(asked(BOUND, *newer), BOUND, "h.toml")
    for each in (*words, "on this machine: holdfast config override h.toml --reason TEXT"):
        assert each in said


@pytest.mark.parametrize(
    ("version", "current", "expected"),
    [
        (FREE, FREE, Stage.CURRENT),
        (FREE, msgspec.structs.replace(APPROVED, loaded_at=NOW), Stage.REPLACED),
        (PROPOSED, FREE, Stage.PROPOSED),
        (APPROVED, FREE, Stage.APPROVED),
        (OVERRIDE, FREE, Stage.APPROVED),
        (REJECTED, FREE, Stage.REJECTED),
        (STALE, FREE, Stage.SUPERSEDED),
        (PROPOSED, None, Stage.SUPERSEDED),
    ],
)
def test_stages(version: Version, current: Version | None, expected: Stage) -> None:
    """How far a version is follows from what was done and from what is current."""
    assert stage(version, current) is expected


def test_only_a_clear_yes_needs_approval() -> None:
    """Of a tree that may hold anything."""
    assert needs_approval({"changes": {"approval": True}})
    unclear: list[dict[str, Any]] = [{}, {"changes": 1}, {"changes": {}}]
    for tree in (*unclear, {"changes": {"approval": False}}):
        assert not needs_approval(tree)
