"""Runs operations: one step, one commit; what is decided comes from `policy.operation`."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from holdfast.clock import Clock
from holdfast.engine import changes, consents
from holdfast.engine.actions import Actions
from holdfast.engine.loop import Loop
from holdfast.engine.operations import (
    FRAME,
    Member,
    Operations,
    account_of,
    before,
    selected,
    stratified,
    told,
)
from holdfast.errors import Conflict, InvalidInput, NotFound
from holdfast.model.delivery import Delivery, Status, Verb
from holdfast.model.operation import (
    Kind,
    Operation,
    Outcome,
    Plan,
    Result,
    Stage,
    State,
)
from holdfast.model.search import Choice, Predicate, Search
from holdfast.policy import operation as policy
from holdfast.policy import search
from holdfast.policy.decide import Code
from holdfast.store import Note, Store, Transition

STEPS_MAX: Final = 20
"""Most steps of one operation in a round, so that others get their turn."""
SHARED_MS: Final = 2_000
"""Of several workers the one that runs operations looks for new ones so often."""
TROUBLED_MS: Final = 1_000
"""What went wrong is tried again so much later."""
OPEN_LOOK: Final = 1_000
"""Most deliveries without outcome that are looked at in one go."""
WALK: Final = 10
"""A walk looks at so many times more deliveries than it may change before it saves its place."""

_VERBS: Final = {
    Kind.REDRIVE: Verb.REDRIVE,
    Kind.DISCARD: Verb.DISCARD,
    Kind.CANCEL: Verb.CANCEL,
    Kind.RESCHEDULE: Verb.RESCHEDULE,
    Kind.PRIORITY: Verb.REVISE,
    Kind.ENDPOINT: Verb.REVISE,
}
_WRONG: Final = {
    Kind.REDRIVE: "ENDPOINT",
    Kind.DISCARD: "",
    Kind.CANCEL: "",
    Kind.RESCHEDULE: "NOT_THEN",
    Kind.PRIORITY: "",
    Kind.ENDPOINT: "ENDPOINT",
}
"""Why a delivery is skipped that cannot be what the plan asks for; "": it always can."""
Skip = tuple[Delivery, str]
"""A delivery that is left alone, and why."""


class _Left(Exception):  # no error: it is counted
    """A delivery is left alone; `why` is a word that can be counted."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Bulk(Loop):
    """Gets operations on.

    Args:
        clock: time.
        store: where deliveries are read.
        operations: where operations are read and written.
        actions: tells the engine of changed deliveries.
        member: whether this worker runs operations: of several the elected one.
    """

    every_ms = 250

    def __init__(
        self,
        clock: Clock,
        store: Store,
        operations: Operations,
        actions: Actions,
        member: Member,
    ) -> None:
        super().__init__(clock)
        self._store = store
        self._operations = operations
        self._actions = actions
        self._member = member
        self._looked: dict[str, tuple[float, int]] = {}
        """When the outcomes of an operation were looked at last (on the clock that only moves
        forward), and how many were failing."""

    async def run_once(self) -> None:
        """Take every active operation some steps further; without any, wait for one."""
        stirred = self._operations.stirred
        if self._member.ownership.shared:
            await self._rest(stirred)
        else:
            await stirred.wait()
        if not self._member.elected:
            return
        stirred.clear()
        try:
            active = await self._store.operations(active=True)
            troubles = [trouble for each in reversed(active) if (trouble := await self._try(each))]
        except BaseException:
            stirred.set()  # what there is to do is unknown: look again
            raise
        if active:
            stirred.set()
        self._operations.announce()
        names = {each.id for each in active}
        self._looked = {name: seen for name, seen in self._looked.items() if name in names}
        if troubles:
            await self.clock.pause(TROUBLED_MS)
            raise troubles[0]

    async def _rest(self, stirred: asyncio.Event) -> None:
        """Wait until something may be to do; others start operations without a word to us."""
        for _ in range(SHARED_MS // self.every_ms):
            if stirred.is_set():
                return
            await self.clock.pause(self.every_ms)

    async def _try(self, operation: Operation) -> Exception | None:
        """Take an operation further; return what went wrong, so that others get their turn."""
        try:
            await self._advance(operation.id)
        except Exception as error:  # noqa: BLE001  # it is logged, and tried again
            return error
        return None

    async def _advance(self, operation_id: str) -> None:
        for _ in range(STEPS_MAX):
            async with self._operations.lock:
                operation = await self._operations.operation(operation_id)
                if not operation.active or not await self._step(operation):
                    return

    async def _step(self, operation: Operation) -> bool:
        """Take one step; tell whether another may follow at once."""
        operation, seen = await self._look(operation)
        now = self.clock.now()
        match policy.decide(operation, seen, now):
            case policy.Wait():
                return False
            case policy.Draw(size=size):
                await self._draw(operation, size)
            case policy.Promote(why=why):
                await self._promote(operation, why)
            case policy.Release() as release:
                await self._release(operation, release)
            case policy.Revert(number=number):
                await self._revert(operation, number)
            case policy.Halt(why=why):
                await self._end(operation, "halt", state=State.PAUSED, why=why)
            case policy.Finish():
                state = {"state": State.COMPLETED, "stage": Stage.END, "ended_at": now}
                await self._end(operation, "complete", **state)
        return True

    async def _promote(self, operation: Operation, why: str) -> None:
        now = self.clock.now()
        changed = msgspec.structs.replace(operation, stage=Stage.MAIN, ramp_at=now, next_at=now)
        account = account_of(operation.plan.where) or ""
        detail = told(operation, changed)
        note = Note(now, "engine", "operation_promote", operation.id, why, detail, account)
        await self._operations.write(changed, notes=(note,))

    async def _end(self, operation: Operation, verb: str, **fields: Any) -> None:
        changed = msgspec.structs.replace(operation, **fields)
        done = operation.tallies
        why = changed.why or f"changed {done.changed}, skipped {done.skipped}"
        account = account_of(operation.plan.where) or ""
        note = Note(
            self.clock.now(),
            "engine",
            f"operation_{verb}",
            operation.id,
            why,
            told(operation, changed),
            account,
        )
        await self._operations.write(changed, notes=(note,))

    # -- outcomes ---------------------------------------------------------------------------

    async def _look(self, operation: Operation) -> tuple[Operation, policy.Seen]:
        """Save the outcomes that are known by now; return what has none yet."""
        if operation.waiting == 0 or operation.state is State.UNDOING:
            return operation, policy.Seen()
        looks = self.clock.monotonic()
        looked, failing = self._looked.get(operation.id, (float("-inf"), 0))
        if looks < looked + policy.LOOK_MS:
            return operation, policy.Seen(operation.waiting, failing)
        now = self.clock.now()
        results = await self._open(operation)
        found = await self._deliveries(results)
        known = [
            (each, outcome)
            for each in results
            if (outcome := _outcome(found.get(each.delivery_id))) is not None
        ]
        if known:
            early = [outcome for each, outcome in known if each.at < operation.gate_at]
            ended = [msgspec.structs.replace(each, outcome=o, at=now) for each, o in known]
            operation, _ = await self._operations.write(
                _apart(operation, early), results=tuple(ended)
            )
        failing = sum(_fails(operation, each, found.get(each.delivery_id)) for each in results)
        self._looked[operation.id] = looks, failing
        return operation, policy.Seen(operation.waiting, failing)

    async def _open(self, operation: Operation) -> list[Result]:
        results: list[Result] = []
        below: str | None = None
        while True:
            name = operation.id
            page = await self._store.results(name, below=below, limit=OPEN_LOOK, opened=True)
            results += page
            if len(page) < OPEN_LOOK:
                return results
            below = page[-1].delivery_id

    async def _deliveries(self, results: Sequence[Result]) -> dict[str, Delivery]:
        found: dict[str, Delivery] = {}
        for start in range(0, len(results), OPEN_LOOK):
            ids = tuple(each.delivery_id for each in results[start : start + OPEN_LOOK])
            where = Predicate((Choice("id", ids),))
            page = await self._store.find(Search(where, limit=len(ids)))
            found.update((each.id, each) for each in page.deliveries)
        return found

    # -- changes ----------------------------------------------------------------------------

    async def _draw(self, operation: Operation, size: int) -> None:
        """Release a sample, of every recipient and failure class."""
        known = set(operation.sample)
        frame = await self._operations.frame(operation.plan)
        fresh = [each for each in frame if each.id not in known]
        if not fresh:  # what the frame looked at is not of the selection: the walk knows what is
            fresh, _ = await self._walk(operation, FRAME)
        chosen = set(policy.stratified(stratified(fresh), size))
        sample = [each for each in fresh if each.id in chosen]
        gated = msgspec.structs.replace(
            operation,
            stage=Stage.GATE,
            before_gate=operation.tallies,
            gate_at=self.clock.now(),
            sample=(*operation.sample, *sorted(chosen)),
        )
        await self._apply(gated, sample)

    async def _release(self, operation: Operation, release: policy.Release) -> None:
        """Change the next deliveries of the walk, and save its place with them."""
        now = self.clock.now()
        found, cursor = await self._walk(operation, release.number)
        stage = operation.stage if cursor is not None else Stage.LAST
        further = msgspec.structs.replace(
            operation,
            stage=stage,
            cursor=cursor or operation.cursor,
            rate=release.rate,
            ramp_at=release.ramp_at,
            next_at=policy.next_at(operation, len(found), release.rate, now),
        )
        await self._apply(further, found)

    async def _walk(self, operation: Operation, number: int) -> tuple[list[Delivery], str | None]:
        """Return the next deliveries of the selection, and from where to go on; None: no more."""
        plan = operation.plan
        sample = set(operation.sample)
        found: list[Delivery] = []
        cursor = operation.cursor
        for _ in range(WALK):
            limit = number - len(found)
            asked = search.narrowed(Search(plan.where, below=cursor, limit=limit))
            page = await self._store.find(before(asked, plan.cut_off))
            found += [
                each for each in page.deliveries if selected(plan, each) and each.id not in sample
            ]
            cursor = page.cursor
            if cursor is None or len(found) >= number:
                break
        return found, cursor

    async def _apply(self, operation: Operation, found: Sequence[Delivery]) -> None:
        """Change deliveries in one commit with the operation, and let the engine know."""
        now = self.clock.now()
        plan = operation.plan
        revocations = self._actions.revocations
        transitions: list[Transition] = []
        skipped: list[Skip] = []
        for each in found:
            try:
                transitions.append(await self._transition(operation, each, now))
            except _Left as left:
                skipped.append((each, left.why))
        outcome = Outcome.RELEASED if plan.kind is Kind.REDRIVE else Outcome.DONE
        if transitions:
            operation = msgspec.structs.replace(operation, released_at=now)
        _, done = await self._operations.write(
            operation, tuple(transitions), outcome=outcome, results=_skips(skipped, now)
        )
        changed = [
            each.after
            for each, answer in zip(transitions, done.transitions, strict=True)
            if answer.applied
        ]
        # Others may revoke a consent without a word to us.
        revoked = self._member.ownership.shared or revocations != self._actions.revocations
        await self._landed(changed, revoked=revoked)

    async def _transition(self, operation: Operation, delivery: Delivery, now: int) -> Transition:
        """Return the change of one delivery.

        Raises:
            _Left: it is left alone.
        """
        plan = operation.plan
        verb = _VERBS[plan.kind]
        if plan.kind is Kind.REDRIVE:
            await self._check_redrive(delivery)
        try:
            fields = self._fields(plan, delivery, now)
        except (InvalidInput, Conflict, NotFound) as error:
            raise _Left(_WRONG[plan.kind]) from error
        doubtful = self._actions.possibly_sent(delivery)
        after = changes.changed(delivery, verb, fields, now, doubtful=doubtful)
        detail = f"{operation.id} {changes.told(delivery, after)}"
        note = Note(now, plan.actor, verb, delivery.id, plan.reason, detail, delivery.account)
        return Transition(verb, delivery.revision, after, note=note)

    async def _check_redrive(self, delivery: Delivery) -> None:
        try:
            await changes.check_order(self._store, delivery)
        except Conflict as error:
            raise _Left(Code.PREDECESSOR) from error
        if delivery.message_id in self._actions.revoking:
            raise _Left(Code.CONSENT_REVOKED)
        try:
            await consents.check(self._store, delivery.message_id)
        except Conflict as error:
            raise _Left(Code.CONSENT_REVOKED) from error

    def _fields(self, plan: Plan, delivery: Delivery, now: int) -> changes.Fields:
        book = self._actions.book
        match plan.kind:
            case Kind.REDRIVE:
                return changes.fresh(book, delivery, now, "bulk") | self._endpoint(plan, delivery)
            case Kind.DISCARD:
                return changes.discarded(delivery)
            case Kind.CANCEL:
                return changes.cancelled()
            case Kind.RESCHEDULE:
                return changes.rescheduled(delivery, plan.at, now)
            case Kind.PRIORITY:
                return {"priority": plan.priority}
            case Kind.ENDPOINT:
                return self._endpoint(plan, delivery)

    def _endpoint(self, plan: Plan, delivery: Delivery) -> changes.Fields:
        if plan.endpoint is None:
            return {}
        book = self._actions.book
        return {"endpoint": book.endpoint(book.recipient(delivery.recipient), plan.endpoint).name}

    async def _landed(self, changed: Sequence[Delivery], *, revoked: bool) -> None:
        self._actions.landed(*changed)
        if revoked:  # a consent was revoked in between: perhaps of one of these
            for message_id in {each.message_id for each in changed}:
                await self._actions.uphold(message_id)

    # -- undo -------------------------------------------------------------------------------

    async def _revert(self, operation: Operation, number: int) -> None:
        """Bring back the next deliveries; what something else changed since stays."""
        now = self.clock.now()
        page = await self._store.results(operation.id, limit=number, opened=True)
        if not page:
            await self._end(operation, "undone", state=State.UNDONE, why="all is back in review")
            return
        found = await self._deliveries(page)
        transitions: list[Transition] = []
        kept: list[Result] = []
        for each in page:
            delivery = found.get(each.delivery_id)
            if delivery is None or delivery.revision != each.revision:
                kept.append(Result(each.delivery_id, Outcome.KEPT, "CHANGED", each.revision, now))
                continue
            transitions.append(_undone(operation, delivery, now))
        _, done = await self._operations.write(
            operation, tuple(transitions), outcome=Outcome.UNDONE, results=tuple(kept)
        )
        pairs = zip(transitions, done.transitions, strict=True)
        await self._landed([each.after for each, one in pairs if one.applied], revoked=False)


def _undone(operation: Operation, delivery: Delivery, now: int) -> Transition:
    after = changes.changed(delivery, Verb.UNDO, {}, now, doubtful=False)
    plan = operation.plan
    why = f"undo of {operation.id}"
    note = Note(now, plan.actor, Verb.UNDO, delivery.id, why, operation.id, delivery.account)
    return Transition(Verb.UNDO, delivery.revision, after, note=note)


def _fails(operation: Operation, result: Result, delivery: Delivery | None) -> bool:
    """Tell whether it was redriven since the last start, and has failed since."""
    if delivery is None or result.at < operation.resumed_at:
        return False
    return delivery.status is Status.PENDING and delivery.attempt > 0


def _apart(operation: Operation, early: Sequence[Outcome]) -> Operation:
    """Return the operation with outcomes of what went before its canary kept from the gate."""
    before = operation.before_gate
    delivered, failed, ended = (
        early.count(each) for each in (Outcome.DELIVERED, Outcome.FAILED, Outcome.ENDED)
    )
    before = msgspec.structs.replace(
        before,
        delivered=before.delivered + delivered,
        failed=before.failed + failed,
        ended=before.ended + ended,
    )
    return msgspec.structs.replace(operation, before_gate=before)


def _outcome(delivery: Delivery | None) -> Outcome | None:
    """Return how a redriven delivery ended, None: not yet."""
    if delivery is None:
        return Outcome.ENDED  # pruned
    return {
        Status.PENDING: None,
        Status.DELIVERED: Outcome.DELIVERED,
        Status.DEAD: Outcome.FAILED,
        Status.DISCARDED: Outcome.ENDED,
    }[delivery.status]


def _skips(skipped: Sequence[Skip], now: int) -> tuple[Result, ...]:
    return tuple(
        Result(each.id, Outcome.SKIPPED, reason, each.revision, now) for each, reason in skipped
    )
