"""Who is reached, by which way: recipients with endpoints, and flows with steps."""

from typing import Literal

import msgspec

from holdfast.model.calendar import Cap, ContactHours, Hours, Maintenance, Period
from holdfast.model.policy import BreakerSettings, PolicySettings
from holdfast.model.rule import DeliveryRule
from holdfast.model.throttle import BudgetSettings, RateLimits


class BasicAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="basic"):
    """`Authorization: Basic`."""

    username: str
    password: str


class BearerAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="bearer"):
    """`Authorization: Bearer`."""

    token: str


class HeaderAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="header"):
    """A header of the partner's own, such as `X-Api-Key`."""

    name: str
    value: str


Auth = BasicAuth | BearerAuth | HeaderAuth


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One HTTP address of a recipient. Seconds and bytes.

    Strings that hold a secret may be `env:NAME` or `file:PATH`; the configuration loader
    resolves them, so that the file itself needs no secret.

    Attributes:
        name: unique within its recipient.
        url: may contain `{{path.to.field}}` of the payload (percent-encoded) and
            `{{message.id}}`, `{{delivery.id}}`, `{{recipient}}`, `{{flow}}`, `{{step}}`.
        method: HTTP method.
        headers: sent as they are; values may contain the same placeholders.
        body: `json` (the payload as accepted), `form`, `xml`, or `raw` (needs `template`).
        template: text with placeholders that replaces the payload; escaped by kind of body.
        content_type: default by kind of body.
        auth: how we identify ourselves.
        secrets: Standard Webhooks secrets (`whsec_...`); all sign, so that keys can rotate.
        client_certificate: path of a PEM file with certificate and key.
        ca_certificate: path of a PEM file trusted besides the system's.
        connect_timeout: for TCP and TLS.
        read_timeout: longest silence.
        total_timeout: whole exchange.
        capture_bytes: at most this much of an answer is read.
        allow_private: private, loopback and link-local addresses may be reached.
        follow_redirects: refused for a reason: each hop is a new recipient. Only false is allowed.
        proxy: URL of an HTTP proxy, or None.
        region: where it keeps what it gets, such as `EU`; see `regions` of flows.
    """

    name: str = "main"
    url: str
    method: Literal["POST", "PUT", "PATCH", "GET", "DELETE"] = "POST"
    headers: dict[str, str] = {}
    body: Literal["json", "form", "xml", "raw"] = "json"
    template: str | None = None
    content_type: str | None = None
    auth: Auth | None = None
    secrets: tuple[str, ...] = ()
    client_certificate: str | None = None
    ca_certificate: str | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    total_timeout: float = 60.0
    capture_bytes: int = 65_536
    allow_private: bool = False
    follow_redirects: Literal[False] = False
    proxy: str | None = None
    region: str | None = None


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A partner's system: one lane.

    Attributes:
        name: the lane's name, unique in the installation.
        account: the tenant it belongs to.
        channel: the protocol.
        endpoints: the first enabled one is used.
        policy: settings on the recipient level.
        breaker: the lane's breaker.
        concurrency: most sends at once.
        weight: share of sends when lanes compete.
        description: for people.
        zone: IANA name of the clock that its hours, windows and caps go by.
        hours: its business hours, None: always open.
        maintenance: when it is not to be disturbed.
        retry_windows: when given, retries go out only inside; first tries at any time (S1.40).
        caps: most successful deliveries in a minute, hour, day, week or month.
        limits: most sends in a second, a minute, an hour, a day.
        budget: how many retries there may be beside first tries.
        region: where it is, for rules.
        tags: words that rules can look for.
    """

    name: str
    account: str = "default"
    channel: Literal["http"] = "http"
    endpoints: tuple[Endpoint, ...]
    policy: PolicySettings = PolicySettings()
    breaker: BreakerSettings = BreakerSettings()
    concurrency: int = 16
    weight: float = 1.0
    description: str = ""
    zone: str = "UTC"
    hours: Hours | None = None
    maintenance: Maintenance | None = None
    retry_windows: tuple[Period, ...] = ()
    caps: tuple[Cap, ...] = ()
    limits: RateLimits = RateLimits()
    budget: BudgetSettings = BudgetSettings()
    region: str = ""
    tags: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One recipient of a flow.

    Attributes:
        name: unique in its flow; default: the recipient's name.
        recipient: the lane it goes to.
        step_type: what the step is for; shown in events.
        policy: settings on the step level.
    """

    name: str
    recipient: str
    step_type: Literal["delivery", "enhancement", "feedback"] = "delivery"
    policy: PolicySettings = PolicySettings()


class Flow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An ordered list of steps.

    Attributes:
        name: as in the intake URL.
        account: the tenant.
        mode: `parallel`: every step delivers, independently; `sequential`: a step starts when
            the one before succeeded.
        steps: at least one; names unique.
        policy: settings on the flow level.
        strip: dotted paths removed from the payload before it is stored (S5.47).
        keep: when given, only these dotted paths are stored.
        mask: dotted paths whose values never reach a log, an event or an error (S1.125).
        consent_required: a message without a consent record is skipped (S2.25).
        regions: when given, region of the person -> regions of endpoints that may get the data;
            `*` stands for any. What is not allowed is skipped (S1.128).
        contact_hours: when people may be contacted, on their own clock.
        search: JSON pointers of payload fields by whose value deliveries are found; at most 8. Only
            keyed digests of the values are kept, as long as the payload.
    """

    name: str
    account: str = "default"
    mode: Literal["parallel", "sequential"] = "parallel"
    steps: tuple[Step, ...]
    policy: PolicySettings = PolicySettings()
    strip: tuple[str, ...] = ()
    keep: tuple[str, ...] | None = None
    mask: tuple[str, ...] = ()
    consent_required: bool = False
    regions: dict[str, tuple[str, ...]] = {}
    contact_hours: ContactHours | None = None
    search: tuple[str, ...] = ()


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tenant.

    Attributes:
        name: as flows and recipients name it.
        policy: settings on the account level.
        regions: as for flows; both must allow a send.
        budget: how many retries all its recipients may get together, beside first tries.
    """

    name: str = "default"
    policy: PolicySettings = PolicySettings()
    regions: dict[str, tuple[str, ...]] = {}
    budget: BudgetSettings = BudgetSettings()


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Allowed ranges (low, high) of policy fields; an administrator may widen or narrow them.

    Attributes:
        max_retries: range of `policy.max_retries` (S2.16).
        initial_delay: range in seconds (S2.17).
        multiplier: range (S2.18).
        max_interval: range in seconds (S2.19).
        total_timeout: range in seconds (S2.20).
        max_age: range in seconds.
        max_hint: range in seconds.
    """

    max_retries: tuple[int, int] = (1, 10)
    initial_delay: tuple[float, float] = (1.0, 60.0)
    multiplier: tuple[float, float] = (1.5, 3.0)
    max_interval: tuple[float, float] = (1.0, 300.0)
    total_timeout: tuple[float, float] = (1.0, 3600.0)
    max_age: tuple[float, float] = (1.0, 30 * 86_400.0)
    max_hint: tuple[float, float] = (0.0, 7 * 86_400.0)


class Catalog(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What goes where and how: the part of the configuration that the Registry versions."""

    policy: PolicySettings = PolicySettings()
    limits: Limits = Limits()
    templates: dict[str, PolicySettings] = {}
    accounts: dict[str, Account] = {}
    recipients: dict[str, Recipient] = {}
    flows: dict[str, Flow] = {}
    rules: tuple[DeliveryRule, ...] = ()
