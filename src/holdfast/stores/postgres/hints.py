"""Hints between workers: LISTEN and NOTIFY, on a connection of its own.

NOTIFY makes commits queue up behind each other, hence it never goes with one. A payload takes less
than 8000 bytes. Behind a transaction pooler nothing is ever heard; polling does without.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from holdfast.clock import Clock
from holdfast.errors import StoreError
from holdfast.model.worker import Hint
from holdfast.stores.postgres.address import Address
from holdfast.stores.postgres.session import Backoff, connect, translated
from holdfast.stores.postgres.sql import one

CHANNEL: Final = "holdfast"
PAYLOAD_MAX: Final = 7_900
WAITING_MAX: Final = 10_000
"""Hints that nobody has looked at yet; beyond that one stands for all."""
_HINTS: Final = msgspec.json.Decoder(list[tuple[str, str]])
_MISSED: Final = Hint(missed=True)


class Listener:
    """Hears what others notify; listens again by itself when its connection breaks.

    Args:
        address: of the database.
        clock: for the pauses between tries.
    """

    def __init__(self, address: Address, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._backoff = Backoff(clock)
        self._connection: asyncpg.Connection | None = None
        self._heard: list[Hint] = []
        self._news = asyncio.Event()

    async def hints(self) -> tuple[Hint, ...]:
        """Wait for hints and return them; an empty one first after a time of not listening."""
        if self._connection is None or self._connection.is_closed():
            await self._listen()
            self._hear([_MISSED])
        await self._news.wait()
        self._news.clear()
        heard, self._heard = self._heard, []
        return tuple(dict.fromkeys(heard))

    async def close(self) -> None:
        """Listen no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.remove_termination_listener(self._broken)
            connection.terminate()

    async def _listen(self) -> None:
        while True:
            try:
                connection = await connect(self._address, self._backoff)
                try:
                    with translated(self._address.label):
                        await connection.add_listener(CHANNEL, self._told)
                except BaseException:
                    connection.terminate()
                    raise
            except StoreError as error:
                await self._clock.pause(self._backoff.failed(str(error)))
            else:
                self._backoff.succeeded()
                self._connection = connection
                connection.add_termination_listener(self._broken)
                return

    def _broken(self, connection: Any) -> None:
        if connection is self._connection:
            self._connection = None
            self._hear([_MISSED])

    def _told(self, connection: Any, pid: int, channel: str, payload: object) -> None:
        del connection, pid, channel
        try:
            told = [Hint(*each) for each in _HINTS.decode(str(payload))]
        except msgspec.MsgspecError:
            told = [_MISSED]  # from a version that says it differently
        self._hear(told)

    def _hear(self, hints: list[Hint]) -> None:
        self._heard += hints
        if len(self._heard) > WAITING_MAX:
            self._heard = [_MISSED]
        self._news.set()


async def notify(connection: asyncpg.Connection, hints: Sequence[Hint]) -> None:
    """Tell everybody who listens."""
    for payload in _payloads(hints):
        await one(connection, "notify", payload=payload)


def _payloads(hints: Sequence[Hint]) -> Iterator[str]:
    """Yield JSON arrays of [recipient, delivery id], each short enough for one message."""
    group: list[bytes] = []
    size = 2
    for hint in hints:
        text = msgspec.json.encode((hint.recipient, hint.delivery_id))
        if size + len(text) + 1 > PAYLOAD_MAX and group:
            yield f"[{b','.join(group).decode()}]"
            group, size = [], 2
        group.append(text)
        size += len(text) + 1
    if group:
        yield f"[{b','.join(group).decode()}]"
