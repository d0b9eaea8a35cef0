"""Versions of the configuration: what is kept, who may approve, and what forgery comes to."""

import asyncio
import tomllib
from typing import Final

import msgspec
import pytest

from holdfast.access.versions import KIND, TEXT, Versions
from holdfast.errors import (
    ConfigError,
    Conflict,
    InvalidInput,
    Nameless,
    NotFound,
    SelfApproval,
    StoreMismatch,
)
from holdfast.model.access import Means, Principal, Role
from holdfast.model.configuration import Stage, Version, Written
from holdfast.testing.clock import VirtualClock
from holdfast.testing.people import MemoryPeople
from holdfast.vault import Vault

OPEN: Final = "[engine]\nmax_in_flight = 64\n"
BOUND: Final = OPEN + "[changes]\napproval = true\n"
OTHER: Final = BOUND.replace("64", "65")
THIRD: Final = BOUND.replace("64", "66")
ENDED: Final = BOUND.replace("true", "false")


def person(name: str, kind: Means = Means.USER) -> Principal:
    """Return an admin."""
    return Principal(name=name, kind=kind, role=Role.SYSTEM_ADMIN)


ADA, EVE = person("ada"), person("eve")


class Bench:
    """Versions in memory."""

    def __init__(self) -> None:
        self.people = MemoryPeople()
        self.clock = VirtualClock()
        self.versions = Versions(self.people, self.clock, Vault.generate().digest)

    async def start(self, text: str, *outside: str) -> Version:
        """Start with a file."""
        return await self.versions.start(Written(tomllib.loads(text), outside), "cli:op")

    async def propose(self, text: str, by: Principal = ADA) -> int:
        """Propose a file; return its number."""
        return (
            await self.versions.propose(Written(tomllib.loads(text)), by=by, why="better")
        ).number

    async def stages(self) -> list[tuple[int, str]]:
        """Return the stages of all versions, newest first."""
        return [(one.number, found) for one, found in await self.versions.page(None, 100)]

    def told(self) -> list[tuple[str, str, str]]:
        """Return the audit lines: who, what, which."""
        notes = [line.note for line in self.people.lines]
        return [(note.actor, note.action, note.subject) for note in notes]

    async def forge(self, place: int, **fields: object) -> None:
        """Change a version in the store, as somebody without the key would."""
        key = f"{10**12 - place:013d}"
        record = await self.people.record(KIND, key)
        assert record is not None
        version = msgspec.json.decode(record.body, type=Version)
        body = msgspec.json.encode(msgspec.structs.replace(version, **fields))
        forged = msgspec.structs.replace(record, revision=record.revision + 1, body=body)
        await self.people.keep(forged, None)


@pytest.fixture
def bench() -> Bench:
    """Return an empty store."""
    return Bench()


async def test_a_start_is_a_version_when_something_changed(bench: Bench) -> None:
    """The first, and each with another file; the line has the digests before and after."""
    first = await bench.start(OPEN)
    assert await bench.start("# why\n" + OPEN) == first
    second = await bench.start("")
    third = await bench.start(OPEN)
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert (third.base, third.before, third.digest) == (2, second.digest, first.digest)
    assert await bench.stages() == [(3, "current"), (2, "replaced"), (1, "replaced")]
    assert bench.told() == [
        ("cli:op", "load_configuration", f"configuration:{n}") for n in (1, 2, 3)
    ]
    detail = bench.people.lines[1].note.detail
    assert detail == f'{{"before":"{first.digest}","after":"{second.digest}"}}'
    assert len(await bench.people.records(TEXT, "", 10)) == 2


async def test_a_version_shows_what_it_changes(bench: Bench) -> None:
    """Against the one before it, another one, or nothing."""
    for text in (OPEN, "", OPEN.replace("64", "9")):
        await bench.start(text)
    place = "engine"
    shown = await bench.versions.show(3)
    assert [(one.place, one.before, one.after) for one in shown.changes] == [
        (place, None, {"max_in_flight": 9})
    ]
    shown = await bench.versions.show(3, 1)
    assert [(one.place, one.before, one.after) for one in shown.changes] == [
        ("engine.max_in_flight", 64, 9)
    ]
    shown = await bench.versions.show(1, 0)
    assert (shown.against, len(shown.changes)) == (0, 1)
    for number, against in ((4, None), (0, None), (1, 7)):
        with pytest.raises(NotFound):
            await bench.versions.show(number, against)


