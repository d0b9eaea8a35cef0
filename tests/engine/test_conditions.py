"""Conditions of a flow on a whole engine: consent, regions, hours of contact."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest

from holdfast.errors import Conflict, HoldfastError, InvalidInput, NotFound
from holdfast.model.calendar import (
    ContactHours,
    Period,
    Weekday,
)
from holdfast.model.delivery import Status
from holdfast.model.flow import Catalog
from holdfast.model.policy import JitterKind, PolicySettings
from holdfast.model.submission import Submission
from holdfast.testing.channel import Scripted, always, in_order
from holdfast.testing.clock import START, run
from holdfast.testing.rig import Rig, catalog, recipient, running

WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri")
EVERY: Final[tuple[Weekday, ...]] = (*WEEKDAYS, "sat", "sun")
EXACT: Final = PolicySettings(jitter=JitterKind.NONE, initial_delay=2.0, max_retries=3)
LATE_MS: Final = 60_000
"""How soon a wall clock that leapt is noticed."""


def ms(text: str) -> int:
    """Return an ISO instant as ms since the epoch."""
    return round(datetime.fromisoformat(text).timestamp()) * 1000


def later(seconds: float) -> datetime:
    """Return so many seconds after the start."""
    return datetime.fromtimestamp(START / 1000 + seconds, UTC)


def conditions(made: Catalog, **fields: Any) -> Catalog:
    """Return the catalog with conditions on its flow."""
    flow = msgspec.structs.replace(made.flows["leads"], **fields)
    return msgspec.structs.replace(made, flows={"leads": flow})


async def leap(rig: Rig, at: int) -> None:
    """Let the wall clock go to half a minute before an instant, and then pass it."""
    rig.clock.set_wall(at - 30_000)
    await rig.wait(120)


def test_consent_that_expires_between_two_tries_ends_the_delivery() -> None:
    """Attempt 1 goes out, attempt 2 does not: discarded CONSENT_EXPIRED (S1.127)."""
    made = conditions(catalog(recipient(), policy=EXACT), consent_required=True)
    rig = Rig(made, always(503))

    async def main() -> None:
        async with running(rig):
            await rig.send(1, consent={"expires_at": later(1).isoformat()})
            await rig.send(1)
            await rig.wait(60)
            first, second = await rig.deliveries(Status.DISCARDED)
            assert (first.code, first.attempts, first.counted) == ("CONSENT_EXPIRED", 1, 1)
            assert (second.code, second.attempts) == ("CONSENT_MISSING", 0)
            assert (first.reason, second.reason) == (
                "the consent has expired",
                "the flow asks for a consent record",
            )
            assert [line.reason for line in await rig.store.notes(first.id, 9)] == [
                "the consent has expired"
            ]
            events = await rig.events(delivery_id=first.id)
            assert [(one["attempt_number"], one["outcome"]) for one in events] == [
                (0, "error"),
                (1, "skip"),
            ]
            assert events[1]["original_event_id"] == events[0]["event_id"]
            assert (events[1]["counted"], events[1]["retryable"]) == (False, False)
            assert events[1]["error_details"] == {
                "class": "business",
                "code": "CONSENT_EXPIRED",
                "message": "the consent has expired",
            }
            assert events[1]["next_action"] == {
                "type": "discard",
                "reason": "the consent has expired",
            }
            (only,) = await rig.events(delivery_id=second.id)
            assert (only["outcome"], only["event_id"]) == ("skip", only["original_event_id"])

    run(main(), rig.clock)


def test_a_skip_ends_the_steps_behind_it() -> None:
    """In a sequential flow nothing follows a step that must not be sent."""
    made = catalog(recipient("a"), recipient("b"), mode="sequential")
    rig = Rig(conditions(made, consent_required=True))

    async def main() -> None:
        async with running(rig):
            await rig.send(1)
            await rig.wait(5)
            codes = [one.code for one in await rig.deliveries(Status.DISCARDED)]
            assert codes == ["CONSENT_MISSING", "PREDECESSOR"]
            assert rig.channel.sent == []

    run(main(), rig.clock)


def test_a_consent_record_must_be_readable() -> None:
    """What Holdfast reads of a record is checked at the door, with place and range (promise 9)."""
    rig = Rig(catalog(recipient()))

    async def accept(consent: dict[str, Any]) -> object:
        one = Submission(msgspec.Raw(b"{}"), consent=consent)
        return (await rig.engine.intake.accept("leads", [one]))[0]

    async def main() -> None:
        async with running(rig):
            for wrong in ({"expires_at": "tomorrow"}, {"revoked": 3}, {"certificate_url": 1}):
                refused = await accept(wrong)
                assert isinstance(refused, InvalidInput)
                assert refused.field == f"consent.{next(iter(wrong))}"
            assert not isinstance(await accept({"any": {"thing": [1]}}), HoldfastError)

    run(main(), rig.clock)


def test_a_revoked_consent_stops_what_waits_for_good() -> None:
    """A revocation discards what waits; neither redrive nor replay brings it back."""
    rig = Rig(catalog(recipient("a"), recipient("b"), policy=EXACT))
    rig.channel.script = lambda request, _: Scripted(400 if request.recipient == "a" else 503)
    who: dict[str, Any] = {"actor": "ann", "reason": "she called"}

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send(1)
            await rig.wait(1)
            found = await rig.engine.actions.revoke(receipt.message_id, **who)
            assert {one.status for one in found} == {Status.DEAD, Status.DISCARDED}
            dead, gone = sorted(found, key=lambda one: one.recipient)
            assert gone.code == "CONSENT_REVOKED"
            sent = len(rig.channel.sent)
            with pytest.raises(Conflict, match="she called"):
                await rig.engine.actions.redrive(dead.id, **who)
            with pytest.raises(Conflict, match="revoked"):
                await rig.engine.actions.replay(receipt.message_id, **who)
            with pytest.raises(NotFound):
                await rig.engine.actions.revoke("msg_none", **who)
            await rig.wait(600)
            assert len(rig.channel.sent) == sent

    run(main(), rig.clock)


def test_a_late_success_sets_nothing_going_after_a_revocation() -> None:
    """The send under way succeeds and counts; the steps behind it stay discarded."""
    made = catalog(recipient("a"), recipient("b"), recipient("c"), mode="sequential")
    rig = Rig(made, always(200, takes_ms=5000))

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send(1)
            await rig.wait(1)
            await rig.engine.actions.revoke(receipt.message_id, actor="ann", reason="she called")
            await rig.wait(60)
            found = {one.recipient: (one.status, one.code) for one in await rig.deliveries()}
            assert found["a"][0] is Status.DELIVERED
            gone = (Status.DISCARDED, "CONSENT_REVOKED")
            assert (found["b"], found["c"]) == (gone, gone)
            assert len(rig.channel.sent) == 1

    run(main(), rig.clock)


def test_a_proof_sets_nothing_going_after_a_revocation() -> None:
    """A person may say that a step was delivered; what waited behind it is not sent."""
    made = catalog(recipient("a"), recipient("b"), mode="sequential")
    rig = Rig(made, always(400))
    who: dict[str, Any] = {"actor": "ann", "reason": "she called"}

    async def main() -> None:
        async with running(rig):
            (receipt,) = await rig.send(1)
            await rig.wait(5)
            await rig.engine.actions.revoke(receipt.message_id, **who)
            (dead,) = await rig.deliveries(Status.DEAD)
            await rig.engine.actions.prove(dead.id, **who)
            await rig.wait(60)
            (gone,) = await rig.deliveries(Status.DISCARDED)
            assert gone.code == "CONSENT_REVOKED"
            assert len(rig.channel.sent) == 1

    run(main(), rig.clock)


def test_regions_that_may_not_be_mixed_are_not() -> None:
    """A person of the EU is never sent to an endpoint elsewhere (S1.128)."""
    inside, outside = recipient("inside"), recipient("outside")
    endpoint = msgspec.structs.replace(inside.endpoints[0], region="EU")
    inside = msgspec.structs.replace(inside, endpoints=(endpoint,))
    rig = Rig(conditions(catalog(inside, outside), regions={"EU": ("EU",), "*": ("*",)}))

    async def main() -> None:
        async with running(rig):
            await rig.send(1, region="EU")
            await rig.send(1, region="US")
            await rig.wait(5)
            assert sorted(request.recipient for _, request in rig.channel.sent) == [
                "inside",
                "inside",
                "outside",
            ]
            (skipped,) = await rig.deliveries(Status.DISCARDED)
            assert (skipped.recipient, skipped.code) == ("outside", "REGION_NOT_ALLOWED")

    run(main(), rig.clock)


def test_a_fallback_must_be_allowed_too() -> None:
    """When the first endpoint is gone, nobody's data goes to a second one in another region."""
    first = recipient().endpoints[0]
    second = msgspec.structs.replace(first, name="second", region="US")
    partner = recipient(endpoints=(msgspec.structs.replace(first, region="EU"), second))
    made = conditions(catalog(partner), regions={"EU": ("EU",), "*": ("*",)})
    rig = Rig(made, in_order(410, 200))

    async def main() -> None:
        async with running(rig):
            await rig.send(1, region="EU")
            await rig.wait(1)
            await rig.send(1, region="US")
            await rig.wait(60)
            assert [request.endpoint.name for _, request in rig.channel.sent] == ["main", "second"]
            (skipped,) = await rig.deliveries(Status.DISCARDED)
            assert skipped.code == "REGION_NOT_ALLOWED"

    run(main(), rig.clock)


