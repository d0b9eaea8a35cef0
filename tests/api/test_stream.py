"""`/v1/stream` through the whole door: what a browser gets, resumes, and is refused."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from holdfast.api import Api
from holdfast.config import Config
from holdfast.engine.broadcast import LISTENERS_MAX, WORDS_MAX
from holdfast.errors import StoreAway
from holdfast.model.access import Means, Principal, Role
from holdfast.model.attempt import Attempt, Event, NextAction, Partner, Result, Trigger
from holdfast.model.stream import Topic
from holdfast.testing.clock import VirtualClock, run
from holdfast.testing.memory import MemoryEngine
from holdfast.testing.people import nobody

ROOT = Principal(name="root", kind=Means.OWNER, role=Role.SUPER_ADMIN)


class Browser:
    """One open stream, as ASGI sees it.

    Args:
        app: the door.
        query: the query string.
        headers: besides `Host`.
    """

    def __init__(self, app: Api, query: str = "", **headers: str) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.text = ""
        self.over = False
        self.reads = asyncio.Event()
        self.reads.set()
        self._hangs_up = asyncio.Event()
        given = [(b"host", b"127.0.0.1")]
        given += [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        scope = {
            "type": "http", "method": "GET", "path": "/v1/stream", "headers": given,
            "query_string": query.encode(),
        }  # fmt: skip
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._hangs_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
            return
        await self.reads.wait()
        self.text += message["body"].decode()
        self.over = not message.get("more_body", False)

    def leave(self) -> None:
        """Hang up."""
        self._hangs_up.set()

    @property
    def words(self) -> list[tuple[str, Any]]:
        """Return (event, data) of every word so far."""
        blocks = [dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
                  for block in self.text.split("\n\n") if block]  # fmt: skip
        return [(block["event"], json.loads(block["data"])) for block in blocks if block]


def event(position: int) -> Event:
    """Return a try."""
    attempt = Attempt(
        f"evt_{position}", "evt_1", f"dlv_{position}", "msg_1", "default", "leads", "acme", "acme",
        "main", "delivery", 0, 0, 0, trigger=Trigger.AUTOMATIC, counted=True,
        trigger_detail="first", retry_timestamp=0, retry_outcome="success", outcome=Result.SUCCESS,
        retryable=False, request_timestamp=0, acknowledgment_timestamp=5, latency_ms=5,
        processing_time_ms=5.0, configuration="p", next_action=NextAction("done"), context="c",
        partner=Partner("closed", 1.0),
    )  # fmt: skip
    return Event(position, attempt, msgspec.Raw(b"{}"), msgspec.Raw(b"{}"), None)


@pytest.fixture
def clock() -> VirtualClock:
    """Return virtual time."""
    return VirtualClock()


@pytest.fixture
def engine(config: Config, clock: VirtualClock) -> MemoryEngine:
    """Return an engine in virtual time."""
    return MemoryEngine(config.catalog, clock=clock)


@pytest.fixture
def closed(config: Config) -> Config:
    """Return a configuration under which whoever shows nothing is nobody."""
    server = msgspec.structs.replace(config.server, local_owner=False)
    return msgspec.structs.replace(config, server=server)


def test_a_browser_hears_what_happens(
    engine: MemoryEngine, config: Config, clock: VirtualClock
) -> None:
    """Hello, the lanes, then words with ids; the headers keep caches and proxies out."""

    async def main() -> None:
        browser = Browser(Api(engine, config, nobody(config)))
        await clock.pause(100)
        assert browser.status == 200
        assert browser.headers[b"content-type"] == b"text/event-stream"
        assert browser.headers[b"cache-control"] == b"no-store"
        assert [name for name, _ in browser.words] == ["hello", "lanes"]
        engine.journal.append(event(7))
        await engine.pause("acme", actor="ann", reason="because")
        await clock.pause(600)
        words = dict(browser.words[2:])
        assert words["events"] == {"position": 7, "new": 1, "more": False}
        assert words["deliveries"]["changed"][0]["id"] == "dlv_7"
        assert [one["recipient"] for one in words["lanes"]["changed"]] == ["acme"]
        assert "id: 7\nevent: events" in browser.text
        browser.leave()
        await browser.task
        await clock.pause(600)
        assert engine.broadcast.listeners == 0

    run(main(), clock)


def test_a_stream_ends_with_the_token(
    engine: MemoryEngine, closed: Config, clock: VirtualClock
) -> None:
    """Whoever is known no more hears no more, at the next word; the others hear on."""
    known = nobody(closed, clock=clock)

    async def main() -> None:
        app = Api(engine, closed, known)
        browsers = []
        for name in ("stays", "goes"):
            made = await known.staff.add_token(
                name, Role.VIEWER, None, only=(), days=None, by=ROOT, why="a test"
            )
            browsers.append(Browser(app, authorization=f"Bearer {made.secret}"))
        stays, goes = browsers
        await clock.pause(3_000)
        await known.staff.revoke_token(made.token.id, by=ROOT, why="it leaked")
        await clock.pause(3_000)
        engine.journal.append(event(7))
        await clock.pause(1_000)
        assert goes.over
        assert [name for name, _ in goes.words] == ["hello", "lanes"]
        assert "events" in dict(stays.words)
        stays.leave()
        await stays.task

    run(main(), clock)


def test_a_stream_outlives_a_store_that_is_away(
    engine: MemoryEngine, closed: Config, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can be asked who is known then, and it says nothing against who listens."""
    known = nobody(closed, clock=clock)

    async def away(kind: str, key: str) -> None:
        raise StoreAway(f"{kind} {key}")

    async def main() -> None:
        made = await known.staff.add_token(
            "desk", Role.VIEWER, None, only=(), days=None, by=ROOT, why="a test"
        )
        browser = Browser(Api(engine, closed, known), authorization=f"Bearer {made.secret}")
        await clock.pause(3_000)
        with monkeypatch.context() as patched:
            patched.setattr(known.desk.people, "record", away)
            await clock.pause(60_000)  # it beats
        engine.journal.append(event(7))
        await clock.pause(3_000)
        assert not browser.over
        assert "events" in dict(browser.words)
        browser.leave()
        await browser.task

    run(main(), clock)


