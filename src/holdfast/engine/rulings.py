"""Asks the rules of a step at their moments, with everything that is known then.

Whatever goes wrong here leaves the delivery as it would be without rules: it is logged once a
minute per rule, counted, and named in the event.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from holdfast.engine.book import Route
from holdfast.engine.lane import Lane
from holdfast.engine.meter import Meter
from holdfast.engine.sampler import SystemSample
from holdfast.errors import InvalidInput, StoreError, VaultError
from holdfast.model.attempt import Event, FailureClass, Outcome, RuleMark
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Limits
from holdfast.model.message import Message
from holdfast.model.policy import Policy
from holdfast.model.rule import DeliveryRule, Signal
from holdfast.policy import effect
from holdfast.policy.decide import Decision
from holdfast.policy.facts import LaneSight, Scene, SystemSight, pick
from holdfast.policy.payload import read
from holdfast.policy.ruling import Panel, RuleSet
from holdfast.store import EventQuery, Note, Waiting
from holdfast.telemetry import LogEvent, log
from holdfast.vault import Vault

QUIET_MS: Final = 60_000
"""A rule that fails is logged at most this often."""
STREAK_MAX: Final = 50
"""Tries that are looked back for `attempt.streak`."""


class Ruled(msgspec.Struct, frozen=True, gc=False):
    """What was found before a send; kept until the send ends.

    Attributes:
        rules: those of the step.
        message: what is sent.
        sending: what the rules say about the send.
        payload: the declared parts of the payload.
        streak: failures in a row with the class of the last one, None: unknown.
    """

    rules: RuleSet
    message: Message
    sending: effect.Sending = effect.Sending()
    payload: Mapping[str, Any] = {}
    streak: int | None = 0


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What rules say after a failure.

    Attributes:
        policy: as they adapt it.
        hold: the rules whose conditions hold.
        marks: what changed so far.
    """

    policy: Policy
    hold: tuple[DeliveryRule, ...] = ()
    marks: effect.Marks = ()


