"""Operations as people handle them: preview, start, pause, resume, cancel, undo, look at."""

import asyncio
import random
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

import msgspec

from holdfast.clock import Clock
from holdfast.engine.actions import check_reason
from holdfast.errors import Conflict, InvalidInput, NotFound, Stale, StoreError
from holdfast.model.audit import differences
from holdfast.model.delivery import Delivery
from holdfast.model.identity import new_id
from holdfast.model.operation import (
    ACTS_ON,
    Canary,
    Kind,
    Operation,
    Outcome,
    Plan,
    Preview,
    Progress,
    Result,
    Stage,
    State,
)
from holdfast.model.search import LOOK_COUNTING, Choice, Found, Predicate, Search, Total
from holdfast.model.stream import OperationWord
from holdfast.model.worker import Ownership
from holdfast.policy import operation as policy
from holdfast.policy import search
from holdfast.store import Batch, Committed, Counts, Note, Transition
from holdfast.telemetry import LogEvent, log

ACTIVE_MAX: Final = 100
"""Most operations that run at a time."""
TRIES: Final = 8
"""How often a change is decided anew when the operation changed in between."""
SAMPLE: Final = 20
"""Deliveries of a preview's sample."""
LANES_MAX: Final = 50
"""Recipients that a sample is drawn from: those with the most deliveries in that state."""
FRAME: Final = 200
"""Deliveries of each that it is drawn from."""


