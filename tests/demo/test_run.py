"""The demo as a whole: its configuration, its source of leads, its watch, and the real thing."""

import io
import re
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from pyreqwest.client import ClientBuilder
from rich.console import Console

from holdfast.api.server import serve
from holdfast.clock import SystemClock
from holdfast.demo.feeder import Feeder, burst
from holdfast.demo.leads import leads
from holdfast.demo.partners import Kind
from holdfast.demo.picture import Picture
from holdfast.demo.run import Options, configuration
from holdfast.demo.watch import Unreachable, connected, show

Message = MutableMapping[str, Any]
URLS = {kind: f"http://127.0.0.1:{9000 + number}" for number, kind in enumerate(Kind)}


class Fake:
    """A real server that answers reads with canned items and takes every message."""

    def __init__(self) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.posts: list[tuple[str, int]] = []
        self.status = 202

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        body, status = (await receive()).get("body", b""), 200
        if scope["method"] == "POST":
            self.posts.append((scope["path"], len(body.splitlines())))
            status = self.status
        answer = {"items": self.items.get(scope["path"], []), "next_cursor": None}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": msgspec.json.encode(answer)})


def test_the_configuration_is_a_real_file(tmp_path: Path) -> None:
    """It is written into a private folder, loads, and names the partners' addresses."""
    folder = tmp_path / "new" / "demo"
    config = configuration(Options(data=folder, port=0), URLS, {})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert config.data == folder
    assert {name: lane.endpoints[0].url for name, lane in config.catalog.recipients.items()} == {
        kind: f"{url}/leads" for kind, url in URLS.items()
    }
    assert all(flow.mask == ("ssn", "phone") for flow in config.catalog.flows.values())
    assert "@" not in re.sub(r"#.*", "", (folder / "holdfast.toml").read_text())


def test_bursts_average_to_the_rate() -> None:
    """The stream is uneven but keeps its rate."""
    some = [burst(tick / 10) for tick in range(2000)]
    assert sum(some) / len(some) == pytest.approx(1.0, abs=0.01)
    assert max(some) > 2 * min(some)


async def test_the_feeder_uses_the_real_routes() -> None:
    """Few leads go one by one, many as a batch; every tenth takes the sequential flow."""
    fake = Fake()
    async with (
        serve(fake, "127.0.0.1", 0) as url,
        ClientBuilder().timeout(timedelta(seconds=5)).build() as client,
    ):
        feeder = Feeder(client, url, clock=SystemClock(), rate=10, seed=1)
        await feeder.send(islice(leads(1, "a"), 3))
        await feeder.send(islice(leads(1, "b"), 27))
        fake.status = 503
        await feeder.send(islice(leads(1, "c"), 1))
    assert fake.posts[:3] == [("/v1/flows/leads/messages", 1)] * 3
    assert ("/v1/flows/leads/messages/batch", 24) in fake.posts
    assert fake.posts.count(("/v1/flows/priority-leads/messages", 1)) == 3
    assert (feeder.taken, feeder.refused) == (30, {503: 1})


async def test_the_watch_reads_what_the_screen_needs() -> None:
    """Lanes, new events and the review queue come from the API; old events are not told."""
    fake = Fake()
    dead = {"position": 7, "delivery_id": "dlv_1", "recipient": "acme", "attempt_number": 1}
    fake.items["/v1/events"] = [dead | {"outcome": "success"}]
    fake.items["/v1/recipients"] = [{"recipient": "acme", "created": 3, "delivered": 2, "dead": 1}]
    fake.items["/v1/deliveries"] = [{"id": "dlv_2", "recipient": "acme", "reason": "Duplicate"}]
    picture = Picture()
    async with serve(fake, "127.0.0.1", 0) as url, connected(url, None) as watch:
        await watch.start(picture, 1)
        assert list(picture.lines) == []
        fake.items["/v1/events"] = [dead | {"outcome": "success", "position": 8}]
        await watch.look(picture, 2)
    assert picture.totals.adds_up
    assert [found.reason for found in picture.review] == ["Duplicate"]
    assert (picture.by_retry, picture.position, len(picture.lines)) == (1, 8, 1)


async def test_a_watch_without_an_api_says_so() -> None:
    """Nobody at the address is an error that names it; on the screen it is a line."""
    async with connected("http://127.0.0.1:9", None) as watch:
        with pytest.raises(Unreachable, match=r"^http://127\.0\.0\.1:9 did not answer"):
            await watch.look(Picture(), 1)


class Once(SystemClock):
    """A clock whose sleeps end the loop under test."""

    async def pause(self, ms: float) -> None:
        """Refuse to sleep."""
        raise EOFError(ms)


@pytest.mark.parametrize("plain", [True, False])
async def test_the_screen_and_the_lines_show_the_same(*, plain: bool) -> None:
    """Both ways of showing draw the lanes that were read."""
    fake = Fake()
    lane = {"recipient": "acme", "created": 2, "delivered": 2, "paused": "release"}
    fake.items["/v1/recipients"] = [lane]
    console = Console(file=io.StringIO(), width=100, height=24, force_terminal=not plain)
    async with serve(fake, "127.0.0.1", 0) as url, connected(url, None) as watch:
        with pytest.raises(EOFError):
            await show(
                *(watch, Picture()), console=console, clock=Once(), title="Holdfast", plain=plain
            )
    assert isinstance(console.file, io.StringIO)
    assert "paused: release" in console.file.getvalue()


@pytest.mark.slow
def test_the_demo_runs_and_its_counts_agree(tmp_path: Path) -> None:
    """`holdfast demo` prints its address first, runs, and the partners' own counts agree."""
    program = [sys.executable, "-c", "from holdfast.cli import main; main()"]
    options = ["--seconds", "8", "--port", "0", "--rate", "10", "--plain"]
    for _ in range(2):
        done = subprocess.run(
            [*program, "demo", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert re.match(r"http://127\.0\.0\.1:\d+\n", done.stdout)
        assert "They agree." in done.stdout
        assert "holdfast show" in done.stdout
    left = [found for found in psutil.process_iter(["cwd"]) if found.info["cwd"] == str(tmp_path)]
    assert left == []
