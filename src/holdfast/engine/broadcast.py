"""Tells listeners what changed: debounced, resumable, and without memory for those who do not read.

Words are hints, never the truth: a page that hears one loads what it shows. While nobody listens
nothing is looked at; while somebody does, the journal is asked for what is new twice a second, once
for all listeners, so that it costs the same for one as for many.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from holdfast.clock import Clock
from holdfast.errors import Overloaded, StoreError
from holdfast.model.attempt import Step
from holdfast.model.stream import (
    DeliveriesWord,
    DeliveryWord,
    EndWord,
    EventsWord,
    GroupWord,
    HelloWord,
    LanesWord,
    LaneWord,
    OperationWord,
    ResetWord,
    Topic,
)
from holdfast.telemetry import LogEvent, log

LISTENERS_MAX: Final = 64
DEBOUNCE_MS: Final = 500
"""Words are at least so far apart."""
BEAT_MS: Final = 15_000
"""A line without meaning goes out so often, so that both ends see whether the other lives."""
WORDS_MAX: Final = 64
"""A listener with so many words unread is let go."""
NAMED_MAX: Final = 200
"""Most things that one word names."""
STEPS_MAX: Final = 1_000
"""Most tries of one look; who missed more is told to load everything anew."""
BEAT: Final = b": beat\n\n"
_ENCODER: Final = msgspec.json.Encoder()


Audience = tuple[str, frozenset[str]]
"""An account, and the recipients of it."""


T = TypeVar("T", Step, LaneWord, DeliveryWord)


class Trail(Protocol):
    """What is needed of a store."""

    async def trail(self, after: int, limit: int) -> list[Step]:
        """Return what was tried after a position, oldest first."""
        ...

    async def last_position(self) -> int:
        """Return the position up to which `trail` shows everything."""
        ...


class Listener:
    """One who listens: a short queue of words, ready to be sent.

    Args:
        topics: what it wants to hear of.
        scope: the only account that it hears of, with its recipients; None: all.
    """

    def __init__(self, topics: Iterable[Topic], scope: Audience | None = None) -> None:
        self.topics = frozenset(topics)
        self.scope = scope
        self.ended = asyncio.Event()
        """Set when nothing more will be added."""
        self._words: deque[bytes] = deque()
        self._news = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Return how many words it has not read."""
        return len(self._words)

    def add(self, word: bytes) -> None:
        """Queue a word."""
        if not self.ended.is_set():
            self._words.append(word)
            self._news.set()

    def end(self, word: bytes) -> None:
        """Let it go; what it has not read is forgotten, but for this word."""
        self._words.clear()
        self.add(word)
        self.ended.set()
        self._news.set()

    async def next(self) -> bytes | None:
        """Return everything queued, joined, when there is something; None after the end."""
        while not self._words:
            if self.ended.is_set():
                return None
            self._news.clear()
            await self._news.wait()
        found = b"".join(self._words)
        self._words.clear()
        return found


