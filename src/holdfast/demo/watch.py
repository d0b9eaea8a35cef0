"""Looks at a running Holdfast through its API, a few times a second, and feeds a picture."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import msgspec
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from rich.console import Console
from rich.live import Live

from holdfast.clock import Clock
from holdfast.demo import answers
from holdfast.demo.dashboard import screen, status_line
from holdfast.demo.picture import Picture
from holdfast.errors import HoldfastError

REFRESH_MS: Final = 250
PLAIN_MS: Final = 2000
_PAGE: Final = 1000
_PAGES_MAX: Final = 10
"""Most pages of events in one look; a longer backlog is taken in by the next looks."""
_REVIEW: Final = 20


class Unreachable(HoldfastError):
    """The API did not answer, or not with what was asked for."""

    code = "UNREACHABLE"


@asynccontextmanager
async def connected(url: str, token: str | None) -> AsyncIterator["Watch"]:
    """Open a watch on the API at `url` and close it afterwards."""
    builder = ClientBuilder().timeout(timedelta(seconds=10)).follow_redirects(enable=False)
    if token:
        builder = builder.default_headers({"Authorization": f"Bearer {token}"})
    async with builder.no_proxy().build() as client:
        yield Watch(client, url)


class Watch:
    """Reads what a picture needs.

    Args:
        client: with the token already in its headers.
        url: address of the API.
    """

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/")

    async def start(self, picture: Picture, now: int) -> None:
        """Take the first look; what happened before it is not told."""
        newest = await self._items("/v1/events", limit=1)
        picture.position = newest[0]["position"] if newest else 0
        await self.look(picture, now)

    async def look(self, picture: Picture, now: int) -> None:
        """Take one look at lanes, events and the review queue.

        Raises:
            Unreachable: no answer, or a refusal.
        """
        lanes = await self._items("/v1/recipients")
        picture.see_lanes([answers.lane(item) for item in lanes], now)
        for _ in range(_PAGES_MAX):
            after = picture.position
            found = await self._items("/v1/events", after_id=after, limit=_PAGE)
            picture.see_events([answers.event(item) for item in found], now)
            if len(found) < _PAGE or picture.position == after:
                break
        if picture.totals.dead:
            dead = await self._items("/v1/deliveries", status="dead", limit=_REVIEW)
            picture.review = [answers.dead(item) for item in dead]
        else:
            picture.review = []

    async def _items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        given = [(name, str(value)) for name, value in query.items()]
        try:
            request = self._client.get(self._url + path).query(given)
            response = await request.build().send()
            body = bytes(await response.bytes())
        except PyreqwestError as error:
            raise Unreachable(f"{self._url} did not answer: {error.args[0]}") from error
        if response.status != 200:
            raise Unreachable(f"{self._url}{path}: HTTP {response.status}: {body[:200]!r}")
        found: list[dict[str, Any]] = msgspec.json.decode(body)["items"]
        return found


async def show(
    watch: Watch, picture: Picture, *, console: Console, clock: Clock, title: str, plain: bool
) -> None:
    """Refresh the screen (or print status lines when `plain`) until cancelled."""
    if plain:
        await _print_lines(watch, picture, console=console, clock=clock)
        return

    def draw() -> Any:
        size = console.size
        return screen(picture, title=title, now=clock.now(), width=size.width, height=size.height)

    with Live(draw(), console=console, auto_refresh=False, screen=True) as live:
        while True:
            await _look(watch, picture, clock)
            live.update(draw(), refresh=True)
            await clock.pause(REFRESH_MS)


async def _print_lines(watch: Watch, picture: Picture, *, console: Console, clock: Clock) -> None:
    while True:
        await _look(watch, picture, clock)
        line = picture.unreachable or status_line(picture, now=clock.now())
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        await clock.pause(PLAIN_MS)


async def _look(watch: Watch, picture: Picture, clock: Clock) -> None:
    """Look once; an API that is away for a moment is part of the picture."""
    try:
        await watch.look(picture, clock.now())
        picture.unreachable = None
    except Unreachable as error:
        picture.unreachable = str(error)
