"""One batch, one durable transaction: look, decide, write."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from holdfast.errors import StoreError
from holdfast.model.attempt import Attempt
from holdfast.model.delivery import Delivery
from holdfast.model.message import NEVER, Message
from holdfast.store import Accept, Accepted, Applied, Batch, Committed, Note, Transition
from holdfast.stores import rows
from holdfast.stores.planning import accepting, transiting
from holdfast.stores.planning.counting import Tally
from holdfast.stores.planning.following import CHAIN, Followers
from holdfast.stores.planning.stamping import Stamps
from holdfast.stores.postgres import grouping, operating, sql
from holdfast.stores.postgres.leases import lost
from holdfast.stores.postgres.partitions import Days
from holdfast.stores.postgres.sql import Part, columns

_IDS: Final = msgspec.json.Decoder(frozenset[str])
_TRIES: Final = 3
"""How often a batch is looked at anew when something changed between look and write."""
NUMBERS: Final = 1 << 13
"""Most events of one transaction: the numbers that `append_attempts.sql` has room for."""
_DELIVERY: Final = (*Delivery.__struct_fields__, "ordinal")
_MESSAGE: Final = Message.__struct_fields__
_CHANGE: Final = ("id", "seen", *rows.MOVED, "priority")
_PROOF: Final = ("id", "seen", "http_status")
_SEEN: Final = ("id", "seen")
_ATTEMPT: Final = (
    "event_id",
    "delivery_id",
    "recipient",
    "retry_timestamp",
    "outcome",
    "failure_class",
    "body",
    "excerpt",
    "number",
)
_COUNTER: Final = (
    "recipient",
    "created",
    "pending",
    "delivered",
    "dead",
    "discarded",
    "pruned",
    "high",
    "normal",
    "low",
)
_NOTE: Final = Note.__struct_fields__
_LANE: Final = ("recipient", "body", "released", "offered")
_SNAPSHOT: Final = ("id", "body", "used_at")


class Writer:
    """Commits batches.

    Args:
        days: partitions of the events.
    """

    def __init__(self, days: Days) -> None:
        self._days = days
        self._stamps = Stamps()

    async def commit(self, connection: asyncpg.Connection, batch: Batch) -> Committed:
        """Write a batch wholly, or not at all."""
        clean = False
        for left in reversed(range(_TRIES)):
            try:
                return await self._commit(connection, batch, clean=clean)
            except asyncpg.PostgresError as error:
                clean = clean or isinstance(error, asyncpg.CharacterNotInRepertoireError)
                if not await self._may_pass(connection, error, batch.epoch) or not left:
                    raise
        raise StoreError("unreachable: the last try returns or raises")

    async def _may_pass(
        self, connection: asyncpg.Connection, error: asyncpg.PostgresError, epoch: int
    ) -> bool:
        """Tell whether a second look may help.

        Raises:
            StoreLost: the worker is not on the list any more.
        """
        if isinstance(error, asyncpg.CheckViolationError):
            return await self._days.forgotten(connection, error)
        if error.sqlstate == sql.REFUSED and error.args[0] == sql.OWNER:
            raise lost(epoch) from None
        # Somebody else was first with a key, an event or a change; or a partner's word has U+0000,
        # which is left out then: it must not stay unsettled for ever.
        passing = (asyncpg.UniqueViolationError, asyncpg.CharacterNotInRepertoireError)
        return error.sqlstate == sql.REFUSED or isinstance(error, passing)

    async def _commit(
        self, connection: asyncpg.Connection, batch: Batch, *, clean: bool
    ) -> Committed:
        sight = await _look(connection, batch)
        if not _tangled(batch, sight):
            return await self._round(connection, batch, sight, clean=clean)
        # Members that touch the same delivery must see each other's work: one after the other.
        accepts: list[Accepted] = []
        transitions: list[Applied] = []
        async with connection.transaction():
            for number, part in enumerate(_untangled(batch)):
                seen = await _look(connection, part)
                done = await self._round(connection, part, seen, first=number, clean=clean)
                accepts += done.accepts
                transitions += done.transitions
            operation, progress = operating.written(batch, transitions)
            if progress:
                await sql.write(connection, batch.epoch, progress)
        return Committed(tuple(accepts), tuple(transitions), operation)

    async def _round(
        self,
        connection: asyncpg.Connection,
        batch: Batch,
        sight: "Sight",
        *,
        first: int = 0,
        clean: bool,
    ) -> Committed:
        """Decide and write.

        Args:
            connection: the writer's.
            batch: what to write.
            sight: what was looked up for it.
            first: number of the first event in its transaction.
            clean: leave out what PostgreSQL takes in no text.
        """
        tally = Tally()
        answers, fresh = accepting.accept(batch.accepts, sight.messages, tally)
        known = await _known(connection, batch.transitions, sight.states)
        plan = transiting.Plan(known, sight.followers, tally)
        applied = plan.take(batch.transitions)
        if batch.strict:
            transiting.check_all(batch.transitions, applied)
        operation, progress = operating.written(batch, applied)
        if first + len(plan.attempts) > NUMBERS:
            raise StoreError(f"a batch has {len(plan.attempts)} events; the most are {NUMBERS}")
        used = self._stamps.due(batch)
        notes = (*batch.notes, *accepting.notes(batch.accepts, answers), *plan.notes)
        parts = [
            *_accepted(fresh),
            *_changed(plan, batch.now),
            *_appended(plan.attempts, first),
            *grouping.counted(plan.sightings, plan.endings),
            *grouping.written(batch.group),
            *_counted(tally),
            *_kept(batch, notes, used),
            *progress,
        ]
        await self._days.open(connection, [each.retry_timestamp for each, _ in plan.attempts])
        if clean:
            parts = sql.without_nul(parts)
        await sql.write(connection, batch.epoch, parts)
        self._stamps.written(used)
        return Committed(answers, applied, operation)


class Sight(msgspec.Struct, frozen=True):
    """What was looked up for a batch."""

    messages: accepting.Known
    states: dict[str, transiting.State]
    followers: Followers


async def _look(connection: asyncpg.Connection, batch: Batch) -> Sight:
    parts = [Part("epoch", {"epoch": batch.epoch})]
    if batch.accepts:
        pairs = accepting.pairs(batch.accepts)
        own = {"ids": [member.message.id for member in batch.accepts]}
        keys = {"accounts": [pair[0] for pair in pairs], "keys": [pair[1] for pair in pairs]}
        parts += [Part("known_ids", own), Part("known_keys", keys)]
        parts += [Part("message_deliveries", own | keys)]
    parts += operating.looked(batch)
    parts += grouping.looked(batch.group)
    if batch.transitions:
        ids = [each.after.id for each in batch.transitions]
        parts.append(Part("delivery_states", {"ids": ids}))
    if roots := transiting.roots(batch.transitions):
        parts.append(Part("delivery_chains", {"ids": roots}))
    values = await sql.look(connection, parts)
    found = dict(zip((part.name for part in parts), values, strict=True))
    if found["epoch"] != batch.epoch:
        raise lost(batch.epoch)
    operating.check(batch, found.get("operation_revision", 0))
    grouping.check(batch.group, found.get("group_revision"))
    return Sight(
        accepting.Known(
            _IDS.decode(found.get("known_ids", "[]")),
            accepting.keys(accepting.KEYS.decode(found.get("known_keys", "[]"))),
            accepting.ANSWERS.decode(found.get("message_deliveries", "{}")),
        ),
        transiting.states(transiting.STATES.decode(found.get("delivery_states", "[]"))),
        Followers(CHAIN.decode(found.get("delivery_chains", "[]"))),
    )


async def _known(
    connection: asyncpg.Connection,
    transitions: Sequence[Transition],
    states: dict[str, transiting.State],
) -> transiting.Known:
    doubts = transiting.doubts(transitions, states)
    if not doubts:
        return transiting.Known(states)
    told = {
        "event_id": [each.event_id for each in doubts.events],
        "retry_timestamp": [each.retry_timestamp for each in doubts.events],
    }
    parts = [Part("known_events", told), Part("stored_deliveries", {"ids": doubts.deliveries})]
    events, stored = await sql.look(connection, parts)
    return transiting.Known(
        states,
        {event[0]: event for event in transiting.EVENTS.decode(events)},
        {delivery.id: delivery for delivery in rows.deliveries(stored)},
    )


def _tangled(batch: Batch, sight: Sight) -> bool:
    if transiting.tangled(batch.transitions, sight.followers):
        return True
    coming = {each.id for member in batch.accepts for each in member.deliveries}
    return any(each.after.id in coming for each in batch.transitions)


def _untangled(batch: Batch) -> list[Batch]:
    """Return the batch as several, to be written one after the other."""
    first = msgspec.structs.replace(batch, transitions=(), progress=None)
    bare = Batch(batch.epoch, batch.now, strict=batch.strict)
    return [
        first,
        *(msgspec.structs.replace(bare, transitions=(each,)) for each in batch.transitions),
    ]


def _accepted(fresh: list[Accept]) -> list[Part]:
    if not fresh:
        return []
    messages = [msgspec.structs.astuple(member.message) for member in fresh]
    deliveries = [
        (*msgspec.structs.astuple(delivery), ordinal)
        for member in fresh
        for ordinal, delivery in enumerate(member.deliveries)
    ]
    parts = [Part("accept_messages", columns(_MESSAGE, messages))]
    if deliveries:
        parts.append(Part("accept_deliveries", columns(_DELIVERY, deliveries)))
    if tokens := accepting.tokens(fresh):
        parts.append(Part("accept_tokens", columns(("token", "delivery_id"), tokens)))
    return parts


def _changed(plan: transiting.Plan, now: int) -> list[Part]:
    parts = []
    if plan.changed:
        changes = [
            (each.row, each.revision, *rows.moved(each.after), each.after.priority)
            for each in plan.changed
        ]
        parts.append(Part("change_deliveries", columns(_CHANGE, changes), len(changes)))
    if plan.proven:
        proofs = [(each.row, each.revision, each.http_status) for each in plan.proven]
        values: dict[str, Any] = {"now": now, **columns(_PROOF, proofs)}
        parts.append(Part("prove_deliveries", values, len(proofs)))
    if plan.doubted:
        doubts = {"now": now, **columns(_SEEN, plan.doubted)}
        parts.append(Part("doubt_deliveries", doubts, len(plan.doubted)))
    fate = plan.followers.fate
    more = {"never": NEVER, "until": fate.until}
    for name, group, besides in (
        ("release_followers", fate.release, {}),
        ("discard_followers", fate.discard, {}),
        ("revive_followers", fate.revive, more),
    ):
        if group:
            parts.append(Part(name, {"now": now, **columns(_SEEN, group), **besides}, len(group)))
    return parts


def _appended(attempts: list[tuple[Attempt, bytes | None]], first: int) -> list[Part]:
    if not attempts:
        return []
    appended = [
        (*rows.attempt_row(*each), number) for number, each in enumerate(attempts, start=first)
    ]
    return [Part("append_attempts", columns(_ATTEMPT, appended))]


def _counted(tally: Tally) -> list[Part]:
    """Return the moves of the counters; a recipient that loses something has a row already."""
    new = {recipient for (recipient,) in tally.new}
    opened: list[tuple[str | int, ...]] = []
    moved: list[tuple[str | int, ...]] = []
    for move in tally.moves:
        falls = any(number < 0 for number in move[1:] if isinstance(number, int))
        (opened if move[0] in new and not falls else moved).append(move)
    parts = []
    if opened:
        parts.append(Part("open_counters", columns(_COUNTER, opened), len(opened)))
    if moved:
        parts.append(Part("move_counters", columns(_COUNTER, moved), len(moved)))
    return parts


def _kept(batch: Batch, notes: Sequence[Note], used: set[str]) -> list[Part]:
    parts = []
    if batch.snapshots:
        saved = [rows.snapshot_row(each, batch.now) for each in batch.snapshots]
        parts.append(Part("save_snapshots", columns(_SNAPSHOT, saved)))
    if used:
        parts.append(Part("touch_snapshots", {"id": sorted(used), "now": batch.now}))
    if batch.lanes:
        lanes = {
            each.recipient: (
                *rows.lane_row(each),
                each.recipient in batch.released,
                each.recipient in batch.offered,
            )
            for each in batch.lanes
        }
        parts.append(Part("save_lanes", columns(_LANE, list(lanes.values()))))
    if notes:
        parts.append(Part("append_notes", columns(_NOTE, [rows.note_row(each) for each in notes])))
    return parts
