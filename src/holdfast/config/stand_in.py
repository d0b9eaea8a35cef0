"""What stands for a secret where a configuration is checked that does not run here."""

import base64
from typing import Final

_DATABASE: Final = "postgresql://stand-in.example/holdfast"
_BY_KEY: Final = {"url": "https://stand-in.example/", "proxy": "http://stand-in.example:3128"}
_SIGNING: Final = "whsec_" + base64.b64encode(bytes(24)).decode()
TOKEN: Final = "stand-in"  # noqa: S105  # it opens nothing


def stand_in(place: str, reference: str) -> str:
    """Return a value of the right shape for a place that holds a reference."""
    del reference
    if place in {"store", "store.url"}:
        return _DATABASE
    *_, above, key = ("", *place.split("."))
    return _SIGNING if above == "secrets" else _BY_KEY.get(key, TOKEN)