async def test_pages(bench: Bench) -> None:
    """Newest first, below a number, however many there are."""
    for number in range(1, 131):
        await bench.start(f"[engine]\nmax_in_flight = {number}")
    found = [one.number for one, _ in await bench.versions.page(None, 3)]
    assert found == [130, 129, 128]
    assert [one.number for one, _ in await bench.versions.page(3, 9)] == [2, 1]


async def test_nothing_starts_unapproved(bench: Bench) -> None:
    """Once a version asks for approval; the current one goes on, and starts again."""
    await bench.start(OPEN)
    await bench.start(BOUND)
    for text in (OTHER, OPEN, ENDED, ""):
        with pytest.raises(ConfigError, match="not approved"):
            await bench.start(text)
    assert (await bench.start(BOUND)).number == 2
    assert await bench.stages() == [(2, "current"), (1, "replaced")]
    with pytest.raises(ConfigError, match=r"sets policy\.strategy"):
        await bench.start(BOUND, "policy.strategy", "server.port")
    assert (await bench.start(BOUND, "server.port")).number == 2


async def test_somebody_else_approves(bench: Bench) -> None:
    """Then it starts, and what it says about approval holds from then on."""
    await bench.start(BOUND)
    number = await bench.propose(ENDED)
    with pytest.raises(ConfigError, match="ada proposed and nobody has approved yet"):
        await bench.start(ENDED)
    await bench.versions.approve(number, by=EVE, why="yes")
    assert await bench.stages() == [(2, "approved"), (1, "current")]
    assert (await bench.start(ENDED)).loaded_at == bench.clock.now()
    assert (await bench.start(OPEN)).number == 3  # approval has ended, by approval
    assert [each[:2] for each in bench.told()] == [
        ("cli:op", "load_configuration"),
        ("ada", "propose_configuration"),
        ("eve", "approve_configuration"),
        ("cli:op", "load_configuration"),
        ("cli:op", "load_configuration"),
    ]


@pytest.mark.parametrize("by", [ADA, person("Ada"), person("ada", Means.TOKEN)])
async def test_self_approval_is_refused(bench: Bench, by: Principal) -> None:
    """By whatever means the author comes; what it refuses itself it may."""
    await bench.start(BOUND)
    number = await bench.propose(OTHER)
    with pytest.raises(SelfApproval):
        await bench.versions.approve(number, by=by, why="mine")
    with pytest.raises(ConfigError):
        await bench.start(OTHER)
    assert (await bench.versions.reject(number, by=by, why="a slip")).number == number
    with pytest.raises(ConfigError, match="rejected: a slip"):
        await bench.start(OTHER)


@pytest.mark.parametrize("kind", [Means.OWNER, Means.CONFIGURED])
async def test_who_could_be_anybody_neither_proposes_nor_answers(bench: Bench, kind: Means) -> None:
    """Else one person proposed without a name and approved with one."""
    await bench.start(BOUND)
    number = await bench.propose(OTHER)
    nobody = person("somebody", kind)
    with pytest.raises(Nameless):
        await bench.propose(THIRD, nobody)
    with pytest.raises(Nameless):
        await bench.versions.approve(number, by=nobody, why="x")
    with pytest.raises(Nameless):
        await bench.versions.reject(number, by=nobody, why="x")


async def test_a_proposal_is_answered_once(bench: Bench) -> None:
    """Two admins at once: one is heard, the other one is told; so with what is current."""
    await bench.start(BOUND)
    number = await bench.propose(OTHER)
    answers = await asyncio.gather(
        bench.versions.approve(number, by=EVE, why="yes"),
        bench.versions.reject(number, by=person("max"), why="no"),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Conflict) for each in answers) == 1
    for wrong in (number, 1):
        with pytest.raises(Conflict, match="only what is proposed"):
            await bench.versions.approve(wrong, by=EVE, why="again")
    with pytest.raises(NotFound):
        await bench.versions.approve(9, by=EVE, why="x")


async def test_a_proposal_must_change_something(bench: Bench) -> None:
    """The current one, or one that waits already, is no proposal."""
    await bench.start(BOUND)
    with pytest.raises(Conflict, match="is version 1, the current one"):
        await bench.propose(BOUND)
    await bench.propose(OTHER)
    with pytest.raises(Conflict, match="is version 2, which is proposed"):
        await bench.propose(OTHER, EVE)
    await bench.versions.reject(2, by=EVE, why="no")
    assert await bench.propose(OTHER) == 3


