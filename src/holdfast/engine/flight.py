"""A send on the wire, and what of its answer may be kept."""

import asyncio

import msgspec

from holdfast.engine.book import Route
from holdfast.engine.lane import Lane
from holdfast.engine.rulings import Ruled
from holdfast.errors import InvalidInput
from holdfast.model.attempt import Outcome
from holdfast.model.delivery import Delivery
from holdfast.model.flow import Endpoint
from holdfast.policy import redaction
from holdfast.policy.payload import read
from holdfast.policy.reason import normalise


class Flight(msgspec.Struct, frozen=True):
    """A send on the wire; `started` in ms since the epoch, `value` of the message.

    `began` is the same instant on the clock that only moves forward: the wall clock may be set.

    The collector must see it: through its task and its lane it holds the whole engine.
    """

    lane: Lane
    delivery: Delivery
    route: Route
    endpoint: Endpoint
    started: int
    began: float
    probe: bool
    task: asyncio.Task[None] | None
    ruled: Ruled | None = None
    value: float = 0.0


def scrubbed(outcome: Outcome, payload: bytes, route: Route, endpoint: Endpoint) -> Outcome:
    """Return the outcome without the payload's masked values and our secrets in its texts."""
    secrets = redaction.endpoint_secrets(endpoint)
    if route.flow.mask:
        try:
            secrets += redaction.values_at(read(payload), route.flow.mask)
        except InvalidInput:  # it was accepted by an earlier version
            return msgspec.structs.replace(outcome, excerpt=None)
    if not secrets:
        return outcome
    # A reason is normalised, and what is left of a value in it must not show either.
    secrets += [short for value in secrets if (short := normalise(value)) not in {None, value}]
    texts = {
        field: redaction.mask_values(text, secrets)
        for field in ("reason", "message", "excerpt", "code", "reference")
        if (text := getattr(outcome, field))
    }
    return msgspec.structs.replace(outcome, **texts)
