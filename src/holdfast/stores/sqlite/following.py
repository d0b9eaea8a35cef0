"""Sequential flows: what happens to the deliveries that wait behind another one."""

from collections.abc import Callable, Iterable
from typing import Final

import apsw
import msgspec

from holdfast.model.delivery import Status, Verb
from holdfast.model.message import NEVER
from holdfast.stores.sqlite import rows
from holdfast.stores.sqlite.counting import Tally
from holdfast.stores.sqlite.sql import change, one

PREDECESSOR: Final = "PREDECESSOR"
RELEASING: Final = frozenset({Verb.SUCCEED, Verb.PROVE})
"""Verbs after which the next step may start."""
_DISCARDING: Final = frozenset({Verb.DIE, Verb.SKIP, Verb.CANCEL, Verb.DISCARD})
MOVING: Final = RELEASING | _DISCARDING | {Verb.REDRIVE}
"""Verbs that concern followers."""


class Follower(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a delivery behind another one, as `delivery_chains.sql` returns it."""

    place: int
    id: str
    predecessor: str
    status: Status
    recipient: str
    due_at: int
    code: str | None
    priority: int

    @property
    def waits(self) -> bool:
        """Tell whether it waits for its predecessor."""
        return self.status is Status.PENDING and self.due_at == NEVER

    @property
    def dropped(self) -> bool:
        """Tell whether it was discarded only because of its predecessor."""
        return self.status is Status.DISCARDED and self.code == PREDECESSOR


_CHAIN: Final = msgspec.json.Decoder(list[Follower])


class Followers:
    """The followers of some deliveries, and what shall happen to them.

    Args:
        connection: inside the transaction.
        roots: ids of deliveries that are `followed`.
    """

    def __init__(self, connection: apsw.Connection, roots: Iterable[str]) -> None:
        self._behind: dict[str, list[Follower]] = {}
        self._release: list[Follower] = []
        self._discard: list[Follower] = []
        self._revive: list[Follower] = []
        self._until = 0
        """What is revived may take as long as the redriven ones, of several the longest."""
        ids = tuple(roots)
        if ids:
            found = one(connection, "delivery_chains", ids=rows.json_text(ids))
            for follower in _CHAIN.decode(found):
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

    def write(self, connection: apsw.Connection, now: int, tally: Tally) -> None:
        """Write what was planned."""
        plans: tuple[tuple[str, list[Follower], Status, dict[str, int]], ...] = (
            ("release_followers", self._release, Status.PENDING, {}),
            ("discard_followers", self._discard, Status.DISCARDED, {}),
            (
                "revive_followers",
                self._revive,
                Status.PENDING,
                {"never": NEVER, "until": self._until},
            ),
        )
        for name, group, status, values in plans:
            if group:
                places = rows.json_text([each.place for each in group])
                change(connection, name, places=places, now=now, **values)
                for each in group:
                    tally.moved(each.recipient, each.status, status, priority=each.priority)

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
