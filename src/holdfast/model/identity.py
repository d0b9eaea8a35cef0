"""Ids: a prefix and 32 hex digits, 48 bits of time and 80 random bits, so they sort by time."""

import random
from typing import Final

HOUR_MS: Final = 3_600_000


def new_id(prefix: str, now: int, rng: random.Random) -> str:
    """Return `prefix_` and 32 hex digits; `now` in ms since the epoch."""
    return f"{prefix}_{now:012x}{rng.getrandbits(80):020x}"


def derived_id(prefix: str, now: int, digest: bytes) -> str:
    """Return the id that everybody gives to the same thing within an hour (UTC).

    Args:
        prefix: of the id.
        now: ms since the epoch; the hour is kept, so that ids still sort by time.
        digest: of what the thing is; at least 10 bytes.
    """
    return f"{prefix}_{now - now % HOUR_MS:012x}{digest[:10].hex()}"
