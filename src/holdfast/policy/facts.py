"""What the conditions of rules can see: the facts, their types, and how each is found.

Only the facts that a rule names are looked up. Numbers with a unit are doubles (`3.0`), counts
and codes are whole numbers (`3`); CEL does not mix the two, and the check at load says so.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from holdfast.model.attempt import Outcome
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Recipient
from holdfast.model.message import Message
from holdfast.model.policy import Policy
from holdfast.model.rule import Moment, Signal

UNRATED: Final = 100
"""`message.quality` of a message that nobody rated: a limit on low quality never hits it."""
TEXT_MAX: Final = 1000
"""Characters of a payload's text that a condition can see."""


class LaneSight(msgspec.Struct, frozen=True, gc=False):
    """How a recipient's lane stands.

    Attributes:
        breaker: state of its breaker.
        failures: failed calls among the last ones ...
        calls: ... and how many those are.
        pending: deliveries that wait, at most a second old.
        in_flight: sends under way.
        rate: successes per second of late.
    """

    breaker: str = "closed"
    failures: int = 0
    calls: int = 0
    pending: int = 0
    in_flight: int = 0
    rate: float = 0.0


class SystemSight(msgspec.Struct, frozen=True, gc=False):
    """Load of this machine, shares of 0-1, at most a second old."""

    cpu: float = 0.0
    memory: float = 0.0
    busy: float = 0.0


