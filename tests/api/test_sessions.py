"""Signing in and out, the cookie, CSRF, and what ends a session."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.access.decide import ABSOLUTE_MS, IDLE_MS
from holdfast.access.desk import REMEMBERED_MS
from holdfast.access.house import House
from holdfast.access.passwords import Passwords
from holdfast.api import Api
from holdfast.config import Config
from holdfast.model.access import Means, Principal, Role
from holdfast.testing.clock import VirtualClock
from holdfast.testing.memory import MemoryEngine
from holdfast.testing.people import CHEAP, MemoryPeople
from holdfast.vault import Vault

ROOT: Final = Principal(name="root", kind=Means.OWNER, role=Role.SUPER_ADMIN)
PASSWORD: Final = "correct horse battery"
PAUSE: Final = "/v1/recipients/acme/pause"
Client = TestClient[Any]


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that tests set."""
    return VirtualClock()


@pytest.fixture
def people() -> MemoryPeople:
    """Return the store of users."""
    return MemoryPeople()


@pytest.fixture
async def staffed(config: Config, clock: VirtualClock, people: MemoryPeople) -> House:
    """Return a house with an operator, ada, and a viewer, eve."""
    known = House(
        people, clock, config.catalog, digest=Vault.generate().digest, passwords=Passwords(CHEAP)
    )
    for name, role in (("ada", Role.OPERATOR), ("eve", Role.VIEWER)):
        await known.staff.add_user(name, PASSWORD, role, None, by=ROOT, why="a test")
    return known


@pytest.fixture
def browser(engine: MemoryEngine, config: Config, staffed: House) -> Iterator[Client]:
    """Return a client that keeps cookies, of a door that lets in only who is known."""
    server = msgspec.structs.replace(config.server, local_owner=False)
    app: Any = Api(engine, msgspec.structs.replace(config, server=server), staffed)
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        yield client


def sign_in(browser: Client, user: str = "ada", password: str = PASSWORD) -> Any:
    """Sign in, and return the answer."""
    return browser.post("/v1/session", json={"user": user, "password": password})


def test_a_person_signs_in_acts_and_signs_out(browser: Client, people: MemoryPeople) -> None:
    """The audit journal has each step with the name, whatever the browser claims to be."""
    signed = sign_in(browser)
    shown = signed.json()
    assert (shown["name"], shown["role"], shown["account"]) == ("ada", "operator", None)
    assert "steer" in shown["permissions"]
    assert "manage" not in shown["permissions"]
    headers = {"Holdfast-Csrf": shown["csrf"], "Holdfast-Actor": "somebody else"}
    assert browser.get("/v1/session").json() == shown
    assert browser.post(PAUSE, json={"reason": "lunch"}, headers=headers).is_success
    (line,) = [one for one in notes(browser) if one["action"] == "pause"]
    assert (line["actor"], line["reason"]) == ("ada", "lunch")
    secret = browser.cookies["holdfast_8420"]
    assert browser.delete("/v1/session", headers=headers).is_success
    assert "holdfast_8420" not in browser.cookies
    kept = {"Cookie": f"holdfast_8420={secret}"}
    assert browser.get("/v1/flows", headers=kept).json()["code"] == "SESSION_ENDED"
    actions = [line.note.action for line in people.lines]
    assert actions == ["add_user", "add_user", "sign_in", "sign_out"]
    assert PASSWORD not in str(people.lines)


def notes(browser: Client) -> Any:
    """Return the audit lines of the engine."""
    return browser.get("/v1/audit").json()["items"]


def test_the_cookie_is_for_our_pages_only(browser: Client) -> None:
    """No script reads it, no other site sends it; off loopback only TLS carries it."""
    given = sign_in(browser).headers["set-cookie"]
    assert given.startswith("holdfast_8420=")
    assert given.endswith("; Path=/; HttpOnly; SameSite=Strict")
    body = {"user": "ada", "password": PASSWORD}
    far = browser.post("/v1/session", json=body, headers={"Host": "holdfast.example"})
    assert far.headers["set-cookie"].startswith("__Host-holdfast=")
    assert far.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")


