"""What must hold at the end of a run: the store against the ledger."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import apsw
import msgspec

from holdfast.model.attempt import Attempt, Result
from holdfast.model.delivery import TRANSITIONS, Delivery, Status, Verb
from holdfast.model.flow import Catalog
from holdfast.model.search import Search
from holdfast.policy.decide import HINT_AS_DELAY_MS, Code
from holdfast.store import Counts, EventQuery, Store
from holdfast.testing.simulator.ledger import Ledger, Promise, Send

PAGE: Final = 1000


class Rules(msgspec.Struct, frozen=True):
    """What of a policy snapshot the promises depend on."""

    max_retries: int
    exhausted_while_down: str


class Facts(msgspec.Struct, frozen=True):
    """What the store says at the end.

    Attributes:
        deliveries: by id.
        attempts: of each delivery, in the order of the journal.
        rules: of each policy that an event names.
        counts: the counters.
    """

    deliveries: dict[str, Delivery]
    attempts: dict[str, list[Attempt]]
    rules: dict[str, Rules]
    counts: dict[str, Counts]


async def read(store: Store) -> Facts:
    """Read everything."""
    deliveries: dict[str, Delivery] = {}
    cursor = None
    while page := (await store.find(Search(limit=PAGE, below=cursor))).deliveries:
        deliveries |= {each.id: each for each in page}
        cursor = page[-1].id
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    rules: dict[str, Rules] = {}
    after = 0
    while events := await store.events(EventQuery(after=after, limit=PAGE)):
        for event in events:
            attempts[event.attempt.delivery_id].append(event.attempt)
            if event.attempt.configuration not in rules:
                decoded = msgspec.json.decode(event.configuration, type=Rules)
                rules[event.attempt.configuration] = decoded
        after = events[-1].position
    return Facts(deliveries, attempts, rules, await store.counts())


def guard(connection: apsw.Connection) -> None:
    """Let the database itself watch that states follow the table, whoever writes.

    A doubt may come to a delivery in any state: of a try that ended late.
    """
    moves = {pair for table in TRANSITIONS.values() for pair in table.items()}
    allowed = ", ".join(f"'{a.value}>{b.value}'" for a, b in sorted(moves))
    connection.execute(
        "CREATE TEMP TABLE wrong (id TEXT, was TEXT, became TEXT);"  # noqa: S608  # our words
        "CREATE TEMP TRIGGER watch BEFORE UPDATE ON main.deliveries WHEN "
        f"((old.status || '>' || new.status) NOT IN ({allowed}) "
        "AND NOT (old.status = new.status AND new.in_doubt)) OR new.revision <= old.revision "
        "BEGIN INSERT INTO wrong VALUES (old.id, old.status || ' ' || old.revision, "
        "new.status || ' ' || new.revision); END"
    )


def check(facts: Facts, ledger: Ledger, catalog: Catalog, connection: apsw.Connection) -> None:
    """Note every promise that was broken."""
    for name, was, became in connection.execute("SELECT * FROM wrong LIMIT 10"):
        ledger.broken(Promise.STATES, f"{name} went from {was} to {became}", name)
    _durable(facts, ledger)
    _counters(facts, ledger)
    sends = _recorded(facts, ledger)
    for delivery in facts.deliveries.values():
        attempts = facts.attempts.get(delivery.id, [])
        _numbers(delivery, attempts, ledger)
        _holds(delivery, attempts, facts, ledger)
        _received(delivery, attempts, ledger)
        if catalog.recipients[delivery.recipient].breaker.enabled and not ledger.jumped:
            _blame(delivery, attempts, facts, sends=sends, ledger=ledger)
    _order(facts, ledger)


def _durable(facts: Facts, ledger: Ledger) -> None:
    for receipt in ledger.acknowledged.values():
        for routed in receipt.deliveries:
            found = facts.deliveries.get(routed.id)
            if found is None or (found.message_id, found.step, found.recipient) != (
                receipt.message_id,
                routed.step,
                routed.recipient,
            ):
                ledger.broken(
                    Promise.DURABLE, f"{routed.id} was accepted and is {found}", routed.id
                )


def _counters(facts: Facts, ledger: Ledger) -> None:
    rows = Counter((each.recipient, each.status) for each in facts.deliveries.values())
    for recipient in {name for name, _ in rows} | set(facts.counts):
        counts = facts.counts.get(recipient, Counts())
        for status in Status:
            counted, real = getattr(counts, status), rows[recipient, status]
            if counted != real:
                text = f"{recipient}: {counted} {status} are counted, there are {real}"
                ledger.broken(Promise.COUNTERS, text)
        ended = counts.delivered + counts.dead + counts.discarded + counts.pruned
        if counts.created != counts.pending + ended:
            ledger.broken(Promise.COUNTERS, f"{recipient}: {counts} do not add up")


Key = tuple[int, str, int, int, int]
"""Process, delivery, number of the attempt, begin and end on the wall clock: of a send and of its
event. Two processes may send the same at the same instant."""


def _key(event: Attempt, writers: Mapping[str, int]) -> Key:
    return (
        writers.get(event.event_id, 0),
        event.delivery_id,
        event.attempt_number,
        event.request_timestamp,
        event.acknowledgment_timestamp,
    )


def _recorded(facts: Facts, ledger: Ledger) -> dict[Key, Send]:
    """Match sends with events: what is not on record was cut by a crash."""
    attempts = (each for group in facts.attempts.values() for each in group)
    events = Counter(_key(each, ledger.writers) for each in attempts)
    sends: dict[Key, Send] = {}
    lost: dict[int, list[Send]] = defaultdict(list)
    for send in ledger.sends:
        key = (send.life, send.delivery_id, send.attempt, send.wall, send.done)
        if events[key] > 0:
            events[key] -= 1
            sends[key] = send
        else:
            lost[send.life].append(send)
    for key, left in events.items():
        if left > 0:
            ledger.broken(Promise.RECORDED, f"an event without a send: {key}", key[1])
    for life, group in lost.items():
        most = 0 if ledger.ended.get(life) else ledger.max_in_flight
        if len(group) > most:
            text = f"process {life} left {len(group)} sends without a record; at most {most}"
            ledger.broken(Promise.RECORDED, text, group[0].delivery_id)
    return sends


def _generations(attempts: Iterable[Attempt]) -> dict[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = defaultdict(list)
    for each in attempts:
        if not each.stale:
            found[each.generation].append(each)
    return found


def _numbers(delivery: Delivery, attempts: list[Attempt], ledger: Ledger) -> None:
    name = delivery.id
    for generation, group in _generations(attempts).items():
        numbers = [each.attempt_number for each in group]
        if numbers != list(range(len(numbers))):
            text = f"{name} generation {generation} has the attempts {numbers}"
            ledger.broken(Promise.NUMBERS, text, name)
    current = [a for a in attempts if not a.stale and a.outcome is not Result.SKIP]
    if [each.cumulative_attempt for each in current] != list(range(len(current))):
        ledger.broken(Promise.NUMBERS, f"{name}: cumulative numbers have a gap", name)
    if delivery.attempts != len(current):
        text = f"{name} says {delivery.attempts} attempts, the journal has {len(current)}"
        ledger.broken(Promise.NUMBERS, text, name)


def _holds(delivery: Delivery, attempts: list[Attempt], facts: Facts, ledger: Ledger) -> None:
    name = delivery.id
    for generation, group in _generations(attempts).items():
        counted = active = 0
        for each in group:
            counted = max(0, counted - each.refunded) + each.counted
            active += round(each.processing_time_ms) + _planned(each)
            if each.counted and _brief_hold(each):
                ledger.broken(Promise.HOLDS, f"{name}: a hold is counted: {each.event_id}", name)
            most = facts.rules[each.configuration].max_retries + 1
            if counted > most:
                text = f"{name} generation {generation} counts {counted} sends, at most {most}"
                ledger.broken(Promise.HOLDS, text, name)
        if generation == delivery.generation and (counted, active) != (
            delivery.counted,
            delivery.active_ms,
        ):
            text = (
                f"{name} says counted {delivery.counted} and active {delivery.active_ms} ms; its "
                f"events say {counted} and {active} ms"
            )
            ledger.broken(Promise.HOLDS, text, name)


def _brief_hold(attempt: Attempt) -> bool:
    """Tell whether a try ended in a hold, other than for the partner's own long hint."""
    after = attempt.next_action
    if after.type != "hold" or after.at is None:
        return False
    return after.at - attempt.acknowledgment_timestamp <= HINT_AS_DELAY_MS


