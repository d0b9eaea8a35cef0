"""What a scenario file says: partners, their traffic and what befalls them (TOML, in seconds)."""

import string
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from holdfast.errors import InvalidInput
from holdfast.model.flow import Recipient
from holdfast.model.policy import PolicySettings
from holdfast.model.shape import explain, refuse
from holdfast.policy import check

_DAY_S: Final = 86_400.0
_FAULTS_MAX: Final = 10_000
"""Most faults of one kind and partner that are drawn."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What befalls a partner. Seconds from the start of the run.

    Attributes:
        kind: `outage`: nothing is served; `brownout`: a share of the answers are 5xx and all are
            slower; `slow`: every answer takes `latency`; `refuse`: as an outage, for good;
            `liar`: it answers with `answers` in turn, whatever it could do, and says `fields`.
        at: when it begins.
        seconds: how long it lasts.
        answer: what comes back instead of a 2xx: an HTTP status, or `refused`, `timeout`, `dns`.
        errors: least and greatest share of 5xx of a brown-out; drawn anew every minute.
        factor: a brown-out's latency is this many times the usual.
        latency: of a slow partner.
        hints: Retry-After values, taken in turn; none: the header is not sent.
        answers: HTTP statuses of a liar, taken in turn.
        fields: RateLimit values of a liar, taken in turn; none: the header is not sent.
        up: seconds between two outages ...
        down: ... and of each of them, until `seconds` are over (flapping).
        random: those are means of exponential draws.
        every: mean seconds between outages that come at random for `seconds` ...
        shape: ... and last as long as a Lomax draw of this shape ...
        scale: ... and scale.
    """

    kind: Literal["outage", "brownout", "slow", "refuse", "liar"] = "outage"
    at: float = 60.0
    seconds: float = 600.0
    answer: int | Literal["refused", "timeout", "dns"] = 503
    errors: tuple[float, float] = (0.3, 0.5)
    factor: float = 3.0
    latency: float = 20.0
    hints: tuple[str, ...] = ()
    answers: tuple[int, ...] = (200,)
    fields: tuple[str, ...] = ()
    up: float = 0.0
    down: float = 0.0
    random: bool = False
    every: float = 0.0
    shape: float = 2.5
    scale: float = 495.0


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rate limit of the partner's.

    Attributes:
        rate: requests per second.
        burst: requests at once.
        hint: what a 429 says: `retry_after`, `fields` (RateLimit, on every answer) or `bare`.
    """

    rate: float
    burst: float = 1.0
    hint: Literal["retry_after", "fields", "bare"] = "retry_after"


class Poison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Messages that the partner never takes.

    Attributes:
        share: of all messages.
        answer: what comes back for them.
    """

    share: float
    answer: int = 422


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kind of partner (algorithms 4.1).

    Attributes:
        name: of the partner; with `count`, the start of the names.
        count: so many of them, each with luck of its own.
        rates: (seconds, messages per second) one after the other: Poisson arrivals.
        zipf: the n-th partner of the kind gets `n ** -zipf` of the rate.
        around_faults: arrivals only from this many seconds before a fault until as long after
            it as it lasted, at least this; 0: always. It skips what is healthy for days.
        capacity: requests per second that are served.
        latency: seconds of an answer when idle; under load `latency * (1 + rho / (1 - rho))`.
        timeout: seconds after which the sender gives up.
        floor: share of the capacity that is left however great the overload: 1 sheds cleanly,
            0.3 is metastable.
        warm_from: share of the capacity right after an outage ...
        warm_seconds: ... and seconds until all of it is back.
        others: requests per second of the partner's other clients.
        concurrency: most requests it works on at once; 0: no limit.
        faults: what befalls it.
        quota: its rate limit.
        poison: messages that it never takes.
    """

    name: str = "partner"
    count: int = 1
    rates: tuple[tuple[float, float], ...] = ((1260.0, 20.0),)
    zipf: float = 0.0
    around_faults: float = 0.0
    capacity: float = 50.0
    latency: float = 0.05
    timeout: float = 30.0
    floor: float = 1.0
    warm_from: float = 0.2
    warm_seconds: float = 60.0
    others: float = 0.0
    concurrency: int = 0
    faults: tuple[Fault, ...] = ()
    quota: Quota | None = None
    poison: Poison | None = None

    @property
    def seconds(self) -> float:
        """Return how long messages arrive."""
        return sum(seconds for seconds, _ in self.rates)


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One experiment.

    Attributes:
        id: short name, such as `S2`.
        title: one line.
        about: what it is for.
        partners: kinds of partners.
        slots: sends at once, over all partners; 0: 512 for Holdfast, no limit for the others.
        limit: the run ends this many seconds after the last arrival, whatever still waits.
        seeds: most seeds that are run unless more are asked for; long scenarios need fewer.
    """

    id: str
    title: str
    about: str = ""
    partners: tuple[Profile, ...]
    slots: int = 0
    limit: float = 72 * 3600.0
    seeds: int = 30


