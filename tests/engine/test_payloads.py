"""Payloads that are hard to read: refused alone, before they are accepted; numbers stay exact."""

from datetime import datetime

import msgspec
import pytest
from tests.engine.test_calendar import OFFICE
from tests.engine.test_search_fields import searchable

from holdfast.errors import InvalidInput
from holdfast.model.submission import LATEST, Receipt, Submission
from holdfast.testing.clock import run
from holdfast.testing.rig import Rig, catalog, recipient, running


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("bad", [b'{"a":1e999}', b'{"a":"\xff"}', b"[" * 3_000 + b"]" * 3_000])
def test_a_payload_that_cannot_be_read_is_refused_alone(bad: bytes, key: str | None) -> None:
    """With a key and without one; its neighbours of a batch are accepted and told so."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            batch = [
                Submission(msgspec.Raw(body), key=key and f"{key}{number}")
                for number, body in enumerate((b'{"a":1}', bad, b'{"a":2}'))
            ]
            first, second, third = await rig.engine.intake.accept("leads", batch)
            assert isinstance(first, Receipt)
            assert isinstance(second, InvalidInput)
            assert second.field == "payload"
            assert isinstance(third, Receipt)

    run(main(), rig.clock)


def test_what_is_stripped_leaves_the_other_numbers_as_they_are() -> None:
    """An amount keeps its zeros, and more digits than a machine's number has."""
    rig = Rig(searchable(strip=("gone",)))

    async def main() -> None:
        async with running(rig):
            payload = b'{"gone":1,"amount":1.10,"large":12345678901234567890123.5}'
            await rig.send(payload=msgspec.Raw(payload))
            await rig.wait(1)
            ((_, sent),) = rig.channel.sent
            assert sent.payload == b'{"amount":1.10,"large":12345678901234567890123.5}'

    run(main(), rig.clock)


def test_the_last_day_of_all_can_be_waited_for() -> None:
    """In UTC it lies beyond what dates can say, in a calendar even further."""
    rig = Rig(catalog(recipient(hours=OFFICE, zone="Pacific/Auckland")))

    async def main() -> None:
        async with running(rig):
            end = datetime.fromisoformat("9999-12-31T23:59:59-14:00")
            await rig.send(not_before=end)
            (delivery,) = await rig.deliveries()
            assert delivery.due_at == LATEST
            assert [one.until for one in await rig.engine.views.why(delivery)][-1] >= LATEST

    run(main(), rig.clock)