def _planned(attempt: Attempt) -> int:
    """Return the planned delay that a try added to the active time."""
    after = attempt.next_action
    if after.type != "retry" or not attempt.counted or after.at is None:
        return 0
    return after.at - attempt.acknowledgment_timestamp


def _received(delivery: Delivery, attempts: list[Attempt], ledger: Ledger) -> None:
    name = delivery.id
    asked = ledger.asked.get(name, set())
    succeeded = any(each.outcome == "success" for each in attempts)
    delivered = delivery.status is Status.DELIVERED
    if succeeded and not delivered:
        ledger.broken(Promise.RECEIVED, f"{name} succeeded and is {delivery.status}", name)
    if delivered and delivery.code == Code.BY_HAND:
        if Verb.PROVE not in asked:
            ledger.broken(Promise.RECEIVED, f"nobody has proven {name}", name)
    elif delivered and not ledger.received[name]:
        ledger.broken(Promise.RECEIVED, f"{name} is delivered; the partner has nothing", name)
    if delivery.code == Code.CANCELLED and Verb.CANCEL not in asked:
        ledger.broken(Promise.RECEIVED, f"nobody has cancelled {name}", name)
    known = ledger.received[name] and delivery.http_status == 409 and name not in ledger.late
    if delivery.status is Status.DEAD and known and not ledger.jumped:
        text = f"{name} is dead {delivery.code} of a 409; the partner has it since a lost answer"
        ledger.broken(Promise.RECEIVED, text, name)