def test_a_change_needs_more_than_the_cookie(browser: Client) -> None:
    """Without the header, with another one, or from another origin: 403, nothing changed."""
    mark = sign_in(browser).json()["csrf"]
    body = {"reason": "x"}
    assert browser.post(PAUSE, json=body).json()["code"] == "CSRF"
    wrong = {"Holdfast-Csrf": "0" * 64}
    assert browser.post(PAUSE, json=body, headers=wrong).json()["code"] == "CSRF"
    foreign = {"Holdfast-Csrf": mark, "Origin": "http://evil.example"}
    assert browser.post(PAUSE, json=body, headers=foreign).json()["code"] == "ORIGIN_NOT_ALLOWED"
    assert browser.get("/v1/recipients/acme").json()["paused"] is None
    own = {"Holdfast-Csrf": mark, "Origin": "http://127.0.0.1:8420"}
    assert browser.post(PAUSE, json=body, headers=own).is_success


def test_no_foreign_page_signs_anybody_in(browser: Client) -> None:
    """A page of another site could else have people work under its name."""
    body = {"user": "ada", "password": PASSWORD}
    answer = browser.post("/v1/session", json=body, headers={"Origin": "https://evil.example"})
    assert answer.json()["code"] == "ORIGIN_NOT_ALLOWED"
    form = browser.post("/v1/session", data=body)
    assert form.status_code == 415


def test_a_new_session_has_a_new_secret_and_ends_the_old_one(browser: Client) -> None:
    """Whoever had put a cookie into the browser has nothing of the sign-in."""
    sign_in(browser)
    old = browser.cookies["holdfast_8420"]
    sign_in(browser)
    assert browser.cookies["holdfast_8420"] != old
    assert browser.get("/v1/session").is_success
    browser.cookies.clear()
    kept = {"Cookie": f"holdfast_8420={old}"}
    assert browser.get("/v1/session", headers=kept).status_code == 401


