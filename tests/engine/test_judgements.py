"""A person's word on a group's failures, in virtual time on the whole engine."""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

import msgspec
import pytest

from holdfast.engine.judgements import Judgements
from holdfast.errors import Conflict, InvalidInput, NotFound, Stale
from holdfast.model.attempt import FailureClass, Outcome, Result
from holdfast.model.delivery import Delivery, Status
from holdfast.model.flow import Catalog
from holdfast.model.group import JUDGED_MAX, Group
from holdfast.model.judgement import Judgement, Nature
from holdfast.model.policy import JitterKind, PolicySettings
from holdfast.model.rule import DeliveryRule, Effects
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import run
from holdfast.testing.crew import Crew, working
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running
from holdfast.testing.shelf import MemoryShelf, groups_of

BY: Final[dict[str, Any]] = {"actor": "ann", "reason": "the partner says so"}
EXACT: Final = PolicySettings(jitter=JitterKind.NONE, initial_delay=2.0, max_retries=3)
PLAIN: Final = recipient(breaker=NO_BREAKER)


def made(**fields: Any) -> Catalog:
    """Return a catalog with one recipient and exact delays; `fields` are those of the catalog."""
    return msgspec.structs.replace(catalog(PLAIN, policy=EXACT), **fields)


async def judged(rig: Rig, nature: Nature | None) -> Group:
    """Judge the group of the delivery that failed last."""
    name = (await rig.deliveries())[-1].fingerprint
    assert name is not None
    return await rig.engine.groups.judge(name, nature, **BY)


async def sent(rig: Rig, seconds: float, **fields: Any) -> Delivery:
    """Send one more and return it so much later."""
    [receipt] = await rig.send(**fields)
    await rig.wait(seconds)
    found = await rig.store.get(receipt.deliveries[0].id)
    assert found is not None
    return found


async def words(rig: Rig, delivery: Delivery) -> list[object]:
    """Return what its events say of a person's word."""
    return [each.get("judgement") for each in await rig.events(delivery_id=delivery.id)]


def test_permanent_stops_at_once_and_sticks() -> None:
    """Over a restart, for a redrive too, until it is taken back; the audit has each step."""
    rig = Rig(made(), always(503))

    async def main() -> None:
        async with running(rig):
            first = await sent(rig, 60)
            assert (first.code, first.attempts) == ("RETRY_LIMIT_EXCEEDED", 4)
            group = await judged(rig, Nature.PERMANENT)
            assert (group.nature, group.judged_by) == (Nature.PERMANENT, "ann")
            told = {"group": group.id, "nature": "permanent", "actor": "ann"}
            second = await sent(rig, 1)
            assert (second.status, second.code) == (Status.DEAD, "JUDGED_PERMANENT")
            assert (second.failure_class, second.fingerprint) == ("server", group.id)
            assert await words(rig, second) == [told]
            [event] = await rig.events(delivery_id=second.id)
            assert (event["retryable"], event["outcome"]) == (True, "error")
            assert event["next_action"] == {
                "type": "dead_letter",
                "reason": "ann judged such failures permanent",
            }
        rig.again()
        async with running(rig):
            third = await sent(rig, 1)
            assert (third.code, third.attempts) == ("JUDGED_PERMANENT", 1)
            await rig.engine.actions.redrive(third.id, **BY)
            await rig.wait(60)
            again = (await rig.deliveries())[-1]
            assert (again.code, again.attempts) == ("JUDGED_PERMANENT", 2)
            await judged(rig, None)
            fourth = await sent(rig, 60)
            assert (fourth.code, fourth.attempts) == ("RETRY_LIMIT_EXCEEDED", 4)
            assert await words(rig, fourth) == [None] * 4
            lines = await rig.store.notes(group.id, 10)
            assert [each.detail for each in lines] == [
                '{"nature":["permanent",null]}',
                '{"nature":[null,"permanent"]}',
            ]
            assert {(each.actor, each.action, each.reason) for each in lines} == {
                ("ann", "group_judge", BY["reason"])
            }

    run(main(), rig.clock)