@pytest.mark.parametrize("header", [True, False])
def test_a_browser_goes_on_where_it_broke_off(
    engine: MemoryEngine, config: Config, clock: VirtualClock, *, header: bool
) -> None:
    """By the header of a reconnecting browser, or by the parameter."""

    async def main() -> None:
        engine.journal += [event(1), event(2), event(3)]
        app = Api(engine, config, nobody(config))
        place = {"last_event_id": "1"} if header else {}
        query = "topics=events" if header else "topics=events&after_id=1"
        browser = Browser(app, query, **place)
        await clock.pause(100)
        assert browser.words[1:] == [("events", {"position": 3, "new": 2, "more": False})]
        browser.leave()
        await browser.task

    run(main(), clock)


def test_a_browser_that_does_not_read_is_let_go(
    engine: MemoryEngine, config: Config, clock: VirtualClock
) -> None:
    """Its request ends and leaves nothing behind, though it never took a byte."""

    async def main() -> None:
        browser = Browser(Api(engine, config, nobody(config)), "topics=events")
        await clock.pause(100)
        browser.reads.clear()
        for position in range(1, WORDS_MAX + 5):
            engine.journal.append(event(position))
            await clock.pause(500)
        await clock.pause(3_000)
        assert browser.task.done()
        assert engine.broadcast.listeners == 0

    run(main(), clock)


def test_a_stream_ends_with_a_word_when_holdfast_stops(
    engine: MemoryEngine, config: Config, clock: VirtualClock
) -> None:
    """So that a browser comes back to the next process, and the server can end."""

    async def main() -> None:
        browser = Browser(Api(engine, config, nobody(config)))
        await clock.pause(100)
        engine.broadcast.close()
        await browser.task
        assert browser.over
        assert browser.words[-1][0] == "end"

    run(main(), clock)


def test_one_listener_too_many_is_told_when_to_come_back(
    engine: MemoryEngine, config: Config, clock: VirtualClock
) -> None:
    """503 with Retry-After and the way without a stream; the others go on."""

    async def main() -> None:
        app = Api(engine, config, nobody(config))
        browsers = [Browser(app) for _ in range(LISTENERS_MAX + 1)]
        await clock.pause(100)
        assert sorted(one.status for one in browsers) == [*[200] * LISTENERS_MAX, 503]
        (late,) = [one for one in browsers if one.status == 503]
        assert late.headers[b"retry-after"] == b"30"
        assert "/v1/events?after_id=" in json.loads(late.text)["detail"]
        for one in browsers:
            one.leave()
        await asyncio.gather(*(one.task for one in browsers))

    run(main(), clock)


@pytest.mark.parametrize(
    ("path", "headers", "field"),
    [
        ("/v1/stream?topics=weather", {}, "topics"),
        ("/v1/stream?topics=", {}, "topics"),
        ("/v1/stream?after_id=-1", {}, "after_id"),
        ("/v1/stream?colour=red", {}, "colour"),
        ("/v1/stream", {"Last-Event-ID": "7x"}, "last-event-id"),
        ("/v1/stream", {"Last-Event-ID": "9" * 16}, "last-event-id"),
    ],
)
def test_bad_streams_are_refused(
    client: TestClient[Any], path: str, headers: dict[str, str], field: str
) -> None:
    """The wrong parameter is named, with what is allowed."""
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_stream_is_only_read_and_only_with_the_token(
    client: TestClient[Any], locked: TestClient[Any]
) -> None:
    """The guard and the method are asked as on every route."""
    answer = client.post("/v1/stream")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert locked.get("/v1/stream").status_code == 401
    assert len(set(Topic)) == 5
