"""A real browser in front of a real Holdfast with simulated partners."""

import itertools
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

ROOT: Final = Path(__file__).parents[2]
SHOTS: Final = ROOT / "build" / "console"
"""Where the pictures of the pages go; git ignores it."""
AXE: Final = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_SLOW_MS: Final = 20_000

Call = Callable[..., Any]
Open = Callable[..., Page]


def chromium() -> str:
    """Return the browser: `HOLDFAST_CHROMIUM`, or the first of the usual names."""
    named = os.environ.get("HOLDFAST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    assert found is not None, (
        "the browser tests need Chromium: apt-get install chromium, or set HOLDFAST_CHROMIUM "
        "to the program of another one"
    )
    return found


@contextmanager
def demo(data: Path, *options: str, **environ: str) -> Iterator[str]:
    """Run `holdfast demo` and give its address."""
    command = Path(sys.executable).with_name("holdfast")
    with subprocess.Popen(
        [command, "demo", "--plain", "--port", "0", "--data", str(data), *options],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "200"} | environ,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("http"), line
            lines = threading.Thread(target=process.stdout.readlines, daemon=True)
            lines.start()  # it must not stop because nobody reads what it says
            yield line.split()[0]
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a demo whose `sleeper` is down for the whole session's first minute."""
    with demo(tmp_path_factory.mktemp("demo"), "--rate", "12") as found:
        yield found


@pytest.fixture(scope="session")
def call(url: str) -> Call:
    """Return a function that asks the API."""

    def ask(path: str, body: dict[str, object] | None = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(url + path, data, headers)  # noqa: S310  # our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own
            return msgspec.json.decode(answer.read())

    return ask


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return Chromium, headless, with a profile of its own."""
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium(), args=[*FLAGS])
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser, url: str) -> Iterator[Open]:
    """Return a function that opens a page of the console in a fresh profile.

    A script error, a message of the content security policy or a request that leaves our own
    address fails the test.
    """
    contexts: list[BrowserContext] = []
    heard: list[str] = []

    def told(message: ConsoleMessage) -> None:
        expected = "Failed to load resource" in message.text
        if message.type == "error" and not expected:
            heard.append(message.text)

    def start(path: str = "/", *, at: str = url, **options: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1360, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_SLOW_MS)
        page.on("console", told)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on(
            "request",
            lambda sent: None if sent.url.startswith((at, "data:")) else heard.append(sent.url),
        )
        page.goto(at + path)
        page.get_by_role("heading", level=1).first.wait_for()
        return page

    yield start
    for context in contexts:
        context.close()
    assert heard == []


def polled(check: Callable[[], Any], times: int = 300) -> Any:
    """Return the first truth that `check` gives, or fail."""
    wait = threading.Event().wait
    for _ in itertools.repeat(None, times):
        if found := check():
            return found
        wait(0.1)
    raise AssertionError("it did not come about within 30 s")
