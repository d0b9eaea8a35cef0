"""Rules of the business: a condition in CEL and what it changes (S1.42, S2.51, S2.82, S2.102)."""

from enum import StrEnum

import msgspec

from holdfast.model.policy import Strategy


class Moment(StrEnum):
    """When an effect takes place. Each effect has its one moment."""

    ACCEPT = "accept"
    """The message is being accepted."""
    SEND = "send"
    """A delivery is about to be sent."""
    FAILURE = "failure"
    """A try failed in a way that may pass, and what happens next is decided. What would recur
    (a refusal of the data, say) is dead without asking rules (C32)."""


class Effects(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a rule changes when its condition holds; None: nothing.

    Attributes:
        priority: of the new deliveries, 0-9; waiting raises a low one by itself (S1.77).
        hold: seconds that the delivery waits before it is looked at again.
        hold_until: time of day (`HH:MM`, in the recipient's zone) until which it waits.
        skip: code under which the delivery is discarded without a send.
        route: name of another endpoint of the recipient.
        retries: the number of retries instead of the policy's (S2.101).
        add_retries: so many retries more (or fewer, when negative) than the policy's (S2.97).
        delay_factor: the policy's delays are multiplied by it, within their ranges.
        strategy: another strategy than the policy's (S1.76).
        dead_letter: code under which the delivery leaves automatic tries (S1.93).
    """

    priority: int | None = None
    hold: float | None = None
    hold_until: str | None = None
    skip: str | None = None
    route: str | None = None
    retries: int | None = None
    add_retries: int | None = None
    delay_factor: float | None = None
    strategy: Strategy | None = None
    dead_letter: str | None = None


MOMENTS: dict[str, Moment] = {
    "priority": Moment.ACCEPT,
    "hold": Moment.SEND,
    "hold_until": Moment.SEND,
    "skip": Moment.SEND,
    "route": Moment.SEND,
    "retries": Moment.FAILURE,
    "add_retries": Moment.FAILURE,
    "delay_factor": Moment.FAILURE,
    "strategy": Moment.FAILURE,
    "dead_letter": Moment.FAILURE,
}
"""Effect -> the moment at which it takes place."""


class DeliveryRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A rule. In the order of the file; of two that set the same thing the first one decides.

    Attributes:
        name: unique; shown in events, metrics and the log.
        when: the condition, a CEL expression over the facts that gives true or false.
        flows: only for deliveries of these flows; empty: of all.
        recipients: only for deliveries to these recipients; empty: to all.
        payload: dotted paths of the payload that the condition may read, as `payload.PATH`.
        then: what it changes.
    """

    name: str
    when: str
    flows: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()
    then: Effects


class Signal(msgspec.Struct, frozen=True, gc=False):
    """A number from outside that rules can use, such as `market.index` (S1.95).

    Attributes:
        name: as in `signals["NAME"]`.
        value: the number.
        at: when it was set, ms since the epoch.
        actor: who set it.
    """

    name: str
    value: float
    at: int
    actor: str = ""
