"""What the overview asks a store for: groups that are new or came back, and urgent failures."""

import msgspec

from holdfast.model.alert import ALERTS_LOOK, AlertQuery, CriticalQuery
from holdfast.model.attempt import Result
from holdfast.model.delivery import Delivery, Verb
from holdfast.model.group import GroupStatus, Sighting
from holdfast.store import Accept
from holdfast.testing.store_suite.case import DAY, NOW, Case, Suite
from holdfast.testing.store_suite.grouping import changed, dead, failed, group, sighting

TODAY = AlertQuery(NOW - DAY, NOW + DAY, 10)


async def found(case: Case, query: AlertQuery = TODAY) -> list[str]:
    """Return the last digits of the groups that are alerts."""
    return [each.id[-2:] for each in (await case.store.alerts(query)).groups]


def named(number: int, at: int = NOW, account: str = "acme") -> Sighting:
    """Return a failure in a group of its own."""
    return sighting(f"g1_{number:016x}", at, account=account)


class AlertingSuite(Suite):
    """`alerts` and `critical`."""

    async def test_new_groups_are_alerts_the_newest_first(self, case: Case) -> None:
        """From an instant on, as many as are asked for, of one account or of all."""
        for number in range(4):
            await dead(case, named(number, NOW + number, ("acme", "bolt")[number % 2]))
        await dead(case, named(0, NOW + 90))  # seen again is not new again
        assert await found(case) == ["03", "02", "01", "00"]
        replaced = msgspec.structs.replace
        assert await found(case, replaced(TODAY, since=NOW + 2)) == ["03", "02"]
        assert await found(case, replaced(TODAY, limit=1)) == ["03"]
        assert await found(case, replaced(TODAY, account="bolt")) == ["03", "01"]
        assert await found(case, replaced(TODAY, account="nobody")) == []
        assert not (await case.store.alerts(TODAY)).more
        first = (await case.store.alerts(TODAY)).groups[-1]
        assert first == await group(case, first.id)

    async def test_what_fails_no_more_is_no_alert(self, case: Case) -> None:
        """A delivery that arrived after all, or was given up, leaves nothing to look at."""
        seen = named(1)
        gone = await dead(case, seen)
        waits = await failed(case, await case.take(), Verb.RETRY, seen)
        await case.change(gone, Verb.DISCARD)
        assert await found(case) == ["01"]
        await case.change(waits, Verb.SUCCEED, Result.SUCCESS)
        assert await found(case) == []

    async def test_a_group_that_came_back_is_an_alert_of_that_instant(self, case: Case) -> None:
        """Resolved it is none; with the later failure it is the newest, in the same commit."""
        await dead(case, named(1))
        await dead(case, named(2, NOW + 5))
        before = await group(case, named(1).id)
        after = msgspec.structs.replace(
            before, revision=1, status=GroupStatus.RESOLVED, resolved_at=NOW + 10
        )
        await changed(case, 0, after)
        assert await found(case) == ["02"]
        await dead(case, named(1, NOW + 11))
        assert await found(case) == ["01", "02"]
        assert await found(case, msgspec.structs.replace(TODAY, since=NOW + 11)) == ["01"]

    async def test_what_is_ignored_is_no_alert_until_that_ends(self, case: Case) -> None:
        """For good, until an instant, or until so many failures."""
        await dead(case, named(1))
        for until, ceiling, expected in (
            (0, 0, []),
            (NOW + 2 * DAY, 0, []),
            (NOW + DAY, 0, ["01"]),
            (0, 2, []),
            (0, 1, ["01"]),
        ):
            before = await group(case, named(1).id)
            after = msgspec.structs.replace(
                before,
                revision=before.revision + 1,
                status=GroupStatus.IGNORED,
                until=until,
                ceiling=ceiling,
            )
            await changed(case, before.revision, after)
            assert await found(case) == expected, (until, ceiling)

    async def test_alerts_look_at_a_limited_number_of_groups(self, case: Case) -> None:
        """And say so: what lies behind the newest that fail no more may not have been seen."""
        await dead(case, named(0xFFFF, NOW - 5))
        accepts, failures, ends = [], [], []
        for number in range(ALERTS_LOOK):
            message, seen = case.message(), named(number, NOW + number)
            delivery = case.delivery(message)
            failing = case.transition(delivery, Verb.DIE, Result.ERROR, fingerprint=seen.id)
            accepts.append(Accept(message, (delivery,)))
            failures.append(msgspec.structs.replace(failing, sighting=seen))
            ends.append(case.transition(failing.after, Verb.DISCARD))
        await case.commit(accepts=tuple(accepts))
        await case.apply(*failures)
        assert len(await found(case)) == TODAY.limit
        await case.apply(*ends)
        answer = await case.store.alerts(TODAY)
        assert (answer.groups, answer.more) == ([], True)

    async def test_critical_is_what_fails_of_a_priority_or_above(self, case: Case) -> None:
        """The most urgent first, then the newest; not what only waits, arrived or was given up."""
        made: list[Delivery] = []
        for priority in (9, 7, 6, 9, 7):
            taken = await case.take(priority=priority)
            made.append(await failed(case, taken, Verb.DIE, named(priority)))
        await case.take(priority=9)  # it has not failed
        waits = await failed(case, await case.take(priority=8), Verb.RETRY, named(8))
        held = await case.take(priority=9)
        await case.change(held, Verb.DIE)  # dead without a group
        await case.change(made[1], Verb.DISCARD)
        expected = [held.id, made[3].id, made[0].id, waits.id, made[4].id]
        answer = await case.store.critical(CriticalQuery(7, 10))
        assert [each.id for each in answer.deliveries] == expected
        assert (answer.priority, answer.count, answer.more) == (7, 5, False)
        assert answer.deliveries[3] == await case.get(waits)
        few = await case.store.critical(CriticalQuery(7, 2))
        assert [each.id for each in few.deliveries] == expected[:2]
        assert few.count == 5
        assert (await case.store.critical(CriticalQuery(6, 9))).deliveries[-1].id == made[2].id
        await case.change(waits, Verb.SUCCEED, Result.SUCCESS)
        assert (await case.store.critical(CriticalQuery(8, 10))).count == 3
        assert (await case.store.critical(CriticalQuery(0, 10, "acme"))).count == 5
        none = await case.store.critical(CriticalQuery(0, 10, "bolt"))
        assert (none.deliveries, none.count) == ([], 0)
