"""What the engine and the doors ask: due, expired, lists, events."""

import msgspec

from holdfast.model.attempt import Result
from holdfast.model.delivery import BANDS, Delivery, Verb
from holdfast.model.message import NEVER
from holdfast.shelf import Later
from holdfast.store import Accept, EventQuery, Snapshot
from holdfast.testing.store_suite.case import NOW, Case, Suite


def _ids(deliveries: list[Delivery]) -> list[str]:
    return [each.id for each in deliveries]


async def _positions(case: Case, **filters: object) -> list[int]:
    found = await case.store.events(msgspec.structs.replace(EventQuery(), **filters))
    return [each.position for each in found]


class ReadingSuite(Suite):
    """`due`, `due_lanes`, `expired`, `find`, `events`."""

    async def test_due_returns_the_delivery_with_its_message(self, case: Case) -> None:
        """Digest and key stay in the store."""
        message = case.message(key="k", digest=b"\x01" * 32, sealed=b"\x00\xff" * 50)
        delivery = case.delivery(message)
        await case.commit(accepts=(Accept(message, (delivery,)),))
        (waiting,) = (await case.due()).waiting
        assert waiting.delivery == delivery
        assert waiting.message == msgspec.structs.replace(message, key=None, digest=b"")

    async def test_due_leaves_out_what_may_not_be_sent_now(self, case: Case) -> None:
        """Later ones, ended ones, other lanes and excluded ids are not returned."""
        wanted, excluded, ended = await case.take(), await case.take(), await case.take()
        await case.take(due_at=NOW + 1)
        await case.take(recipient="east")
        await case.change(ended, Verb.CANCEL)
        page = await case.due(exclude=frozenset({excluded.id}))
        assert [each.delivery for each in page.waiting] == [wanted]
        assert page.emptied
        assert page.next_due == NOW + 1

    async def test_due_is_ordered_by_band_due_and_id(self, case: Case) -> None:
        """High before low, first tries before retries, then the oldest due, then the id."""
        low = await case.take(priority=0)
        retry = await case.take(priority=9, attempt=1)
        late = await case.take(priority=9)
        twin = await case.take(priority=9)
        early = await case.take(priority=9, due_at=NOW - 1)
        normal = await case.take(priority=3)
        page = await case.due()
        expected = [early, late, twin, retry, normal, low]
        assert [each.delivery for each in page.waiting] == expected

    async def test_quotas_bound_each_band_and_emptied_tells(self, case: Case) -> None:
        """Older rows of one band never crowd out another band."""
        for _ in range(5):
            await case.take(priority=9, due_at=NOW - 10)
        low = await case.take(priority=0)
        page = await case.due(quotas=(2, 0, 0, 0, 2, 0))
        assert len(page.waiting) == 3
        assert page.waiting[-1].delivery == low
        assert not page.emptied
        assert (await case.due(quotas=(5, 0, 0, 0, 1, 0))).emptied
        assert not (await case.due(quotas=(0,) * BANDS)).emptied

    async def test_excluded_rows_use_up_no_quota(self, case: Case) -> None:
        """The quota is filled from below the excluded rows."""
        taken = [await case.take() for _ in range(6)]
        exclude = frozenset(_ids(taken[:4]))
        page = await case.due(quotas=(0, 0, 2, 0, 0, 0), exclude=exclude)
        assert [each.delivery for each in page.waiting] == taken[4:]
        assert page.emptied

    async def test_max_bytes_bounds_a_page_but_for_its_first_row(self, case: Case) -> None:
        """Payloads are added up; one that is too large alone is returned alone."""
        for _ in range(3):
            message = case.message(sealed=bytes(1000))
            await case.commit(accepts=(Accept(message, (case.delivery(message),)),))
        assert len((await case.due(max_bytes=1)).waiting) == 1
        page = await case.due(max_bytes=2000)
        assert len(page.waiting) == 2
        assert not page.emptied

    async def test_next_due_is_the_lowest_of_all_bands(self, case: Case) -> None:
        """It looks past the quotas and is NEVER when nothing waits for a time."""
        assert (await case.due()).next_due == NEVER
        await case.take(due_at=NOW)
        assert (await case.due()).next_due == NEVER
        await case.take(priority=9, due_at=NOW + 20)
        await case.take(priority=0, due_at=NOW + 10)
        assert (await case.due(quotas=(0,) * BANDS)).next_due == NOW + 10

    async def test_due_lanes_names_lanes_with_pending_deliveries(self, case: Case) -> None:
        """Each with its lowest due time; lanes where all has ended are not named."""
        await case.take(due_at=NOW + 5)
        await case.take(priority=0, attempt=1, due_at=NOW + 3)
        ended = await case.take(recipient="east")
        await case.take(recipient="south", due_at=NEVER)
        await case.change(ended, Verb.CANCEL)
        expected = [("north", NOW + 3), ("south", NEVER)]
        assert sorted(await case.store.due_lanes()) == expected

    async def test_later_tells_what_waits_for_a_time_of_its_own(self, case: Case) -> None:
        """What is due, has ended or is another lane's does not count; the limit is kept to."""
        assert await case.store.later("north", NOW, 9) == Later()
        await case.take(due_at=NOW)
        await case.take(due_at=NOW + 9, recipient="east")
        ended = await case.take(due_at=NOW + 30)
        await case.change(ended, Verb.CANCEL)
        await case.take(due_at=NOW + 5, attempt=1)
        await case.take(due_at=NOW + 7, priority=0)
        await case.take(due_at=NEVER, priority=9)
        assert await case.store.later("north", NOW, 3) == Later(2, NOW + 7, 1)
        assert (await case.store.later("north", NOW, 2)).more

    async def test_expired_returns_the_earliest_pending_ones(self, case: Case) -> None:
        """At the very instant it counts as expired; ended deliveries do not expire."""
        second = await case.take(expires_at=NOW)
        first = await case.take(expires_at=NOW - 5)
        await case.take(expires_at=NOW + 1)
        ended = await case.take(expires_at=NOW - 9)
        await case.change(ended, Verb.CANCEL)
        assert await case.store.expired(NOW, 10) == [first, second]
        assert await case.store.expired(NOW, 1) == [first]

    async def test_reading_what_does_not_exist_returns_none(self, case: Case) -> None:
        """Unknown ids are no error."""
        assert await case.store.get("dlv_none") is None
        assert await case.store.message("msg_none") is None
        assert (await case.due("nobody")).waiting == ()

    async def test_events_follow_commit_order(self, case: Case) -> None:
        """Positions rise; after goes forward, before goes back, both leave out the cursor."""
        for _ in range(6):
            await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
        newest = await _positions(case)
        assert newest == sorted(newest, reverse=True)
        assert len(newest) == 6
        assert await _positions(case, after=0) == newest[::-1]
        assert await _positions(case, after=newest[2], limit=1) == [newest[1]]
        assert await _positions(case, before=newest[3]) == newest[4:]
        assert await _positions(case, limit=2) == newest[:2]

    async def test_events_are_filtered(self, case: Case) -> None:
        """By delivery, recipient and time, alone and together, in both directions."""
        places: dict[str, int] = {}
        for number, recipient in enumerate(("north", "east", "north")):
            case.now = NOW + number
            delivery = await case.take(recipient=recipient)
            await case.change(delivery, Verb.SUCCEED, Result.SUCCESS)
            places[delivery.id] = (await _positions(case))[0]
        (first, second, third) = places.values()
        assert await _positions(case, delivery_id=list(places)[1]) == [second]
        assert await _positions(case, recipient="north") == [third, first]
        assert await _positions(case, recipient="north", after=0) == [first, third]
        assert await _positions(case, start=NOW + 1) == [third, second]
        assert await _positions(case, end=NOW + 1) == [first]
        assert await _positions(case, start=NOW, before=third) == [second, first]
        assert await _positions(case, start=NOW + 1, end=NOW + 2, after=0) == [second]
        assert await _positions(case, recipient="north", start=NOW + 1) == [third]
        assert await _positions(case, delivery_id=next(iter(places)), recipient="east") == []

    async def test_events_join_their_snapshots(self, case: Case) -> None:
        """A snapshot is written once; the first body stays, an absent one is null."""
        snapshots = (Snapshot("policy-1", b'{"max_retries": 3}'), Snapshot("policy-1", b"{}"))
        await case.commit(snapshots=snapshots)
        await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
        (event,) = await case.store.events(EventQuery())
        assert msgspec.json.decode(event.configuration) == {"max_retries": 3}
        assert msgspec.json.decode(event.context) is None
