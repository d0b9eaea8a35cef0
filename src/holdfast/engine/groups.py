"""Failure groups as people handle them: list, look at, assign, resolve, ignore, judge, ..."""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

import msgspec

from holdfast.clock import Clock
from holdfast.engine.actions import check_reason
from holdfast.engine.judgements import Judgements
from holdfast.engine.loop import Loop
from holdfast.engine.operations import Member
from holdfast.errors import Conflict, InvalidInput, NotFound, Stale
from holdfast.model.alert import (
    CRITICAL_PRIORITY,
    Alerted,
    AlertQuery,
    Alerts,
    Critical,
    CriticalQuery,
)
from holdfast.model.audit import differences
from holdfast.model.group import (
    BUCKET_MS,
    GROUPS_MAX,
    JUDGED_MAX,
    LOOK,
    LOOKBACKS,
    Bucket,
    Cause,
    Change,
    Counted,
    Group,
    GroupStatus,
    Line,
    Lines,
    Listing,
    Lookback,
    Tally,
)
from holdfast.model.judgement import Nature
from holdfast.model.search import Choice, Predicate, Search
from holdfast.model.stream import GroupWord
from holdfast.policy import fingerprint, grouping, search
from holdfast.store import Batch, Committed, Note
from holdfast.telemetry import LogEvent, log

TRIES: Final = 8
"""How often a change is decided anew when the group changed in between."""
OWNER_MAX: Final = 100
ALERT_LOOK: Final = 1_000
"""Most failing deliveries that are counted in a group of the alerts."""
_TOLD: Final = ("status", "owner", "until", "ceiling", "nature", "cause")
"""What a person changes of a group."""
_OPEN: Final = frozenset({GroupStatus.OPEN, GroupStatus.REGRESSED})


class Shelf(Protocol):
    """What is needed of a store."""

    async def commit(self, batch: Batch) -> Committed:
        """Write a batch in one durable transaction."""
        ...

    async def tallies(self, search: Search) -> list[Counted]:
        """Return the groups that were seen last, each with its failing deliveries that match."""
        ...

    async def groups(self, ids: Collection[str]) -> list[Group]:
        """Return these groups."""
        ...

    async def returned(self) -> list[Group]:
        """Return groups that came back after they were resolved, of which nobody was told."""
        ...

    async def judged(self) -> list[Group]:
        """Return groups whose failures a person judged."""
        ...

    async def failures(
        self, ids: Collection[str], first: int, width: int
    ) -> dict[str, dict[int, Bucket]]:
        """Return how many tries of each group failed, by time."""
        ...

    async def alerts(self, query: AlertQuery) -> Alerted:
        """Return the groups that were new or came back last, the newest first."""
        ...

    async def critical(self, query: CriticalQuery) -> Critical:
        """Return failing deliveries, by priority and id, the highest first, and their number."""
        ...


