"""The audit journal: what is asked of it, and what a check of it says."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

LOOK: Final = 10_000
"""Most lines that are looked at for one page."""
DAY_MS: Final = 86_400_000

Place = tuple[int, int]
"""Where a line stands by time: its instant (ms), and the place that the store gave it."""


class Scope(msgspec.Struct, frozen=True, gc=False):
    """Audit lines of one account: its own, and those of no account about these subjects."""

    account: str
    subjects: tuple[str, ...]


class LineQuery(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Which audit lines, by time; None: any.

    Attributes:
        subject: about this id or name.
        actor: who did it.
        action: what was done.
        start: of this instant (ms) and later ...
        end: ... and before this one.
        forward: oldest first; otherwise newest first.
        cursor: only what comes after this place, in that order.
        scope: only what an account may see.
        limit: most lines of the page.
        look: most lines that are looked at for it.
    """

    subject: str | None = None
    actor: str | None = None
    action: str | None = None
    start: int | None = None
    end: int | None = None
    forward: bool = False
    cursor: Place | None = None
    scope: Scope | None = None
    limit: int = 100
    look: int = LOOK


class DaySum(msgspec.Struct, frozen=True, gc=False):
    """Retry events of one day, by when their tries began: how many, and what they say.

    Attributes:
        day: since 1970, UTC.
        count: how many.
        digest: SHA-256 of their rows in the order of their positions, in hex.
    """

    day: int
    count: int
    digest: str


class EventSums(msgspec.Struct, frozen=True, gc=False):
    """Retry events that follow each other.

    Attributes:
        last: position of the last of them; without any that after which they were asked for.
        sums: what they come to, by day.
    """

    last: int
    sums: tuple[DaySum, ...] = ()

    @property
    def count(self) -> int:
        """How many they are."""
        return sum(each.count for each in self.sums)


class Broken(msgspec.Struct, frozen=True):
    """The first place where the chain does not hold: `number` of a line, and what is wrong."""

    number: int
    why: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """How far the chain was checked.

    Attributes:
        number: of the last line that was checked.
        last: number of the last line there should be.
        hash: of that one, in hex: keep both elsewhere, and a later check can ask for them.
        done: the end was reached.
        waiting: lines that are not linked yet; at most a page is counted.
        events: retry events that are as they were, of those that lines up to `number` sum up.
        broken: the first place that is wrong; None: none up to here.
    """

    number: int
    last: int
    hash: str = ""
    done: bool = False
    waiting: int = 0
    events: int = 0
    broken: Broken | None = None


def differences(
    before: msgspec.Struct, after: msgspec.Struct, names: Iterable[str]
) -> dict[str, list[Any]]:
    """Return what a line tells of a change: field -> [before, after], of the named that differ."""
    pairs = {name: [getattr(before, name), getattr(after, name)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
