"""What the API answers, as far as people are shown it. Unknown members are ignored."""

from datetime import datetime
from typing import Any

import msgspec

_CALENDAR = frozenset({"hours", "maintenance", "cap"})
"""Gates that open by themselves at a time that is known."""


class Lane(msgspec.Struct, frozen=True):
    """One recipient's lane. Instants are ms since the epoch, None where there is none."""

    recipient: str
    breaker: str = "closed"
    reason: str | None = None
    manual: bool = False
    retry_at: int | None = None
    next_probe: int | None = None
    rate: float | None = None
    gate_until: int | None = None
    gate_reason: str | None = None
    paused: str | None = None
    disabled: tuple[str, ...] = ()
    in_flight: int = 0
    created: int = 0
    pending: int = 0
    delivered: int = 0
    dead: int = 0
    discarded: int = 0
    pruned: int = 0
    last_success_at: int | None = None
    closed: str | None = None
    """Why a gate that goes by the calendar is closed, None: none is ..."""
    closed_until: int | None = None
    """... and when it opens."""


class Event(msgspec.Struct, frozen=True):
    """One retry event."""

    position: int
    delivery_id: str
    recipient: str
    attempt_number: int
    outcome: str
    counted: bool = True
    stale: bool = False
    failure_reason: str | None = None
    failure_class: str | None = None
    retry_timestamp: int | None = None
    latency_ms: float = 0.0
    generation: int = 0
    trigger: str = "automatic"
    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    reference: str | None = None
    price: float | None = None
    next_type: str = ""
    next_at: int | None = None
    next_reason: str | None = None


class Dead(msgspec.Struct, frozen=True):
    """One delivery in review."""

    id: str
    recipient: str
    code: str | None = None
    reason: str | None = None


def instant(value: object) -> int | None:
    """Return an instant of the API (ISO 8601, or ms) in ms; None for none."""
    if isinstance(value, str):
        try:
            return round(datetime.fromisoformat(value).timestamp() * 1000)
        except ValueError:
            return None
    return value if isinstance(value, int) and value > 0 else None


def lane(item: dict[str, Any]) -> Lane:
    """Read a lane of `GET /v1/recipients`."""
    names = ("retry_at", "next_probe", "gate_until", "last_success_at")
    flat: dict[str, Any] = {}
    for gate in item.get("gates") or ():
        if gate.get("gate") in _CALENDAR:
            flat = {
                "closed": f"{gate['gate']}: {gate.get('reason') or 'closed'}",
                "closed_until": instant(gate.get("until")),
            }
            break
    return msgspec.convert(_with_instants(item, *names) | flat, Lane)


def event(item: dict[str, Any]) -> Event:
    """Read an event of `GET /v1/events`: the nested parts are laid flat."""
    error = item.get("error_details") or {}
    success = item.get("success_indicators") or {}
    following = item.get("next_action") or {}
    flat = {
        "http_status": error.get("http_status") or success.get("http_status"),
        "code": error.get("code"),
        "message": error.get("message"),
        "reference": success.get("reference"),
        "price": success.get("price"),
        "next_type": following.get("type", ""),
        "next_at": instant(following.get("at")),
        "next_reason": following.get("reason"),
    }
    return msgspec.convert(_with_instants(item, "retry_timestamp") | flat, Event)


def dead(item: dict[str, Any]) -> Dead:
    """Read a dead delivery of `GET /v1/deliveries`."""
    return msgspec.convert(item, Dead)


def _with_instants(item: dict[str, Any], *names: str) -> dict[str, Any]:
    return item | {name: instant(item.get(name)) for name in names}
