"""What belongs to one account is not there for another: on every route."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import msgspec
import pytest
from litestar.testing import TestClient
from tests.api.test_stream import Browser, event

from holdfast.access.house import House
from holdfast.access.table import NEEDS
from holdfast.api import Api
from holdfast.api.door import HANDLERS
from holdfast.api.facade import Operations
from holdfast.api.schema import openapi
from holdfast.api.scoped import ScopedOperations
from holdfast.config import Config, load
from holdfast.model.access import Means, Principal, Role
from holdfast.model.group import Group
from holdfast.model.search import Choice, Predicate
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.memory import MemoryEngine
from holdfast.testing.people import nobody

ROOT: Final = Principal(name="root", kind=Means.OWNER, role=Role.SUPER_ADMIN)
CATALOG: Final = """
[server]
local_owner = false
[accounts.ours]
[accounts.theirs]
[recipients.near]
url = "https://near.example/"
account = "ours"
[recipients.secretco]
url = "https://secretco.example/"
account = "theirs"
[flows.inbox]
account = "ours"
steps = [{ recipient = "near" }]
[flows.hidden]
account = "theirs"
steps = [{ recipient = "secretco" }]
"""
Client = TestClient[Any]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Two accounts with a flow and a recipient each."""
    (tmp_path / "holdfast.toml").write_text(CATALOG)
    return load(tmp_path / "holdfast.toml", {})


@pytest.fixture
async def clients(engine: MemoryEngine, config: Config, known: House) -> dict[str, Client]:
    """Return clients with admin tokens: of all accounts, ours, theirs."""
    app: Any = Api(engine, config, known)
    found = {}
    for account in (None, "ours", "theirs"):
        made = await known.staff.add_token(
            "t", Role.SYSTEM_ADMIN, account, only=(), days=None, by=ROOT, why="a test"
        )
        client = TestClient(app, base_url="http://127.0.0.1:8420")
        client.headers["Authorization"] = f"Bearer {made.secret}"
        found[account or "all"] = client
    return found


@pytest.fixture
def things(clients: dict[str, Client], engine: MemoryEngine) -> dict[str, str]:
    """Return the ids of what is theirs: a delivery, a message, an operation, with audit lines."""
    theirs = clients["theirs"]
    sent = theirs.post("/v1/flows/hidden/messages", json={"payload": {"a": 1}}).json()
    delivery_id = sent["deliveries"][0]["id"]
    order = {"kind": "cancel", "q": "status:pending", "reason": "a test"}
    begun = theirs.post("/v1/operations", json=order)
    assert begun.is_success, begun.text
    assert theirs.post("/v1/recipients/secretco/pause", json={"reason": "why"}).is_success
    group = Group(
        "g1_00000000000000aa", "theirs", "hidden", "secretco", "secretco", "data", "422", "bad",
        1, 2, 3,
    )  # fmt: skip
    engine.known_groups[group.id] = group
    engine.put(msgspec.structs.replace(engine._deliveries[delivery_id], fingerprint=group.id))
    return {
        "group_id": group.id,
        "delivery_id": delivery_id,
        "message_id": sent["message_id"],
        "operation_id": begun.json()["id"],
        "recipient": "secretco",
        "flow": "hidden",
        "name": "nobody",
        "token_id": "tok_x",
        "number": "1",
    }


def paths() -> list[tuple[str, str, str]]:
    """Return (method, path, operation id) of all but the stream, which has its own test."""
    found = json.loads(openapi(HANDLERS))["paths"]
    return [
        (method.upper(), path, operation["operationId"])
        for path, methods in found.items()
        for method, operation in methods.items()
        if operation["operationId"] != "stream"
    ]


BODIES: Final = {
    "start_operation": {"kind": "cancel", "q": "status:pending", "reason": "x"},
    "preview_operation": {"kind": "cancel", "q": "status:pending", "reason": "x"},
    "reschedule": {"at": "2030-01-01T00:00:00Z", "reason": "x"},
    "send_message": {"payload": {}},
    "edit_delivery": {"patch": {"a": 2}, "reason": "x"},
    "judge_group": {"nature": "permanent", "reason": "x"},
    "attribute_group": {"cause": "data", "reason": "x"},
}


