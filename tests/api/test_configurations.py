"""Versions of the configuration, through the door."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.access.house import House
from holdfast.api import Api
from holdfast.config import Config
from holdfast.model.access import Means, Principal, Role
from holdfast.model.configuration import Written
from holdfast.testing.memory import MemoryEngine

ROOT: Final = Principal(name="root", kind=Means.OWNER, role=Role.SUPER_ADMIN)
BOUND: Final = {"changes": {"approval": True}, "server": {"token": "s3cret-token"}}
TEXT: Final = """
[changes]
approval = true
[recipients.acme]
url = "https://acme.example/"
auth = { type = "bearer", token = "env:NOWHERE" }
secrets = ["file:/nowhere"]
"""
PLACE: Final = "/v1/configurations"
Headers = dict[str, str]


@pytest.fixture
async def headers(known: House) -> dict[str, Headers]:
    """Return the header of a token of each, by name; one version is current."""
    await known.versions.start(Written(BOUND), "cli:op")
    found = {}
    for name, role, account in (
        ("ada", Role.SYSTEM_ADMIN, None),
        ("eve", Role.SUPER_ADMIN, None),
        ("max", Role.OPERATOR, None),
        ("bound", Role.SYSTEM_ADMIN, "default"),
    ):
        made = await known.staff.add_token(
            name, role, account, only=(), days=None, by=ROOT, why="a test"
        )
        found[name] = {"Authorization": f"Bearer {made.secret}"}
    return found


@pytest.fixture
def door(engine: MemoryEngine, config: Config, known: House) -> Iterator[TestClient[Any]]:
    """Return a client of a door on loopback."""
    app: Any = Api(engine, config, known)
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        yield client


def proposed(door: TestClient[Any], headers: Headers, text: str = TEXT) -> Any:
    """Propose a file; return the answer."""
    return door.post(PLACE, headers=headers, json={"content": text, "reason": "a new partner"})


def test_the_whole_way(door: TestClient[Any], headers: dict[str, Headers]) -> None:
    """Proposed by one, approved by another; the list and the page tell all of it."""
    assert proposed(door, headers["ada"]).json()["number"] == 2
    body = {"reason": "read it", "effective_at": "2999-01-01T00:00:00Z"}
    answer = door.post(f"{PLACE}/2/approve", headers=headers["eve"], json=body).json()
    assert (answer["stage"], answer["author"], answer["approver"]) == (
        *("approved", "token:ada", "token:eve"),
    )
    assert (answer["answer_reason"], answer["effective_at"]) == (
        *("read it", "2999-01-01T00:00:00.000Z"),
    )
    items = door.get(PLACE, headers=headers["max"], params={"limit": 1}).json()
    assert (items["items"], items["next_cursor"]) == ([answer], "2")
    rest = door.get(PLACE, headers=headers["max"], params={"cursor": 2}).json()
    assert [(one["number"], one["stage"], one["author"]) for one in rest["items"]] == [
        (1, "current", "cli:op")
    ]
    shown = door.get(f"{PLACE}/2", headers=headers["max"]).json()
    assert shown["version"] == answer
    assert 'token = "env:NOWHERE"' in shown["text"]
    assert [(one["place"], one["after"] is None) for one in shown["changes"]] == [
        ("recipients", False),
        ("server", True),
    ]
    assert "s3cret" not in door.get(f"{PLACE}/1", headers=headers["max"]).text


def test_self_approval_has_its_own_code(door: TestClient[Any], headers: dict[str, Headers]) -> None:
    """403 SELF_APPROVAL; the author may take it back."""
    proposed(door, headers["ada"])
    answer = door.post(f"{PLACE}/2/approve", headers=headers["ada"], json={"reason": "mine"})
    assert (answer.status_code, answer.json()["code"]) == (403, "SELF_APPROVAL")
    answer = door.post(f"{PLACE}/2/reject", headers=headers["ada"], json={"reason": "a slip"})
    assert answer.json()["stage"] == "rejected"
    answer = door.post(f"{PLACE}/2/approve", headers=headers["eve"], json={"reason": "late"})
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")


def test_nobody_in_particular_proposes_nothing(
    door: TestClient[Any], headers: dict[str, Headers]
) -> None:
    """The open door of loopback names itself as it likes: 403 NAMELESS."""
    answer = proposed(door, {"Holdfast-Actor": "ada"})
    assert (answer.status_code, answer.json()["code"]) == (403, "NAMELESS")
    proposed(door, headers["ada"])
    for verb in ("approve", "reject"):
        answer = door.post(f"{PLACE}/2/{verb}", json={"reason": "x"})
        assert answer.json()["code"] == "NAMELESS"


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [
        ("max", "POST", ""),
        ("max", "POST", "/2/approve"),
        ("max", "POST", "/2/reject"),
        ("bound", "GET", ""),
        ("bound", "GET", "/1"),
        ("bound", "POST", ""),
        ("bound", "POST", "/2/approve"),
    ],
)
def test_who_may_not(
    door: TestClient[Any], headers: dict[str, Headers], who: str, method: str, path: str
) -> None:
    """Operators look and change nothing; who is bound to an account does not even look."""
    proposed(door, headers["ada"])
    body = {"reason": "x", "content": TEXT} if path == "" else {"reason": "x"}
    answer = door.request(method, PLACE + path, headers=headers[who], json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server", "content: '***' is not allowed; allowed: valid TOML"),
        ("a" + ".a" * 5000 + " = 1", "content: '***' is not allowed; allowed: TOML with fewer"),
        ("[servr]", "did you mean server?"),
        ("[recipients.acme]\nurl = 'ftp://x'", "recipients.acme.url: 'ftp://x' is not allowed"),
        ("[server]\ntoken = 'sh0rt'", "server.token: '***' is not allowed"),
    ],
)
def test_what_could_not_start_is_no_proposal(
    door: TestClient[Any], headers: dict[str, Headers], text: str, words: str
) -> None:
    """It is refused like a file, and nothing is kept of it."""
    answer = proposed(door, headers["ada"], text)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert "sh0rt" not in answer.text
    assert len(door.get(PLACE, headers=headers["ada"]).json()["items"]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[server]\nhost = '0.0.0.0'",
        "[server]\ntoken = 'env:NO_SUCH_VARIABLE'",
        "store = 'env:NO_SUCH_VARIABLE'",
        "[store]\nurl = 'file:/nowhere'",
        "[recipients.a]\nurl = 'env:NO_SUCH_URL'\nproxy = 'env:NO_SUCH_PROXY'",
    ],
)
def test_references_are_looked_up_where_it_runs(
    door: TestClient[Any], headers: dict[str, Headers], text: str
) -> None:
    """Not here: else a proposal would tell what this machine's files and variables are."""
    assert proposed(door, headers["ada"], text).status_code == 200