def test_sessions_end_by_themselves(browser: Client, clock: VirtualClock) -> None:
    """After a while without a request, and after a day's work whatever happens."""
    sign_in(browser)
    for _ in range(ABSOLUTE_MS // (IDLE_MS - 60_000) + 1):
        assert browser.get("/v1/session").is_success
        clock.jump((IDLE_MS - 60_000) / 1000)
    ended = browser.get("/v1/session")
    assert ended.json()["code"] == "SESSION_ENDED"
    assert "Max-Age=0" in ended.headers["set-cookie"]
    sign_in(browser)
    clock.jump((IDLE_MS + 60_000) / 1000)
    assert browser.get("/v1/session").json()["code"] == "SESSION_ENDED"


@pytest.mark.parametrize("change", ["disable", "set_role", "set_password"])
async def test_what_ends_the_sessions_of_a_user(
    browser: Client, staffed: House, change: str
) -> None:
    """Disabled, with another role, with another password: at once."""
    sign_in(browser)
    assert browser.get("/v1/session").is_success
    more: dict[str, tuple[Any, ...]] = {
        "disable": (), "set_role": (Role.VIEWER,), "set_password": ("something else 123",)
    }  # fmt: skip
    await getattr(staffed.staff, change)("ada", *more[change], by=ROOT, why="a test")
    assert browser.get("/v1/session").json()["code"] == "SESSION_ENDED"
    assert sign_in(browser).is_success is (change == "set_role")


async def test_another_workers_change_is_seen_soon(
    browser: Client, staffed: House, config: Config, people: MemoryPeople, clock: VirtualClock
) -> None:
    """Within two seconds, without the store being asked for every request."""
    del staffed
    sign_in(browser)
    assert browser.get("/v1/session").is_success
    other = House(
        people, clock, config.catalog, digest=Vault.generate().digest, passwords=Passwords(CHEAP)
    )
    await other.staff.disable("ada", by=ROOT, why="a test")
    assert browser.get("/v1/session").is_success
    clock.jump((REMEMBERED_MS) / 1000)
    assert browser.get("/v1/session").status_code == 401


def test_a_wrong_password_tells_nothing(browser: Client, people: MemoryPeople) -> None:
    """The same answer for no such user; both are in the audit journal, without the password."""
    wrong = sign_in(browser, password="not the password")
    nobody = sign_in(browser, user="mallory", password="not the password")
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.json() == nobody.json()
    refused = [one.note for one in people.lines if one.note.action == "sign_in_refused"]
    assert [one.actor for one in refused] == ["ada", "mallory"]
    assert "not the password" not in str(refused)


def test_guessing_is_slow(browser: Client, clock: VirtualClock) -> None:
    """After five wrong tries a name waits, also with the right password; others do not."""
    for _ in range(5):
        assert sign_in(browser, password="guess guess guess").status_code == 401
    slow = sign_in(browser)
    assert (slow.status_code, slow.json()["code"]) == (429, "TOO_MANY_TRIES")
    assert int(slow.headers["retry-after"]) <= 60
    assert sign_in(browser, user="eve").is_success
    clock.jump((60_000) / 1000)
    assert sign_in(browser).is_success


def test_a_person_changes_its_password(browser: Client) -> None:
    """With the old one; all its sessions end."""
    headers = {"Holdfast-Csrf": sign_in(browser).json()["csrf"]}
    path, new = "/v1/session/password", "another good one"
    wrong = {"old": "a wrong password", "new": new}
    assert browser.post(path, json=wrong, headers=headers).status_code == 403
    short = browser.post(path, json={"old": PASSWORD, "new": "short"}, headers=headers)
    assert (short.status_code, short.json()["field"]) == (422, "password")
    assert browser.post(path, json={"old": PASSWORD, "new": new}, headers=headers).is_success
    assert browser.get("/v1/session").status_code == 401
    assert sign_in(browser, password=new).is_success


def test_guessing_the_old_password_is_slow(
    browser: Client, people: MemoryPeople, clock: VirtualClock
) -> None:
    """Whoever sits at an open session learns no password; each wrong one is in the journal."""
    headers = {"Holdfast-Csrf": sign_in(browser).json()["csrf"]}
    path = "/v1/session/password"
    for _ in range(9):
        guess = {"old": "guess guess guess", "new": "another good one"}
        assert browser.post(path, json=guess, headers=headers).status_code == 403
    right = {"old": PASSWORD, "new": "another good one"}
    assert browser.post(path, json=right, headers=headers).status_code == 403
    assert [one.note.action for one in people.lines].count("password_refused") == 5
    clock.jump(600)
    assert browser.post(path, json=right, headers=headers).is_success


def test_answers_stay_out_of_caches_and_frames(browser: Client) -> None:
    """Every answer of the API, also refusals and the stream of probes."""
    for answer in (browser.get("/healthz"), browser.get("/v1/flows"), sign_in(browser)):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_an_open_page_keeps_no_session_alive(browser: Client, clock: VirtualClock) -> None:
    """What a page asks by itself is answered, and is no use; a change always is."""
    mark = sign_in(browser).json()["csrf"]
    background = {"Holdfast-Background": "1"}
    for _ in range(3):
        clock.jump(IDLE_MS / 4000)
        assert browser.get("/v1/flows", headers=background).is_success
    both = background | {"Holdfast-Csrf": mark}
    assert browser.post("/v1/recipients/acme/pause", json={"reason": "x"}, headers=both).is_success
    for _ in range(3):
        clock.jump(IDLE_MS / 4000)
        assert browser.get("/v1/flows", headers=background).is_success
    clock.jump(IDLE_MS / 4000)
    assert browser.get("/v1/flows", headers=background).json()["code"] == "SESSION_ENDED"
