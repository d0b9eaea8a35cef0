"""Sequential flows: what happens to the deliveries that wait behind another one."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from holdfast.model.delivery import Status, Verb
from holdfast.model.message import NEVER
from holdfast.stores.planning.counting import Tally

Row = int | str
"""How a store finds a delivery again: the place of its row, or its id."""
Seen = tuple[Row, int]
"""A row, and its revision as it was looked at."""

PREDECESSOR: Final = "PREDECESSOR"
RELEASING: Final = frozenset({Verb.SUCCEED, Verb.PROVE})
"""Verbs after which the next step may start."""
_DISCARDING: Final = frozenset({Verb.DIE, Verb.SKIP, Verb.CANCEL, Verb.DISCARD})
MOVING: Final = RELEASING | _DISCARDING | {Verb.REDRIVE}
"""Verbs that concern followers."""


class Follower(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a delivery behind another one, as `delivery_chains.sql` returns it."""

    row: Row
    id: str
    predecessor: str
    status: Status
    recipient: str
    due_at: int
    code: str | None
    priority: int
    revision: int

    @property
    def waits(self) -> bool:
        """Tell whether it waits for its predecessor."""
        return self.status is Status.PENDING and self.due_at == NEVER

    @property
    def dropped(self) -> bool:
        """Tell whether it was discarded only because of its predecessor."""
        return self.status is Status.DISCARDED and self.code == PREDECESSOR


CHAIN: Final = msgspec.json.Decoder(list[Follower])


class Fate(msgspec.Struct, frozen=True):
    """What happens to some followers.

    Attributes:
        release: due now.
        discard: they will not be sent.
        revive: they wait for their predecessor again ...
        until: ... at least that long.
    """

    release: list[Seen]
    discard: list[Seen]
    revive: list[Seen]
    until: int


class Followers:
    """The followers of some deliveries, and what shall happen to them.

    Args:
        found: everything behind deliveries that are `followed`, nearest first.
    """

    def __init__(self, found: Iterable[Follower] = ()) -> None:
        self._behind: dict[str, list[Follower]] = {}
        self._release: list[Follower] = []
        self._discard: list[Follower] = []
        self._revive: list[Follower] = []
        self._until = 0
        """What is revived may take as long as the redriven ones, of several the longest."""
        for follower in found:
            self._behind.setdefault(follower.predecessor, []).append(follower)

    @property
    def ids(self) -> set[str]:
        """Return the ids of everything that waits behind the roots."""
        return {follower.id for group in self._behind.values() for follower in group}

    def affect(self, root: str, verb: Verb, expires_at: int = 0) -> tuple[str, ...]:
        """Plan what a change of `root` means and return the recipients that are woken."""
        if verb in _DISCARDING:
            self._cascade(root, self._discard, lambda each: each.status is Status.PENDING)
        elif verb is Verb.REDRIVE:
            self._until = max(self._until, expires_at)
            self._cascade(root, self._revive, lambda each: each.dropped)
        elif verb in RELEASING:
            return self._released(root)
        return ()

    def waiting(self, root: str) -> tuple[str, ...]:
        """Return the recipients of the followers that may be sent, for a repeated answer."""
        behind = self._behind.get(root, ())
        return tuple(each.recipient for each in behind if each.status is Status.PENDING)

    def count(self, tally: Tally) -> None:
        """Count what was planned."""
        for group, status in (
            (self._release, Status.PENDING),
            (self._discard, Status.DISCARDED),
            (self._revive, Status.PENDING),
        ):
            for each in group:
                tally.moved(each.recipient, each.status, status, priority=each.priority)

    @property
    def fate(self) -> Fate:
        """Return what was planned."""
        release, discard, revive = (
            [(each.row, each.revision) for each in group]
            for group in (self._release, self._discard, self._revive)
        )
        return Fate(release, discard, revive, self._until)

    def _released(self, root: str) -> tuple[str, ...]:
        woken = []
        for each in self._behind.get(root, ()):
            if each.waits or each.dropped:
                self._release.append(each)
                woken.append(each.recipient)
            if each.dropped:
                # It was given up with its predecessor; what waited behind it waits again.
                self._cascade(each.id, self._revive, lambda behind: behind.dropped)
        return tuple(woken)

    def _cascade(
        self, root: str, group: list[Follower], affected: Callable[[Follower], bool]
    ) -> None:
        for each in self._behind.get(root, ()):
            if affected(each):
                group.append(each)
                self._cascade(each.id, group, affected)
