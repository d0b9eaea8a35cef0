"""What the engine needs of a way to reach a recipient."""

from typing import Protocol

import msgspec

from holdfast.model.attempt import Reply
from holdfast.model.flow import Endpoint


class Request(msgspec.Struct, frozen=True, gc=False):
    """One send.

    Attributes:
        endpoint: where to.
        payload: the payload as stored (JSON, after stripping).
        delivery_id: the idempotency key, the same on every attempt.
        message_id: what `webhook-id` carries.
        attempt: number of the try in its generation.
        recipient: for placeholders and logs.
        flow: for placeholders.
        step: for placeholders.
    """

    endpoint: Endpoint
    payload: bytes
    delivery_id: str
    message_id: str
    attempt: int
    recipient: str
    flow: str
    step: str


class Channel(Protocol):
    """A protocol that reaches endpoints.

    One call is at most one send on the wire: no channel, client, driver or library retries
    (promise 4). Trouble is data: `send` raises nothing but `asyncio.CancelledError`.
    """

    async def send(self, request: Request) -> Reply:
        """Send once and say what came back.

        Ends within the endpoint's `total_timeout` and reads at most `capture_bytes` of the
        answer. `Reply.maybe_received` is true whenever the request may have been processed.
        What we have set up wrongly (a refused address) is a reply with error `configuration`, a
        payload that does not fit the endpoint (a template's field is missing) one with error
        `data`; in both nothing went on the wire.
        """
        ...

    async def close(self) -> None:
        """Give back connections; sends under way are cut."""
        ...
