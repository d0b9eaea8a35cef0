"""What people judged, as this worker knows it: asked for each failure while there is any."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from holdfast.model.attempt import Outcome
from holdfast.model.delivery import Delivery
from holdfast.model.group import Group
from holdfast.model.judgement import Judgement
from holdfast.policy import fingerprint


class Shelf(Protocol):
    """What is needed of a store."""

    async def judged(self) -> list[Group]:
        """Return groups whose failures a person judged."""
        ...


class Judgements:
    """The judgements in force.

    Args:
        store: where they outlive a restart, and where other workers' are found.

    Attributes:
        known: group -> judgement; replaced as a whole by every change.
    """

    def __init__(self, store: Shelf) -> None:
        self._store = store
        self._heeded = 0
        self.known: Mapping[str, Judgement] = MappingProxyType({})

    async def load(self) -> None:
        """Read what outlived the last owner, or was judged elsewhere.

        What was judged here while that was read is newer: the next look brings both.
        """
        before = self._heeded
        found = [group.judgement for group in await self._store.judged()]
        if before == self._heeded:
            self.known = MappingProxyType({one.group: one for one in found if one is not None})

    def heed(self, group: Group) -> None:
        """Let what was made of a group hold for the next failure here."""
        judgement = group.judgement
        if judgement == self.known.get(group.id):
            return
        self._heeded += 1
        rest = {name: one for name, one in self.known.items() if name != group.id}
        own = {} if judgement is None else {group.id: judgement}
        self.known = MappingProxyType(rest | own)

    def of(self, delivery: Delivery, outcome: Outcome, at: int) -> Judgement | None:
        """Return what a person judged a failed try to be, None: nobody did, or it did not fail.

        Args:
            delivery: as it was sent.
            outcome: what came back.
            at: when the send began, ms since the epoch.
        """
        if outcome.ok or not self.known:
            return None
        seen = fingerprint.of_outcome(delivery, outcome, at)
        return None if seen is None else self.known.get(seen.id)
