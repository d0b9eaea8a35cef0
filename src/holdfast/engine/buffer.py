"""The bounded part of a lane that is in memory: what is due, in bands, and what is known of more.

It is refilled from the store by index, never by a moving cursor; what is in flight or settling is
left out.
"""

import heapq

from holdfast.model.delivery import BANDS
from holdfast.model.message import NEVER
from holdfast.store import DuePage, Waiting


class Buffer:
    """Six bands of deliveries that are due, three priorities, first tries before retries."""

    def __init__(self) -> None:
        self.bands: tuple[list[tuple[int, str, Waiting]], ...] = tuple([] for _ in range(BANDS))
        self.buffered: set[str] = set()
        self.busy: set[str] = set()
        """Ids in flight or settling: not to be read again."""
        self.refilling = False
        self.refills = 0
        self.emptied = True
        """The last refill left nothing that was due in the store."""
        self.next_due = NEVER
        """Lowest due in the store that is not buffered, as far as known."""
        self._noted_due = NEVER
        self._changed: set[str] = set()
        """What changed while a refill reads."""
        self._last_probe = ""

    def quotas(self, per_band: int) -> tuple[int, ...]:
        """Return how many rows each band has room for."""
        return tuple(max(0, per_band - len(band)) for band in self.bands)

    def refill_begins(self) -> frozenset[str]:
        """Note the start of a refill and return the ids it must leave out."""
        self.refilling = True
        self.refills += 1
        self._noted_due = NEVER
        self._changed.clear()
        return frozenset(self.buffered | self.busy)

    def refill_ends(self, page: DuePage) -> None:
        """Take a page in; rows that changed while it was read are left to the next one."""
        self.refilling = False
        for waiting in page.waiting:
            if waiting.delivery.id not in self._changed:
                self.push(waiting)
        self.emptied = page.emptied and not self._changed
        self.next_due = min(page.next_due, self._noted_due)

    def refill_failed(self) -> None:
        """Forget a refill that the store could not answer."""
        self.refilling = False
        self.emptied = False

    def offer(self, waiting: Waiting, refills: int, room: int) -> None:
        """Take a new delivery straight from memory, if that cannot overtake or double others.

        Args:
            waiting: the delivery, just committed.
            refills: `self.refills` when it was handed to the writer; if a refill began since,
                the store has shown it or will show it.
            room: most entries of its band.
        """
        delivery = waiting.delivery
        fits = len(self.bands[delivery.band]) < room
        if fits and self.emptied and not self.refilling and refills == self.refills:
            self.push(waiting)
        else:
            self.noted(delivery.due_at)

    def push(self, waiting: Waiting) -> None:
        """Put a delivery into its band unless it is known already."""
        delivery = waiting.delivery
        if delivery.id in self.buffered or delivery.id in self.busy:
            return
        self.buffered.add(delivery.id)
        entry = (delivery.due_at, delivery.id, waiting)
        heapq.heappush(self.bands[delivery.band], entry)

    def noted(self, due_at: int) -> None:
        """Remember that the store holds a delivery due then."""
        self.next_due = min(self.next_due, due_at)
        self._noted_due = min(self._noted_due, due_at)

    def forget(self, delivery_id: str) -> None:
        """Drop a delivery that changed in the store."""
        if self.refilling:  # the page may show it as it was; later ones do not
            self._changed.add(delivery_id)
        if delivery_id not in self.buffered:
            return
        self.buffered.discard(delivery_id)
        for band in self.bands:
            kept = [entry for entry in band if entry[1] != delivery_id]
            if len(kept) != len(band):
                band[:] = kept
                heapq.heapify(band)

    def clear(self) -> int:
        """Empty the buffer (the rows are in the store) and return how many it held."""
        count = len(self.buffered)
        for band in self.bands:
            band.clear()
        self.buffered.clear()
        self.emptied = False
        return count

    def oldest(self, now: int) -> Waiting | None:
        """Take the oldest that is surely unsent, and never the last probe while there is another.

        A payload that the partner cannot take would otherwise keep the lane down alone.
        """
        due = [
            (entry[1] == self._last_probe, entry[2].delivery.in_doubt, entry, band)
            for band in self.bands
            for entry in band
            if entry[0] <= now
        ]
        if not due:
            return None
        _, _, entry, band = min(due, key=lambda each: (each[0], each[1], each[2][:2]))
        band.remove(entry)
        heapq.heapify(band)
        self._last_probe = entry[1]
        return entry[2]

    def head_due(self) -> int:
        """Return the lowest due in the buffer, `NEVER` when it is empty."""
        lowest = NEVER
        for band in self.bands:
            if band and band[0][0] < lowest:
                lowest = band[0][0]
        return lowest
