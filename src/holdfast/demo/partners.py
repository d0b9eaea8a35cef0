"""Four simulated partners, each a real HTTP server in a process of its own.

    python -m holdfast.demo.partners flaky --port 9102

answers `POST /leads` and `GET /stats`. All of them recognise a repeated `Idempotency-Key` and give
the first answer again, so that "received once" can be proven by counting.
"""

import argparse
import asyncio
import functools
import json
import os
import random
import re
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from enum import StrEnum
from typing import Any, Final

import msgspec
import uvicorn

from holdfast.clock import Clock, SystemClock

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_BACKLOG: Final = 1024
_BODY_MAX: Final = 1_000_000
_REMEMBERED_MAX: Final = 500_000
"""Keys and people a partner remembers; far more than a demo sends."""


class Kind(StrEnum):
    """What a partner is like; also the recipient's name in the demo."""

    ACME = "acme"
    """Healthy: answers within 5-40 ms."""
    FLAKY = "flaky"
    """Three of ten requests get a 503, a few more a 504 although the lead was taken."""
    RATELIMITED = "ratelimited"
    """Answers 429 with Retry-After above its rate."""
    SLEEPER = "sleeper"
    """Refuses connections at first, then recovers."""


UNAVAILABLE: Final = {Kind.FLAKY: 0.30}
ANSWER_LOST: Final = {Kind.FLAKY: 0.03}


class Stats(msgspec.Struct):
    """What a partner counted.

    Attributes:
        requests: everything that came in.
        accepted: leads taken, each once.
        confirmed: those of them whose sender was told so.
        refused: leads refused for business reasons, each once.
        repeats: requests recognised by their Idempotency-Key.
        unavailable: answers 503 and 504.
        limited: answers 429.
        revenue: sum of the prices of accepted leads.
    """

    requests: int = 0
    accepted: int = 0
    confirmed: int = 0
    refused: int = 0
    repeats: int = 0
    unavailable: int = 0
    limited: int = 0
    revenue: float = 0.0


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON a partner answers with."""

    outcome: str
    reason: str | None = None
    reference: str | None = None
    price: float | None = None


class Partner:
    """An ASGI application that behaves like one kind of partner.

    Args:
        kind: how it behaves.
        rng: all draws.
        clock: time for latency and rates.
        per_second: rate above which `ratelimited` answers 429.
    """

    def __init__(self, kind: Kind, rng: random.Random, clock: Clock, per_second: float) -> None:
        self.stats = Stats()
        self._kind = kind
        self._rng = rng
        self._clock = clock
        self._per_second = per_second
        self._tokens = per_second
        self._filled_ms = clock.monotonic()
        self._answers: dict[str, Answer] = {}
        self._confirmed: set[str] = set()
        self._people: set[str] = set()
        self.doors = asyncio.Event()
        """Leads wait until this is set, so that nobody counts before both sides do."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        place = (scope["method"], scope["path"])
        if place == ("GET", "/stats"):
            await _answer(send, 200, msgspec.to_builtins(self.stats) | {"kind": self._kind})
        elif place == ("POST", "/leads"):
            body = await _body(receive)
            await self.doors.wait()
            headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
            await self._clock.pause(round(self._rng.uniform(5, 40)))
            status, answer, extra = self._take(headers.get("idempotency-key", ""), body)
            await _answer(send, status, msgspec.to_builtins(answer), extra)
        else:
            await _answer(send, 404, {"reason": "only POST /leads and GET /stats exist"})

    def _take(self, key: str, body: bytes) -> tuple[int, Answer, dict[str, str]]:
        self.stats.requests += 1
        if self._kind is Kind.RATELIMITED and not self._token():
            self.stats.limited += 1
            return 429, Answer("error", "Rate limit reached"), {"retry-after": "1"}
        draw = self._rng.random()
        if draw < UNAVAILABLE.get(self._kind, 0.0):
            self.stats.unavailable += 1
            return 503, Answer("error", "Temporarily unavailable"), {}
        answer = self._recall(key) or self._judge(key, body)
        if answer.outcome != "success":
            return 200, answer, {}
        if draw > 1.0 - ANSWER_LOST.get(self._kind, 0.0):
            self.stats.unavailable += 1
            return 504, Answer("error", "Upstream did not answer in time"), {}
        if key not in self._confirmed:
            self._confirmed.add(key)
            self.stats.confirmed += 1
        return 200, answer, {}

    def _token(self) -> bool:
        now = self._clock.monotonic()
        refill = (now - self._filled_ms) / 1000 * self._per_second
        self._tokens = min(max(1.0, self._per_second), self._tokens + refill)
        self._filled_ms = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _recall(self, key: str) -> Answer | None:
        known = self._answers.get(key)
        self.stats.repeats += known is not None
        return known

    def _judge(self, key: str, body: bytes) -> Answer:
        """Decide on a lead that is new to us; the answer is kept for its key."""
        answer = self._decide(body)
        if answer.outcome == "success":
            self.stats.accepted += 1
            self.stats.revenue = round(self.stats.revenue + (answer.price or 0.0), 2)
        else:
            self.stats.refused += 1
        if len(self._answers) < _REMEMBERED_MAX:
            self._answers[key] = answer
        return answer

    def _decide(self, body: bytes) -> Answer:
        try:
            lead = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            return Answer("failure", "Not a JSON object")
        if not re.fullmatch(r"\d{5}", str(lead.get("postal_code", ""))):
            return Answer("failure", "Invalid postal code")
        mail = str(lead.get("email", ""))
        if mail in self._people:
            return Answer("failure", "Duplicate lead")
        if len(self._people) < _REMEMBERED_MAX:
            self._people.add(mail)
        reference = f"{self._kind.upper()}-{self.stats.accepted + 1:06d}"
        return Answer("success", reference=reference, price=round(self._rng.uniform(4, 40), 2))


