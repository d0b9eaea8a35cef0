"""A real browser in front of a real Holdfast with simulated partners."""

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from holdfast.testing.browser import FLAGS, chromium, demo

_SLOW_MS: Final = 60_000

Call = Callable[..., Any]
Open = Callable[..., Page]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the folder of the pictures."""
    parser.addoption("--shots", help="folder where pictures of every page are kept")


@pytest.fixture(scope="session")
def shots(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the pictures: `--shots`, or one that is thrown away."""
    wanted: str | None = request.config.getoption("shots", None)
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a demo whose `sleeper` is down for the whole session's first minute."""
    with demo(tmp_path_factory.mktemp("demo"), "--rate", "6") as found:
        yield found


def asking(url: str) -> Call:
    """Return a function that asks the API at an address."""

    def ask(path: str, body: object = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(url + path, data, headers)  # noqa: S310  # our own
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own
            return msgspec.json.decode(answer.read())

    return ask


@pytest.fixture(scope="session")
def ask_at() -> Callable[[str], Call]:
    """Return a function that makes one that asks the API at an address."""
    return asking


@pytest.fixture(scope="session")
def call(url: str) -> Call:
    """Return a function that asks the demo's API."""
    return asking(url)


@pytest.fixture(scope="module")  # while it lives, no other test of the process can run a loop
def browser() -> Iterator[Browser]:
    """Return Chromium, headless, with a profile of its own."""
    expect.set_options(timeout=_SLOW_MS)
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
