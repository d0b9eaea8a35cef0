"""What the dashboard knows: folded from API answers, without terminal and without network."""

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from holdfast.demo.answers import Dead, Event, Lane
from holdfast.demo.words import changed, told

LINES_MAX: Final = 50
"""Lines of history kept; the screen shows the last few."""
_RATE_MS: Final = 1000
"""One bar of a sparkline is this long."""
_BARS_MAX: Final = 60
_QUIET_MS: Final = 2000
"""Events of one kind and recipient are told once in so long: what is rare must stay in sight."""


class Totals(msgspec.Struct, frozen=True):
    """Sums over all lanes (promise 2: accepted is the sum of the others)."""

    created: int = 0
    pending: int = 0
    delivered: int = 0
    dead: int = 0
    discarded: int = 0
    pruned: int = 0
    in_flight: int = 0

    @property
    def adds_up(self) -> bool:
        """Tell whether nothing is missing."""
        ended = self.delivered + self.dead + self.discarded + self.pruned
        return self.created == self.pending + ended

    def since(self, start: "Totals") -> "Totals":
        """Return what was added since `start`; waiting and in flight are as of now."""
        return Totals(
            created=self.created - start.created,
            pending=self.pending,
            delivered=self.delivered - start.delivered,
            dead=self.dead - start.dead,
            discarded=self.discarded - start.discarded,
            pruned=self.pruned - start.pruned,
            in_flight=self.in_flight,
        )


class Line(msgspec.Struct, frozen=True):
    """Something that happened, in words."""

    at: int
    text: str
    tone: str = ""


def totals(lanes: Iterable[Lane]) -> Totals:
    """Add up lanes."""
    names = Totals.__struct_fields__
    some = list(lanes)
    return Totals(**{name: sum(getattr(lane, name) for lane in some) for name in names})


class Picture:
    """The state of all lanes with a little history, for one screen."""

    def __init__(self) -> None:
        self.lanes: dict[str, Lane] = {}
        self.lines: deque[Line] = deque(maxlen=LINES_MAX)
        self.review: list[Dead] = []
        self.position = 0
        self.first_try = 0
        self.by_retry = 0
        self.started: Totals | None = None
        self.unreachable: str | None = None
        self._bars: dict[str, deque[float]] = {}
        self._told: dict[tuple[str, str], int] = {}
        self._measured: dict[str, tuple[int, int]] = {}

    @property
    def totals(self) -> Totals:
        """Return the sums of all lanes."""
        return totals(self.lanes.values())

    @property
    def proven(self) -> int:
        """Return how many deliveries succeeded while we looked: each has its event."""
        return self.first_try + self.by_retry

    def rates(self, recipient: str) -> list[float]:
        """Return deliveries per second, one number per second, newest last."""
        return list(self._bars.get(recipient, ()))

    def see_lanes(self, lanes: Iterable[Lane], now: int) -> None:
        """Take a new look at the lanes."""
        for lane in lanes:
            before = self.lanes.get(lane.recipient)
            if before is not None and (text := changed(before, lane, now)) is not None:
                self.lines.append(Line(now, text, lane.breaker))
            self.lanes[lane.recipient] = lane
            self._measure(lane, now)
        if self.started is None:
            self.started = self.totals

    def see_events(self, events: Iterable[Event], now: int) -> None:
        """Take in events in commit order; those seen before are passed over."""
        for event in events:
            if event.position <= self.position:
                continue
            self.position = event.position
            if event.outcome == "success" and not event.stale:
                first = event.attempt_number == 0 and event.generation == 0
                self.first_try += first
                self.by_retry += not first
            if (text := told(event)) is not None:
                tone = "dead" if event.next_type == "dead_letter" else event.outcome
                self._tell((event.recipient, tone), Line(now, text, tone))

    def _tell(self, kind: tuple[str, str], line: Line) -> None:
        if line.at - self._told.get(kind, -_QUIET_MS) >= _QUIET_MS:
            self._told[kind] = line.at
            self.lines.append(line)

    def _measure(self, lane: Lane, now: int) -> None:
        at, delivered = self._measured.setdefault(lane.recipient, (now, lane.delivered))
        if now - at >= _RATE_MS:
            bars = self._bars.setdefault(lane.recipient, deque(maxlen=_BARS_MAX))
            bars.append(max(0.0, (lane.delivered - delivered) * 1000 / (now - at)))
            self._measured[lane.recipient] = (now, lane.delivered)