def test_nothing_of_another_account_is_seen_or_changed(
    clients: dict[str, Client], things: dict[str, str]
) -> None:
    """With its ids in hand: 404, or 403 for what is about all, or a list without it."""
    before = clients["all"].get(f"/v1/deliveries/{things['delivery_id']}").json()
    names = (*things.values(), "theirs", "secretco")
    for method, path, name in paths():
        real = re.sub(r"\{(\w+)\}", lambda found: things[found[1]], path)
        answer = clients["ours"].request(method, real, json=BODIES.get(name, {"reason": "x"}))
        if "{" in path:
            refused = name in NEEDS and NEEDS[name].whole
            assert answer.status_code in ({403} if refused else {404, 415, 422}), answer.text
        if answer.is_success:
            hidden = [each for each in names if each not in {"nobody", "tok_x", "1"}]
            assert not [each for each in hidden if each in answer.text], (name, answer.text)
    for name in ("redrive", "cancel", "discard", "undo", "prove", "reschedule"):
        path = f"/v1/deliveries/{things['delivery_id']}/{name}"
        body = BODIES.get(name, {"reason": "x"})
        assert clients["ours"].post(path, json=body).status_code == 404
    assert clients["all"].get(f"/v1/deliveries/{things['delivery_id']}").json() == before


def test_its_own_is_seen(clients: dict[str, Client], things: dict[str, str]) -> None:
    """The same questions find what belongs to the account."""
    theirs = clients["theirs"]
    assert [one["id"] for one in theirs.get("/v1/deliveries").json()["items"]] == [
        things["delivery_id"]
    ]
    assert theirs.get("/v1/deliveries/count").json()["count"] == 1
    assert [one["name"] for one in theirs.get("/v1/flows").json()["items"]] == ["hidden"]
    assert [one["recipient"] for one in theirs.get("/v1/recipients").json()["items"]] == [
        "secretco"
    ]
    assert [one["id"] for one in theirs.get("/v1/groups").json()["items"]] == [things["group_id"]]
    assert theirs.get(f"/v1/groups/{things['group_id']}").is_success
    operations = theirs.get("/v1/operations").json()["items"]
    assert [one["id"] for one in operations] == [things["operation_id"]]
    lines = theirs.get("/v1/audit").json()["items"]
    assert "pause" in [one["action"] for one in lines]


def test_counts_and_searches_end_at_the_account(
    clients: dict[str, Client], things: dict[str, str]
) -> None:
    """Also when the query names the other one."""
    del things
    for query in ("recipient:secretco", "flow:hidden", "status:pending"):
        asked = {"q": query}
        assert clients["ours"].get("/v1/deliveries", params=asked).json()["items"] == []
        assert clients["ours"].get("/v1/deliveries/count", params=asked).json()["count"] == 0


def test_the_overview_adds_up_what_is_its_own(
    clients: dict[str, Client], things: dict[str, str], engine: MemoryEngine
) -> None:
    """Lanes, numbers, alerts and urgent failures of the account; of the others not even a sum."""
    group, delivery = things["group_id"], things["delivery_id"]
    now = engine.groups.now()
    engine.known_groups[group] = msgspec.structs.replace(engine.known_groups[group], first_at=now)
    engine.put(msgspec.structs.replace(engine._deliveries[delivery], priority=9))
    engine._lanes["secretco"] = msgspec.structs.replace(
        engine._lanes["secretco"], pending=3, by_priority={"high": 2, "low": 1}, in_flight=1
    )
    theirs, ours = (clients[name].get("/v1/overview").json() for name in ("theirs", "ours"))
    assert (theirs["depth"], theirs["active"], theirs["lanes"]) == (3, 1, {"closed": 1})
    assert theirs["by_priority"] == {"high": 2, "normal": 0, "low": 1}
    assert (ours["depth"], ours["active"], ours["lanes"]) == (0, 0, {"closed": 1})
    assert ours["by_priority"] == {"high": 0, "normal": 0, "low": 0}
    for found in (theirs, ours):
        assert found["windows"] == found["points"] == found["workers"] == []
    for path, name in (("/v1/groups/alerts", "group"), ("/v1/deliveries/critical", "id")):
        for client, expected in (("theirs", 1), ("all", 1), ("ours", 0)):
            items = clients[client].get(path).json()["items"]
            assert len([one[name] for one in items]) == expected, (client, path)
    assert clients["ours"].get("/v1/deliveries/critical").json()["count"] == 0


