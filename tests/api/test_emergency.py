"""Revealing a payload, and break-glass: both with a reason, both on record before they are done."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.access.house import House
from holdfast.access.sides import sides
from holdfast.api import Api
from holdfast.api.routes.emergency import Emergency, plans
from holdfast.config import Config
from holdfast.model.access import Means, Principal, Role
from holdfast.model.delivery import Delivery, Status
from holdfast.testing.channel import in_order
from holdfast.testing.clock import run
from holdfast.testing.memory import MemoryEngine
from holdfast.testing.rig import NO_BREAKER, Rig, catalog, recipient, running

ROOT: Final = Principal(name="root", kind=Means.OWNER, role=Role.SUPER_ADMIN)
PASSWORD: Final = "correct horse battery"
Client = TestClient[Any]


@pytest.fixture
async def admin(engine: MemoryEngine, config: Config, known: House) -> Client:
    """Return the browser of a system admin who has signed in."""
    await known.staff.add_user("ada", PASSWORD, Role.SYSTEM_ADMIN, None, by=ROOT, why="a test")
    server = msgspec.structs.replace(config.server, local_owner=False)
    app: Any = Api(engine, msgspec.structs.replace(config, server=server), known)
    client = TestClient(app, base_url="http://127.0.0.1:8420")
    signed = client.post("/v1/session", json={"user": "ada", "password": PASSWORD})
    client.headers["Holdfast-Csrf"] = signed.json()["csrf"]
    return client


def send(client: Client) -> Any:
    """Send a message to one recipient, and return the receipt."""
    return client.post("/v1/flows/one/messages", json={"payload": {"n": 12345678901234567890}})


def test_a_payload_is_revealed_on_record(admin: Client) -> None:
    """With a reason, as exact as it came; without one 422, and nothing is shown."""
    sent = send(admin).json()
    delivery_id = sent["deliveries"][0]["id"]
    path = f"/v1/deliveries/{delivery_id}/payload"
    assert admin.post(path, json={}).status_code == 422
    assert admin.post(path, json={"reason": " "}).status_code == 422
    assert admin.get("/v1/audit", params={"subject": delivery_id}).json()["items"] == []
    shown = admin.post(path, json={"reason": "the partner asks"})
    assert '"payload":{"n":12345678901234567890}' in shown.text
    (line,) = admin.get("/v1/audit", params={"subject": delivery_id}).json()["items"]
    assert (line["actor"], line["action"]) == ("ada", "reveal_payload")
    assert line["reason"] == "the partner asks"
    assert admin.get(f"/v1/messages/{sent['message_id']}").text.count("12345678901234567890") == 0


def test_an_emergency_needs_to_be_raised_first(admin: Client, known: House) -> None:
    """By the password, with a reason, for some minutes; then with the name typed once more."""
    path = "/v1/recipients/acme/emergency"
    body = {"reason": "they were down all night", "confirm": "acme"}
    assert admin.post(path, json=body).json()["code"] == "ELEVATION_REQUIRED"
    raising = {"reason": "outage 17", "minutes": 15}
    assert admin.post("/v1/elevation", json=raising | {"password": "wrong"}).status_code == 403
    assert admin.post(path, json=body).json()["code"] == "ELEVATION_REQUIRED"
    assert admin.post("/v1/elevation", json=raising | {"password": PASSWORD}).is_success
    other = admin.post(path, json=body | {"confirm": "beta"})
    assert (other.status_code, other.json()["field"]) == (422, "confirm")
    actions = [line.note.action for line in known.desk.people.lines]  # type: ignore[attr-defined]
    assert actions[-1] == "elevate"


def test_an_emergency_brings_a_lane_back(admin: Client, known: House) -> None:
    """Pause and breaker are lifted, what is dead or waits is sent again; all of it on record."""
    send(admin)
    assert admin.post("/v1/recipients/acme/pause", json={"reason": "x"}).is_success
    assert admin.post("/v1/recipients/acme/breaker/open", json={"reason": "x"}).is_success
    raising = {"reason": "outage 17", "password": PASSWORD}
    assert admin.post("/v1/elevation", json=raising).is_success
    body = {"reason": "they are back", "confirm": "acme", "since": "2020-01-01T00:00:00Z"}
    done = admin.post("/v1/recipients/acme/emergency", json=body)
    assert done.status_code == 202, done.text
    assert (done.json()["recipient"]["paused"], done.json()["recipient"]["breaker"]) == (
        None,
        "closed",
    )
    kinds = [(one["kind"], one["q"]) for one in done.json()["operations"]]
    assert kinds == [
        ("redrive", "recipient:acme status:dead"),
        ("reschedule", "recipient:acme status:pending"),
    ]
    lines = known.desk.people.lines  # type: ignore[attr-defined]
    assert [line.note.action for line in lines][-2:] == ["elevate", "emergency"]
    assert admin.delete("/v1/elevation").is_success
    again = admin.post("/v1/recipients/acme/emergency", json=body)
    assert again.json()["code"] == "ELEVATION_REQUIRED"
    raised, _, lowered = (sides(line.note) for line in lines[-3:])
    assert raised == ({"until": None}, lowered[0])
    assert lowered[1] == {"until": None}


def test_nobody_acts_without_a_reason(admin: Client) -> None:
    """Every change that asks for a reason answers 422 without it, and names it."""
    for path in (
        *("/v1/users/x/disable", "/v1/tokens/x/revoke", "/v1/elevation", "/v1/purge"),
        *("/v1/recipients/acme/pause", "/v1/recipients/acme/emergency", "/v1/operations"),
        *("/v1/deliveries/dlv_1/cancel", "/v1/messages/msg_1/replay"),
    ):
        answer = admin.post(path, json={})
        assert answer.status_code == 422, path


def test_a_span_of_an_emergency_ends_after_it_begins(admin: Client, known: House) -> None:
    """Otherwise 422, and nothing is lifted or on record as done."""
    raising = {"reason": "outage 17", "password": PASSWORD}
    assert admin.post("/v1/elevation", json=raising).is_success
    at = "2026-01-31T08:00:00Z"
    body = {"reason": "they are back", "confirm": "acme", "since": at, "until": at}
    refused = admin.post("/v1/recipients/acme/emergency", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, "until")
    actions = [line.note.action for line in known.desk.people.lines]  # type: ignore[attr-defined]
    assert actions[-1] == "elevate"


def _instant(at: int, more_us: int = 0) -> datetime:
    return datetime.fromtimestamp(at // 1000, UTC) + timedelta(
        milliseconds=at % 1000, microseconds=more_us
    )


async def _recover(rig: Rig, since: datetime | None = None, until: datetime | None = None) -> None:
    """Do what the route does once it is allowed."""
    asked = Emergency(reason="they are back", confirm="acme", since=since, until=until)
    for plan in plans("acme", asked, "ann", rig.clock.now()):
        await rig.engine.operations.start(plan)
    await rig.wait(60)


async def _sent(rig: Rig, count: int) -> list[Delivery]:
    """Send one after the other, some seconds apart; return them in that order."""
    for _ in range(count):
        await rig.send()
        await rig.wait(5)
    return sorted(await rig.deliveries(), key=lambda one: one.created_at)


async def _statuses(rig: Rig) -> list[Status]:
    found = sorted(await rig.deliveries(), key=lambda one: one.created_at)
    return [one.status for one in found]


@pytest.mark.parametrize("more_us", [0, 1])
def test_a_span_brings_back_only_what_died_of_it(more_us: int) -> None:
    """From the one end on, and before the other, to the ms and below it."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), in_order(*[400] * 4, 200))

    async def main() -> None:
        async with running(rig):
            sent = await _sent(rig, 4)
            assert await _statuses(rig) == [Status.DEAD] * 4
            since, until = sent[1].created_at, sent[3].created_at
            await _recover(rig, _instant(since, more_us), _instant(until, more_us))
            first, last = (
                (Status.DEAD, Status.DELIVERED)
                if more_us
                else (
                    Status.DELIVERED,
                    Status.DEAD,
                )
            )
            assert await _statuses(rig) == [Status.DEAD, first, Status.DELIVERED, last]

    run(main(), rig.clock)


