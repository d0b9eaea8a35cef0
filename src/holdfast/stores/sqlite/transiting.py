"""Changes of deliveries: check, append the attempts, write, move the counters."""

from collections.abc import Sequence
from typing import Any, Final

import apsw
import msgspec

from holdfast.errors import StoreError
from holdfast.model.attempt import Result
from holdfast.model.delivery import TRANSITIONS, Delivery, Status, Verb
from holdfast.store import Applied, Note, Transition
from holdfast.stores.sqlite import rows
from holdfast.stores.sqlite.counting import Tally
from holdfast.stores.sqlite.following import MOVING, RELEASING, Followers
from holdfast.stores.sqlite.sql import Bulk, change, one

_MOVE: Final = Bulk("move_deliveries")
_TURN: Final = Bulk("turn_deliveries")
_APPEND: Final = Bulk("append_attempts")
_STATES: Final = msgspec.json.Decoder(list[tuple[str, int, int, Status, str, int]])
_EVENT: Final = msgspec.json.Decoder(tuple[str, bool, bool], strict=False)
_APPLIED: Final = Applied(applied=True)
_REFUSED: Final = Applied(applied=False)

State = tuple[str, int, int, Status, str, int]
"""id, place, revision, status, recipient, priority."""


def transit(
    connection: apsw.Connection, transitions: Sequence[Transition], now: int, tally: Tally
) -> tuple[tuple[Applied, ...], list[Note]]:
    """Apply transitions in their order and return the answers and the audit lines."""
    roots = [each.after.id for each in transitions if _concerns_followers(each)]
    followers = Followers(connection, roots)
    ids = {each.after.id for each in transitions}
    if len(ids) == len(transitions) and not ids & followers.ids:
        step = Step(connection, now, tally, followers)
        return step.run(transitions), step.notes
    # Members that touch the same delivery must see each other's work: one after the other.
    answers: list[Applied] = []
    notes: list[Note] = []
    for each in transitions:
        roots = [each.after.id] if _concerns_followers(each) else []
        step = Step(connection, now, tally, Followers(connection, roots))
        answers += step.run((each,))
        notes += step.notes
    return tuple(answers), notes


def _concerns_followers(transition: Transition) -> bool:
    return transition.after.followed and (transition.verb in MOVING or _succeeded(transition))


def _succeeded(transition: Transition) -> bool:
    return transition.attempt is not None and transition.attempt.outcome is Result.SUCCESS


class Step:
    """Transitions that do not touch each other, checked in Python and written in bulk.

    Args:
        connection: inside the transaction.
        now: time of the batch.
        tally: takes the moves of the counters.
        followers: of the transitions that concern any.
    """

    def __init__(
        self, connection: apsw.Connection, now: int, tally: Tally, followers: Followers
    ) -> None:
        self.notes: list[Note] = []
        self._connection = connection
        self._now = now
        self._tally = tally
        self._followers = followers
        self._moves: list[tuple[Any, ...]] = []
        self._turns: list[tuple[Any, ...]] = []
        self._attempts: list[tuple[Any, ...]] = []

    def run(self, transitions: Sequence[Transition]) -> tuple[Applied, ...]:
        """Check and write."""
        ids = rows.json_text([each.after.id for each in transitions])
        found = _STATES.decode(one(self._connection, "delivery_states", ids=ids))
        states = {state[0]: state for state in found}
        answers = tuple([self._one(each, states.get(each.after.id)) for each in transitions])
        self._write()
        return answers

    def _one(self, transition: Transition, state: State | None) -> Applied:
        if state is not None and state[2] == transition.revision:
            status = TRANSITIONS[transition.verb].get(state[3])
            if status is not None:
                return self._apply(transition, state, status)
        return self._refuse(transition, state)

    def _apply(self, transition: Transition, state: State, status: Status) -> Applied:
        _, place, _, before, recipient, priority = state
        after = transition.after
        if after.status is not status or after.revision <= transition.revision:
            raise StoreError(
                f"transition of {after.id}: {transition.verb} from {before} must lead to status "
                f"{status} and a revision above {transition.revision}, not to {after.status} and "
                f"{after.revision}"
            )
        if before is status is Status.PENDING:
            self._moves.append((place, *rows.moved(after)[:-3]))
        else:
            self._turns.append((place, *rows.moved(after)))
            self._tally.moved(recipient, before, status, priority=priority)
        if transition.attempt is not None:
            self._attempts.append(rows.attempt_row(transition.attempt, transition.excerpt))
        if transition.note is not None:
            self.notes.append(transition.note)
        if not after.followed:
            return _APPLIED
        woken = () if before == status else self._affected(transition)
        return Applied(applied=True, woken=woken)

    def _affected(self, transition: Transition) -> tuple[str, ...]:
        after = transition.after
        return self._followers.affect(after.id, transition.verb, after.expires_at)

    def _refuse(self, transition: Transition, state: State | None) -> Applied:
        attempt = transition.attempt
        if attempt is None:
            return self._repeated(transition, state)
        known = one(self._connection, "known_event", event_id=attempt.event_id)
        if known is not None:
            return self._answered(transition, known)
        stale = msgspec.structs.replace(attempt, stale=True)
        self._attempts.append(rows.attempt_row(stale, transition.excerpt))
        if state is None or not _succeeded(transition):
            return _REFUSED
        return self._prove(transition.after, state)

    def _repeated(self, transition: Transition, state: State | None) -> Applied:
        """Answer for a change without attempt that may be the one that is stored."""
        after = transition.after
        if state is None or state[2] != after.revision:
            return _REFUSED
        stored = rows.deliveries(f"[{one(self._connection, 'get_delivery', id=after.id)}]")
        if stored != [after]:
            return _REFUSED
        return Applied(applied=True, woken=self._woken_before(transition))

    def _answered(self, transition: Transition, known: str) -> Applied:
        """Answer for an event that is on record: its transition was committed before."""
        delivery_id, stale, success = _EVENT.decode(known)
        if delivery_id != transition.after.id:
            raise StoreError(
                f"event {getattr(transition.attempt, 'event_id', None)} of {transition.after.id} "
                f"exists already, for {delivery_id}"
            )
        woken = self._woken_before(transition)
        return Applied(applied=not stale, proven=stale and success, woken=woken)

    def _woken_before(self, transition: Transition) -> tuple[str, ...]:
        releases = transition.verb in RELEASING
        return self._followers.waiting(transition.after.id) if releases else ()

    def _prove(self, after: Delivery, state: State) -> Applied:
        delivery_id, place, _, before, recipient, priority = state
        if before is Status.DELIVERED:
            return Applied(applied=False, proven=True)
        change(
            self._connection,
            "prove_delivery",
            place=place,
            now=self._now,
            http_status=after.http_status,
        )
        self._tally.moved(recipient, before, Status.DELIVERED, priority=priority)
        woken = self._followers.affect(delivery_id, Verb.SUCCEED)
        return Applied(applied=False, proven=True, woken=woken)

    def _write(self) -> None:
        # One of two statements: a delivery that stays pending touches one index only.
        _MOVE.run(self._connection, self._moves)
        _TURN.run(self._connection, self._turns)
        self._followers.write(self._connection, self._now, self._tally)
        _APPEND.run(self._connection, self._attempts)