class Broadcast:
    """Looks at what changed and tells it to all listeners.

    Args:
        trail: the journal.
        clock: time between looks.
        lanes: returns how every lane stands.
    """

    def __init__(self, trail: Trail, clock: Clock, lanes: Callable[[], Sequence[LaneWord]]) -> None:
        self._trail = trail
        self._clock = clock
        self._lanes = lanes
        self._listeners: set[Listener] = set()
        self._touched: dict[str, DeliveryWord] = {}
        self._known: Mapping[str, LaneWord] = {}
        self._position = 0
        self._beaten = 0.0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def listeners(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    async def listen(
        self, topics: Iterable[Topic], after: int | None, scope: Audience | None = None
    ) -> Listener:
        """Begin to tell; `after` is the last position that the listener heard of.

        `scope` is the only account that it hears of, and the recipients of that; None: all.

        Raises:
            Overloaded: too many listen, or it is closed.
        """
        listener = Listener(topics, scope)
        if self._closed:
            raise Overloaded("Holdfast is stopping", 5)
        if len(self._listeners) >= LISTENERS_MAX:
            raise Overloaded(
                f"{LISTENERS_MAX} listen already; ask GET /v1/events?after_id= instead", 30
            )
        self._listeners.add(listener)
        try:
            await self._greet(listener, after)
        except BaseException:
            self._listeners.discard(listener)
            raise
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)

    def changed(self, delivery_id: str, recipient: str) -> None:
        """Note that a person changed a delivery."""
        if self._listeners and len(self._touched) <= NAMED_MAX:
            self._touched[delivery_id] = DeliveryWord(delivery_id, recipient)

    def tell(self, data: OperationWord | GroupWord) -> None:
        """Tell at once how an operation gets on, or that a group changed."""
        topic = Topic.OPERATIONS if isinstance(data, OperationWord) else Topic.GROUPS
        for scope in self._scopes():
            if scope is None or scope[0] == data.account:
                self._send(topic, data, scope)

    def close(self) -> None:
        """Let everybody go, with a word, and take nobody any more."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        for listener in tuple(self._listeners):
            listener.end(self._word("end", EndWord("Holdfast is stopping; come back")))
        self._listeners.clear()

    async def _greet(self, listener: Listener, after: int | None) -> None:
        position = await self._trail.last_position()
        if self._task is None:
            self._position = position
            self._known = {one.recipient: one for one in self._lanes()}
            self._task = asyncio.create_task(self._run(), name="broadcast")
        hello = HelloWord(position, sorted(listener.topics))
        listener.add(b"retry: 2000\n" + self._word("hello", hello, position))
        if Topic.LANES in listener.topics:
            word = _lanes(_inside(self._known.values(), listener.scope))
            listener.add(self._word(Topic.LANES, word, position))
        if after is not None and after != position:
            await self._catch_up(listener, after, position)

    async def _catch_up(self, listener: Listener, after: int, position: int) -> None:
        """Tell what was missed, or that it is too much."""
        steps = await self._trail.trail(after, STEPS_MAX)
        if after > position or len(steps) == STEPS_MAX:
            reason = "too much was missed" if after < position else "the position is unknown here"
            listener.add(self._word("reset", ResetWord(position, reason), position))
            return
        for topic, word in _tried(_inside(steps, listener.scope), {}):
            if topic in listener.topics:
                listener.add(self._word(topic, word, steps[-1].position))

    async def _run(self) -> None:
        while self._listeners:
            await self._clock.pause(DEBOUNCE_MS)
            try:
                await self._look()
            except StoreError as error:  # the next look tells what this one missed
                log(LogEvent.STORE_ERROR, error=str(error))
            self._beat()
        self._task = None

    async def _look(self) -> None:
        """Tell what is new since the last look."""
        steps = await self._trail.trail(self._position, STEPS_MAX)
        touched, self._touched = self._touched, {}
        if steps:
            self._position = steps[-1].position
        lanes = {one.recipient: one for one in self._lanes()}
        moved = [one for name, one in lanes.items() if self._known.get(name) != one]
        self._known = lanes
        more = len(steps) == STEPS_MAX
        for scope in self._scopes():
            own = {one.id: one for one in _inside(touched.values(), scope)}
            for topic, word in _tried(_inside(steps, scope), own, more=more):
                self._send(topic, word, scope)
            if changed := _inside(moved, scope):
                self._send(Topic.LANES, _lanes(changed), scope)

    def _scopes(self) -> set[Audience | None]:
        """Return whom there is to tell: words are made once for all who hear the same."""
        return {one.scope for one in self._listeners}

    def _beat(self) -> None:
        now = self._clock.monotonic()
        if now - self._beaten >= BEAT_MS:
            self._beaten = now
            for listener in tuple(self._listeners):
                self._give(listener, BEAT)

    def _send(self, topic: Topic, data: msgspec.Struct, scope: Audience | None) -> None:
        word = self._word(topic, data, self._position)
        for listener in tuple(self._listeners):
            if listener.scope == scope and topic in listener.topics:
                self._give(listener, word)

    def _give(self, listener: Listener, word: bytes) -> None:
        if listener.waiting < WORDS_MAX:
            listener.add(word)
            return
        log(LogEvent.LISTENER_DROPPED, waiting=listener.waiting)
        self._listeners.discard(listener)
        listener.end(self._word("end", EndWord("too slow: words were not read in time")))

    @staticmethod
    def _word(name: str, data: msgspec.Struct, position: int | None = None) -> bytes:
        """Return a word as an event of `text/event-stream`."""
        mark = b"" if position is None else b"id: %d\n" % position
        return b"%sevent: %s\ndata: %s\n\n" % (mark, name.encode(), _ENCODER.encode(data))


def _inside(things: Iterable[T], scope: Audience | None) -> list[T]:
    """Return what a scope may hear of."""
    return [one for one in things if scope is None or one.recipient in scope[1]]


def _tried(
    steps: Sequence[Step], touched: Mapping[str, DeliveryWord], *, more: bool = False
) -> Iterable[tuple[Topic, msgspec.Struct]]:
    """Yield the words about tries, and about what people changed."""
    changed = dict(touched)
    for step in steps:
        changed[step.delivery_id] = DeliveryWord(step.delivery_id, step.recipient, step.outcome)
    if changed:
        named = list(changed.values())[-NAMED_MAX:]
        yield Topic.DELIVERIES, DeliveriesWord(named, more or len(changed) > NAMED_MAX)
    if steps:
        yield Topic.EVENTS, EventsWord(steps[-1].position, len(steps), more)


def _lanes(lanes: list[LaneWord]) -> LanesWord:
    return LanesWord(lanes[:NAMED_MAX], len(lanes) > NAMED_MAX)
