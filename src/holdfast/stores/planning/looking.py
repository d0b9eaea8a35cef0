"""Where a look for what may be pruned goes on."""


class Look:
    """Remembers where the last look for payloads ended, so that the next need not pass it again.

    Old messages that still wait keep their payloads: without this every call of a long run would
    look at all of them. It is a hint: a run with another `before`, or after the end, begins anew.
    """

    def __init__(self) -> None:
        self._before = 0
        self._at = 0

    def start(self, before: int) -> int:
        """Return from which acceptance on (ms) to look for what ended before `before`."""
        return self._at if before == self._before else 0

    def ended(self, before: int, at: int | None) -> None:
        """Note at which acceptance (ms) a look ended, None: there is no more."""
        self._before, self._at = before, at or 0