def _blame(
    delivery: Delivery,
    attempts: list[Attempt],
    facts: Facts,
    *,
    sends: dict[Key, Send],
    ledger: Ledger,
) -> None:
    """Nothing that its recipient did not take from anybody runs out of retries."""
    if delivery.code != Code.RETRY_LIMIT_EXCEEDED:
        return
    group = _generations(attempts).get(delivery.generation, [])
    if not group or facts.rules[group[-1].configuration].exhausted_while_down != "hold":
        return
    first, last = (sends.get(_key(each, ledger.writers)) for each in (group[0], group[-1]))
    if first is not None and last is not None and last.good_at < first.at:
        text = f"{delivery.id} ran out of retries on a recipient that answered nobody since"
        ledger.broken(Promise.BLAME, text, delivery.id)


def _order(facts: Facts, ledger: Ledger) -> None:
    """Judge followers by what became of the step before them."""
    first_sends: dict[str, float] = {}
    for send in ledger.sends:
        first_sends.setdefault(send.delivery_id, send.at)
    for delivery in facts.deliveries.values():
        before = facts.deliveries.get(delivery.predecessor or "")
        if before is None:
            continue
        dropped = delivery.status is Status.DISCARDED and delivery.code == Code.PREDECESSOR
        if dropped and before.status in (Status.PENDING, Status.DELIVERED):
            text = f"{delivery.id} is dropped; the step before it is {before.status}"
            ledger.broken(Promise.ORDER, text, delivery.id)
        sent = first_sends.get(delivery.id)
        if sent is not None and sent < ledger.proven.get(before.id, math.inf):
            text = f"{delivery.id} was sent at {sent}, before {before.id} had arrived"
            ledger.broken(Promise.ORDER, text, delivery.id)


def digest(connection: apsw.Connection) -> bytes:
    """Return what two runs of one seed must share: the journal and the deliveries."""
    rows: list[Any] = list(connection.execute("SELECT body FROM attempts ORDER BY position"))
    rows += connection.execute("SELECT body FROM delivery_rows ORDER BY place")
    return "\n".join(body for (body,) in rows).encode()