def test_a_large_file_can_be_proposed(door: TestClient[Any], headers: dict[str, Headers]) -> None:
    """Larger than the body of other actions; four thousand recipients, say."""
    text = "".join(
        f"[recipients.r{n}]\nurl = 'https://r{n}.example/'\ndescription = '{'x' * 50}'\n"
        for n in range(4000)
    )
    assert proposed(door, headers["ada"], text).status_code == 200
    shown = door.get(f"{PLACE}/2", headers=headers["ada"]).json()
    assert len(shown["changes"]) + shown["more"] == 3
    answer = proposed(door, headers["ada"], "#" * 4_200_000)
    assert answer.status_code == 413


@pytest.mark.parametrize("number", ["0", "9", "-1", "x", "1" * 13, "٣"])
def test_there_is_no_such_version(
    door: TestClient[Any], headers: dict[str, Headers], number: str
) -> None:
    """Whatever stands for a number: 404."""
    assert door.get(f"{PLACE}/{number}", headers=headers["max"]).status_code == 404


def test_a_comparison_with_what_is_not_there(
    door: TestClient[Any], headers: dict[str, Headers]
) -> None:
    """404 as well; with nothing, everything is new."""
    assert door.get(f"{PLACE}/1?against=7", headers=headers["max"]).status_code == 404
    assert door.get(f"{PLACE}/1?against=-1", headers=headers["max"]).status_code == 422
    shown = door.get(f"{PLACE}/1?against=0", headers=headers["max"]).json()
    assert {one["place"] for one in shown["changes"]} == {"changes", "server"}


def test_a_page_without_a_name_still_lists(door: TestClient[Any]) -> None:
    """The open door of loopback may read; before any start there is nothing."""
    assert msgspec.json.decode(door.get(PLACE).content) == {"items": [], "next_cursor": None}
