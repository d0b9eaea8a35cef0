"""Ids: a prefix and 32 hex digits, 48 bits of time and 80 random bits, so they sort by time."""

import random


def new_id(prefix: str, now: int, rng: random.Random) -> str:
    """Return `prefix_` and 32 hex digits; `now` in ms since the epoch."""
    return f"{prefix}_{now:012x}{rng.getrandbits(80):020x}"