def test_temporary_retries_as_the_policy_retries() -> None:
    """What would have died is tried again until it is taken, or until the retries are used."""
    rig = Rig(made(), always(422))

    async def main() -> None:
        async with running(rig):
            first = await sent(rig, 1)
            assert (first.code, first.attempts) == ("HARD_FAILURE", 1)
            group = await judged(rig, Nature.TEMPORARY)
            second = await sent(rig, 60)
            assert (second.code, second.attempts) == ("RETRY_LIMIT_EXCEEDED", 4)
            told = {"group": group.id, "nature": "temporary", "actor": "ann"}
            assert await words(rig, second) == [told] * 4
            rig.channel.script = in_order(422, 422, 200)
            third = await sent(rig, 60)
            assert (third.status, third.attempts) == (Status.DELIVERED, 3)
            assert await words(rig, third) == [told, told, None]
            rig.channel.script = always(400)  # another group: nobody judged it
            other = await sent(rig, 1)
            assert (other.code, other.attempts) == ("HARD_FAILURE", 1)

    run(main(), rig.clock)


def test_temporary_keeps_what_ends_a_delivery() -> None:
    """Its age, a consent that is revoked meanwhile, and a rule that ends it."""
    ends = DeliveryRule(
        name="enough", when="attempt.number >= 1", then=Effects(dead_letter="ENOUGH")
    )
    policy = msgspec.structs.replace(EXACT, max_age=60.0, initial_delay=30.0, max_retries=9)
    plain = catalog(PLAIN, policy=policy)
    rig = Rig(plain, always(422))

    async def main() -> None:
        async with running(rig):
            await sent(rig, 1)
            await judged(rig, Nature.TEMPORARY)
            old = await sent(rig, 120)
            assert (old.status, old.code, old.attempts) == (Status.DEAD, "EXPIRED", 2)
            [receipt] = await rig.send(consent={"granted_at": "2025-01-01T00:00:00Z"})
            await rig.wait(1)
            await rig.engine.actions.revoke(receipt.message_id, **BY)
            await rig.wait(59)
            gone = (await rig.deliveries())[-1]
            assert (gone.status, gone.code) == (Status.DISCARDED, "CONSENT_REVOKED")
            assert gone.attempts == 1
        rig.catalog = msgspec.structs.replace(plain, rules=(ends,))
        rig.again()
        async with running(rig):
            ruled = await sent(rig, 59)
            assert (ruled.status, ruled.code, ruled.attempts) == (Status.DEAD, "ENOUGH", 2)
            assert (await words(rig, ruled))[1] is None  # the rule decided

    run(main(), rig.clock)


def test_temporary_sends_nothing_again_that_may_have_arrived() -> None:
    """The author lets no timeout be retried, as this partner takes twice: so it stays."""
    policy = msgspec.structs.replace(EXACT, never_retry=("timeout",))
    lost = Scripted(error=FailureClass.TIMEOUT, maybe_received=True)
    rig = Rig(catalog(PLAIN, policy=policy), in_order(lost))

    async def main() -> None:
        async with running(rig):
            first = await sent(rig, 60)
            assert (first.status, first.attempts, first.in_doubt) == (Status.DEAD, 1, True)
            await judged(rig, Nature.TEMPORARY)
            second = await sent(rig, 60)
            assert (second.code, second.attempts) == ("HARD_FAILURE", 1)
            assert await words(rig, second) == [None]
            [event] = await rig.events(delivery_id=second.id)
            assert "the partner may have it" in str(event["next_action"])

    run(main(), rig.clock)


