"""Who may talk to the API."""

from typing import Any

import pytest
from litestar.testing import TestClient

from holdfast.api.guard import Guard
from holdfast.api.problem import Refused
from holdfast.config import Config, Server
from holdfast.testing.people import nobody


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "the bearer token is missing"),
        ("Bearer wrong-token", "the bearer token is wrong"),
        ("Basic long-enough", "the bearer token is wrong"),
        ("long-enough", "the bearer token is wrong"),
        ("Bearer ", "the bearer token is wrong"),
    ],
)
def test_token_is_required(locked: TestClient[Any], given: str | None, words: str) -> None:
    """With a token configured, nothing but the probes goes without it: routes, intake, 404s."""
    headers = {} if given is None else {"Authorization": given}
    for path in ("/v1/flows", "/nowhere", "/openapi.json"):
        answer = locked.get(path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert words in answer.json()["detail"]
    answer = locked.post("/v1/flows/leads/messages", json={"payload": {}}, headers=headers)
    assert answer.json()["code"] == "UNAUTHORIZED"
    assert locked.get("/healthz").status_code == 200
    assert locked.get("/readyz").status_code == 200


def test_token_opens(locked: TestClient[Any]) -> None:
    """The right token opens, whatever the host and the spelling of the scheme."""
    assert locked.get("/v1/flows", headers={"Authorization": "Bearer long-enough"}).is_success
    assert locked.get("/v1/flows", headers={"Authorization": "bearer long-enough"}).is_success


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("localhost", True),
        ("localhost:8420", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1:8420", True),
        ("[::1]:8420", True),
        ("known.example", True),
        ("evil.example", False),
        ("localhost.evil.example:8420", False),
        ("127.0.0.1.evil.example", False),
        ("[::2]:8420", False),
        ("", False),
    ],
)
def test_host(host: str, *, passes: bool) -> None:
    """Without a token, only our own names pass: a page cannot rebind its name to loopback."""
    guard = Guard(Server(allowed_hosts=("Known.example",)), nobody(Config()).desk)
    if passes:
        guard.check_page({b"host": host.encode()})
        return
    with pytest.raises(Refused) as caught:
        guard.check_page({b"host": host.encode()})
    assert (caught.value.status, caught.value.code) == (403, "HOST_NOT_ALLOWED")
    assert "known.example" in str(caught.value.allowed)


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("http://localhost:8420", True),
        ("https://known.example", True),
        ("http://localhost:3000", False),
        ("http://127.0.0.1:8420", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_origin(origin: str, *, passes: bool) -> None:
    """Without a token, a page of another origin is refused, also one of another local port."""
    guard = Guard(Server(allowed_hosts=("known.example",)), nobody(Config()).desk)
    headers = {b"host": b"localhost:8420", b"origin": origin.encode()}
    if passes:
        guard.check_page(headers)
        return
    with pytest.raises(Refused) as caught:
        guard.check_page(headers)
    assert (caught.value.status, caught.value.code) == (403, "ORIGIN_NOT_ALLOWED")


def test_forms_of_foreign_pages_are_refused(client: TestClient[Any]) -> None:
    """A form post, which browsers send across sites unasked, fails twice: origin and type."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    path = "/v1/recipients/acme/pause"
    evil = client.post(path, content=b"reason=x", headers=form | {"Origin": "http://evil.example"})
    assert evil.status_code == 403
    assert client.post(path, content=b"reason=x", headers=form).status_code == 415