async def _body(receive: Receive) -> bytes:
    """Read a request body, at most `_BODY_MAX` bytes of it."""
    body, more = b"", True
    while more and len(body) <= _BODY_MAX:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    return body


async def _answer(
    send: Send, status: int, value: object, extra: dict[str, str] | None = None
) -> None:
    headers = {"content-type": "application/json"} | (extra or {})
    pairs = [(name.encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": msgspec.json.encode(value)})


def _follow_parent(open_doors: Callable[[], object]) -> None:
    """Open the doors at the first line of stdin; end this process when stdin ends.

    It ends with the parent, however that went (also by SIGKILL).
    """
    while sys.stdin.buffer.readline():
        open_doors()
    os._exit(0)


async def _serve(options: argparse.Namespace) -> None:
    clock = SystemClock()
    rng = random.Random(options.seed)  # noqa: S311  # behaviour of a simulated partner
    partner = Partner(Kind(options.kind), rng, clock, options.per_second)
    loop = asyncio.get_running_loop()
    if options.watch_stdin:
        open_doors = functools.partial(loop.call_soon_threadsafe, partner.doors.set)
        threading.Thread(target=_follow_parent, args=(open_doors,), daemon=True).start()
    else:
        partner.doors.set()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((options.host, options.port))
        if not options.asleep:
            sock.listen(_BACKLOG)
        port = sock.getsockname()[1]
        line = {"kind": options.kind, "url": f"http://{options.host}:{port}"}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        # While it sleeps it is bound but not listening: the port is ours, connections are refused.
        await clock.pause(round(options.asleep * 1000))
        config = uvicorn.Config(partner, log_level="warning", access_log=False, lifespan="off")
        await uvicorn.Server(config).serve(sockets=[sock])


def main(arguments: list[str] | None = None) -> None:
    """Run one partner until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m holdfast.demo.partners")
    parser.add_argument("kind", choices=[str(kind) for kind in Kind])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--asleep", type=float, default=0.0, help="refuse connections so long, s")
    parser.add_argument("--per-second", type=float, default=20.0, help="rate of `ratelimited`")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--watch-stdin", action="store_true", help="serve from its first line to its end"
    )
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"cannot serve on {options.host}:{options.port}: {error.strerror}; try --port 0")


if __name__ == "__main__":
    main()