class Rulings:
    """The rules at work.

    Args:
        limits: ranges that no rule leaves.
        vault: opens payloads of which a rule reads a part.
        meter: counts what rules do.
        signals: returns the numbers from outside.
        system: returns a sample of the machine at an instant (ms) for an id.
        pending: returns how many deliveries wait in a lane.
        history: reads the journal.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        vault: Vault,
        meter: Meter,
        signals: Callable[[], Mapping[str, Signal]],
        system: Callable[[int, str], SystemSample],
        pending: Callable[[str], int],
        history: Callable[[EventQuery], Awaitable[list[Event]]],
    ) -> None:
        self._limits = limits
        self._vault = vault
        self._meter = meter
        self._signals = signals
        self._system = system
        self._pending = pending
        self._history = history
        self._logged: dict[str, int] = {}

    # -- acceptance -------------------------------------------------------------------------

    def accept(
        self, route: Route, message: Message, delivery: Delivery, payload: bytes
    ) -> tuple[Delivery, Note | None]:
        """Return a new delivery with the priority that rules give it, and the audit line."""
        rules = route.rules
        if rules is None or not rules.accept.asked:
            return delivery, None
        scene = Scene(
            message=message,
            delivery=delivery,
            recipient=route.recipient,
            policy=route.policy,
            now=message.created_at,
            step_type=route.step.step_type,
            signals=self._signals(),
            payload=_parts(payload, rules.payload),
        )
        hold, _ = self._ask(rules.accept, scene)
        mark = effect.priority(hold, delivery.priority)
        if mark is None or not isinstance(mark.after, int):
            return delivery, None
        self._count((mark,))
        detail = msgspec.json.encode({"priority": [mark.before, mark.after]}).decode()
        why = f"rule {mark.rule!r} sets priority"
        note = Note(scene.now, "engine", "rule", delivery.id, why, detail, delivery.account)
        return msgspec.structs.replace(delivery, priority=mark.after), note

    # -- before a send ----------------------------------------------------------------------

    async def before(self, lane: Lane, waiting: Waiting, route: Route, now: int) -> Ruled | None:
        """Return what the rules say about a send, None where no rule applies."""
        rules = route.rules
        if rules is None:
            return None
        delivery = waiting.delivery
        payload = self._open(waiting, rules)
        streak = await self._streak(delivery) if rules.streak and delivery.attempts else 0
        ruled = Ruled(rules, waiting.message, payload=payload, streak=streak)
        if not rules.send.asked:
            return ruled
        scene = self._scene(ruled, route, lane, delivery, now=now, streak=ruled.streak)
        hold, failed = self._ask(rules.send, scene)
        usual = lane.endpoint(delivery.endpoint) or route.recipient.endpoints[0]
        sending = effect.sending(hold, scene, usual.name, lane.state.disabled)
        sending = _admitted(sending, route, waiting.message, now)
        self._count(sending.marks)
        if failed:
            sending = msgspec.structs.replace(sending, marks=(*sending.marks, *failed))
        return msgspec.structs.replace(ruled, sending=sending)

    def _open(self, waiting: Waiting, rules: RuleSet) -> Mapping[str, Any]:
        if not rules.payload:
            return {}
        message = waiting.message
        try:
            payload = self._vault.open(message.sealed or b"", message.id)
        except VaultError:
            return dict.fromkeys(rules.payload)  # the send itself says what is wrong
        return _parts(payload, rules.payload)

    async def _streak(self, delivery: Delivery) -> int | None:
        """Return how many tries of this generation failed in a row with the class of the last.

        None: the journal cannot be read; what asks for it is as if absent.
        """
        query = EventQuery(delivery_id=delivery.id, limit=STREAK_MAX)
        try:
            events = await self._history(query)
        except StoreError:
            return None
        count = 0
        for event in events:
            tried = event.attempt
            if (
                tried.generation != delivery.generation
                or tried.failure_class is None
                or tried.failure_class != delivery.failure_class
            ):
                break
            count += 1
        return count

    # -- after a failure --------------------------------------------------------------------

    def after(
        self,
        ruled: Ruled,
        route: Route,
        lane: Lane,
        delivery: Delivery,
        *,
        outcome: Outcome,
        now: int,
        passing: bool,
    ) -> Verdict:
        """Return the policy for what follows a failure that may pass (`passing`).

        An operator's own policy for a delivery is left as it is.
        """
        panel = ruled.rules.failure
        marks = ruled.sending.marks
        passing = passing and outcome.failure_class is not FailureClass.CANCELLED
        if not (panel.asked and passing):
            return Verdict(route.policy, marks=marks)
        streak = _longer(ruled.streak, delivery, outcome)
        scene = self._scene(ruled, route, lane, delivery, now=now, outcome=outcome, streak=streak)
        hold, failed = self._ask(panel, scene)
        policy = route.policy
        changed: effect.Marks = ()
        if delivery.policy is None:
            policy, changed = effect.retrying(hold, policy, self._limits)
        self._count(changed)
        return Verdict(policy, tuple(hold), (*marks, *changed, *failed))

    def final(self, verdict: Verdict, decision: Decision) -> tuple[Decision, effect.Marks]:
        """Return what really happens next, and everything that rules changed."""
        if not verdict.hold:
            return decision, verdict.marks
        decision, marks = effect.final(verdict.hold, decision)
        self._count(marks)
        return decision, verdict.marks + marks

    # -- all moments ------------------------------------------------------------------------

    def _scene(
        self,
        ruled: Ruled,
        route: Route,
        lane: Lane,
        delivery: Delivery,
        *,
        now: int,
        streak: int | None,
        outcome: Outcome | None = None,
    ) -> Scene:
        rules = ruled.rules
        system = _NO_SYSTEM
        if rules.system:
            sample = self._system(now, delivery.id[4:16])
            system = SystemSight(sample.cpu, sample.memory, sample.busy)
        sight = _NO_LANE
        if rules.lane:
            sight = lane.sight(self._pending(delivery.recipient))
        return Scene(
            message=ruled.message,
            delivery=delivery,
            recipient=route.recipient,
            policy=route.policy,
            now=now,
            step_type=route.step.step_type,
            outcome=outcome,
            streak=streak,
            lane=sight,
            system=system,
            signals=self._signals(),
            payload=ruled.payload,
        )

    def _ask(self, panel: Panel, scene: Scene) -> tuple[list[DeliveryRule], list[RuleMark]]:
        try:
            hold, failed = panel.ask(scene)
        except Exception as error:  # noqa: BLE001  # a bug in a fact must not keep a delivery
            failed = [RuleMark(one.rule.name, "error", error=repr(error)) for one in panel.asked]
            hold = []
        for mark in failed:
            self._meter.rule_failures[mark.rule] += 1
            self._complain(mark.rule, mark.error or "", scene.now)
        return hold, failed

    def _complain(self, rule: str, error: str, now: int) -> None:
        last = self._logged.get(rule)
        if last is None or now - last >= QUIET_MS:
            self._logged[rule] = now
            log(LogEvent.RULE_FAILED, logging.WARNING, rule=rule, error=error)

    def _count(self, marks: effect.Marks) -> None:
        for mark in marks:
            self._meter.rules[mark.rule, mark.effect] += 1


_NO_SYSTEM: Final = SystemSight()
_NO_LANE: Final = LaneSight()


def _admitted(sending: effect.Sending, route: Route, message: Message, now: int) -> effect.Sending:
    """Return what the rules say without a route to where the flow lets no such message go."""
    if sending.endpoint is None:
        return sending
    endpoint = next(one for one in route.recipient.endpoints if one.name == sending.endpoint)
    refusal = route.admission.refuse(message, endpoint, now)
    if refusal is None:
        return sending
    told = f"{endpoint.name}: {refusal.reason}"
    return effect.Sending(marks=(RuleMark(sending.marks[0].rule, "error", error=told),))


def _longer(streak: int | None, delivery: Delivery, outcome: Outcome) -> int | None:
    """Return the streak with a failure more."""
    if outcome.failure_class != delivery.failure_class:
        return 1
    return None if streak is None else streak + 1


def _parts(payload: bytes, paths: tuple[str, ...]) -> Mapping[str, Any]:
    if not paths:
        return {}
    try:
        return pick(read(payload), paths)
    except InvalidInput:  # it was accepted by an earlier version
        return dict.fromkeys(paths)