class Scene(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Everything that is known when rules are asked.

    Attributes:
        message: the message.
        delivery: as it stands; at a failure, as it was sent.
        recipient: where it goes.
        policy: resolved, without the rules.
        now: ms since the epoch.
        step_type: what the step is for.
        outcome: of the try that just failed, None before a send.
        streak: failed tries in a row, up to the last one, with its class; None: unknown.
        lane: the recipient's lane.
        system: the machine.
        signals: numbers from outside, by name.
        payload: dotted path -> value, of the declared paths.
    """

    message: Message
    delivery: Delivery
    recipient: Recipient
    policy: Policy
    now: int
    step_type: str = "delivery"
    outcome: Outcome | None = None
    streak: int | None = 0
    lane: LaneSight = LaneSight()
    system: SystemSight = SystemSight()
    signals: Mapping[str, Signal] = {}
    payload: Mapping[str, Any] = {}


class Fact(NamedTuple):
    """One fact: its CEL type, the first moment at which it is known, meaning, and how to get it."""

    kind: str
    since: Moment
    meaning: str
    get: Callable[[Scene], Any]


ORDER: Final = (Moment.ACCEPT, Moment.SEND, Moment.FAILURE)
"""The moments of a delivery's life; a fact that is known stays known."""
_ANY: Final = Moment.ACCEPT
_SEND: Final = Moment.SEND
_DOUBLES: Final = "map(string, double)"


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    Raises:
        KeyError, ValueError, OSError: there is none of that name.
    """
    return UTC if name == "UTC" else ZoneInfo(name)


def local(scene: Scene) -> datetime:
    """Return the wall clock at the recipient."""
    return datetime.fromtimestamp(scene.now / 1000, UTC).astimezone(zone(scene.recipient.zone))


def _class(scene: Scene) -> str:
    if scene.outcome is None:
        return scene.delivery.failure_class or ""
    return scene.outcome.failure_class or ""


def _status(scene: Scene) -> int:
    found = scene.delivery if scene.outcome is None else scene.outcome
    return found.http_status or 0


def _reason(scene: Scene) -> str:
    return (scene.delivery if scene.outcome is None else scene.outcome).reason or ""


def _failure_share(scene: Scene) -> float:
    return scene.lane.failures / scene.lane.calls if scene.lane.calls else 0.0


def _p_success(scene: Scene) -> float:
    """Return Laplace's estimate: never 0 or 1 after a few calls."""
    lane = scene.lane
    return (lane.calls - lane.failures + 1) / (lane.calls + 2)


def _quality(scene: Scene) -> int:
    return UNRATED if scene.message.quality is None else scene.message.quality


FACTS: Final[dict[str, Fact]] = {
    "message.value": Fact(
        "double", _ANY, "worth in the account's currency", lambda s: s.message.value
    ),
    "message.priority": Fact(
        "int", _ANY, "0-9, as the caller gave it", lambda s: s.message.priority
    ),
    "message.quality": Fact("int", _ANY, f"0-100; {UNRATED} when nobody rated it", _quality),
    "message.rated": Fact(
        "bool", _ANY, "the caller gave a quality", lambda s: s.message.quality is not None
    ),
    "message.region": Fact(
        "string",
        _ANY,
        'where the data subject lives, "" if unknown',
        lambda s: s.message.region or "",
    ),
    "message.age": Fact(
        "double",
        _ANY,
        "seconds since it was accepted",
        lambda s: (s.now - s.message.created_at) / 1000,
    ),
    "message.size": Fact("int", _ANY, "bytes of the payload", lambda s: s.message.size),
    "message.consent": Fact(
        "bool", _ANY, "a consent record came with it", lambda s: s.message.consent is not None
    ),
    "account.name": Fact("string", _ANY, "the tenant", lambda s: s.delivery.account),
    "flow.name": Fact("string", _ANY, "the flow", lambda s: s.delivery.flow),
    "step.name": Fact("string", _ANY, "the step", lambda s: s.delivery.step),
    "step.type": Fact("string", _ANY, "delivery, enhancement or feedback", lambda s: s.step_type),
    "recipient.name": Fact("string", _ANY, "the recipient", lambda s: s.recipient.name),
    "recipient.region": Fact("string", _ANY, "its region", lambda s: s.recipient.region),
    "recipient.tags": Fact("list(string)", _ANY, "its tags", lambda s: list(s.recipient.tags)),
    "policy.retries": Fact(
        "int", _ANY, "`max_retries` without rules", lambda s: s.policy.max_retries
    ),
    "policy.strategy": Fact(
        "string", _ANY, "the strategy without rules", lambda s: s.policy.strategy.value
    ),
    "now.hour": Fact("int", _ANY, "0-23 in the recipient's zone", lambda s: local(s).hour),
    "now.minute": Fact("int", _ANY, "0-59 in the recipient's zone", lambda s: local(s).minute),
    "now.weekday": Fact(
        "int", _ANY, "1 (Monday) to 7 in the recipient's zone", lambda s: local(s).isoweekday()
    ),
    "now.date": Fact(
        "string", _ANY, "YYYY-MM-DD in the recipient's zone", lambda s: local(s).date().isoformat()
    ),
    "signals": Fact(
        _DOUBLES,
        _ANY,
        "numbers from outside, by name",
        lambda s: {name: one.value for name, one in s.signals.items()},
    ),
    "signal_age": Fact(
        _DOUBLES,
        _ANY,
        "seconds since each was set",
        lambda s: {name: (s.now - one.at) / 1000 for name, one in s.signals.items()},
    ),
    "attempt.number": Fact(
        "int", _SEND, "0: the original send; n: retry n", lambda s: s.delivery.attempt
    ),
    "attempt.counted": Fact(
        "int", _SEND, "sends before this one that used a retry", lambda s: s.delivery.counted
    ),
    "attempt.class": Fact("string", _SEND, 'class of the last failure, "" if none', _class),
    "attempt.status": Fact("int", _SEND, "status of the last reply, 0 if none", _status),
    "attempt.reason": Fact("string", _SEND, "normalised reason of the last failure", _reason),
    "attempt.streak": Fact(
        "int", _SEND, "failures in a row with the class of the last one", lambda s: s.streak
    ),
    "attempt.active": Fact(
        "double",
        _SEND,
        "seconds of active time before this try",
        lambda s: s.delivery.active_ms / 1000,
    ),
    "lane.breaker": Fact(
        "string", _SEND, "closed, open, half_open or recovery", lambda s: s.lane.breaker
    ),
    "lane.failure_share": Fact("double", _SEND, "0-1 of the last calls", _failure_share),
    "lane.p_success": Fact(
        "double", _SEND, "estimated chance that a send succeeds, 0-1", _p_success
    ),
    "lane.pending": Fact("int", _SEND, "deliveries that wait", lambda s: s.lane.pending),
    "lane.in_flight": Fact("int", _SEND, "sends under way", lambda s: s.lane.in_flight),
    "lane.rate": Fact("double", _SEND, "successes per second of late", lambda s: s.lane.rate),
    "system.cpu": Fact("double", _SEND, "load of the processors, 0-1", lambda s: s.system.cpu),
    "system.memory": Fact("double", _SEND, "memory in use, 0-1", lambda s: s.system.memory),
    "system.busy": Fact("double", _SEND, "send slots in use, 0-1", lambda s: s.system.busy),
}
"""Name -> fact. The reference page is generated from this table."""


def known_at(moment: Moment) -> dict[str, Fact]:
    """Return the facts that are known at a moment."""
    last = ORDER.index(moment)
    return {name: fact for name, fact in FACTS.items() if ORDER.index(fact.since) <= last}


def gather(names: Iterable[str], scene: Scene) -> dict[str, Any]:
    """Return name -> value of the named facts and of the declared parts of the payload."""
    found = {name: FACTS[name].get(scene) for name in names}
    for path, value in scene.payload.items():
        found[f"payload.{path}"] = value
    return found


def pick(payload: object, paths: Iterable[str]) -> dict[str, Any]:
    """Return dotted path -> value of a payload; None where there is none, or no single value."""
    return {path: _scalar(payload, path.split(".")) for path in paths}


def _scalar(node: object, path: list[str]) -> Any:
    for part in path:
        if not isinstance(node, dict):
            return None
        node = node.get(part)
    if isinstance(node, str):
        return node[:TEXT_MAX]
    if isinstance(node, int) and not isinstance(node, bool) and abs(node) >= 2**63:
        return float(node)
    return node if isinstance(node, bool | int | float) else None
