"""The versions of the configuration, as the store keeps them beside who may do what.

A version is a record whose key counts down, so that the newest comes first; what it says is another
record under its digest, which is written once and shared. Each change of a version is compared and
set together with its line of the audit journal. A version carries a keyed sum: whoever has the
database alone can take versions away, which shows, but not make one.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from holdfast.access.signed import Digest, signed, sound
from holdfast.access.staff import label
from holdfast.again import again
from holdfast.clock import Clock
from holdfast.errors import (
    ConfigError,
    Conflict,
    InvalidInput,
    Nameless,
    NotFound,
    SelfApproval,
    StoreMismatch,
)
from holdfast.model.access import Means, Principal, Record
from holdfast.model.configuration import Answer, Difference, Origin, Stage, Version, Written
from holdfast.people import People
from holdfast.policy import approval
from holdfast.policy.approval import Admission, Step
from holdfast.policy.written import differences, digest_of, masked
from holdfast.store import Note

_LABEL: Final = b"configuration version"
KIND: Final = "configuration"
TEXT: Final = "configuration_text"
PAGE: Final = 100
_HIGHEST: Final = 10**12
_VERSIONS: Final = msgspec.json.Decoder(Version)


class Shown(msgspec.Struct, frozen=True):
    """A version with what it says and what it changes.

    Attributes:
        version: the version.
        stage: how far it is.
        tree: what it says, in canonical form.
        against: number of the version it is compared with; 0: with nothing.
        changes: where they differ.
    """

    version: Version
    stage: Stage
    tree: dict[str, Any]
    against: int
    changes: tuple[Difference, ...]


class Seen(msgspec.Struct, frozen=True):
    """What counts for a start.

    Attributes:
        current: the current version, None: there is none.
        newer: those after it, newest first.
        newest: number of the last one that there is, sound or not; 0: none.
    """

    current: Version | None
    newer: tuple[Version, ...]
    newest: int


class Versions:
    """Keeps the versions.

    Args:
        people: the store.
        clock: time.
        digest: makes keyed sums.
    """

    def __init__(self, people: People, clock: Clock, digest: Digest) -> None:
        self._people = people
        self._clock = clock
        self._digest = digest

    async def start(self, written: Written, actor: str) -> Version:
        """Note that a process starts with a configuration; return the version that it is.

        Processes that start with the same one make one version.

        Args:
            written: what its file says.
            actor: who starts it, for the audit journal.

        Raises:
            ConfigError: it is not approved, or not in effect yet.
            StoreMismatch: a version was changed by somebody without the key.
        """
        return await again(lambda: self._start(written, actor))

    async def reload(self, written: Written, actor: str, detail: str) -> None:
        """Note that a process takes a part of a configuration while it runs.

        Raises:
            ConfigError: it is not approved, or not in effect yet.
        """
        admission, _ = await self._admit(written)
        subject = KIND if admission.version is None else f"{KIND}:{admission.version.number}"
        note = Note(self._clock.now(), actor, "reload_configuration", subject, "SIGHUP", detail)
        await self._people.keep(None, note)

    async def page(self, below: int | None, limit: int) -> list[tuple[Version, Stage]]:
        """Return versions with their stages, newest first, below a number."""
        current = (await self._seen(trusting=True)).current
        found = await self._page(below, limit)
        return [(one, self._stage(one, current)) for one in found]

    async def show(self, number: int, against: int | None = None) -> Shown:
        """Return a version, compared with another (0: with nothing; None: with its base).

        Raises:
            NotFound: there is no such version.
        """
        version = (await self._found(number))[1]
        other = version.base if against is None else against
        before = await self._tree((await self._found(other))[1]) if other else {}
        tree = await self._tree(version)
        current = (await self._seen(trusting=True)).current
        found = self._stage(version, current)
        return Shown(version, found, tree, other, differences(before, tree))

    async def propose(self, written: Written, *, by: Principal, why: str) -> Version:
        """Write down a configuration that waits for approval.

        Raises:
            Nameless: nobody in particular asks.
            Conflict: it is the current one, or waits already.
        """
        _check_named(by, "propose a configuration")
        return await again(lambda: self._propose(written, by, why))

    async def approve(
        self, number: int, *, by: Principal, why: str, effective_at: int = 0
    ) -> Version:
        """Let processes start with a proposal, from an instant on (ms; 0: at once).

        Raises:
            Nameless: nobody in particular asks.
            SelfApproval: who proposed it asks.
            NotFound: there is no such version.
            Conflict: it does not wait for approval.
            InvalidInput: the instant has passed.
        """
        _check_named(by, "approve a configuration")
        now = self._clock.now()
        if effective_at and effective_at <= now:
            raise InvalidInput("effective_at", effective_at, "an instant to come, or none: at once")
        revision, version = await self._proposal(number)
        if version.person.casefold() == by.name.casefold():
            raise SelfApproval(
                f"{by.name} proposed version {number}; somebody else has to approve it",
                "an admin with another name",
            )
        return await self._answer(
            revision, version, Answer.APPROVED, by, why, effective_at=effective_at
        )

    async def reject(self, number: int, *, by: Principal, why: str) -> Version:
        """Let no process start with a proposal; its author may take it back so, too.

        Raises:
            Nameless: nobody in particular asks.
            NotFound: there is no such version.
            Conflict: it does not wait for approval.
        """
        _check_named(by, "reject a configuration")
        revision, version = await self._proposal(number)
        return await self._answer(revision, version, Answer.REJECTED, by, why)

    async def override(self, written: Written, actor: str, why: str) -> Version:
        """Let processes start with a configuration without approval; works on unsound ones, too."""

        async def work() -> Version:
            seen = await self._seen(trusting=True)
            tree = masked(written.tree, self._digest)
            version = await self._written(tree, seen, Origin.OVERRIDE, actor, why)
            line = self._line(version, "override_configuration", actor)
            return await self._keep(version, 1, line)

        return await again(work)

    async def _start(self, written: Written, actor: str) -> Version:
        admission, seen = await self._admit(written)
        version, now = admission.version, self._clock.now()
        if version is None:
            tree = masked(written.tree, self._digest)
            revision = 0
            version = await self._written(tree, seen, Origin.START, actor, "loaded at start")
        else:
            revision, version = await self._found(version.number)
        if version.loaded_at:  # another worker was first
            return version
        version = msgspec.structs.replace(version, loaded_at=now)
        line = self._line(version, "load_configuration", actor)
        return await self._keep(version, revision + 1, line)

    async def _admit(self, written: Written) -> tuple[Admission, Seen]:
        digest = digest_of(masked(written.tree, self._digest))
        seen = await self._seen(digest)
        admission = approval.admit(
            seen.current, seen.newer, digest, written.outside, self._clock.now()
        )
        if admission.step is Step.REFUSE:
            raise ConfigError(approval.refused(admission, seen.current, written.source))
        return admission, seen

    async def _propose(self, written: Written, by: Principal, why: str) -> Version:
        tree = masked(written.tree, self._digest)
        digest, seen = digest_of(tree), await self._seen()
        if seen.current is not None and seen.current.digest == digest:
            raise Conflict(f"this configuration is version {seen.current.number}, the current one")
        for one in seen.newer:
            found = approval.stage(one, seen.current)
            if one.digest == digest and found in {Stage.PROPOSED, Stage.APPROVED}:
                raise Conflict(f"this configuration is version {one.number}, which is {found}")
        version = await self._written(tree, seen, Origin.PROPOSAL, label(by), why, person=by.name)
        line = self._line(version, "propose_configuration", version.author)
        return await self._keep(version, 1, line)

    async def _proposal(self, number: int) -> tuple[int, Version]:
        revision, version = await self._found(number)
        found = self._stage(version, (await self._seen()).current)
        if found is not Stage.PROPOSED:
            raise Conflict(f"version {number} is {found}; only what is proposed can be answered")
        return revision, version

    async def _answer(  # what is said of a version
        self,
        revision: int,
        version: Version,
        answer: Answer,
        by: Principal,
        why: str,
        *,
        effective_at: int = 0,
    ) -> Version:
        now = self._clock.now()
        said = msgspec.structs.replace(
            version,
            answer=answer,
            approver=label(by),
            answer_reason=why,
            answered_at=now,
            effective_at=effective_at,
        )
        verb = "approve" if answer is Answer.APPROVED else "reject"
        note = self._line(said, f"{verb}_configuration", said.approver, why)
        return await self._keep(said, revision + 1, note)

    async def _seen(self, digest: str = "", *, trusting: bool = False) -> Seen:
        """Return what counts for a start.

        Args:
            digest: of the configuration; an override of it vouches for what is before it.
            trusting: pass by unsound versions; else they are refused.
        """
        newer: list[Version] = []
        newest = 0
        async for one in self._all():
            newest = newest or one.number
            if not self._sound(one):
                if trusting:
                    continue
                raise StoreMismatch(
                    f"version {one.number} of the configuration was changed by somebody without "
                    "the key. Look at what it should be, then: holdfast config override FILE "
                    "--reason TEXT"
                )
            if one.loaded_at:
                return Seen(one, tuple(newer), newest)
            newer.append(one)
            trusting = trusting or (one.origin is Origin.OVERRIDE and one.digest == digest)
        return Seen(None, tuple(newer), newest)

    async def _all(self) -> AsyncIterator[Version]:
        below = None
        while found := await self._page(below, PAGE):
            for one in found:
                yield one
            below = found[-1].number

    async def _written(
        self,
        tree: dict[str, Any],
        seen: Seen,
        origin: Origin,
        author: str,
        reason: str,
        *,
        person: str = "",
    ) -> Version:
        """Return the next version, its text already kept.

        It is the next of those that were seen: who was first meanwhile has its number.
        """
        current, digest = seen.current, digest_of(tree)
        if await self._people.record(TEXT, digest) is None:
            body = msgspec.json.encode(tree, order="sorted")
            await self._people.keep(Record(TEXT, digest, 1, body), None)
        return Version(
            number=seen.newest + 1,
            digest=digest,
            base=0 if current is None else current.number,
            before="" if current is None else current.digest,
            approval=approval.needs_approval(tree),
            origin=origin,
            author=author,
            person=person,
            reason=reason,
            at=self._clock.now(),
        )

    async def _keep(self, version: Version, revision: int, note: Note) -> Version:
        """Write a version with its line; return it with its sum."""
        summed = signed(self._digest, _LABEL, version)
        record = Record(KIND, _key(version.number), revision, msgspec.json.encode(summed))
        await self._people.keep(record, note)
        return summed

    def _line(self, version: Version, action: str, actor: str, reason: str = "") -> Note:
        detail = {"before": version.before, "after": version.digest}
        return Note(
            self._clock.now(),
            actor,
            action,
            f"{KIND}:{version.number}",
            reason or version.reason,
            msgspec.json.encode(detail).decode(),
        )

    async def _page(self, below: int | None, limit: int) -> list[Version]:
        after = "" if below is None else _key(below)
        records = await self._people.records(KIND, after, limit)
        return [_decoded(each) for each in records]

    async def _found(self, number: int) -> tuple[int, Version]:
        """Return the revision of a version, and the version."""
        record = await self._people.record(KIND, _key(number)) if number > 0 else None
        if record is None:
            raise NotFound(f"there is no version {number} of the configuration")
        return record.revision, _decoded(record)

    async def _tree(self, version: Version) -> dict[str, Any]:
        record = await self._people.record(TEXT, version.digest)
        tree = None if record is None else msgspec.json.decode(record.body, type=dict[str, Any])
        if tree is None or digest_of(tree) != version.digest:
            raise StoreMismatch(
                f"what version {version.number} of the configuration says was changed in the store"
            )
        return tree

    def _stage(self, version: Version, current: Version | None) -> Stage:
        sound = self._sound(version)
        return approval.stage(version, current) if sound else Stage.UNSOUND

    def _sound(self, version: Version) -> bool:
        return sound(self._digest, _LABEL, version)


def _check_named(by: Principal, what: str) -> None:
    """Refuse whoever could be anybody: it could approve what it proposed under another name."""
    if by.kind not in {Means.USER, Means.TOKEN}:
        raise Nameless(
            f"to {what} takes a name: sign in, or use a token of the store",
            "users who signed in, and tokens of the store",
        )


def _decoded(record: Record) -> Version:
    """Return a version; one whose record stands elsewhere than it says is unsound."""
    try:
        version = _VERSIONS.decode(record.body)
    except msgspec.MsgspecError as error:
        raise StoreMismatch(f"a version of the configuration is damaged: {error}") from error
    if record.key != _key(version.number):
        return msgspec.structs.replace(version, number=_HIGHEST - int(record.key), sum=b"")
    return version


def _key(number: int) -> str:
    return f"{_HIGHEST - number:013d}"