def test_what_is_about_all_is_refused(clients: dict[str, Client]) -> None:
    """Purge, signals and workers are nobody's alone."""
    for method, path in (
        ("POST", "/v1/purge"),
        ("PUT", "/v1/signals/market.index"),
        ("GET", "/v1/signals"),
        ("GET", "/v1/workers"),
    ):
        answer = clients["ours"].request(method, path, json={})
        assert answer.json()["code"] == "FORBIDDEN"
        assert "sees only the account 'ours'" in answer.text


def test_admins_of_an_account_stay_in_it(clients: dict[str, Client]) -> None:
    """They make users and tokens of it alone, see no others, and make no super admin."""
    ours = clients["ours"]
    body = {"name": "max", "role": "operator", "reason": "joins", "password": "long and strange"}
    assert ours.post("/v1/users", json=body | {"account": "ours"}).is_success
    for more in ({}, {"account": "theirs"}, {"account": "ours", "role": "super_admin"}):
        assert ours.post("/v1/users", json=body | {"name": "eve"} | more).status_code == 403
    nowhere = ours.post("/v1/users", json=body | {"name": "eve", "account": "nosuch"})
    assert nowhere.status_code == 403  # as theirs: which accounts there are is not told
    assert "theirs" not in nowhere.text
    assert [one["name"] for one in ours.get("/v1/users").json()["items"]] == ["max"]
    assert clients["theirs"].get("/v1/users").json()["items"] == []
    change = {"reason": "x"}
    assert clients["theirs"].post("/v1/users/max/disable", json=change).status_code == 404
    assert [one["account"] for one in ours.get("/v1/tokens").json()["items"]] == ["ours"]


async def test_operations_of_others_do_not_hide_ones_own() -> None:
    """However many newer ones there are."""

    class Many:
        async def operations(self, below: str | None, limit: int, *, active: bool) -> list[Any]:
            del active
            accounts = ["ours", *["theirs"] * 1_500]
            ids = [f"opr_{n:04}" for n, _ in enumerate(accounts)]
            where = {name: Predicate((Choice("account", (name,)),)) for name in set(accounts)}
            every = [
                SimpleNamespace(id=id_, plan=SimpleNamespace(where=where[name]))
                for id_, name in zip(ids, accounts, strict=True)
            ]
            return [one for one in every[::-1] if below is None or one.id < below][:limit]

    scoped = ScopedOperations(cast("Operations", Many()), "ours")
    assert [one.id for one in await scoped.operations(None, 1)] == ["opr_0000"]


def test_an_account_alone_is_no_selection(clients: dict[str, Client]) -> None:
    """Who is bound to one must say which deliveries, as everybody."""
    for client in clients.values():
        for path in ("/v1/operations", "/v1/operations/preview"):
            answer = client.post(path, json={"kind": "discard", "reason": "a test"})
            assert (answer.status_code, answer.json()["field"]) == (422, "q"), answer.text


def test_the_stream_tells_nothing_of_another_account(config: Config) -> None:
    """Tries, deliveries and lanes are told to who owns them, and to nobody else."""
    clock = VirtualClock()
    engine = MemoryEngine(config.catalog, clock=clock)

    async def main() -> None:
        house = nobody(config)
        app = Api(engine, config, house)
        browsers = {}
        for account in ("ours", "theirs"):
            made = await house.staff.add_token(
                "t", Role.VIEWER, account, only=(), days=None, by=ROOT, why="a test"
            )
            browsers[account] = Browser(app, authorization=f"Bearer {made.secret}")
        await clock.pause(100)
        one = event(7)
        theirs = msgspec.structs.replace(
            one.attempt, account="theirs", flow="hidden", step="secretco", recipient="secretco"
        )
        engine.journal.append(msgspec.structs.replace(one, attempt=theirs))
        await engine.pause("secretco", actor="ann", reason="because")
        await clock.pause(600)
        names = ("secretco", "theirs", "hidden", "dlv_7")
        assert not [each for each in names if each in browsers["ours"].text]
        assert {name for name, _ in browsers["theirs"].words} >= {"events", "deliveries", "lanes"}
        assert "dlv_7" in browsers["theirs"].text
        for browser in browsers.values():
            browser.leave()
            await browser.task

    run(main(), clock)