async def test_it_takes_effect_at_its_time(bench: Bench) -> None:
    """Not a millisecond earlier; an instant that has passed is a slip."""
    await bench.start(BOUND)
    number = await bench.propose(OTHER)
    now = bench.clock.now()
    with pytest.raises(InvalidInput, match="an instant to come"):
        await bench.versions.approve(number, by=EVE, why="x", effective_at=now)
    await bench.versions.approve(number, by=EVE, why="x", effective_at=now + 1)
    with pytest.raises(ConfigError, match="takes effect at"):
        await bench.start(OTHER)
    bench.clock.jump(0.001)
    assert (await bench.start(OTHER)).number == number


async def test_an_approval_is_of_a_change(bench: Bench) -> None:
    """Two approved proposals of one version: who loads the second would undo the first."""
    await bench.start(BOUND)
    first, second = await bench.propose(OTHER), await bench.propose(THIRD, EVE)
    await bench.versions.approve(first, by=EVE, why="x")
    await bench.versions.approve(second, by=ADA, why="x")
    await bench.start(OTHER)
    with pytest.raises(ConfigError, match="made of version 1, but version 2 is current"):
        await bench.start(THIRD)
    assert await bench.stages() == [(3, "superseded"), (2, "current"), (1, "replaced")]
    with pytest.raises(ConfigError, match="not approved"):
        await bench.start(BOUND)  # nor is the way back


async def test_an_override_is_explicit_and_kept(bench: Bench) -> None:
    """For the file that it names, once, with a line; the next change needs approval again."""
    await bench.start(BOUND)
    await bench.versions.override(Written(tomllib.loads(OTHER)), "cli:op", "the house burns")
    with pytest.raises(ConfigError):
        await bench.start(THIRD)
    assert (await bench.start(OTHER)).number == 2
    with pytest.raises(ConfigError):
        await bench.start(BOUND)
    assert bench.told()[1] == ("cli:op", "override_configuration", "configuration:2")


@pytest.mark.parametrize(
    ("number", "fields"),
    [
        (1, {"approval": False}),
        (1, {"loaded_at": 0}),
        (2, {"answer": "approved", "approver": "eve"}),
        (2, {"number": 7}),
    ],
)
async def test_a_forged_version_lets_nothing_start(
    bench: Bench, number: int, fields: dict[str, object]
) -> None:
    """Who has the database alone cannot approve; the list names it; an override goes on."""
    await bench.start(BOUND)
    await bench.propose(OTHER)
    await bench.forge(number, **fields)
    for text in (OTHER, BOUND):
        with pytest.raises(StoreMismatch, match=f"version {number} of the configuration was ch"):
            await bench.start(text)
    assert (number, Stage.UNSOUND) in await bench.stages()
    await bench.versions.override(Written(tomllib.loads(OTHER)), "cli:op", "looked at it")
    assert (await bench.start(OTHER)).number == 3


async def test_a_changed_text_is_not_shown(bench: Bench) -> None:
    """What a version says is checked against its digest."""
    first = await bench.start(OPEN)
    record = await bench.people.record(TEXT, first.digest)
    assert record is not None
    await bench.people.keep(msgspec.structs.replace(record, revision=2, body=b"{}"), None)
    with pytest.raises(StoreMismatch, match="says was changed in the store"):
        await bench.versions.show(1)


async def test_a_part_that_is_taken_while_it_runs(bench: Bench) -> None:
    """Is held to the same; a line tells it."""
    await bench.start(BOUND)
    with pytest.raises(ConfigError):
        await bench.versions.reload(Written(tomllib.loads(OTHER)), "cli:op", "max_in_flight 65")
    number = await bench.propose(OTHER)
    await bench.versions.approve(number, by=EVE, why="x")
    await bench.versions.reload(Written(tomllib.loads(OTHER)), "cli:op", "max_in_flight 65")
    assert bench.told()[-1] == ("cli:op", "reload_configuration", "configuration:2")
    assert await bench.stages() == [(2, "approved"), (1, "current")]


def test_what_is_written_is_not_in_a_trace() -> None:
    """It may hold secrets."""
    assert "s3cret" not in repr(Written({"server": {"token": "s3cret-token"}}))