def test_a_span_wakes_only_what_waits_of_it() -> None:
    """The others go on waiting for their own time; without a span nothing does."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            actions = rig.engine.actions
            by: dict[str, Any] = {"actor": "ann", "reason": "they are down"}
            await actions.pause("acme", **by)
            later = rig.clock.now() + 7_200_000
            sent = [await actions.reschedule(one.id, later, **by) for one in await _sent(rig, 4)]
            await actions.resume("acme", **by)
            await _recover(rig, _instant(sent[1].created_at), _instant(sent[3].created_at))
            wait, done = Status.PENDING, Status.DELIVERED
            assert await _statuses(rig) == [wait, done, done, wait]
            due = [one.due_at for one in await rig.deliveries(Status.PENDING)]
            assert due == [sent[0].due_at, sent[3].due_at]
            await _recover(rig)
            assert await _statuses(rig) == [done] * 4

    run(main(), rig.clock)


def test_no_emergency_sends_what_was_revoked() -> None:
    """Neither what died before the consent went, nor what waited then."""
    rig = Rig(catalog(recipient(breaker=NO_BREAKER)), in_order(400, 400, 200))

    async def main() -> None:
        async with running(rig):
            dead, other = await _sent(rig, 2)
            later = _instant(rig.clock.now() + 7_200_000)
            (waits,) = await rig.send(not_before=later)
            for message_id in (dead.message_id, waits.message_id):
                await rig.engine.actions.revoke(message_id, actor="ann", reason="she called")
            await _recover(rig)
            assert len(rig.channel.sent) == 3
            found = {one.message_id: one.status for one in await rig.deliveries()}
            assert found[other.message_id] is Status.DELIVERED
            assert found[dead.message_id] is not Status.DELIVERED
            assert found[waits.message_id] is Status.DISCARDED

    run(main(), rig.clock)
