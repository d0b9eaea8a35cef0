"""Values with a keyed sum of themselves: who has the database alone cannot change one unseen."""

import hmac
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

Digest = Callable[..., bytes]
"""`Vault.digest`: the keyed sum of some parts."""
S = TypeVar("S", bound=msgspec.Struct)


def signed(digest: Digest, label: bytes, value: S) -> S:
    """Return a value with its sum in the field `sum`; `label` names what kind of value it is."""
    bare = msgspec.structs.replace(value, sum=b"")
    return msgspec.structs.replace(bare, sum=digest(label, msgspec.json.encode(bare)))


def sound(digest: Digest, label: bytes, value: msgspec.Struct) -> bool:
    """Tell whether a value is as it was signed."""
    given, right = (cast("Any", each).sum for each in (value, signed(digest, label, value)))
    return hmac.compare_digest(given, right)
