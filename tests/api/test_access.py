"""Every route of the OpenAPI document, for every role: exactly what the table says."""

import json
import re
from typing import Any, Final

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.access.house import House
from holdfast.access.roles import GRANTS
from holdfast.access.table import NEEDS, OPEN
from holdfast.api import Api
from holdfast.api.door import HANDLERS
from holdfast.api.schema import openapi
from holdfast.config import Config
from holdfast.model.access import Means, Permission, Principal, Role
from holdfast.testing.memory import MemoryEngine

ROOT: Final = Principal(name="root", kind=Means.OWNER, role=Role.SUPER_ADMIN)
LOOSE: Final = {"metrics"}
"""Operations of the table that the document does not have: they are on another port."""


def operations() -> list[tuple[str, str, str]]:
    """Return (method, path, operation id) of everything the API does."""
    paths = json.loads(openapi(HANDLERS))["paths"]
    found = [
        (method.upper(), path, operation["operationId"])
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]
    return [*found, ("GET", "/openapi.json", "describe")]


def test_the_table_has_every_operation_and_no_other() -> None:
    """A route without an entry would be refused to everybody; an entry without one is dead."""
    names = {name for _, _, name in operations()}
    assert names - OPEN == NEEDS.keys() - LOOSE
    assert names >= OPEN


@pytest.fixture
def closed(config: Config) -> Config:
    """Return a configuration in which nobody passes who shows nothing."""
    server = msgspec.structs.replace(config.server, local_owner=False)
    return msgspec.structs.replace(config, server=server)


async def token(known: House, role: Role, account: str | None = None) -> dict[str, str]:
    """Return the header of a new token."""
    made = await known.staff.add_token(
        role, role, account, only=(), days=None, by=ROOT, why="a test"
    )
    return {"Authorization": f"Bearer {made.secret}"}


@pytest.mark.parametrize("role", Role)
async def test_each_role_gets_exactly_what_the_table_says(
    role: Role, engine: MemoryEngine, closed: Config, known: House
) -> None:
    """On every route: refused with 403 FORBIDDEN, or answered by the route itself.

    The stream, which does not end by itself, is asked for a topic that there is not.
    """
    headers = await token(known, role)
    app: Any = Api(engine, closed, known)
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        for method, path, name in operations():
            real = re.sub(r"\{\w+\}", "nothing", path)
            query = {"topics": "nothing"} if name == "stream" else {}
            answer = client.request(method, real, headers=headers, json={}, params=query)
            need = NEEDS.get(name)
            allowed = need is None or need.permission in {None, *GRANTS[role]}
            refused = answer.status_code == 403 and answer.json()["code"] == "FORBIDDEN"
            # Without a password nobody may change its own, which is no question of the role.
            assert refused is not allowed, (name, role, answer.text)
            assert answer.status_code != 401 or name == "sign_in"


async def test_without_anything_nothing_but_what_is_open(
    engine: MemoryEngine, closed: Config, known: House
) -> None:
    """Every other route answers 401, whatever it is asked."""
    app: Any = Api(engine, closed, known)
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        for method, path, name in operations():
            answer = client.request(method, re.sub(r"\{\w+\}", "x", path), json={})
            assert (answer.status_code == 401) is (name not in OPEN), (name, answer.text)


async def test_refusals_say_who_may(engine: MemoryEngine, closed: Config, known: House) -> None:
    """With the operation, the permission, and the roles that have it."""
    app: Any = Api(engine, closed, known)
    headers = await token(known, Role.VIEWER)
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        body = {"reason": "curious"}
        answer = client.post("/v1/recipients/acme/pause", headers=headers, json=body)
        problem = answer.json()
        assert "viewer (viewer) may not pause: it needs the permission steer" in answer.text
        assert problem["allowed"] == "super_admin, system_admin, operator"
        assert client.get("/v1/recipients/acme", headers=headers).json()["paused"] is None


async def test_a_token_may_have_less_than_its_role(
    engine: MemoryEngine, closed: Config, known: House
) -> None:
    """One that only sends cannot look."""
    made = await known.staff.add_token(
        "shop", Role.OPERATOR, None, only=(Permission.SEND,), days=None, by=ROOT, why="a test"
    )
    app: Any = Api(engine, closed, known)
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        client.headers["Authorization"] = f"Bearer {made.secret}"
        assert client.post("/v1/flows/one/messages", json={"payload": {}}).status_code == 202
        assert client.get("/v1/deliveries").status_code == 403
