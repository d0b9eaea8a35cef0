"""What stands for a secret where a configuration is checked that does not run here."""

import base64
from typing import Final

_DATABASE: Final = "postgresql://stand-in.example/holdfast"
_SIGNING: Final = "whsec_" + base64.b64encode(bytes(24)).decode()
_BY_KEY: Final = {
    "url": "https://stand-in.example/",
    "proxy": "http://stand-in.example:3128",
    "zone": "UTC",
    "account": "default",
}
_IN_LIST: Final = {"secrets": _SIGNING, "trusted_proxies": "192.0.2.1"}
TOKEN: Final = "stand-in"  # noqa: S105  # it opens nothing


def stand_in(place: str, reference: str) -> str:
    """Return a value of the right shape for a place that holds a reference."""
    del reference
    if place in {"store", "store.url"}:
        return _DATABASE
    *_, above, key = ("", *place.split("."))
    return _IN_LIST.get(above) or _BY_KEY.get(key, TOKEN)