class Shelf(Protocol):
    """What is needed of a store."""

    async def commit(self, batch: Batch) -> Committed:
        """Write a batch in one durable transaction."""
        ...

    async def counts(self) -> dict[str, Counts]:
        """Return the counters by recipient."""
        ...

    async def operations(
        self, *, below: str | None = None, limit: int = 100, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first."""
        ...

    async def operation(self, operation_id: str) -> Operation | None:
        """Return one operation."""
        ...

    async def results(
        self,
        operation_id: str,
        *,
        below: str | None = None,
        limit: int,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return results, newest delivery first."""
        ...


class Finder(Protocol):
    """What is needed of the views."""

    async def find(self, asked: Search) -> Found:
        """Return a page of deliveries, newest first."""
        ...

    async def count(self, asked: Search) -> Total:
        """Return how many deliveries match."""
        ...


class Member(Protocol):
    """What is needed of this worker's place among the workers."""

    @property
    def ownership(self) -> Ownership:
        """Return the epoch under which it writes, and whether there may be others."""
        ...

    @property
    def elected(self) -> bool:
        """Tell whether it does what one of them should."""
        ...


class Operations:
    """Durable bulk work; every change of an operation goes through here, one after the other.

    Args:
        store: where they are kept.
        views: reads searches.
        clock: time.
        rng: ids.
        member: under which epoch this worker writes now.
        tell: hears of every change.
    """

    def __init__(
        self,
        store: Shelf,
        views: Finder,
        clock: Clock,
        rng: random.Random,
        *,
        member: Member,
        tell: Callable[[OperationWord], None],
    ) -> None:
        self._store = store
        self._views = views
        self._clock = clock
        self._rng = rng
        self._member = member
        self._tell = tell
        self._words: dict[str, OperationWord] = {}
        self.lock = asyncio.Lock()
        """Held while an operation is read, decided on and written."""
        self.stirred = asyncio.Event()
        """Set while there may be something to run."""
        self.stirred.set()

    # -- looking ----------------------------------------------------------------------------

    async def operation(self, operation_id: str) -> Operation:
        """Return an operation.

        Raises:
            NotFound: there is none of that id.
        """
        found = await self._store.operation(operation_id)
        if found is None:
            raise NotFound(f"no operation {operation_id!r}")
        return found

    async def operations(
        self, below: str | None, limit: int, *, active: bool = False
    ) -> list[Operation]:
        """Return operations, newest first, below an id; `active`: only those that run."""
        return await self._store.operations(below=below, limit=limit, active=active)

    async def results(
        self,
        operation_id: str,
        below: str | None,
        limit: int,
        *,
        outcomes: Collection[Outcome] = (),
    ) -> list[Result]:
        """Return what became of its deliveries, newest delivery first, below an id.

        `outcomes`: only of these (none given: of all).
        """
        await self.operation(operation_id)
        return await self._store.results(operation_id, below=below, limit=limit, outcomes=outcomes)

    async def preview(self, plan: Plan) -> Preview:
        """Return what a plan would act on; its cut-off may be handed back to start just that."""
        plan = self._frozen(plan)
        total = await self._count(plan)
        frame = await self.frame(plan)
        strata = stratified(frame)
        chosen = set(policy.stratified(strata, SAMPLE))
        sample = [each for each in frame if each.id in chosen]
        counts = {key: len(ids) for key, ids in strata.items()}
        return Preview(plan, total.count, total.more, sample, counts)

    async def _count(self, plan: Plan) -> Total:
        """Return how many match and were accepted by the cut-off."""
        asked = Search(plan.where, look=LOOK_COUNTING)
        past = plan.cut_off < self._clock.now()
        return await self._views.count(before(asked, plan.cut_off) if past else asked)

    async def frame(self, plan: Plan) -> list[Delivery]:
        """Return deliveries of the selection that samples are drawn from, of many recipients."""
        counts = await self._store.counts()
        standing = ACTS_ON[plan.kind]
        names = [name for name, count in counts.items() if getattr(count, standing)]
        names.sort(key=lambda name: -getattr(counts[name], standing))
        found: list[Delivery] = []
        chosen = [name for name in names if _admits(plan.where, name)]
        for name in chosen[:LANES_MAX]:
            where = _of_lane(plan.where, name)
            page = await self._views.find(before(Search(where, limit=FRAME), plan.cut_off))
            found += [each for each in page.deliveries if selected(plan, each)]
        return found

    # -- acting -----------------------------------------------------------------------------

    async def start(self, plan: Plan) -> Operation:
        """Save a new operation; it runs from then on.

        Raises:
            InvalidInput: the plan does not hold together.
            Conflict: too many run.
        """
        check_reason(plan.reason)
        plan = self._frozen(msgspec.structs.replace(plan, reason=_kept(plan.reason)))
        total = await self._count(plan)
        async with self.lock:
            if len(await self._store.operations(limit=ACTIVE_MAX, active=True)) >= ACTIVE_MAX:
                raise Conflict(f"{ACTIVE_MAX} operations run already; wait for one, or cancel one")
            now = self._clock.now()
            operation = Operation(
                id=new_id("opr", now, self._rng),
                revision=0,
                plan=plan,
                expected=total.count,
                at_least=total.more,
                state=State.RUNNING,
                stage=Stage.MAIN if plan.canary is None else Stage.DRAW,
                created_at=now,
                resumed_at=now,
                next_at=now,
                rate=policy.first_rate(plan.rate, plan.canary),
            )
            detail = f"{plan.kind} {plan.query}".strip()
            return await self._noted(operation, "start", plan.actor, plan.reason, detail)

    async def pause(
        self, operation_id: str, *, actor: str, reason: str, seen: str | None = None
    ) -> Operation:
        """Stop after the batch under way; `resume` goes on."""

        def change(operation: Operation, _: int) -> dict[str, Any]:
            _check_state(operation, "pause", State.RUNNING)
            return {"state": State.PAUSED, "why": f"{actor}: {_kept(reason)}"}

        return await self._change(operation_id, "pause", change, actor, reason, seen=seen)

    async def resume(
        self, operation_id: str, *, actor: str, reason: str, seen: str | None = None
    ) -> Operation:
        """Go on where it stopped; one that its canary stopped draws a new canary."""

        def change(operation: Operation, now: int) -> dict[str, Any]:
            _check_state(operation, "resume", State.PAUSED)
            again = operation.stage is Stage.GATE
            return {
                "state": State.RUNNING,
                "why": None,
                "stage": Stage.DRAW if again else operation.stage,
                "resumed_at": now,
                "recent": (0.0, 0.0),
                "next_at": now,
            }

        return await self._change(operation_id, "resume", change, actor, reason, seen=seen)

    async def cancel(
        self, operation_id: str, *, actor: str, reason: str, seen: str | None = None
    ) -> Operation:
        """End it; what is done stays done."""

        def change(operation: Operation, now: int) -> dict[str, Any]:
            _check_state(operation, "cancel", State.RUNNING, State.PAUSED)
            why = f"{actor}: {_kept(reason)}"
            return {"state": State.CANCELLED, "stage": Stage.END, "why": why, "ended_at": now}

        return await self._change(operation_id, "cancel", change, actor, reason, seen=seen)

    async def undo(
        self, operation_id: str, *, actor: str, reason: str, seen: str | None = None
    ) -> Operation:
        """Bring back what a discard took out of review, within its time."""

        def change(operation: Operation, now: int) -> dict[str, Any]:
            if operation.plan.kind is not Kind.DISCARD:
                raise Conflict(f"a {operation.plan.kind} cannot be undone; only a discard can")
            _check_state(operation, "undo", State.COMPLETED, State.CANCELLED)
            if now >= operation.undo_until:
                raise Conflict("the time for an undo is over; undo single deliveries instead")
            return {"state": State.UNDOING, "why": None}

        return await self._change(operation_id, "undo", change, actor, reason, seen=seen)

    async def _change(
        self,
        operation_id: str,
        verb: str,
        change: Callable[[Operation, int], dict[str, Any]],
        actor: str,
        reason: str,
        *,
        seen: str | None,
    ) -> Operation:
        check_reason(reason)
        for left in reversed(range(TRIES)):
            async with self.lock:
                present = await self.operation(operation_id)
                if seen not in {None, present.tag}:
                    raise Stale(f"operation {operation_id} has changed since you looked", present)
                fields = change(present, self._clock.now())
                changed = msgspec.structs.replace(present, **fields)
                try:
                    return await self._noted(changed, verb, actor, reason, told(present, changed))
                except Conflict:  # another worker's step was first: decide anew
                    if not left:
                        raise
        raise Conflict(f"operation {operation_id} keeps changing; try again")

    async def _noted(
        self, operation: Operation, verb: str, actor: str, reason: str, detail: str
    ) -> Operation:
        now = self._clock.now()
        account = account_of(operation.plan.where) or ""
        note = Note(now, actor, f"operation_{verb}", operation.id, reason, detail, account)
        done = await self.write(operation, notes=(note,))
        self.stirred.set()
        self.announce()
        log(LogEvent.ACTION, action=note.action, subject=operation.id, actor=actor)
        return done[0]

    # -- writing ----------------------------------------------------------------------------

    async def write(
        self,
        operation: Operation,
        transitions: tuple[Transition, ...] = (),
        *,
        outcome: Outcome = Outcome.DONE,
        results: tuple[Result, ...] = (),
        notes: tuple[Note, ...] = (),
    ) -> tuple[Operation, Committed]:
        """Write changes of deliveries and how the operation got on, together or not at all.

        Raises:
            StoreError: nothing is known of it: read the operation anew.
        """
        seen = operation.revision
        after = msgspec.structs.replace(operation, revision=seen + 1)
        progress = Progress(seen, after, outcome, results)
        now = self._clock.now()
        epoch = self._member.ownership.epoch
        batch = Batch(epoch, now, transitions=transitions, notes=notes, progress=progress)
        # A caller who goes away must not leave half of what follows undone.
        committed = await asyncio.shield(self._store.commit(batch))
        if committed.operation is None:
            raise StoreError("the store did not say how the operation got on")
        self._words[operation.id] = word(committed.operation)
        return committed.operation, committed

    def announce(self) -> None:
        """Tell how operations got on since the last time: of each only the last."""
        words, self._words = self._words, {}
        for each in words.values():
            self._tell(each)

    def _frozen(self, plan: Plan) -> Plan:
        """Return the plan with its cut-off, and the state that its kind acts on.

        Raises:
            InvalidInput: the selection asks for another state, or lies in the future.
        """
        now = self._clock.now()
        cut_off = plan.cut_off or now
        if cut_off > now:
            raise InvalidInput("cut_off", cut_off, f"this instant or before ({now})")
        if plan.canary is not None:
            _check_canary(plan.canary)
        if plan.kind is Kind.RESCHEDULE and plan.at <= 0:
            raise InvalidInput("at", plan.at, "an instant")
        where = _standing(plan.where, plan.kind)
        return msgspec.structs.replace(plan, where=where, cut_off=cut_off)


def _check_canary(canary: Canary) -> None:
    """Refuse one that cannot pass, however well it does.

    Raises:
        InvalidInput: it is too small for its bound.
    """
    least = policy.least_size(canary.bound)
    if canary.size < least:
        allowed = f"at least {least} (or a lower bound): fewer cannot show {canary.bound:.0%}"
        raise InvalidInput("canary.size", canary.size, allowed)


def selected(plan: Plan, delivery: Delivery) -> bool:
    """Tell whether a delivery that matches is of the frozen selection.

    Of dead ones: dead at the cut-off, and untouched since. Of pending ones: accepted by then.
    """
    moved = plan.kind in {Kind.REDRIVE, Kind.DISCARD} and delivery.updated_at > plan.cut_off
    return delivery.created_at <= plan.cut_off and not moved


def before(asked: Search, cut_off: int) -> Search:
    """Return the search within the ids that were given until the cut-off."""
    last = f"dlv_{cut_off + 1:012x}"
    below = last if asked.below is None else min(last, asked.below)
    return msgspec.structs.replace(asked, below=below)


def _kept(reason: str) -> str:
    """Return a reason as every store can keep it inside a document: without U+0000."""
    return reason.replace("\x00", "\ufffd")


def stratified(frame: list[Delivery]) -> dict[tuple[str, str], list[str]]:
    """Return ids by recipient and failure class."""
    strata: dict[tuple[str, str], list[str]] = {}
    for each in frame:
        strata.setdefault((each.recipient, each.failure_class or ""), []).append(each.id)
    return strata


def word(operation: Operation) -> OperationWord:
    """Return what the stream tells of an operation."""
    done = operation.tallies
    return OperationWord(
        operation.id,
        operation.revision,
        operation.state,
        operation.stage,
        done.changed,
        done.delivered,
        done.failed,
        done.skipped,
        operation.expected,
        operation.at_least,
        account_of(operation.plan.where),
    )


def account_of(where: Predicate) -> str | None:
    """Return the one account that a predicate is about, None: any."""
    own = _plain(where, "account")
    return own.words[0] if own is not None and len(own.words) == 1 else None


def _check_state(operation: Operation, verb: str, *allowed: State) -> None:
    if operation.state not in allowed:
        names = ", ".join(sorted(allowed))
        raise Conflict(f"cannot {verb} an operation that is {operation.state}; it must be: {names}")


def _plain(where: Predicate, field: str) -> Choice | None:
    own = (each for each in where.choices if each.field == field and not each.negated)
    return next(own, None)


def _standing(where: Predicate, kind: Kind) -> Predicate:
    """Return the predicate with the state that the kind acts on.

    Raises:
        InvalidInput: it asks for another one, or for nothing at all.
    """
    wanted = ACTS_ON[kind]
    if where == Predicate():
        raise InvalidInput("q", "", f"a search, such as status:{wanted}, or ids")
    narrowed = search.standing(where, wanted)
    if narrowed is None:
        given = next(each.words[0] for each in where.choices if each.field == "status")
        raise InvalidInput("q", f"status:{given}", f"status:{wanted}, to {kind}")
    return narrowed


def _admits(where: Predicate, name: str) -> bool:
    own = [each for each in where.choices if each.field == "recipient"]
    return all((name in each.words) != each.negated for each in own)


def _of_lane(where: Predicate, name: str) -> Predicate:
    kept = tuple(each for each in where.choices if each.field != "recipient")
    return msgspec.structs.replace(where, choices=(*kept, Choice("recipient", (name,))))


def told(before: Operation, after: Operation) -> str:
    """Return how an operation stood before a step and after it as JSON: field -> [both]."""
    return msgspec.json.encode(differences(before, after, ("state", "stage"))).decode()