def test_temporary_leaves_an_endpoint_in_use() -> None:
    """410 closes it; once a person knows that it passes, it is tried again and stays open."""
    rig = Rig(made(), always(410))

    async def main() -> None:
        async with running(rig):
            held = await sent(rig, 60)
            assert (held.hold_gate, held.attempts) == ("endpoint", 1)
            assert rig.engine.lane("acme").state.disabled
            await judged(rig, Nature.TEMPORARY)
            await rig.engine.actions.resume("acme", **BY)
            await rig.wait(60)
            [tried] = await rig.deliveries()
            assert (tried.code, tried.attempts) == ("RETRY_LIMIT_EXCEEDED", 5)
            assert not rig.engine.lane("acme").state.disabled

    run(main(), rig.clock)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "code"),
    [("word", "JUDGED_PERMANENT"), ("policy", "HARD_FAILURE"), ("rule", "ENOUGH")],
)
def test_a_rate_limit_that_ends_deliveries_still_slows_the_lane(by: str, code: str) -> None:
    """What waits is not thrown at a partner that refuses for its rate, only to die of it."""
    never = ("429",) if by == "policy" else ()
    policy = msgspec.structs.replace(EXACT, never_retry=never)
    rule = DeliveryRule(name="enough", when="true", then=Effects(dead_letter="ENOUGH"))
    slow = catalog(recipient(breaker=NO_BREAKER, concurrency=1), policy=policy)
    rules = (rule,) if by == "rule" else ()
    rig = Rig(msgspec.structs.replace(slow, rules=rules), always(429))

    async def main() -> None:
        async with running(rig):
            await sent(rig, 1)
            if by == "word":
                await judged(rig, Nature.PERMANENT)
            await rig.send(30)
            before = len(rig.channel.sent)
            await rig.wait(60)
            assert 2 <= len(rig.channel.sent) - before <= 8
            await rig.wait(3_600)
            assert {one.code for one in await rig.deliveries()} == {code}

    run(main(), rig.clock)


def test_rules_are_asked_for_what_a_person_lets_pass() -> None:
    """As for any failure that may pass; not for what a person ends."""
    one = DeliveryRule(name="few", when="true", then=Effects(retries=1))
    rig = Rig(made(rules=(one,)), always(422))

    async def main() -> None:
        async with running(rig):
            await sent(rig, 1)
            await judged(rig, Nature.TEMPORARY)
            second = await sent(rig, 60)
            assert (second.code, second.attempts) == ("RETRY_LIMIT_EXCEEDED", 2)
            await judged(rig, Nature.PERMANENT)
            third = await sent(rig, 1)
            [event] = await rig.events(delivery_id=third.id)
            assert "rules" not in event

    run(main(), rig.clock)


def test_what_makes_no_sense_changes_nothing() -> None:
    """Not as it was seen, said already, nothing to take back, no such group, nothing tried."""
    policy = msgspec.structs.replace(EXACT, max_age=60.0)
    rig = Rig(catalog(PLAIN, policy=policy), always(503))

    async def main() -> None:
        async with running(rig):
            groups = rig.engine.groups
            first = await sent(rig, 1)
            name = first.fingerprint or ""
            with pytest.raises(Conflict, match="by nobody already"):
                await judged(rig, None)
            group = await judged(rig, Nature.TEMPORARY)
            with pytest.raises(Conflict, match="temporary already"):
                await judged(rig, Nature.TEMPORARY)
            with pytest.raises(Stale):
                await groups.judge(name, Nature.PERMANENT, seen=group.revision - 1, **BY)
            with pytest.raises(InvalidInput, match="reason"):
                await groups.judge(name, Nature.PERMANENT, actor="ann", reason=" ")
            with pytest.raises(NotFound):
                await groups.judge("g1_0000000000000000", Nature.PERMANENT, **BY)
            await rig.engine.actions.pause("acme", **BY)
            expired = await sent(rig, 130)
            assert expired.code == "EXPIRED"
            with pytest.raises(Conflict, match="nothing was tried"):
                await groups.judge(expired.fingerprint or "", Nature.TEMPORARY, **BY)
            assert await groups.group(name) == group
            assert set(rig.engine.judgements.known) == {name}

    run(main(), rig.clock)


