"""What the HTTP channel's tests share: a channel, names that resolve as told, and a short send."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from holdfast.channel import Request
from holdfast.channels.http import HttpChannel
from holdfast.clock import SystemClock
from holdfast.model.attempt import Reply
from holdfast.model.flow import Endpoint
from holdfast.testing.partner import Names, Partner

Send = Callable[..., Coroutine[Any, Any, Reply]]
MakeRequest = Callable[..., Request]


def make_request(url: str, payload: bytes = b"{}", **fields: Any) -> Request:
    """Return a request; `fields` are the endpoint's."""
    fields = {"allow_private": True, "total_timeout": 5.0} | fields
    return Request(
        endpoint=Endpoint(url=url, **fields),
        payload=payload,
        delivery_id="dlv_1",
        message_id="msg_1",
        attempt=2,
        recipient="acme",
        flow="leads",
        step="deliver",
    )


@pytest.fixture
def request_to() -> MakeRequest:
    """Return the maker of requests."""
    return make_request


@pytest.fixture
def names() -> Names:
    """Return the names that resolve."""
    return Names()


@pytest.fixture
async def channel(names: Names) -> AsyncIterator[HttpChannel]:
    """Yield a channel that asks `names`; addresses need no asking."""
    channel = HttpChannel(SystemClock(), lookup=names)
    yield channel
    await channel.close()


@pytest.fixture
def send(channel: HttpChannel) -> Send:
    """Return a short way to send to a partner or a URL; keywords are the endpoint's fields."""

    async def short(to: Partner | str, payload: bytes = b"{}", **fields: Any) -> Reply:
        url = to.url if isinstance(to, Partner) else to
        return await channel.send(make_request(url, payload, **fields))

    return short
