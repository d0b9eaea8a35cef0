"""Changes of deliveries: what is applied, what is refused, and what follows from it."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from holdfast.errors import Conflict, StoreError
from holdfast.model.attempt import Attempt, Result
from holdfast.model.delivery import TRANSITIONS, Delivery, Status, Verb
from holdfast.model.group import Sighting
from holdfast.store import UNSEEN, Applied, Note, Transition
from holdfast.stores.planning.counting import Tally
from holdfast.stores.planning.following import MOVING, RELEASING, Followers, Row
from holdfast.stores.planning.grouping import Ending, ending

_APPLIED: Final = Applied(applied=True)
_REFUSED: Final = Applied(applied=False)

State = tuple[str, Row, int, Status, str, int]
"""id, row, revision, status, recipient, priority."""
KnownEvent = tuple[str, str, bool, bool]
"""event id, delivery id, whether it is stale, whether it was a success."""

STATES: Final = msgspec.json.Decoder(list[State])
EVENTS: Final = msgspec.json.Decoder(list[KnownEvent], strict=False)


class Doubts(msgspec.Struct, frozen=True):
    """What must be looked up besides before refused transitions can be answered.

    Attributes:
        events: attempts that may be on record.
        deliveries: ids whose stored rows may be what was asked for.
    """

    events: tuple[Attempt, ...]
    deliveries: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.events or self.deliveries)


class Known(msgspec.Struct, frozen=True):
    """What a store has of the deliveries of some transitions.

    Attributes:
        states: by delivery id.
        events: by event id, of `Doubts.events`.
        stored: by delivery id, of `Doubts.deliveries`.
    """

    states: Mapping[str, State]
    events: Mapping[str, KnownEvent] = {}
    stored: Mapping[str, Delivery] = {}


class Changed(msgspec.Struct, frozen=True):
    """A delivery that is written as `after`; its stored revision is `revision`."""

    row: Row
    revision: int
    before: Status
    after: Delivery

    @property
    def stays(self) -> bool:
        """Tell whether it was and stays pending."""
        return self.before is self.after.status is Status.PENDING


class Proven(msgspec.Struct, frozen=True):
    """A delivery that becomes delivered by a success of a refused transition."""

    row: Row
    revision: int
    http_status: int | None


def roots(transitions: Sequence[Transition]) -> list[str]:
    """Return the deliveries whose followers are concerned."""
    return [each.after.id for each in transitions if _concerns_followers(each)]


def states(found: Sequence[State]) -> dict[str, State]:
    """Return `Known.states` from what `STATES` decodes."""
    return {state[0]: state for state in found}


def tangled(transitions: Sequence[Transition], followers: Followers) -> bool:
    """Tell whether members touch the same delivery, so that one must see the other's work."""
    ids = {each.after.id for each in transitions}
    return len(ids) < len(transitions) or bool(ids & followers.ids)


def doubts(transitions: Sequence[Transition], states: Mapping[str, State]) -> Doubts:
    """Return what must be known of the transitions that the states refuse."""
    events = []
    deliveries = []
    for each in transitions:
        state = states.get(each.after.id)
        if _allowed(each, state) is not None:
            continue
        if each.attempt is not None:
            events.append(each.attempt)
        elif state is not None and state[2] == each.after.revision:
            deliveries.append(each.after.id)
    return Doubts(tuple(events), tuple(deliveries))


def _allowed(transition: Transition, state: State | None) -> Status | None:
    """Return the status that a transition leads to; None: it is refused."""
    if state is None or state[2] != transition.revision:
        return None
    return TRANSITIONS[transition.verb].get(state[3])


def _concerns_followers(transition: Transition) -> bool:
    return transition.after.followed and (transition.verb in MOVING or _succeeded(transition))


def _succeeded(transition: Transition) -> bool:
    return transition.attempt is not None and transition.attempt.outcome is Result.SUCCESS


def check_all(transitions: Sequence[Transition], answers: Sequence[Applied]) -> None:
    """Refuse a strict batch of which one change is refused.

    Raises:
        Conflict: one is.
    """
    for each, answer in zip(transitions, answers, strict=True):
        if not answer.applied:
            raise Conflict(f"delivery {each.after.id} has changed meanwhile")


