"""How often one may try to sign in: a bucket per name and per address, in bounded memory."""

from collections import OrderedDict
from typing import Final

import msgspec

NAME_TRIES: Final = 5
"""Failed tries that a name has at once ..."""
NAME_REFILL_MS: Final = 60_000
"""... and the time after which it has one more."""
ADDRESS_TRIES: Final = 20
ADDRESS_REFILL_MS: Final = 6_000
KNOWN_MAX: Final = 10_000
"""Most names and addresses that are remembered; the oldest go first."""


class Bucket(msgspec.Struct, frozen=True):
    """Failed tries that count, and since when (ms)."""

    used: float = 0.0
    at: int = 0


def wait_ms(bucket: Bucket, tries: int, refill_ms: int, now: int) -> int:
    """Return how long to wait before the next try, 0: it may come now."""
    over = _left(bucket, refill_ms, now) - (tries - 1)
    return 0 if over <= 0 else round(over * refill_ms)


def failed(bucket: Bucket, refill_ms: int, now: int) -> Bucket:
    """Return the bucket after one more failed try."""
    return Bucket(_left(bucket, refill_ms, now) + 1, now)


def _left(bucket: Bucket, refill_ms: int, now: int) -> float:
    return max(0.0, bucket.used - max(0, now - bucket.at) / refill_ms)


class Throttle:
    """Remembers who failed."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def wait_ms(self, name: str, address: str, now: int) -> int:
        """Return how long to wait before a try of this name from this address."""
        by_name = self._buckets.get(("name", name), Bucket())
        by_address = self._buckets.get(("address", address), Bucket())
        return max(
            wait_ms(by_name, NAME_TRIES, NAME_REFILL_MS, now),
            wait_ms(by_address, ADDRESS_TRIES, ADDRESS_REFILL_MS, now),
        )

    def failed(self, name: str, address: str, now: int) -> None:
        """Note a failed try."""
        for key, refill in (
            (("name", name), NAME_REFILL_MS),
            (("address", address), ADDRESS_REFILL_MS),
        ):
            self._buckets[key] = failed(self._buckets.pop(key, Bucket()), refill, now)
        while len(self._buckets) > KNOWN_MAX:
            self._buckets.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name, and of its address this try: it was none."""
        self._buckets.pop(("name", name), None)
        if (by_address := self._buckets.get(("address", address))) is not None:
            used = max(0.0, by_address.used - 1)
            self._buckets["address", address] = Bucket(used, by_address.at)
