"""Changes of deliveries: look up, decide, write."""

from collections.abc import Sequence
from typing import Final

import apsw

from holdfast.model.message import NEVER
from holdfast.store import Applied, Note, Transition
from holdfast.stores import rows
from holdfast.stores.planning import grouping
from holdfast.stores.planning import transiting as planning
from holdfast.stores.planning.counting import Tally
from holdfast.stores.planning.following import CHAIN, Followers, Seen
from holdfast.stores.sqlite.sql import Bulk, change, one

_MOVE: Final = Bulk("move_deliveries")
_TURN: Final = Bulk("turn_deliveries")
_APPEND: Final = Bulk("append_attempts")
_SIGHT: Final = Bulk("sight_groups")
_COUNT: Final = Bulk("count_failures")


def transit(
    connection: apsw.Connection, transitions: Sequence[Transition], now: int, tally: Tally
) -> tuple[tuple[Applied, ...], list[Note]]:
    """Apply transitions in their order and return the answers and the audit lines."""
    followers = _followers(connection, transitions)
    if not planning.tangled(transitions, followers):
        return _step(connection, transitions, followers, now, tally)
    # Members that touch the same delivery must see each other's work: one after the other.
    answers: list[Applied] = []
    notes: list[Note] = []
    for each in transitions:
        followers = _followers(connection, (each,))
        found, written = _step(connection, (each,), followers, now, tally)
        answers += found
        notes += written
    return tuple(answers), notes


def _followers(connection: apsw.Connection, transitions: Sequence[Transition]) -> Followers:
    roots = planning.roots(transitions)
    if not roots:
        return Followers()
    return Followers(CHAIN.decode(one(connection, "delivery_chains", ids=rows.json_text(roots))))


def _step(
    connection: apsw.Connection,
    transitions: Sequence[Transition],
    followers: Followers,
    now: int,
    tally: Tally,
) -> tuple[tuple[Applied, ...], list[Note]]:
    plan = planning.Plan(_known(connection, transitions), followers, tally)
    answers = plan.take(transitions)
    _write(connection, plan, now)
    return answers, plan.notes


def _known(connection: apsw.Connection, transitions: Sequence[Transition]) -> planning.Known:
    ids = rows.json_text([each.after.id for each in transitions])
    states = planning.states(planning.STATES.decode(one(connection, "delivery_states", ids=ids)))
    doubts = planning.doubts(transitions, states)
    if not doubts:
        return planning.Known(states)
    event_ids = rows.json_text([each.event_id for each in doubts.events])
    events = planning.EVENTS.decode(one(connection, "known_events", ids=event_ids))
    text = one(connection, "stored_deliveries", ids=rows.json_text(doubts.deliveries))
    return planning.Known(
        states,
        {event[0]: event for event in events},
        {delivery.id: delivery for delivery in rows.deliveries(text)},
    )


def _write(connection: apsw.Connection, plan: planning.Plan, now: int) -> None:
    # One of two statements: a delivery that stays pending touches one index only.
    moves = [(each.row, *rows.moved(each.after)[:-3]) for each in plan.changed if each.stays]
    turns = [(each.row, *rows.moved(each.after)) for each in plan.changed if not each.stays]
    _MOVE.run(connection, moves)
    _TURN.run(connection, turns)
    if plan.ranked:
        change(connection, "rank_deliveries", ranks=rows.json_text(plan.ranked))
    for each in plan.proven:
        values = {"place": each.row, "http_status": each.http_status, "now": now}
        change(connection, "prove_delivery", **values)
    for place, _ in plan.doubted:
        change(connection, "doubt_delivery", place=place, now=now)
    _write_fate(connection, plan.followers, now)
    _APPEND.run(connection, [rows.attempt_row(*each) for each in plan.attempts])
    if plan.sightings or plan.endings:
        groups, buckets = grouping.counted(plan.sightings, plan.endings)
        _SIGHT.run(connection, groups)
        _COUNT.run(connection, buckets)


def _write_fate(connection: apsw.Connection, followers: Followers, now: int) -> None:
    fate = followers.fate
    if fate.release:
        change(connection, "release_followers", places=_places(fate.release), now=now)
    if fate.discard:
        change(connection, "discard_followers", places=_places(fate.discard), now=now)
    if fate.revive:
        values = {"never": NEVER, "until": fate.until, "now": now}
        change(connection, "revive_followers", places=_places(fate.revive), **values)


def _places(group: Sequence[Seen]) -> str:
    return rows.json_text([place for place, _ in group])
