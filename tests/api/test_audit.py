"""The audit journal by the API: filters, pages, and the whole of a span as a file."""

import asyncio
import csv
import io
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import aiohttp
import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.access.house import House
from holdfast.api import Api
from holdfast.api.routes.journal import EXPORTED
from holdfast.api.server import serve
from holdfast.api.wire_audit import COLUMNS, harmless
from holdfast.clock import SystemClock
from holdfast.config import Config
from holdfast.errors import StoreError
from holdfast.model.access import Means, Principal, Role
from holdfast.model.audit import LineQuery
from holdfast.store import Line, Lines, Note
from holdfast.testing.lines import page
from holdfast.testing.memory import MemoryEngine
from holdfast.testing.people import nobody

NOON: Final = 1_767_268_800_000
"""2026-01-01T12:00:00Z"""
SCOPE: Final = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/v1/audit/export",
    "raw_path": b"/v1/audit/export",
    "root_path": "",
    "query_string": b"",
    "headers": [(b"host", b"127.0.0.1:8420")],
    "server": ("127.0.0.1", 8420),
    "client": ("127.0.0.1", 1),
    "state": {},
}
Client = TestClient[Any]


class Kept(MemoryEngine):
    """An engine whose audit journal is what the test puts there."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.catalog)
        self.kept: list[Line] = []
        self.pages = 0
        self.breaks_at = 0

    def write(self, *notes: Note) -> None:
        """Append lines, linked into a chain of which only the look is right."""
        for note in notes:
            number = len(self.kept) + 1
            self.kept.append(Line(number, number, number.to_bytes(32), note))

    async def lines(self, query: LineQuery) -> Lines:
        """Return a page of audit lines."""
        self.pages += 1
        if self.pages == self.breaks_at:
            raise StoreError("the disk is gone")
        return page(self.kept, query)


@pytest.fixture
def engine(config: Config) -> Kept:
    """Return the engine behind the door."""
    return Kept(config)


def note(number: int, **fields: Any) -> Note:
    """Return a line, a second after the one before."""
    given = {"actor": "ada", "action": "pause", "subject": "acme", "reason": f"reason {number}"}
    return Note(**{"at": NOON + number * 1000} | given | fields)


def shown(client: Client, **query: Any) -> list[str]:
    """Return the reasons of one page."""
    answer = client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    return [item["reason"] for item in answer.json()["items"]]


def exported(client: Client, **query: Any) -> list[dict[str, Any]]:
    """Return the lines of an export as NDJSON."""
    answer = client.get("/v1/audit/export", params=query)
    assert answer.status_code == 200, answer.text
    return [msgspec.json.decode(each) for each in answer.text.splitlines()]


def test_a_line_says_all_that_is_known(client: Client, engine: Kept) -> None:
    """Who, what, when, why, before and after, whose it is, and its place in the chain."""
    detail = '{"paused":[null,"they asked"]}'
    engine.write(note(0, detail=detail, account="default"))
    (item,) = client.get("/v1/audit").json()["items"]
    assert item == {
        "number": 1,
        "at": "2026-01-01T12:00:00.000Z",
        "actor": "ada",
        "action": "pause",
        "subject": "acme",
        "account": "default",
        "reason": "reason 0",
        "before": {"paused": None},
        "after": {"paused": "they asked"},
        "detail": detail,
        "hash": f"{1:064x}",
    }
    assert tuple(item) == COLUMNS


def test_filters(client: Client, engine: Kept) -> None:
    """Each cuts the list down: of `since` and later, before `until`."""
    engine.write(note(0), note(1, actor="bea"), note(2, action="resume"), note(3, subject="beta"))
    assert shown(client) == ["reason 3", "reason 2", "reason 1", "reason 0"]
    assert shown(client, actor="bea") == ["reason 1"]
    assert shown(client, action="resume") == ["reason 2"]
    assert shown(client, subject="beta") == ["reason 3"]
    since, until = "2026-01-01T12:00:01Z", "2026-01-01T13:00:03+01:00"
    assert shown(client, since=since, until=until) == ["reason 2", "reason 1"]
    assert shown(client, since=since, actor="ada", subject="acme") == ["reason 2"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "a\x00b"),
        ("actor", "x" * 513),
        ("action", "Drop Table"),
        ("since", "2026-01-01T12:00:00"),
        ("until", "yesterday"),
        ("cursor", "12"),
        ("cursor", "-1-5"),
        ("cursor", "1-99999999999999999"),
        ("limit", "1001"),
        ("wrong", "x"),
    ],
)
def test_bad_filters_are_named(client: Client, field: str, value: str) -> None:
    """422, and the field; of the list as of the export."""
    for path in ("/v1/audit", "/v1/audit/export"):
        answer = client.get(path, params={field: value})
        assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_span_ends_after_it_begins(client: Client) -> None:
    """An empty span is a mistake, and no empty list."""
    at = "2026-01-01T12:00:00Z"
    for path in ("/v1/audit", "/v1/audit/export"):
        answer = client.get(path, params={"since": at, "until": at})
        assert (answer.status_code, answer.json()["field"]) == (422, "until")
        assert answer.json()["allowed"] == "an instant after since"


def test_pages_hold_while_lines_are_added(client: Client, engine: Kept) -> None:
    """Every line comes once, newest first, whatever is written meanwhile."""
    engine.write(*(note(number // 3, reason=str(number)) for number in range(10)))
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get("/v1/audit", params={"limit": 3, **cursor}).json()
        found += [item["reason"] for item in answer["items"]]
        engine.write(note(100, reason="new"))
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert found == [str(number) for number in reversed(range(10))]


def test_an_export_is_complete(client: Client, engine: Kept) -> None:
    """All lines of the span, oldest first, over many pages; the list says the same of each."""
    count = 2 * EXPORTED + 7
    engine.write(*(note(number % 5, reason=str(number)) for number in range(count)))
    found = exported(client)
    assert len(found) == count
    assert found == sorted(found, key=lambda line: (line["at"], line["number"]))
    assert {line["number"] for line in found} == set(range(1, count + 1))
    newest = client.get("/v1/audit", params={"limit": 1}).json()["items"]
    assert newest == found[-1:]
    assert engine.pages == 4


def test_an_export_takes_the_filters_of_the_list(client: Client, engine: Kept) -> None:
    """What is not asked for is not in the file."""
    engine.write(note(0), note(1, actor="bea"), note(2), note(3))
    until = "2026-01-01T12:00:03Z"
    assert [line["reason"] for line in exported(client, actor="ada", until=until)] == [
        "reason 0",
        "reason 2",
    ]


def test_an_export_ends_at_its_beginning(client: Client, engine: Kept, known: House) -> None:
    """Lines that are written while it runs are not in it: it has an end."""
    now = known.desk.clock.now()
    engine.write(note(0), note(0, at=now + 600_000))
    assert [line["number"] for line in exported(client)] == [1]


def test_an_export_as_csv(client: Client, engine: Kept) -> None:
    """A header, then a record a line; what a spreadsheet would calculate is text."""
    engine.write(
        note(0, reason='=HYPERLINK("http://evil.example","a")', actor="@ada"),
        note(1, reason='he said "x";\r\n-1+1', detail='{"priority":[5,9]}'),
    )
    answer = client.get("/v1/audit/export", params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; header=present; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="holdfast-audit.csv"'
    lines = answer.text.split("\r\n")
    assert len(lines) == 4
    head, *rows = csv.reader(io.StringIO(answer.text))
    assert tuple(head) == COLUMNS
    first, second = (dict(zip(COLUMNS, row, strict=True)) for row in rows)
    assert first["reason"] == '\'=HYPERLINK("http://evil.example","a")'
    assert first["actor"] == "'@ada"
    assert second["reason"] == 'he said "x"; \'-1+1'
    assert (second["before"], second["after"]) == ('{"priority":5}', '{"priority":9}')
    assert (second["number"], second["hash"]) == ("2", f"{2:064x}")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\t'=1"),
        ("\r=1", " '=1"),
        ("\n\x00=1", " '=1"),
        (" '\"=1", " '\"'=1"),
        ("\uff1d1", "'\uff1d1"),
        ('a;"=1', "a;\"'=1"),
        ("a; =1; +2", "a; '=1; '+2"),
        ("a=1, b-2", "a=1, b-2"),
        ("dlv_1", "dlv_1"),
        ("", ""),
    ],
)
def test_nothing_is_calculated(text: str, safe: str) -> None:
    """Whatever begins a formula begins with an apostrophe; other text stays."""
    assert harmless(text) == safe


def test_an_export_of_nothing(client: Client) -> None:
    """No line is an empty file, or a header alone."""
    assert client.get("/v1/audit/export").text == ""
    answer = client.get("/v1/audit/export", params={"format": "csv"})
    assert len(answer.text.splitlines()) == 1


def test_trouble_before_the_first_line_is_a_problem(client: Client, engine: Kept) -> None:
    """Nobody gets an empty file of a store that does not answer."""
    engine.breaks_at = 1
    answer = client.get("/v1/audit/export")
    assert (answer.status_code, answer.headers["content-type"]) == (
        503,
        "application/problem+json",
    )


async def test_a_broken_export_does_not_look_whole(engine: Kept, config: Config) -> None:
    """When the store fails half-way the answer breaks off, and the caller hears of it."""
    engine.write(*(note(number) for number in range(EXPORTED + 1)))
    engine.breaks_at = 2
    async with (
        serve(Api(engine, config, nobody(config)), "127.0.0.1", 0) as url,
        aiohttp.ClientSession(url) as session,
        session.get("/v1/audit/export") as answer,
    ):
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_an_export_waits_for_who_reads(engine: Kept, config: Config) -> None:
    """The next page is asked for when the one before it was taken: none pile up."""
    engine.write(*(note(number) for number in range(5 * EXPORTED)))
    taken, reads, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            taken.set()
            await reads.wait()
            if not message["more_body"]:
                ended.set()

    async def receive() -> MutableMapping[str, Any]:
        await ended.wait()
        return {"type": "http.disconnect"}

    app = Api(engine, config, nobody(config))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(app(dict(SCOPE), receive, send))
        await taken.wait()
        await SystemClock().pause(50)
        assert engine.pages == 1
        reads.set()
    assert engine.pages == 6


@pytest.fixture
def client_of(engine: Kept, config: Config, known: House) -> Callable[..., Any]:
    """Return what makes the client of a token with a role."""

    async def made(role: Role, account: str | None) -> Client:
        root = Principal(name="root", kind=Means.OWNER, role=Role.SUPER_ADMIN)
        issued = await known.staff.add_token(
            "t", role, account, only=(), days=None, by=root, why="a test"
        )
        server = msgspec.structs.replace(config.server, local_owner=False)
        app: Any = Api(engine, msgspec.structs.replace(config, server=server), known)
        client = TestClient(app, base_url="http://127.0.0.1:8420")
        client.headers["Authorization"] = f"Bearer {issued.secret}"
        return client

    return made


async def test_who_may_export(client_of: Callable[..., Any]) -> None:
    """An auditor, who may change nothing; a viewer may not."""
    auditor = await client_of(Role.AUDITOR, None)
    assert auditor.get("/v1/audit/export").status_code == 200
    assert auditor.get("/v1/audit").status_code == 200
    refused = auditor.post("/v1/recipients/acme/pause", json={"reason": "x"})
    assert refused.status_code == 403
    viewer = await client_of(Role.VIEWER, None)
    assert viewer.get("/v1/audit/export").status_code == 403


async def test_an_account_sees_its_own_lines(engine: Kept, client_of: Callable[..., Any]) -> None:
    """Of the journal, and of the export: its own, and what happened to its lanes."""
    engine.write(
        note(0, account="default", subject="dlv_1"),
        note(1, account="other", subject="dlv_2"),
        note(2, actor="engine", action="gate", subject="acme"),
        note(3, subject="user:root"),
    )
    client = await client_of(Role.AUDITOR, "default")
    assert shown(client) == ["reason 2", "reason 0"]
    assert [line["reason"] for line in exported(client)] == ["reason 0", "reason 2"]
    assert exported(client, subject="dlv_2") == []