def test_a_word_holds_on_every_worker() -> None:
    """Given on one, obeyed by the other after its next look, and known to one that joins later."""
    team = Crew(catalog(*(recipient(f"r{n}", breaker=NO_BREAKER) for n in range(2)),
                        policy=EXACT), always(422))  # fmt: skip

    async def main() -> None:
        async with working(team, "a", "b") as hands:
            await team.send(hands[0])
            await team.wait(3)
            assert all(hand.lanes for hand in hands)
            for asked, owner in (hands, hands[::-1]):
                [lane] = owner.lanes
                groups = asked.engine.groups
                [own] = [one for one in await team.deliveries() if one.recipient == lane]
                judging = groups.judge(own.fingerprint or "", Nature.TEMPORARY, **BY)
                await asked.spawn(judging)
            await team.wait(1.1)
            await team.send(hands[0])
            await team.wait(60)
            later = (await team.deliveries())[2:]
            assert [one.attempts for one in later] == [4, 4]
            third = await team.start("c")
            assert len(third.engine.judgements.known) == 2
            for one in later:
                taking_back = hands[1].engine.groups.judge(one.fingerprint or "", None, **BY)
                await hands[1].spawn(taking_back)
            await team.wait(1.1)
            for hand in team.hands:
                assert hand.engine.judgements.known == {}
            await team.send(third)
            await team.wait(60)
            assert [one.attempts for one in (await team.deliveries())[4:]] == [1, 1]

    run(main(), team.clock)


async def test_there_are_only_so_many() -> None:
    """Every worker knows them all; taking one back makes room."""
    shelf = MemoryShelf(lambda: (), lambda _: None)
    one = Group("g1_x", "acme", "leads", "one", "north", "data", "422", "http #", 1, 1, 1)
    shelf.groups_by_id = {
        name: msgspec.structs.replace(one, id=name, nature=Nature.PERMANENT, judged_by="ann")
        for name in (f"g1_{number:016x}" for number in range(JUDGED_MAX))
    }
    shelf.groups_by_id[one.id] = one
    groups = groups_of(shelf, 10, lambda _: None)
    with pytest.raises(Conflict, match=str(JUDGED_MAX)):
        await groups.judge(one.id, Nature.PERMANENT, **BY)
    await groups.judge("g1_0000000000000000", None, **BY)
    done = await groups.judge(one.id, Nature.PERMANENT, **BY)
    assert (done.nature, done.judged_at) == (Nature.PERMANENT, 10)


class _Untouched(Mapping[str, Judgement]):
    """Knows something, and breaks when it is asked what."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: str) -> NoReturn:
        raise AssertionError(key)

    def __iter__(self) -> NoReturn:
        raise AssertionError


def test_a_success_asks_for_nothing() -> None:
    """And a failure makes no fingerprint while nobody judged anything."""
    known = Judgements(MemoryShelf(lambda: (), lambda _: None))
    nothing: Any = None  # a delivery that is looked at would break this
    failed = Outcome(Result.ERROR, failure_class=FailureClass.SERVER, reason="no")
    assert known.of(nothing, failed, 1) is None
    known.known = _Untouched()
    assert known.of(nothing, Outcome(Result.SUCCESS), 1) is None
    with pytest.raises(AttributeError):
        known.of(nothing, failed, 1)


async def test_what_was_judged_while_the_store_was_read_stays() -> None:
    """An answer that is older than a word given here does not undo it."""
    group = Group("g1_x", "acme", "leads", "one", "north", "data", "422", "http #", 1, 1, 1)
    after = msgspec.structs.replace(group, nature=Nature.PERMANENT, judged_by="ann")

    class Slow(MemoryShelf):
        async def judged(self) -> list[Group]:
            known.heed(after)
            return []

    known = Judgements(Slow(lambda: (), lambda _: None))
    await known.load()
    assert known.known == {group.id: Judgement(group.id, Nature.PERMANENT, "ann")}