class Plan:
    """What transitions that do not touch each other come to.

    Attributes:
        changed: deliveries to write.
        ranked: rows with the priority that they get, besides what `changed` says.
        proven: deliveries that become delivered.
        doubted: rows, with their revisions, of deliveries that may have been received.
        attempts: tries to append, each with its excerpt.
        notes: audit lines to append.
        sightings: failures to count in their groups.
        endings: deliveries that had failed, with what became of them.
        followers: what happens to followers.
    """

    def __init__(self, known: Known, followers: Followers, tally: Tally) -> None:
        self.changed: list[Changed] = []
        self.ranked: list[tuple[Row, int]] = []
        self.proven: list[Proven] = []
        self.doubted: list[tuple[Row, int]] = []
        self.attempts: list[tuple[Attempt, bytes | None]] = []
        self.notes: list[Note] = []
        self.sightings: list[Sighting] = []
        self.endings: list[Ending] = []
        self.followers = followers
        self._known = known
        self._tally = tally

    def take(self, transitions: Sequence[Transition]) -> tuple[Applied, ...]:
        """Decide on each and return the answers.

        Raises:
            StoreError: a transition contradicts its verb, or its event is another delivery's.
        """
        answers = tuple([self._one(each) for each in transitions])
        self.followers.count(self._tally)
        return answers

    def _one(self, transition: Transition) -> Applied:
        state = self._known.states.get(transition.after.id)
        status = _allowed(transition, state)
        if state is None or status is None:
            return self._refuse(transition, state)
        return self._apply(transition, state, status)

    def _apply(self, transition: Transition, state: State, status: Status) -> Applied:
        _, row, revision, before, recipient, priority = state
        after = transition.after
        if after.status is not status or after.revision <= transition.revision:
            raise StoreError(
                f"transition of {after.id}: {transition.verb} from {before} must lead to status "
                f"{status} and a revision above {transition.revision}, not to {after.status} and "
                f"{after.revision}"
            )
        self.changed.append(Changed(row, revision, before, after))
        self._tally.moved(recipient, before, status, priority=priority)
        if transition.verb is Verb.REVISE and after.priority != priority:
            self._tally.ranked(recipient, priority, after.priority)
            self.ranked.append((row, after.priority))
        if transition.attempt is not None:
            self.attempts.append((transition.attempt, transition.excerpt))
        if transition.note is not None:
            self.notes.append(transition.note)
        if transition.sighting is not None:
            self.sightings.append(transition.sighting)
        if after.fingerprint is not None and (end := ending(transition.verb, after)) is not None:
            self.endings.append(end)
        if not after.followed:
            return _APPLIED
        woken = () if before == status else self._affected(transition)
        return Applied(applied=True, woken=woken)

    def _affected(self, transition: Transition) -> tuple[str, ...]:
        after = transition.after
        return self.followers.affect(after.id, transition.verb, after.expires_at)

    def _refuse(self, transition: Transition, state: State | None) -> Applied:
        attempt = transition.attempt
        if attempt is None:
            return self._repeated(transition)
        known = self._known.events.get(attempt.event_id)
        if known is not None:
            return self._answered(transition, known)
        stale = msgspec.structs.replace(attempt, stale=True)
        self.attempts.append((stale, transition.excerpt))
        if transition.sighting is not None:
            self.sightings.append(transition.sighting)
        if state is None:
            return _REFUSED
        if _succeeded(transition):
            return self._prove(transition.after, state)
        # Of who has lost its lanes nothing but a success counts: the take-over has left its doubt.
        if transition.after.in_doubt and transition.revision != UNSEEN:
            self._doubt(state)
        return _REFUSED

    def _doubt(self, state: State) -> None:
        _, row, revision, before, _, _ = state
        if before is not Status.DELIVERED:
            self.doubted.append((row, revision))

    def _repeated(self, transition: Transition) -> Applied:
        """Answer for a change without attempt that may be the one that is stored."""
        if self._known.stored.get(transition.after.id) != transition.after:
            return _REFUSED
        return Applied(applied=True, woken=self._woken_before(transition))

    def _answered(self, transition: Transition, known: KnownEvent) -> Applied:
        """Answer for an event that is on record: its transition was committed before."""
        event_id, delivery_id, stale, success = known
        if delivery_id != transition.after.id:
            raise StoreError(
                f"event {event_id} of {transition.after.id} exists already, for {delivery_id}"
            )
        woken = self._woken_before(transition)
        return Applied(applied=not stale, proven=stale and success, woken=woken)

    def _woken_before(self, transition: Transition) -> tuple[str, ...]:
        releases = transition.verb in RELEASING
        return self.followers.waiting(transition.after.id) if releases else ()

    def _prove(self, after: Delivery, state: State) -> Applied:
        delivery_id, row, revision, before, recipient, priority = state
        if before is Status.DELIVERED:
            return Applied(applied=False, proven=True)
        self.proven.append(Proven(row, revision, after.http_status))
        self._tally.moved(recipient, before, Status.DELIVERED, priority=priority)
        woken = self.followers.affect(delivery_id, Verb.SUCCEED)
        return Applied(applied=False, proven=True, woken=woken)
