"""The catalog made ready for use: every step with its recipient and resolved policy."""

from collections.abc import Mapping

import msgspec

from holdfast.errors import ConfigError, InvalidInput, NotFound
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Catalog, Endpoint, Flow, Recipient, Step
from holdfast.model.policy import Policy, PolicySettings
from holdfast.policy import precedence, ruling
from holdfast.policy.admission import Admission
from holdfast.policy.ruling import RuleSet
from holdfast.store import Counts, Snapshot


class Route(msgspec.Struct, frozen=True, gc=False):
    """One step, resolved; `rules` are those that apply to it, None without any."""

    flow: Flow
    step: Step
    recipient: Recipient
    policy: Policy
    snapshot: Snapshot
    admission: Admission
    rules: RuleSet | None = None


class Book:
    """Looks up flows, recipients and routes; a new catalog makes a new book."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.asks = False
        """Any flow asks something of its messages before a try."""
        self.ruled = bool(catalog.rules)
        """There are rules at all."""
        self._routes: dict[tuple[str, str, str], Route] = {}
        self._overrides: dict[tuple[str, str, str, str], Route] = {}
        for flow in catalog.flows.values():
            for step in flow.steps:
                route = self._resolve(flow, step, catalog.recipients[step.recipient])
                self._routes[flow.name, step.name, step.recipient] = route

    def _resolve(
        self, flow: Flow, step: Step, recipient: Recipient, override: PolicySettings | None = None
    ) -> Route:
        policy = precedence.resolve(
            self.catalog, flow=flow, step=step, recipient=recipient, override=override
        )
        snapshot = Snapshot(policy.id, precedence.snapshot(policy))
        account = self.catalog.accounts.get(flow.account)
        admission = Admission(flow, account)
        self.asks = self.asks or admission.asks
        rules = ruling.select(self.catalog, flow.name, recipient.name) if self.ruled else None
        return Route(flow, step, recipient, policy, snapshot, admission, rules)

    def flow(self, name: str, account: str) -> Flow:
        """Return a flow of an account.

        Raises:
            NotFound: there is none of that name; the message lists the known ones.
        """
        flow = self.catalog.flows.get(name)
        if flow is None or flow.account != account:
            known = sorted(f.name for f in self.catalog.flows.values() if f.account == account)
            raise NotFound(f"no flow {name!r}; known flows: {', '.join(known) or 'none'}")
        return flow

    def recipient(self, name: str) -> Recipient:
        """Return a recipient.

        Raises:
            NotFound: there is none of that name; the message lists the known ones.
        """
        recipient = self.catalog.recipients.get(name)
        if recipient is None:
            known = ", ".join(sorted(self.catalog.recipients)[:50])
            raise NotFound(f"no recipient {name!r}; known recipients: {known or 'none'}")
        return recipient

    def route(self, delivery: Delivery) -> Route:
        """Return the route of a delivery, with an operator's policy for it when it has one.

        A step that left the configuration keeps its deliveries: they go on under the policy of
        their recipient.
        """
        place = (delivery.flow, delivery.step, delivery.recipient)
        route = self._routes.get(place)
        if route is None:
            route = self._routes[place] = self._orphan(delivery)
        if delivery.policy is None:
            return route
        key = (*place, delivery.policy)
        if key not in self._overrides:
            settings = msgspec.json.decode(delivery.policy, type=PolicySettings)
            self._overrides[key] = self._resolve(route.flow, route.step, route.recipient, settings)
        return self._overrides[key]

    def _orphan(self, delivery: Delivery) -> Route:
        step = Step(name=delivery.step, recipient=delivery.recipient)
        flow = self.catalog.flows.get(delivery.flow) or Flow(
            name=delivery.flow, account=delivery.account, steps=(step,)
        )
        return self._resolve(flow, step, self.recipient(delivery.recipient))

    def check_override(self, delivery: Delivery, settings: PolicySettings) -> str:
        """Return the settings as JSON text after resolving them once.

        Raises:
            InvalidInput: a value is out of range.
        """
        route = self.route(delivery)
        self._resolve(route.flow, route.step, route.recipient, settings)
        return msgspec.json.encode(settings).decode()

    def endpoint(self, recipient: Recipient, name: str) -> Endpoint:
        """Return an endpoint of a recipient by name.

        Raises:
            InvalidInput: it has none of that name.
        """
        for endpoint in recipient.endpoints:
            if endpoint.name == name:
                return endpoint
        known = ", ".join(endpoint.name for endpoint in recipient.endpoints)
        raise InvalidInput("endpoint", name, f"one of: {known}")


def max_ages(catalog: Catalog) -> dict[str, int]:
    """Return `FLOW/STEP/RECIPIENT` -> `max_age` in ms; `//RECIPIENT` for steps that are gone."""
    ages = {}
    for recipient in catalog.recipients.values():
        policy = precedence.resolve(catalog, flow=None, step=None, recipient=recipient)
        ages[f"//{recipient.name}"] = round(policy.max_age * 1000)
    for flow in catalog.flows.values():
        for step in flow.steps:
            recipient = catalog.recipients[step.recipient]
            policy = precedence.resolve(catalog, flow=flow, step=step, recipient=recipient)
            ages[f"{flow.name}/{step.name}/{recipient.name}"] = round(policy.max_age * 1000)
    return ages


def check_pending(counts: Mapping[str, Counts], catalog: Catalog) -> None:
    """Refuse a catalog that lacks a recipient for which deliveries wait.

    Raises:
        ConfigError: it lacks some; the message names them.
    """
    missing = [
        name for name, count in counts.items() if count.pending and name not in catalog.recipients
    ]
    if missing:
        raise ConfigError(
            f"recipients with pending deliveries are missing: {', '.join(sorted(missing))}; "
            "put them back, or cancel their deliveries first"
        )