CONCURRENCY: Final = 64
"""Sends at once, unless the set-up says so: near its capacity a partner's answers take long (its
queue), and with Holdfast's own default of 16 that, not the partner, would limit the rate."""


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How Holdfast is set up for a run: the same keys as in `holdfast.toml`.

    Attributes:
        policy: settings on the global level.
        recipient: fields of a recipient: `breaker`, `concurrency` and the rest.
    """

    policy: PolicySettings = PolicySettings()
    recipient: dict[str, Any] = {}


def shipped() -> tuple[Scenario, ...]:
    """Return the scenarios of this package, by id."""
    folder = resources.files("holdfast.lab") / "scenarios"
    found = [_scenario(tomllib.loads(file.read_text()), file.name) for file in folder.iterdir()]
    return tuple(sorted(found, key=lambda scenario: (len(scenario.id), scenario.id)))


def named(names: list[str]) -> tuple[Scenario, ...]:
    """Return scenarios by id (`S9` means `S9a` and `S9b`, too) or path of a file; none: all.

    Raises:
        InvalidInput: there is none of that name, or the file is wrong.
    """
    known = shipped()
    return tuple(scenario for name in names for scenario in _found(name, known)) or known


def _found(name: str, known: tuple[Scenario, ...]) -> Iterator[Scenario]:
    path = Path(name)
    if path.suffix == ".toml":
        yield _scenario(_toml(path), str(path))
        return
    found = [
        each for each in known if each.id == name or each.id.rstrip(string.ascii_lowercase) == name
    ]
    if not found:
        allowed = f"one of {', '.join(each.id for each in known)}, or a .toml file"
        raise InvalidInput("scenario", name, allowed)
    yield from found


def setup(path: Path | None) -> Setup:
    """Return the set-up in a file; without one, the defaults.

    Raises:
        InvalidInput: a value is not allowed.
    """
    if path is None:
        return Setup()
    raw = _toml(path)
    made: Setup = _convert(raw, Setup, str(path))
    recipient(made, "partner")
    return made


def recipient(setup: Setup, name: str, **fixed: Any) -> Recipient:
    """Return a recipient with the set-up's fields; `fixed` are those that the lab decides.

    Raises:
        InvalidInput: a field is unknown or out of range.
    """
    endpoints = [{"url": f"https://{name}.example/"}]
    raw = {"endpoints": endpoints, "concurrency": CONCURRENCY, **setup.recipient, "name": name}
    made: Recipient = _convert({**raw, **fixed}, Recipient, "recipient")
    check.recipient(made, "recipient")
    return made


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(str(path), str(error), "a readable TOML file") from error


def _convert(raw: dict[str, Any], kind: Any, place: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        found = explain(error, raw, kind)
        raise refuse(f"{place}: {found.field}", found.value, found.allowed) from error


def _scenario(raw: dict[str, Any], place: str) -> Scenario:
    made: Scenario = _convert(raw, Scenario, place)
    for number, profile in enumerate(made.partners):
        _check(profile, f"{place}: partners.{number}")
    check.unique(f"{place}: partners", [profile.name for profile in made.partners])
    return made


def _check(profile: Profile, field: str) -> None:
    check.name(f"{field}.name", profile.name)
    check.number(f"{field}.count", profile.count, 1, 100_000)
    check.number(f"{field}.capacity", profile.capacity, 0.01, 1e6)
    check.number(f"{field}.latency", profile.latency, 0.001, 600)
    check.number(f"{field}.timeout", profile.timeout, 0.1, 600)
    check.number(f"{field}.floor", profile.floor, 0.01, 1)
    check.number(f"{field}.warm_from", profile.warm_from, 0.01, 1)
    check.number(f"{field}.warm_seconds", profile.warm_seconds, 0, _DAY_S)
    for seconds, rate in profile.rates:
        check.number(f"{field}.rates", seconds, 1, 366 * _DAY_S)
        check.number(f"{field}.rates", rate, 0, 10_000)
    if profile.quota is not None:
        check.number(f"{field}.quota.rate", profile.quota.rate, 0.01, 1e6)
        check.number(f"{field}.quota.burst", profile.quota.burst, 1, 1e6)
    for number, fault in enumerate(profile.faults):
        _check_fault(fault, f"{field}.faults.{number}")


def _check_fault(fault: Fault, field: str) -> None:
    check.number(f"{field}.at", fault.at, 0, 366 * _DAY_S)
    check.number(f"{field}.seconds", fault.seconds, 0.1, 366 * _DAY_S)
    check.number(f"{field}.answers", len(fault.answers), 1, 100)
    if fault.every or fault.up or fault.down:
        between = fault.every or fault.up + fault.down
        check.number(f"{field}.every", between, fault.seconds / _FAULTS_MAX, 366 * _DAY_S)
        check.number(f"{field}.shape", fault.shape, 1.01, 100)
        check.number(f"{field}.scale", fault.scale, 0.1, 30 * _DAY_S)