class Groups:
    """Failure groups.

    Args:
        store: where they are kept.
        clock: time.
        member: under which epoch this worker writes now.
        tell: hears of every change.
        judgements: those in force on this worker.
        critical: the lowest priority that is critical.
    """

    def __init__(
        self,
        store: Shelf,
        clock: Clock,
        *,
        member: Member,
        tell: Callable[[GroupWord], None],
        judgements: Judgements,
        critical: int = CRITICAL_PRIORITY,
    ) -> None:
        self._judgements = judgements
        self._critical = critical
        self._store = store
        self._clock = clock
        self._member = member
        self._tell = tell

    def now(self) -> int:
        """Return the present instant, ms since the epoch."""
        return self._clock.now()

    # -- looking ----------------------------------------------------------------------------

    async def lines(self, asked: Listing) -> Lines:
        """Return a page of the list.

        Groups without failing deliveries are left out, unless their status was asked for.
        """
        now = self._clock.now()
        found = await self._store.tallies(_search(asked.where, asked.account))
        empty = asked.status is not None and asked.where == Predicate()
        wanted = asked.status or _OPEN
        kept = [
            each
            for each in found
            if (each.tally.count or empty) and each.group.stands(now) in wanted
        ]
        made = grouping.headings(kept, asked.by, asked.sort)
        page = [grouping.line(each) for each in made[asked.start : asked.start + asked.limit]]
        shown, since, width = await self._sparked(page, asked.window, now)
        last = asked.start + len(page)
        return Lines(
            lines=shown,
            next_cursor=last if last < len(made) else None,
            since=since,
            bucket_ms=width,
            more=len(found) >= GROUPS_MAX,
        )

    async def _sparked(
        self, page: list[Line], window: Lookback, now: int
    ) -> tuple[list[Line], int, int]:
        """Return the lines with their sparks, when these begin, and the ms of each place."""
        places, width = LOOKBACKS[window]
        first = now // BUCKET_MS + 1 - places * width
        ids = {group.id for line in page for group in line.groups}
        failures = await self._store.failures(ids, first, width) if ids else {}
        shown = [grouping.over_time(line, failures, places) for line in page]
        return shown, first * BUCKET_MS, width * BUCKET_MS

    async def group(self, group_id: str) -> Group:
        """Return one group.

        Raises:
            NotFound: there is none of that id.
        """
        found = await self._store.groups([group_id])
        if not found:
            raise NotFound(f"no group {group_id!r}")
        return found[0]

    async def line(self, group_id: str, window: Lookback = Lookback.DAY) -> Lines:
        """Return one group as the only line of a list, whatever its status."""
        group = await self.group(group_id)
        where = Predicate((Choice("group", (group_id,)),))
        found = await self._store.tallies(_search(where, group.account))
        own = [each for each in found if each.group.id == group_id]
        made = grouping.line((group_id, own or [_uncounted(group)]))
        now = self._clock.now()
        shown, since, width = await self._sparked([made], window, now)
        return Lines(shown, None, since, width, more=False)

    async def alerts(self, window: Lookback, limit: int, *, account: str | None = None) -> Alerts:
        """Return the groups that were new, or came back, within a window, the newest first.

        Only what needs somebody now: nothing that is resolved or ignored, or fails no more.
        """
        now = self._clock.now()
        places, width = LOOKBACKS[window]
        since = now - places * width * BUCKET_MS
        found = await self._store.alerts(AlertQuery(since, now, limit + 1, account))
        shown = found.groups[:limit]
        where = Predicate((Choice("group", tuple(each.id for each in shown)),))
        search = msgspec.structs.replace(_search(where, account), look=ALERT_LOOK)
        counted = await self._store.tallies(search) if shown else []
        tallies = {each.group.id: each.tally for each in counted}
        alerts = [Counted(each, tallies.get(each.id, Tally())) for each in shown]
        return Alerts(alerts, since, found.more or len(found.groups) > limit)

    async def critical(
        self, priority: int | None, limit: int, *, account: str | None = None
    ) -> Critical:
        """Return failing deliveries of a priority or above (None: that of the configuration)."""
        least = self._critical if priority is None else priority
        return await self._store.critical(CriticalQuery(least, limit, account))

    # -- acting -----------------------------------------------------------------------------

    async def assign(
        self, group_id: str, owner: str | None, *, actor: str, reason: str, seen: int | None = None
    ) -> Group:
        """Give it to somebody, or to nobody."""
        name = None if owner is None else checked_name("owner", owner)
        return await self._change(
            group_id, "assign", lambda _, __: {"owner": name}, actor, reason, seen=seen
        )

    async def resolve(
        self, group_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Group:
        """Say that the cause is gone; a later send that fails the same way reopens it."""

        def change(group: Group, now: int) -> dict[str, Any]:
            _check_not(group, now, "resolve", GroupStatus.RESOLVED)
            return {
                "status": GroupStatus.RESOLVED,
                "resolved_at": now,
                "resolutions": group.resolutions + 1,
                "until": 0,
                "ceiling": 0,
            }

        return await self._change(group_id, "resolve", change, actor, reason, seen=seen)

    async def ignore(
        self,
        group_id: str,
        *,
        until: int | None,
        failures: int | None,
        actor: str,
        reason: str,
        seen: int | None = None,
    ) -> Group:
        """Leave it out of the open ones, until an instant (ms) or so many further failures."""

        def change(group: Group, now: int) -> dict[str, Any]:
            if until is not None and until <= now:
                raise InvalidInput("until", until, f"an instant after now ({now})")
            ceiling = 0 if failures is None else group.failures + failures
            return {"status": GroupStatus.IGNORED, "until": until or 0, "ceiling": ceiling}

        return await self._change(group_id, "ignore", change, actor, reason, seen=seen)

    async def judge(
        self,
        group_id: str,
        nature: Nature | None,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
    ) -> Group:
        """Say what its failures are, whatever the rules say; None: take that back.

        It holds for failures that come: here at once, on other workers after their next look.
        """
        if nature is not None and len(await self._store.judged()) >= JUDGED_MAX:
            raise Conflict(f"{JUDGED_MAX} groups are judged; take some of that back first")

        def change(group: Group, now: int) -> dict[str, Any]:
            if group.nature is nature:
                raise Conflict(f"the group is judged {nature or 'by nobody'} already")
            if nature is not None and fingerprint.untried(group):
                raise Conflict(f"nothing was tried ({group.code}): there is no failure to judge")
            return {"nature": nature, "judged_at": now, "judged_by": actor}

        return await self._change(group_id, "judge", change, actor, reason, seen=seen)

    async def attribute(
        self,
        group_id: str,
        cause: Cause | None,
        *,
        actor: str,
        reason: str,
        seen: int | None = None,
    ) -> Group:
        """Say what lies behind it; None: take that back, so that its class says it again."""

        def change(group: Group, _: int) -> dict[str, Any]:
            if group.cause is cause:
                raise Conflict(f"the cause is {cause or 'what its class says'} already")
            return {"cause": cause, "caused_by": cause and actor}

        return await self._change(group_id, "attribute", change, actor, reason, seen=seen)

    async def reopen(
        self, group_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> Group:
        """Say that it needs somebody again."""

        def change(group: Group, now: int) -> dict[str, Any]:
            _check_not(group, now, "reopen", GroupStatus.OPEN)
            return {"status": GroupStatus.OPEN, "until": 0, "ceiling": 0}

        return await self._change(group_id, "reopen", change, actor, reason, seen=seen)

    async def _change(
        self,
        group_id: str,
        verb: str,
        change: Callable[[Group, int], dict[str, Any]],
        actor: str,
        reason: str,
        *,
        seen: int | None,
    ) -> Group:
        """Decide on the present state and write; decide anew when it changed meanwhile.

        Raises:
            Stale: the present revision is not the one that the caller has seen.
        """
        check_reason(reason)
        for _ in range(TRIES):
            present = await self.group(group_id)
            if seen not in {None, present.revision}:
                raise Stale(f"group {group_id} has changed since you looked", present)
            now = self._clock.now()
            fields = change(present, now)
            after = msgspec.structs.replace(
                present,
                revision=present.revision + 1,
                told=True,
                changed_at=now,
                changed_by=actor,
                why=reason,
                **fields,
            )
            try:
                told = _told(present, after)
                action = f"group_{verb}"
                note = Note(now, actor, action, group_id, reason, told, present.account)
                back = () if present.told else (_returned(present),)
                await self._write(present, after, *back, note)
            except Conflict:
                continue  # it came back, or somebody else was first: decide anew
            if not present.told:
                _log_return(present)
            log(LogEvent.ACTION, action=f"group_{verb}", subject=group_id, actor=actor)
            return after
        raise Conflict(f"group {group_id} keeps changing; try again")

    async def _write(self, present: Group, after: Group, *notes: Note) -> None:
        change = Change(present.revision, after)
        epoch, now = self._member.ownership.epoch, self._clock.now()
        # A caller who goes away must not leave half of what follows undone.
        await asyncio.shield(self._store.commit(Batch(epoch, now, notes=notes, group=change)))
        self._judgements.heed(after)
        self._tell(
            GroupWord(after.id, after.revision, after.account, after.stands(now), after.owner)
        )

    async def notice(self) -> None:
        """Put on record which resolved groups came back."""
        for group in await self._store.returned():
            after = msgspec.structs.replace(group, revision=group.revision + 1, told=True)
            try:
                await self._write(group, after, _returned(group))
            except Conflict:
                continue  # a person was first, and has told of it
            _log_return(group)


class Returns(Loop):
    """Notices resolved groups that came back; of several workers the elected one does."""

    every_ms = 2_000

    def __init__(self, clock: Clock, groups: Groups, member: Member) -> None:
        super().__init__(clock)
        self._groups = groups
        self._member = member

    async def run_once(self) -> None:
        """Look once."""
        if self._member.elected:
            await self._groups.notice()


def checked_name(field: str, given: str) -> str:
    """Return a person's name as it is kept.

    Raises:
        InvalidInput: it is none.
    """
    name = given.strip()
    if not 1 <= len(name) <= OWNER_MAX or not name.isprintable() or name == search.NOBODY:
        raise InvalidInput(field, given[:40], f"1 to {OWNER_MAX} printable characters, or null")
    return name


def _search(where: Predicate, account: str | None) -> Search:
    own = {choice.field for choice in where.choices if not choice.negated}
    if "status" not in own:
        choices = (*where.choices, search.FAILING)
        where = msgspec.structs.replace(where, choices=choices)
    return Search(where, account=account, look=LOOK)


def _uncounted(group: Group) -> Counted:
    return Counted(group, Tally())


def _check_not(group: Group, now: int, verb: str, status: GroupStatus) -> None:
    if group.stands(now) is status and group.status is status:
        raise Conflict(f"cannot {verb} a group that is {status}")


def _returned(group: Group) -> Note:
    """Return the audit line of a resolved group that came back."""
    why = f"seen again in a send that began after it was resolved by {group.changed_by}"
    at = group.regressed_at
    return Note(at, "engine", "group_regress", group.id, why, account=group.account)


def _log_return(group: Group) -> None:
    log(
        LogEvent.GROUP_REGRESSED,
        logging.WARNING,
        group=group.id,
        recipient=group.recipient,
        at=group.regressed_at,
    )


def _told(before: Group, after: Group) -> str:
    """Return what a person changed as JSON text: field -> [before, after]."""
    return msgspec.json.encode(differences(before, after, _TOLD)).decode()