def test_hours_of_contact_hold_each_delivery_by_its_own_clock() -> None:
    """15:06 UTC on a Sunday: London may be called, Tokyo is asleep until Monday (S1.96)."""
    day = (Period(days=EVERY, start="09:00", end="20:00"),)
    contact = ContactHours(periods=day, zone="Europe/London", zones={"JP": "Asia/Tokyo"})
    rig = Rig(conditions(catalog(recipient()), contact_hours=contact))

    async def main() -> None:
        async with running(rig):
            await rig.send(1, region="JP")
            await rig.send(1)
            await rig.wait(5)
            (held,) = await rig.deliveries(Status.PENDING)
            opens = ms("2025-06-16T09:00:00+09:00")
            assert (held.due_at, held.hold_gate, held.attempts) == (opens, "contact_hours", 0)
            await leap(rig, opens)
            assert 0 <= rig.channel.sent[-1][0] - opens < LATE_MS

    run(main(), rig.clock)


def test_a_skip_that_a_person_undoes_is_tried_anew() -> None:
    """Its event stays, the numbers of the tries begin at 0 and miss none."""
    made = conditions(catalog(recipient(), policy=EXACT), regions={"EU": ("EU",)})
    rig = Rig(made)
    who: dict[str, Any] = {"actor": "ann", "reason": "the matrix was wrong"}

    async def main() -> None:
        async with running(rig):
            await rig.send(1, region="EU")
            await rig.wait(1)
            (delivery,) = await rig.deliveries(Status.DISCARDED)
            assert (delivery.code, delivery.attempts) == ("REGION_NOT_ALLOWED", 0)
        rig.catalog = conditions(made, regions={"EU": ("*",)})
        rig.again()
        async with running(rig):
            await rig.engine.actions.undo(delivery.id, **who)
            await rig.engine.actions.redrive(delivery.id, **who)
            await rig.wait(1)
            (delivery,) = await rig.deliveries(Status.DELIVERED)
            assert (delivery.attempts, delivery.generation) == (1, 1)
            told = [
                (
                    one["generation"],
                    one["attempt_number"],
                    one["cumulative_attempt"],
                    one["outcome"],
                )
                for one in await rig.events()
            ]
            assert told == [(0, 0, 0, "skip"), (1, 0, 0, "success")]

    run(main(), rig.clock)
